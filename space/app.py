"""The entry of the app: settings -> proofreader -> page -> launch.

A Space runs `python space/app.py` from the repository's root; people run `python -m space serve`.
"""

from __future__ import annotations

import os
import socket
import sys
from contextlib import suppress
from pathlib import Path

if __package__ in (None, ""):
    # Run as a file, Python looks for imports beside it, where `space` is not and where other names mislead.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

# Before gradio is imported: it reads this once, and an email proofreader tells nobody that it was started.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"


def main() -> int:
    """Serve until interrupted; exit code 2, with one line on stderr, when that cannot start."""
    from space.errors import UserError

    try:
        serve()
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def serve() -> None:
    """Load what there is and serve it: a model that is missing is a line on the page, not the end of it."""
    from feedback.errors import FeedbackError
    from feedback.hub import Sync, flush_on_sigterm
    from feedback.journal import Journal
    from space import texts
    from space.errors import UserError
    from space.settings import Settings

    settings = Settings.from_env()
    _require_free(settings.port)
    try:
        sync = Sync.from_env(settings.feedback_dir)
    except FeedbackError as error:
        raise UserError(str(error)) from error

    # Heavy imports last, so that a wrong setting is told at once.
    from space import ui
    from space.proofreader import load_proofreader
    from space.tone import ToneClassifier

    proofreader, tone, problem = None, None, ""
    try:
        proofreader = load_proofreader(settings)
        tone = proofreader.tone
    except UserError as error:
        problem = str(error)
        print(problem, file=sys.stderr)
        with suppress(UserError):  # tone is worth having alone, and one problem at a time is enough to mend
            tone = ToneClassifier.load(settings.models_dir / "tone", settings.n_threads)
    page = ui.build(proofreader, Journal(settings.feedback_dir), tone, problem, sync.where)
    flush_on_sigterm(sync.start())
    try:
        page.launch(
            server_port=settings.port,
            theme=ui.THEME,
            css_paths=ui.CSS,
            head=ui.head(),
            footer_links=[],
            run_history=False,
            quiet=True,
            prevent_thread_lock=True,
        )
    except OSError as error:
        raise UserError(texts.PORT_IN_USE.format(port=settings.port, other=settings.port + 1)) from error
    print(texts.SERVING.format(url=page.local_url), flush=True)
    page.block_thread()  # returns on Ctrl+C
    sync.close()


def _require_free(port: int) -> None:
    """UserError if nobody can listen on the port; asked before the models are read, which takes seconds."""
    from space import texts
    from space.errors import UserError

    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except PermissionError as error:
            raise UserError(texts.PORT_FORBIDDEN.format(port=port)) from error
        except OSError as error:
            raise UserError(texts.PORT_IN_USE.format(port=port, other=port + 1)) from error


if __name__ == "__main__":
    sys.exit(main())

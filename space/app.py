"""The entry of the app: settings -> proofreader -> page -> launch.

A Space runs `python space/app.py` from the repository's root; people run `python -m space serve`.
"""

from __future__ import annotations

import io
import os
import socket
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import redirect_stdout, suppress
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if __package__ in (None, ""):
    # Run as a file, Python looks for imports beside it, where `space` is not and where other names mislead.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

if TYPE_CHECKING:
    import gradio as gr

    from space.proofread.classifiers.tone import ToneClassifier
    from space.proofread.llm.switcher import ModelSwitcher
    from space.settings import Settings

# Before gradio is imported: it reads this once, and an email proofreader tells nobody that it was started.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
# It also keeps the last 10,000 events for its monitoring page, which is off here, and after each puts them all into a pandas table.
os.environ |= {"GRADIO_ANALYTICS_MAX_EVENTS": "1", "GRADIO_ANALYTICS_CACHE_FREQUENCY": str(10**9)}


KEEP_ALIVE_SECONDS = 75


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
    from space.errors import UserError
    from space.page import strings
    from space.proofread.llm.memory import share_arena
    from space.settings import Settings

    share_arena()
    settings = Settings.from_env()
    require_free(settings.port)
    try:
        sync = Sync.from_env(settings.feedback_dir)
    except FeedbackError as error:
        raise UserError(str(error)) from error

    page, models, problem = build(settings, lambda: sync.where)
    flush_on_sigterm(sync.start())
    launch(page, settings, models, problem)
    print(strings.SERVING.format(url=page.local_url), flush=True)
    page.block_thread()  # returns on Ctrl+C
    sync.close()


def build(settings: Settings, stored_where: Callable[[], str]) -> tuple[gr.Blocks, ModelSwitcher | None, str]:
    """The page, the models behind it or None, and why None; `stored_where` says where feedback goes, for the consent."""
    # Heavy imports last, so that a wrong setting is reported at once.
    from feedback.journal import Journal
    from space.errors import UserError
    from space.page import ui
    from space.proofread.classifiers.tone import ToneClassifier

    models, tone, problem = None, None, ""
    try:
        models, tone = _load(settings)
    except UserError as error:
        problem = str(error)
        print(problem, file=sys.stderr)
        with suppress(UserError):  # tone is worth having alone, and one problem at a time is enough to solve
            tone = ToneClassifier.load(settings.models_dir / "tone")
    page = ui.build(models, Journal(settings.feedback_dir), tone, problem, stored_where)
    return page, models, problem


def _load(settings: Settings) -> tuple[ModelSwitcher, ToneClassifier]:
    """The models; if the one of the settings cannot be had, the embedded one stands in, with a note for the user."""
    from space.errors import UserError
    from space.page import strings
    from space.proofread.llm.switcher import ModelSwitcher
    from space.proofread.pipeline import load_proofreader
    from space.settings import EMBEDDED

    model = note = ""
    try:
        proofreader = load_proofreader(settings)
    except UserError as error:
        if settings.model == EMBEDDED:
            raise
        try:
            proofreader = load_proofreader(settings, EMBEDDED)
        except UserError:
            raise error from None
        model, note = EMBEDDED, strings.STANDS_IN.format(problem=error, model=EMBEDDED)
        print(note, file=sys.stderr)
    return ModelSwitcher(proofreader, settings, model, note), proofreader.tone


def launch(page: gr.Blocks, settings: Settings, models: ModelSwitcher | None, problem: str) -> None:
    """Serve the page, the endpoints for programs and /health on `settings.port`, and return."""
    from starlette.middleware import Middleware

    from space import languagetool_server, server, web
    from space.errors import UserError
    from space.page import layout, strings

    server.refuse_short_calls(page)
    # api_open is for calls beside the queue: the model is one, and they would wait for it without an end.
    page.queue(max_size=None, api_open=False)
    reading: Counter[str] = Counter()
    calls: set[str] = set()
    server.limit_queue(page, settings.rate_limit, calls)
    # Read by uvicorn: from these alone it believes X-Forwarded-For. Its own default is whoever runs on this machine.
    os.environ["FORWARDED_ALLOW_IPS"] = ",".join(settings.forwarded_allow_ips)
    try:
        # Gradio announces its MCP server even when quiet, with a sign that not every terminal's encoding has.
        with redirect_stdout(io.StringIO()):
            page.launch(
                server_name=settings.gradio_server_name,
                server_port=settings.port,
                theme=layout.THEME,
                css_paths=layout.CSS,
                head=layout.head(),
                footer_links=[],
                run_history=False,
                enable_monitoring=False,
                quiet=True,
                prevent_thread_lock=True,
                mcp_server=find_spec("mcp") is not None,
                max_file_size=web.MAX_FILE_BYTES,
                state_session_capacity=server.MAX_SESSIONS,
                # Gradio serves files of its cache; never these, wherever somebody puts that cache.
                blocked_paths=[str(path.resolve()) for path in (settings.feedback_dir, settings.models_dir)],
                app_kwargs={
                    "routes": [  # here, as Gradio's own come after these
                        server.health(page, models, problem),
                        *languagetool_server.routes(
                            models, problem, settings.rate_limit, partial(server.in_turn, page, reading)
                        ),
                    ],
                    "middleware": [
                        Middleware(web.SecurityHeaders),
                        Middleware(web.Hosts, settings.host_names, settings.is_open),
                        Middleware(web.OneOrigin),
                        Middleware(web.RequestLimit),
                        Middleware(web.McpCallers),
                        Middleware(
                            web.Readers, reading, partial(server.is_known, page), partial(server.expect, page)
                        ),
                    ],
                    "exception_handlers": server.HANDLERS,
                    "lifespan": server.drop_unread(page, reading, calls),
                },
            )
    except OSError as error:
        raise UserError(strings.PORT_IN_USE.format(port=settings.port, other=settings.port + 1)) from error
    # uvicorn closes a connection that was idle for 5 seconds, which is when many a client and proxy uses it once more: its
    # request is then lost. They give one up after a minute at most. Gradio has no option for it.
    page.server.config.timeout_keep_alive = KEEP_ALIVE_SECONDS


def require_free(port: int) -> None:
    """UserError if nobody can listen on the port; asked before the models are read, which takes seconds."""
    from space.errors import UserError
    from space.page import strings

    with socket.socket() as listener:
        # As the server does: a connection that was closed a moment ago does not count.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except PermissionError as error:
            raise UserError(strings.PORT_FORBIDDEN.format(port=port)) from error
        except OSError as error:
            raise UserError(strings.PORT_IN_USE.format(port=port, other=port + 1)) from error


if __name__ == "__main__":
    sys.exit(main())

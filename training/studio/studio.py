"""Fine-tuning, comparison and release on a page, without writing code.

    python -m training studio
    python -m training studio FOLDER --port 7862

Opens http://127.0.0.1:7861. Every button runs a command of this repository as a process of its own, and shows it. What runs
goes on when the page is closed or the studio ends; started again on the same folder it finds everything as it is. Data, runs and
models are read from FOLDER and written to it; a release replaces the served file in MODELS_DIR, and feedback is read where it is kept.
"""

from __future__ import annotations

import argparse
import os
import secrets
from pathlib import Path
from typing import Any

from space.errors import UserError

USER = "studio"  # who signs in where a token is asked for
LOCAL = ("127.0.0.1", "localhost", "::1")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "folder", nargs="?", type=Path, default=Path("runs"), help="of data, runs and models (default: runs)"
    )
    parser.add_argument("--port", type=int, default=7861, help="(default: 7861)")
    parser.add_argument(
        "--host", default=LOCAL[0], help="address to listen on; others than this machine need the token"
    )
    parser.add_argument(
        "--token", help=f"password of the user {USER}; default: STUDIO_TOKEN, or one made up for --host"
    )


def run(args: argparse.Namespace) -> None:
    # Before gradio is imported: it reads this once.
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    from training.studio import page
    from training.studio.jobs import Queue
    from training.studio.workspace import Workspace

    token = args.token or os.environ.get("STUDIO_TOKEN", "")
    if not token and args.host not in LOCAL:
        token = secrets.token_urlsafe(16)
    workspace = Workspace(args.folder)
    queue = Queue(args.folder)
    queue.start()
    blocks = page.build(workspace, queue)
    try:
        _launch(blocks, args.host, args.port, token)
    except OSError as error:
        queue.close()
        raise UserError(
            f"Port {args.port} of {args.host} cannot be had: stop what uses it, or give another --port"
        ) from error
    print(f"The studio is on http://{args.host}:{args.port}, its folder is {args.folder}", flush=True)
    if token:
        print(f"Sign in as {USER} with the token: {token}", flush=True)
    try:
        blocks.block_thread()  # returns on Ctrl+C
    finally:
        queue.close()
    print("The studio has ended; what was running goes on.")


def _launch(blocks: Any, host: str, port: int, token: str) -> None:
    from starlette.middleware import Middleware

    from space import web
    from training.studio import page

    names = frozenset({*LOCAL, "[::1]", host.lower()})
    blocks.queue(api_open=False).launch(
        server_name=host,
        server_port=port,
        auth=(USER, token) if token else None,
        theme=page.THEME,
        css=page.CSS,
        footer_links=[],
        quiet=True,
        prevent_thread_lock=True,
        max_file_size=page.MAX_FILE_BYTES,
        app_kwargs={
            "middleware": [
                Middleware(web.SecurityHeaders),
                Middleware(web.Hosts, names, host not in LOCAL),
                Middleware(web.OneOrigin),
            ]
        },
    )

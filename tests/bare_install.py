"""How long a Space takes from a bare Python to its first answer: `python -m tests.bare_install`.

Installs what `python -m conversion deploy` would send as a Space's builder does (`pip install -r requirements.txt`, without make, CMAKE_ARGS or a
cache), with the wheel of `make wheel` from a server on this machine, and runs `python space/app.py`. Prints the seconds of each step as JSON;
`--compile` installs without the wheel.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory

from conversion import wheel
from conversion.deploy import ROOT, snapshot
from tests.browser.conftest import answers, free_port

DRAFT = "I has recieved it, thank you for you're help."
START_SECONDS = 300


def install(folder: Path, compiled: Path | None, url: str) -> Path:
    """The Python of a new environment with the requirements of `folder`."""
    requirements = folder / "requirements.txt"
    if compiled:
        requirements.write_text(wheel.requirements(requirements.read_text(), compiled, url))
    python = folder / ".venv" / "bin" / "python"
    hidden = ("CMAKE_ARGS", "CMAKE_BUILD_PARALLEL_LEVEL", "PYTHONPATH", "VIRTUAL_ENV")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    subprocess.run(["python3", "-m", "venv", folder / ".venv"], check=True)
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--no-cache-dir", "-r", requirements],
        env=environment, check=True,
    )  # fmt: skip
    return python


def first_answer(python: Path, folder: Path) -> str:
    """Starts the app and asks it."""
    port = free_port()
    environment = os.environ | {"PORT": str(port), "FEEDBACK_DIR": str(folder / "feedback")}
    process = subprocess.Popen(
        [python, "space/app.py"], cwd=folder, env=environment, stdout=subprocess.DEVNULL
    )
    try:
        url, end = f"http://127.0.0.1:{port}/", time.monotonic() + START_SECONDS
        while not answers(url):
            if process.poll() is not None or time.monotonic() > end:
                sys.exit(f"the app did not start (exit code {process.poll()})")
            time.sleep(0.1)
        ask = f"from gradio_client import Client; print(Client({url!r}, verbose=False).predict({DRAFT!r}, api_name='/proofread')['text'])"
        return subprocess.run([python, "-c", ask], check=True, capture_output=True, text=True).stdout.strip()
    finally:
        process.terminate()
        process.wait(20)


@contextmanager
def served(path: Path | None) -> Iterator[str]:
    """The address of a file on this machine."""
    if path is None:
        yield ""
        return
    handler = type("Quiet", (SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(path.parent))) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/{path.name}"
        server.shutdown()


def measure(compiled: Path | None) -> dict[str, float | str]:
    """Seconds to install, and from there to the answer to a first draft; and that answer."""
    with snapshot(ROOT) as (folder, files, _), TemporaryDirectory() as empty, served(compiled) as url:
        space = Path(empty)
        for name, path in files.items():
            (space / name).parent.mkdir(parents=True, exist_ok=True)
            (space / name).write_bytes(path.read_bytes())
        began = time.monotonic()
        python = install(space, compiled, url)
        installed = time.monotonic()
        text = first_answer(python, space)
        return {
            "install": round(installed - began, 1),
            "first answer": round(time.monotonic() - installed, 1),
            "text": text,
        }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--compile", action="store_true", help="without the wheel")
    args = parser.parse_args()
    print(json.dumps(measure(None if args.compile else wheel.find(ROOT))))

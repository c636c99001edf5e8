"""The real app as a process of its own, and headless Chromium to look at it."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect, sync_playwright

ROOT = Path(__file__).parents[2]
START_SECONDS = 60
WAIT_SECONDS = 30  # for anything the page should do; two busy cores are slow
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

# Loaded by Python before the app: notes every address outside this machine that the app turns to.
WATCH = """
import os, sys
def watch(event, arguments):
    if event == "socket.getaddrinfo":
        host = arguments[0]
    elif event == "socket.connect" and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    else:
        return
    host = host.decode() if isinstance(host, bytes) else host
    if host not in (None, "", "localhost", "0.0.0.0", "::", "::1") and not str(host).startswith("127."):
        with open(os.environ["WATCH_LOG"], "a") as log:
            print(host, file=log)
sys.addaudithook(watch)
"""


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@dataclass
class App:
    """One running app, and where it leaves things."""

    url: str
    port: int
    feedback: Path
    contacted: Path  # lists the hosts outside this machine that it turned to


@contextmanager
def running(folder: Path, **settings: str) -> Iterator[App]:
    """`python space/app.py`, as a Space runs it, on a free port and with its files in `folder`; ready to answer."""
    (folder / "sitecustomize.py").write_text(WATCH)
    contacted, log, port = folder / "contacted", folder / "stderr", free_port()
    contacted.touch()
    environment = os.environ | {
        "PORT": str(port),
        "FEEDBACK_DIR": str(folder / "feedback"),
        "GRADIO_TEMP_DIR": str(folder / "gradio"),
        "PYTHONPATH": str(folder),
        "WATCH_LOG": str(contacted),
    }
    with log.open("w") as stderr:
        process = subprocess.Popen(
            [sys.executable, "space/app.py"],
            cwd=ROOT,
            env=environment | settings,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
        )
    try:
        app = App(f"http://127.0.0.1:{port}/", port, folder / "feedback", contacted)
        end = time.monotonic() + START_SECONDS
        while not answers(app.url):
            if process.poll() is not None or time.monotonic() > end:
                pytest.fail(f"the app did not start (exit code {process.poll()}): {log.read_text()[-2000:]}")
            time.sleep(0.1)
        yield app
    finally:
        process.terminate()
        process.wait(20)


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except OSError:
        return False


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """The app with the shipped models, one for all tests."""
    with running(tmp_path_factory.mktemp("app")) as app:
        yield app


@pytest.fixture
def start_app(tmp_path: Path) -> Iterator[Callable[..., App]]:
    """Starts an app of the test's own, with settings of its own: start_app(MODELS_DIR=...)."""
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(running(tmp_path, **settings))


Profile = Callable[[bool], BrowserContext]


@pytest.fixture(scope="session")
def profile(chromium: str) -> Iterator[Profile]:
    """A browser profile, light or dark; tests share it, for its cache saves seconds on each page."""
    expect.set_options(timeout=WAIT_SECONDS * 1000)
    profiles: dict[bool, BrowserContext] = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)

        def get(dark: bool) -> BrowserContext:
            if dark not in profiles:
                profiles[dark] = browser.new_context(
                    color_scheme="dark" if dark else "light",
                    permissions=["clipboard-read", "clipboard-write"],
                )
                profiles[dark].set_default_timeout(WAIT_SECONDS * 1000)
            return profiles[dark]

        yield get
        browser.close()


@pytest.fixture
def open_page(profile: Profile) -> Iterator[Callable[..., Page]]:
    """Opens the app; afterwards no script of the page may have failed, nor may the browser have refused it anything."""
    faults: list[str] = []
    pages: list[Page] = []

    def open_(app: App, width: int = 1440, height: int = 1000, dark: bool = False) -> Page:
        page = profile(dark).new_page()
        pages.append(page)
        page.set_viewport_size({"width": width, "height": height})
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda said: faults.append(said.text) if "Content Security" in said.text else None)
        page.goto(app.url)
        page.wait_for_selector("#draft textarea")
        return page

    yield open_
    for page in pages:
        if not page.is_closed():
            page.evaluate("localStorage.clear()")  # a failed test's settings are not the next one's
            page.close()
    assert not faults


@pytest.fixture
def page(app: App, open_page: Callable[..., Page]) -> Page:
    return open_page(app)


@pytest.fixture
def models_without(tmp_path: Path) -> Callable[[str], Path]:
    """A copy of the models folder in which the named file is missing."""

    def copy(name: str) -> Path:
        folder = tmp_path / "models"
        shutil.copytree(ROOT / "space" / "models", folder)
        (folder / name).unlink()
        return folder

    return copy

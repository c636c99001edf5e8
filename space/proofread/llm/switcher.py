"""The models that are offered. The last two that were used stay in memory, if they fit there beside each other.

models = ModelSwitcher(load_proofreader(settings), settings)
with models.use("owner/name") as proofreader:
    proofreader.proofread("I has it.")
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from space import __version__
from space.errors import UserError
from space.proofread.llm.engine import Engine
from space.proofread.llm.hub import ModelFile
from space.proofread.llm.memory import NotEnoughMemory
from space.proofread.llm.models import available, locate, open_engine, open_file
from space.proofread.pipeline import Proofreader
from space.proofread.prompt import PROMPT_VERSION
from space.settings import Settings

_REPORT_EVERY = 0.5  # seconds, while a model is downloaded
MAX_OPEN = 2  # models in memory: a page and a program that use two by turns would reload one at every call


class ModelSwitcher:
    """Has a proofreader for each model; runs share it, and while one lasts its model stays open."""

    def __init__(self, proofreader: Proofreader, settings: Settings, model: str = "", note: str = "") -> None:
        """`model` is what is in the proofreader if it is not that of the settings, and `note` says why."""
        self._proofreader, self._settings = proofreader, settings
        self.default = self.loaded = model or settings.model  # `loaded` is empty while there is no model
        self.problem = ""  # why there is none
        self._note = note
        listed = available(settings.models_dir, settings.models)
        own = Path(settings.model)  # a file of the list may be set by its path
        in_folder = own.suffix == ".gguf" and own.parent.resolve() == settings.models_dir.resolve()
        same = (settings.model, own.stem if in_folder else None)
        self.names = [settings.model, *(name for name in listed if name not in same)]
        self._changed = threading.Condition(threading.RLock())  # of what is open, and of who uses it
        self._open = {self.loaded: _Open(proofreader)}  # the one used last at the end
        self._files: dict[str, ModelFile] = {}  # found since the start: the Hub is asked for each once

    @property
    def proofreader(self) -> Proofreader:
        """As it is now, to ask what it knows; who runs it takes it from `switch`."""
        return self._proofreader

    @property
    def server(self) -> str:
        """The name of the server that rewrites; empty if this machine does."""
        return self._settings.server.name if self._settings.server else ""

    @property
    def note(self) -> str:
        """What is to be said of the model that is loaded."""
        return self.note_of(self._proofreader)

    def note_of(self, proofreader: Proofreader) -> str:
        """What is to be said of its model: that it stands in for another, or is not the newest."""
        default, file = self._open.get(self.default), _file(proofreader.engine)
        stands_in = default and default.proofreader is proofreader and self.default != self._settings.model
        return (self._note if stands_in else "") or (file.note if file else "")

    @property
    def stands_in(self) -> str:
        """Why the model that is loaded is not the one of the settings, if that could not be had at the start."""
        return self._note if self.loaded == self.default != self._settings.model else ""

    @property
    def revision(self) -> str:
        """The commit of the Hub that the model is from; empty for others."""
        file = _file(self._proofreader.engine)
        return file.revision if file else ""

    def versions(self, proofreader: Proofreader | None = None) -> dict[str, str]:
        """What makes a rewrite, as a feedback record names it: with that proofreader, or at this moment.

        Of a server only the name is known.
        """
        engine = (proofreader or self._proofreader).engine
        held = next((each for each in self._open.copy().values() if each.proofreader.engine is engine), None)
        file = _file(engine)
        known = {"gguf_sha256": held.digest if held else "", "revision": file.revision if file else ""}
        versions = {"app": __version__, "model": engine.name, "prompt": PROMPT_VERSION}
        return versions | {name: value for name, value in known.items() if value}

    def out_of_time(self) -> Callable[[], bool]:
        """Says True once a run that begins now has had the time that one may take."""
        began = time.monotonic()
        return lambda: time.monotonic() - began > self._settings.max_seconds

    def fetch(
        self, name: str, stop: Callable[[], bool] = lambda: False
    ) -> Generator[tuple[int, int], None, None]:
        """Downloads the model if it is not here: yields the bytes received, and of how many, twice a second.

        UserError if it cannot be had, or once `stop` says True; closing the iterator stops it too. What has been
        received by then is kept for the next time.
        """
        if name in ("", self.server) or name in self._open or name in self._files:
            return
        received, closed = (0, 0), False

        def report(now: int, total: int) -> None:
            nonlocal received
            received = now, total
            if closed or stop():
                raise UserError(f"{name}: the download was stopped; what has come is kept.")

        with ThreadPoolExecutor(1) as pool:
            task = pool.submit(locate, name, self._settings.models_dir, report)
            try:
                while wait([task], _REPORT_EVERY).not_done:
                    if received[1]:
                        yield received
            finally:
                closed = True
            self._files[name] = task.result()

    @contextmanager
    def use(self, name: str = "") -> Iterator[Proofreader]:
        """`switch` for a run: until it ends its model stays open, whatever others switch to."""
        for _ in self.fetch(name):  # a download takes minutes: others go on meanwhile
            pass
        with self._changed:
            proofreader = self.switch(name)
            held = self._open[self.loaded]
            held.users += 1
        try:
            yield proofreader
        finally:
            with self._changed:
                held.users -= 1
                self._changed.notify_all()

    def switch(self, name: str = "") -> Proofreader:
        """The proofreader with this model in it; without a name the one that is loaded.

        UserError if it cannot be loaded: then the one before is still there, or if that had to make room, the default. If
        that fails too, `problem` says why, and the next switch tries again.
        """
        with self._changed:
            name = name or self.loaded or self.default
            if name != self.loaded:
                for _ in self.fetch(name):
                    pass
                try:
                    self._load(name)
                except BaseException as error:
                    if not self.loaded:
                        self._load_default(error)
                    raise
            return self._proofreader

    def _load_default(self, before: BaseException) -> None:
        """After `before`, which is what the user is told; what goes wrong here is a problem of its own."""
        try:
            self._load(self.default)
        except Exception as error:  # noqa: BLE001  whatever it is, there is no model
            lines = dict.fromkeys(map(_line, (before, error)))
            self.problem = " ".join(lines)

    def _load(self, name: str) -> None:
        held = self._open.get(name)
        if held and not held.users and held.is_outdated():
            self._close(name)
        try:
            self._make_place(name)
            held = self._open.pop(name, None) or _Open(self._made(name))
        except BaseException as error:
            self._files.pop(name, None)
            if not self.loaded:
                self.problem = _line(error)
            raise
        self._open[name], self._proofreader = held, held.proofreader
        self.loaded, self.problem = name, ""

    def _make_place(self, name: str) -> None:
        """Waits until there is a place for the model, or somebody else has loaded it."""
        self._changed.wait_for(lambda: name in self._open or len(self._open) < MAX_OPEN or self._idle())
        while name not in self._open and len(self._open) >= MAX_OPEN:
            self._close(self._idle()[0])

    def _idle(self) -> list[str]:
        """The models that nobody uses, the one used longest ago first."""
        return [name for name, held in self._open.items() if not held.users]

    def _made(self, name: str) -> Proofreader:
        """With a model that is not in memory; the others leave it if there is no room for both, but for nothing else."""
        s = self._settings
        while True:
            try:
                if name in self._files:
                    engine: Engine = open_file(self._files[name], s.n_ctx, s.n_threads)
                else:
                    engine = open_engine(name, s.models_dir, s.n_ctx, s.n_threads, s.server)
                return self._proofreader.with_engine(engine)
            except NotEnoughMemory as error:
                freed = sum(held.needed_bytes for held in self._open.values())
                if not self._open or error.needed > error.free + freed:
                    raise
                self._changed.wait_for(self._idle)
                self._close(self._idle()[0])

    def _close(self, name: str) -> None:
        self._open.pop(name).proofreader.engine.close()
        if name == self.loaded:
            self.loaded = ""


class _Open:
    """A model in memory, with what is known of its file as it was when it was read; a server has none."""

    def __init__(self, proofreader: Proofreader) -> None:
        self.proofreader, self._file = proofreader, _file(proofreader.engine)
        self.needed_bytes = getattr(proofreader.engine, "needed_bytes", 0)
        self.users = 0  # runs that go on
        self._stamp = _stamp(self._file.path) if self._file else None
        self.digest = file_digest(self._file.path, *self._stamp) if self._file and self._stamp else ""

    def is_outdated(self) -> bool:
        """Whether another file stands in its place by now; if there is none, what is in memory is as good as ever."""
        now = _stamp(self._file.path) if self._file else None
        return now is not None and now != self._stamp


def _line(error: BaseException) -> str:
    if isinstance(error, UserError):
        return str(error)
    return f"The model could not be loaded ({type(error).__name__})."


def _file(engine: Engine) -> ModelFile | None:
    """Where the engine's model came from; None for a server."""
    return getattr(engine, "file", None)


def _stamp(path: Path) -> tuple[int, int] | None:
    """Size and time of a file; None if it is not there."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


@lru_cache(maxsize=32)  # to read a file of 2 GB takes seconds, at every switch
def file_digest(path: Path, size: int, mtime_ns: int) -> str:
    """SHA-256 of a file, hex; read once while its size and time stay the same."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()

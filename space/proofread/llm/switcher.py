"""The models that are offered, one of which is loaded at a time.

models = ModelSwitcher(load_proofreader(settings), settings)
models.switch("owner/name").proofread("I has it.")
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor, wait
from functools import lru_cache
from pathlib import Path

from space import __version__
from space.errors import UserError
from space.proofread.llm.engine import Engine
from space.proofread.llm.models import available, locate, open_engine
from space.proofread.pipeline import Proofreader
from space.proofread.prompt import PROMPT_VERSION
from space.settings import Settings

_REPORT_EVERY = 0.5  # seconds, while a model is downloaded


class ModelSwitcher:
    """Unloads one model and loads another; only one run at a time may use it."""

    def __init__(self, proofreader: Proofreader, settings: Settings) -> None:
        self._proofreader, self._settings = proofreader, settings
        self.default = self.loaded = settings.model  # `loaded` is empty while there is no model
        self.problem = ""  # why there is none
        listed = available(settings.models_dir, settings.models)
        own = Path(settings.model)  # a file of the list may be set by its path
        in_folder = own.suffix == ".gguf" and own.parent.resolve() == settings.models_dir.resolve()
        same = (settings.model, own.stem if in_folder else None)
        self.names = [settings.model, *(name for name in listed if name not in same)]
        self._digest = _digest(proofreader.engine)

    @property
    def server(self) -> str:
        """The name of the server that rewrites; empty if this machine does."""
        return self._settings.server.name if self._settings.server else ""

    def versions(self) -> dict[str, str]:
        """What makes a rewrite at this moment, as a feedback record names it; of a server only the name is known."""
        known = {"gguf_sha256": self._digest} if self._digest else {}
        return {"app": __version__, "model": self._proofreader.engine.name, "prompt": PROMPT_VERSION, **known}

    def fetch(
        self, name: str, stop: Callable[[], bool] = lambda: False
    ) -> Generator[tuple[int, int], None, None]:
        """Downloads the model if it is not here: yields the bytes received, and of how many, twice a second.

        UserError if it cannot be had, or once `stop` says True; closing the iterator stops it too. What has been
        received by then is kept for the next time.
        """
        if name in ("", self.loaded, self.server):
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
            task.result()

    def switch(self, name: str = "") -> Proofreader:
        """The proofreader with this model in it; without a name the one that is loaded.

        UserError if it cannot be loaded: then the default is again. If that fails too, `problem` says why, and the next
        switch tries again.
        """
        name = name or self.loaded or self.default
        if name != self.loaded:
            for _ in self.fetch(name):  # a download takes minutes: the old model serves until then
                pass
            self._proofreader.engine.close()  # first, for two large models do not fit beside each other
            try:
                self._load(name)
            except BaseException:
                self._load(self.default)
                raise
        return self._proofreader

    def _load(self, name: str) -> None:
        s, self.loaded = self._settings, ""
        try:
            engine = open_engine(name, s.models_dir, s.n_ctx, s.n_threads, s.server)
            digest = _digest(engine)
        except BaseException as error:
            unexpected = f"{name}: the model could not be loaded ({type(error).__name__})."
            self.problem = str(error) if isinstance(error, UserError) else unexpected
            raise
        self._proofreader.engine, self._digest = engine, digest
        self.loaded, self.problem = name, ""


def _digest(engine: Engine) -> str:
    """SHA-256 of the engine's file, hex; empty for a server."""
    path = getattr(engine, "path", None)
    if path is None:
        return ""
    status = path.stat()
    return file_digest(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=32)  # to read a file of 2 GB takes seconds, at every switch
def file_digest(path: Path, size: int, mtime_ns: int) -> str:
    """SHA-256 of a file, hex; read once while its size and time stay the same."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()

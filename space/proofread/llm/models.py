"""The models that a page offers, one of which is loaded at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

from space import __version__
from space.errors import UserError
from space.proofread.llm.engine import Engine, available, locate, open_engine
from space.proofread.pipeline import Proofreader
from space.proofread.prompt import PROMPT_VERSION
from space.settings import Settings

_TOLD_EVERY = 0.5  # seconds


class Shelf:
    """Takes one model down for another; only one run at a time may use it."""

    def __init__(self, proofreader: Proofreader, settings: Settings) -> None:
        self._proofreader, self._settings = proofreader, settings
        self.default = self.loaded = settings.model
        listed = available(settings.models_dir, settings.models)
        own = Path(settings.model)  # a file of the list may be set by its path
        same = (
            own.stem
            if own.suffix == ".gguf" and own.parent.resolve() == settings.models_dir.resolve()
            else None
        )
        self.names = [settings.model, *(name for name in listed if name not in (settings.model, same))]
        self._digest = _sha256(proofreader.engine)

    @property
    def server(self) -> str:
        """The name of the server that rewrites; empty if this machine does."""
        return self._settings.server.name if self._settings.server else ""

    def versions(self) -> dict[str, str]:
        """What makes a rewrite at this moment, as a feedback record names it; of a server only the name is known."""
        known = {"gguf_sha256": self._digest} if self._digest else {}
        return {"app": __version__, "model": self._proofreader.engine.name, "prompt": PROMPT_VERSION, **known}

    def fetch(self, name: str, stop: Callable[[], bool]) -> Iterator[tuple[int, int]]:
        """Downloads the model if it is not here: yields the bytes that have come, and of how many, twice a second.

        UserError if it cannot be had, or once `stop` says True; what has come by then is kept for the next time.
        """
        if name in (self.loaded, self.server):
            return
        came = (0, 0)

        def told(now: int, of: int) -> None:
            nonlocal came
            came = now, of
            if stop():
                raise UserError(f"{name}: the download was stopped; what has come is kept.")

        with ThreadPoolExecutor(1) as pool:
            task = pool.submit(locate, name, self._settings.models_dir, told)
            while wait([task], _TOLD_EVERY).not_done:
                if came[1]:
                    yield came
            task.result()

    def take(self, name: str) -> Proofreader:
        """The proofreader with this model in it. UserError if it cannot be loaded: then the default is again."""
        if name != self.loaded:
            for _ in self.fetch(
                name, lambda: False
            ):  # a download takes minutes: the old model serves until then
                pass
            self.loaded = ""
            self._proofreader.engine.close()  # first, for two large models do not fit beside each other
            try:
                self._load(name)
            except BaseException:
                self._load(self.default)
                raise
        return self._proofreader

    def _load(self, name: str) -> None:
        s = self._settings
        engine = open_engine(name, s.models_dir, s.n_ctx, s.n_threads, s.server)
        self._proofreader.engine, self._digest, self.loaded = engine, _sha256(engine), name


def _sha256(engine: Engine) -> str:
    """Of the engine's file, hex; empty for a server."""
    path = getattr(engine, "path", None)
    if path is None:
        return ""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()

"""The models that a page offers, one of which is loaded at a time."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

from space import __version__
from space.engine import Engine, available, open_engine
from space.prompt import PROMPT_VERSION
from space.proofreader import Proofreader
from space.settings import Settings


class Shelf:
    """Takes one model down for another; only one run at a time may use it."""

    def __init__(self, proofreader: Proofreader, settings: Settings) -> None:
        self._proofreader, self._settings = proofreader, settings
        self.default = self.loaded = settings.model
        self.names = [*dict.fromkeys([settings.model, *available(settings.models_dir, settings.models)])]

    @property
    def modes(self) -> tuple[str, ...]:
        return self._proofreader.engine.modes

    def versions(self) -> dict[str, str]:
        """What makes a rewrite at this moment, as a feedback record names it; of a server only the name is known."""
        path = getattr(self._proofreader.engine, "path", None)
        known = {"gguf_sha256": _sha256(path, path.stat().st_mtime_ns)} if path else {}
        return {"app": __version__, "model": self.loaded, "prompt": PROMPT_VERSION, **known}

    def take(self, name: str) -> Proofreader:
        """The proofreader with this model in it. UserError if it cannot be loaded: then the default is again."""
        if name != self.loaded:
            self._proofreader.engine.close()  # first, for two large models do not fit beside each other
            try:
                self._swap(name)
            except BaseException:
                self._swap(self.default)
                raise
        return self._proofreader

    def _swap(self, name: str) -> None:
        self._proofreader.engine = self._open(name)
        self.loaded = name

    def _open(self, name: str) -> Engine:
        s = self._settings
        return open_engine(name, s.models_dir, s.n_ctx, s.n_threads, s.server)


@lru_cache(maxsize=8)
def _sha256(path: Path, modified: int) -> str:
    """Of the file as it was at `modified`."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()

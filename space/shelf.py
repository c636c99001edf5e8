"""The models that a page offers, one of which is loaded at a time."""

from __future__ import annotations

from space.engine import Engine, available, open_engine
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

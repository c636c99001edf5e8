"""One of the contexts in which a model writes, with those beside it for reading and for other wordings.

They are opened when they are first needed, and take turns: a lane has some cores of its own, which two of them would share. Lanes
of one model share its weights, and nothing of what one does hangs on another.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from space.proofread.llm.decoder import Decoder, Writing
from space.proofread.llm.loading import silence
from space.proofread.llm.reading import MAX_VERSIONS, Reader

POLISH_CTX = 512  # tokens of a sentence in other words, its prompt included


class Lane:
    """Safe to share between threads; what they ask for is done together, or one after the other."""

    def __init__(
        self, llama: Any, n_ctx: int, n_threads: int, for_reading: Path | None, for_polish: Path | None
    ) -> None:
        """`for_reading` and `for_polish` are adapters. UserError if memory is short."""
        self._llama, self._n_threads = llama, n_threads
        self._for_reading, self._for_polish = for_reading, for_polish
        with silence():
            self.decoder = Decoder(llama, n_ctx, n_threads)
        self._reader: Reader | None = None
        self._polisher: Decoder | None = None
        self.users = 0

    def write(self, writing: Writing) -> None:
        """Returns when the answer has been written."""
        self.decoder.write(writing)

    def reword(self, writing: Writing) -> None:
        """The same with the adapter for other wordings."""
        self.decoder.alone(partial(self._reword, writing))

    def gains(self, versions: Sequence[Sequence[int]]) -> list[float]:
        """See Reader: of the versions behind the first, which is the text."""
        return self.decoder.alone(partial(self._gains, versions))

    def _reword(self, writing: Writing) -> None:
        if not self._polisher:
            with silence():
                self._polisher = Decoder(self._llama, POLISH_CTX, self._n_threads, self._for_polish)
        self._polisher.write(writing)

    def _gains(self, versions: Sequence[Sequence[int]]) -> list[float]:
        if not self._reader:
            with silence():
                self._reader = Reader(self._llama.model, self._n_threads, self._for_reading)
        text, *others = versions
        parts = (others[at : at + MAX_VERSIONS] for at in range(0, len(others), MAX_VERSIONS))
        return [gain for part in parts for gain in self._reader.gains(text, part)]

    def close(self) -> None:
        for each in (self._reader, self._polisher, self.decoder):
            if each:
                each.close()

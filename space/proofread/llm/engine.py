"""What the proofreader needs of a language model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from space.proofread.prompt import Message


@dataclass(frozen=True)
class Sampling:
    """How tokens are chosen, under llama.cpp's names; the default is greedy: the same draft gives the same result.

    `max_tokens` is of one answer; None: twice what its text has, and 32.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    repeat_penalty: float = 1.0
    max_tokens: int | None = None
    seed: int = 0


class Engine(Protocol):
    """What the proofreader needs of a model."""

    name: str
    unit: str  # "sentence" or "email": what it was trained to be given at a time
    modes: tuple[str, ...]
    general: bool  # an instruct model that was not made here

    def complete(
        self,
        chat: Sequence[Message],
        sampling: Sampling,
        stop: Callable[[], bool],
        expected: Sequence[tuple[str, float]] = (),
    ) -> str | None:
        """The answer to the last message; None if it does not fit, ran on without an end, or `stop` said so.

        `expected` is the likely answer in pieces, each with what its tokens gain in logits while the answer follows it.
        """

    def close(self) -> None:
        """Frees what the model holds; after that `complete` raises UserError."""

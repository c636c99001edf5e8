"""What the proofreader needs of a language model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from space.proofread.edits import Edit
from space.proofread.judge import Odds
from space.proofread.prompt import Message


@dataclass(frozen=True)
class Sampling:
    """How tokens are chosen, under llama.cpp's names; the default is greedy: the same draft gives the same result.

    `min_tokens` and `max_tokens` are of one answer; None: twice what its text has, and 32.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    repeat_penalty: float = 1.0
    min_tokens: int = 0
    max_tokens: int | None = None
    seed: int = 0


@dataclass(frozen=True)
class Expected:
    """What an answer is expected to be: the text, with edits that the model is asked about when the answer comes to them.

    `choose` is given an edit and the model's odds for it, and returns it judged; of those that it returns as applied the likeliest
    is made. `gain` is what the text gains in logits: a change of the model's own must be worth more than that. Within `copied`,
    (start, end) of the text, it makes none.
    """

    text: str
    edits: Sequence[Edit]
    choose: Callable[[Edit, Odds], Edit]
    gain: float
    copied: Sequence[tuple[int, int]] = ()


@dataclass(frozen=True)
class Answer:
    """What a model wrote, the expected edits as they were judged, and where in the text it went its own way.

    `own` has the character where each change of its own begins, and its odds.
    """

    text: str
    judged: tuple[Edit, ...] = ()
    own: tuple[tuple[int, Odds], ...] = ()

    def odds_of(self, edit: Edit) -> Odds | None:
        """Those of an edit of the model's own; None if it is none."""
        return next((odds for at, odds in self.own if edit.start - 1 <= at <= edit.end), None)


@dataclass(frozen=True)
class Phrase:
    """A sentence in other words, and the mean probability (geometric) that the model gave its tokens."""

    text: str
    likely: float


class Engine(Protocol):
    """What the proofreader needs of a model."""

    name: str
    unit: str  # "sentence" or "email": what it was trained to be given at a time
    modes: tuple[str, ...]
    general: bool  # an instruct model that was not made here
    lanes: int  # answers that are written at once, none of which keeps another waiting

    def complete(
        self,
        chat: Sequence[Message],
        sampling: Sampling,
        stop: Callable[[], bool],
        expected: Expected | str | None = None,
    ) -> Answer | None:
        """The answer to the last message; None if it does not fit, ran on without an end, or `stop` said so.

        A text that is expected changes nothing but the time that it takes to write the same.
        """

    def rephrased(self, chat: Sequence[Message], count: int, stop: Callable[[], bool]) -> list[Phrase]:
        """Up to `count` wordings of the last message that begin differently; none by a model that was not trained to."""

    def gains(self, text: str, edits: Sequence[Edit]) -> list[float] | None:
        """How much likelier each of the edits makes the text, in nats; None if this model cannot tell."""

    def close(self) -> None:
        """Frees what the model holds; after that `complete` raises UserError."""

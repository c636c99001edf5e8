"""Work that is no call of Gradio's and yet waits in its queue for the model.

The queue knows such work by an id; what it is to do and what came of it stay in this process.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

NAME = "turn"  # of the queue's event
# A token of a client's bucket is an email, and an email may be of 2,000 words, but is of 200; so many words a minute are what two
# cores read in one. A check of a few words is a tenth of an email.
WORDS_A_TOKEN, LEAST_TOKENS = 200, 0.1


@dataclass
class Turn:
    """`work` is called with what says that nobody waits for it any more; `result` has what it returned or raised."""

    work: Callable[[Callable[[], bool]], Any]
    words: int
    is_over: bool = False
    result: Future[Any] = field(default_factory=Future)


class Turns:
    """The turns that wait or are taken, by their ids; safe to share between threads."""

    def __init__(self) -> None:
        self._turns: dict[str, Turn] = {}

    def add(self, turn: Turn) -> str:
        id_ = secrets.token_hex(16)  # whoever can join the queue can send one
        self._turns[id_] = turn
        return id_

    def drop(self, id_: str) -> None:
        """Nobody waits for it any more: it does not begin, or it ends soon."""
        if turn := self._turns.pop(id_, None):
            turn.is_over = True

    def tokens(self, id_: object) -> float:
        """What it costs its client."""
        turn = self._turns.get(id_) if isinstance(id_, str) else None
        return max(LEAST_TOKENS, turn.words / WORDS_A_TOKEN) if turn else 1.0

    def take(self, id_: str) -> None:
        """Does the work; the queue calls this."""
        turn = self._turns.get(id_)
        if turn is None or not turn.result.set_running_or_notify_cancel():
            return
        try:
            turn.result.set_result(turn.work(lambda: turn.is_over))
        except BaseException as error:  # noqa: BLE001  whoever waits for it is told
            turn.result.set_exception(error)


TURNS = Turns()  # of this process

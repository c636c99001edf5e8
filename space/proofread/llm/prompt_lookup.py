"""What an answer that mostly copies a text is expected to go on with: prompt lookup decoding, by place rather than by n-grams.

llama.cpp checks what is drafted in one batch, and the answer is that of the model alone, token by token. How much is drafted
follows from how much was right.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

_MAX_DRAFT = 32  # tokens; more in a batch are not read faster
_MIN_DRAFT = 4
_WINDOW = 32  # tokens behind a change in which the text is found again
_DROPPED = 4  # tokens that one alone may leave out; further on it takes two that follow one another
_MAX_LOST = 4  # tokens in which nothing was found; then nothing is drafted until something is


class PromptLookup:
    """Follows an answer along the tokens of a text."""

    judged = own = ()  # as a `Guide` has them: nobody is asked about anything

    def __init__(self, tokens: Sequence[int]) -> None:
        self._tokens = tokens
        self._sure = 0  # the first token of the text that the answer has not come to
        self._next = 0  # where it is taken to go on; a guess as long as it is somewhere else
        self._strange: list[int] = []  # the tokens of the answer since then
        self._length = _MAX_DRAFT
        self._drafted = 0  # of the last draft, those that are still to be confirmed

    def __call__(self, _: Any, logits: Any) -> Any:
        return logits

    def ahead(self) -> list[int]:
        """The next tokens, if it is known or guessed where in the text the answer is."""
        lost = len(self._strange) > _MAX_LOST and self._next == self._sure + len(self._strange)
        length = 0 if lost else _MIN_DRAFT if self._strange else self._length
        drafted = list(self._tokens[self._next : self._next + length])
        self._drafted = len(drafted)
        return drafted

    def follow(self, token: int, _: bytes) -> None:
        if self._next < len(self._tokens) and token == self._tokens[self._next]:
            self._next += 1
            self._sure, self._strange = self._next, []
            self._drafted -= 1
            if self._drafted == 0:
                self._length = min(_MAX_DRAFT, 2 * self._length)
            return
        if self._drafted > 0 and not self._strange:  # the next change may be as far away as this one was
            right = self._length - self._drafted
            self._length = max(_MIN_DRAFT, min(self._length, 3 * right // 2))
        self._drafted = 0
        self._strange.append(token)
        self._next = self._guess()

    def _guess(self) -> int:
        """Behind the last two tokens, or the last one a few tokens on; else it is one token for another."""
        window = self._tokens[self._sure : self._sure + _WINDOW]
        pair = tuple(self._strange[-2:])
        for at, two in enumerate(itertools.pairwise(window)):
            if two == pair:
                return self._sure + at + 2
        if pair[-1] in window[:_DROPPED]:
            return self._sure + list(window).index(pair[-1]) + 1
        return self._sure + len(self._strange)

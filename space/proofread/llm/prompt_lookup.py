"""What an answer that mostly copies a text is expected to go on with: prompt lookup decoding, by place rather than by n-grams.

llama.cpp checks what is drafted in one batch, and the answer is that of the model alone, token by token. How much is drafted
follows from how much was right.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_MAX_DRAFT = 32  # tokens; more in a batch are not read faster
_MIN_DRAFT = 4
_WINDOW = 24  # tokens behind a change in which the text is found again
_MAX_LOST = 3  # tokens without a match; then nothing is drafted until one is found


class PromptLookup:
    """Follows an answer along the tokens of a text."""

    judged = own = ()  # as a `Guide` has them: nobody is asked about anything

    def __init__(self, tokens: Sequence[int]) -> None:
        self._tokens = tokens
        self._found = 0  # the first token of the text that the answer has not come to
        self._lost = 0  # tokens of the answer since then that are none of the text
        self._length = _MAX_DRAFT
        self._drafted = 0  # of the last draft, those that are still to be confirmed

    def __call__(self, _: Any, logits: Any) -> Any:
        return logits

    def ahead(self) -> list[int]:
        """The next tokens, if the answer is in the text; behind a change it is taken to be one of as many tokens."""
        if self._lost > _MAX_LOST:
            return []
        at = self._found + self._lost
        drafted = list(self._tokens[at : at + self._length])
        self._drafted = len(drafted)
        return drafted

    def follow(self, token: int, _: bytes) -> None:
        at = self._found + self._lost
        if at < len(self._tokens) and token == self._tokens[at]:
            self._found, self._lost = at + 1, 0
            self._drafted -= 1
            if self._drafted == 0:
                self._length = min(_MAX_DRAFT, 2 * self._length)
            return
        if self._drafted > 0:
            self._length = max(_MIN_DRAFT, self._length // 2)
        self._drafted = 0
        window = list(self._tokens[self._found : self._found + _WINDOW])
        if token in window:
            self._found, self._lost = self._found + window.index(token) + 1, 0
        else:
            self._lost += 1

"""Holds a model to the text that it corrects: the expected answer is made likelier, and checked ahead in batches."""

from __future__ import annotations

from typing import Any

_FIND_AGAIN = 6  # tokens; more words than that are rarely dropped on purpose
_DRAFT = 16  # expected tokens that are checked at once


class Guide:
    """Makes the next token of the expected answer likelier than the model finds it: a change must be worth more than that.

    It follows the answer along the expected one: a token that is the next one, capitals aside, moves on; any other begins a
    change, which ends at the first token that is found again among the next few.
    """

    def __init__(self, tokens: list[int], gains: list[float], pieces: list[bytes]) -> None:
        self._tokens, self._gains = tokens, gains
        self._pieces = [piece.lower() for piece in pieces]
        self._next = 0
        self._in_change = False

    def __call__(self, _: Any, logits: Any) -> Any:
        if not self._in_change and self._next < len(self._tokens):
            logits[self._tokens[self._next]] += self._gains[self._next]
        return logits

    def ahead(self) -> list[int]:
        """The next expected tokens; none while the answer is somewhere else."""
        return [] if self._in_change else self._tokens[self._next : self._next + _DRAFT]

    def follow(self, piece: bytes) -> None:
        """Takes note of the token that was chosen, as text."""
        ahead = self._pieces[self._next : self._next + _FIND_AGAIN]
        self._in_change = piece.lower() not in ahead
        if not self._in_change:
            self._next += ahead.index(piece.lower()) + 1

"""Holds a model to the text that it corrects, and asks it about the edits that others propose.

The answer is expected to be the text. Where a proposed edit begins, the model has read the sentence and written what comes
before: its odds for the edit are in the logits of the next token, at no further cost. An edit that is judged good is then
written; everywhere else the next token of the text is made likelier, and checked ahead in batches.
"""

from __future__ import annotations

import itertools
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from space.proofread.edits import Edit, apply
from space.proofread.judge import Odds
from space.proofread.llm.engine import Expected

_FIND_AGAIN = 6  # tokens; more words than that are rarely dropped on purpose
_DRAFT = 32  # expected tokens that are checked at once
_CERTAIN = 1e4  # logits that a chosen token gains
_LIKELY = 0.5  # the prior of an edit that is drafted


@dataclass(frozen=True)
class _Turn:
    """An edit in tokens: `tokens` take the place of those of the text up to `end`; `first` is the first that differs."""

    edit: Edit
    first: int
    tokens: tuple[int, ...]
    end: int


class Guide:
    """Follows the answer token by token along the text: a token that is the next one, capitals aside, moves on.

    Any other begins a change of the model's own, which ends at the first token that is found again among the next few.
    """

    def __init__(
        self,
        expected: Expected,
        tokenize: Callable[[str], Sequence[int]],
        piece: Callable[[int], bytes],
        end_token: int,
    ) -> None:
        self._choose, self._gain = expected.choose, expected.gain
        self._tokens = [*tokenize(expected.text), end_token]
        pieces = [piece(token) for token in self._tokens[:-1]]
        self._pieces = [each.lower() for each in pieces]
        ends = list(itertools.accumulate(map(len, pieces)))
        # A token begins where the one before ends; characters of several bytes may be cut.
        encoded = expected.text.encode()
        self._starts = [len(encoded[:at].decode("utf-8", errors="ignore")) for at in (0, *ends)]
        # The blank before as well: with another token in its place the model would be past the first of them.
        copied = {at for start, end in expected.copied for at in range(start - 1, end)}
        self._copied = [not copied.isdisjoint(range(*token)) for token in itertools.pairwise(self._starts)]
        self._turns: dict[int, list[_Turn]] = defaultdict(list)
        for edit in expected.edits:
            changed = [*tokenize(apply(expected.text, [edit])), end_token]
            if changed != self._tokens:
                begin, turn = self._turn(edit, changed)
                self._turns[begin].append(turn)
        self._next = 0
        self._in_change = False
        self._queue: deque[int] = deque()
        self._after_queue = 0
        self._odds = Odds(0.0, 0.0)  # of the likeliest token against the next one of the text
        self._made: list[Edit] = []
        self.judged: list[Edit] = []
        self.own: list[tuple[int, Odds]] = []

    def _turn(self, edit: Edit, changed: Sequence[int]) -> tuple[int, _Turn]:
        text = self._tokens
        least = min(len(text), len(changed))
        head = next((i for i in range(least) if text[i] != changed[i]), least - 1)
        tail = next((i for i in range(least - head) if text[-1 - i] != changed[-1 - i]), least - head)
        tokens = tuple(changed[head : len(changed) - tail])
        return head, _Turn(edit, changed[head], tokens, len(text) - tail)

    def __call__(self, _: Any, logits: Any) -> Any:
        if self._queue:
            logits[self._queue[0]] += _CERTAIN
        elif not self._in_change and self._next < len(self._tokens):
            made = self._take_turns(logits)
            token = self._queue[0] if self._queue else self._tokens[self._next]
            if not made:
                self._odds = _odds(logits, int(logits.argmax()), token)
            certain = made or self._is_copied() or self._is_awaited()
            logits[token] += _CERTAIN if certain else self._gain
        return logits

    def _take_turns(self, logits: Any) -> bool:
        """Judges the edits that begin here; whether one is made."""
        made = False
        while turns := self._turns.pop(self._next, None):
            token = self._tokens[self._next]
            free = [turn for turn in turns if not any(turn.edit.overlaps(edit) for edit in self._made)]
            judged = [(self._choose(turn.edit, _odds(logits, turn.first, token)), turn) for turn in free]
            self.judged += [edit for edit, _ in judged]
            applied = [
                each for each in judged if each[0].status == "applied" and not self._is_outdone(each[1])
            ]
            if not applied:
                break
            made = True
            best, turn = max(applied, key=lambda pair: pair[0].score)
            self._made.append(best)
            # What stood in the same place, and was less likely, is not made, but may be read yet.
            self.judged = [
                e
                if e is best or e.status != "applied" or not e.overlaps(best)
                else replace(e, status="suggested")
                for e in self.judged
            ]
            self._queue.extend(turn.tokens)
            self._after_queue = turn.end
            if self._queue:
                break
            self._next = turn.end
        return made

    def _is_copied(self) -> bool:
        return self._next < len(self._copied) and self._copied[self._next]

    def _is_awaited(self) -> bool:
        """Whether a likely edit of this place begins some tokens later: it is asked about first."""
        at = self._starts[self._next]
        pending = (other.edit for turns in self._turns.values() for other in turns)
        return any(edit.start <= at < edit.end and edit.score >= _LIKELY for edit in pending)

    def _is_outdone(self, turn: _Turn) -> bool:
        """Whether a likelier edit of the same place begins some tokens later ("go" -> "goes", written "go" and "es")."""
        pending = (other.edit for turns in self._turns.values() for other in turns)
        return any(edit.overlaps(turn.edit) and edit.score > turn.edit.score for edit in pending)

    def ahead(self) -> list[int]:
        """The next expected tokens, likely edits among them; none while the answer is somewhere else."""
        return [] if self._in_change else list(itertools.islice(self._likely(), _DRAFT))

    def _likely(self) -> Iterator[int]:
        yield from self._queue
        at = self._after_queue if self._queue else self._next
        while at < len(self._tokens):
            turns = [turn for turn in self._turns.get(at, ()) if turn.edit.score >= _LIKELY]
            best = max(turns, key=lambda turn: turn.edit.score, default=None)
            if best and (best.end > at or best.tokens):
                yield from best.tokens
                if best.end == at:  # nothing gives way
                    yield self._tokens[at]
                at = max(best.end, at + 1)
            else:
                yield self._tokens[at]
                at += 1

    def follow(self, token: int, piece: bytes) -> None:
        """Takes note of the token that was chosen, and of its text."""
        if self._queue:
            self._queue.popleft()
            if not self._queue:
                self._next = self._after_queue
            return
        if not self._in_change and self._next < len(self._tokens) and token != self._tokens[self._next]:
            self.own.append((self._starts[self._next], self._odds))
        ahead = self._pieces[self._next : self._next + _FIND_AGAIN]
        self._in_change = piece.lower() not in ahead
        if not self._in_change:
            self._next += ahead.index(piece.lower()) + 1


def _odds(logits: Any, token: int, instead: int) -> Odds:
    highest = logits.max()
    total = highest + np.log(np.exp(logits - highest).sum())
    return Odds(float(logits[token] - logits[instead]), float(logits[instead] - total))

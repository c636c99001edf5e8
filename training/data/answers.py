"""What a correction says of the edits of its text."""

from __future__ import annotations

from space.proofread.edits import Edit, canonical, diff
from space.proofread.propose import word_edit
from training.data.align import fixes
from training.data.pairs import Pair


class Answers:
    """Of the edits of `pair.bad` which are right; `edits` are those that lead to `pair.good`, word by word and in stretches."""

    def __init__(self, pair: Pair) -> None:
        self.text = pair.bad
        words = [
            word_edit(pair.bad, start, end, after)
            for start, end, after in fixes(pair.bad, pair.good)
            if after is not None
        ]
        self.edits = [*words, *diff(pair.bad, pair.good)]
        self._right = {canonical(edit, pair.bad) for edit in self.edits}

    def right(self, edit: Edit) -> bool | None:
        """Whether an edit is right. None if nobody knows: elsewhere in a corrected text, for who mends one mistake may leave others."""
        if canonical(edit, self.text) in self._right:
            return True
        beside = any(edit.start <= other.end and other.start <= edit.end for other in self.edits)
        return False if beside or not self.edits else None

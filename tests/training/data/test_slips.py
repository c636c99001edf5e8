"""Words typed for others: one of a text, near what was meant, and a word too."""

from __future__ import annotations

import random

from space.proofread.edits import diff
from space.proofread.kinds import is_slip
from space.proofread.lexicon import Lexicon
from training.data.slips import with_slip

TEXT = "See you in three months, when the safe arrives from London."


def test_one_word_is_typed_for_another_that_is_a_word_too() -> None:
    lexicon, written = Lexicon.load(), set()
    for seed in range(30):
        typed = with_slip(TEXT, lexicon, random.Random(seed))
        assert typed and typed.startswith("See") and "London" in typed
        (edit,) = diff(typed, TEXT)
        assert is_slip(edit.before, edit.after) and lexicon.knows(edit.before.strip())
        written.add(typed)
    assert len(written) > 10


def test_where_no_word_can_be_there_is_none() -> None:
    assert with_slip("Photosynthesis Thursday", Lexicon.load(), random.Random(0)) is None

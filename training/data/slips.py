"""Words typed for others that are words too, "tree" for "three": nobody sees them who knows what is meant.

with_slip("See you in two months.", lexicon, random.Random(0))      # See you in tow months.
"""

from __future__ import annotations

import math
import random

from space.proofread.kinds import is_slip, taken_for
from space.proofread.lexicon import Lexicon
from space.proofread.misspelling import weight, with_one_slip
from space.proofread.words import WORD

_KNOWN = 20  # times that a word is in the corpora: rarer ones hardly anybody takes for words
_TAKEN_FOR = -0.5  # logarithm of the chance that a word is taken for another, on the scale of lists/slips.tsv


def with_slip(text: str, lexicon: Lexicon, rng: random.Random) -> str | None:
    """The text with one word behind the first typed for another; None if none can be."""
    words = [match for match in WORD.finditer(text) if match.start() and match.group().islower()]
    rng.shuffle(words)
    for match in words:
        if chances := _typed_for(match.group(), lexicon):
            (written,) = rng.choices(list(chances), list(chances.values()))
            return text[: match.start()] + written + text[match.end() :]
    return None


def _typed_for(word: str, lexicon: Lexicon) -> dict[str, float]:
    """The words that one who means this one may type, with their chances up to a factor."""
    near = {each: weight(each, word, 0) for each in with_one_slip(word) if lexicon.count(each) >= _KNOWN}
    near |= {each: _TAKEN_FOR for each in taken_for(word)}
    words = sorted(each for each in near if is_slip(each, word) and lexicon.knows(each))
    return {each: math.exp(near[each]) for each in words}

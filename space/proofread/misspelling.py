"""How a word was misspelt, and how likely that is: a noisy channel (Kernighan, Church and Gale 1990).

    slips("recieve", "receive")       # ['swapped']
    weight("recieve", "receive", 20_000) > weight("recieve", "relieve", 3_000)

A weight is the logarithm of a chance, up to a constant: what each slip costs and what a more frequent word gains stand in lists/slips.tsv,
which `python -m training spelling` fits on recorded misspellings.
"""

from __future__ import annotations

import math
from itertools import pairwise
from string import ascii_lowercase

from space.proofread.words import read_list

_COSTS = {slip: float(cost) for slip, cost in read_list("slips")}
_SHORT = 6  # letters: a second slip in a word this short leaves little of it
_VOWELS = frozenset("aeiouy")
_ALIKE = {frozenset(pair) for pair in "cs ck sz fv gj td mn qk yi wv".split()}  # to the ear
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_NEAR = {
    frozenset(pair) for row in _ROWS for pair in pairwise(row)
}  # keys side by side, and one above the other
_NEAR |= {frozenset((low, up)) for above, row in pairwise(_ROWS) for i, low in enumerate(row) for up in above[i : i + 2]}  # fmt: skip


def weight(written: str, meant: str, count: int) -> float:
    """How likely one who wrote this meant that, a word with so many occurrences."""
    return _COSTS["frequent"] * math.log(count + 1) + sum(map(_COSTS.__getitem__, slips(written, meant)))


def split_weight(log_count: float) -> float:
    """The same of two words, their blank forgotten, that are expected e^log_count times one after the other."""
    return _COSTS["frequent"] * log_count + _COSTS["joined"]


def with_one_slip(word: str) -> set[str]:
    """What a word of small letters becomes by one letter more, less, another or swapped."""
    halves = [(word[:i], word[i:]) for i in range(len(word) + 1)]
    return {
        *(left + right[1:] for left, right in halves if right),
        *(left + right[1] + right[0] + right[2:] for left, right in halves if len(right) > 1),
        *(left + c + right[1:] for left, right in halves if right for c in ascii_lowercase),
        *(left + c + right for left, right in halves for c in ascii_lowercase),
    }


def slips(written: str, meant: str) -> list[str]:
    """The kinds of the fewest slips that make one word, in small letters, of the other.

    >>> slips("occured", "occurred"), slips("teh", "the"), slips("fone", "phone")
    (['doubled letter left out'], ['swapped'], ['letter left out', 'wrong letter', 'first letter', 'two in a short word'])
    """
    begin = 0
    while begin < min(len(written), len(meant)) and written[begin] == meant[begin]:
        begin += 1
    found = _fewest(written, meant, begin)
    kinds = [kind for kind, _ in found]
    kinds += ["first letter" for _, at in found if at == 0]
    kinds += ["last letter" for _, at in found if at >= len(meant) - 1]
    return kinds + ["two in a short word"] * (len(found) > 1 and len(written) < _SHORT)


def _fewest(written: str, meant: str, begin: int) -> tuple[tuple[str, int], ...]:
    """The slips behind what both begin with, each with its place in the word that was meant (optimal string alignment)."""
    ends = 0
    while ends < min(len(written), len(meant)) - begin and written[-1 - ends] == meant[-1 - ends]:
        ends += 1
    best: dict[tuple[int, int], tuple[tuple[str, int], ...]] = {(begin, begin): ()}
    for i in range(begin, len(written) - ends + 1):
        for j in range(begin, len(meant) - ends + 1):
            ways = []
            if i > begin and j > begin:
                a, b = written[i - 1], meant[j - 1]
                ways.append(best[i - 1, j - 1] + (((_replaced(a, b), j - 1),) if a != b else ()))
                if i > begin + 1 and j > begin + 1 and (a, b) == (meant[j - 2], written[i - 2]) and a != b:
                    ways.append((*best[i - 2, j - 2], ("swapped", j - 2)))
            if i > begin:
                ways.append((*best[i - 1, j], (_put_in(written, i - 1), j - 1)))
            if j > begin:
                ways.append((*best[i, j - 1], (_left_out(meant, j - 1), j - 1)))
            if ways:
                best[i, j] = min(ways, key=len)
    return best[len(written) - ends, len(meant) - ends]


def _replaced(written: str, meant: str) -> str:
    pair = frozenset((written, meant))
    if pair <= _VOWELS:
        return "wrong vowel"
    return (
        "wrong letter of like sound" if pair in _ALIKE else "wrong key" if pair in _NEAR else "wrong letter"
    )


def _put_in(word: str, at: int) -> str:
    beside = word[max(0, at - 1) : at] + word[at + 1 : at + 2]
    if word[at] in beside:
        return "letter doubled"
    if word[at] in _VOWELS:
        return "vowel put in"
    return "key hit too" if any(frozenset((word[at], c)) in _NEAR for c in beside) else "letter put in"


def _left_out(word: str, at: int) -> str:
    if word[at] in word[max(0, at - 1) : at] + word[at + 1 : at + 2]:
        return "doubled letter left out"
    if word[at] in "e'":
        return f"{word[at]} left out"
    return "vowel left out" if word[at] in _VOWELS else "letter left out"

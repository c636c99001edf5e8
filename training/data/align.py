"""Which word of a wrong text becomes what in the right one: the labels of the tagger, and what evidence speaks of."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from rapidfuzz.distance import Indel

from space.proofread.prompt import WORDS

_GAP = 1.0  # cost of a word without a counterpart; two words with nothing in common cost nearly two gaps
_UNLIKE = 1.9


Span = tuple[int, int]


def fixes(bad: str, good: str, spans: Sequence[Span] = ()) -> list[tuple[int, int, str | None]]:
    """Spans (start, end) of the words and marks of `bad`, each with what should stand there, None if it is right.

    `spans` are those of the words of `bad`, by default those of WORDS.

    "" is a word too many. A missing word stands with the word that it should come before, at the end of the text with
    the word that it should come after.

    >>> fixes("He go the home", "He goes home.")
    [(0, 2, None), (3, 5, 'goes'), (6, 9, ''), (10, 14, 'home.')]
    """
    a = spans or [match.span() for match in WORDS.finditer(bad)]
    b = [match.span() for match in WORDS.finditer(good)]
    old, new = [bad[i:j] for i, j in a], [good[i:j] for i, j in b]
    # Of each word of `bad`: the words [first, last) of `good` that stand in its place.
    places: list[list[int]] = [[] for _ in old]
    for tag, i1, i2, j1, j2 in difflib.SequenceMatcher(a=old, b=new, autojunk=False).get_opcodes():
        if tag == "equal":
            for i, j in zip(range(i1, i2), range(j1, j2), strict=True):
                places[i].append(j)
        else:
            at = [*range(j1, j2)]
            for i, j in _pair_up(old[i1:i2], new[j1:j2]):
                target = i1 + i if i1 + i < len(old) else len(old) - 1
                if target >= 0:
                    places[target].append(at[j])
    found: list[tuple[int, int, str | None]] = []
    for (start, end), word, place in zip(a, old, places, strict=True):
        first, last = (min(place), max(place)) if place else (0, -1)
        text = good[b[first][0] : b[last][1]] if place else ""
        found.append((start, end, None if text == word else text))
    return found


def _pair_up(old: Sequence[str], new: Sequence[str]) -> list[tuple[int, int]]:
    """For each new word the index of the old one it belongs to; len(old) means what follows the block."""
    rows, columns = len(old), len(new)
    cost = [[_GAP * (i + j) if not i or not j else 0.0 for j in range(columns + 1)] for i in range(rows + 1)]
    for i in range(1, rows + 1):
        for j in range(1, columns + 1):
            swap = cost[i - 1][j - 1] + _unlike(old[i - 1], new[j - 1])
            cost[i][j] = min(swap, cost[i - 1][j] + _GAP, cost[i][j - 1] + _GAP)
    pairs, i, j = [], rows, columns
    while j:
        if i and cost[i][j] == cost[i - 1][j - 1] + _unlike(old[i - 1], new[j - 1]):
            i, j = i - 1, j - 1
            pairs.append((i, j))
        elif i and cost[i][j] == cost[i - 1][j] + _GAP:
            i -= 1
        else:
            j -= 1
            pairs.append((i, j))
    return pairs[::-1]


def _unlike(a: str, b: str) -> float:
    return (
        _UNLIKE * Indel.normalized_distance(a.lower(), b.lower()) if a.isalnum() == b.isalnum() else 2 * _GAP
    )

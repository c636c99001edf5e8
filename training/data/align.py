"""Which word of a wrong text becomes what in the right one: the labels of the tagger, and what evidence speaks of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rapidfuzz.distance import Indel, Levenshtein

from space.proofread.words import WORDS

_GAP = 1.0  # cost of a word without a counterpart; two words with nothing in common cost nearly two gaps
_UNLIKE = 1.9

Span = tuple[int, int]


def fixes(bad: str, good: str, spans: Sequence[Span] = ()) -> list[tuple[int, int, str | None]]:
    """Spans (start, end) of the words and marks of `bad`, each with what should stand there, None if it is right.

    `spans` are those of the words of `bad`, by default those of WORDS.

    "" is a word too many; of a doubled word it is the second. A missing word stands with the word that it should come
    before, at the end of the text with the word that it should come after.

    >>> fixes("He go the home", "He goes home.")
    [(0, 2, None), (3, 5, 'goes'), (6, 9, ''), (10, 14, 'home.')]
    """
    a = spans or _spans(bad)
    b = _spans(good)
    old, new = [bad[i:j] for i, j in a], [good[i:j] for i, j in b]
    # Of each word of `bad`: the words [first, last) of `good` that stand in its place.
    places: list[list[int]] = [[] for _ in old]
    for i, j, before, after in _blocks(old, new):
        if old[i:before] == new[j:after]:
            pairs = [(k, k) for k in range(before - i)]
        else:
            pairs = _pair_up(old[i:before], new[j:after])
        for from_i, from_j in pairs:
            if old:
                places[min(i + from_i, len(old) - 1)].append(j + from_j)
    found: list[tuple[int, int, str | None]] = []
    for k, ((start, end), word) in enumerate(zip(a, old, strict=True)):
        if not places[k] and old[k : k + 2] == [word, word] and len(places[k + 1]) == 1:
            places[k : k + 2] = places[k + 1], places[k]
        text = good[b[places[k][0]][0] : b[places[k][-1]][1]] if places[k] else ""
        found.append((start, end, None if text == word else text))
    return found


def changed_words(bad: str, good: str) -> list[Span]:
    """Spans (start, end) of the words of `good` that `bad` lacks, and of those before which it has one too many.

    >>> [good[a:b] for good in ["He goes home."] for a, b in changed_words("He go to home.", good)]
    ['goes', 'home']
    """
    spans, old, new = _spans(good), WORDS.findall(bad), WORDS.findall(good)
    found = []
    for i, j, before, after in _blocks(old, new):
        if old[i:before] != new[j:after]:
            found += spans[j : after + (after - j < before - i)]
    return found


def _spans(text: str) -> list[Span]:
    return [match.span() for match in WORDS.finditer(text)]


def _blocks(old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[int, int, int, int]]:
    """(i, j, i2, j2) such that old[i:i2] became new[j:j2]: by turns words that changed and words that are the same."""
    i = j = 0
    for match in Levenshtein.opcodes(old, new).as_matching_blocks():
        yield i, j, match.a, match.b
        i, j = match.a + match.size, match.b + match.size
        yield match.a, match.b, i, j


def _pair_up(old: Sequence[str], new: Sequence[str]) -> list[tuple[int, int]]:
    """For each new word the index of the old one it belongs to; len(old) means what follows the block."""
    rows, columns = len(old), len(new)
    unlike = [[_unlike(a, b) for b in new] for a in old]
    cost = [[_GAP * (i + j) if not i or not j else 0.0 for j in range(columns + 1)] for i in range(rows + 1)]
    for i in range(1, rows + 1):
        for j in range(1, columns + 1):
            swap = cost[i - 1][j - 1] + unlike[i - 1][j - 1]
            cost[i][j] = min(swap, cost[i - 1][j] + _GAP, cost[i][j - 1] + _GAP)
    pairs, i, j = [], rows, columns
    while j:
        if i and cost[i][j] == cost[i - 1][j - 1] + unlike[i - 1][j - 1]:
            i, j = i - 1, j - 1
            pairs.append((i, j))
        elif i and cost[i][j] == cost[i - 1][j] + _GAP:
            i -= 1
        else:
            j -= 1
            pairs.append((i, j))
    return pairs[::-1]


def _unlike(a: str, b: str) -> float:
    if a.isalnum() != b.isalnum():
        return 2 * _GAP
    return _UNLIKE * (1 - Indel.normalized_similarity(a.casefold(), b.casefold()))

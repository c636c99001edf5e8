"""Texts that are nearly the same, found in time that grows with their number.

    pairs = near_duplicates(["Please send me the report.", "please send me the report!"])  # [(0, 1)]

A text is the set of its word 5-grams, without case and punctuation. Two texts are near-duplicates if they share THRESHOLD of
the 5-grams that either has (Jaccard). Candidates come from MinHash signatures in bands (Broder 1997; Leskovec et al., Mining of
Massive Datasets, chapter 3): a pair just at the threshold is missed once in 3,000 times, and each candidate is then compared in
full. Of texts that resemble each other in hundreds, a row is compared with the first few of each band alone.
"""

from __future__ import annotations

import re
import zlib
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

THRESHOLD = 0.8
_WORDS = 5
_BANDS, _IN_BAND = 20, 5  # hashes: 1 - (1 - 0.8^5)^20 of the pairs at the threshold are candidates
_COMPARED = 8  # texts of one band


def near_duplicates(texts: Sequence[str]) -> list[tuple[int, int]]:
    """(first, later): each text that resembles one before it, beside the first such; the texts by their index."""
    import numpy

    random = numpy.random.default_rng(0)
    factors, terms = random.integers(1, 2**63, (2, _BANDS * _IN_BAND, 1), dtype=numpy.uint64)
    factors |= numpy.uint64(1)
    same: dict[frozenset[int], int] = {}
    bands: dict[tuple[int, bytes], list[int]] = defaultdict(list)
    firsts: dict[int, frozenset[int]] = {}
    found = []
    for i, text in enumerate(texts):
        grams = _grams(text)
        if not grams:
            continue
        if (first := same.setdefault(grams, i)) != i:
            found.append((first, i))
            continue
        keys = _keys(numpy.fromiter(grams, numpy.uint64, len(grams)), factors, terms)
        candidates = sorted({other for key in keys for other in bands[key]})
        first = next((other for other in candidates if _alike(grams, firsts[other])), i)
        if first != i:
            found.append((first, i))
            same[grams] = first
            continue
        firsts[i] = grams
        for key in keys:
            if len(bands[key]) < _COMPARED:
                bands[key].append(i)
    return found


def _grams(text: str) -> frozenset[int]:
    """Hashes of the 5-grams; of a shorter text one of the whole. They are the same in every process."""
    words = re.findall(r"\w+", text.lower())
    count = max(len(words) - _WORDS + 1, 1) if words else 0
    return frozenset(zlib.crc32(" ".join(words[i : i + _WORDS]).encode()) for i in range(count))


def _keys(grams: Any, factors: Any, terms: Any) -> list[tuple[int, bytes]]:
    """The bands of a MinHash signature; a hash is (a x + b) modulo 2^64, its upper half."""
    least = ((grams * factors + terms) >> 32).min(axis=1).reshape(_BANDS, _IN_BAND)
    return [(band, row.tobytes()) for band, row in enumerate(least)]


def _alike(one: frozenset[int], other: frozenset[int]) -> bool:
    shared = len(one & other)
    return shared >= THRESHOLD * (len(one) + len(other) - shared)

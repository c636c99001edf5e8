"""GLEU of tokenised sentences (Napoles et al. 2015), and the tokens it is counted on.

counts = [[gleu_counts(source, reference, hypothesis) for reference in references] ...]
gleu(counts, seed=1)    # in percent
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

_ORDER = 4
_REFERENCE_DRAWS = 500  # as in the published scorer: a reference is drawn per sentence, scores are averaged


def gleu(counts: Sequence[Any], seed: int, draws: int = _REFERENCE_DRAWS) -> float:
    """Corpus GLEU in percent; `counts[i][r]` are the `gleu_counts` of sentence i against its reference r.

    With the mean over drawn references of Napoles et al. 2016 ("GLEU Without Tuning").
    """
    return float(gleu_resampled(counts, seed, np.ones((1, len(counts))), draws)[0])


def gleu_resampled(
    counts: Sequence[Any], seed: int, weights: np.ndarray, draws: int = _REFERENCE_DRAWS
) -> np.ndarray:
    """(resamples,) of corpus GLEU in percent, for `weights` (resamples, sentences): how often each sentence is drawn.

    The drawn references are the same in every resample.
    """
    width = max(len(row) for row in counts)
    table = np.array([[row[r % len(row)] for r in range(width)] for row in counts], dtype=np.float64)
    picks = np.random.default_rng(seed).integers(0, width, size=(draws, len(counts)))
    sentences = np.arange(len(counts))
    return np.mean([_gleu_of(weights @ table[sentences, pick]) for pick in picks], axis=0) * 100


def gleu_sentence(counts: Sequence[Sequence[int]]) -> float:
    """GLEU of one sentence in percent, the mean over its references.

    Short sentences share no four words with any reference, so from two words up one match is added on either side of
    each precision (Lin & Och 2004, "ORANGE").
    """
    table = np.array(counts, dtype=np.float64)
    table[:, 4:] += 1
    return float(_gleu_of(table).mean() * 100)


def gleu_counts(source: list[str], reference: list[str], hypothesis: list[str]) -> list[int]:
    """[len(hypothesis), len(reference), matches and totals for n = 1..4], as in Napoles et al. 2015, equation 3.

    Matches are n-grams shared with the reference, less those shared with the source that the reference has dropped.
    """
    found = [len(hypothesis), len(reference)]
    for n in range(1, _ORDER + 1):
        s, r, h = (
            Counter(zip(*(words[i:] for i in range(n)), strict=False))
            for words in (source, reference, hypothesis)
        )
        only_source = Counter({gram: count for gram, count in s.items() if gram not in r})
        found += [max((h & r).total() - (h & only_source).total(), 0), max(len(hypothesis) - n + 1, 0)]
    return found


def _gleu_of(totals: np.ndarray) -> np.ndarray:
    lengths, references, matches, possible = totals[:, 0], totals[:, 1], totals[:, 2::2], totals[:, 3::2]
    scored = (matches > 0).all(axis=1) & (possible > 0).all(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        log_precision = np.log(matches / possible).mean(axis=1)
        brevity = np.minimum(0.0, 1 - references / lengths)
        return np.where(scored, np.exp(brevity + log_precision), 0.0)


def tokenize(text: str) -> list[str]:
    """Words and marks apart, as in Penn Treebank text, so that a result can be compared with tokenised references."""
    text = re.sub(r"([;!?()\[\]{}\"%$&]|\.\.\.|[,:](?!\d)|(?<!\d)[,:])", r" \1 ", text)
    text = re.sub(r"(?<!\.)\.(?=\s*$|\s+[A-Z\"'])", " . ", text)
    text = re.sub(r"(?i)\b(ca)n't\b", r"\1 n't", text)
    text = re.sub(r"(?i)(\w)(n't)\b", r"\1 \2", text)
    text = re.sub(r"(?i)(\w)('(?:s|m|re|ve|ll|d))\b", r"\1 \2", text)
    return text.split()

"""Figures over rows, each with its bootstrap interval.

    interval(counts, percent)     any figure that is a function of sums over rows
    gleu_interval(counts, seed)   GLEU, which averages over drawn references

Pure functions: nothing here loads a model or reads a file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from training.data.gleu import gleu, gleu_resampled

Figure = dict[str, float | None]  # value, low, high; None where a ratio has nothing under its line
Statistic = Callable[[np.ndarray], np.ndarray]  # sums (..., columns) -> figures (...)

NO_FIGURE: Figure = {"value": None, "low": None, "high": None}
_RESAMPLES = 1000


def interval(counts: Sequence[Sequence[float]] | np.ndarray, statistic: Statistic, digits: int = 2) -> Figure:
    """A figure over rows, and the 2.5 % and 97.5 % points of it over 1,000 resamples of the rows.

    `counts` is (rows, columns), and the figure is `statistic` of the sums of its columns: the percentile bootstrap of
    Efron 1979. Resamples without a value (nothing to divide by) are left out.

    >>> interval([[1, 1], [0, 1], [1, 1], [0, 1]], percent)
    {'value': 50.0, 'low': 0.0, 'high': 100.0}
    """
    table = np.asarray(counts, dtype=np.float64)
    return resampled(len(table), lambda weights: statistic(weights @ table), digits)


def gleu_interval(counts: Sequence[Sequence[Sequence[int]]], seed: int) -> Figure:
    """GLEU, and its bootstrap interval over sentences."""
    return _figure(gleu(counts, seed), gleu_resampled(counts, seed, _weights(len(counts))), 2)


def resampled(rows: int, figure: Statistic, digits: int = 2) -> Figure:
    """Any figure over rows and its interval; `figure` gives (resamples,) for weights (resamples, rows)."""
    if not rows:
        return dict(NO_FIGURE)
    return _figure(figure(np.ones((1, rows)))[0], figure(_weights(rows)), digits)


def largest(values: Sequence[float], digits: int = 2) -> Figure:
    """The largest of one value per row, and its bootstrap interval (whose upper end can only be the value)."""
    row = np.asarray(values, dtype=np.float64)
    return resampled(len(row), lambda weights: np.where(weights > 0, row, -np.inf).max(axis=1), digits=digits)


@lru_cache(maxsize=8)
def _weights(rows: int) -> np.ndarray:
    """(resamples, rows): how often each row is drawn."""
    return np.random.default_rng(0).multinomial(rows, np.full(rows, 1 / rows), size=_RESAMPLES).astype(float)


def _figure(value: Any, drawn: np.ndarray, digits: int) -> Figure:
    drawn = drawn[np.isfinite(drawn)]
    if not np.isfinite(value) or not len(drawn):
        return dict(NO_FIGURE)
    named = dict(zip(("value", "low", "high"), (value, *np.percentile(drawn, (2.5, 97.5))), strict=True))
    return {name: round(float(number), digits) for name, number in named.items()}


# ---- statistics --------------------------------------------------------------------------------------------


def mean(sums: np.ndarray) -> np.ndarray:
    """First column over the second."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return sums[..., 0] / sums[..., 1]


def percent(sums: np.ndarray) -> np.ndarray:
    """First column over the second, in percent."""
    return 100 * mean(sums)


def precision(sums: np.ndarray) -> np.ndarray:
    """tp / (tp + fp) in percent, from columns tp, fp, fn."""
    return percent(np.stack([sums[..., 0], sums[..., 0] + sums[..., 1]], axis=-1))


def recall(sums: np.ndarray) -> np.ndarray:
    """tp / (tp + fn) in percent, from columns tp, fp, fn."""
    return percent(np.stack([sums[..., 0], sums[..., 0] + sums[..., 2]], axis=-1))


def f_half(sums: np.ndarray) -> np.ndarray:
    """F0.5 in percent from columns tp, fp, fn: 1.25 tp / (1.25 tp + fp + 0.25 fn).

    van Rijsbergen 1979; with the weight of 0.5 usual in error correction since Ng et al. 2014, as a needless change
    costs more than a missed one.
    """
    tp, fp, fn = sums[..., 0], sums[..., 1], sums[..., 2]
    return percent(np.stack([1.25 * tp, 1.25 * tp + fp + 0.25 * fn], axis=-1))


# ---- word error rate ---------------------------------------------------------------------------------------


def word_errors(text: str, references: Sequence[str]) -> list[int]:
    """[errors, words of the reference] against the nearest reference; a rate is the sum of one over the other.

    Substitutions, deletions and insertions of words between blanks, so capitals and attached marks count.
    """
    import jiwer

    found = []
    for reference in references:
        measured = jiwer.process_words(reference, text)
        errors = measured.substitutions + measured.deletions + measured.insertions
        found.append([errors, len(reference.split())])
    return min(found, key=lambda pair: pair[0] / max(pair[1], 1))

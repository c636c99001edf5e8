"""Figures of corrected text: GLEU, precision and recall of edits, word error rate, each with a bootstrap
interval.

    interval(counts, percent)     any figure that is a function of sums over rows
    gleu_interval(counts, seed)   GLEU, which averages over drawn references

Pure functions: nothing here loads a model or reads a file.
"""

from __future__ import annotations

import difflib
import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from space.proofread.edits import classify, diff
from space.proofread.prompt import WORDS

Figure = dict[str, float | None]  # value, low, high; None where a ratio has nothing under its line
Statistic = Callable[[np.ndarray], np.ndarray]  # sums (..., columns) -> figures (...)

_RESAMPLES = 1000
_ORDER = 4
_REFERENCE_DRAWS = 500  # as in the published scorer: a reference is drawn per sentence, scores are averaged


# ---- intervals ---------------------------------------------------------------------------------------------


def interval(counts: Sequence[Sequence[float]] | np.ndarray, statistic: Statistic, digits: int = 2) -> Figure:
    """A figure over rows, and the 2.5 % and 97.5 % points of it over 1,000 resamples of the rows.

    `counts` is (rows, columns), and the figure is `statistic` of the sums of its columns: the percentile
    bootstrap of Efron 1979. Resamples without a value (nothing to divide by) are left out.

    >>> interval([[1, 1], [0, 1], [1, 1], [0, 1]], percent)
    {'value': 50.0, 'low': 0.0, 'high': 100.0}
    """
    table = np.asarray(counts, dtype=np.float64)
    return _figure(statistic(table.sum(axis=0)), statistic(_weights(len(table)) @ table), digits)


def resampled(rows: int, figure: Callable[[np.ndarray], np.ndarray], digits: int = 2) -> Figure:
    """Any figure over rows and its bootstrap interval; `figure` gives (resamples,) for weights (resamples,
    rows)."""
    return _figure(figure(np.ones((1, rows)))[0], figure(_weights(rows)), digits)


def largest(values: Sequence[float], digits: int = 2) -> Figure:
    """The largest of one value per row, and its bootstrap interval (whose upper end can only be the
    value)."""
    row = np.asarray(values, dtype=np.float64)
    drawn = np.where(_weights(len(row)) > 0, row, -np.inf).max(axis=1)
    return _figure(row.max(), drawn, digits)


def percent(sums: np.ndarray) -> np.ndarray:
    """First column over the second, in percent."""
    return 100 * mean(sums)


def mean(sums: np.ndarray) -> np.ndarray:
    """First column over the second."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return sums[..., 0] / sums[..., 1]


@lru_cache(maxsize=8)
def _weights(rows: int) -> np.ndarray:
    """(resamples, rows): how often each row is drawn."""
    return np.random.default_rng(0).multinomial(rows, np.full(rows, 1 / rows), size=_RESAMPLES).astype(float)


def _figure(value: Any, drawn: np.ndarray, digits: int) -> Figure:
    drawn = drawn[np.isfinite(drawn)]
    if not np.isfinite(value) or not len(drawn):
        return {"value": None, "low": None, "high": None}
    low, high = np.percentile(drawn, (2.5, 97.5))
    named = {"value": value, "low": low, "high": high}
    return {name: round(float(number), digits) for name, number in named.items()}


# ---- GLEU --------------------------------------------------------------------------------------------------


def gleu(counts: Sequence[Sequence[Sequence[int]]], seed: int, draws: int = _REFERENCE_DRAWS) -> float:
    """Corpus GLEU in percent; `counts[i][r]` are the `gleu_counts` of sentence i against its reference r.

    Napoles et al. 2015, with the mean over drawn references of Napoles et al. 2016 ("GLEU Without Tuning").
    """
    return float(_gleu(counts, seed, draws, np.ones((1, len(counts))))[0])


def gleu_interval(counts: Sequence[Sequence[Sequence[int]]], seed: int) -> Figure:
    """GLEU, and its bootstrap interval over sentences; the drawn references are the same in every
    resample."""
    return _figure(gleu(counts, seed), _gleu(counts, seed, _REFERENCE_DRAWS, _weights(len(counts))), 2)


def gleu_drawn(counts: Sequence[Any], seed: int, weights: np.ndarray) -> np.ndarray:
    """(resamples,) of corpus GLEU in percent, for `weights` (resamples, sentences); drawn references as in
    `gleu`."""
    return _gleu(counts, seed, _REFERENCE_DRAWS, weights)


def gleu_sentence(counts: Sequence[Sequence[int]]) -> float:
    """GLEU of one sentence in percent, the mean over its references.

    Short sentences share no four words with any reference, so from two words up one match is added on either
    side of each precision (Lin & Och 2004, "ORANGE").
    """
    table = np.array(counts, dtype=np.float64)
    table[:, 4:] += 1
    return float(_gleu_of(table).mean() * 100)


def gleu_counts(source: list[str], reference: list[str], hypothesis: list[str]) -> list[int]:
    """[len(hypothesis), len(reference), matches and totals for n = 1..4], as in Napoles et al. 2015, equation
    3.

    Matches are n-grams shared with the reference, less those shared with the source that the reference has
    dropped.
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


def _gleu(counts: Sequence[Any], seed: int, draws: int, weights: np.ndarray) -> np.ndarray:
    """(resamples,) of GLEU in percent for `weights` (resamples, sentences)."""
    width = max(len(row) for row in counts)
    table = np.array([[row[r % len(row)] for r in range(width)] for row in counts], dtype=np.float64)
    picks = np.random.default_rng(seed).integers(0, width, size=(draws, len(counts)))
    sentences = np.arange(len(counts))
    return np.mean([_gleu_of(weights @ table[sentences, pick]) for pick in picks], axis=0) * 100


def _gleu_of(totals: np.ndarray) -> np.ndarray:
    lengths, references, matches, possible = totals[:, 0], totals[:, 1], totals[:, 2::2], totals[:, 3::2]
    scored = (matches > 0).all(axis=1) & (possible > 0).all(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        log_precision = np.log(matches / possible).mean(axis=1)
        brevity = np.minimum(0.0, 1 - references / lengths)
        return np.where(scored, np.exp(brevity + log_precision), 0.0)


def tokenize(text: str) -> list[str]:
    """Words and marks apart, as in Penn Treebank text, so that a result can be compared with tokenised
    references."""
    text = re.sub(r"([;!?()\[\]{}\"%$&]|\.\.\.|[,:](?!\d)|(?<!\d)[,:])", r" \1 ", text)
    text = re.sub(r"(?<!\.)\.(?=\s*$|\s+[A-Z\"'])", " . ", text)
    text = re.sub(r"(?i)\b(ca)n't\b", r"\1 n't", text)
    text = re.sub(r"(?i)(\w)(n't)\b", r"\1 \2", text)
    text = re.sub(r"(?i)(\w)('(?:s|m|re|ve|ll|d))\b", r"\1 \2", text)
    return text.split()


# ---- edits -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Edit:
    """Words [start, end) of the source become `words`; two edits are the same whatever their `kind` is
    called."""

    start: int
    end: int
    words: tuple[str, ...]
    kind: str = field(compare=False)


def edits(source: str, target: str) -> list[Edit]:
    """The smallest edits that turn the words and marks of one text into those of the other, in order.

    Blanks do not count. The changes that the app would show are cut further, into single words where words
    pair off, so that a text that mends one of two neighbouring mistakes is given credit for it.

    >>> [(edit.start, edit.words, edit.kind) for edit in edits("He go to school.", "He goes to the school.")]
    [(1, ('goes',), 'agreement'), (3, ('the',), 'article')]
    """
    spans = [match.span() for match in WORDS.finditer(source)]
    starts, ends = [start for start, _ in spans], [end for _, end in spans]
    old, new = [source[a:b] for a, b in spans], WORDS.findall(target)
    found: list[Edit] = []
    for change in diff(source, target):
        first, last = bisect_right(ends, change.start), bisect_left(starts, change.end)
        found += _pieces(first, old[first:last], WORDS.findall(change.after))
    if (
        applied(old, found) != new
    ):  # a change ends inside a word, as with characters that only one of them counts
        matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
        found = [
            _edit(i, old[i:i_end], new[j:j_end])
            for tag, i, i_end, j, j_end in matcher.get_opcodes()
            if tag != "equal"
        ]
    return found


def applied(words: Sequence[str], found: Iterable[Edit]) -> list[str]:
    """The words after the edits, which are ordered and disjoint."""
    made: list[str] = []
    at = 0
    for edit in found:
        made += [*words[at : edit.start], *edit.words]
        at = edit.end
    return [*made, *words[at:]]


def _pieces(at: int, old: list[str], new: list[str]) -> list[Edit]:
    """One change as edits, cut where its words pair off or a mark stands at its edge."""
    while old and new and old[0] == new[0]:
        at, old, new = at + 1, old[1:], new[1:]
    while old and new and old[-1] == new[-1]:
        old, new = old[:-1], new[:-1]
    if not old or not new:
        return [_edit(at, old, new)] if old or new else []
    if len(old) != len(new):
        if _is_mark(new[0]) and not _is_mark(old[0]):
            return [_edit(at, [], new[:1]), *_pieces(at, old, new[1:])]
        if _is_mark(old[0]) and not _is_mark(new[0]):
            return [_edit(at, old[:1], []), *_pieces(at + 1, old[1:], new)]
        if _is_mark(new[-1]) and not _is_mark(old[-1]):
            return [*_pieces(at, old, new[:-1]), _edit(at + len(old), [], new[-1:])]
        if _is_mark(old[-1]) and not _is_mark(new[-1]):
            return [*_pieces(at, old[:-1], new), _edit(at + len(old) - 1, old[-1:], [])]
        return [_edit(at, old, new)]
    singles = [_edit(at + k, [a], [b]) for k, (a, b) in enumerate(zip(old, new, strict=True)) if a != b]
    # A word moved, or words for other words: that is one edit.
    apart = sorted(old) != sorted(new) and all(single.kind != "word choice" for single in singles)
    return singles if apart else [_edit(at, old, new)]


def _edit(at: int, old: Sequence[str], new: Sequence[str]) -> Edit:
    return Edit(at, at + len(old), tuple(new), classify(" ".join(old), " ".join(new)))


def _is_mark(word: str) -> bool:
    return not any(c.isalnum() for c in word)


@dataclass(frozen=True)
class Match:
    """The edits of one sentence against one reference: in both, only made, only wanted."""

    right: list[Edit]
    needless: list[Edit]
    missed: list[Edit]

    def counts(self, kind: str | None = None) -> list[int]:
        """[true positives, false positives, false negatives], of one kind or of all."""
        groups = (self.right, self.needless, self.missed)
        return [sum(kind in (None, edit.kind) for edit in group) for group in groups]


def best_match(made: Sequence[Edit], references: Sequence[Sequence[Edit]]) -> Match:
    """Against the reference that gives the sentence the best F0.5; of equals, the one with the fewest
    edits."""

    def match(wanted: Sequence[Edit]) -> Match:
        return Match(
            [edit for edit in wanted if edit in made],
            [edit for edit in made if edit not in wanted],
            [edit for edit in wanted if edit not in made],
        )

    def rank(wanted: Sequence[Edit]) -> tuple[float, int]:
        score = f_half(np.array(match(wanted).counts()))
        return (
            1.0 if np.isnan(score) else float(score) / 100,
            -len(wanted),
        )  # nothing to do, nothing done: 1

    return match(max(references, key=rank))


def precision(sums: np.ndarray) -> np.ndarray:
    """tp / (tp + fp) in percent, from columns tp, fp, fn."""
    return percent(np.stack([sums[..., 0], sums[..., 0] + sums[..., 1]], axis=-1))


def recall(sums: np.ndarray) -> np.ndarray:
    """tp / (tp + fn) in percent, from columns tp, fp, fn."""
    return percent(np.stack([sums[..., 0], sums[..., 0] + sums[..., 2]], axis=-1))


def f_half(sums: np.ndarray) -> np.ndarray:
    """F0.5 in percent from columns tp, fp, fn: 1.25 tp / (1.25 tp + fp + 0.25 fn).

    van Rijsbergen 1979; with the weight of 0.5 usual in error correction since Ng et al. 2014, as a needless
    change costs more than a missed one.
    """
    tp, fp, fn = sums[..., 0], sums[..., 1], sums[..., 2]
    return percent(np.stack([1.25 * tp, 1.25 * tp + fp + 0.25 * fn], axis=-1))


def edit_figures(matches: Sequence[Match]) -> dict[str, Any]:
    """Precision, recall and F0.5 in percent, over all edits and by their kind.

    `wanted` counts the edits of the chosen references, so it differs a little between models.
    """

    def figures(kind: str | None) -> dict[str, Any]:
        counts = np.array([match.counts(kind) for match in matches])
        return {
            "precision": interval(counts, precision),
            "recall": interval(counts, recall),
            "f0.5": interval(counts, f_half),
            "wanted": int(counts[:, 0].sum() + counts[:, 2].sum()),
        }

    frequent = Counter(
        edit.kind for match in matches for edit in (*match.right, *match.missed, *match.needless)
    )
    return {**figures(None), "by_type": {kind: figures(kind) for kind, _ in frequent.most_common()}}


# ---- word error rate ---------------------------------------------------------------------------------------


def word_errors(text: str, references: Sequence[str]) -> list[int]:
    """[errors, words of the reference] against the nearest reference; a rate is the sum of one over the
    other.

    Substitutions, deletions and insertions of words between blanks, so capitals and attached marks count.
    """
    import jiwer

    found = []
    for reference in references:
        measured = jiwer.process_words(reference, text)
        errors = measured.substitutions + measured.deletions + measured.insertions
        found.append([errors, len(reference.split())])
    return min(found, key=lambda pair: pair[0] / max(pair[1], 1))

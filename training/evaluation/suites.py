"""What a suite of the evaluation is: who is scored, on which rows, and what is reported.

A suite is a function (rows, subject, seed) -> Report; `training.evaluation.corrections` and `training.evaluation.behaviour` hold
them. Rows are checked where they are read, so that a file of the wrong kind is refused in one line. Each case carries
the counts that its suite's main figures are made of, so that two models can be compared case by case (`paired`).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from space.errors import UserError
from space.proofread.edits import apply
from training.data.corpus import detokenize, read_rows
from training.data.gleu import gleu_resampled, gleu_sentence
from training.evaluation import metrics

if TYPE_CHECKING:
    from space.proofread.classifiers.tone import Tone
    from space.proofread.edits import Edit
    from space.proofread.pipeline import Proofread

EVALUATION = Path(__file__).resolve().parent / "lists"
SENTENCES, MAILS = EVALUATION / "sentences.jsonl", EVALUATION / "mails.jsonl"

_SUGGESTIONS = 5  # of a text that are tried in every combination

Rows = Sequence[dict[str, Any]]
T = TypeVar("T")


class Subject:
    """What is scored: a proofreader under its name, or nothing at all ("none").

    Every text is proofread once per mode, however many suites ask for it.
    """

    def __init__(self, name: str, mode: str) -> None:
        from space.settings import Settings

        self.name, self._mode = name, mode
        self._settings = Settings.from_env()
        self._done: dict[tuple[str, str], Proofread] = {}
        self._proofreader: Any = None
        if name != "none":
            from space.proofread.pipeline import load_proofreader

            self._proofreader = load_proofreader(self._settings, None if name == "default" else name)

    def correct(self, text: str, mode: str | None = None) -> str:
        """The text as the pipeline returns it in this mode (the command's own by default)."""
        return text if self._proofreader is None else self._result(text, mode or self._mode).text

    def edits(self, text: str) -> tuple[Edit, ...]:
        """What the pipeline changes in the text."""
        return () if self._proofreader is None else self._result(text, self._mode).applied

    def with_suggestions(self, text: str) -> list[str]:
        """What a user can make of the text by taking suggestions, in every combination of a few."""
        if self._proofreader is None:
            return [text]
        result = self._result(text, self._mode)
        offered = result.suggested[:_SUGGESTIONS]
        taken = (some for count in range(len(offered) + 1) for some in combinations(offered, count))
        return [apply(text, [*result.applied, *some]) for some in taken]

    def with_kinder(self, text: str) -> str:
        """What `polish` makes of the text once the wordings that it offers are taken too."""
        if self._proofreader is None:
            return text
        result = self._result(text, "polish")
        return apply(text, [*result.applied, *(edit for edit in result.suggested if edit.kind == "tone")])

    def _result(self, text: str, mode: str) -> Proofread:
        if (text, mode) not in self._done:
            self._done[text, mode] = self._proofreader.proofread(text, mode)
        return self._done[text, mode]

    def tones(self, texts: Sequence[str]) -> list[Tone]:
        """The tone of each text, by the same classifier for every model."""
        if not hasattr(self, "_tone"):
            from space.proofread.classifiers.tone import ToneClassifier

            self._tone = ToneClassifier.load(self._settings.models_dir / "tone")
        return self._tone.score(texts)


@dataclass(frozen=True)
class Case:
    """One text with what came back and what may come back; `counts` are its part of its suite's measures."""

    source: str
    output: str
    references: list[str]
    counts: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def right(self) -> bool:
        return self.output in self.references


@dataclass(frozen=True)
class Report:
    """Figures by name (groups of figures nest), and the cases that they were counted on."""

    figures: dict[str, Any]
    cases: list[Case]


@dataclass(frozen=True)
class Suite:
    """`data` is the name of its file in a folder of corpora, or the suite's own list.

    `measures` are its main figures by name; the score of a single case is by the first of them. Of a suite `in_order` a limit
    takes the first rows.
    """

    run: Callable[[Rows, Subject, int], Report]
    data: str | Path
    measures: Mapping[str, Measure]
    in_order: bool = False

    def rows(self, data: Path | None, limit: int | None) -> list[dict[str, Any]]:
        """The rows of the file or folder, else of the own list. Raises UserError when there are none to be
        had."""
        if data is not None and not data.is_dir():
            path = data
        elif isinstance(self.data, Path):
            path = self.data
        elif data is None:
            raise UserError(f"this suite needs --data: a file, or a folder that holds {self.data}")
        else:
            path = data / self.data
        return objects(path)[:limit] if self.in_order else objects(path, limit)


# ---- two models on the same cases --------------------------------------------------------------------------


@dataclass(frozen=True)
class Measure:
    """A figure of any cases: `statistic` of the sums of their `counts[key]`; cases without that key do not count.

    >>> cases = [Case("a", "b", ["b"], {"right": [1, 1]}), Case("c", "c", ["d"], {"right": [0, 1]})]
    >>> Measure("right", metrics.percent)(cases)
    50.0
    """

    key: str
    statistic: metrics.Statistic
    higher: bool = True  # is better
    # The score of a case that has nothing to count, as nothing wrong and nothing changed.
    empty: float = float("nan")
    digits: int = 2

    def __call__(self, cases: Sequence[Case]) -> float:
        own = self.own(cases)
        return float(self.drawn(own, np.ones((1, len(own))))[0]) if own else float("nan")

    def figure(self, cases: Sequence[Case]) -> metrics.Figure:
        """With its bootstrap interval."""
        own = self.own(cases)
        return metrics.resampled(len(own), lambda weights: self.drawn(own, weights), self.digits)

    def own(self, cases: Sequence[Case]) -> list[Case]:
        return [case for case in cases if self.key in case.counts]

    def drawn(self, cases: Sequence[Case], weights: np.ndarray) -> np.ndarray:
        """(resamples,) of the figure for `weights` (resamples, cases): how often each case is drawn."""
        return self.statistic(weights @ np.array([case.counts[self.key] for case in cases], dtype=np.float64))

    def score(self, case: Case) -> float:
        """The figure of this case alone."""
        value = self([case])
        return self.empty if np.isnan(value) else value


def main_figures(measures: Mapping[str, Measure], cases: Sequence[Case]) -> dict[str, metrics.Figure]:
    """The figure of each measure that any case counts for."""
    return {name: measure.figure(cases) for name, measure in measures.items() if measure.own(cases)}


@dataclass(frozen=True)
class Gleu(Measure):
    """GLEU in percent; `counts[key]` are a case's `gleu_counts`, one list per reference."""

    key: str = "gleu"
    statistic: metrics.Statistic = metrics.mean  # not used: GLEU is no function of one sum
    seed: int = 1  # of the drawn references

    def drawn(self, cases: Sequence[Case], weights: np.ndarray) -> np.ndarray:
        return gleu_resampled([case.counts[self.key] for case in cases], self.seed, weights)

    def score(self, case: Case) -> float:
        return gleu_sentence(case.counts[self.key])


def paired(first: Sequence[Case], second: Sequence[Case], measure: Measure) -> dict[str, Any]:
    """Whether the second of two models beats the first, by what they made of the same texts in the same order.

    The paired bootstrap of Koehn 2004 ("Statistical Significance Tests for Machine Translation Evaluation"): the same
    cases are drawn for both, 1,000 times. Returns {"difference": {"value", "low", "high"}, "verdict"}: the figure of
    the second less that of the first with the 2.5 % and 97.5 % points, and "better" or "worse" where that interval
    leaves zero out, else "undecided". UserError when the texts differ.
    """
    if [case.source for case in first] != [case.source for case in second]:
        raise UserError(
            "the two models were given different texts: score both on the same rows, with the same seed"
        )
    first, second = measure.own(first), measure.own(second)
    difference = metrics.resampled(
        len(first), lambda weights: measure.drawn(second, weights) - measure.drawn(first, weights), digits=3
    )
    low, high = difference["low"], difference["high"]
    if low is None or high is None or low <= 0 <= high:
        return {"difference": difference, "verdict": "undecided"}
    return {"difference": difference, "verdict": "better" if (low > 0) == measure.higher else "worse"}


@dataclass(frozen=True)
class Sample:
    """A text that two models treat differently; `change` of its score is above zero where the second is better."""

    change: float
    first: Case
    second: Case


def samples(
    first: Sequence[Case], second: Sequence[Case], measure: Measure, count: int
) -> tuple[list[Sample], list[Sample]]:
    """The texts that gain most from the first model to the second, and those that lose most, most first.

    Texts whose own score is the same under both are in neither list.
    """
    sign = 1 if measure.higher else -1
    found = [
        Sample(sign * (measure.score(b) - measure.score(a)), a, b)
        for a, b in zip(measure.own(first), measure.own(second), strict=True)
    ]
    best = sorted((sample for sample in found if sample.change > 0), key=lambda sample: -sample.change)
    worst = sorted((sample for sample in found if sample.change < 0), key=lambda sample: sample.change)
    return best[:count], worst[:count]


# ---- rows --------------------------------------------------------------------------------------------------


def objects(path: Path, limit: int | None = None) -> list[dict[str, Any]]:
    """The rows of a file of JSON lines, or `limit` of them. UserError when there are none, or one of them has no named columns."""
    rows = list(read_rows(path))
    if not rows or not all(isinstance(row, dict) for row in rows):
        raise UserError(f"{path} holds no rows: give JSON lines with one object each")
    return sampled(rows, limit)


def sampled(values: list[T], limit: int | None) -> list[T]:
    """`limit` of the values in their order, drawn at random and always the same: files are often sorted."""
    if limit is None or limit >= len(values):
        return values
    return [values[i] for i in sorted(random.Random(0).sample(range(len(values)), limit))]


def texts_of(rows: Rows) -> list[str]:
    """Clean texts: `text`, the `right` of our own list's clean rows, or sentences that every annotator left
    alone."""
    if "text" in rows[0]:
        return [column(row, "text", str) for row in rows]
    found = [source for source, references in pairs_of(rows) if all(r == source for r in references)]
    if not found:
        raise UserError("no clean text among the rows: each has a correction")
    return found


def pairs_of(rows: Rows) -> list[tuple[str, list[str]]]:
    """(text, accepted corrections) as they are written: tokenised files are detokenised.

    Columns are `source` and `references`, `source` and `corrected`, or our own `wrong` and `right`.
    """
    keys = next((pair for pair in _COLUMNS if pair[0] in rows[0] and pair[1] in rows[0]), _COLUMNS[0])
    written: Callable[[str], str] = detokenize if is_tokenised(rows, keys[0]) else str
    pairs = []
    for row in rows:
        references = row.get(keys[1])
        references = [references] if isinstance(references, str) else column(row, keys[1], list)
        pairs.append((written(column(row, keys[0], str)), [written(str(each)) for each in references]))
    return pairs


_COLUMNS = (("source", "references"), ("source", "corrected"), ("wrong", "right"))


def column(row: dict[str, Any], key: str, kind: type) -> Any:
    """The value of a column. Raises UserError when it is missing, empty or of another kind."""
    value = row.get(key)
    if not isinstance(value, kind) or not value:
        what = "a text" if kind is str else "a list of texts"
        raise UserError(f"a row has no {key!r} ({what}): its keys are {', '.join(row)}")
    return value


def is_tokenised(rows: Rows, key: str) -> bool:
    """Whether most texts that end in a mark have a blank before it, as in Penn Treebank text."""
    ends = [str(row.get(key, ""))[-2:] for row in rows]
    marked = [end for end in ends if end[-1:] in {".", "?", "!"}]
    return 2 * sum(end[:1] == " " for end in marked) > len(marked)

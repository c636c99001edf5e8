"""Whether a new model is better than the served one: what both make of texts that neither was trained on, in figures.

    figures = figures_of(scored(served, rows, clean, None, 0), scored(candidate, rows, clean, None, 0))
    why = reasons(figures | {"verify": {"passed": True, "failed": []}})  # not to release it

A correction is sent in where the served model failed, and a rewrite is accepted where it did not: how the rows came about
favours the new model on the first and the served one on the second. So they are counted apart (`source` of a row, as the
export has it). On texts that a person wrote, and on changes that a person rejected, the new model must be better by F0.5, and in
right changes less wrong ones: where the served model changes next to nothing, F0.5 rises with the first few right ones,
however many wrong ones come with them. Of changes that were accepted it must not surely lose some, and what it does to those
texts besides is not counted, for nobody has judged it. Nor may it surely mend fewer of our own wrong sentences or change more
of the clean texts, or be less fair.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from space.proofread.prompt import MODES
from training.evaluation import metrics
from training.evaluation.behaviour import SUITES
from training.evaluation.edit_scores import best_match, edits, key
from training.evaluation.suites import SENTENCES, Case, Measure, Subject, objects, paired, pairs_of, sampled
from training.runs import pictures

_REPORTED = 100  # texts between two lines that say how far it is
_FEWEST_HELD_OUT = 10  # rows; the interval of fewer says more of the drawing than of the models

Row = dict[str, Any]


def scored(model: Path, held_out: Sequence[Row], clean: Sequence[str], limit: int | None, seed: int) -> Row:
    """What the pipeline makes of the texts with this model, as numbers: no text is stored.

    `held_out` and `accepted` have [true positives, false positives, false negatives] of the edits of each row, `sentences`
    [whether it was mended, 1] of each of our own wrong sentences, `clean` [whether it was changed, 1] of each clean text, `fair`
    by group [whether its edits depend on who is in it, 1] of each email.
    """
    subject = Subject(str(model), MODES[0])
    wrong = sampled([row for row in objects(SENTENCES) if row["type"] != "clean"], limit)
    _proofread(subject, [(row["prompt"], row["mode"]) for row in held_out])
    _proofread(subject, [(text, MODES[0]) for text in (*(text for text, _ in pairs_of(wrong)), *clean)])
    counts: dict[bool, list[list[int]]] = {True: [], False: []}
    for row in held_out:
        output = subject.correct(row["prompt"], row["mode"])
        counts[row.get("source") == "accepted"].append(edit_counts(row, output))
    fair = SUITES["fair"]
    dependent: dict[str, list[list[int]]] = {}
    for case in fair.run(fair.rows(None, limit), subject, seed).cases:
        for group, count in case.counts.items():
            dependent.setdefault(group, []).append(count)
    return {
        "held_out": counts[False],
        "accepted": counts[True],
        "sentences": [[int(subject.correct(text) in right), 1] for text, right in pairs_of(wrong)],
        "clean": [[int(subject.correct(text) != text), 1] for text in clean],
        "fair": dependent,
    }


def _proofread(subject: Subject, texts: Sequence[tuple[str, str]]) -> None:
    """Has the subject make what it will be asked for, and says how long that takes: each text is proofread once."""
    began = time.monotonic()
    for done, (text, mode) in enumerate(texts, 1):
        subject.correct(text, mode)
        if done % _REPORTED == 0 or done == len(texts):
            left = (time.monotonic() - began) / done * (len(texts) - done) / 60
            print(f"{done} of {len(texts)} texts  {left:.1f} minutes left", file=sys.stderr, flush=True)


def edit_counts(row: Mapping[str, Any], text: str) -> list[int]:
    """[true positives, false positives, false negatives] of what became of a row's prompt.

    Where a person only sorted the changes of a rewrite, those that they rejected are the false ones: of others nothing is
    known.

    >>> row = {"prompt": "I has teh file.", "references": ["I have teh file."], "rejected": ["I have teh files."]}
    >>> edit_counts(row, "I have teh files."), edit_counts(row, "I have the file.")
    ([1, 1, 0], [1, 0, 0])
    """
    source = row["prompt"]
    match = best_match(edits(source, text), [edits(source, reference) for reference in row["references"]])
    true_positives, false_positives, false_negatives = match.counts()
    if row.get("rejected"):
        rejected = {key(edit) for each in row["rejected"] for edit in edits(source, each)}
        false_positives = sum(key(edit) in rejected for edit in match.false_positives)
    return [true_positives, false_positives, false_negatives]


# ---- both models -------------------------------------------------------------------------------------------


def figures_of(served: Row, candidate: Row) -> Row:
    """From what `scored` returned for two models: F0.5 of the held-out rows and right less wrong changes in 100 of them, the
    share of accepted changes that each makes too, of sentences mended, of clean texts changed and of emails whose edits depend
    on who is in them, with the difference and its 95 % interval; all in percent."""
    return {
        "held_out": _apart(served["held_out"], candidate["held_out"], Measure("edits", metrics.f_half)),
        "net": _apart(_net(served), _net(candidate), Measure("changes", metrics.percent)),
        "accepted": _apart(served["accepted"], candidate["accepted"], Measure("edits", metrics.recall)),
        "sentences": _apart(served["sentences"], candidate["sentences"], Measure("mended", metrics.percent)),
        "clean": _apart(
            served["clean"], candidate["clean"], Measure("changed", metrics.percent, higher=False)
        ),
        "fair": {
            group: _apart(counts, candidate["fair"][group], Measure("depends", metrics.percent, higher=False))
            for group, counts in served["fair"].items()
        },
    }


def _net(scores: Row) -> list[list[int]]:
    return [[right - wrong, 1] for right, wrong, _ in scores["held_out"]]


def _apart(served: Sequence[Any], candidate: Sequence[Any], measure: Measure) -> Row:
    first, second = (
        [Case(str(row), "", [], {measure.key: counts}) for row, counts in enumerate(each)]
        for each in (served, candidate)
    )
    sides = _sides(_number(measure(first)), _number(measure(second)))
    return {"rows": len(first), **sides, **paired(first, second, measure)}


def _sides(served: float | None, candidate: float | None) -> Row:
    return {"served": served, "candidate": candidate}


def _number(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 2)


# ---- the decision ------------------------------------------------------------------------------------------


def reasons(figures: Row, margin: float = 0.0) -> list[str]:
    """Why the new model is not to be released, a line for each reason; none if it is.

    It has to say what its folder says; to be better on the held-out rows with 95 % confidence, in both figures; and on what was
    accepted, on our own sentences, on clean text and in each group of the fairness suite not to be worse, with the same
    confidence, by more than `margin` percentage points.
    """
    if figures.get("same"):
        return ["it is what is served already: it was released before, and no other feedback has come since"]
    why = not_verified(figures["verify"])
    why += _not_better(figures["held_out"], figures["net"])
    for each, does, what in (
        (figures["accepted"], "loses what was accepted: it makes", "the changes in {} texts"),
        (figures["sentences"], "worse on our own sentences: it mends", "{}"),
        (figures["clean"], "worse on clean text: it changes", "{} texts"),
        *(
            (each, f"less fair to {group}: it changes differently", "{} emails")
            for group, each in figures["fair"].items()
        ),
    ):
        if each["verdict"] == "worse" and abs(_grown(each)) > margin:
            why.append(
                f"{does} {each['candidate']} % of {what.format(each['rows'])}, the served model {each['served']} %; "
                f"difference {with_interval(each['difference'])}"
            )
    return why


def not_verified(verified: Row) -> list[str]:
    """The reason that a file gives which failed a comparison with its folder."""
    if verified["passed"]:
        return []
    failed = ", ".join(verified["failed"])
    return [f"the file does not say what the trained model says ({failed}): see conversion verify"]


def _grown(sides: Row) -> float:
    """By how many points; rounded, or 0.8 would be more than 0.1 above 0.7."""
    return round(sides["candidate"] - sides["served"], 2)


def _not_better(held_out: Row, net: Row) -> list[str]:
    difference = held_out["difference"]
    if difference["value"] is None or held_out["rows"] < _FEWEST_HELD_OUT:
        return [
            f"nothing to judge by: {held_out['rows']} held-out rows; wait for more feedback, or give --evaluation"
        ]
    if held_out["verdict"] == "better":
        return [] if net["verdict"] == "better" else [_not_more_right(net)]
    what = "worse" if held_out["verdict"] == "worse" else "not surely better"
    return [
        f"{what} on {held_out['rows']} held-out rows: F0.5 {held_out['candidate']}, the served model "
        f"{held_out['served']}; difference {with_interval(difference)}"
    ]


def _not_more_right(net: Row) -> str:
    return (
        f"better on {net['rows']} held-out rows by making more changes, not surely by more right ones: right less wrong ones in 100 rows "
        f"{net['candidate']}, the served model {net['served']}; difference {with_interval(net['difference'])}"
    )


def with_interval(difference: Row) -> str:
    return f"{difference['value']} ({difference['low']} to {difference['high']})"


# ---- what is shown -----------------------------------------------------------------------------------------


def draw(path: Path, figures: Row) -> None:
    """Both models side by side, all in percent."""
    pairs = {
        "held-out F0.5": figures["held_out"],
        "accepted changes made": figures["accepted"],
        "own sentences mended": figures["sentences"],
        "clean changed": figures["clean"],
        **figures["fair"],
    }
    values: dict[str, pictures.Bar] = {
        f"{name}, {side}": pair[side]
        for name, pair in pairs.items()
        for side in ("served", "candidate")
        if pair[side] is not None
    }
    pictures.bars(path, values, "The served model and the new one", "%")


def scores(figures: Row) -> Row:
    """The figures that `training compare` lists."""
    names = {
        "held_out": "held_out_f0.5",
        "accepted": "accepted_made_percent",
        "sentences": "sentences_mended_percent",
        "clean": "clean_changed_percent",
    }
    return {
        f"{name}_{side}": figures[group].get(side)
        for group, name in names.items()
        for side in ("served", "candidate")
    }

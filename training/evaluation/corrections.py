"""The suites about corrections: what is mended, what is missed, and what is changed without need."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from space.proofread.prompt import WORDS
from training.data.align import fixes
from training.data.corpus import detokenize
from training.evaluation import metrics
from training.evaluation.metrics import Edit, Match, interval, percent
from training.evaluation.noise import Slip, spoil, typo
from training.evaluation.suites import (
    SENTENCES,
    Case,
    Gleu,
    Measure,
    Report,
    Rows,
    Subject,
    Suite,
    column,
    pairs_of,
    texts_of,
)  # fmt: skip


def jfleg(rows: Rows, subject: Subject, seed: int) -> Report:
    """GLEU of tokenised sentences against several references."""
    counts, cases = [], []
    for row in rows:
        source, references = column(row, "source", str), column(row, "references", list)
        text = detokenize(source)
        output = subject.correct(text)
        # The references are tokenised: what the pipeline left alone must come back as it stood there.
        tokens = source.split() if output == text else metrics.tokenize(output)
        counts.append([metrics.gleu_counts(source.split(), each.split(), tokens) for each in references])
        cases.append(Case(text, output, [detokenize(each) for each in references], {"gleu": counts[-1]}))
    return Report({"gleu": metrics.gleu_interval(counts, seed)}, cases)


def corrections(rows: Rows, subject: Subject, seed: int) -> Report:
    """Precision, recall and F0.5 of the edits, each sentence against the reference that suits it best."""
    cases = [Case(source, subject.correct(source), references) for source, references in pairs_of(rows)]
    matches = [_match(case) for case in cases]
    counted = [
        replace(case, counts={"edits": match.counts()}) for case, match in zip(cases, matches, strict=True)
    ]
    return Report(metrics.edit_figures(matches), counted)


def _match(case: Case) -> Match:
    wanted = [metrics.edits(case.source, reference) for reference in case.references]
    return metrics.best_match(metrics.edits(case.source, case.output), wanted)


def clean(rows: Rows, subject: Subject, seed: int) -> Report:
    """The share of clean texts that are changed at all: less is better."""
    outputs = [(text, subject.correct(text)) for text in texts_of(rows)]
    changed = [[text != output, 1] for text, output in outputs]
    cases = [
        Case(text, output, [text], {"changed": count})
        for (text, output), count in zip(outputs, changed, strict=True)
    ]
    return Report({"changed_percent": interval(changed, percent), "texts": len(cases)}, cases)


def sentences(rows: Rows, subject: Subject, seed: int) -> Report:
    """The share of our own wrong sentences that come back as one of the accepted corrections, by type."""
    by_type: dict[str, list[list[int]]] = {}
    cases: list[Case] = []
    for row, (source, references) in zip(rows, pairs_of(rows), strict=True):
        kind, output = row.get("type", "untyped"), subject.correct(source)
        count = [output in references, 1]
        cases.append(Case(source, output, references, {"kept" if kind == "clean" else "corrected": count}))
        by_type.setdefault(kind, []).append(count)
    kept = by_type.pop("clean", None)
    wrong = [count for counts in by_type.values() for count in counts]
    figures: dict[str, Any] = {"corrected_percent": interval(wrong, percent)} if wrong else {}
    if kept:
        figures["clean_kept_percent"] = interval(kept, percent)
    by_type_figures = {kind: interval(counts, percent) for kind, counts in by_type.items()}
    return Report({**figures, "corrected_by_type": by_type_figures}, cases)


def wer(rows: Rows, subject: Subject, seed: int) -> Report:
    """Word error rate against the nearest reference, of the text as it was and as it became."""
    cases = [Case(source, subject.correct(source), references) for source, references in pairs_of(rows)]
    before = np.array([metrics.word_errors(case.source, case.references) for case in cases])
    after = np.array([metrics.word_errors(case.output, case.references) for case in cases])
    cases = [
        replace(case, counts={"errors": count}) for case, count in zip(cases, after.tolist(), strict=True)
    ]
    figures = {
        "before_percent": interval(before, percent),
        "after_percent": interval(after, percent),
        "change_points": interval(np.hstack([before, after]), lambda s: percent(s[..., 2:]) - percent(s)),
    }
    return Report(figures, cases)


# ---- noise -------------------------------------------------------------------------------------------------


def noise(rows: Rows, subject: Subject, seed: int) -> Report:
    """Emails with known slips: what share is repaired, by kind, and what share of the changes repairs one."""
    rng = random.Random(seed)
    cases, repaired, changes, nearer = [], [], [], []
    outcomes: list[list[tuple[str, bool]]] = []
    for good in texts_of(rows):
        bad, slips = spoil(good, rng)
        fixed = subject.correct(bad)
        mended, useful = repairs(bad, fixed, slips)
        repaired.append([sum(mended), len(mended)])
        changes.append([sum(useful), len(useful)])
        nearer.append([_wrong_words(fixed, good) - _wrong_words(bad, good), 1])
        counts = {
            "exact": [fixed == good, 1],
            "nearer": nearer[-1],
            "repaired": repaired[-1],
            "changes": changes[-1],
        }
        cases.append(Case(bad, fixed, [good], counts))
        outcomes.append([(slip.kind, done) for slip, done in zip(slips, mended, strict=True)])

    def repaired_of(kind: str) -> metrics.Figure:
        own = [[done for each, done in outcome if each == kind] for outcome in outcomes]
        return interval([[sum(done), len(done)] for done in own], percent)

    kinds = sorted({kind for outcome in outcomes for kind, _ in outcome})
    figures = {
        "exact_percent": interval([[case.right, 1] for case in cases], percent),
        "wrong_words_change": interval(nearer, metrics.mean),
        "repaired_percent": interval(repaired, percent),
        "precision": interval(changes, percent),
        "slips": sum(count for _, count in repaired),
        "repaired_by_type": {kind: repaired_of(kind) for kind in kinds},
    }
    return Report(figures, cases)


def repairs(bad: str, fixed: str, slips: Sequence[Slip]) -> tuple[list[bool], list[bool]]:
    """For each slip whether it was undone, and for each edit made whether it undid a slip.

    An edit that overlaps a slip without being its very repair ("the the": which of the two goes?) is judged
    by whether the words there are now the original ones; an edit that overlaps no slip is needless.
    """
    words = WORDS.findall(bad)
    wanted, made = [_slip_edit(bad, slip) for slip in slips], metrics.edits(bad, fixed)
    mended, useful = [slip in made for slip in wanted], [edit in wanted for edit in made]
    for i, slip in enumerate(wanted):
        if mended[i]:
            continue
        own, inside, start, end = _around(
            slip, [e for e, done in zip(made, useful, strict=True) if not done], wanted
        )
        now, original = (metrics.applied(words[:end], chosen)[start:] for chosen in (own, inside))
        if own and now == original:
            mended = [done or other in inside for done, other in zip(mended, wanted, strict=True)]
            useful = [done or edit in own for done, edit in zip(useful, made, strict=True)]
    return mended, useful


def _around(
    slip: Edit, made: Sequence[Edit], wanted: Sequence[Edit]
) -> tuple[list[Edit], list[Edit], int, int]:
    """The edits and slips that overlap a slip or each other, and the words [start, end) that they cover."""
    start, end = slip.start, slip.end
    while True:
        own = [edit for edit in made if _overlap(edit, start, end)]
        inside = [each for each in wanted if each is slip or _overlap(each, start, end)]
        covered = [*own, *inside]
        grown = min(each.start for each in covered), max(each.end for each in covered)
        if grown == (start, end):
            inside = [each for each in wanted if start <= each.start and each.end <= end]
            return own, inside, start, end
        start, end = grown


def _slip_edit(bad: str, slip: Slip) -> Edit:
    """The slip's repair in words of the spoilt text."""
    start = len(WORDS.findall(bad[: slip.start]))
    return Edit(start, start + len(WORDS.findall(slip.wrong)), tuple(WORDS.findall(slip.right)), slip.kind)


def _overlap(edit: Edit, start: int, end: int) -> bool:
    """Whether an edit shares a word with [start, end); a place between two words belongs to both of them."""
    if start == end:
        return edit.start <= start <= edit.end
    return edit.start < end and start < edit.end


def _wrong_words(text: str, good: str) -> int:
    return sum(fix is not None for *_, fix in fixes(text, good))


# ---- robustness --------------------------------------------------------------------------------------------

_SMILE = " \N{SLIGHTLY SMILING FACE}"


def _bare(text: str) -> str:
    return " ".join(re.sub(r"[.,;:!?]+(?=\s|$)", "", text).split())


def _wrapped(text: str) -> str:
    """The text over two lines, as mail programs that end lines with CR LF wrap it."""
    middle = text.find(" ", len(text) // 2)
    return text if middle < 0 else f"{text[:middle]}\r\n{text[middle + 1 :]}"


def robust(rows: Rows, subject: Subject, seed: int) -> Report:
    """F0.5 of the edits on the same texts lower-cased, without marks, with a typo, over CR LF lines, with
    emoji.

    What nobody could know is undone before texts are compared: capitals of lower-cased texts do not count,
    nor marks where they were removed. Edits are counted from the unperturbed text, so that a typo left in is
    a needless edit. `lost` is the F0.5 on the unperturbed texts, compared in the same way, less this one.
    """
    rng = random.Random(seed)
    perturbations: dict[str, tuple[Callable[[str], str], Callable[[str], str]]] = {
        "lower_case": (str.lower, str.lower),
        "no_marks": (_bare, _bare),
        "typos": (lambda text: typo(text, rng), str),
        "crlf": (_wrapped, lambda text: text.replace("\r\n", " ")),
        "emoji": (lambda text: text + _SMILE, lambda text: text.removesuffix(_SMILE)),
    }
    pairs = pairs_of(rows)
    plain = [Case(source, subject.correct(source), references) for source, references in pairs]
    counts = [_match(case).counts() for case in plain]
    figures: dict[str, Any] = {"plain": {"f0.5": interval(counts, metrics.f_half)}}
    cases, line_ends = [], []
    for name, (perturb, undo) in perturbations.items():
        both = []
        for case in plain:
            asked = perturb(case.source)
            output = subject.correct(asked)
            usual = Case(undo(case.source), undo(case.output), [undo(each) for each in case.references])
            perturbed = replace(usual, output=undo(output))
            both.append([*_match(usual).counts(), *_match(perturbed).counts()])
            cases.append(replace(perturbed, source=undo(asked), counts={name: both[-1]}))
            if "\r\n" in asked:
                line_ends.append([output.count("\r\n") == 1, 1])
        figures[name] = {
            "f0.5": interval(both, _f_half_perturbed),
            "lost": interval(both, _lost),
        }
    if line_ends:
        figures["line_ends_kept_percent"] = interval(line_ends, percent)
    return Report(figures, cases)


def _f_half_perturbed(sums: np.ndarray) -> np.ndarray:
    return metrics.f_half(sums[..., 3:])


def _lost(sums: np.ndarray) -> np.ndarray:
    return metrics.f_half(sums) - metrics.f_half(sums[..., 3:])


_PERTURBATIONS = ("lower_case", "no_marks", "typos", "crlf", "emoji")
_EDITS = {
    "f0.5": Measure("edits", metrics.f_half, empty=100.0),
    "precision": Measure("edits", metrics.precision),
    "recall": Measure("edits", metrics.recall),
}
SUITES = {
    "jfleg": Suite(jfleg, "jfleg_dev.jsonl", {"gleu": Gleu()}),
    "edits": Suite(corrections, "jfleg_dev.jsonl", _EDITS),
    "cweb": Suite(corrections, "cweb_dev.jsonl", _EDITS),
    "clean": Suite(clean, "emails_dev.jsonl", {"changed_percent": Measure("changed", percent, higher=False)}),
    "noise": Suite(
        noise,
        "emails_dev.jsonl",
        {
            "wrong_words_change": Measure("nearer", metrics.mean, higher=False),
            "exact_percent": Measure("exact", percent),
            "repaired_percent": Measure("repaired", percent),
            "precision": Measure("changes", percent),
        },
    ),
    "sentences": Suite(
        sentences,
        SENTENCES,
        {"corrected_percent": Measure("corrected", percent), "clean_kept_percent": Measure("kept", percent)},
    ),
    "wer": Suite(wer, SENTENCES, {"after_percent": Measure("errors", percent, higher=False)}),
    "robust": Suite(
        robust,
        SENTENCES,
        {f"{name} f0.5": Measure(name, _f_half_perturbed, empty=100.0) for name in _PERTURBATIONS},
    ),
}

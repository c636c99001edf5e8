"""The suites about corrections: what is corrected, what is missed, and what is changed without need."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Any

import numpy as np

from space.proofread.edits import Edit
from training.data.corpus import detokenize
from training.data.corrupt import wrong_words
from training.data.gleu import gleu_counts, tokenize
from training.evaluation import metrics
from training.evaluation.edit_scores import Match, best_match, edit_figures, edits, key, words_after
from training.evaluation.metrics import interval, percent
from training.evaluation.noise import inject_errors, typo
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
        tokens = source.split() if output == text else tokenize(output)
        counts.append([gleu_counts(source.split(), each.split(), tokens) for each in references])
        cases.append(Case(text, output, [detokenize(each) for each in references], {"gleu": counts[-1]}))
    return Report({"gleu": metrics.gleu_interval(counts, seed)}, cases)


def corrections(rows: Rows, subject: Subject, seed: int) -> Report:
    """Precision, recall and F0.5 of the edits, each sentence against the reference that suits it best."""
    cases = [Case(source, subject.correct(source), references) for source, references in pairs_of(rows)]
    matches = [_match(case) for case in cases]
    counted = [
        replace(case, counts={"edits": match.counts()}) for case, match in zip(cases, matches, strict=True)
    ]
    return Report(edit_figures(matches), counted)


def _match(case: Case) -> Match:
    references = [edits(case.source, reference) for reference in case.references]
    return best_match(edits(case.source, case.output), references)


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
    """Emails with injected errors: what share is repaired, by kind, and what share of the changes repairs one."""
    rng = random.Random(seed)
    cases: list[Case] = []
    by_kind: list[dict[str, list[int]]] = []  # of each email: repaired and injected
    for clean in texts_of(rows):
        noisy, injected = inject_errors(clean, rng)
        output = subject.correct(noisy)
        repaired, useful = repairs(noisy, output, injected)
        nearer = _wrong_words(output, clean) - _wrong_words(noisy, clean)
        counts = {
            "exact": [output == clean, 1],
            "nearer": [nearer, 1],
            "repaired": [sum(repaired), len(repaired)],
            "changes": [sum(useful), len(useful)],
        }
        cases.append(Case(noisy, output, [clean], counts))
        by_kind.append({})
        for edit, done in zip(injected, repaired, strict=True):
            count = by_kind[-1].setdefault(edit.kind, [0, 0])
            count[0] += done
            count[1] += 1

    def figure(name: str, statistic: metrics.Statistic = percent) -> metrics.Figure:
        return interval([case.counts[name] for case in cases], statistic)

    kinds = sorted({kind for counts in by_kind for kind in counts})
    figures = {
        "exact_percent": figure("exact"),
        "wrong_words_change": figure("nearer", metrics.mean),
        "repaired_percent": figure("repaired"),
        "precision": figure("changes"),
        "injected": sum(case.counts["repaired"][1] for case in cases),
        "repaired_by_type": {
            kind: interval([counts.get(kind, [0, 0]) for counts in by_kind], percent) for kind in kinds
        },
    }
    return Report(figures, cases)


def repairs(noisy: str, output: str, injected: Sequence[Edit]) -> tuple[list[bool], list[bool]]:
    """For each injected error whether it was repaired, and for each edit made whether it repaired one.

    `injected` are the edits that repair the noisy text. An edit that overlaps one of them without being the very same
    ("the the": which of the two goes?) is judged by whether the words there are now the original ones; an edit that
    overlaps none is needless.
    """
    injected = [_without_blanks(noisy, edit) for edit in injected]
    made = edits(noisy, output)
    ours, theirs = {key(edit) for edit in made}, {key(edit) for edit in injected}
    repaired = [key(edit) in ours for edit in injected]
    useful = [key(edit) in theirs for edit in made]
    for i, edit in enumerate(injected):
        if repaired[i]:
            continue
        others = [each for each, done in zip(made, useful, strict=True) if not done]
        own, inside = _around(noisy, edit, others, injected)
        start = min(each.start for each in (*own, *inside))
        end = max(each.end for each in (*own, *inside))
        if own and words_after(noisy, own, start, end) == words_after(noisy, inside, start, end):
            repaired = [done or each in inside for done, each in zip(repaired, injected, strict=True)]
            useful = [done or each in own for done, each in zip(useful, made, strict=True)]
    return repaired, useful


def _without_blanks(text: str, edit: Edit) -> Edit:
    """The edit where `edits` has it: with no blank at its ends, and right behind a word if it only puts words in."""
    start = edit.start + len(edit.before) - len(edit.before.lstrip())
    end = edit.start + len(edit.before.rstrip())
    if end <= start:
        start = end = len(text[:start].rstrip())
    return replace(edit, start=start, end=end, before=text[start:end], after=edit.after.strip())


def _around(
    text: str, edit: Edit, made: Sequence[Edit], injected: Sequence[Edit]
) -> tuple[list[Edit], list[Edit]]:
    """The edits made, and those injected, that overlap an injected one or each other."""
    # Counted in letters and marks, so that what ends before a blank touches what begins behind it.
    at = list(accumulate((not c.isspace() for c in text), initial=0))
    start, end = at[edit.start], at[edit.end]
    while True:
        own = [each for each in made if _overlap(at[each.start], at[each.end], start, end)]
        covered = [
            *own,
            *(
                each
                for each in injected
                if each is edit or _overlap(at[each.start], at[each.end], start, end)
            ),
        ]
        grown = min(at[each.start] for each in covered), max(at[each.end] for each in covered)
        if grown == (start, end):
            return own, [each for each in injected if start <= at[each.start] and at[each.end] <= end]
        start, end = grown


def _overlap(start: int, end: int, first: int, last: int) -> bool:
    """Whether [start, end) shares a character with [first, last); an empty place belongs to both of its neighbours."""
    if first == last:
        return start <= first <= end
    return start < last and first < end


def _wrong_words(text: str, good: str) -> int:
    return sum(wrong for *_, wrong in wrong_words(text, good))


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

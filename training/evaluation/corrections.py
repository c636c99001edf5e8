"""The suites about corrections: what is corrected, what is missed, and what is changed without need."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from space.errors import UserError
from training.data.corpus import detokenize
from training.data.gleu import gleu_counts, tokenize
from training.data.pairs import is_held_back
from training.evaluation import metrics
from training.evaluation.edit_scores import Match, best_match, edit_figures, edits, repairs, wrong_words
from training.evaluation.metrics import interval, percent
from training.evaluation.noise import inject_errors, typo
from training.evaluation.suites import (
    MAILS,
    SENTENCES,
    Case,
    Gleu,
    Measure,
    Report,
    Rows,
    Subject,
    Suite,
    column,
    main_figures,
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


_CLEAN = {"changed_percent": Measure("changed", percent, higher=False)}


def clean(rows: Rows, subject: Subject, seed: int) -> Report:
    """The share of clean texts that are changed at all: less is better."""
    outputs = [(text, subject.correct(text)) for text in texts_of(rows)]
    cases = [Case(text, output, [text], {"changed": [text != output, 1]}) for text, output in outputs]
    return Report({**main_figures(_CLEAN, cases), "texts": len(cases)}, cases)


def unflagged(rows: Rows, subject: Subject, seed: int) -> Report:
    """`clean` of the texts that are held back from training (hard ones, which a rule of another checker must not flag)."""
    held = [row for row in rows if is_held_back(row)]
    if not held:
        raise UserError("none of these texts is held back from training; give more of them")
    return clean(held, subject, seed)


def mails(rows: Rows, subject: Subject, seed: int) -> Report:
    """Whole emails: `corrections` of those with slips, and of the right ones the share that is changed."""
    right = [{"text": source} for source, (corrected,) in pairs_of(rows) if source == corrected]
    slips = [row for row in rows if row["source"] != row["corrected"]]
    mended = corrections(slips, subject, seed) if slips else Report({}, [])
    kept = clean(right, subject, seed) if right else Report({}, [])
    figures = {"clean_changed_percent": kept.figures["changed_percent"]} if right else {}
    return Report({**mended.figures, **figures}, [*mended.cases, *kept.cases])


_SENTENCES = {
    "corrected_percent": Measure("corrected", percent),
    "clean_kept_percent": Measure("unchanged", percent),
    # By a user who takes the right ones of what is offered.
    "with_suggestions_percent": Measure("suggested", percent),
}


def sentences(rows: Rows, subject: Subject, seed: int) -> Report:
    """The share of our own wrong sentences that come back as one of the accepted corrections, by type."""
    by_type: dict[str, list[Case]] = {}
    for row, (source, references) in zip(rows, pairs_of(rows), strict=True):
        kind, output = row.get("type", "untyped"), subject.correct(source)
        counts = {"unchanged" if kind == "clean" else "corrected": [output in references, 1]}
        if kind != "clean":
            offered = subject.with_suggestions(source)
            counts["suggested"] = [any(text in references for text in offered), 1]
        case = Case(source, output, references, counts)
        by_type.setdefault(kind, []).append(case)
    cases = [case for own in by_type.values() for case in own]
    corrected = {
        kind: _SENTENCES["corrected_percent"].figure(own) for kind, own in by_type.items() if kind != "clean"
    }
    return Report({**main_figures(_SENTENCES, cases), "corrected_by_type": corrected}, cases)


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


_NOISE = {
    "wrong_words_change": Measure("nearer", metrics.mean, higher=False),
    "exact_percent": Measure("exact", percent),
    "repaired_percent": Measure("repaired", percent),
    "precision": Measure("changes", percent),
}


def noise(rows: Rows, subject: Subject, seed: int) -> Report:
    """Emails with injected errors: what share is repaired, by kind, and what share of the changes repairs one."""
    rng = random.Random(seed)
    cases: list[Case] = []
    by_kind: list[dict[str, list[int]]] = []  # of each email: repaired and injected
    for clean in texts_of(rows):
        noisy, injected = inject_errors(clean, rng)
        output = subject.correct(noisy)
        repaired, useful = repairs(noisy, output, injected)
        nearer = wrong_words(output, clean) - wrong_words(noisy, clean)
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

    kinds = sorted({kind for counts in by_kind for kind in counts})
    figures = {
        **main_figures(_NOISE, cases),
        "injected": sum(case.counts["repaired"][1] for case in cases),
        "repaired_by_type": {
            kind: interval([counts.get(kind, [0, 0]) for counts in by_kind], percent) for kind in kinds
        },
    }
    return Report(figures, cases)


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
_MAILS = {**_EDITS, "clean_changed_percent": _CLEAN["changed_percent"]}
SUITES = {
    "jfleg": Suite(jfleg, "jfleg_dev.jsonl", {"gleu": Gleu()}),
    "edits": Suite(corrections, "jfleg_dev.jsonl", _EDITS),
    "cweb": Suite(corrections, "cweb_dev.jsonl", _EDITS),
    "clean": Suite(clean, "emails_dev.jsonl", _CLEAN),
    "unflagged": Suite(unflagged, "harper_clean.jsonl", _CLEAN),
    "noise": Suite(noise, "emails_dev.jsonl", _NOISE),
    "sentences": Suite(sentences, SENTENCES, _SENTENCES),
    "mails": Suite(mails, MAILS, _MAILS),
    "wer": Suite(wer, SENTENCES, {"after_percent": Measure("errors", percent, higher=False)}),
    "robust": Suite(
        robust,
        SENTENCES,
        {f"{name} f0.5": Measure(name, _f_half_perturbed, empty=100.0) for name in _PERTURBATIONS},
    ),
}

"""The suites about conduct: the same email under another name, and rude drafts made courteous.

fair: an email is written once with slots; every filling of a slot must get the same edits and the same tone.
tone: impolite drafts in both modes: `polish` must raise politeness and lose no fact, `proofread` must leave
the tone alone.

Tone is judged by the app's own classifier, which also steers the rewrites: these figures say that the
pipeline does what it sets out to do, not that a person would agree.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from space.errors import UserError
from space.proofread.classifiers.tone import Tone
from space.proofread.guard import protected
from training.evaluation import metrics
from training.evaluation.metrics import interval, largest, mean, percent
from training.evaluation.suites import EVALUATION, Case, Measure, Report, Rows, Subject, Suite, column

FAIR, IMPOLITE = EVALUATION / "fair.jsonl", EVALUATION / "impolite.jsonl"

# How far P(polite) - P(impolite) may move when a text is only corrected: the margin of space.proofread.pipeline.
_TONE_MARGIN = 0.25


# ---- fairness ----------------------------------------------------------------------------------------------

_SLOT = re.compile(r"\{(\w+)\}")

# First names by where they are most usual. Each is one plain word, so that edits stand at the same words in
# all versions.
NAMES = {
    "English": ("Emily", "James", "Claire", "Oliver"),
    "Black American": ("Lakisha", "Jamal", "Ebony", "Darnell"),
    "Arabic": ("Fatima", "Omar", "Layla", "Youssef"),
    "South Asian": ("Priya", "Rajesh", "Ananya", "Imran"),
    "Chinese": ("Xiaoling", "Jianwei", "Meihua", "Qiang"),
    "Vietnamese": ("Linh", "Nguyet", "Thuy", "Duc"),
    "West African": ("Chinonso", "Adaeze", "Kwame", "Oluwaseun"),
    "East Slavic": ("Svetlana", "Dmitri", "Oksana", "Bohdan"),
    "Spanish": ("Guadalupe", "Alejandro", "Ximena", "Joaquin"),
    "Turkish": ("Ayse", "Mehmet", "Elif", "Emre"),
    "Japanese": ("Haruka", "Kenji", "Yuko", "Takeshi"),
    "German": ("Anneliese", "Juergen", "Heike", "Wolfgang"),
}
_PRONOUNS = {
    "he": {"he": "he", "him": "him", "his": "his"},
    "she": {"he": "she", "him": "her", "his": "her"},
    "they": {"he": "they", "him": "them", "his": "their"},
}
# The same word as it is written or said in two countries.
_DIALECTS = {
    "British": "colour organise programme centre favour realise catalogue cheque holiday travelling licence "
    "labelled",
    "American": "color organize program center favor realize catalog check vacation traveling license "
    "labeled",
}
_GROUPS: dict[str, dict[str, dict[str, str]]] = {
    "names": {name: {"name": name} for names in NAMES.values() for name in names},
    "pronouns": _PRONOUNS,
    "dialect": {
        dialect: dict(zip(_DIALECTS["British"].split(), words.split(), strict=True))
        for dialect, words in _DIALECTS.items()
    },
}


def fair(rows: Rows, subject: Subject, seed: int) -> Report:
    """Emails with slots: the share whose edits depend on what fills a slot, and how far their tone scores
    move.

    `differ_percent` is over emails; the gaps are the largest, over emails, of the highest less the lowest
    score of their versions, each score P(polite) - P(impolite) or P(positive) - P(negative), -1 to 1.
    `politeness_shift` of an origin is the mean score under its names less the mean of the same email under
    all names.
    """
    figures: dict[str, Any] = {}
    cases: list[Case] = []
    for group, fillings in _GROUPS.items():
        texts = [
            text for row in rows if set(slots(text := column(row, "text", str))) & set(_common(fillings))
        ]
        if not texts:
            continue
        differ, sentiment, politeness = [], [], []
        for text in texts:
            versions = [filled(text, {**_FIRST, **words}) for words in fillings.values()]
            outputs = [subject.correct(version) for version in versions]
            made = [
                _edits_outside(version, output, words)
                for version, output, words in zip(versions, outputs, fillings.values(), strict=True)
            ]
            differ.append([any(each != made[0] for each in made), 1])
            cases += [
                # The email counts once, so its count stands with the first of its versions.
                Case(version, output, [output] if edits == made[0] else [], {} if k else {group: differ[-1]})
                for k, (version, output, edits) in enumerate(zip(versions, outputs, made, strict=True))
            ]
            tones = subject.tones(versions)
            sentiment.append([_balance(tone.sentiment.scores, "positive", "negative") for tone in tones])
            politeness.append([courtesy(tone) for tone in tones])
        figures[group] = {
            "differ_percent": interval(differ, percent),
            "sentiment_gap": largest(np.ptp(sentiment, axis=1), digits=3),
            "politeness_gap": largest(np.ptp(politeness, axis=1), digits=3),
        }
        if group == "names":
            figures["politeness_shift"] = _shifts(np.array(politeness))
    if not figures:
        raise UserError(f"no email has a slot: write {{name}}, {{he}}, {{his}} or one of {', '.join(_FIRST)}")
    return Report(figures, cases)


def slots(text: str) -> list[str]:
    """The names of the slots of an email, in order: "{Name} lost {his} key." has name and his."""
    return [slot.lower() for slot in _SLOT.findall(text)]


def filled(text: str, words: dict[str, str]) -> str:
    """The email with its slots filled; a slot at the start of a sentence is written with a capital.

    Raises UserError for a slot that has no word.
    """

    def word(match: re.Match[str]) -> str:
        slot = match[1]
        if slot.lower() not in words:
            raise UserError(f"an email has the slot {{{slot}}}: known are {', '.join(sorted(words))}")
        found = words[slot.lower()]
        return found[:1].upper() + found[1:] if slot[:1].isupper() else found

    return _SLOT.sub(word, text)


# What stands in the slots that are not being compared.
_FIRST = {slot: word for fillings in _GROUPS.values() for slot, word in next(iter(fillings.values())).items()}


def _common(fillings: dict[str, dict[str, str]]) -> list[str]:
    return list(next(iter(fillings.values())))


def _edits_outside(before: str, after: str, words: dict[str, str]) -> list[tuple[int, int, tuple[str, ...]]]:
    """The edits, with whatever fills a slot written as the slot, so that those of two versions can be
    compared."""
    slot_of = {word.casefold(): slot for slot, word in words.items()}
    return [
        (edit.start, edit.end, tuple(slot_of.get(word.casefold(), word) for word in edit.words))
        for edit in metrics.edits(before, after)
    ]


def _shifts(politeness: np.ndarray) -> dict[str, metrics.Figure]:
    """By origin, from (emails, names) of politeness."""
    origins = [origin for origin, names in NAMES.items() for _ in names]
    found = {}
    for origin in NAMES:
        own = politeness[:, [each == origin for each in origins]].mean(axis=1)
        shift = own - politeness.mean(axis=1)
        found[origin] = interval(np.stack([shift, np.ones(len(shift))], axis=1), mean, digits=3)
    return found


# ---- tone --------------------------------------------------------------------------------------------------


def courtesy(tone: Tone) -> float:
    """P(polite) - P(impolite), -1 to 1."""
    return _balance(tone.politeness.scores, "polite", "impolite")


def _balance(scores: dict[str, float], up: str, down: str) -> float:
    return scores[up] - scores[down]


def tone(rows: Rows, subject: Subject, seed: int) -> Report:
    """Impolite drafts: what `polish` makes of their politeness and facts, and whether `proofread` moves their
    tone.

    Politeness is P(polite) - P(impolite), -1 to 1; a rise counts from 0.01. Facts are the names, numbers,
    dates and links of `space.proofread.guard.protected`. `proofread` moves the tone when politeness changes by more
    than 0.25.
    """
    drafts = [column(row, "text", str) for row in rows]
    polished = [subject.correct(draft, "polish") for draft in drafts]
    proofread = [subject.correct(draft, "proofread") for draft in drafts]
    was, polite, corrected = (
        np.array([courtesy(each) for each in subject.tones(texts)]) for texts in (drafts, polished, proofread)
    )
    ones = np.ones(len(drafts))
    kept = [not Counter(protected(a)) - Counter(protected(b)) for a, b in zip(drafts, polished, strict=True)]
    moved = np.abs(corrected - was) > _TONE_MARGIN

    def share(flags: Sequence[bool] | np.ndarray) -> metrics.Figure:
        return interval(np.stack([np.array(flags, dtype=float), ones], axis=1), percent)

    figures = {
        "raised_percent": share(polite - was >= 0.01),
        "mean_rise": interval(np.stack([polite - was, ones], axis=1), mean, digits=3),
        "facts_kept_percent": share(kept),
        "proofread_moves_tone_percent": share(moved),
    }
    counts = {"rise": polite - was, "raised": polite - was >= 0.01, "kept": np.array(kept), "moved": moved}
    cases = [
        Case(draft, text, [], {name: [float(values[k]), 1.0] for name, values in counts.items()})
        for k, (draft, text) in enumerate(zip(drafts, polished, strict=True))
    ]
    return Report(figures, cases)


SUITES = {
    "fair": Suite(
        fair,
        FAIR,
        {f"{group} differ_percent": Measure(group, percent, higher=False) for group in _GROUPS},
    ),
    "tone": Suite(
        tone,
        IMPOLITE,
        {
            "mean_rise": Measure("rise", mean),
            "raised_percent": Measure("raised", percent),
            "facts_kept_percent": Measure("kept", percent),
            "proofread_moves_tone_percent": Measure("moved", percent, higher=False),
        },
    ),
}

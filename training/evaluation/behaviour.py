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
from space.proofread.lexicon import Lexicon
from space.proofread.protect import facts
from space.proofread.words import WORDS
from training.evaluation import metrics
from training.evaluation.edit_scores import edits
from training.evaluation.metrics import interval, largest, mean, percent
from training.evaluation.suites import (
    EVALUATION,
    Case,
    Measure,
    Report,
    Rows,
    Subject,
    Suite,
    column,
    main_figures,
)  # fmt: skip

FAIR, IMPOLITE = EVALUATION / "fair.jsonl", EVALUATION / "impolite.jsonl"

# How far P(polite) - P(impolite) may move when a text is only corrected: the margin of space.proofread.pipeline.
_TONE_MARGIN = 0.25


# ---- fairness ----------------------------------------------------------------------------------------------

_SLOT = re.compile(r"\{(\w+)\}")


def _read(name: str) -> list[list[str]]:
    """The rows of a list of cells between tabs; its first line says what it is."""
    _, *lines = (EVALUATION / f"fair_{name}.tsv").read_text(encoding="utf-8").splitlines()
    return [line.split("\t") for line in lines]


NAMES = {origin: names for origin, *names in _read("names")}
# By group and version what fills each slot.
_GROUPS: dict[str, dict[str, dict[str, str]]] = {
    "names": {name: {"name": name} for names in NAMES.values() for name in names}
}
for _group, _version, *_slots in _read("slots"):
    _GROUPS.setdefault(_group, {})[_version] = dict(each.split("=") for each in _slots)
# What stands in the slots that are not being compared.
_FIRST = {slot: word for fillings in _GROUPS.values() for slot, word in next(iter(fillings.values())).items()}


def fair(rows: Rows, subject: Subject, seed: int) -> Report:
    """Emails with slots: the share whose edits depend on what fills a slot, and how far their tone scores move.

    `differ_percent` is over emails; the gaps are the largest, over emails, of the highest less the lowest score of their
    versions, each score P(polite) - P(impolite) or P(positive) - P(negative), -1 to 1. `politeness_shift` of an origin is
    the mean score under its names less the mean of the same email under all names.
    """
    figures: dict[str, Any] = {}
    cases: list[Case] = []
    for group, fillings in _GROUPS.items():
        compared = next(iter(fillings.values())).keys()
        texts = [text for row in rows if compared & set(slots(text := column(row, "text", str)))]
        if not texts:
            continue
        tones: list[Tone] = []
        for text in texts:
            versions = [filled(text, {**_FIRST, **words}) for words in fillings.values()]
            cases += _versions(group, versions, [subject.correct(version) for version in versions])
            tones += subject.tones(versions)
        shape = (len(texts), len(fillings))
        sentiment = np.reshape(
            [_balance(tone.sentiment.scores, "positive", "negative") for tone in tones], shape
        )
        politeness = np.reshape([courtesy(tone) for tone in tones], shape)
        figures[group] = {
            "differ_percent": Measure(group, percent).figure(cases),
            "sentiment_gap": largest(np.ptp(sentiment, axis=1), digits=3),
            "politeness_gap": largest(np.ptp(politeness, axis=1), digits=3),
        }
        if group == "names":
            figures["politeness_shift"] = _shifts(politeness)
    if not figures:
        raise UserError(f"no email has a slot: write {{name}}, {{he}}, {{his}} or one of {', '.join(_FIRST)}")
    return Report(figures, cases)


def _versions(group: str, versions: Sequence[str], outputs: Sequence[str]) -> list[Case]:
    """The versions of one email, right where their edits are those of the first.

    The email counts once, so whether any of them differ stands with the first.
    """
    fillings = _GROUPS[group].values()
    found = [_edits_outside(*each) for each in zip(versions, outputs, fillings, strict=True)]
    differ = {group: [any(each != found[0] for each in found), 1]}
    return [
        Case(version, output, [output] if own == found[0] else [], differ if k == 0 else {})
        for k, (version, output, own) in enumerate(zip(versions, outputs, found, strict=True))
    ]


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


def _edits_outside(before: str, after: str, words: dict[str, str]) -> list[tuple[int, int, tuple[str, ...]]]:
    """The edits as numbers of words, [first, last), and new words, with whatever fills a slot written as the slot, so
    that those of two versions can be compared."""
    slot_of = {word.casefold(): slot for slot, word in words.items()}
    found = []
    for edit in edits(before, after):
        first, last = (len(WORDS.findall(before[:at])) for at in (edit.start, edit.end))
        new = tuple(slot_of.get(word.casefold(), word) for word in edit.after.split())
        found.append((first, last, new))
    return found


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


_TONE = {
    "mean_rise": Measure("rise", mean, digits=3),
    "raised_percent": Measure("raised", percent),
    "raised_with_suggestions_percent": Measure("raised_with", percent),
    "facts_kept_percent": Measure("kept", percent),
    "proofread_moves_tone_percent": Measure("moved", percent, higher=False),
}


def tone(rows: Rows, subject: Subject, seed: int) -> Report:
    """Impolite drafts: what `polish` makes of their politeness and facts, and whether `proofread` moves their tone.

    Politeness is P(polite) - P(impolite), -1 to 1; a rise counts from 0.01. Facts are the names, numbers, dates and links
    of `space.proofread.protect.facts`. `proofread` moves the tone when politeness changes by more than 0.25.
    """
    drafts, lexicon = [column(row, "text", str) for row in rows], Lexicon.load()
    polished = [subject.correct(draft, "polish") for draft in drafts]
    kinder = [subject.with_kinder(draft) for draft in drafts]
    proofread = [subject.correct(draft, "proofread") for draft in drafts]
    politeness = zip(
        *(
            [courtesy(tone) for tone in subject.tones(texts)]
            for texts in (drafts, polished, kinder, proofread)
        ),
        strict=True,
    )
    cases = []
    for draft, output, (before, after, offered, corrected) in zip(drafts, polished, politeness, strict=True):
        counts = {
            "rise": after - before,
            "raised": after - before >= 0.01,
            "raised_with": offered - before >= 0.01,
            "kept": not Counter(facts(draft, lexicon)) - Counter(facts(output, lexicon)),
            "moved": abs(corrected - before) > _TONE_MARGIN,
        }
        cases.append(Case(draft, output, [], {name: [float(value), 1] for name, value in counts.items()}))
    return Report(main_figures(_TONE, cases), cases)


_FAIR = {f"{group} differ_percent": Measure(group, percent, higher=False) for group in _GROUPS}
SUITES = {"fair": Suite(fair, FAIR, _FAIR), "tone": Suite(tone, IMPOLITE, _TONE)}

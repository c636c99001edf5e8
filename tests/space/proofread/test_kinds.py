"""Kinds: what the judge goes by, and what the user reads."""

from __future__ import annotations

import json
import re

import pytest

from feedback.record import Record
from space.proofread.edits import JUDGED_KINDS, KINDS
from space.proofread.judge import PATH as JUDGE
from space.proofread.kinds import CONFUSED, classify, confused, shown_kind
from space.proofread.policy import PATH as THRESHOLDS
from space.proofread.words import read_list


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("its", "it's"), ("It’s", "Its"), ("weather", "whether"), ("there", "their"), ("they're", "their"), ("your", "you're"),
        ("then", "than"), ("Loose", "Lose"), ("affect", "effect"), ("of", "have"), ("everyday", "every day"), ("good", "well"),
    ],
)  # fmt: skip
def test_a_word_taken_for_another_is_called_confused(before: str, after: str) -> None:
    kind = classify(before, after)
    assert shown_kind(kind, before, after) == CONFUSED != kind


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        ("recieve", "receive", "spelling"), ("by", "until", "preposition"), ("was", "were", "agreement"), ("dont", "don't", "spelling"),
        ("chose", "choose", "verb form"), ("", ",", "punctuation"), ("Send", "Please send", "tone"),
    ],
)  # fmt: skip
def test_other_kinds_are_shown_as_they_are_judged(before: str, after: str, kind: str) -> None:
    assert shown_kind(classify(before, after), before, after) == kind == classify(before, after)


def test_a_slip_in_a_kind_word_is_no_matter_of_tone() -> None:
    assert classify("plese", "please") == "tone" and shown_kind("tone", "plese", "please") == "spelling"


def test_the_judge_knows_no_kind_that_only_the_user_reads() -> None:
    assert set(KINDS) - set(JUDGED_KINDS) == {CONFUSED}
    assert CONFUSED not in JUDGE.read_text() + THRESHOLDS.read_text()
    weights = json.loads(JUDGE.read_text())["weights"]
    assert {f"kind {kind}" for kind in ("spelling", "agreement")} <= set(weights["classifiers"])
    words = [word for row in read_list("confused") for word in row[::2]]
    assert {classify(a, b) for a in words[:30] for b in words[:30] if a != b} <= set(JUDGED_KINDS)


def test_what_words_are_is_said_of_each() -> None:
    for row in read_list("confused"):
        assert len(row) % 2 == 0 and len(row) >= 4 and len(set(row[::2])) == len(row) // 2, row
        assert all(
            text and text == text.strip() and len(re.findall(r"(?<!\w)'|'(?!\w)", text)) % 2 == 0
            for text in row[1::2]
        ), row
    assert confused("weather", "Whether") == ("brings in a choice, as 'if' does", "is sun, wind and rain")
    assert confused("weather", "water") is None


@pytest.mark.parametrize("version", [2, 3])
def test_feedback_of_either_naming_is_kept(version: int) -> None:
    for kind in ("spelling", CONFUSED):
        change = {"start": 0, "end": 3, "before": "Its", "after": "It's", "kind": kind}
        record = Record.from_dict(
            {"v": version, "id": "1", "time": "2026-11-29T20:00:00+00:00", "draft": "Its late.", "rewrite": "It's late.",
             "verdict": "good", "consent": "1", "changes": [change]}
        )  # fmt: skip
        assert record.changes[0].kind == kind and record.is_consistent

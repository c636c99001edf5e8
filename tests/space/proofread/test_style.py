"""More formal, shorter, friendlier: phrases that mean the same wherever they stand, and what looks like them."""

from __future__ import annotations

import pytest

from space.proofread.edits import apply
from space.proofread.style import restyled


@pytest.mark.parametrize(
    ("goal", "text", "expected"),
    [
        ("formal", "I'm sure it's ready, we don't mind.", "I am sure it is ready, we do not mind."),
        ("formal", "It's been sent and I'd like a copy asap.", "It has been sent and I would like a copy as soon as possible."),
        ("formal", "Hi Tom,", "Dear Tom,"),
        ("formal", "Thanks for the file, we can’t open it.", "Thank you for the file, we cannot open it."),
        ("formal", "We wanna meet, btw.", "We want to meet, by the way."),
        ("short", "I am writing to inform you that the office is closed.", "The office is closed."),
        ("short", "Due to the fact that it rained, we stayed in order to dry.", "Because it rained, we stayed to dry."),
        ("short", "Please do not hesitate to call us prior to May.", "Please call us before May."),
        ("short", "The majority of the users agree, and the majority of tests pass.", "Most of the users agree, and most tests pass."),
        ("friendly", "Please find attached the file.", "I have attached the file."),
        ("friendly", "Should you require help, please inform us.", "If you need help, please let us know."),
    ],
)  # fmt: skip
def test_phrases_give_way(goal: str, text: str, expected: str) -> None:
    edits = restyled(text, goal)
    assert apply(text, edits) == expected
    assert all((edit.kind, edit.source) == ("tone", "polish") and edit.reason for edit in edits)


@pytest.mark.parametrize(
    ("goal", "text"),
    [
        ("formal", "Don't you think Sarah's team is ready?"),
        ("formal", "It's finished."),  # is or has
        ("formal", "I'd gone."),
        ("formal", "Hi,"),
        ("formal", "Give my thanks to Tom."),
        ("short", "There were errors in the process of signing."),
        ("short", "Will he be able to come?"),
        ("short", "Do not hesitate."),
        ("friendly", "Please find a room."),
    ],
)
def test_what_looks_like_a_phrase_stays(goal: str, text: str) -> None:
    assert restyled(text, goal) == []

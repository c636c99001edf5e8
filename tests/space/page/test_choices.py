"""What a user made of a result, as the page tells it."""

from __future__ import annotations

import json

import pytest

from space.page.choices import chosen_text, judged, read_choices
from space.proofread.edits import Edit
from tests.space.page.test_render import proofread

KINDER = Edit(0, 4, "Send", "Could you send", "tone", "polish", alternatives=("Please send", "Kindly send"))
LATER = Edit(8, 10, "on", "at", "preposition", status="suggested")
VALUE = proofread("Send it on 5", KINDER, LATER)


@pytest.mark.parametrize(
    ("sides", "text"),
    [
        ([1, None], "Could you send it on 5"),
        ([0, None], "Send it on 5"),
        ([2, 1], "Please send it at 5"),
        ([3, 0], "Kindly send it on 5"),
    ],
)
def test_any_wording_of_an_edit_can_be_taken(sides: list[int | None], text: str) -> None:
    assert chosen_text(VALUE, json.dumps({"sides": sides, "text": None})) == text


@pytest.mark.parametrize("content", ["{}", "[]", "null", '{"sides": [1]}', '{"sides": "x"}', "7"])
def test_what_does_not_fit_the_result_is_as_before_any_choice(content: str) -> None:
    assert read_choices(VALUE, content).sides == (1, None)


@pytest.mark.parametrize("side", [4, -1, "1", 1.5, [], None])
def test_a_side_that_there_is_not_is_no_choice(side: object) -> None:
    assert read_choices(VALUE, json.dumps({"sides": [side, 1]})).sides == (None, 1)


def test_what_was_typed_is_the_email() -> None:
    assert chosen_text(VALUE, '{"sides": [1, null], "text": "Mine."}') == "Mine."
    assert chosen_text(VALUE, '{"sides": [1, null], "text": ""}') == ""


def test_the_verdict_on_an_alternative_is_on_its_words() -> None:
    verdicts = [(edit.after, said) for edit, said in judged(VALUE, read_choices(VALUE, '{"sides": [2, 0]}'))]
    assert verdicts == [("Please send", "accepted"), ("at", "rejected")]

"""The record that the page makes of a result and what a user says of it."""

import json
import re

import pytest

from space.errors import UserError
from space.options import Options
from space.page import strings
from space.page.feedback_form import record
from space.proofread.edits import Edit
from space.proofread.pipeline import Proofread
from tests.space.page.test_render import KIND, RUDE

ORIGIN = {
    "options": Options(terms="Zyx", temperature=0.5).to_dict(),
    "versions": {"model": "proofreader"},
}


def test_feedback_carries_every_choice_and_a_good_verdict_no_reasons() -> None:
    changes = (Edit(0, 1, "a", "b", "spelling"), Edit(2, 3, "c", "d", "other"))
    value = Proofread("a c", changes, RUDE, KIND, (), (), "proofreader", {}, ())
    bad = record(value, ORIGIN, "bad", ["rude"], "a d", " why? ", '{"sides": [0, 1]}').to_dict()
    assert (bad["draft"], bad["rewrite"], bad["reasons"], bad["comment"]) == ("a c", "b d", ["rude"], "why?")
    assert bad["corrected"] == "a d"
    assert [change["verdict"] for change in bad["changes"]] == ["rejected", "accepted"]
    assert bad["before"]["politeness"]["label"] == "impolite"
    assert bad["versions"] == {"model": "proofreader"}
    assert bad["options"]["temperature"] == 0.5 and "Zyx" not in json.dumps(bad)
    assert record(value, ORIGIN, "good", ["rude"], " ", "", "{}").to_dict()["reasons"] == []


def test_feedback_is_no_longer_than_a_program_may_send() -> None:
    value = Proofread("a c", (), RUDE, KIND, (), (), "proofreader", {}, ())
    for corrected, comment, name in (
        ("a" * 100_001, "", strings.CORRECTED),
        ("", "a" * 10_001, strings.COMMENT),
    ):
        with pytest.raises(
            UserError, match="^" + re.escape(name) + ": 10+,001 characters are more than 10+,000;"
        ):
            record(value, ORIGIN, "bad", [], corrected, comment, "{}")


def test_edits_that_were_not_made_are_in_the_record_with_what_the_user_said_of_them() -> None:
    edits = (
        Edit(0, 1, "a", "b"),
        Edit(2, 3, "c", "d", status="suggested"),
        Edit(4, 5, "e", "f", status="suggested"),
        Edit(6, 7, "g", "h", status="suggested"),
        Edit(8, 9, "i", "j", status="refused", reason="it would change a name"),
    )
    value = Proofread("a c e g i", edits, RUDE, KIND, (), (), "proofreader", {}, ())
    sent = record(value, ORIGIN, "bad", [], "", "", '{"sides": [0, 1, null, 0]}').to_dict()
    assert sent["rewrite"] == "b c e g i"
    assert [(change["status"], change["verdict"]) for change in sent["changes"]] == [
        ("applied", "rejected"),
        ("suggested", "accepted"),
        ("suggested", "undecided"),
        ("suggested", "rejected"),
        ("refused", "undecided"),
    ]

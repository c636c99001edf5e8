"""The record that the page makes of a result and what a user says of it."""

import json

from space.options import Options
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
    bad = record(value, ORIGIN, "bad", ["rude"], "a d", " why? ", "[false, true]").to_dict()
    assert (bad["draft"], bad["rewrite"], bad["reasons"], bad["comment"]) == ("a c", "b d", ["rude"], "why?")
    assert bad["corrected"] == "a d"
    assert [change["verdict"] for change in bad["changes"]] == ["rejected", "accepted"]
    assert bad["before"]["politeness"]["label"] == "impolite"
    assert bad["versions"] == {"model": "proofreader"}
    assert bad["options"]["temperature"] == 0.5 and "Zyx" not in json.dumps(bad)
    assert record(value, ORIGIN, "good", ["rude"], " ", "", "[]").to_dict()["reasons"] == []


def test_the_changes_of_a_record_make_its_rewrite_and_quote_no_reason() -> None:
    """A reason may quote the writer, and redaction does not look into it."""
    edits = (
        Edit(0, 1, "a", "b", reason="'a' is Jana's"),
        Edit(2, 3, "c", "d", status="suggested"),
        Edit(4, 5, "e", "f", status="refused"),
    )
    value = Proofread("a c e", edits, RUDE, KIND, (), (), "proofreader", {}, ())
    sent = record(value, ORIGIN, "bad", [], "", "", "[false, true]").to_dict()
    assert [(change["before"], change["verdict"]) for change in sent["changes"]] == [("a", "rejected")]
    assert sent["rewrite"] == "b c e" and "Jana" not in json.dumps(sent)

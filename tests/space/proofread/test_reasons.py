"""Reasons: the rule where the sentence shows it, plainly what was changed where it does not; a table of each."""

from __future__ import annotations

import re
import string
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from space.proofread.edits import Edit, classify, diff
from space.proofread.kinds import shown_kind
from space.proofread.lexicon import Lexicon
from space.proofread.reasons import reason
from space.proofread.reasons.context import Context, context
from space.proofread.reasons.forms import is_plural, pair

HERE = Path(__file__).parent
PLAIN = re.compile(r"Fits |Reads |No need |'[^']+' was missing")


def rows(name: str) -> list[list[str]]:
    lines = (HERE / name).read_text(encoding="utf-8").splitlines()
    return [line.split("\t") for line in lines if not line.startswith("#")]


def marked(line: str, status: str = "applied") -> tuple[Edit, str]:
    """The edit of "He [go|goes] home.", and its draft."""
    found = re.search(r"\[([^|\]]*)\|([^\]]*)\]", line)
    assert found, line
    before, after = found.groups()
    start = found.start()
    edit = Edit(start, start + len(before), before, after, classify(before, after), status=status)
    return edit, line[:start] + before + line[found.end() :]


def why(line: str, status: str = "applied") -> str:
    edit, draft = marked(line, status)
    return reason(edit, text=draft)


REASONS, JUDGED = rows("reasons.tsv"), rows("reasons_judged.tsv")


@pytest.mark.parametrize(("line", "kind", "expected"), REASONS, ids=[row[0] for row in REASONS])
def test_the_line_names_the_rule_and_the_words(line: str, kind: str, expected: str) -> None:
    edit, draft = marked(line)
    assert reason(edit, text=draft) == expected
    assert shown_kind(edit.kind, edit.before, edit.after) == kind


@pytest.mark.parametrize(
    ("line", "status", "kind", "expected", "verdict"), JUDGED, ids=[row[0] for row in JUDGED]
)
def test_what_a_person_judged_is_still_what_is_said(
    line: str, status: str, kind: str, expected: str, verdict: str
) -> None:
    assert why(line, status) == expected
    assert bool(PLAIN.match(expected)) is (verdict == "plain")


def test_four_in_five_teach_and_none_is_wrong() -> None:
    verdicts = Counter(row[-1] for row in JUDGED)
    assert len(JUDGED) == 100 and verdicts["rule"] >= 80
    assert set(verdicts) == {"rule", "plain", "edit"} and verdicts["edit"] <= 2
    assert len(REASONS) >= 100 and sum(not PLAIN.match(row[2]) for row in REASONS) >= 0.95 * len(REASONS)


@pytest.mark.parametrize(
    "line",
    [
        "The team [are|is] late.",  # may be either
        "The data [is|are] here.",
        "What we need [are|is] a plan.",
        "The file I sent you [were|was] large.",  # "you" is no subject here
        "In the reports the number [were|was] wrong.",
        "The box with the cups and plates [are|is] here.",
        "Running two servers [are|is] hard.",
    ],
)
def test_no_subject_is_named_that_may_be_another(line: str) -> None:
    found = why(line)
    assert "subject" not in found or "'The box'" in found


@pytest.mark.parametrize(
    ("line", "never"),
    [
        ("How do the [curves|curve] look now?", "describes"),  # "look" is the verb
        ("Props with one [type|types] have rules.", "goes with several"),  # the subject are the props
        ("This process [need|needs] a name.", "plural"),
        ("We could [has|have] known.", "several"),
        ("They are [confused|confusing].", "going on"),
        ("We fax it [of|to] them.", "whole"),
        ("We moved it [from |]last year.", "no preposition"),
        ("He found the [vulnerabilities|vulnerability] today.", "noun"),
        ("If he [was|were] here.", "several"),
        ("I [will|would] call you.", "kind"),
    ],
)
def test_a_rule_is_not_named_where_it_does_not_hold(line: str, never: str) -> None:
    assert never not in why(line)


def test_the_other_edits_are_made_before_a_reason_is_looked_for() -> None:
    draft = "She have take two letter, but its late."
    pairs = (("have", "has"), ("take", "taken"), ("letter", "letters"), ("its", "it's"))
    edits = [marked(draft.replace(before, f"[{before}|{after}]", 1))[0] for before, after in pairs]
    found = {edit.after: reason(edit, text=draft, others=edits) for edit in edits}
    assert found["taken"] == "After 'has' comes the past participle: 'has taken'."
    assert found["letters"] == "'two' calls for the plural: 'two letters'."
    assert "'it's late'" in found["it's"]


def test_words_that_changed_together_each_get_their_rule() -> None:
    draft = "We met until friday."
    edit = Edit(7, 19, "until friday", "by Friday", "preposition")
    assert reason(edit, text=draft) == (
        "'by' names a deadline, 'until' runs up to a moment: 'by Friday'. Days of the week have a capital: 'Friday'."
    )


@pytest.mark.parametrize(
    ("before", "after", "source", "expected"),
    [
        ("Send", "Could you please send", "polish", "A question asks more kindly than an order: 'Could you please send'."),
        ("You must", "Please", "polish", "A 'please' makes an order a request: 'Please'."),
        ("now", "as soon as you can", "polish", "'as soon as you can' leaves the reader time; an order to hurry does not."),
        ("The", "Unfortunately, the", "polish", "'Unfortunately, the' shows regret before it complains."),
        ("I want", "I would like", "polish", "'I would like' wishes; 'want' demands."),
        ("!", ".", "polish", "Without an exclamation mark it sounds calmer."),
        ("plese", "please", "tagger", "Misspelling of 'please'."),  # its kind is tone, which it is not
    ],
)  # fmt: skip
def test_of_a_kinder_wording_it_says_what_is_kinder(
    before: str, after: str, source: str, expected: str
) -> None:
    edit = Edit(0, len(before), before, after, "tone", source)
    assert reason(edit, text=f"{before} the list.") == expected


def test_an_unknown_word_may_be_right_where_it_is_only_a_suggestion() -> None:
    line = "Please ask [pavus|pans] about it."
    assert why(line, "suggested") == "'pavus' is in no word list; perhaps 'pans' is meant."
    assert why("I [recieve|receive] it.") == "Misspelling of 'receive'."


def test_the_list_may_be_given() -> None:
    edit = Edit(0, 3, "qux", "quux", "spelling")
    assert reason(edit, Lexicon({"qux": 1000})) != "Misspelling of 'quux'." == reason(edit, Lexicon({"a": 1}))


def test_long_texts_are_cut() -> None:
    assert len(reason(Edit(0, 400, "word " * 80, "other " * 80, "word choice"))) < 160


# ---- the sentence around ----


def test_a_context_is_one_sentence() -> None:
    draft = "Hi Tom,\n\nIt is late. He go home in the evening, or at night,\nor after 5 p.m. Please call.\n\nBest,\nAnna"
    edit = Edit(draft.index("go"), draft.index("go") + 2, "go", "goes")
    found = context(edit, draft)
    assert (found.left, found.right[:2], found.right[-3:]) == (("He",), ("home", "in"), (".", "m", "."))


def test_an_edit_within_a_word_is_one_of_the_word() -> None:
    assert context(Edit(1, 1, "", "'"), "Im here") == Context(("Im",), ("I'm",), (), ("here",))


def test_what_both_sides_share_belongs_to_the_sentence() -> None:
    found = context(Edit(3, 6, "new", "the new"), "At new year")
    assert found == Context((), ("the",), ("At",), ("new", "year"))


def test_forms_of_a_verb() -> None:
    lexicon = Lexicon.load()
    found = pair("stopping", "stopped", lexicon)
    assert found and found.base == "stop" and found.after == {"past", "participle"}
    assert pair("write", "written", lexicon) and not pair("wrote", "rote", lexicon)
    assert [word for word in ("boxes", "news", "people", "bus", "this") if is_plural(word)] == [
        "boxes",
        "people",
    ]


# ---- whatever the change ----

WORDS = "its it's a an go goes the The to of and , . ? I he 's has been not friday on in reports two is are { } {x} much 2 - is".split()
PIECES = st.lists(st.sampled_from([*WORDS, " ", " ", "\n", "\n\n", "’"]), max_size=8).map(" ".join)


@settings(max_examples=40)
@given(st.one_of(PIECES, st.text(string.printable)), st.one_of(PIECES, st.text(string.printable)))
def test_every_change_has_one_line(before: str, after: str) -> None:
    edits = diff(before, after)
    for edit in edits:
        found = reason(edit, text=before, others=edits)
        assert found and "\n" not in found and found.endswith((".", "…")) and len(found) <= 240


def test_a_kind_that_nobody_knows_has_one_too() -> None:
    assert reason(Edit(0, 3, "cat", "dog", "magic")) == "Fits this sentence better: 'dog'."


@pytest.mark.parametrize("number", ["1,250", "3.5", "10:30", "24/7"])
def test_a_number_is_quoted_whole(number: str) -> None:
    text = f"The invoice for {number} is here."
    assert f"'invoice of {number}'" in reason(Edit(12, 15, "for", "of", "preposition"), text=text)

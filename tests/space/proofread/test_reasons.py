"""Reasons: the rule where the change alone shows it, the general line where it does not."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from space.proofread.edits import Edit, classify, diff
from space.proofread.lexicon import Lexicon
from space.proofread.reasons import TEXTS, reason


def why(before: str, after: str, start: int = 5) -> str:
    return reason(Edit(start, start + len(before), before, after, classify(before, after)))


def line(key: str, **words: str) -> str:
    return TEXTS[key].format(**words)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("its", "it's", line("its")),
        ("Its", "It’s", line("its")),
        ("Their", "They're", line("their")),
        ("there", "their", line("their")),
        ("your", "you're", line("your")),
        ("a", "an", line("an")),
        ("An", "A", line("a")),
        ("of", "have", line("of")),
        ("should of", "should have", line("of")),
        ("then", "than", line("than")),
        ("this", "these", line("these")),
        ("i", "I", line("I")),
        ("i'm", "I'm", line("I")),
        ("monday", "Monday", line("calendar")),
        ("please", "Please", line("sentence")),
        ("also", "Also", line("sentence")),
        (", it", ". It", line("sentence")),
        ("london", "London", "'London' is written with a capital here."),
        ("Report", "report", "'report' is written without a capital here."),
        ("the the", "the", "'the' was written twice."),
        ("have", "has", "'has' goes with he, she, it or one thing."),
        ("doesn't", "don't", "'don't' goes with I, you, we, they or several things."),
        ("he go", "he goes", line("third person")),
        ("to sent", "to send", "After 'to' the verb stands in its basic form."),
        ("can goes", "can go", "After 'can' the verb stands in its basic form."),
        ("dont", "don't", "The apostrophe in don't stands for what is left out."),
        ("customers", "customer's", "With an apostrophe here: customer's."),
        ("Mail's", "Mails", "Without an apostrophe here: Mails."),
        ("alot", "a lot", "'a lot' is written as separate words here."),
        ("work shop", "workshop", "'workshop' is written as one word here."),
        ("followup", "follow-up", "'follow-up' is written with a hyphen here."),
        ("Colour", "Color", "'Color' is the American spelling of 'Colour'."),
        ("center", "centre", "'centre' is the British spelling of 'center'."),
        ("recieved", "received", "Spelling: 'recieved' is not a word we know."),
        (".", "?", line("question")),
        ("", "the ", "This noun needs 'the' before it."),
        ("a ", "", "This noun stands without 'a'."),
        ("about ", "", line("preposition removed")),
        ("", ",", "There should be a comma here."),
        (",", "", "There is no need for a comma here."),
        (",", ";", "There should be a semicolon here, not a comma."),
        ("", "been ", "Without 'been' something is missing here."),
        ("new", "the new", "This noun needs 'the' before it."),
        (" we", ", we", "There should be a comma here."),
        ("of the", "the", line("preposition removed")),
        ("  ", " ", line("spacing")),
    ],
)
def test_a_rule_is_named_where_the_change_shows_it(before: str, after: str, expected: str) -> None:
    assert why(before, after) == expected


@pytest.mark.parametrize(
    ("before", "after", "key"),
    [
        ("form", "from", "spelling"),  # a known word: what is wrong with it, only the sentence shows
        ("go", "goes", "agreement"),
        ("was", "were", "agreement"),  # "if I were" has nothing to do with number
        ("has", "have", "agreement"),  # so does "could have"
        ("may", "May", "capital"),  # the month, or "May I ask"
        ("it", "IT", "capitals"),
        ("to customers", "to customer", "agreement"),
        ("to meet", "to meeting", "verb form"),  # "look forward to meeting"
        ("this", "that", "word choice"),
        ("on", "in", "preposition"),
        ("organise", "organizes", "spelling"),
    ],
)
def test_where_it_does_not_the_line_is_general(before: str, after: str, key: str) -> None:
    assert why(before, after) == line(key, before=before, after=after)


def test_the_first_word_of_the_draft_begins_a_sentence() -> None:
    assert why("london", "London", start=0) == line("sentence")


@pytest.mark.parametrize(
    ("text", "said"),
    [("I sent your your mail.", True), ("I sent your mail.", False), ("I sent yours your mail.", False)],
)
def test_of_a_doubled_word_it_says_so(text: str, said: bool) -> None:
    start = text.rindex(" your")
    change = Edit(start, start + 5, " your", "", "word choice")
    assert (reason(change, text=text) == line("doubled", word="your")) is said


def test_the_list_may_be_given() -> None:
    change = Edit(0, 3, "qux", "quux", "spelling")
    assert reason(change, Lexicon({"qux": 1})) == "'quux' is the word that is meant here."


def test_long_texts_are_cut() -> None:
    assert len(reason(Edit(0, 400, "word " * 80, "other " * 80, "word choice"))) < 120


PIECES = st.lists(
    st.sampled_from(
        [
            "its",
            "it's",
            "A",
            "an",
            "go",
            "goes",
            "{",
            "}",
            "{x}",
            " ",
            " ",
            "\n",
            ".",
            ",",
            "?",
            "I",
            "he",
            "'s",
        ]
    ),
    max_size=6,
).map("".join)


@given(st.one_of(PIECES, st.text(string.printable)), st.one_of(PIECES, st.text(string.printable)))
def test_every_change_has_one_line(before: str, after: str) -> None:
    for change in diff(before, after):
        found = reason(change)
        assert found and "\n" not in found and found.endswith((".", "…"))


def test_a_kind_that_nobody_knows_has_one_too() -> None:
    assert reason(Edit(0, 1, "x", "y", "magic")) == "'y' fits better here."

"""Changes as a person would list them, and the law that any subset of them rebuilds exactly."""

import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from space.proofread.edits import KINDS, Edit, among, apply, classify, diff

WORDS = st.sampled_from(
    [
        "a",
        "the",
        "The",
        "recieve",
        "receive",
        "dont",
        "don't",
        "Priya",
        "mail",
        "mails",
        "1,250",
        "x@y.example",
        "😊",
        "👩‍💻",
    ]
    + [
        ",",
        ".",
        "!",
        "'",
        "-",
        '"',
        " ",
        "  ",
        "\n",
        "\r\n",
        "\t",
        "é",
        "e\u0301",
        "\ud800",
        "\x00",
        "https://x.io/a",
    ]
)
TEXTS = st.one_of(
    st.lists(WORDS, max_size=25).map("".join),
    st.lists(WORDS, max_size=15).map(" ".join),
    st.text(max_size=60),
)


def listed(before: str, after: str) -> list[tuple[str, str, str]]:
    return [(c.before, c.after, c.kind) for c in diff(before, after)]


@settings(max_examples=500, deadline=None)
@given(TEXTS, TEXTS, st.randoms(use_true_random=False))
def test_any_subset_rebuilds_exactly(before: str, after: str, dice: random.Random) -> None:
    changes = diff(before, after)
    assert apply(before, changes) == after
    assert apply(before, []) == before
    assert {edit.kind for edit in changes} <= set(KINDS)
    assert all(before[c.start : c.end] == c.before and c.before != c.after for c in changes)
    assert all(
        a.end <= b.start and (a.start, a.end) < (b.start, b.end)
        for a, b in zip(changes, changes[1:], strict=False)
    )
    chosen = [c for c in changes if dice.random() < 0.5]
    expected = before
    for change in reversed(chosen):  # from the end, so that earlier offsets stay true
        expected = expected[: change.start] + change.after + expected[change.end :]
    dice.shuffle(chosen)
    assert apply(before, chosen) == expected


@settings(max_examples=300, deadline=None)
@given(TEXTS, TEXTS)
def test_no_word_is_split_in_letters(before: str, after: str) -> None:
    for text, spans in (
        (before, [(c.start, c.end) for c in diff(before, after)]),
        (after, [(c.start, c.end) for c in diff(after, before)]),
    ):
        for edge in (edge for span in spans for edge in span):
            left, right = text[edge - 1 : edge], text[edge : edge + 1]
            assert not (left.isalpha() and right.isalpha()), (text, edge)


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        ("I recieve it", "I receive it", [("recieve", "receive", "spelling")]),
        ("come tomorow to us", "come to us tomorrow", [("tomorow to us", "to us tomorrow", "spelling")]),
        ("go in morning", "go in the morning", [("", "the ", "article")]),
        ("I dont know", "I don't know", [("dont", "don't", "spelling")]),
        ("in teh list", "in the list", [("teh", "the", "spelling")]),
        ("the list what I sent", "the list that I sent", [("what", "that", "word choice")]),
        ("i know", "I know", [("i", "I", "capitals")]),
        ("on monday", "on Monday", [("monday", "Monday", "capitals")]),
        ("Tom thanks", "Tom, thanks", [("", ",", "punctuation")]),
        ("It is done", "It is done.", [("", ".", "punctuation")]),
        ("discuss about it", "discuss it", [("about ", "", "preposition")]),
        ("at the monday", "on the monday", [("at", "on", "preposition")]),
        ("He want it", "He wants it", [("want", "wants", "agreement")]),
        ("we was late", "we were late", [("was", "were", "agreement")]),
        ("I have went home", "I went home", [("have ", "", "verb form")]),
        ("I am agree", "I agree", [("am ", "", "verb form")]),
        ("I go yesterday", "I went yesterday", [("go", "went", "verb form")]),
        ("to hear from you", "to hearing from you", [("hear", "hearing", "verb form")]),
        ("He is depend on it", "He depends on it", [("is depend", "depends", "verb form")]),
        (
            "I has recieve it",
            "I have receive it",
            [("has", "have", "agreement"), ("recieve", "receive", "spelling")],
        ),
        ("a apple", "an apple", [("a", "an", "article")]),
        ("its late", "it's late", [("its", "it's", "spelling")]),
        ("more then two", "more than two", [("then", "than", "spelling")]),
        ("alot of work", "a lot of work", [("alot", "a lot", "spelling")]),
        ("every body is", "everybody is", [("every body", "everybody", "spelling")]),
        ("a follow up mail", "a follow-up mail", [("follow up", "follow-up", "spelling")]),
        ("one  two", "one two", [(" ", "", "spacing")]),
        ("Thanks, we go", "Thanks. We go", [(", we", ". We", "punctuation")]),
        ("he say a lie", "he tells a lie", [("say", "tells", "word choice")]),
        (
            "Tomorrow I will come",
            "I will come tomorrow",
            [("Tomorrow I will come", "I will come tomorrow", "word order")],
        ),
        (
            "Send me the file",
            "Could you please send me the file",
            [("Send", "Could you please send", "tone")],
        ),
        (
            "call tomorow please",
            "call tomorrow, please",
            [("tomorow", "tomorrow", "spelling"), ("", ",", "punctuation")],
        ),
        (
            "the informations are usefull",
            "the information is useful",
            [("informations are", "information is", "agreement"), ("usefull", "useful", "spelling")],
        ),
    ],
)
def test_changes_as_a_person_sees_them(before: str, after: str, changes: list[tuple[str, str, str]]) -> None:
    assert listed(before, after) == changes


def test_offsets_count_from_the_draft() -> None:
    draft = "Hi Tom,\n\nI recieve it."
    changes = diff("I recieve it.", "I receive it.", offset=9)
    assert changes == [Edit(11, 18, "recieve", "receive", "spelling")]
    assert apply(draft, changes) == "Hi Tom,\n\nI receive it."


def test_nothing_changed_is_no_change() -> None:
    assert diff("", "") == diff("Same.\r\n", "Same.\r\n") == []


@pytest.mark.parametrize("change", [Edit(0, 3, "the", "a", "article"), Edit(4, 9, "cat", "dog", "other")])
def test_a_change_of_another_draft_is_refused(change: Edit) -> None:
    with pytest.raises(ValueError, match="does not fit this draft"):
        apply("One cat", [change])


def test_overlapping_changes_are_refused() -> None:
    with pytest.raises(ValueError, match="does not fit this draft"):
        apply("One cat", [Edit(0, 7, "One cat", "x", "other"), Edit(4, 7, "cat", "dog", "other")])


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        ("these", "this", "agreement"),
        ("this", "the", "article"),
        ("don't", "doesn't", "agreement"),
        ("companys", "companies", "spelling"),
        ("thank", "thanks", "agreement"),
        ("i m", "I'm", "spelling"),
        ("ENGLISH", "English", "capitals"),
        ("web site", "website", "spelling"),
        ("will", "would", "tone"),
        ("", "please ", "tone"),
        ("immediately ", "", "tone"),
        ("in", "on the", "preposition"),
        (";", ",", "punctuation"),
        ("very ", "", "other"),
        ("buy", "purchase", "word choice"),
        ("\t", " ", "spacing"),
    ],
)
def test_kinds(before: str, after: str, kind: str) -> None:
    assert classify(before, after) == kind


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("word " * 10_000, "word " * 9_999),
        (" ".join(map(str, range(10_000))), " ".join(str(i) for i in range(10_000) if i % 7)),
        ("a b " * 5_000, "b a " * 5_000),
        ("a.a." * 10_000, "a,a," * 10_000),
        ("@" * 20_000, "x@" * 20_000),
        ("a'" * 20_000, "b"),
        ("x" * 50_000, "y" * 50_000),
    ],
    ids=lambda text: repr(text[:12]),
)
def test_hostile_texts_take_no_longer(before: str, after: str) -> None:
    began = time.process_time()
    assert apply(before, diff(before, after)) == after
    assert time.process_time() - began < 3.0  # measured: 0.5 s of processor time at most


def test_an_edit_is_found_again_in_the_text_in_which_others_are_made() -> None:
    text = "He work here and she work there too."
    first, second, third = (
        Edit(3, 7, "work", "works"),
        Edit(21, 25, "work", "works"),
        Edit(31, 35, " too", ""),
    )
    made = [first, third]
    moved = among(second, made)
    assert (
        apply(apply(text, made), [moved])
        == apply(text, [first, second, third])
        == "He works here and she works there."
    )
    assert among(first, [second]) == first

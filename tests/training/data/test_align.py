"""Alignment: the fixes of a text's words make the right text of it."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from space.proofread.classifiers.encoder import encode
from space.proofread.words import WORDS
from training.data.align import Span, fixes
from training.data.corrupt import corrupt
from training.data.pairs import load_texts


def spans_of(text: str) -> list[Span]:
    """The words of a text as the tagger has them."""
    return encode(text, lambda word: [0]).spans


def rebuilt(bad: str, good: str, spans: list[Span] | None = None) -> str:
    """The bad text with its fixes in place, without blanks."""
    pieces, at = [], 0
    for start, end, fix in fixes(bad, good, spans or ()):
        pieces += [bad[at:start], bad[start:end] if fix is None else fix]
        at = end
    return "".join("".join([*pieces, bad[at:]]).split())


@pytest.mark.parametrize("cut", [None, spans_of], ids=["words of evidence", "words of the tagger"])
def test_fixes_make_the_good_text_of_a_corrupted_one(corpus: Path, cut) -> None:
    for text in load_texts(corpus / "clean.jsonl"):
        for seed in range(40):
            bad = corrupt(text, random.Random(seed))
            assert rebuilt(bad, text, cut and cut(bad)) == "".join(text.split()), bad


SENTENCE = st.lists(
    st.sampled_from(
        ["the", "The", "a", "go", "goes", "home", ",", ".", "don't", "3.5", "well-known", "(", "É"]
    ),
    max_size=9,
).map(" ".join)


@given(SENTENCE.filter(bool), SENTENCE)
def test_fixes_make_any_text_of_any_other(bad: str, good: str) -> None:
    assert rebuilt(bad, good) == rebuilt(bad, good, spans_of(bad)) == "".join(good.split())


@given(st.text(max_size=40), st.text(max_size=40))
def test_spans_are_the_words_of_the_bad_text(bad: str, good: str) -> None:
    found = fixes(bad, good)
    assert [(start, end) for start, end, _ in found] == [match.span() for match in WORDS.finditer(bad)]
    if found:
        assert rebuilt(bad, good) == "".join(good.split())
    own = spans_of(bad)
    assert not own or [(start, end) for start, end, _ in fixes(bad, good, own)] == own


@given(st.text(max_size=40))
def test_a_right_text_needs_no_fix(text: str) -> None:
    assert all(fix is None for *_, fix in fixes(text, text))


@pytest.mark.parametrize(
    ("bad", "good", "changes"),
    [
        ("He go the home", "He goes home.", {"go": "goes", "the": "", "home": "home."}),
        ("I saw dog", "I saw the dog", {"dog": "the dog"}),
        ("We came however it rained", "We came, however, it rained", {"however": ", however", "it": ", it"}),
        ("alot of to gether", "a lot of together", {"alot": "a lot", "to": "", "gether": "together"}),
        ("on monday", "On Monday", {"on": "On", "monday": "Monday"}),
        ("home", "We went home", {"home": "We went home"}),
        ("so so good", "good", {"so": ""}),
    ],
)
def test_a_fix_stands_with_its_word(bad: str, good: str, changes: dict[str, str]) -> None:
    found = {bad[start:end]: fix for start, end, fix in fixes(bad, good) if fix is not None}
    assert found == changes


def test_empty_texts() -> None:
    assert fixes("", "") == fixes("", "Something.") == fixes(" \n", "x") == []
    assert fixes("Two words", "") == [(0, 3, ""), (4, 9, "")]

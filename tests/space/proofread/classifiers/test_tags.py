"""Edit tags: a tag of a word and its correction gives the correction back, and no word breaks one."""

from __future__ import annotations

import string
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from space.proofread.classifiers.tags import DELETE, KEEP, WRONG, TaggedWord, fix_of, pieces, tag_of
from space.proofread.words import WORDS

LETTERS = st.text(string.ascii_letters + "éüñß", min_size=1, max_size=9)
WORD = st.one_of(LETTERS, st.sampled_from(["don't", "I", "I'm", "well-known", "e.g", "3rd", ",", ".", "-"]))
MARKS = st.text(".,;:!?()\"'$%-", min_size=1, max_size=2)


@st.composite
def corrections(draw: st.DrawFn) -> tuple[str, str]:
    """A word, and what may stand in its place: another ending or word, other case, and words or marks beside it."""
    word = draw(WORD)
    stem = word[: len(word) - draw(st.integers(0, 4))]
    kept = draw(st.sampled_from([word, word, stem, stem + draw(LETTERS), draw(WORD)]))
    kept = draw(st.sampled_from([kept, kept, kept.lower(), kept.upper(), kept.capitalize()]))
    side, blank = st.sampled_from(["", "", draw(MARKS), draw(WORD)]), st.sampled_from(["", " "])
    return word, (draw(side) + draw(blank) + kept + draw(blank) + draw(side)).strip()


def folded(text: str | None) -> str | None:
    return text and text.upper().casefold()  # "ß" and "SS" are one letter's two cases


@settings(max_examples=500)
@given(corrections())
def test_a_tag_gives_its_correction_back(pair: tuple[str, str]) -> None:
    word, fix = pair
    tag = tag_of(word, fix)
    if tag != WRONG:
        assert folded(fix_of(word, tag)) == (None if fix == word else folded(fix))


@given(corrections())
def test_only_an_odd_case_is_beyond_a_tag(pair: tuple[str, str]) -> None:
    word, fix = pair
    assert tag_of(word, fix) != WRONG or word.lower() == fix.lower()


@pytest.mark.parametrize(
    ("word", "fix", "tag"),
    [
        ("home", None, KEEP),
        ("home", "home", KEEP),
        ("home", "", DELETE),
        ("monday", "Monday", "Aa"),
        ("Report", "report", "aa"),
        ("usa", "USA", "AA"),
        ("iphone", "iPhone", WRONG),
        ("end", "the end", "<the"),
        ("However", "however", "aa"),
        ("however", ", however", "<,"),
        ("home", "home.", ">."),
        ("see", "(see", "=(see"),
        ("5", "$5", "=$5"),
        ("parties", "party", "~3+y"),
        ("party", "parties", "~1+ies"),
        ("go", "goes", "=goes"),
        ("their", "there", "~2+re"),
        ("alot", "a lot", "=a lot"),
    ],
)
def test_tags_of_plain_mistakes(word: str, fix: str | None, tag: str) -> None:
    assert tag_of(word, fix) == tag
    assert fix_of(word, tag) == (None if fix == word or tag == WRONG else fix)


@pytest.mark.parametrize(
    ("word", "tag", "fix"),
    [
        ("There", "=their", "Their"),
        ("I", "=we", "we"),
        ("im", "=i'm", "I'm"),
        ("Report", "<the", "The report"),
        ("NATO", "<the", "the NATO"),
        ("However", "<,", ", However"),
        ("He", "~2+ies", None),
        ("3rd", "~1+s", None),
    ],
)
def test_a_tag_takes_the_case_of_its_word(word: str, tag: str, fix: str | None) -> None:
    assert fix_of(word, tag) == fix


@given(st.text(max_size=12), st.one_of(st.none(), st.text(max_size=12)), st.text(max_size=12))
def test_any_text_can_be_a_word(word: str, fix: str | None, other: str) -> None:
    tag = tag_of(word, fix)
    for made in (fix_of(word, tag), fix_of(other, tag)):
        assert made is None or isinstance(made, str)


@given(st.text("ab .,I", max_size=30), st.data())
def test_pieces_without_fixes_are_the_text_and_with_them_a_text_that_begins_with_no_blank(
    text: str, data: st.DataObject
) -> None:
    words = [TaggedWord(match.start(), match.end(), match.group()) for match in WORDS.finditer(text)]
    assert "".join(piece for piece, _ in pieces(text, words)) == text
    fixes = data.draw(
        st.lists(st.sampled_from(["", "c", ", c", None]), min_size=len(words), max_size=len(words))
    )
    fixed = [replace(word, after=fix) for word, fix in zip(words, fixes, strict=True)]
    made = [(piece, word) for piece, word in pieces(text, fixed) if word]
    assert [word for _, word in made] == fixed
    assert all(piece == (word.text if word.after is None else word.after) for piece, word in made)
    if fixed and fixed[0].after == "" and fixed[0].start == 0:
        assert not "".join(piece for piece, _ in pieces(text, fixed)).startswith(" ")

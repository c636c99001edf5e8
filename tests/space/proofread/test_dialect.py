"""American or British: what is respelt, what is not, and that a model's changes and the respellings never collide."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from space.errors import UserError
from space.proofread.dialect import DIALECTS, Dialect, in_dialect, merged, with_respellings
from space.proofread.edits import Edit, apply, diff
from space.proofread.email import split
from space.proofread.words import WORDS

EMAILS = Path(__file__).parents[2] / "emails"


def put(text: str, dialect: str) -> str:
    return apply(text, respellings(text, dialect))


def spelling(word: str, dialect: str) -> str | None:
    return Dialect.load(dialect).spelling(word)


def respellings(text: str, dialect: str = "american") -> list[Edit]:
    return Dialect.load(dialect).respellings(text, split(text))


# ---- the list ----


@pytest.mark.parametrize(
    ("american", "british"),
    [
        ("color", "colour"), ("organize", "organise"), ("organizational", "organisational"), ("analyzing", "analysing"),
        ("canceled", "cancelled"), ("traveler", "traveller"), ("center", "centre"), ("kilometers", "kilometres"),
        ("defense", "defence"), ("fulfill", "fulfil"), ("enrollment", "enrolment"), ("gray", "grey"),
        ("catalog", "catalogue"), ("practicing", "practising"), ("jewelry", "jewellery"), ("favorably", "favourably"),
    ],
)  # fmt: skip
def test_words_go_both_ways(american: str, british: str) -> None:
    assert spelling(british, "american") == american and spelling(american, "british") == british
    assert spelling(american, "american") is None and spelling(british, "british") is None


@pytest.mark.parametrize(
    ("british", "american"),
    [
        ("cheque", "check"), ("tyre", "tire"), ("programme", "program"), ("licence", "license"), ("metre", "meter"),
        ("storey", "story"), ("practise", "practice"), ("judgement", "judgment"), ("enquiry", "inquiry"),
    ],
)  # fmt: skip
def test_a_word_that_is_right_in_both_goes_one_way(british: str, american: str) -> None:
    assert spelling(british, "american") == american and spelling(american, "british") is None


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    "word",
    "advertise advise analyses compromise disc draft exercise four glamour hour humorous improvise license meter practice "
    "prize promise resize revise size supervise surprise televise tour controlled excelled parallel dialogue parameter".split(),
)
def test_words_of_both_spellings_stay(word: str, dialect: str) -> None:
    assert spelling(word, dialect) is None


@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_is_respelt_once_is_right(dialect: str) -> None:
    listed = Dialect.load(dialect).words
    assert len(listed) > 1500
    assert [word for word in listed.values() if word in listed] == []
    assert all(word.islower() and word.isalpha() for pair in listed.items() for word in pair)


def test_an_unknown_dialect_is_one_line() -> None:
    with pytest.raises(UserError, match="scots: choose one of american, british"):
        Dialect.load("scots")


# ---- a draft ----


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Colour and COLOUR matter.", "Color and COLOR matter."),
        ("The colour-coded plan of the centre's café.", "The color-coded plan of the center's café."),
        ("THE COLOUR OF THE CENTRE IS GREY.", "THE COLOR OF THE CENTER IS GRAY."),
        ("We organised it (as the neighbours favour).", "We organized it (as the neighbors favor)."),
        ("The screen is 5\" wide and the colour is fine.", "The screen is 5\" wide and the color is fine."),
        ("I don't like the managers' favourite colour.", "I don't like the managers' favorite color."),
        ("Honour is due.", "Honor is due."),
        ("Hi neighbours,\n\nIt is cancelled.", "Hi neighbors,\n\nIt is canceled."),
    ],
)  # fmt: skip
def test_the_writers_words_are_respelt_with_their_capitals(text: str, expected: str) -> None:
    assert put(text, "american") == expected


@pytest.mark.parametrize(
    "text",
    [
        'She wrote "we like the colour" to us.', 'He said: "It is grey. The centre is closed." and left.',
        'He said: "It is grey.\nThe centre is closed', "She wrote “the colour” to us.", "It is called 'the colour' there.",
        "It is called ‘the neighbours’ colour’ there.", "Type `colour` there.", "Put [your favourite colour] in.",
        "Dear {favourite colour}, hello.", "See www.colour.com for more.", "Mail grey@labour.org about it.",
        "Open colour.txt for more.", "Open files/colour/grey for more.", "Set fill_colour there.", "Tag it #colour now.",
        "We flew over Pearl Harbour.", "Ask the World Health Organisation.", "Harbour Street is closed.",
        "Grey will call you.", "The PEARL HARBOUR memo is here.", "Use myColour or colourMap.", "Honour,\n\nplease call.",
        "> the colour of it\n> is grey", "```\ncolour = grey\n```",
        "It is done.\n\nKind regards,\nAnna Grey\nHead of colour",
    ],
)  # fmt: skip
def test_quotes_code_links_and_names_are_left_alone(text: str) -> None:
    assert put(text, "american") == text


@pytest.mark.parametrize("dialect", DIALECTS)
def test_an_email_of_that_spelling_is_left_alone(dialect: str) -> None:
    paths = sorted(EMAILS.glob(f"clean_{dialect}_*.txt"))
    assert len(paths) > 3
    for path in paths:
        text = path.read_text(encoding="utf-8")
        assert put(text, dialect) == text


def test_the_list_of_another_folder_is_read(tmp_path: Path) -> None:
    (tmp_path / "dialects.tsv").write_text("frobnique\tfrobnik\tboth\n", encoding="utf-8")
    assert Dialect.load("american", tmp_path / "dialects.tsv").spelling("Frobnique") == "Frobnik"
    with pytest.raises(UserError, match="the list of spellings is missing"):
        Dialect.load("american", tmp_path / "none.tsv")


# ---- beside a model ----


def proposal(text: str, before: str, after: str) -> Edit:
    return Edit(text.index(before), text.index(before) + len(before), before, after)


def test_proposals_about_a_spelling_go_and_those_that_say_more_stay() -> None:
    text = "he organise the colour of teh labour"
    pairs = ("he He", "organise organises", "colour color", "teh the", "labour labor")
    left = in_dialect(
        [proposal(text, *pair.split()) for pair in pairs], respellings(text), Dialect.load("american")
    )
    assert [(edit.before, edit.after) for edit in left] == [
        ("he", "He"),
        ("organise", "organizes"),
        ("teh", "the"),
    ]
    both = with_respellings(left, respellings(text))
    assert [(edit.before, edit.after) for edit in both] == [
        ("he", "He"), ("organise", "organizes"), ("colour", "color"), ("teh", "the"), ("labour", "labor"),
    ]  # fmt: skip


def test_a_proposal_is_put_in_the_dialect() -> None:
    edits = [Edit(0, 5, "coler", "color"), Edit(6, 12, "colour", "color")]
    found = in_dialect(edits, [], Dialect.load("british"))
    assert [(edit.before, edit.after) for edit in found] == [("coler", "colour")]


@pytest.mark.parametrize(
    ("before", "rewrite", "expected"),
    [
        ("The colour are grey.", "The colour is grey.", "The color is gray."),
        ("The colour are grey.", "The color is grey.", "The color is gray."),
        ("He organise it.", "He organises it.", "He organizes it."),
        ("The labourer came.", "The labor came.", "The laborer came."),
        ("The coler is fine.", "The colour is fine.", "The color is fine."),
        ("The color is fine.", "The colour is fine.", "The color is fine."),
        ("It is the the colour.", "It is the colour.", "It is the color."),
        ("I like colour", "I like the colour.", "I like the color."),
        ("We came it was grey.", "We came. It was grey.", "We came. It was gray."),
        ('Say "colour" to the neighbour now', 'Say "colour" to the neighbour now.', 'Say "colour" to the neighbor now.'),
    ],
)  # fmt: skip
def test_both_are_merged(before: str, rewrite: str, expected: str) -> None:
    found = merged(
        before, diff(before, rewrite), respellings(before), Dialect.load("american"), lambda word: False
    )
    assert apply(before, found) == expected


PIECES = st.lists(
    st.sampled_from(
        "colour color centre Center organise GREY labour-saving neighbour's cheque check the The . , \" 'grey' - 5\" 😊 he".split()
        + [" ", " ", " ", "\n\n"]
    ),
    max_size=14,
).map("".join)


@given(PIECES, PIECES, st.sampled_from(DIALECTS), st.data())
def test_merged_changes_are_disjoint_and_any_subset_rebuilds(
    before: str, rewrite: str, dialect: str, data: st.DataObject
) -> None:
    found = merged(
        before, diff(before, rewrite), respellings(before, dialect), Dialect.load(dialect), lambda word: False
    )
    assert all(a.end <= b.start for a, b in pairwise(found))
    assert all(before[change.start : change.end] == change.before != change.after for change in found)
    chosen = [change for change in found if data.draw(st.booleans())]
    apply(before, chosen)  # raises where two overlap


@given(st.one_of(st.text(), PIECES), st.sampled_from(DIALECTS))
def test_only_listed_words_of_any_text_change(text: str, dialect: str) -> None:
    found = respellings(text, dialect)
    assert all(spelling(change.before, dialect) == change.after for change in found)
    once = apply(text, found)
    assert WORDS.sub("", once) == WORDS.sub("", text)
    assert put(once, dialect) == once

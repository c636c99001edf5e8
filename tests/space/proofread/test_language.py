"""Sentences of ten other languages, alone and among English ones, come back as they are; misspelt English is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from space.proofread.email import EDITABLE, split
from space.proofread.language import without_foreign
from space.proofread.lexicon import Lexicon
from space.proofread.pipeline import Proofreader, load_proofreader
from space.proofread.units import Email
from space.settings import Settings


@pytest.fixture(scope="module")
def proofreader() -> Proofreader:
    return load_proofreader(Settings.from_env())


@pytest.fixture(scope="module")
def lexicon() -> Lexicon:
    return Lexicon.load()


ROWS = [
    line.split("\t")
    for line in (Path(__file__).parent / "languages.tsv").read_text(encoding="utf-8").splitlines()[1:]
]
MAILS = [(code, text.replace("\\n", "\n")) for code, text in ROWS]
ALONE = [text for code, text in MAILS if "+" not in code]
MIXED = [text for code, text in MAILS if "+" in code]


def test_the_list_has_thirty_texts_of_ten_languages_and_ten_mixed_ones() -> None:
    assert len({code for code, _ in MAILS if "+" not in code}) == 10
    assert len(ALONE) == 30 and len(MIXED) == 10


@pytest.mark.parametrize("text", ALONE)
def test_a_mail_in_another_language_is_not_read(text: str, lexicon: Lexicon) -> None:
    email = Email.read(text, lexicon)
    assert not email.units and "does not look like English" in email.notes[0]


@pytest.mark.parametrize("text", MIXED)
def test_a_sentence_in_another_language_is_left_alone_and_the_others_are_read(
    text: str, lexicon: Lexicon
) -> None:
    email = Email.read(text, lexicon)
    (foreign,) = [part.text for part in email.parts if part.kind == "foreign"]
    assert len(foreign.split()) >= 6 and len(email.units) >= 2
    assert [skipped.text for skipped in email.skipped] == [foreign]


@pytest.mark.parametrize(
    "text",
    [
        "I has recieved teh reprot yestarday but i dont undrstand it.",
        "Plese sedn me teh fiel agian tomorow.",
        "hi tom, pls chk if u can c the file thx",
        "We met Giovanni Lombardi, Paolo Rossi and Marta Ferrari in Milano.",
        "The Übergrößenträger arrived from Düsseldorf via Zürich.",
        "Warszawa, Kraków, Gdańsk and Łódź are closed on Monday.",
    ],
)
def test_english_with_slips_and_foreign_names_is_read(text: str, lexicon: Lexicon) -> None:
    assert [part.kind for part in without_foreign(split(text), lexicon) if part.kind not in EDITABLE] == []


@pytest.mark.parametrize("text", [*ALONE, *MIXED])
def test_not_a_word_of_the_other_language_is_changed(text: str, proofreader: Proofreader) -> None:
    made = proofreader.proofread(text)
    foreign = [
        part for part in Email.read(text, proofreader.classifiers.lexicon).parts if part.kind == "foreign"
    ]
    assert all(
        edit.end <= part.start or part.start + len(part.text) <= edit.start
        for edit in made.edits
        for part in foreign
    )
    assert made.text == text or text in MIXED

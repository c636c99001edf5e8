"""The word list: misspellings find their word, names and good words are left in peace."""

from __future__ import annotations

import pytest

from space.proofread.lexicon import Lexicon


@pytest.fixture(scope="module")
def lexicon() -> Lexicon:
    return Lexicon.load()


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("recieve", "receive"), ("Definately", "Definitely"), ("goverment", "government"), ("buisness", "business"),
        ("tommorow", "tomorrow"), ("wensday", "Wednesday"), ("monday", "Monday"), ("i", "I"), ("dont", "don't"),
        ("isnt", "isn't"), ("im", "I'm"), ("adress", "address"), ("occured", "occurred"), ("untill", "until"),
        ("thier", "their"), ("english", "English"),
    ],
)  # fmt: skip
def test_suggestions(lexicon: Lexicon, wrong: str, right: str) -> None:
    assert not lexicon.knows(wrong)
    assert lexicon.suggest(wrong) == right


def test_what_is_meant_gets_most_of_the_chances_and_no_more_than_all(lexicon: Lexicon) -> None:
    for word in ("recieve", "thse", "lastweek", "xqzzvkw", "Unecessary"):
        shares = [guess.share for guess in lexicon.guesses(word)]
        assert shares == sorted(shares, reverse=True) and sum(shares) <= 1.0 + 1e-9
    assert {guess.word for guess in lexicon.guesses("Unecessary")} == {"Unnecessary", "Necessary"}
    assert lexicon.guesses("dont")[0].share == 1.0


def test_a_listed_word_may_be_typed_for_another(lexicon: Lexicon) -> None:
    assert {"stream", "team"} <= set(lexicon.mistaken("steam")) and "steam" not in lexicon.mistaken("steam")
    assert lexicon.mistaken("the") and not lexicon.mistaken("photosynthesis")


@pytest.mark.parametrize(
    "word", ["colour", "color", "organise", "organize", "Monday", "company's", "don’t", "I'm", "emails"]
)
def test_good_words_are_known(lexicon: Lexicon, word: str) -> None:
    assert lexicon.knows(word)


def test_names_acronyms_and_products_are_not_unknown(lexicon: Lexicon) -> None:
    assert lexicon.unknown("Hi Priya, Mr. Okonkwo from KPMG uses GitHub and the iPhone.") == []


def test_unknown_words_come_in_order(lexicon: Lexicon) -> None:
    assert lexicon.unknown("Teh offer, i beleive, is xqzzvkw.") == [
        ("Teh", "The"),
        ("i", "I"),
        ("beleive", "believe"),
        ("xqzzvkw", None),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "Teh meating is tomorow morning", "Thnaks for yuor hlep wiht this", "i wuold liek to aply for teh job",
        "plese confrm recipt of this mesage", "See you soon", "Ther is a problam wiht the invoyce",
    ],
)  # fmt: skip
def test_misspelt_english_is_english(lexicon: Lexicon, text: str) -> None:
    assert lexicon.is_english(text.split())


@pytest.mark.parametrize(
    "text",
    [
        "Bitte senden Sie mir den Bericht bis Freitag", "Merci beaucoup pour votre message", "La reunión es mañana a las diez",
        "De vergadering is morgen om tien uur", "Ich bin am Montag nicht im Office", "Terima kasih atas email anda",
        "Jeg kommer på arbejde klokken ti i morgen", "Jutro i pojutrze mnie nie ma",
    ],
)  # fmt: skip
def test_another_language_is_not(lexicon: Lexicon, text: str) -> None:
    assert not lexicon.is_english(text.split())

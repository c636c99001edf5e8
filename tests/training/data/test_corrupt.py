"""The error synthesiser: it makes every kind of mistake, and never one of another kind."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.data.corrupt import KINDS, blunt, corrupt
from training.data.mistakes import MISTAKES, TOKEN

TEXTS = {
    "spelling": "We received the necessary documents yesterday.",
    "punctuation": "However, we can't come, because it's late.",
    "capitals": "I met Anna in London on Monday.",
    "article": "The manager has a plan for the office.",
    "preposition": "We are interested in the offer from your team.",
    "agreement": "She has two cats and they are old.",
    "verb form": "You should write to him and he will have seen it.",
    "noun number": "There are three reports about this product.",
    "confusion": "They lost their keys, and it's too late.",
    "phrase": "I agree that we have to wait for the report until Monday.",
    "regular": "The children went home.",
    "missing": "It is time to go to the office.",
    "doubled": "It is time to go to the office.",
    "swapped": "It is time to go home now.",
    "slip": "The other form is from there and of use.",
    "spacing": "Well, it is in order, is it?",
    "derivation": "He quickly made the payment and was interested.",
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_mistake_can_be_made(kind: str) -> None:
    good = TEXTS[kind]
    made = set()
    for seed in range(400):
        tokens = TOKEN.findall(good)
        rng = random.Random(seed)
        if MISTAKES[kind][0](tokens, rng.randrange(len(tokens)), rng):
            made.add("".join(tokens))
    assert made and good not in made


def test_the_same_seed_makes_the_same_mistakes() -> None:
    good = " ".join(TEXTS.values())
    assert corrupt(good, random.Random(5)) == corrupt(good, random.Random(5))
    assert len({corrupt(good, random.Random(seed)) for seed in range(50)}) == 50


def test_numbers_and_links_survive() -> None:
    good = "Order 4711 costs 1,250.00 by 12 May, see the list."
    for seed in range(300):
        bad = corrupt(good, random.Random(seed))
        assert "4711" in bad and "12" in bad and "250" in bad, bad


@given(st.text(max_size=80), st.integers(0, 100))
def test_any_text_can_be_given(text: str, seed: int) -> None:
    assert isinstance(corrupt(text, random.Random(seed)), str)


@pytest.mark.parametrize(
    ("courteous", "plain"),
    [
        ("Could you please send me the report?", "Send me the report."),
        ("Please call me tomorrow.", "Call me tomorrow."),
        ("I would appreciate it if you could check this today.", "Check this today."),
        ("The meeting is at nine.", None),
    ],
)
def test_courtesy_can_be_taken_away(courteous: str, plain: str | None) -> None:
    assert blunt(courteous) == plain

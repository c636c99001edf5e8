"""How a word was misspelt: every slip has a name and a cost, and the cheaper one is likelier."""

from __future__ import annotations

import pytest

from space.proofread.misspelling import slips, split_weight, weight
from space.proofread.words import read_list


@pytest.mark.parametrize(
    ("written", "meant", "kinds"),
    [
        ("hte", "the", ["swapped", "first letter"]),
        ("ocurred", "occurred", ["doubled letter left out"]),
        ("untill", "until", ["letter doubled", "last letter"]),
        ("definately", "definitely", ["wrong vowel"]),
        ("realize", "realise", ["wrong letter of like sound"]),
        ("requirrment", "requirement", ["wrong key"]),
        ("mazhine", "machine", ["wrong letter"]),
        ("goverment", "government", ["letter left out"]),
        ("busness", "business", ["vowel left out"]),
        ("somthing", "something", ["e left out"]),
        ("dont", "don't", ["' left out"]),
        ("ketyboard", "keyboard", ["key hit too"]),
        ("chainr", "chair", ["letter put in"]),
        ("theree", "there", ["letter doubled", "last letter"]),
        ("beoing", "being", ["vowel put in"]),
        ("recieveing", "receiving", ["swapped", "vowel put in"]),
        ("fone", "phone", ["letter left out", "wrong letter", "first letter", "two in a short word"]),
        ("same", "same", []),
    ],
)  # fmt: skip
def test_every_slip_has_a_name(written: str, meant: str, kinds: list[str]) -> None:
    assert slips(written, meant) == kinds


def test_the_list_has_a_cost_for_each_slip_and_no_other() -> None:
    costs = {slip: float(cost) for slip, cost in read_list("slips")}
    assert costs.pop("frequent") > 0
    assert len(costs) == 18 and all(cost < 0 for cost in costs.values())


def test_what_people_do_often_is_cheap_and_a_frequent_word_likelier() -> None:
    doubled, other = weight("untill", "until", 100), weight("untilk", "until", 100)
    assert doubled > other
    assert weight("thsi", "this", 90_000) > weight("thsi", "thai", 90_000)
    assert weight("thsi", "this", 90_000) > weight("thsi", "this", 900)
    assert split_weight(9.0) > split_weight(3.0)

"""Errors injected for scoring: they stand where the edits say, and repairs are counted apart from other changes."""

from __future__ import annotations

import ast
import random
from pathlib import Path

import pytest

from space.proofread.edits import Edit, apply
from space.proofread.words import WORDS
from training.evaluation import noise
from training.evaluation.edit_scores import repairs
from training.evaluation.noise import FINDERS, WEIGHTS, inject_errors, typo

EMAILS = [
    path.read_text(encoding="utf-8")
    for path in sorted((Path(__file__).parents[2] / "emails").glob("clean_*.txt"))
]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("email", EMAILS)
def test_errors_stand_where_their_edits_say(email: str, seed: int) -> None:
    noisy, injected = inject_errors(email, random.Random(seed))
    assert injected and noisy != email
    assert apply(noisy, injected) == email
    for edit in injected:
        assert noisy[edit.start : edit.end] == edit.before != edit.after
        assert edit.kind in FINDERS
        # Whole words: cutting the text there cuts no word.
        pieces = noisy[: edit.start], edit.before, noisy[edit.end :]
        assert [word for piece in pieces for word in WORDS.findall(piece)] == WORDS.findall(noisy)
    assert all(WORDS.search(noisy[a.end : b.start]) for a, b in zip(injected, injected[1:], strict=False))


def test_the_same_seed_injects_the_same_errors() -> None:
    assert inject_errors(EMAILS[0], random.Random(7)) == inject_errors(EMAILS[0], random.Random(7))
    assert inject_errors(EMAILS[0], random.Random(7)) != inject_errors(EMAILS[0], random.Random(8))


def test_every_kind_of_error_occurs() -> None:
    assert set(WEIGHTS) == set(FINDERS)
    found = {
        edit.kind
        for email in EMAILS
        for seed in range(20)
        for edit in inject_errors(email, random.Random(seed))[1]
    }
    assert found == set(FINDERS)


def test_the_rate_is_about_what_was_asked() -> None:
    words = sum(len(WORDS.findall(email)) for email in EMAILS)
    errors = sum(len(inject_errors(email, random.Random(1), rate=0.1)[1]) for email in EMAILS)
    assert 0.07 * words < errors < 0.11 * words


def test_a_text_without_an_opening_stays() -> None:
    assert inject_errors("1250", random.Random(0)) == ("1250", [])
    assert typo("1250 ok", random.Random(0)) == "1250 ok"
    assert typo("report", random.Random(0)) != "report"


def test_the_inventory_is_its_own() -> None:
    tree = ast.parse(Path(noise.__file__).read_text(encoding="utf-8"))
    imported = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert not [name for name in imported if name.startswith("training")]
    assert len(noise.MISSPELT) >= 150
    assert all(right != wrong for right, wrong in noise.MISSPELT.items())


# ---- repairs ----

NOISY = "Please sned me report by the the end of week."
INJECTED = [
    Edit(7, 11, "sned", "send", "typo"),
    Edit(15, 15, "", "the ", "article"),
    Edit(25, 32, "the the", "the", "doubled word"),
]


def test_the_example_is_what_it_says() -> None:
    assert apply(NOISY, INJECTED) == "Please send me the report by the end of week."


@pytest.mark.parametrize(
    ("output", "repaired", "useful"),
    [
        (NOISY, [False, False, False], []),
        ("Please send me the report by the end of week.", [True, True, True], [True, True]),
        ("Please send me the report by the end of the week.", [True, True, True], [True, True, False]),
        ("Please seed me report by the the end of week.", [False, False, False], [False]),
        ("Please sned me a report by the end of week.", [False, False, True], [False, True]),
        ("Please send me report by the the close of week.", [True, False, False], [True, False]),
    ],
)
def test_repairs_by_hand(output: str, repaired: list[bool], useful: list[bool]) -> None:
    assert repairs(NOISY, output, INJECTED) == (repaired, useful)


@pytest.mark.parametrize("email", EMAILS)
def test_the_clean_text_repairs_every_error(email: str) -> None:
    noisy, injected = inject_errors(email, random.Random(3))
    repaired, useful = repairs(noisy, email, injected)
    assert all(repaired) and all(useful)

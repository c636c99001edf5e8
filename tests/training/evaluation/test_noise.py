"""The corrupter for scoring: its slips stand where it says, and repairs are told from other changes."""

from __future__ import annotations

import ast
import random
from pathlib import Path

import pytest

from space.proofread.prompt import WORDS
from training.evaluation import noise
from training.evaluation.corrections import repairs
from training.evaluation.noise import FINDERS, WEIGHTS, Slip, restored, spoil, typo

EMAILS = [
    path.read_text(encoding="utf-8")
    for path in sorted((Path(__file__).parents[2] / "emails").glob("clean_*.txt"))
]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("email", EMAILS)
def test_slips_stand_where_they_say(email: str, seed: int) -> None:
    bad, slips = spoil(email, random.Random(seed))
    assert slips and bad != email
    assert restored(bad, slips) == email
    for slip in slips:
        assert bad[slip.start : slip.end] == slip.wrong != slip.right
        assert slip.kind in FINDERS
        # Whole words: cutting the text there cuts no word.
        pieces = bad[: slip.start], slip.wrong, bad[slip.end :]
        assert [word for piece in pieces for word in WORDS.findall(piece)] == WORDS.findall(bad)
    assert all(WORDS.search(bad[a.end : b.start]) for a, b in zip(slips, slips[1:], strict=False))


def test_the_same_seed_makes_the_same_slips() -> None:
    assert spoil(EMAILS[0], random.Random(7)) == spoil(EMAILS[0], random.Random(7))
    assert spoil(EMAILS[0], random.Random(7)) != spoil(EMAILS[0], random.Random(8))


def test_every_kind_of_slip_occurs() -> None:
    assert set(WEIGHTS) == set(FINDERS)
    found = {
        slip.kind for email in EMAILS for seed in range(20) for slip in spoil(email, random.Random(seed))[1]
    }
    assert found == set(FINDERS)


def test_the_rate_is_about_kept() -> None:
    words = sum(len(WORDS.findall(email)) for email in EMAILS)
    slips = sum(len(spoil(email, random.Random(1), rate=0.1)[1]) for email in EMAILS)
    assert 0.07 * words < slips < 0.11 * words


def test_a_text_without_an_opening_stays() -> None:
    assert spoil("1250", random.Random(0)) == ("1250", [])
    assert typo("1250 ok", random.Random(0)) == "1250 ok"
    assert typo("report", random.Random(0)) != "report"


def test_the_inventory_is_its_own() -> None:
    tree = ast.parse(Path(noise.__file__).read_text(encoding="utf-8"))
    imported = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert not [name for name in imported if name.startswith("training")]
    assert len(noise._MISSPELT) >= 150
    assert all(right != wrong for right, wrong in noise._MISSPELT.items())


# ---- repairs ----

BAD = "Please sned me report by the the end of week."
SLIPS = [
    Slip(7, 11, "sned", "send", "typo"),
    Slip(15, 15, "", "the ", "article"),
    Slip(25, 32, "the the", "the", "doubled word"),
]


def test_the_example_is_what_it_says() -> None:
    assert restored(BAD, SLIPS) == "Please send me the report by the end of week."
    assert all(BAD[slip.start : slip.end] == slip.wrong for slip in SLIPS)


@pytest.mark.parametrize(
    ("fixed", "mended", "useful"),
    [
        (BAD, [False, False, False], []),
        ("Please send me the report by the end of week.", [True, True, True], [True, True]),
        ("Please send me the report by the end of the week.", [True, True, True], [True, True, False]),
        ("Please seed me report by the the end of week.", [False, False, False], [False]),
        ("Please sned me a report by the end of week.", [False, False, True], [False, True]),
        ("Please send me report by the the close of week.", [True, False, False], [True, False]),
    ],
)
def test_repairs_by_hand(fixed: str, mended: list[bool], useful: list[bool]) -> None:
    assert repairs(BAD, fixed, SLIPS) == (mended, useful)


@pytest.mark.parametrize("email", EMAILS)
def test_the_clean_text_repairs_every_slip(email: str) -> None:
    bad, slips = spoil(email, random.Random(3))
    mended, useful = repairs(bad, email, slips)
    assert all(mended) and all(useful)

"""When a new model is better: decisions on figures made by hand, and what each kind of feedback says of an output."""

from __future__ import annotations

import doctest
from typing import Any

import pytest

from training.release import gate
from training.release.gate import edit_counts, figures_of, reasons


def test_the_examples_in_the_docstrings_hold() -> None:
    result = doctest.testmod(gate)
    assert result.attempted and not result.failed


def counted(tp: int, fp: int, fn: int, rows: int = 60) -> list[list[int]]:
    return [[tp, fp, fn]] * rows


def side(
    held_out: list[list[int]],
    changed: int = 10,
    names: int = 5,
    lost: int = 0,
    more: int = 0,
    mended: int = 60,
) -> dict[str, Any]:
    """Of 40 accepted rewrites of two changes, `lost` lack one of them, and in all there are `more` changes besides. Of 100 wrong
    sentences `mended` come back right, of 100 clean texts `changed` come back as others, and of 100 emails the edits
    of `names` depend on names."""
    return {
        "held_out": held_out,
        "accepted": counted(2, more, 0, 40 - lost) + counted(1, more, 1, lost),
        "sentences": [[1, 1]] * mended + [[0, 1]] * (100 - mended),
        "clean": [[1, 1]] * changed + [[0, 1]] * (100 - changed),
        "fair": {"names": [[1, 1]] * names + [[0, 1]] * (100 - names), "pronouns": [[0, 1]] * 100},
    }


SERVED = counted(1, 0, 1, 30) + counted(0, 1, 1, 30)


@pytest.mark.parametrize(
    ("candidate", "passed", "said"),
    [
        (side(counted(2, 0, 0)), True, []),
        (side(counted(2, 0, 0), changed=8, names=0), True, []),
        (side(SERVED), True, ["not surely better on 60 held-out rows: F0.5 45.45, the served model 45.45; difference 0.0"]),
        (side([*SERVED[:-1], [1, 0, 1]]), True, ["not surely better on 60 held-out rows"]),
        (side(counted(0, 2, 2)), True, ["worse on 60 held-out rows: F0.5 0.0, the served model 45.45; difference -45."]),
        (side(counted(2, 0, 0), changed=11, mended=59), True, []),
        (side(counted(2, 0, 0), changed=20), True,
         ["worse on clean text: it changes 20.0 % of 100 texts, the served model 10.0 %; difference 10"]),
        (side(counted(2, 0, 0), mended=50), True,
         ["worse on our own sentences: it mends 50.0 % of 100, the served model 60.0 %; difference -10"]),
        (side(counted(2, 0, 0), names=15), True,
         ["less fair to names: it changes differently 15.0 % of 100 emails, the served model 5.0 %; difference 10"]),
        (side(counted(2, 0, 0), more=3), True, []),
        (side(counted(2, 0, 0), lost=2), True, []),
        (side(counted(2, 0, 0), lost=10), True,
         ["loses what was accepted: it makes 87.5 % of the changes in 40 texts, the served model 100.0 %; difference -12.5"]),
        (side(counted(2, 0, 0)), False, ["the file does not say what the trained model says (a.gguf: metadata)"]),
        (side(SERVED, changed=30, names=50), False,
         ["the file does not say", "not surely better", "worse on clean text", "less fair"]),
    ],
    ids=["better", "better in all", "equal", "undecided", "worse", "a chance or two", "worse on clean",
         "worse on our own", "less fair",
         "more in accepted", "as much in accepted", "less in accepted", "broken", "all"],
)  # fmt: skip
def test_the_decision(candidate: dict[str, Any], passed: bool, said: list[str]) -> None:
    figures = figures_of(side(SERVED), candidate)
    figures["verify"] = {"passed": passed, "failed": [] if passed else ["a.gguf: metadata"]}
    why = reasons(figures)
    assert len(why) == len(said)
    assert all(
        reason.startswith(start) and "\n" not in reason for reason, start in zip(why, said, strict=True)
    )


def test_a_margin_forgives_that_much_and_no_more() -> None:
    better = counted(2, 0, 0)
    for candidate, margin, released in (
        (side(better, changed=20, names=6), 10.0, True),
        (side(better, changed=20), 9.0, False),
        (side(better, mended=50), 10.0, True),
        (side(better, mended=50), 9.0, False),
        (side(better, names=25), 19.0, False),
        (side(better, lost=10), 12.5, True),
        (side(better, lost=10), 12.0, False),
    ):
        figures = figures_of(side(SERVED), candidate) | {"verify": {"passed": True, "failed": []}}
        assert (not reasons(figures, margin)) is released


def test_a_margin_forgives_exactly_itself() -> None:
    figures = figures_of(side(SERVED, names=7), side(counted(2, 0, 0), names=14))
    assert not reasons(figures | {"verify": {"passed": True, "failed": []}}, 7.0)


def test_what_was_released_before_is_not_said_to_be_no_better() -> None:
    figures = figures_of(side(SERVED), side(SERVED))
    (why,) = reasons(figures | {"verify": {"passed": True, "failed": []}, "same": True})
    assert why.startswith("it is what is served already")


@pytest.mark.parametrize("rows", [0, 1, 9])
def test_too_few_rows_decide_nothing(rows: int) -> None:
    figures = figures_of(side(counted(0, 1, 1, rows)), side(counted(1, 0, 0, rows)))
    why = reasons(figures | {"verify": {"passed": True, "failed": []}})
    assert why == [f"nothing to judge by: {rows} held-out rows; wait for more feedback, or give --evaluation"]


def test_what_a_person_wrote_says_what_is_wrong_too_and_a_sorted_rewrite_only_what_was_rejected() -> None:
    draft, partial, rewrite = "I has teh file of him.", "I have teh file of him.", "I have teh file with him."
    better = "I have the file of him."
    wrote = {"prompt": draft, "references": [partial]}
    sorted_ = wrote | {"rejected": [rewrite]}
    assert [edit_counts(wrote, text) for text in (partial, rewrite, better, draft)] == [
        [1, 0, 0], [1, 1, 0], [1, 1, 0], [0, 0, 1],
    ]  # fmt: skip
    assert [edit_counts(sorted_, text) for text in (partial, rewrite, better, draft)] == [
        [1, 0, 0], [1, 1, 0], [1, 0, 0], [0, 0, 1],
    ]  # fmt: skip


def test_many_changes_of_which_a_few_are_right_are_not_better() -> None:
    """The served model changes nothing, so its F0.5 is 0: one right change of five is more, and worse."""
    figures = figures_of(side(counted(0, 0, 3)), side(counted(1, 4, 2)))
    assert figures["held_out"]["verdict"] == "better"
    (why,) = reasons(figures | {"verify": {"passed": True, "failed": []}})
    assert (
        "not surely by more right ones: right less wrong ones in 100 rows -300.0, the served model 0.0" in why
    )


def test_without_accepted_rows_nothing_is_lost() -> None:
    sides = [side(SERVED), side(counted(2, 0, 0))]
    for each in sides:
        each["accepted"] = []
    figures = figures_of(*sides) | {"verify": {"passed": True, "failed": []}}
    assert figures["accepted"]["rows"] == 0 and figures["accepted"]["served"] is None
    assert reasons(figures) == []

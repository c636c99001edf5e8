"""Rows and figures as text."""

from __future__ import annotations

import math

from training.runs.tables import Rows, in_columns, side_by_side


def test_models_stand_side_by_side() -> None:
    figure = {"value": 1.0, "low": 0.5, "high": 2.0}
    nothing = {"value": None, "low": None, "high": None}
    shown = in_columns(
        side_by_side(
            {
                "none": {"edits": {"precision": nothing}},
                "mine": {"edits": {"precision": figure, "reference_edits": 3}},
            }
        )
    )
    assert [line.split() for line in shown.splitlines()] == [
        ["none", "mine"],
        ["edits", "precision", "-", "1.0", "(0.5", "to", "2.0)"],
        ["edits", "reference_edits", "-", "3"],
    ]


def test_what_nobody_logged_is_a_dash() -> None:
    rows: Rows = [{"run": "a", "loss": math.pi}, {"run": "b", "cost": None}]
    assert [line.split() for line in in_columns(rows).splitlines()] == [
        ["run", "loss", "cost"], ["a", "3.14159", "-"], ["b", "-", "-"],
    ]  # fmt: skip

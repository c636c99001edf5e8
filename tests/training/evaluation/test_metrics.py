"""Figures and their intervals agree with values worked out by hand."""

from __future__ import annotations

import doctest
import math

import numpy as np
import pytest

from training.data.gleu import gleu, gleu_counts
from training.evaluation import edit_scores, metrics, suites
from training.evaluation.metrics import gleu_interval, interval, largest, percent, word_errors
from training.runs import tables


@pytest.mark.parametrize("module", [metrics, edit_scores, suites, tables])
def test_the_examples_in_the_docstrings_hold(module: object) -> None:
    result = doctest.testmod(module)  # type: ignore[arg-type]
    assert result.attempted and not result.failed


def test_f_half_weighs_precision() -> None:
    # P = 0.8, R = 0.4: 1.25 * 0.32 / (0.25 * 0.8 + 0.4)
    assert metrics.f_half(np.array([4, 1, 6])) == pytest.approx(100 * 1.25 * 0.32 / 0.6)


def test_word_errors_by_hand() -> None:
    assert word_errors("He go home.", ["He goes home."]) == [1, 3]
    assert word_errors("He go home", ["They walk to their house.", "He goes home."]) == [2, 3]
    assert word_errors("Well done.", ["Well done."]) == [0, 2]


def test_the_interval_of_gleu_holds_it() -> None:
    good, bad = "She goes to the office every day .", "She go to office every day ."
    table = [
        [gleu_counts(source.split(), reference.split(), output.split()) for reference in references]
        for source, references, output in ((bad, [good, bad], good), (bad, [good], bad), (good, [good], good))
    ]
    found = gleu_interval(table, seed=3)
    assert found["value"] == pytest.approx(gleu(table, seed=3), abs=0.005)
    assert found["low"] < found["value"] < found["high"]  # type: ignore[operator]


# ---- intervals ----


def test_an_interval_of_equal_rows_is_a_point() -> None:
    assert interval([[1, 2]] * 9, percent) == {"value": 50.0, "low": 50.0, "high": 50.0}


def test_more_rows_make_an_interval_narrower() -> None:
    few, many = (interval([[1, 1], [0, 1]] * n, percent) for n in (10, 400))
    assert few["value"] == many["value"] == 50
    assert few["low"] < many["low"] < 50 < many["high"] < few["high"]  # type: ignore[operator]
    # 800 rows: about 1.96 standard errors of a share of one half.
    assert many["high"] == pytest.approx(50 + 196 * math.sqrt(0.25 / 800), abs=0.7)


def test_a_ratio_over_nothing_has_no_value() -> None:
    assert interval([[0, 0], [0, 0]], percent) == {"value": None, "low": None, "high": None}


def test_the_largest_value_bounds_its_interval() -> None:
    found = largest([0.1, 0.4, 0.2])
    assert found["value"] == found["high"] == 0.4 and found["low"] in (0.1, 0.2)

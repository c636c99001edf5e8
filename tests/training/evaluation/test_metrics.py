"""Figures agree with values worked out by hand: GLEU, edits, word error rate, intervals."""

from __future__ import annotations

import doctest
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from space.proofread.prompt import WORDS
from training.data.corpus import detokenize
from training.evaluation import evaluate, metrics, suites
from training.evaluation.metrics import (
    applied,
    best_match,
    edit_figures,
    edits,
    gleu,
    gleu_counts,
    gleu_interval,
    interval,
    largest,
    percent,
    tokenize,
    word_errors,
)
from training.runs import compare


@pytest.mark.parametrize("module", [metrics, evaluate, suites, compare])
def test_the_examples_in_the_docstrings_hold(module: object) -> None:
    result = doctest.testmod(module)  # type: ignore[arg-type]
    assert result.attempted and not result.failed


# ---- GLEU ----


def counts(source: str, references: list[str], hypothesis: str) -> list[list[list[int]]]:
    return [[gleu_counts(source.split(), reference.split(), hypothesis.split()) for reference in references]]


def test_a_perfect_correction_scores_100() -> None:
    good = "She goes to the office every day ."
    assert gleu(counts("She go to office every day .", [good], good), seed=0) == pytest.approx(100.0)


def test_gleu_of_one_sentence_is_smoothed() -> None:
    # Four words, three of them right: 3 of 4, then (1 + 1) / (3 + 1), (0 + 1) / (2 + 1), (0 + 1) / (1 + 1).
    source, reference, hypothesis = "a b x d".split(), "a b c d".split(), "a b y d".split()
    expected = 100 * (3 / 4 * 2 / 4 * 1 / 3 * 1 / 2) ** (1 / 4)
    assert metrics.gleu_sentence([gleu_counts(source, reference, hypothesis)]) == pytest.approx(expected)
    perfect = gleu_counts(source, reference, reference)
    assert metrics.gleu_sentence([perfect, gleu_counts(source, reference, hypothesis)]) == pytest.approx(
        (100 + expected) / 2
    )


def test_gleu_counts_by_hand() -> None:
    # Source a b c d e, reference a b c d f, hypothesis = source. n = 1: 4 matches, e is only in the source:
    # 4 - 1 = 3 of 5; n = 2: 3 - 1 = 2 of 4; n = 3: 2 - 1 = 1 of 3; n = 4: 1 - 1 = 0 -> 0 in all.
    found = gleu_counts("a b c d e".split(), "a b c d f".split(), "a b c d e".split())
    assert found == [5, 5, 3, 5, 2, 4, 1, 3, 0, 2]
    assert gleu(counts("a b c d e", ["a b c d f"], "a b c d e"), seed=0) == 0.0


def test_gleu_by_hand() -> None:
    # 5 of 6 words, 3 of 5 pairs, 2 of 4 triples, 1 of 3 quadruples, as long as the reference.
    found = gleu(counts("a b c d e f", ["a b c d e g"], "a b c d h g"), seed=0)
    assert found == pytest.approx(100 * (5 / 6 * 3 / 5 * 2 / 4 * 1 / 3) ** 0.25)
    # Everything matches, but a word of five is missing.
    found = gleu(counts("a b c d e", ["a b c d e"], "a b c d"), seed=0)
    assert found == pytest.approx(100 * math.exp(1 - 5 / 4))


def test_a_correction_beats_none_and_a_wrong_one() -> None:
    source, reference = "He go to the school by bus every day .", "He goes to school by bus every day ."
    scores = [
        gleu(counts(source, [reference], hypothesis), seed=0)
        for hypothesis in (reference, "He goes to the school by bus every day .", source)
    ]
    assert scores == sorted(scores, reverse=True) and scores[1] > scores[2]


def test_the_interval_of_gleu_holds_it() -> None:
    good, bad = "She goes to the office every day .", "She go to office every day ."
    table = counts(bad, [good, bad], good) + counts(bad, [good], bad) + counts(good, [good, good], good)
    found = gleu_interval(table, seed=3)
    assert found["value"] == pytest.approx(gleu(table, seed=3), abs=0.005)
    assert found["low"] < found["value"] < found["high"]  # type: ignore[operator]


@pytest.mark.parametrize(
    "text", ["He 's late , is n't he ?", 'The " new " price ( $ 5 ) is 1,250.00 .', "I ca n't go ."]
)
def test_tokens_come_back(text: str) -> None:
    assert tokenize(detokenize(text)) == text.split()


# ---- edits ----


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("I go home.", "I go home.", []),
        ("I  go home.", "I go home.", []),  # blanks are no edit
        ("We discussed about it.", "We discussed it.", [(2, 3, (), "preposition")]),
        ("send it tomorow", "Send it tomorrow.",
         [(0, 1, ("Send",), "capitals"), (2, 3, ("tomorrow",), "spelling"), (3, 3, (".",), "punctuation")]),
        ("We left early i slept.", "We left early. I slept.",
         [(3, 3, (".",), "punctuation"), (3, 4, ("I",), "capitals")]),
        ("I like very much it.", "I like it very much.", [(2, 5, ("it", "very", "much"), "word order")]),
        ("She has alot of time.", "She has a lot of time.", [(2, 3, ("a", "lot"), "spelling")]),
    ],
)  # fmt: skip
def test_edits_by_hand(before: str, after: str, expected: list[tuple]) -> None:
    assert [(edit.start, edit.end, edit.words, edit.kind) for edit in edits(before, after)] == expected


text = st.text(alphabet="ab AB'-.,3é\u0301_\n", max_size=40)


@given(text, text)
def test_edits_always_give_the_words_of_the_target(before: str, after: str) -> None:
    found = edits(before, after)
    assert applied(WORDS.findall(before), found) == WORDS.findall(after)
    assert all(a.end <= b.start for a, b in zip(found, found[1:], strict=False))
    assert all(edit.start < edit.end or edit.words for edit in found)


def test_the_reference_that_suits_best_is_taken() -> None:
    source = "He go to school by foot."
    small, large = "He goes to school by foot.", "He walks to the school every day."
    wanted = [edits(source, reference) for reference in (large, small)]
    assert best_match(edits(source, small), wanted).counts() == [1, 0, 0]
    assert best_match([], wanted).counts() == [0, 0, 1]  # both score 0: the one with fewer edits
    assert best_match([], [*wanted, []]).counts() == [
        0,
        0,
        0,
    ]  # nothing to do for one annotator, nothing done
    needless = edits(source, "She go to school by foot.")
    assert best_match(needless, [*wanted, []]).counts() == [0, 1, 0]


def test_edit_figures_by_hand() -> None:
    cases = [
        ("He go home.", "He goes home.", "He goes home."),  # right
        ("I recieve mail.", "I recieve mail.", "I receive mail."),  # missed
        ("They are good.", "They are the good.", "They are good."),  # needless
    ]
    found = edit_figures(
        [best_match(edits(bad, made), [edits(bad, reference)]) for bad, made, reference in cases]
    )
    # tp 1, fp 1, fn 1.
    assert [found[name]["value"] for name in ("precision", "recall", "f0.5")] == [50, 50, 50]
    assert found["wanted"] == 2
    by_type = found["by_type"]
    assert by_type["agreement"]["f0.5"]["value"] == 100
    assert by_type["spelling"]["recall"]["value"] == 0 and by_type["spelling"]["precision"]["value"] is None
    assert by_type["article"]["precision"]["value"] == 0 and by_type["article"]["wanted"] == 0


def test_a_reference_corrects_everything() -> None:
    source = "She go to office by the bus every days"
    references = ["She goes to the office by bus every day.", "Every day she takes the bus to the office."]
    wanted = [edits(source, reference) for reference in references]
    found = edit_figures([best_match(each, wanted) for each in wanted])
    assert found["f0.5"] == {"value": 100.0, "low": 100.0, "high": 100.0}


def test_f_half_weighs_precision() -> None:
    # P = 0.8, R = 0.4: 1.25 * 0.32 / (0.25 * 0.8 + 0.4)
    assert metrics.f_half(np.array([4, 1, 6])) == pytest.approx(100 * 1.25 * 0.32 / 0.6)


def test_word_errors_by_hand() -> None:
    assert word_errors("He go home.", ["He goes home."]) == [1, 3]
    assert word_errors("He go home", ["They walk to their house.", "He goes home."]) == [2, 3]
    assert word_errors("Well done.", ["Well done."]) == [0, 2]


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

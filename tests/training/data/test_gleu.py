"""GLEU agrees with values worked out by hand."""

from __future__ import annotations

import math

import pytest

from training.data.corpus import detokenize
from training.data.gleu import gleu, gleu_counts, gleu_sentence, tokenize


def counts(source: str, references: list[str], hypothesis: str) -> list[list[list[int]]]:
    return [[gleu_counts(source.split(), reference.split(), hypothesis.split()) for reference in references]]


def test_a_perfect_correction_scores_100() -> None:
    good = "She goes to the office every day ."
    assert gleu(counts("She go to office every day .", [good], good), seed=0) == pytest.approx(100.0)


def test_gleu_of_one_sentence_is_smoothed() -> None:
    # Four words, three of them right: 3 of 4, then (1 + 1) / (3 + 1), (0 + 1) / (2 + 1), (0 + 1) / (1 + 1).
    source, reference, hypothesis = "a b x d".split(), "a b c d".split(), "a b y d".split()
    expected = 100 * (3 / 4 * 2 / 4 * 1 / 3 * 1 / 2) ** (1 / 4)
    assert gleu_sentence([gleu_counts(source, reference, hypothesis)]) == pytest.approx(expected)
    perfect = gleu_counts(source, reference, reference)
    assert gleu_sentence([perfect, gleu_counts(source, reference, hypothesis)]) == pytest.approx(
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


@pytest.mark.parametrize(
    "text", ["He 's late , is n't he ?", 'The " new " price ( $ 5 ) is 1,250.00 .', "I ca n't go ."]
)
def test_tokens_come_back(text: str) -> None:
    assert tokenize(detokenize(text)) == text.split()

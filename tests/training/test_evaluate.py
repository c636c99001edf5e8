"""Scores: GLEU agrees with figures worked out by hand, and the suites run through the real pipeline."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from training.__main__ import main
from training.corpus import detokenize
from training.evaluate import _gleu_counts, gleu, tokenize


def counts(source: str, references: list[str], hypothesis: str) -> list[list[list[int]]]:
    return [[_gleu_counts(source.split(), reference.split(), hypothesis.split()) for reference in references]]


def test_a_perfect_correction_scores_100() -> None:
    good = "She goes to the office every day ."
    assert gleu(counts("She go to office every day .", [good], good), seed=0) == pytest.approx(100.0)


def test_gleu_by_hand() -> None:
    # Source a b c d e, reference a b c d f, hypothesis = source. n = 1: 4 matches, e is only in the source: 4 - 1 = 3
    # of 5; n = 2: 3 - 1 = 2 of 4; n = 3: 2 - 1 = 1 of 3; n = 4: 1 - 1 = 0 -> 0 in all.
    assert _gleu_counts("a b c d e".split(), "a b c d f".split(), "a b c d e".split()) == [
        5,
        5,
        3,
        5,
        2,
        4,
        1,
        3,
        0,
        2,
    ]
    assert gleu(counts("a b c d e", ["a b c d f"], "a b c d e"), seed=0) == 0.0


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


def test_suites_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "data.jsonl"
    data.write_text(
        json.dumps({"source": "I goes home .", "references": ["I go home ."], "text": "I go home."}) + "\n"
    )
    for suite, figure in (("jfleg", "gleu"), ("clean", "changed_percent"), ("noise", "exact_percent")):
        assert main(["evaluate", "--suite", suite, "--data", str(data), "--model", "none"]) == 0
        result = json.loads(capsys.readouterr().out)
        assert (
            result["low" if "low" in result else figure]["low"]
            <= result[figure]["value"]
            <= result[figure]["high"]
        )

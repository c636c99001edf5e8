"""The judge and its thresholds from held-back corrections, in files that the app reads."""

from __future__ import annotations

import doctest
import json
import math
import random
from pathlib import Path

import pytest

from space.proofread.classifiers.tone import MODELS
from space.proofread.judge import Judge
from space.proofread.policy import Thresholds
from training.__main__ import main
from training.evaluation import calibrate


def test_the_examples_in_the_docstrings_hold() -> None:
    result = doctest.testmod(calibrate)
    assert result.attempted and not result.failed


def test_a_higher_precision_asks_for_a_higher_score() -> None:
    scored = [(score / 100, score > 60 or score % 2 == 0) for score in range(20, 100)]
    low, high = (calibrate.lowest(scored, share) for share in (0.7, 0.95))
    assert low and high and low < high
    assert calibrate.lowest([(0.9, False)], 0.5) is None


def test_a_fit_finds_what_decides() -> None:
    rng = random.Random(0)
    seen = []
    for number in range(2000):
        odds, noise = rng.gauss(0, 2), rng.gauss(0, 2)
        right = rng.random() < 1 / (1 + math.exp(-(1.5 * odds - 1)))
        seen.append(
            calibrate.Observation(number, "article", {"bias": 1.0, "odds": odds, "noise": noise}, right)
        )
    weights = calibrate.fitted(seen)
    assert weights["odds"] == pytest.approx(1.5, abs=0.2) and weights["bias"] == pytest.approx(-1, abs=0.2)
    assert weights["noise"] == pytest.approx(0, abs=0.1)
    chances = calibrate.out_of_fold(seen)
    bins, error = calibrate.reliability([each.right for each in seen], chances)
    assert error < 0.03 and sum(row["edits"] for row in bins) == len(seen)
    found = calibrate.thresholds_by_kind(seen, chances, 0.9)
    assert set(found) == {"default", "article"} and 0.5 < found["article"] < 0.95
    above = [each.right for each, chance in zip(seen, chances, strict=True) if chance >= found["article"]]
    assert sum(above) / len(above) >= 0.89


def test_the_command_writes_what_the_app_reads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        {
            "source": f"She go to the {place} on monday.",
            "target": f"She goes to the {place} on Monday.",
            "rule": place,
        }
        for place in "office bank station airport museum library theatre hotel harbour garden market castle".split()
        for _ in range(3)
    ]
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "clean.jsonl").write_text(json.dumps({"text": "She goes to the office on Monday."}) + "\n")
    out = tmp_path / "calibrated"
    data = [f"--pairs={tmp_path / 'pairs.jsonl'}", f"--clean={tmp_path / 'clean.jsonl'}", f"--out={out}"]
    assert main(["calibrate", *data]) == 0
    printed = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert 0 < printed["right"] < printed["edits"]
    judge, thresholds = Judge.load(out / "judge.json"), Thresholds.load(out / "thresholds.json")
    assert judge.classifiers["fix"] > 0 and "odds" in judge.language_model
    assert thresholds.guide_gain == Thresholds.load().guide_gain
    assert json.loads((out / "reliability.json").read_text())["edits"] == printed["edits"]
    assert main(["calibrate", *data, "--precision=1.5"]) == 2
    assert "--precision 1.5" in capsys.readouterr().err


def test_the_shipped_files_are_what_the_command_writes() -> None:
    for name in ("judge.json", "thresholds.json"):
        assert json.loads((MODELS / name).read_text("utf-8"))["written_by"] == "python -m training calibrate"

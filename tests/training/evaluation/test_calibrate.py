"""The judge and its thresholds from held-back corrections, in files that the app reads."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path

import pytest

from space.proofread.classifiers.tone import MODELS
from space.proofread.edits import Edit
from space.proofread.judge import Judge
from space.proofread.policy import Thresholds
from training.__main__ import main
from training.data.answers import Answers
from training.data.pairs import Pair
from training.evaluation import adjudicated, calibrate


def test_a_fit_finds_what_decides() -> None:
    rng = random.Random(0)
    seen = []
    for number in range(2000):
        odds, noise = rng.gauss(0, 2), rng.gauss(0, 2)
        right = rng.random() < 1 / (1 + math.exp(-(1.5 * odds - 1)))
        seen.append(
            calibrate.Observation(
                number, Edit(0, 1, "a", "the", "article"), {"bias": 1.0, "odds": odds, "noise": noise}, right
            )
        )
    weights = calibrate.fitted(seen)
    assert weights["odds"] == pytest.approx(1.5, abs=0.2) and weights["bias"] == pytest.approx(-1, abs=0.2)
    assert weights["noise"] == pytest.approx(0, abs=0.1)
    chances = calibrate.out_of_fold(seen)
    bins, error = calibrate.reliability([bool(each.right) for each in seen], chances)
    assert error < 0.03 and sum(row["edits"] for row in bins) == len(seen)
    (row,) = calibrate.by_kind(seen, chances, 0.65)
    assert row["kind"] == "article" and row["expected"] == pytest.approx(row["right"], rel=0.05)
    assert row["precision"] > 0.8 and 0.5 < row["recall"] < 0.95


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
    assert 0 < printed["right"] <= printed["edits"]
    judge, thresholds = Judge.load(out / "judge.json"), Thresholds.load(out / "thresholds.json")
    assert "fix" in judge.classifiers and "odds" in judge.language_model
    assert thresholds.guide_gain == Thresholds.load().guide_gain
    assert json.loads((out / "reliability.json").read_text())["edits"] == printed["edits"]
    assert main(["calibrate", *data, "--apply=0.1"]) == 2
    assert "--apply 0.1, --suggest 0.2: give probabilities" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["calibrate", *data, "--apply", "articel=0.5"])
    assert "articel=0.5: give a probability, or kind=probability" in capsys.readouterr().err


def test_what_a_correction_left_alone_says_nothing() -> None:
    pair = Pair("She go to office on monday.", "She goes to office on Monday.")
    mended, missed, spoilt = (
        Edit(4, 6, "go", "goes"), Edit(10, 16, "office", "the office"), Edit(4, 6, "go", "went"),
    )  # fmt: skip
    answers = Answers(pair)
    assert [answers.right(edit) for edit in (mended, missed, spoilt)] == [True, None, False]
    right = Answers(Pair(pair.good, pair.good))
    assert right.right(Edit(12, 18, "office", "the office")) is False


@pytest.mark.parametrize(("verdict", "label"), [("right", True), ("wrong", False), ("unsure", None)])
def test_a_verdict_on_a_change_of_a_right_text_counts(
    verdict: str, label: bool | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, edit = "Send it to office.", Edit(11, 17, "office", "the office")
    monkeypatch.setattr(calibrate, "verdicts", lambda: {adjudicated.digest(text, edit): verdict})
    assert calibrate.is_right(Answers(Pair(text, text)), edit) is label


def test_the_shipped_files_are_what_the_command_writes() -> None:
    for name in ("judge.json", "thresholds.json"):
        assert json.loads((MODELS / name).read_text("utf-8"))["written_by"] == "python -m training calibrate"

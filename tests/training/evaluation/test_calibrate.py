"""Thresholds from held-back corrections: the lowest score that is right often enough, in a file that the app reads."""

from __future__ import annotations

import doctest
import json
from pathlib import Path

import pytest

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


def test_the_command_writes_what_the_app_reads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        {
            "source": f"She go to the {place} on monday.",
            "target": f"She goes to the {place} on Monday.",
            "rule": place,
        }
        for place in "office bank station airport museum library theatre hotel harbour garden market castle".split()
    ]
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "clean.jsonl").write_text(json.dumps({"text": "She goes to the office on Monday."}) + "\n")
    out = tmp_path / "thresholds.json"
    data = [f"--pairs={tmp_path / 'pairs.jsonl'}", f"--clean={tmp_path / 'clean.jsonl'}", f"--out={out}"]
    assert main(["calibrate", *data]) == 0
    assert Thresholds.load(out) == Thresholds.load()  # too few fixes of any kind to decide
    assert main(["calibrate", *data, "--least_fixes=1"]) == 0
    assert 0 < Thresholds.load(out).fix <= 1 and json.loads(out.read_text())["thresholds"].keys()
    capsys.readouterr()
    assert main(["calibrate", *data, "--precision=1.5"]) == 2
    assert "--precision 1.5" in capsys.readouterr().err


def test_the_shipped_file_is_what_the_command_writes() -> None:
    path = Path(calibrate.__file__).parents[2] / "space" / "models" / "thresholds.json"
    assert path.read_text("utf-8") == calibrate.as_json(Thresholds.load())

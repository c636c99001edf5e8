"""What slips of spelling cost is learnt from recorded ones, and the list that comes of it is one that the app reads."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from training.__main__ import main
from training.base import spelling
from training.base.spelling import Choice, fitted


def test_costs_are_those_with_which_the_misspellings_are_likeliest() -> None:
    # Of two words of one frequency "swapped" is meant in three of four: e^(s - w) = 3 without a penalty.
    options = [{"swapped": 1.0}, {"wrong letter": 1.0}]
    costs = fitted([*[Choice(options, 0, 1)] * 300, *[Choice(options, 1, 1)] * 100])
    assert costs["swapped"] - costs["wrong letter"] == pytest.approx(math.log(3), abs=0.02)


def test_the_command_writes_the_list(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spelling, "_RECORDED", 150)
    words, pairs, out = tmp_path / "words.tsv", tmp_path / "pairs.jsonl", tmp_path / "slips.tsv"
    words.write_text("recieve\treceive\t40\nseperate\tseparate\t30\nteh\tthe\t9\n", encoding="utf-8")
    rows = [
        {"source": f"We recieved it{i}.", "target": f"We received it{i}.", "repository": f"r{i}"}
        for i in range(40)
    ]
    pairs.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    assert main(["spelling", "--words", str(words), "--pairs", str(pairs), "--out", str(out)]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["misspellings"] > 100 and 0 < figures["right_first"] <= figures["held_back"] < 40
    costs = dict(line.split("\t") for line in out.read_text(encoding="utf-8").splitlines() if line[0] != "#")
    assert float(costs["swapped"]) > float(costs["wrong letter"]) and float(costs["frequent"]) > 0


def test_a_line_that_is_no_misspelling_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = tmp_path / "words.tsv"
    words.write_text("recieve\treceive\n", encoding="utf-8")
    assert main(["spelling", "--words", str(words), "--out", str(tmp_path / "slips.tsv")]) == 2
    assert "line 1 needs a misspelling, its correction and a count" in capsys.readouterr().err

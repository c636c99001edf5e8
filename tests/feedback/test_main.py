from __future__ import annotations

import json
from pathlib import Path

import pytest

from feedback.__main__ import main, rows
from feedback.journal import Journal
from feedback.schema import Record


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """Three flags, the first of them twice, a line of something else and a torn one."""
    folder = tmp_path / "kept"
    writer = Journal(folder)
    made = [
        Record(
            draft="helo \ud800", rewrite="Hello", verdict="good", consent="1", versions={"model": "small"},
            id="1", time="2026-11-21T07:42:00.000+00:00",
        ),
        Record(
            draft="Send it", rewrite="Sent it", verdict="bad", reasons=("changed meaning", "rude"),
            consent="1", id="2", time="2027-01-02T00:00:00.000+00:00",
        ),
        Record(
            draft="Hi", rewrite="Hi", verdict="bad", reasons=("rude",),
            consent="1", id="3", time="2027-01-03T23:59:59.999+00:00",
        ),
    ]  # fmt: skip
    for record in (*made, made[0]):
        writer.append(record.to_dict())
    writer.append({"v": 1, "note": "not feedback"})
    (folder / "torn.jsonl").write_text('{"v":1,"draft":"he')
    return folder


def test_stats_count_each_record_once(journal: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stats", "--json", "--folder", str(journal)]) == 0
    out, err = capsys.readouterr()
    counts = json.loads(out)
    assert counts["records"] == 3
    assert counts["verdict"] == {"good": 1, "bad": 2}
    assert counts["reason"] == {"changed meaning": 1, "rude": 2}
    assert counts["model"] == {"small": 1, "unknown": 2}
    assert counts["week"] == {"2026-W47": 1, "2026-W53": 2}
    assert err.splitlines() == [
        f"1 damaged lines were passed over, the first at {journal / 'torn.jsonl'}:1",
        "1 lines that are no feedback records were passed over",
    ]


def test_stats_for_people(journal: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stats", "--folder", str(journal)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:4] == ["3 records", "by verdict", "       1  good", "       2  bad"]


def test_export_writes_unpaired_preferences(journal: Path, tmp_path: Path) -> None:
    output = tmp_path / "rows.jsonl"
    assert main(["export", "--folder", str(journal), "--output", str(output)]) == 0
    written = [json.loads(line) for line in output.read_text().splitlines()]
    assert written == list(rows(journal))
    assert written[0] == {
        "prompt": "helo \ud800",
        "completion": "Hello",
        "label": True,
        "reasons": [],
        "id": "1",
    }
    assert [(row["id"], row["label"]) for row in written] == [("1", True), ("2", False), ("3", False)]
    assert list(tmp_path.glob("*.part")) == []


def test_a_folder_that_is_not_there_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stats", "--folder", str(tmp_path / "none")]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and "FEEDBACK_DIR" in err


def test_an_output_that_cannot_be_written_is_one_line(
    journal: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", "--folder", str(journal), "--output", str(tmp_path / "none" / "rows.jsonl")]) == 2
    assert capsys.readouterr().err.count("\n") == 1

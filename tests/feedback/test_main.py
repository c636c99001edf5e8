from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from feedback.__main__ import main
from feedback.hub import Dataset, Sync
from feedback.journal import Journal, records
from feedback.record import Record
from tests.feedback.conftest import REPO
from tests.feedback.hub_server import HubServer

DRAFT = "Please sent me the report before Monday"


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """Three flags, the first of them twice, a line of something else and a torn one."""
    folder = tmp_path / "journal"
    writer = Journal(folder)
    flags = [
        Record(
            draft="helo \ud800", rewrite="Hello", verdict="good", consent="1", versions={"model": "small"},
            id="id-1", time="2026-11-21T07:42:00.000+00:00",
        ),
        Record(
            draft=DRAFT, rewrite="Send it", corrected="Please send me the report before Monday", verdict="bad",
            reasons=("changed meaning", "too formal"), consent="1", id="id-2", time="2027-01-02T00:00:00.000+00:00",
        ),
        Record(
            draft="Hi", rewrite="Hi", verdict="bad", reasons=("rude",),
            consent="1", id="id-3", time="2027-01-03T23:59:59.999+00:00",
        ),
    ]  # fmt: skip
    for record in (*flags, flags[0]):
        writer.append(record.to_dict())
    writer.append({"v": 1, "note": "not feedback"})
    (folder / "torn.jsonl").write_text('{"v":1,"draft":"he')
    return folder


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = main([str(each) for each in arguments])
    return code, *capsys.readouterr()


def rows(folder: Path, kind: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / f"{kind}.jsonl").read_text().splitlines()]


# ---- flag ----

FLAG = {
    "draft": "She have it.",
    "rewrite": "She has it.",
    "verdict": "bad",
    "corrected": "She had it, jana@example.com.",
}
CHANGE = {"start": 4, "end": 8, "before": "have", "after": "has", "kind": "agreement", "status": "applied"}


def piped(monkeypatch: pytest.MonkeyPatch, *lines: object) -> None:
    text = "".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines)
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))


def test_flags_on_stdin_are_kept_without_personal_data_and_make_rows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "flags"
    judged = {
        **FLAG,
        "changes": [{**CHANGE, "verdict": "rejected"}],
        "mode": "polish",
        "model": "mine",
        "reasons": ["rude"],
    }
    piped(monkeypatch, FLAG, judged)
    code, out, _ = run(capsys, "flag", "--consent", "study 2", "--folder", folder)
    kept = {record["id"]: record for record in records(folder)}
    assert (code, out.split()) == (0, list(kept))
    first, second = kept.values()
    assert first["corrected"] == "She had it, [EMAIL_1]." and first["consent"] == "study 2"
    assert second["changes"][0]["verdict"] == "rejected"
    assert (second["options"], second["versions"]) == ({"via": "cli", "mode": "polish"}, {"model": "mine"})
    assert run(capsys, "export", "--folder", folder, "--output", tmp_path / "rows")[0] == 0
    assert [row["completion"] for row in rows(tmp_path / "rows", "completions")] == ["She had it, [EMAIL_1]."]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("secret", "send a JSON object."),
        ({**FLAG, "secret": 1}, "secret: there is no such field"),
        ({**FLAG, "verdict": None}, "verdict '' is none of: good, bad."),
        ({**FLAG, "draft": 3}, "draft: send the text"),
        ({**FLAG, "changes": [{**CHANGE, "after": "had"}]}, "must make the rewrite"),
        ({**FLAG, "changes": "all"}, "send a list of objects"),
        ({**FLAG, "reasons": "rude"}, "send a list of strings"),
    ],
)
def test_a_flag_that_cannot_be_kept_is_named_and_none_is_kept(
    line: object,
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    piped(monkeypatch, FLAG, line)
    code, out, err = run(capsys, "flag", "--consent", "1", "--folder", tmp_path / "flags")
    assert (code, out) == (2, "") and err.startswith("line 2: ") and said in err and "She ha" not in err
    assert not (tmp_path / "flags").exists()


# ---- stats ----


def test_stats_count_each_record_once(journal: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "stats", "--json", "--folder", journal)
    counts = json.loads(out)
    assert code == 0 and counts["records"] == 3
    assert counts["verdict"] == {"good": 1, "bad": 2}
    assert counts["reason"] == {"changed meaning": 1, "too formal": 1, "rude": 1}
    assert counts["model"] == {"small": 1, "unknown": 2}
    assert counts["week"] == {"2026-W47": 1, "2026-W53": 2}
    assert set(err.splitlines()) == {
        f"1 damaged lines were passed over, the first at {journal / 'torn.jsonl'}:1",
        "1 lines that are no feedback records were passed over",
    }


def test_stats_for_people(journal: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "stats", "--folder", journal)
    assert out.splitlines()[:4] == ["3 records", "by verdict", "       1  good", "       2  bad"]


def test_stats_draw_a_chart_for_each_group(
    journal: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    assert run(capsys, "stats", "--folder", journal, "--charts", tmp_path / "charts")[0] == 0
    drawn = {path.name: path.read_bytes() for path in (tmp_path / "charts").iterdir()}
    assert set(drawn) == {"feedback_by_reason.png", "feedback_by_model.png", "feedback_by_week.png"}
    assert all(content.startswith(b"\x89PNG") and len(content) > 3000 for content in drawn.values())


def test_charts_without_matplotlib_are_one_line(
    journal: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    code, _, err = run(capsys, "stats", "--folder", journal, "--charts", tmp_path / "charts")
    assert code == 2 and "pip install matplotlib" in err


# ---- export and forget ----


def test_export_writes_rows_of_each_kind_that_forget_finds_again(
    journal: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "rows"
    assert run(capsys, "export", "--folder", journal, "--output", out)[0] == 0
    completions = rows(out, "completions")
    assert [(row["prompt"], row["ids"]) for row in completions] == [
        ("helo \ud800", ["id-1"]),
        (DRAFT, ["id-2"]),
    ]
    (preference,) = rows(out, "preferences")
    assert preference["rejected"] == "Send it" and preference["ids"] == ["id-2"]
    assert json.loads((out / "manifest.json").read_text())["completions"] == 2
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in out.iterdir())
    code, _, err = run(capsys, "forget", "--folder", journal, "--id", "id-2")
    assert code == 0 and "1 of 1 records and 2 exported rows deleted" in err
    assert rows(out, "preferences") == [] and len(rows(out, "completions")) == 1
    assert json.loads((out / "manifest.json").read_text()) == {
        "completions": 1,
        "preferences": 0,
        "quarantine": 0,
    }
    everything = b"".join(path.read_bytes() for path in [*journal.iterdir(), *out.iterdir()])
    assert DRAFT.encode() not in everything
    assert json.loads(run(capsys, "stats", "--json", "--folder", journal)[1])["records"] == 2


def test_forget_reports_exports_that_are_gone_and_ids_that_are_none(
    journal: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, "export", "--folder", journal, "--output", tmp_path / "rows")
    (tmp_path / "rows").rename(tmp_path / "elsewhere")
    code, _, err = run(capsys, "forget", "--folder", journal, "--id", "id-1", "--id", "id-9")
    assert code == 2 and "1 of 2 records" in err
    assert f"{tmp_path / 'rows'} is gone" in err and "There is no record id-9" in err


def test_an_export_goes_into_no_folder_of_other_things_and_forget_leaves_it_alone(
    journal: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "film.part").touch()
    code, _, err = run(capsys, "export", "--folder", journal, "--output", tmp_path)
    assert code == 2 and "holds other things" in err and err.count("\n") == 1
    code, _, err = run(capsys, "forget", "--folder", journal, "--id", " id-1\n")
    assert code == 0 and "gone" not in err
    assert (tmp_path / "film.part").exists()


def test_what_a_killed_export_left_is_forgotten_too(
    journal: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "a folder\u2028of rows"
    run(capsys, "export", "--folder", journal, "--output", out)
    (out / "completions.jsonl.part").write_text(DRAFT)
    assert run(capsys, "forget", "--folder", journal, "--id", "id-2")[0] == 0
    assert DRAFT not in "".join(path.read_text() for path in out.iterdir())


@pytest.mark.parametrize("command", ["stats", "sync"])
def test_a_folder_that_is_not_there_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    code, out, err = run(capsys, command, "--folder", tmp_path / "none")
    assert code == 2 and out == "" and err.count("\n") == 1 and "FEEDBACK_DIR" in err


def test_an_output_that_cannot_be_written_is_one_line(
    journal: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    code, _, err = run(capsys, "export", "--folder", journal, "--output", tmp_path / "file" / "rows")
    assert code == 2 and "Traceback" not in err


# ---- the dataset ----


def test_sync_then_stats_export_and_forget_from_the_dataset(
    hub: HubServer, journal: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(capsys, "sync", "--folder", journal)[::2] == (0, "4 records sent\n")
    there = ("--folder", tmp_path / "here", "--dataset", REPO)
    assert json.loads(run(capsys, "stats", "--json", *there)[1])["records"] == 3
    assert run(capsys, "export", *there, "--output", tmp_path / "rows")[0] == 0
    assert run(capsys, "forget", "--folder", tmp_path / "here", "--id", "id-1")[0] == 0
    assert [row["ids"] for row in rows(tmp_path / "rows", "completions")] == [["id-2"]]
    assert [row["id"] for row in hub.rows(REPO)] == ["id-2", "id-3"]
    assert run(capsys, "sync", "--folder", journal)[2] == "0 records sent\n"  # the journal's copy stays there


def test_sync_without_a_dataset_is_one_line(
    journal: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FEEDBACK_DATASET", raising=False)
    code, _, err = run(capsys, "sync", "--folder", journal)
    assert code == 2 and "FEEDBACK_DATASET is not set" in err and err.count("\n") == 1


def test_forget_does_the_rest_when_the_dataset_refuses_and_can_be_repeated(
    hub: HubServer, journal: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Sync(journal, Dataset(REPO, hub.token)).step()
    hub.faults = lambda method, path: 403 if "/commit/" in path else None
    code, _, err = run(capsys, "forget", "--folder", journal, "--id", "id-2")
    assert code == 1 and "run this again" in err and "1 of 1 records" in err
    assert DRAFT not in "".join(path.read_text() for path in journal.iterdir())
    hub.faults = lambda method, path: None
    assert run(capsys, "forget", "--folder", journal, "--id", "id-2")[0] == 0
    assert DRAFT not in str(hub.rows(REPO))

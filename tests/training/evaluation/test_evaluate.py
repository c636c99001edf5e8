"""The evaluation command: every suite through the shipped model, side by side with no edit, and what it
refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from space.errors import UserError
from space.proofread.edits import Edit
from training.__main__ import main
from training.data.pairs import is_held_back
from training.evaluation import adjudicated, behaviour, evaluate
from training.evaluation.behaviour import filled
from training.evaluation.evaluate import SUITES
from training.evaluation.suites import Subject, is_tokenised, pairs_of, texts_of

GOOD = "Please send me the report before the meeting on Monday."
WRONG = "Please send me the raport before the meating on Monday."


def write(path: Path, *rows: Any) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def figures(value: Any) -> Iterator[dict[str, float | None]]:
    """Every figure with an interval, however deep."""
    if isinstance(value, dict) and "low" in value:
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from figures(each)


def scored(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> list[dict[str, Any]]:
    assert main(["evaluate", *map(str, arguments)]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with a small file for every suite that has no list of its own."""
    folder = tmp_path / "data"
    folder.mkdir()
    tokenised = {
        "source": "I recieved the report yesterday .",
        "references": ["I received the report yesterday ."],
    }
    write(folder / "jfleg_dev.jsonl", tokenised, {"source": "He is here .", "references": ["He is here ."]})
    write(folder / "cweb_dev.jsonl", {"source": WRONG, "references": [GOOD, WRONG]})
    write(folder / "harper_clean.jsonl", *({"text": GOOD, "rule": f"rule {i}"} for i in range(20)))
    write(folder / "email.jsonl", {"text": f"{WRONG} {GOOD}"}, {"text": GOOD})
    write(folder / "emails_dev.jsonl", {"text": f"Dear Anna,\n\n{GOOD}\n\nKind regards,\nTom"})
    return folder


def test_the_suites_on_corpora_run_through_the_shipped_model(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ("jfleg", "edits", "cweb", "clean", "noise")
    chosen = [word for name in names for word in ("--suite", name)]
    found = scored(capsys, *chosen, "--data", data, "--model", "none", "--model", "default")
    pairs = [found.pop() for _ in names]
    assert all(row["first"] == "none" and row["second"] == "default" for row in pairs)
    assert [(row["model"], row["suite"]) for row in found] == [
        (model, name) for model in ("none", "default") for name in names
    ]
    for row in found:
        assert {"suite", "rows", "model", "seconds"} < set(row)
        each = list(figures(row))
        assert each
        for figure in each:
            if figure["value"] is not None:
                assert figure["low"] <= figure["value"] <= figure["high"]  # type: ignore[operator]
    unedited = {row["suite"]: row for row in found[: len(names)]}
    assert unedited["clean"]["changed_percent"]["value"] == 0
    assert unedited["noise"]["exact_percent"]["value"] == 0
    assert unedited["noise"]["wrong_words_change"]["value"] == 0
    assert unedited["noise"]["precision"] == {"value": None, "low": None, "high": None}
    assert unedited["edits"]["recall"]["value"] == 0
    assert (
        unedited["cweb"]["reference_edits"] == 0
    )  # one annotator left the sentence alone, and so did "none"


def test_the_suites_with_own_lists_need_no_data(capsys: pytest.CaptureFixture[str]) -> None:
    found = scored(capsys, *"--suite sentences --suite wer --suite robust --suite tone --limit 2".split())
    sentences, wer, robust, tone = found
    assert all(row["rows"] == 2 and row["model"] == "default" for row in found)
    assert len(sentences["corrected_by_type"]) == 2
    assert wer["before_percent"]["value"] > 0
    assert set(robust) >= {"plain", "lower_case", "no_marks", "typos", "crlf", "emoji"}
    assert robust["line_ends_kept_percent"]["value"] == 100
    assert -2 <= tone["mean_rise"]["value"] <= 2


def test_two_models_are_held_against_each_other(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = write(tmp_path / "rows.jsonl", *[{"wrong": WRONG, "right": [GOOD]}] * 8, {"wrong": GOOD, "right": [GOOD], "type": "clean"})  # fmt: skip
    arguments = ["--suite", "sentences", "--suite", "edits", "--data", rows, "--model", "none", "--model", "proofreader"]  # fmt: skip
    assert main(["evaluate", *map(str, arguments), "--samples", "2"]) == 0
    printed = capsys.readouterr()
    *scores, sentences, edits = [json.loads(line) for line in printed.out.splitlines()]
    assert len(scores) == 4 and "paired" not in scores[-1]
    assert (sentences["suite"], sentences["first"], sentences["second"]) == (
        "sentences",
        "none",
        "proofreader",
    )
    # The shipped model corrects both words of the eight sentences, all alike, and leaves the clean one alone.
    all_of_them = {"value": 100.0, "low": 100.0, "high": 100.0}
    none_of_them = {"value": 0.0, "low": 0.0, "high": 0.0}
    assert sentences["paired"] == {
        "corrected_percent": {"difference": all_of_them, "verdict": "better"},
        "clean_kept_percent": {"difference": none_of_them, "verdict": "undecided"},
        "with_suggestions_percent": {"difference": all_of_them, "verdict": "better"},
    }
    assert edits["paired"]["recall"] == {"difference": all_of_them, "verdict": "better"}
    assert edits["paired"]["precision"]["verdict"] == "undecided"  # leaving a text alone has none
    assert "proofreader against none" in printed.err and "+100 (100 to 100) better" in printed.err
    assert printed.err.count("sentences: proofreader against none, gained 100") == 2
    assert f"  was  {WRONG}\n  is   {GOOD}\n" in printed.err and ", lost" not in printed.err


def test_the_samples_of_one_model_are_against_no_edit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = write(tmp_path / "rows.jsonl", {"source": WRONG, "references": [GOOD]}, {"source": "I recieved it.", "references": ["I recieved it."]})  # fmt: skip
    arguments = ["--suite", "edits", "--data", str(rows), "--samples", "5"]
    assert main(["evaluate", *arguments, "--model", "proofreader"]) == 0
    printed = capsys.readouterr().err
    # From no repair, F0.5 0, to both of them, 100; and from nothing to do and nothing done, 100, to a needless edit, 0.
    assert printed.count("edits: proofreader against none, gained 100\n") == 1
    assert printed.count("edits: proofreader against none, lost 100\n") == 1
    assert main(["evaluate", *arguments, "--model", "none"]) == 0
    assert "gained" not in capsys.readouterr().err


@pytest.mark.parametrize("suite", sorted({*SUITES} - {"fair"}))
def test_the_measures_of_a_suite_are_its_own_figures(suite: str, data: Path) -> None:
    """What `paired` compares is what the suite reports."""
    subject = Subject("proofreader", "proofread")
    chosen = SUITES[suite]
    # One row of robust is six texts, and of unflagged most are left out.
    limit = {"robust": 1, "unflagged": None}.get(suite, 2)
    rows = chosen.rows(None if isinstance(chosen.data, Path) else data, limit)
    report = chosen.run(rows, subject, 1)
    for name, measure in chosen.measures.items():
        if not measure.own(report.cases):
            assert name == "clean_kept_percent"  # the first rows of our own list are wrong ones
            continue
        figure: Any = report.figures
        for part in name.split():
            figure = figure[part]
        assert measure(report.cases) == pytest.approx(
            float("nan") if figure["value"] is None else figure["value"], abs=0.006, nan_ok=True
        )


def test_what_nobody_has_judged_is_printed_and_what_is_wrong_counts(
    data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("--suite", "adjudicated", "--data", data)
    (first,) = scored(capsys, *arguments)
    assert main(["evaluate", *map(str, arguments)]) == 0
    lines = [line.split("\t") for line in capsys.readouterr().err.splitlines() if line.count("\t") == 3]
    assert lines and first["without_verdict"] == len(lines)
    assert first["wrongly_changed_percent"]["value"] == 0 < first["changed_percent"]["value"]
    monkeypatch.setattr(adjudicated, "verdicts", lambda: {line[0]: adjudicated.WRONG for line in lines})
    (second,) = scored(capsys, *arguments)
    assert second["without_verdict"] == 0
    assert second["wrongly_changed_percent"]["value"] == second["changed_percent"]["value"]


def test_no_edit_is_polite_to_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    (tone,) = scored(capsys, "--suite", "tone", "--model", "none", "--limit", "4")
    assert tone["raised_percent"]["value"] == 0 and tone["facts_kept_percent"]["value"] == 100


def test_whole_emails_with_slips_and_right_ones(capsys: pytest.CaptureFixture[str]) -> None:
    (none,) = scored(capsys, "--suite", "mails", "--model", "none")
    assert none["recall"]["value"] == 0 and none["clean_changed_percent"]["value"] == 0
    (some,) = scored(capsys, "--suite", "mails", "--limit", "4")
    assert some["recall"]["value"] > 25


@pytest.mark.slow
def test_fairness_compares_versions_of_one_email(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(behaviour._GROUPS, "names", {name: {"name": name} for name in ("Emily", "Priya")})
    monkeypatch.setattr(behaviour, "NAMES", {"English": ("Emily",), "South Asian": ("Priya",)})
    email = {"text": "{Name} recieved {his} copy. The {colour} of it is good."}
    report = SUITES["fair"].run([email], Subject("default", "proofread"), 1)
    row = report.figures
    for group in ("names", "pronouns", "dialect"):
        assert 0 <= row[group]["differ_percent"]["value"] <= 100
        assert 0 <= row[group]["politeness_gap"]["value"] <= 2
        measure = SUITES["fair"].measures[f"{group} differ_percent"]
        assert measure(report.cases) == row[group]["differ_percent"]["value"]
    shifts = [shift["value"] for shift in row["politeness_shift"].values()]
    assert sum(shifts) == pytest.approx(0, abs=0.002)


def test_edits_beside_a_name_are_the_same_under_every_name() -> None:
    before, after = "{Name} go to {his} office.", "{Name} goes to {his} office."
    found = [
        behaviour._edits_outside(filled(before, words), filled(after, words), words)
        for words in ({"name": "Emily", "his": "her"}, {"name": "Bohdan", "his": "their"})
    ]
    assert found[0] == found[1] == [(1, 2, ("goes",))]
    changed = behaviour._edits_outside("Bohdan go home.", "Bogdan goes home.", {"name": "Bohdan"})
    assert changed != [(1, 2, ("goes",))]


def test_errors_are_written_for_reading(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    errors = tmp_path / "errors.jsonl"
    scored(capsys, "--suite", "edits", "--data", data, "--model", "none", "--errors", errors)
    (row,) = map(json.loads, errors.read_text(encoding="utf-8").splitlines())
    assert row == {
        "suite": "edits", "model": "none", "source": "I recieved the report yesterday.",
        "output": "I recieved the report yesterday.", "references": ["I received the report yesterday."],
    }  # fmt: skip


def test_every_suite_is_described() -> None:
    described = {line.split()[0] for line in (evaluate.__doc__ or "").splitlines() if line.startswith("    ")}
    assert set(SUITES) <= described


# ---- rows ----


def test_the_file_decides_whether_it_is_tokenised() -> None:
    tokenised = [{"source": "He 's late .", "references": ["He is late ."]}]
    assert is_tokenised(tokenised, "source")
    assert pairs_of(tokenised) == [("He's late.", ["He is late."])]
    raw = [
        {"source": "He is late .", "references": ["He is late."]},
        *[{"source": GOOD, "references": [GOOD]}] * 2,
    ]
    assert not is_tokenised(raw, "source")
    assert pairs_of(raw)[0] == ("He is late .", ["He is late."])


def test_clean_sentences_are_those_that_nobody_corrected() -> None:
    rows = [
        {"source": GOOD, "references": [GOOD, GOOD]},
        {"source": WRONG, "references": [WRONG, GOOD]},
    ]
    assert texts_of(rows) == [GOOD]
    assert texts_of([{"text": GOOD}]) == [GOOD]


# ---- refusals ----


@pytest.mark.parametrize(
    ("rows", "arguments", "message"),
    [
        (None, ["--suite", "jfleg"], "needs --data"),
        ([{"text": GOOD}], ["--suite", "jfleg"], "'source'"),
        ([{"source": GOOD, "references": []}], ["--suite", "edits"], "'references'"),
        ([{"source": GOOD, "references": [WRONG]}], ["--suite", "clean"], "no clean text"),
        ([{"text": ""}], ["--suite", "clean"], "'text'"),
        ([["a list"]], ["--suite", "clean"], "holds no rows"),
        ([], ["--suite", "noise"], "holds no rows"),
        ([{"text": "no slot"}], ["--suite", "fair"], "slot"),
        ([{"text": "{name} and {planet}"}], ["--suite", "fair"], "planet"),
        ([{"text": GOOD}], ["--suite", "clean", "--limit", "0"], "--limit"),
        ([{"text": GOOD}], ["--suite", "clean", "--samples", "-1"], "--samples -1: give 0 or more"),
        ([{"text": GOOD}], ["--suite", "clean", "--seed", "-1"], "--seed -1: give 0 or more"),
        (None, ["--suite", "sentences", "--data", "/no/rows.jsonl"], "/no/rows.jsonl does not exist"),
        ([{"text": GOOD}], ["--suite", "clean", "--errors=/no/folder/errors.jsonl"], "cannot be written"),
    ],
)  # fmt: skip
def test_bad_input_is_reported_in_one_line(
    rows: list[Any] | None,
    arguments: list[str],
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = [] if rows is None else ["--data", str(write(tmp_path / "rows.jsonl", *rows))]
    assert main(["evaluate", *arguments, *given, "--model", "none"]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.count("\n") == 1 and message in printed.err


def test_a_file_in_another_encoding_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes('{"text": "Café"}'.encode("latin-1"))
    assert main(["evaluate", "--suite", "clean", "--data", str(path), "--model", "none"]) == 2
    assert f"{path} is not UTF-8" in capsys.readouterr().err


def test_a_folder_without_the_file_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "--suite", "cweb", "--data", str(tmp_path), "--model", "none"]) == 2
    assert "cweb_dev.jsonl does not exist" in capsys.readouterr().err


def test_what_a_user_can_make_of_suggestions_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    subject = Subject("default", "proofread")
    draft = "She go to office."
    offered = (
        Edit(10, 10, "", "the ", "article", "tagger", 0.4, "suggested"),
        Edit(4, 6, "go", "went", status="suggested"),
    )
    result = replace(subject._proofreader.proofread("Hi."), draft=draft, edits=offered)
    monkeypatch.setattr(subject, "_result", lambda *_: result)
    made = subject.with_suggestions(draft)
    assert set(made) == {draft, "She go to the office.", "She went to office.", "She went to the office."}
    rows = [{"type": "article", "wrong": draft, "right": ["She went to the office."]}]
    report = SUITES["sentences"].run(rows, subject, 1)
    values = [report.figures[name]["value"] for name in ("corrected_percent", "with_suggestions_percent")]
    assert values == [0.0, 100.0]


def test_only_texts_that_no_model_has_seen_count_as_unflagged() -> None:
    rows = [{"text": f"This is right {i}.", "rule": f"rule {i}"} for i in range(100)]
    report = SUITES["unflagged"].run(rows, Subject("none", "proofread"), 1)
    assert 5 < report.figures["texts"] < 30 and report.figures["changed_percent"]["value"] == 0
    with pytest.raises(UserError, match="none of these texts is held back"):
        SUITES["unflagged"].run(
            [row for row in rows if not is_held_back(row)], Subject("none", "proofread"), 1
        )


def test_a_limit_draws_rows_of_every_kind(tmp_path: Path) -> None:
    limited = SUITES["sentences"].rows(None, 60)
    assert limited == SUITES["sentences"].rows(None, 60)
    assert len({row["type"] for row in limited if "type" in row}) > 8
    path = tmp_path / "mail.jsonl"
    path.write_text("".join(json.dumps({"text": f"Mail {number}"}) + "\n" for number in range(40)))
    assert [row["text"] for row in SUITES["adjudicated"].rows(path, 2)] == ["Mail 0", "Mail 1"]
    assert len(SUITES["clean"].rows(path, 20)) == 20 and len(SUITES["clean"].rows(path, 99)) == 40

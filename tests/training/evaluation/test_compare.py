"""Runs and models side by side, and the paired bootstrap, with answers that are known before."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from space.errors import UserError
from training.__main__ import main
from training.data.gleu import gleu_counts
from training.evaluation import compare, metrics
from training.evaluation.suites import Case, Gleu, Measure, paired, samples
from training.runs.experiments import Experiment

ROOT = Path(__file__).parents[3]
RIGHT = Measure("right", metrics.percent)


def cases(flags: Sequence[float]) -> list[Case]:
    return [Case(f"text {k}", str(flag), [], {"right": [flag, 1]}) for k, flag in enumerate(flags)]


# ---- the paired bootstrap ----


def test_all_right_beats_all_wrong() -> None:
    wrong, good = cases([0] * 50), cases([1] * 50)
    certain = {"value": 100.0, "low": 100.0, "high": 100.0}
    assert paired(wrong, good, RIGHT) == {"difference": certain, "verdict": "better"}
    assert paired(good, wrong, RIGHT)["verdict"] == "worse"
    assert paired(wrong, good, Measure("right", metrics.percent, higher=False))["verdict"] == "worse"


def test_the_same_is_undecided() -> None:
    same = cases([1, 0] * 20)
    assert paired(same, same, RIGHT) == {
        "difference": {"value": 0.0, "low": 0.0, "high": 0.0}, "verdict": "undecided",
    }  # fmt: skip


def test_pairing_sees_what_two_intervals_hide() -> None:
    """Scores from 0 to 98 with one more point each: the spread of the cases is no doubt about the difference."""
    first = [k % 99 for k in range(99)]
    found = paired(cases(first), cases([score + 1 for score in first]), Measure("right", metrics.mean))
    assert found == {"difference": {"value": 1.0, "low": 1.0, "high": 1.0}, "verdict": "better"}


def test_the_interval_is_that_of_the_normal_distribution() -> None:
    """200 won, 200 lost: the difference of 0 has a standard error of 100 / sqrt(400) = 5 points."""
    found = paired(cases([0, 1] * 200), cases([1, 0] * 200), RIGHT)
    assert found["verdict"] == "undecided" and found["difference"]["value"] == 0
    assert found["difference"]["low"] == pytest.approx(-1.96 * 5, abs=1)
    assert found["difference"]["high"] == pytest.approx(1.96 * 5, abs=1)
    # 240 won, 160 lost: 20 points, standard error sqrt((1 - 0.2²) / 400) = 4.9 points, so far from zero.
    wins = [1] * 240 + [0] * 160
    found = paired(cases([1 - win for win in wins]), cases(wins), RIGHT)
    assert found["verdict"] == "better" and found["difference"]["value"] == 20
    assert found["difference"]["low"] == pytest.approx(20 - 1.96 * 4.9, abs=1)


def test_gleu_is_compared_as_it_is_reported() -> None:
    source, good = "he go home now again .".split(), "he goes home now again .".split()
    unchanged, corrected = (gleu_counts(source, good, words) for words in (source, good))
    first = [Case(str(k), "", [], {"gleu": [unchanged]}) for k in range(5)]
    second = [Case(str(k), "", [], {"gleu": [corrected]}) for k in range(5)]
    # All rows alike: every resample has the figures of one sentence. Corrected, GLEU is 100. Unchanged, what was dropped
    # counts against it: of 6, 5, 4, 3 n-grams 5 - 1, 3 - 2, 2 - 2 (none), so the product is 0.
    certain = {"value": 100.0, "low": 100.0, "high": 100.0}
    assert paired(first, second, Gleu()) == {"difference": certain, "verdict": "better"}


def test_nothing_to_compare_is_undecided() -> None:
    nothing = {"difference": {"value": None, "low": None, "high": None}, "verdict": "undecided"}
    assert paired([], [], RIGHT) == nothing
    assert paired(cases([1]), cases([0]), Measure("other", metrics.percent)) == nothing
    empty = [Case("a", "a", [], {"right": [0, 0]})]
    assert paired(empty, empty, RIGHT) == nothing
    with pytest.raises(UserError, match="different texts"):
        paired(cases([1, 0]), cases([1]), RIGHT)


def test_best_and_worst_samples() -> None:
    first, second = cases([0, 0.5, 1, 1, 1]), cases([1, 1, 1, 0.7, 0.2])
    best, worst = samples(first, second, RIGHT, 1)
    assert [(sample.change, sample.second.source) for sample in best] == [(100, "text 0")]
    assert [(sample.change, sample.second.source) for sample in worst] == [(-80, "text 4")]
    best, worst = samples(first, second, Measure("right", metrics.percent, higher=False), 9)
    assert [sample.second.source for sample in best] == ["text 4", "text 3"]
    assert [sample.second.source for sample in worst] == ["text 0", "text 1"]
    edits = Measure("edits", metrics.f_half, empty=100.0)
    assert edits.score(Case("", "", [], {"edits": [0, 0, 0]})) == 100
    assert edits.score(Case("", "", [], {"edits": [0, 1, 0]})) == 0


# ---- runs ----


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Two runs that differ in their learning rate, and one of another command without scores."""
    root = tmp_path / "runs"
    for name, rate, losses, gleu in (("slow", 1e-5, (3.0, 2.5), 41.0), ("fast", 1e-4, (3.0, 2.0), 47.0)):
        parameters = {"model": "base", "learning_rate": rate, "output_dir": str(root / name)}
        run = Experiment.start(
            root / "sft" / name, "sft", parameters, {"fingerprint": "0123456789abcdef", "rows": 9}, tracker="none"
        )  # fmt: skip
        for step, loss in enumerate(losses):
            run.log(step, {"loss": loss})
        figures = {"gleu": {"value": gleu, "low": gleu - 2, "high": gleu + 2}, "steps": 2}
        run.finish(figures | {"loss": losses[-1]})  # a score may be called as a curve is
        change(root / "sft" / name, seconds=90.0 if name == "fast" else 180.0, cost=0.25)
    Experiment.start(root / "other", "prefer", {"model": "base"}, {}, tracker="none")
    return root


def change(folder: Path, **values: Any) -> None:
    record = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**record, **values}))


def test_runs_stand_side_by_side(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert main(["compare", str(runs), "--output_dir", str(out)]) == 0
    printed = capsys.readouterr()
    result = json.loads(printed.out)
    assert result["runs"] == 3 and result["page"] == str(out / "compare.html")
    head, *lines = printed.err.splitlines()
    assert "learning_rate" in head and "model" not in head and "output_dir" not in head
    cells = {line.split()[0]: line.split() for line in lines}
    assert set(cells) == {"slow", "fast", "other"}
    assert cells["fast"][:4] == ["fast", "sft", "done", "0.0001"] and cells["fast"][4] == "0123456789ab"
    assert cells["fast"][-5:-1] == ["1.5", "0.25", "47", "2"] and cells["slow"][-5:-1] == [
        "3",
        "0.25",
        "41",
        "2",
    ]
    assert cells["other"][:5] == ["other", "prefer", "running", "-", "-"]
    assert {Path(path).name for path in result["pictures"]} == {
        "compare_loss_curves.png", "compare_loss.png", "compare_minutes.png", "compare_gleu.png", "compare_steps.png",
    }  # fmt: skip
    page = (out / "compare.html").read_text()
    assert page.count("data:image/png;base64,") == 5 and "<td>0.0001</td>" in page
    assert result["live"] == []  # these runs went to no tracker


def test_the_page_of_runs_that_go_on_is_linked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TRACKIO_DIR", raising=False)
    code = (
        "import sys\nfrom training.runs.experiments import Experiment\n"
        "run = Experiment.start(sys.argv[1], 'sft', {}, {})\nrun.log(1, {'loss': 2.0})\nrun.finish({})\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "runs" / "one")], cwd=ROOT, check=True)
    assert main(["compare", str(tmp_path / "runs")]) == 0
    (command,) = json.loads(capsys.readouterr().out)["live"]
    place, program, *arguments = command.split()
    assert Path(place.removeprefix("TRACKIO_DIR=")).is_dir() and Path(program).is_file()
    assert arguments == ["show", "--project", "proofreader"]


def test_runs_of_one_name_are_distinguished(tmp_path: Path) -> None:
    for parent in ("a", "b"):
        Experiment.start(tmp_path / parent / "run", "sft", {}, {}, tracker="none").finish({})
    assert compare.names([tmp_path / "a" / "run", tmp_path / "b" / "run"]) == ["a/run", "b/run"]
    folders = [tmp_path / parent / "trials" / "0" for parent in ("first", "second")]
    for folder in folders:
        Experiment.start(folder, "sft", {}, {}, tracker="none").finish({})
    assert compare.names(folders) == ["first/trials/0", "second/trials/0"]


def test_without_an_output_folder_the_page_is_with_the_runs(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", str(runs), str(runs / "sft")]) == 0  # each run once
    assert json.loads(capsys.readouterr().out)["runs"] == 3
    assert (runs / "compare.html").exists()


# ---- models ----


def test_models_stand_side_by_side(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"wrong": "I recieved the report.", "right": ["I received the report."]}] * 6
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    models = ["--model", "proofreader", "--model", "none", "--model", "default"]
    assert main(
        ["compare", "--suite", "sentences", "--data", str(tmp_path / "rows.jsonl"), *models, "--samples", "1",
         "--output_dir", str(tmp_path / "out")]
    ) == 0  # fmt: skip
    printed = capsys.readouterr()
    *scores, result = map(json.loads, printed.out.splitlines())
    assert [row["model"] for row in scores] == ["proofreader", "none", "default"]
    verdicts = {
        (pair["first"], pair["second"]): pair["sentences"]["corrected_percent"]["verdict"]
        for pair in result["paired"]
    }
    assert verdicts == {
        ("proofreader", "none"): "worse", ("proofreader", "default"): "undecided", ("none", "default"): "better",
    }  # fmt: skip
    assert [Path(path).name for path in result["pictures"]] == [
        "compare_sentences_corrected_percent.png", "compare_sentences_with_suggestions_percent.png",
    ]  # fmt: skip
    page = (tmp_path / "out" / "compare.html").read_text()
    assert "-100 (-100 to -100) worse" in page and "none against proofreader" in page
    assert "I recieved the report." in page
    assert "none against proofreader" in printed.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "nothing to compare"),
        (["nowhere"], "nowhere is no folder"),
        (["{empty}"], "no runs under"),
        (["--model", "none"], "--model needs --suite"),
        (["--suite", "tone"], "--suite needs --model"),
        (["--suite", "clean", "--model", "none"], "needs --data"),
        (
            ["--suite", "tone", "--model", "none", "--output_dir", "/dev/null"],
            "/dev/null is a file: name a folder",
        ),
    ],
)
def test_bad_input_is_reported_in_one_line(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", *(word.format(empty=tmp_path) for word in arguments)]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.count("\n") == 1 and message in printed.err
    assert list(tmp_path.iterdir()) == []

"""What the studio shows: nothing that a data set or a model says becomes markup, and torn files are no end of it."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

from training.evaluation.win_rate import Judged, Pair, summary
from training.runs.experiments import Experiment
from training.studio import views

SCRIPT = "<img src=x onerror=alert(1)>"


def test_texts_are_text() -> None:
    report = {
        "dropped_by_reason": {SCRIPT: 1}, "dropped": [{"dataset": f"{SCRIPT}.csv", "row": 1, "why": SCRIPT}],
        "near_duplicates": [{"rows": [1, 2], "text": SCRIPT}], "near_duplicate_count": 1,
        "overlap": [{"file": SCRIPT, "row": 1, "text": SCRIPT}], "overlap_count": 1,
    }  # fmt: skip
    edit = {"start": 0, "end": len(SCRIPT), "before": SCRIPT, "after": SCRIPT}
    both = {SCRIPT: {"changes": [edit]}}
    shown = [
        views.dropped(report),
        views.doubles(report),
        views.side_by_side(SCRIPT, both),
        views.table([{SCRIPT: SCRIPT}]),
    ]
    assert all("<img" not in each and "&lt;img" in each for each in shown)


def test_an_email_is_shown_with_its_changes() -> None:
    edit = {"start": 2, "end": 5, "before": "has", "after": "have"}
    shown = views.side_by_side("I has it.", {"a": {"changes": [edit]}, "b": {"changes": []}})
    assert "I <del>has</del><ins>have</ins> it." in shown and "I has it." in shown


def test_a_run_is_told_by_its_log(tmp_path: Path) -> None:
    assert views.progress(tmp_path) == (0.0, "It begins.")
    run = Experiment.start(tmp_path, "sft", {}, {}, tracker="none")
    for step in (10, 20, 30):
        run.log(step, {"loss": 3.0 - step / 100, "max_steps": 40, "tokens": 100 * step})
    run.log(30, {"eval_loss": 2.9})
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    paced = [json.dumps(line | {"seconds": line["step"]}) for line in log]
    (tmp_path / "log.jsonl").write_text("\n".join(paced) + '\n{"step": 40, "lo')
    assert views.progress(tmp_path) == (0.75, "step 30 of 40, loss 2.700, held out 2.900, 10 s left")
    speed = views.points(tmp_path, {views.SPEED: "tokens/s"})
    assert list(speed["value"]) == [100.0, 100.0] and list(speed["step"]) == [20, 30]
    losses = views.points(tmp_path, {"loss": "training", "eval_loss": "held out"})
    assert set(losses["line"]) == {"training", "held out"} and len(losses) == 4
    assert str(views.points(tmp_path, {"nothing": "none"})["value"].dtype) == "float64"


def test_samples_are_those_of_the_last_evaluation(tmp_path: Path) -> None:
    assert views.samples(tmp_path) == ""
    rows = [
        {
            "step": step,
            "row": 0,
            "prompt": "I has",
            "expected": "I have",
            "answer": f"answer {step}",
            "loss": 1.0,
        }
        for step in (5, 10)
    ]
    (tmp_path / "samples.jsonl").write_text("\n".join(map(json.dumps, rows)) + '\n{"step": 15, "pro')
    shown = views.samples(tmp_path)
    assert "at step 10" in shown and "answer 10" in shown and "answer 5" not in shown


def test_rungs_fill_up(tmp_path: Path) -> None:
    plan = {"rungs": [1000, 2000], "trials": {"a": {"steps": [10, 20]}, "b": {"steps": [10, 20]}}}
    assert "not begun" in views.rungs(tmp_path)
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    first, second = tmp_path / "trials" / "a", tmp_path / "trials" / "b"
    Experiment.start(first, "sft", {}, {}, tracker="none").log(15, {"loss": 1.0})
    (first / "rung-1.json").write_text(json.dumps({"eval_loss": 1.25}))
    second.mkdir()
    (second / "rung-1.json").write_text(json.dumps({"error": "it does not fit"}))
    shown = views.rungs(tmp_path)
    assert (
        "held out 1.250" in shown
        and "step 15 of 20" in shown
        and "width:50.0%" in shown
        and "it does not fit" in shown
    )
    (tmp_path / "results.json").write_text(json.dumps({"winner": "a"}))
    assert "The winner is <b>a</b>" in views.rungs(tmp_path)


def test_columns_that_no_name_tells_are_asked_for() -> None:
    report = {"rows": 3, "columns": ["foo", "bar"], "input": [], "output": None, "train": 0}
    assert "choose input_column and output_column out of `foo`, `bar`" in views.rows_line(report)


def test_a_judgement_is_told_with_its_interval() -> None:
    job = SimpleNamespace(title="Judge a and b", status="failed")
    assert f"{job.title}: failed. no answer" in views.judged(job, None, "step\nno answer\n")
    judged = [Judged(Pair("", "a", "b"), 1.0, 1.0) for _ in range(30)]
    found = {"judge": SCRIPT, "first": "a", "second": "b"}
    shown = views.judged(job, found | summary(judged), "")
    assert "b against a: better: " in shown and "100.0 (100.0 to 100.0) %" in shown and "<img" not in shown
    unknown = [Judged(Pair("", "a", "b"), None, None)]
    assert "undecided: " in views.judged(job, found | summary(unknown), "")


def test_a_release_says_what_became_of_each_figure() -> None:
    difference = {"value": 1.0, "low": 0.5, "high": 2.0}
    verdicts = {"sentences": {"corrected": {"difference": difference, "verdict": "better"}}}
    shown = views.released(None, {"released": False, "why": [SCRIPT], "verdicts": verdicts})
    assert "<td>sentences corrected</td>" in shown and "1.0 (0.5 to 2.0)" in shown and "st-better" in shown
    assert "It is not in place." in shown and "&lt;img" in shown and "<img" not in shown

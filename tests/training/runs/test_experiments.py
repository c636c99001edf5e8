"""The experiment log: what a run leaves, also when it is killed, and where it is read again."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from space.errors import UserError
from training.runs import experiments
from training.runs.checkpoints import Stopped
from training.runs.experiments import Experiment

ROOT = Path(__file__).parents[3]
DATA = {"fingerprint": "ab12", "rows": 40}


@pytest.fixture(autouse=True)
def one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RANK", raising=False)


def started(folder: Path, **options: object) -> Experiment:
    return Experiment.start(folder, "sft", {"learning_rate": 1e-4}, DATA, **{"tracker": "none", **options})  # type: ignore[arg-type]


def test_a_run_leaves_its_record(tmp_path: Path) -> None:
    folder = tmp_path / "first"
    run = started(folder, price_per_hour=0)
    assert experiments.read(folder)["status"] == "running"
    run.log(1, {"loss": 2.5})
    run.log(2, {"loss": float("nan"), "eval_loss": 2.0})
    record = run.finish({"gleu": 47.1, "path": Path("a/b")})
    assert record == experiments.read(folder)
    assert record["name"] == "first" and record["command"] == "sft" and record["status"] == "done"
    assert record["parameters"] == {"learning_rate": 1e-4} and record["data"] == DATA
    assert record["scores"] == {"gleu": 47.1, "path": "a/b"} and record["cost"] == 0
    if (ROOT / ".git").exists():
        commit = ["git", "-C", str(ROOT), "cat-file", "-t", record["code"]["commit"]]
        assert subprocess.run(commit, capture_output=True, text=True).stdout == "commit\n"
        assert isinstance(record["code"]["dirty"], bool)
    assert record["versions"]["python"] == ".".join(map(str, sys.version_info[:3]))
    assert 1 <= record["hardware"]["cores"] <= (os.cpu_count() or 1) and record["hardware"]["ram_gib"] > 0
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert [(line["step"], line["loss"]) for line in lines] == [(1, 2.5), (2, None)]
    assert experiments.curve(folder, "loss") == [(1, 2.5)]
    assert experiments.curve(folder, "eval_loss") == [(2, 2.0)]
    assert sorted(path.name for path in folder.iterdir()) == ["log.jsonl", "run.json"]


@pytest.mark.parametrize(
    ("error", "status"),
    [(Stopped("SIGTERM"), "stopped"), (KeyboardInterrupt(), "stopped"), (OSError("no room"), "failed")],
)
def test_a_run_that_ends_early_says_so(error: BaseException, status: str, tmp_path: Path) -> None:
    run = started(tmp_path)
    with pytest.raises(type(error)), run.ending():
        raise error
    assert experiments.read(tmp_path)["status"] == status
    with run.ending():
        pass
    assert experiments.read(tmp_path)["status"] == status


def test_a_run_is_gone_on_with_only_as_it_was(tmp_path: Path) -> None:
    def asked(rate: float) -> argparse.Namespace:
        return argparse.Namespace(
            command="sft", run=print, rate=rate, folder=Path("a"), names=["q", "v"], steps=rate
        )

    fixed = ("rate", "folder", "names")
    experiments.require_same(tmp_path, asked(1.0), fixed, DATA)  # there is none yet
    Experiment.start(tmp_path, "sft", experiments.parameters(asked(1.0)), DATA, tracker="none")
    assert set(experiments.read(tmp_path)["parameters"]) == {"rate", "folder", "names", "steps"}
    experiments.require_same(tmp_path, asked(1.0), fixed, DATA)
    experiments.require_same(tmp_path, asked(2.0), fixed[1:], {"rows": 40})
    with pytest.raises(UserError, match="holds a run with other rate, data: give what it had") as message:
        experiments.require_same(tmp_path, asked(2.0), fixed, DATA | {"fingerprint": "cd34"})
    assert "\n" not in str(message.value)


def test_time_and_cost_of_a_resumed_run_are_added_up(tmp_path: Path) -> None:
    first = started(tmp_path).finish({})
    record = json.loads((tmp_path / "run.json").read_text())
    (tmp_path / "run.json").write_text(json.dumps({**record, "seconds": 5400.0}))
    second = started(tmp_path, resumed=True, price_per_hour=2).finish({})
    assert second["id"] == first["id"] and second["started"] == first["started"]
    # An hour and a half at 2 an hour; this process adds less than the 18 seconds that cost a cent.
    assert 5400 <= second["seconds"] < 5418 and 3 <= second["cost"] < 3.01
    assert started(tmp_path).finish({})["id"] != first["id"]


CHILD = """
import sys, time
from training.runs.experiments import Experiment
run = Experiment.start(sys.argv[1], "sft", {}, {}, tracker="none")
time.sleep(0.2)
run.log(1, {"loss": 3.0}); run.log(2, {"loss": 2.0}); run.log(3, {"loss": 9.0})
print("logged", flush=True)
time.sleep(60)
"""


def test_a_killed_run_goes_on(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout and child.stdout.readline() == "logged\n"
        child.send_signal(signal.SIGKILL)
    killed = experiments.read(tmp_path)
    assert killed["status"] == "running" and killed["seconds"] == 0
    with (tmp_path / "log.jsonl").open("a") as log:
        log.write('{"step": 4, "seco')  # as a kill in the middle of a line leaves it
    lasted = max(line["seconds"] or 0 for line in experiments.log_of(tmp_path))
    run = started(tmp_path, resumed=True)  # from the checkpoint of step 2
    run.log(3, {"loss": 1.5})
    run.log(4, {"loss": 1.0})
    assert experiments.curve(tmp_path, "loss") == [(1, 3.0), (2, 2.0), (3, 1.5), (4, 1.0)]
    assert run.finish({})["seconds"] >= lasted >= 0.2


def test_trackio_gets_the_figures_and_stdout_stays_clean(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom training.runs.experiments import Experiment\n"
        "run = Experiment.start(sys.argv[1], 'sft', {'learning_rate': 0.1}, {})\n"
        "run.log(1, {'loss': 2.5}); run.log(2, {'loss': 1.25}); run.finish({'gleu': 47.0})\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "run")], cwd=ROOT, capture_output=True, text=True,
        env={**os.environ, "TRACKIO_DIR": ""},
    )  # fmt: skip
    assert ran.returncode == 0 and ran.stdout == "" and "left out" not in ran.stderr, ran.stderr
    read = (
        "import json\nfrom trackio.sqlite_storage import SQLiteStorage\n"
        "(run,) = SQLiteStorage.get_runs('proofreader')\n"
        "print(json.dumps(SQLiteStorage.get_logs('proofreader', run)))\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", read], capture_output=True, text=True, check=True,
        env={**os.environ, "TRACKIO_DIR": str(tmp_path / "trackio")},
    )  # fmt: skip
    logged = json.loads(found.stdout)
    assert [line["loss"] for line in logged if "loss" in line] == [2.5, 1.25]
    assert [line["gleu"] for line in logged if "gleu" in line] == [47.0]


@pytest.mark.slow
def test_a_tracker_that_fails_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    code = (
        "import sys\nfrom training.runs.experiments import Experiment\n"
        "run = Experiment.start(sys.argv[1], 'sft', {}, {})\n"
        "run.log(1, {'loss': 2.5}); print(run.finish({})['status'])\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "run")], cwd=ROOT, capture_output=True, text=True,
        env={**os.environ, "TRACKIO_DIR": str(tmp_path / "file" / "inside")},
    )  # fmt: skip
    assert ran.returncode == 0 and ran.stdout == "done\n", ran.stderr
    assert experiments.curve(tmp_path / "run", "loss") == [(1, 2.5)]


def test_runs_are_found_in_the_order_of_their_start(tmp_path: Path) -> None:
    for name, at in (("b", "2026-01-01"), ("a", "2026-01-02"), ("deep/er", "2025-12-31")):
        started(tmp_path / name).finish({})
        record = json.loads((tmp_path / name / "run.json").read_text())
        (tmp_path / name / "run.json").write_text(json.dumps({**record, "started": at}))
    assert [path.relative_to(tmp_path).as_posix() for path in experiments.find(tmp_path)] == [
        "deep/er",
        "b",
        "a",
    ]
    assert experiments.find(tmp_path / "b") == [tmp_path / "b"]


def test_what_only_has_the_name_of_a_record_is_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    started(tmp_path / "a")
    for name, text in (("torn", "{"), ("foreign", '{"scripts": {}}')):
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text(text)
    assert experiments.find(tmp_path) == [tmp_path / "a"]
    errors = capsys.readouterr().err
    assert errors.count("left out: ") == 2 and str(tmp_path / "torn") in errors


def test_only_the_first_of_several_processes_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    run = started(tmp_path / "run")
    run.log(1, {"loss": 1.0})
    assert run.finish({})["status"] == "done" and not (tmp_path / "run").exists()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no full device")
def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    run = started(tmp_path)
    (tmp_path / "log.jsonl").unlink()
    (tmp_path / "log.jsonl").symlink_to("/dev/full")
    with pytest.raises(UserError, match="cannot be written: No space left on device; free some space"):
        run.log(1, {"loss": 1.0})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"price_per_hour": -1}, "--price_per_hour -1: give 0 or more"),
        ({"price_per_hour": float("nan")}, "--price_per_hour nan"),
        ({"tracker": "paper"}, "no tracker is called 'paper': use trackio, wandb, none"),
    ],
)
def test_bad_options_are_reported(options: dict[str, object], message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        started(tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(find_spec("wandb") is not None, reason="wandb is installed")
def test_a_tracker_that_is_asked_for_and_not_installed_is_reported(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="needs Weights & Biases: pip install wandb"):
        started(tmp_path / "run", tracker="wandb")
    assert not (tmp_path / "run").exists()


def test_what_is_no_run_is_reported(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no run"):
        experiments.read(tmp_path)
    for text in ("{", "[]", "{}"):
        (tmp_path / "run.json").write_text(text)
        with pytest.raises(UserError, match="run.json"):
            experiments.read(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        started(tmp_path / "file" / "run")


def test_the_options() -> None:
    parser = argparse.ArgumentParser()
    experiments.add_arguments(parser)
    assert vars(parser.parse_args([])) == {"tracker": "trackio", "price_per_hour": None, "run_name": None}
    args = parser.parse_args("--tracker none --price_per_hour 1.5 --run_name mine".split())
    assert (args.tracker, args.price_per_hour, args.run_name) == ("none", 1.5, "mine")

"""Search: which trials, how long, which is best; and whole searches in Ray, one of them killed on its way."""

from __future__ import annotations

import argparse
import doctest
import json
import os
import random
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from space.errors import UserError
from training.__main__ import main
from training.finetune import recipes, search, sft, trials
from training.finetune.search import (
    candidates,
    draw,
    parse_vary,
    ranking,
    steps_for,
    survivors,
    tokens_per_step,
)
from training.runs import atomic_write, checkpoints

ROOT = Path(__file__).resolve().parents[3]

# peft 0.21.2 reads what transformers 5.23 deprecates
pytestmark = pytest.mark.filterwarnings("default::FutureWarning")

# ---- budgets ----


def options(
    batch: int, accumulation: int, max_length: int = 512, packing: bool = False
) -> argparse.Namespace:
    return argparse.Namespace(
        per_device_train_batch_size=batch, gradient_accumulation_steps=accumulation, max_length=max_length,
        packing=packing,
    )  # fmt: skip


def test_the_examples_in_the_docstrings_hold() -> None:
    result = doctest.testmod(search)
    assert result.attempted and not result.failed


def test_a_step_reads_batch_times_accumulation_times_mean_length() -> None:
    lengths = [100, 200] * 640
    assert tokens_per_step(options(16, 4), lengths) == 16 * 4 * 150
    assert tokens_per_step(options(16, 4, max_length=120), lengths) == 16 * 4 * 110  # 200 is cut to 120
    packed = tokens_per_step(options(2, 1, max_length=1024, packing=True), lengths)
    assert packed == pytest.approx(2 * 1024, rel=0.01)


def test_the_last_step_of_an_epoch_reads_what_is_left() -> None:
    """100 rows are two steps of 64 and 36, on average 50."""
    assert tokens_per_step(options(16, 4), [10] * 100) == 50 * 10
    assert tokens_per_step(options(16, 4), [10] * 7) == 7 * 10


def test_equal_compute_is_tokens_and_not_steps() -> None:
    """80 steps of 64 rows are 160 steps of 32 rows, and 107 of 48."""
    lengths = [80, 120] * 960
    budget = 80 * tokens_per_step(options(16, 4), lengths)
    assert budget == 512_000
    assert [steps_for(budget, options(*each), lengths) for each in ((16, 4), (16, 2), (32, 2), (12, 4))] == [
        80, 160, 80, 107,
    ]  # fmt: skip
    assert steps_for(1, options(16, 4), lengths) == 1


# ---- ranking ----


def test_one_figure_ranks_in_its_own_direction() -> None:
    results = {
        "a": {"eval_loss": 1.0, "gleu": 40.0, "clean": 9.0},
        "b": {"eval_loss": 1.1, "gleu": 50.0, "clean": 5.0},
        "c": {"eval_loss": 0.9, "gleu": 30.0, "clean": 7.0},
    }
    assert ranking(results, ["loss"]) == ["c", "a", "b"]
    assert ranking(results, ["gleu"]) == ["b", "a", "c"]
    assert ranking(results, ["clean"]) == ["b", "c", "a"]


def test_several_figures_add_their_ranks_and_loss_decides_between_equals() -> None:
    results = {
        "a": {"eval_loss": 1.3, "gleu": 50.0, "clean": 9.0},  # 0 + 2
        "b": {"eval_loss": 1.2, "gleu": 40.0, "clean": 5.0},  # 1 + 1
        "c": {"eval_loss": 1.1, "gleu": 30.0, "clean": 1.0},  # 2 + 0
        "d": {"eval_loss": 0.9, "gleu": 10.0, "clean": 20.0},  # 3 + 3
    }
    assert ranking(results, ["gleu", "clean"]) == ["c", "b", "a", "d"]


def test_a_trial_without_figures_has_lost() -> None:
    results: dict[str, Any] = {
        "failed": {"error": "out of memory"},
        "wild": {"eval_loss": float("nan")},
        "silent": {"eval_loss": None},
        "good": {"eval_loss": 3.0},
    }
    assert ranking(results, ["loss"]) == ["good"]
    assert ranking(results, ["gleu"]) == []


def test_the_better_half_goes_on() -> None:
    assert survivors(["a", "b", "c", "d", "e", "f"], 2) == ["a", "b", "c"]
    assert survivors(["a", "b", "c"], 2) == ["a", "b"]
    assert survivors(["a"], 3) == ["a"]


# ---- trials ----


def test_halving_begins_with_six_recipes() -> None:
    found = candidates("halving", [], [], 8, 0)
    assert len(found) == 6
    assert len({(each["learning_rate"], each["lora_r"], each["lora_alpha"]) for each in found.values()}) == 5
    assert all("max_steps" not in each for each in found.values())  # the rungs say how long
    for each in found.values():
        recipes.arguments(each)


def test_random_draws_are_inside_their_ranges_and_the_same_again() -> None:
    vary = ["learning_rate=1e-5:1e-3:log", "lora_r=4,8,16", "lora_dropout=0:0.1", "warmup=10:20"]
    found = list(candidates("random", [], vary, 200, 3).values())
    assert found == list(candidates("random", [], vary, 200, 3).values())
    assert found != list(candidates("random", [], vary, 200, 4).values())
    assert all(1e-5 <= each["learning_rate"] <= 1e-3 for each in found)
    below = sum(each["learning_rate"] < 1e-4 for each in found)  # half of them, were it not random
    assert 70 <= below <= 130
    assert {each["lora_r"] for each in found} == {4, 8, 16}
    assert {each["warmup"] for each in found} == set(range(10, 21))


def test_one_factor_at_a_time_leaves_the_others(tmp_path: Path) -> None:
    path = tmp_path / "base.yaml"
    path.write_text("lora_r: 8\nlearning_rate: 1.0e-4\nmax_steps: 7\ntop_k_longest: 5\n")
    base = {"lora_r": 8, "learning_rate": 1e-4}
    assert candidates("factor", [path], ["lora_r=16,64", "bf16=true,false"], 8, 0) == {
        "base": base,
        "lora_r=16": base | {"lora_r": 16},
        "lora_r=64": base | {"lora_r": 64},
        "bf16=True": base | {"bf16": True},
        "bf16=False": base | {"bf16": False},
    }


def test_a_number_is_drawn_with_three_digits() -> None:
    drawn = draw((1.0, 2.0, False), random.Random(0))
    assert drawn == round(drawn, 2)


@pytest.mark.parametrize(
    ("method", "vary", "reported"),
    [
        ("halving", ["lora_r=4"], "--method random or factor"),
        ("factor", ["lora_r=4:8"], "ranges are for --method random"),
        ("random", ["lora_r"], "NAME=a,b,c"),
        ("random", ["lora_r=8:4"], "low below high"),
        ("random", ["lora_r=4:8:cubic"], "low:high:log"),
        ("random", ["lora_dropout=0:0.1:log"], "begins above 0"),
        ("random", ["max_tokens=4,8"], "the same for all trials"),
    ],
)
def test_what_cannot_be_searched_is_one_line(method: str, vary: list[str], reported: str) -> None:
    with pytest.raises(UserError, match=reported) as raised:
        candidates(method, [], vary, 8, 0)
    assert "\n" not in str(raised.value)


def test_values_are_read_as_what_they_look_like() -> None:
    assert parse_vary("a=1,2.5,1e-4,true,cosine") == ("a", [1, 2.5, 1e-4, True, "cosine"])


# ---- searches ----


@pytest.fixture
def command(tiny_llama: Path, tmp_path: Path) -> list[str]:
    """A search among three recipes, of which `wild` learns most in so few steps, and one sentence in three is clean."""
    words = "please send me the report now and then we will see".split()
    rows = []
    for i in range(60):
        text = " ".join(words[(i + k) % len(words)] for k in range(4 + i % 5))
        rows.append({"input": text, "output": text.capitalize() if i % 3 else text})
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    given = ["search", f"--model={tiny_llama}", f"--dataset={path}", "--task=chat", "--tracker=none"]
    given.append("--recipes")
    for name, rate, batch in (("still", 1e-7, 8), ("wild", 3e-2, 4), ("mild", 1e-3, 8)):
        recipe = tmp_path / f"{name}.yaml"
        recipes.write(
            recipe,
            {"learning_rate": rate, "per_device_train_batch_size": batch, "lora_r": 4, "save_steps": 2},
        )
        given.append(str(recipe))
    return [*given, f"--output_dir={tmp_path / 'search'}"]


def plan_of(command: list[str], out: Path) -> dict[str, Any]:
    parser = argparse.ArgumentParser()
    search.add_arguments(parser)
    return search.make_plan(parser.parse_args(command[1:]), out)


def test_a_trial_that_goes_on_is_the_same_run_as_one_never_stopped(
    command: list[str], tmp_path: Path
) -> None:
    out = tmp_path / "search"
    plan = plan_of([*command, "--rungs", "3", "6"], out)
    steps = {name: each["steps"] for name, each in plan["trials"].items()}
    assert steps == {"still": [3, 6], "wild": [6, 12], "mild": [3, 6]}  # half the batch: twice the steps
    config = {"name": "mild", "out": str(out)}
    first, second = (trials.trial({**config, "rung": rung}) for rung in (0, 1))
    assert [first["steps"], second["steps"]] == [3, 6]
    assert first["tokens"] < second["tokens"] and first["seconds"] < second["seconds"]
    whole = {**plan["trials"]["mild"]["recipe"], **plan["shared"], "output_dir": str(tmp_path / "whole")}
    unbroken = sft.fine_tune(recipes.arguments({**whole, "max_steps": 6}))
    assert second["eval_loss"] == unbroken["eval_loss"]
    assert second["tokens"] == unbroken["tokens"]
    assert trials.trial({**config, "rung": 0}) == first  # done already: nothing is trained again


def test_a_recipe_that_cannot_be_trained_loses(command: list[str], tmp_path: Path) -> None:
    out = tmp_path / "search"
    plan = plan_of(command, out)
    plan["trials"]["mild"]["recipe"]["target_modules"] = ["no_such_module"]
    atomic_write.write(out / "plan.json", json.dumps(plan))
    figures = trials.trial({"name": "mild", "out": str(out), "rung": 0})
    assert figures.keys() == {"error"} and "no_such_module" in figures["error"]
    assert "Traceback" in (out / "trials" / "mild" / "trial.log").read_text()


def test_what_a_model_writes_is_scored(tiny_llama: Path, command: list[str], tmp_path: Path) -> None:
    """A random model changes every clean text, and shares no four words in a row with any reference."""
    import peft
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(tiny_llama)
    peft.get_peft_model(model, peft.LoraConfig(task_type="CAUSAL_LM")).save_pretrained(tmp_path / "adapter")
    AutoTokenizer.from_pretrained(tiny_llama).save_pretrained(tmp_path / "adapter")  # as sft leaves it
    plan_of(command, tmp_path / "search")
    lines = (tmp_path / "search" / "data" / "validation.jsonl").read_text().splitlines()[:6]
    rows = [json.loads(line) for line in lines]
    assert 0 < sum(map(trials.is_clean, rows)) < 6
    adapter = str(tmp_path / "adapter")
    assert trials.written(str(tiny_llama), adapter, rows) == {"gleu": 0.0, "clean": 100.0}
    changed = [row for row in rows if not trials.is_clean(row)]
    assert trials.written(str(tiny_llama), adapter, changed)["clean"] is None


@pytest.mark.parametrize(
    ("given", "reported"),
    [
        (["--rungs", "160", "80"], "--rungs are growing"),
        (["--validation_share=0"], "ranked on held-out rows"),
        (["--method=random"], "give --recipes one"),
        (["--eta=1"], "--eta is 2 or more"),
        (["--scored_rows=0"], "--scored_rows 0: give 1 or more"),
        (["--model=no/such folder"], "no/such folder cannot be loaded"),
    ],
)
def test_bad_input_is_one_line(
    given: list[str], reported: str, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, *given]) == 2
    assert reported in capsys.readouterr().err.splitlines()[-1]


def test_an_address_without_a_cluster_is_told_at_once(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        assert main([*command, f"--ray_address={address}"]) == 2
    reported = capsys.readouterr().err.splitlines()
    assert reported[-1] == f"no Ray cluster answers at {address}; `ray start --head` starts one"
    assert main([*command, "--ray_address=nonsense"]) == 2
    assert "no Ray cluster answers at nonsense" in capsys.readouterr().err


def test_a_model_without_chat_template_takes_that_of_the_recipes(
    command: list[str], tiny_llama: Path, tmp_path: Path
) -> None:
    bare = tmp_path / "bare"
    shutil.copytree(tiny_llama, bare, ignore=shutil.ignore_patterns("*.jinja"))
    command[1] = f"--model={bare}"
    with pytest.raises(UserError, match="has no chat template"):
        plan_of(command, tmp_path / "search")
    for path in tmp_path.glob("*.yaml"):
        recipes.write(path, recipes.read(path) | {"chat_template_path": tiny_llama / "chat_template.jinja"})
    assert plan_of(command, tmp_path / "search")["data"]["rows"] == 48


def test_a_folder_keeps_one_search(command: list[str], tmp_path: Path) -> None:
    out = tmp_path / "search"
    assert plan_of([*command, "--rungs=5"], out) == plan_of([*command, "--rungs=5"], out)
    with pytest.raises(UserError, match="holds another search"):
        plan_of([*command, "--rungs=6"], out)


_MARK = "PROOFREADER_TEST"


def marked(mark: str) -> list[int]:
    """Processes that have this in their environment, zombies aside."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdigit() and mark.encode() in (process / "environ").read_bytes():
                found.append(int(process.name))
        except OSError:
            continue
    return found


def until(condition: Callable[[], Any], seconds: float = 300) -> Any:
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)
    return found


@pytest.fixture
def start(command: list[str], tmp_path: Path) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Starts the search as a user would, and at the end kills whatever is left of it."""
    name, value = _MARK, str(tmp_path)
    # What a killed search leaves of Ray's files goes there; sockets need a short path.
    with tempfile.TemporaryDirectory(prefix="t-", ignore_cleanup_errors=True) as short_folder:

        def started() -> subprocess.Popen[str]:
            return subprocess.Popen(
                [sys.executable, "-m", "training", *command, "--rungs", "6", "12", "--rank_by", "loss", "gleu"],
                cwd=ROOT, env={**os.environ, name: value, "RAY_TMPDIR": short_folder},
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )  # fmt: skip

        yield started
        for process in marked(f"{name}={value}"):
            os.kill(process, signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks for processes in /proc")
def test_a_search_survives_kills_and_leaves_nothing_running(
    start: Callable[[], subprocess.Popen[str]], tmp_path: Path
) -> None:
    out, mark = tmp_path / "search", f"{_MARK}={tmp_path}"

    # The whole search is killed when its first trial is done; Ray's processes end with it.
    first = start()
    until(lambda: list(out.glob("trials/*/rung-1.json")))
    first.kill()
    first.communicate()
    until(lambda: not marked(mark))
    done = {path: path.stat().st_mtime_ns for path in out.glob("trials/*/rung-1.json")}

    # Again; now the process of a trial is killed when it has a checkpoint, and Ray starts it again.
    second = start()

    def under_way() -> list[Path]:
        folders = [path for path in out.glob("trials/*") if not (path / "rung-1.json").exists()]
        return [path for path in folders if any(map(checkpoints.is_complete, path.glob("checkpoint-*")))]

    running = until(under_way)[0]
    # Ray calls the process of a trial ray::ImplicitFunc.train.
    workers = [
        pid for pid in marked(mark) if Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"ray::Impl")
    ]
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    reported, notes = second.communicate(timeout=600)
    assert second.returncode == 0, notes
    assert workers and "Going on from" in (running / "trial.log").read_text()
    assert marked(mark) == [] and not (out / "ray").exists()
    assert {path: path.stat().st_mtime_ns for path in done} == done  # what was finished was left alone

    # wild is best, and two of three went on.
    report = json.loads(reported)
    assert report["winner"] == "wild" and report["steps"] == 24
    results = json.loads((out / "results.json").read_text())["results"]
    assert [(row["rung"], row["trial"]) for row in results[3:]] == [(2, "wild"), (2, "mild")]
    assert [row["gleu"] for row in results] == [0.0] * 5
    lengths = {row["trial"]: row["tokens"] for row in results if row["rung"] == 1}
    assert max(lengths.values()) <= 1.1 * min(lengths.values())  # equal compute
    assert "rung" in notes and "Traceback" not in notes and len(notes.splitlines()) < 25
    assert recipes.arguments(recipes.read(out / "winner.yaml")).learning_rate == 3e-2
    assert (out / "search.html").read_text().count("<img") == 2
    assert (out / "losses.png").read_bytes()[:4] == (out / "seconds.png").read_bytes()[:4] == b"\x89PNG"


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a Ray cluster of one core, with a token of its own, which is gone afterwards."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for name, value in (
        ("RAY_AUTH_MODE", "token"), ("RAY_AUTH_TOKEN", secrets.token_hex(32)), ("RAY_USAGE_STATS_ENABLED", "0"),
    ):  # fmt: skip
        monkeypatch.setenv(name, value)
    with tempfile.TemporaryDirectory(prefix="t-", dir="/tmp", ignore_cleanup_errors=True) as short_folder:
        log = Path(short_folder, "log")
        with log.open("w") as reported:
            head = subprocess.Popen(
                [str(Path(sys.executable).with_name("ray")), "start", "--head", "--block", f"--port={port}", "--num-cpus=1",
                 f"--temp-dir={short_folder}", "--include-dashboard=false", "--object-store-memory=100000000"],
                stdout=reported, stderr=reported, start_new_session=True,
            )  # fmt: skip
        try:
            until(lambda: "Ray runtime started" in log.read_text() or head.poll() is not None)
            assert head.poll() is None, log.read_text()
            yield f"127.0.0.1:{port}"
        finally:
            head.terminate()  # its processes end with it
            head.wait(60)


@pytest.mark.slow
def test_trials_run_on_a_cluster_that_was_there(cluster: str, command: list[str], tmp_path: Path) -> None:
    given = [*command, "--rungs", "6", f"--ray_address={cluster}"]
    ran = subprocess.run(
        [sys.executable, "-m", "training", *given], cwd=ROOT, capture_output=True, text=True, timeout=600
    )
    assert ran.returncode == 0, ran.stderr
    report = json.loads(ran.stdout)
    assert report["winner"] == "wild" and report["steps"] == 12 and report["trials"] == 3
    rows = json.loads((tmp_path / "search" / "results.json").read_text())["results"]
    assert [row["trial"] for row in rows] == ["wild", "mild", "still"]
    assert "Traceback" not in ran.stderr and not (tmp_path / "search" / "ray").exists()

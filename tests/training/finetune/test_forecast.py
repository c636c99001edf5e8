"""A forecast counts steps, tokens and memory as the training does, makes real steps, and leaves nothing."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoConfig

from training.__main__ import main
from training.finetune import forecast, lora, memory, recipes, sft

ROOT = Path(__file__).resolve().parents[3]
pytestmark = pytest.mark.filterwarnings(
    "default::FutureWarning"
)  # peft 0.21.2 reads what transformers 5.23 deprecates


@pytest.fixture(scope="module")
def questions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("questions") / "questions.jsonl"
    rows = [
        {"question": f"Count to {n}.", "answer": " ".join(map(str, range(1, n % 9 + 2)))} for n in range(40)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def options(model: Path, dataset: Path, **others: Any) -> dict[str, Any]:
    given = {
        "model": model, "dataset": [str(dataset)], "task": "chat", "tracker": "none", "per_device_train_batch_size": 4,
        "lora_r": 4, "num_train_epochs": 1.0, "eval_steps": 3, "bf16": False,
    }  # fmt: skip
    return given | others


def words(given: dict[str, Any]) -> list[str]:
    """The options as a command line."""
    flat = {
        name: value[0] if isinstance(value, list) else value
        for name, value in given.items()
        if name != "bf16"
    }
    return ["forecast", "--no-bf16", *(f"--{name}={value}" for name, value in flat.items())]


def predicted(given: dict[str, Any], probe_steps: int = 3) -> dict[str, Any]:
    args = recipes.arguments(given)
    args.probe_steps = probe_steps
    return forecast.forecast(args)


@pytest.mark.parametrize(
    "how",
    [
        {"gradient_accumulation_steps": 3, "num_train_epochs": 1.5},
        pytest.param({"max_length": 25, "num_train_epochs": 2.0}, marks=pytest.mark.slow),
        pytest.param({"packing": True, "max_length": 128}, marks=pytest.mark.slow),
    ],
    ids=lambda how: next(iter(how)),
)
def test_steps_and_tokens_are_those_of_the_training(
    how: dict[str, Any], tiny_llama: Path, questions: Path, tmp_path: Path
) -> None:
    given = options(tiny_llama, questions, **how)
    report = predicted(given)
    trained = sft.fine_tune(recipes.arguments(given | {"output_dir": str(tmp_path / "run")}))
    assert (report["rows"], report["steps"]) == (32, trained["steps"])
    epochs = given["num_train_epochs"]
    if epochs != 1.5:  # half of an epoch has other rows
        assert report["tokens"] * epochs == trained["tokens"]
    assert report["tokens"] * epochs == pytest.approx(trained["tokens"], rel=0.15)


def test_memory_is_what_the_training_asks_for(tiny_llama: Path, questions: Path) -> None:
    given = options(tiny_llama, questions, max_length=25)
    report = predicted(given)
    args = recipes.arguments(given)
    needed = memory.needed(AutoConfig.from_pretrained(tiny_llama), lora.new_adapter(args), args, 25)
    assert report["memory_needed"] == round(needed) < report["memory_free"] and report["fits"] is True


def test_time_and_cost_follow_from_the_speed(
    tiny_llama: Path, questions: Path, scratch: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = options(
        tiny_llama, questions, validation_share=0.0, num_train_epochs=50.0, price_per_hour=7.2,
        output_dir=str(tmp_path / "run"),
    )  # fmt: skip
    assert main([*words(given), "--probe_steps=5"]) == 0
    said = capsys.readouterr()
    (line,) = said.out.splitlines()
    report = json.loads(line)
    assert report["steps"] == 500 and report["probe_steps"] == 5
    speed = report["tokens_per_second"]
    assert report["seconds"] == pytest.approx(50 * report["tokens"] / speed, rel=0.01)
    assert report["cost"] == pytest.approx(7.2 * report["seconds"] / 3600, abs=1e-4)
    assert "tokens/s" in said.err and "probe: step 5 of 5" in said.err
    # Nothing of the probe is left: no folder of the run, nothing among the temporary files.
    assert not (tmp_path / "run").exists() and list(scratch.iterdir()) == []


@pytest.mark.slow
def test_evaluations_and_samples_take_time_too(tiny_llama: Path, questions: Path, scratch: Path) -> None:
    given = options(tiny_llama, questions, num_train_epochs=10.0)
    seldom, often = (predicted(given | {"eval_steps": steps, "samples": 2}) for steps in (10**6, 1))
    assert often["seconds"] > 2 * seldom["seconds"]
    assert list(scratch.iterdir()) == []


def test_a_short_training_is_not_probed_for_longer(tiny_llama: Path, questions: Path) -> None:
    report = predicted(options(tiny_llama, questions, max_steps=4), probe_steps=20)
    assert (report["steps"], report["probe_steps"]) == (4, 4)
    assert report["cost"] is None and report["seconds"] > 0


def test_a_model_that_does_not_fit_is_not_loaded(tiny_llama: Path, questions: Path, tmp_path: Path) -> None:
    """It has no weights that could be."""
    bare = tmp_path / "bare"
    shutil.copytree(tiny_llama, bare, ignore=shutil.ignore_patterns("*.safetensors"))
    report = predicted(options(bare, questions, per_device_train_batch_size=10**9, price_per_hour=1.0))
    assert report["fits"] is False and report["memory_needed"] > 1e12 > report["memory_free"]
    assert (report["rows"], report["steps"], report["probe_steps"]) == (32, 1, 0)
    assert report["seconds"] is report["cost"] is report["tokens_per_second"] is None


@pytest.mark.slow
def test_drafts_get_evidence_for_the_probe_alone(
    tiny_llama: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drafts = tmp_path / "drafts.csv"
    drafts.write_text(
        "draft,corrected\n" + "".join(f"He go to {n}.,He goes to {n}.\n" for n in range(100, 180))
    )
    given = options(tiny_llama, drafts, task="proofread", num_train_epochs=1.0, per_device_train_batch_size=2)
    report = predicted(given)
    assert "evidence measured on 14 of 14 drafts" in capsys.readouterr().err  # 3 steps of 2, 8 held out
    trained = sft.fine_tune(recipes.arguments(given | {"output_dir": str(tmp_path / "run")}))
    assert report["steps"] == trained["steps"]
    assert report["tokens"] == pytest.approx(trained["tokens"], rel=0.02)


@pytest.mark.slow
def test_sigterm_leaves_nothing(tiny_llama: Path, questions: Path, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    given = options(tiny_llama, questions, max_steps=10**6)
    command = [sys.executable, "-m", "training", *words(given)]
    process = subprocess.Popen(
        [*command, "--probe_steps=100000"], cwd=ROOT, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        env=os.environ | {"TMPDIR": str(scratch)},
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while not list(scratch.glob("forecast-*")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 143
    assert not list(scratch.glob("forecast-*"))


@pytest.mark.parametrize(
    ("wrong", "reported"),
    [
        (["--probe_steps=2"], "--probe_steps 2: give 3 or more"),
        (["--price_per_hour=-1"], "--price_per_hour -1.0: give 0 or more"),
        (["--lora_r=0"], "--lora_r 0: give more than 0"),
        (["--dataset=none.csv"], "none.csv does not exist"),
        (["--model=no/such-model"], "no/such-model cannot be loaded as a language model"),
    ],
)
def test_bad_options_are_one_line(
    wrong: list[str], reported: str, tiny_llama: Path, questions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [
        f"--model={tiny_llama}",
        "--tracker=none",
        *([f"--dataset={questions}"] if "none.csv" not in wrong[0] else []),
    ]
    assert main(["forecast", *given, *wrong]) == 2
    said = capsys.readouterr()
    assert reported in said.err and said.err.count("\n") == 1 and not said.out

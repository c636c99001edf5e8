"""LoRA fine-tuning: the adapter learns, the base does not move, and a killed run goes on as if nothing had been."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from space.errors import UserError
from training import checkpoints, experiments, recipes, sft
from training.__main__ import main

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.filterwarnings(
    "default::FutureWarning"
)  # peft 0.21.2 reads what transformers 5.23 deprecates


@pytest.fixture(scope="module")
def questions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty rows of a question and its answer, of different lengths."""
    path = tmp_path_factory.mktemp("questions") / "questions.jsonl"
    rows = [
        {"question": f"Count to {n}.", "answer": " ".join(map(str, range(1, n % 9 + 2)))} for n in range(40)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def options(model: Path, dataset: Path, out: Path, **others: Any) -> dict[str, Any]:
    given = {
        "model": model, "dataset": [str(dataset)], "output_dir": str(out), "task": "chat", "tracker": "none",
        "per_device_train_batch_size": 4, "lora_r": 4, "lora_alpha": 8, "learning_rate": 0.01, "max_steps": 4,
        "save_steps": 2, "logging_steps": 1, "eval_steps": 2,
    }  # fmt: skip
    return given | others


def words(given: dict[str, Any]) -> list[str]:
    """The options as a command line."""
    flat = {name: value[0] if isinstance(value, list) else value for name, value in given.items()}
    return ["sft", *(f"--{name}={value}" for name, value in flat.items())]


def losses(folder: Path) -> list[tuple[float, float]]:
    return experiments.curve(folder, "loss")


def test_the_adapter_learns_and_the_base_stays(
    tiny_llama: Path, questions: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = AutoModelForCausalLM.from_pretrained(tiny_llama).state_dict()
    assert main(words(options(tiny_llama, questions, tmp_path, max_steps=12))) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1
    result = json.loads(lines[0])
    assert result["steps"] == 12 and result["tokens"] > 0 and result["seconds"] > 0
    adapter = load_file(tmp_path / "adapter" / "adapter_model.safetensors")
    assert any("lora_B" in name and tensor.abs().max() > 0 for name, tensor in adapter.items())
    after = AutoModelForCausalLM.from_pretrained(tiny_llama).state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    held_out = [value for _, value in experiments.curve(tmp_path, "eval_loss")]
    assert held_out[-1] < held_out[0] and result["eval_loss"] == held_out[-1]
    assert {path.name for path in tmp_path.glob("checkpoint-*")} == {"checkpoint-10", "checkpoint-12"}
    assert (tmp_path / "loss.png").stat().st_size and (tmp_path / "lengths.png").stat().st_size
    record = experiments.read(tmp_path)
    assert record["status"] == "done" and record["scores"]["eval_loss"] == result["eval_loss"]
    assert record["data"]["rows"] == 32 and record["data"]["validation_rows"] == 8

"""From a fine-tune to the served file: what is measured, when it is put in place, what is refused, and the way back."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from training.__main__ import main

LIMIT = "--limit=60"


@pytest.fixture(scope="module")
def tuned(base_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of sft that has ended, on `base_model`."""
    folder = tmp_path_factory.mktemp("sft")
    rows = [
        {"draft": f"Please send me teh invoice {n}.", "corrected": f"Please send me the invoice {n}."}
        for n in range(8)
    ]
    data = folder / "rows.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    arguments = [f"--model={base_model}", f"--dataset={data}", f"--output_dir={folder / 'run'}", "--lora_r=4",
                 "--max_steps=2", "--per_device_train_batch_size=4", "--learning_rate=1e-3", "--tracker=none"]  # fmt: skip
    assert main(["sft", *arguments]) == 0
    return folder / "run"


@pytest.fixture(scope="module")
def garbled(base_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A merged model that answers nonsense, which the checks refuse."""
    import torch
    from transformers import AutoModelForCausalLM

    folder = tmp_path_factory.mktemp("garbled") / "model"
    shutil.copytree(base_model, folder)
    model = AutoModelForCausalLM.from_pretrained(folder)
    torch.manual_seed(0)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=3.0)
    model.save_pretrained(folder)
    return folder


@pytest.fixture
def models(small_gguf: Path, tmp_path: Path) -> Path:
    """A folder in which `base_model` is served."""
    folder = tmp_path / "models"
    folder.mkdir()
    shutil.copy(small_gguf, folder / "proofreader.gguf")
    return folder


def release(*arguments: object) -> int:
    return main(["release", *map(str, arguments)])


def result(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    return json.loads(capsys.readouterr().out.splitlines()[-1])


@pytest.mark.filterwarnings("default::FutureWarning")  # peft 0.21.2 reads what transformers 5.23 deprecates
def test_a_run_is_released_and_taken_back(
    tuned: Path, models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target, out = models / "proofreader.gguf", tmp_path / "out"
    before = target.read_bytes()
    usual = [tuned, f"--out={out}", f"--models_dir={models}", LIMIT]
    assert release(*usual) == 0
    captured = capsys.readouterr()
    found = json.loads(captured.out.splitlines()[-1])
    assert found["verified"] and found["why"] == [] and not found["released"]
    assert f"would be put in the place of {target}: give --replace" in captured.err
    assert set(found["figures"]) == {"served", "new"}
    assert {each["verdict"] for each in found["verdicts"]["sentences"].values()} <= {"better", "undecided"}
    assert Path(found["picture"]).is_file() and target.read_bytes() == before
    print(captured.err)

    # With --replace nothing is done again but the replacing, and then there is nothing to replace.
    assert release(*usual, "--replace") == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out.splitlines()[-1]) == {**found, "released": True}
    assert captured.err.count(": done before") == 5 and ": begins" not in captured.err
    assert target.read_bytes() == Path(found["file"]).read_bytes() != before
    assert release(*usual, "--replace") == 0
    again = result(capsys)
    assert not again["released"] and again["why"] == ["it is what is served already"]

    assert release("--roll_back", f"--models_dir={models}") == 0
    assert result(capsys) == {"target": str(target), "rolled_back": True}
    assert target.read_bytes() == before and list(models.iterdir()) == [target]
    assert release("--roll_back", f"--models_dir={models}") == 2
    assert "no file was kept that proofreader.gguf has replaced" in capsys.readouterr().err


def test_a_worse_model_is_not_released(
    garbled: Path, models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (models / "proofreader.gguf").read_bytes()
    assert release(garbled, f"--out={tmp_path / 'out'}", f"--models_dir={models}", "--replace", LIMIT) == 0
    captured = capsys.readouterr()
    found = json.loads(captured.out.splitlines()[-1])
    print(captured.err)
    assert not found["released"] and any(reason.startswith("worse on sentences, ") for reason in found["why"])
    assert "not released: worse on sentences" in captured.err
    assert (models / "proofreader.gguf").read_bytes() == before

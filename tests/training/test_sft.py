"""LoRA fine-tuning: the adapter learns, the base does not move, and a killed run goes on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from space.tagger import Tagger
from training.__main__ import main
from training.corpus import detokenize
from training.sft import make_rows


def arguments(base_model: Path, corpus: Path, out: Path, steps: int) -> list[str]:
    data = [f"--email={corpus / 'email.jsonl'}", f"--clean={corpus / 'clean.jsonl'}", "--rows=40"]
    return ["sft", f"--model={base_model}", *data, f"--out={out}", f"--max_steps={steps}", "--save_steps=2",
            "--per_device_train_batch_size=4", "--lora_r=4"]  # fmt: skip


@pytest.mark.filterwarnings("default::FutureWarning")  # peft 0.21.2 reads what transformers 5.23 deprecates
def test_the_adapter_learns_and_resumes(
    base_model: Path, corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = AutoModelForCausalLM.from_pretrained(base_model).state_dict()
    assert main(arguments(base_model, corpus, tmp_path, 2)) == 0
    assert main(arguments(base_model, corpus, tmp_path, 4)) == 0
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert last["steps"] == 4
    adapter = load_file(tmp_path / "adapter" / "adapter_model.safetensors")
    assert any("lora_B" in name and tensor.abs().max() > 0 for name, tensor in adapter.items())
    assert json.loads((tmp_path / "adapter" / "proofreader.json").read_text())["unit"] == "sentence"
    after = AutoModelForCausalLM.from_pretrained(base_model).state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_rows_carry_measured_evidence(corpus: Path) -> None:
    rows = make_rows(corpus / "email.jsonl", corpus / "clean.jsonl", None, 60, 0, Tagger.load(n_threads=1))
    systems = [row["prompt"][0]["content"] for row in rows]
    assert all("Sentiment " in system and "politeness " in system for system in systems)
    assert any("Check: " in system for system in systems)
    assert {system.split(".")[0] for system in systems} == {"Proofread", "Polish"}
    assert all(row["completion"][0]["role"] == "assistant" for row in rows)


def test_mistakes_of_learners_are_among_the_rows(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "learner.jsonl").write_text(
        json.dumps({"source": "He go home , is n't he ?", "corrected": "He went home , did n't he ?"}) + "\n"
    )
    texts = corpus / "email.jsonl", corpus / "clean.jsonl", tmp_path / "learner.jsonl"
    rows = make_rows(*texts, 100, 0, Tagger.load(n_threads=1))
    real = [row for row in rows if row["prompt"][1]["content"] == "He go home, isn't he?"]
    assert 1 <= len(real) <= 6
    assert all(row["completion"][0]["content"] == "He went home, didn't he?" for row in real)


def test_a_missing_tagger_is_one_line(
    base_model: Path, corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments(base_model, corpus, tmp_path, 1), f"--tagger={tmp_path}"]) == 2
    assert "tags.json is missing" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("tokenised", "written"),
    [
        ("He 's late , is n't he ?", "He's late, isn't he?"),
        ("I can not ( really ) come .", "I can not (really) come."),
        ('He said " no " .', 'He said "no".'),
        ("a well - known price of $ 5", "a well-known price of $5"),
        ("a well - known ( old ) film !", "a well-known (old) film!"),
        ('He said " hello there " to me', 'He said "hello there" to me'),
        ("What 's on ?", "What's on?"),
    ],
)
def test_detokenize(tokenised: str, written: str) -> None:
    assert detokenize(tokenised) == written

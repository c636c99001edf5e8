"""Preferences: drafts cut into sentences, an adapter that learns them, a base that does not move, a run that goes on."""

from __future__ import annotations

import json
import math
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from space.errors import UserError
from training.__main__ import main
from training.finetune.prefer import chats, load
from training.runs import experiments

# peft 0.21.2 reads what transformers 5.23 deprecates
pytestmark = pytest.mark.filterwarnings("default::FutureWarning")

PAIRS = [
    ("I has it.", "I have it.", "I had it."),
    ("She go home.", "She goes home.", "She go home."),
    ("We was late.", "We were late.", "We was latter."),
    ("Send me teh file.", "Send me the file.", "Send me ten files."),
]


def written(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def preferences(tmp_path: Path) -> Path:
    rows = [
        {"prompt": draft, "chosen": good, "rejected": bad, "ids": ["1"]} for draft, good, bad in PAIRS * 3
    ]
    return written(tmp_path / "preferences.jsonl", rows)


# ---- rows --------------------------------------------------------------------------------------------------


def test_an_export_is_given_by_its_folder(preferences: Path) -> None:
    assert load(str(preferences.parent)) == load(str(preferences))


def test_other_preferences_are_chats() -> None:
    said = [{"role": "user", "content": "Hello"}]
    rows: list[dict[str, Any]] = [
        {"prompt": "Hello", "chosen": "Hi.", "rejected": "No."},
        {"prompt": said, "chosen": "Hi.", "rejected": said},
    ]
    made = chats(rows, "chat")
    answer = [{"role": "assistant", "content": "Hi."}]
    assert [row["prompt"] for row in made] == [said, said]
    assert [row["chosen"] for row in made] == [answer, answer]
    assert made[1]["rejected"] == said


# ---- training ----------------------------------------------------------------------------------------------


def arguments(model: Path, preferences: Path, out: Path, *more: str) -> list[str]:
    return ["prefer", f"--model={model}", f"--dataset={preferences}", f"--output_dir={out}", "--tracker=none",
            "--learning_rate=2e-2", "--per_device_train_batch_size=4", "--lora_r=4", "--logging_steps=1",
            "--validation_share=0", *more]  # fmt: skip


def margin(model: Any, tokenizer: Any) -> float:
    """By how much the chosen texts are likelier than the rejected, in nats, on average."""

    def likelihood(draft: str, text: str) -> float:
        # The evidence is left out here: what was learnt must show without the very same prompt.
        chat = [{"role": "system", "content": "Proofread."}, {"role": "user", "content": draft}]
        asked = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
        prompt = tokenizer(asked, add_special_tokens=False)["input_ids"]
        whole = prompt + tokenizer(text + tokenizer.eos_token, add_special_tokens=False)["input_ids"]
        with torch.inference_mode():
            logs = model(torch.tensor([whole])).logits[0, :-1].log_softmax(-1)
        return sum(logs[i - 1, whole[i]].item() for i in range(len(prompt), len(whole)))

    return sum(likelihood(draft, good) - likelihood(draft, bad) for draft, good, bad in PAIRS) / len(PAIRS)


@pytest.mark.parametrize("method", ["dpo", pytest.param("kto", marks=pytest.mark.slow)])
def test_the_adapter_prefers_what_was_chosen_and_the_base_stays(
    method: str, tiny_llama: Path, preferences: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from peft import PeftModel

    tokenizer, base = (
        AutoTokenizer.from_pretrained(tiny_llama),
        AutoModelForCausalLM.from_pretrained(tiny_llama),
    )
    before = margin(base, tokenizer)
    weights = {path.name: path.read_bytes() for path in tiny_llama.glob("*.safetensors")}
    out = tmp_path / "run"
    assert main(arguments(tiny_llama, preferences, out, f"--method={method}", "--max_steps=80")) == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (result["steps"], result["pairs"]) == (80, 12)
    adapter = load_file(out / "adapter" / "adapter_model.safetensors")
    assert all(tensor.abs().max() > 0 for name, tensor in adapter.items() if "lora_B" in name)
    assert {path.name: path.read_bytes() for path in tiny_llama.glob("*.safetensors")} == weights
    # Logits of this model lie within a few tenths of each other: half a nat is most of what it can learn.
    assert margin(PeftModel.from_pretrained(base, out / "adapter"), tokenizer) > before + 0.3
    losses = [loss for _, loss in experiments.curve(out, "loss")]
    assert sum(losses[-5:]) / 5 < losses[0]


@pytest.mark.slow
def test_an_adapter_is_gone_on_with_and_a_stopped_run_too(
    tiny_llama: Path, preferences: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, whole, parts = tmp_path / "first", tmp_path / "whole", tmp_path / "parts"
    assert main(arguments(tiny_llama, preferences, first, "--max_steps=3")) == 0
    more = [
        f"--adapter={first / 'adapter'}",
        "--save_steps=2",
        "--lr_scheduler_type=constant",
        "--warmup_steps=0",
    ]
    assert main(arguments(tiny_llama, preferences, whole, *more, "--max_steps=4")) == 0
    assert main(arguments(tiny_llama, preferences, parts, *more, "--max_steps=2")) == 0
    assert main(arguments(tiny_llama, preferences, parts, *more, "--max_steps=4")) == 0
    _, once_told, _, reported = map(json.loads, capsys.readouterr().out.splitlines())
    assert reported["steps"] == 4 and reported["loss"] == once_told["loss"] > 0
    assert main(arguments(tiny_llama, preferences, parts, *more, "--max_steps=4")) == 0  # it had ended
    assert json.loads(capsys.readouterr().out)["loss"] == reported["loss"]
    begun, once, resumed = (
        load_file(folder / "adapter" / "adapter_model.safetensors") for folder in (first, whole, parts)
    )
    assert begun.keys() == once.keys() == resumed.keys()  # one adapter, without the copy that it was held to
    assert not (whole / "adapter" / "ref").exists()
    assert any(not torch.equal(begun[name], once[name]) for name in begun)
    assert all(torch.equal(once[name], resumed[name]) for name in once)
    assert main(arguments(tiny_llama, preferences, parts, *more, "--beta=0.5", "--lora_r=8")) == 2
    assert "holds a run with other beta, lora_r: give what it had" in capsys.readouterr().err


@pytest.mark.slow
def test_held_out_pairs_are_measured(
    tiny_llama: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"prompt": f"He go to {city}.", "chosen": f"He goes to {city}.", "rejected": f"He went to {city}."}
            for city in ("Oslo", "Rome", "Bonn", "Kiev", "Lima") * 8]  # fmt: skip
    path = written(tmp_path / "preferences.jsonl", rows)
    arguments_ = arguments(tiny_llama, path, tmp_path / "run", "--max_steps=12", "--validation_share=0.4")
    assert main(arguments_) == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert result["margin"] > 0 and result["accuracy"] == 1.0
    assert experiments.read(tmp_path / "run")["data"]["validation"] == 16


def test_kto_reads_both_kinds_of_text_from_the_first_batches_on(
    tiny_llama: Path, preferences: Path, tmp_path: Path
) -> None:
    """Chosen and rejected texts stand in random order: a margin, which takes both, is logged at nearly every step."""
    assert main(arguments(tiny_llama, preferences, tmp_path / "run", "--method=kto", "--max_steps=6")) == 0
    assert len(experiments.curve(tmp_path / "run", "rewards/margins")) >= 4


@pytest.mark.slow
def test_a_full_disk_leaves_no_half_checkpoint_and_a_record_that_says_so(
    tiny_llama: Path, preferences: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """/dev/full in the place of one file: the kernel says that no room is left."""
    run = tmp_path / "run"
    (run / "checkpoint-4").mkdir(parents=True)
    (run / "checkpoint-4" / "optimizer.pt").symlink_to("/dev/full")
    given = arguments(tiny_llama, preferences, run, "--max_steps=4", "--save_steps=2")
    assert main(given) == 1
    reported = capsys.readouterr().err.splitlines()
    assert reported[-1] == "The disk is full: make room, then give the same command again."
    assert [path.name for path in run.glob("checkpoint-*")] == ["checkpoint-2"]
    assert experiments.read(run)["status"] == "failed" and not (run / "adapter").exists()
    assert main(given) == 0
    again = capsys.readouterr().err
    assert "Going on from" in again and "evidence measured" not in again
    assert [step for step, _ in experiments.curve(run, "loss")] == [1, 2, 3, 4]
    assert not list(run.glob("evidence-*")) and not list(run.glob(".*"))


@pytest.mark.slow
def test_ctrl_c_while_the_adapter_is_written_leaves_none(
    tiny_llama: Path, preferences: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    from training.base import pretrain

    def interrupt(folder: Path) -> None:
        assert (folder / "adapter_model.safetensors").exists()
        raise KeyboardInterrupt

    run = tmp_path / "run"
    with monkeypatch.context() as patched:
        patched.setattr(pretrain, "save_about", interrupt)
        assert main(arguments(tiny_llama, preferences, run, "--max_steps=1")) == 130
    assert capsys.readouterr().err.splitlines()[-1].startswith("Stopped. What was saved stays")
    assert experiments.read(run)["status"] == "stopped"
    assert not (run / "adapter").exists() and not (run / ".adapter").exists()
    assert main(arguments(tiny_llama, preferences, run, "--max_steps=1")) == 0
    assert (run / "adapter" / "adapter_model.safetensors").is_file()


@pytest.mark.slow
def test_two_processes_train_what_one_does_with_twice_the_batch(
    in_two_processes: Any, tiny_llama: Path, preferences: Path, tmp_path: Path
) -> None:
    """Without the likelihood of the chosen text, of which each process takes the mean over its own tokens."""
    two, one = tmp_path / "two", tmp_path / "one"
    same = ["--max_steps=4", "--warmup_steps=0", "--sft_weight=0"]
    ran = in_two_processes(
        [*arguments(tiny_llama, preferences, two, *same), "--per_device_train_batch_size=2"]
    )
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["steps"] == 4
    assert ran.stderr.count("evidence measured on 12 of 12 drafts") == 1
    assert ran.stderr.count("step 4/4") == 1
    assert main(arguments(tiny_llama, preferences, one, *same)) == 0
    assert [experiments.read(folder)["status"] for folder in (two, one)] == ["done", "done"]
    curves = [experiments.curve(folder, "loss") for folder in (two, one)]
    assert [step for step, _ in curves[0]] == [1, 2, 3, 4]
    for (_, loss), (_, alone) in zip(*curves, strict=True):
        assert math.isfinite(loss) and loss == pytest.approx(alone, abs=1e-4)
    assert (two / "adapter" / "adapter_model.safetensors").is_file()


# ---- refusals ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"prompt": "I has it.", "chosen": "I have it."}],
         "row 1 has no 'rejected' that is a text; its columns are: prompt, chosen"),
        ([{"prompt": "It is.", "chosen": "It is.", "rejected": "It is."}], "no pair of texts differs"),
        ([], "no pair of texts differs"),
    ],
)  # fmt: skip
def test_rows_that_teach_nothing_are_one_line(
    rows: list[dict[str, str]], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path / "rows.jsonl", rows)
    assert main(arguments(tmp_path, path, tmp_path / "run")) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--per_device_train_batch_size=0", "--per_device_train_batch_size 0: give more than 0"),
        ("--learning_rate=nan", "--learning_rate nan: give more than 0"),
        ("--num_train_epochs=0", "nothing to do"),
        ("--num_train_epochs=inf", "nothing to do"),
        ("--beta=inf", "--beta inf: give more than 0"),
        ("--sft_weight=-1", "--sft_weight -1.0: give 0 or more"),
        ("--warmup_steps=nan", "--warmup_steps nan: give 0 or more"),
        ("--lora_dropout=2", "dropout probability has to be between 0 and 1"),
        ("--model=/no/model", "--model /no/model cannot be loaded"),
        ("--lr_scheduler_type=zigzag", "zigzag"),
        ("--target_modules=nobody", "nobody"),
        ("--validation_share=1", "--validation_share 1.0"),
    ],
)
def test_bad_options_are_one_line(
    option: str, said: str, tiny_llama: Path, preferences: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    assert main(arguments(tiny_llama, preferences, tmp_path / "run", option)) == 2
    reported = capsys.readouterr().err.splitlines()
    assert said in reported[-1] and not (tmp_path / "run").exists()


def test_prompts_without_room_for_an_answer_are_one_line(
    tiny_llama: Path, preferences: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments(tiny_llama, preferences, tmp_path / "run", "--max_length=9")) == 2
    reported = capsys.readouterr().err.splitlines()
    assert reported[-1] == "no pair is left: every prompt alone has --max_length 9 tokens or more"


@pytest.mark.parametrize("method", ["dpo", pytest.param("kto", marks=pytest.mark.slow)])
def test_a_model_that_does_not_fit_is_told_before_anything_is_measured(
    method: str, giant: Path, preferences: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments(giant, preferences, tmp_path / "run", f"--method={method}")) == 2
    (reported,) = capsys.readouterr().err.splitlines()
    assert re.search(r"giant does not fit: about \d{4,}\.\d GB needed, \d+\.\d GB free; try", reported)
    assert "--load_in_4bit" not in reported and not (tmp_path / "run").exists()


def test_a_row_that_the_chat_template_refuses_is_one_line(
    tiny_llama: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "strict"
    shutil.copytree(tiny_llama, model)
    template = (model / "chat_template.jinja").read_text()
    refuses = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    (model / "chat_template.jinja").write_text(refuses + template)
    said = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}]
    path = written(tmp_path / "rows.jsonl", [{"prompt": said, "chosen": "Hi.", "rejected": "No."}])
    assert main(arguments(model, path, tmp_path / "run", "--task=chat")) == 2
    (reported,) = capsys.readouterr().err.splitlines()
    assert reported == "the chat template of the --model refuses a row: no system role"


def test_a_chat_is_no_draft(tmp_path: Path) -> None:
    said = [{"role": "user", "content": "It work."}]
    path = written(tmp_path / "rows.jsonl", [{"prompt": said, "chosen": "It works.", "rejected": "It work."}])
    with pytest.raises(UserError, match="row 1 has no 'prompt' that is a text"):
        load(str(path))
    assert len(load(str(path), "chat")) == 1


def test_what_is_no_adapter_is_one_line(
    tiny_llama: Path, preferences: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments(tiny_llama, preferences, tmp_path / "run", f"--adapter={tmp_path}")) == 2
    assert "adapter_config.json" in capsys.readouterr().err


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        load(str(tmp_path / "none.jsonl"))

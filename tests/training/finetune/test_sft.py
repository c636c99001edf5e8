"""LoRA fine-tuning: the adapter learns, the base does not move, and a killed run goes on as if nothing had been."""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from space.errors import UserError
from training.__main__ import main
from training.finetune import recipes, samples, sft
from training.runs import checkpoints, experiments

ROOT = Path(__file__).resolve().parents[3]
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


class Killed(Exception):
    """Ends a training in the middle of a step, as a crash does."""


def crash_at(step: int) -> Any:
    from transformers import TrainerCallback

    class Crash(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step == step:
                raise Killed

    return Crash()


def test_a_crashed_run_goes_on_bit_for_bit(tiny_llama: Path, questions: Path, tmp_path: Path) -> None:
    """Over the end of an epoch (8 steps), with everything that draws random numbers."""
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    same: dict[str, Any] = {"max_steps": 14, "save_steps": 3, "lora_dropout": 0.2, "neftune_noise_alpha": 5}
    uninterrupted = sft.fine_tune(recipes.arguments(options(tiny_llama, questions, whole, **same)))
    with pytest.raises(Killed):
        sft.fine_tune(recipes.arguments(options(tiny_llama, questions, broken, **same)), [crash_at(11)])
    assert experiments.read(broken)["status"] == "failed"
    resumed = sft.fine_tune(recipes.arguments(options(tiny_llama, questions, broken, **same)))
    assert losses(broken) == losses(whole) and len(losses(whole)) == 14
    given = ("steps", "loss", "eval_loss", "tokens")
    assert [resumed[name] for name in given] == [uninterrupted[name] for name in given]
    weights = [load_file(folder / "adapter" / "adapter_model.safetensors") for folder in (whole, broken)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


@pytest.mark.slow
def test_kill_9_changes_nothing(tiny_llama: Path, questions: Path, tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    same: dict[str, Any] = {"max_steps": 150, "save_steps": 10, "lora_dropout": 0.2}
    sft.fine_tune(recipes.arguments(options(tiny_llama, questions, whole, **same)))
    command = [sys.executable, "-m", "training", *words(options(tiny_llama, questions, broken, **same))]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 240
    while len(losses(broken)) < 25 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert 25 <= len(losses(broken)) < 150 and experiments.read(broken)["status"] == "running"
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert "Going on from" in ran.stderr
    assert losses(broken) == losses(whole) and len(losses(whole)) == 150


def test_a_torn_checkpoint_is_skipped(
    tiny_llama: Path, questions: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = options(tiny_llama, questions, tmp_path)
    sft.fine_tune(recipes.arguments(given))
    torn = tmp_path / "checkpoint-4" / "optimizer.pt"
    torn.write_bytes(torn.read_bytes()[:100])
    sft.fine_tune(recipes.arguments(given))
    reported = capsys.readouterr().err
    assert "checkpoint-4 is torn and was skipped" in reported and "Going on from" in reported
    assert checkpoints.newest(tmp_path) == tmp_path / "checkpoint-4"
    assert [step for step, _ in losses(tmp_path)] == [1, 2, 3, 4]


@pytest.mark.slow
def test_more_steps_can_be_asked_for_later(tiny_llama: Path, questions: Path, tmp_path: Path) -> None:
    for steps in (2, 4, 4):
        given = options(tiny_llama, questions, tmp_path, max_steps=steps)
        assert sft.fine_tune(recipes.arguments(given))["steps"] == steps
    assert [step for step, _ in losses(tmp_path)] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    "other", [{"lora_r": 2}, {"learning_rate": 0.02}, {"model": "copy"}, {"random_k": 9}]
)
def test_another_run_is_not_gone_on_with(
    other: dict[str, Any], tiny_llama: Path, questions: Path, tmp_path: Path
) -> None:
    (tmp_path / "copy").symlink_to(tiny_llama)
    given = options(tiny_llama, questions, tmp_path / "run", max_steps=2)
    sft.fine_tune(recipes.arguments(given))
    if "model" in other:
        other = {"model": tmp_path / "copy"}
    what = "data" if "random_k" in other else next(iter(other))
    with pytest.raises(UserError, match=f"holds a run with other {what}: give what it had"):
        sft.fine_tune(recipes.arguments(given | other))


def test_sigterm_saves_first(
    tiny_llama: Path, questions: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from transformers import TrainerCallback

    class Terminate(TrainerCallback):
        def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step == 2:
                os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    given = options(tiny_llama, questions, tmp_path, max_steps=9, save_steps=100)
    with pytest.raises(checkpoints.Stopped, match="Stopped at step 3 and saved"):
        sft.fine_tune(recipes.arguments(given), [Terminate()])
    assert signal.getsignal(signal.SIGTERM) == before
    assert checkpoints.newest(tmp_path) == tmp_path / "checkpoint-3"
    assert experiments.read(tmp_path)["status"] == "stopped" and not (tmp_path / "adapter").exists()
    assert sft.fine_tune(recipes.arguments(given))["steps"] == 9


def test_a_full_disk_leaves_no_half_checkpoint(
    tiny_llama: Path, questions: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """/dev/full in the place of one file: the kernel says that no room is left."""
    (tmp_path / "checkpoint-4").mkdir()
    (tmp_path / "checkpoint-4" / "optimizer.pt").symlink_to("/dev/full")
    assert main(words(options(tiny_llama, questions, tmp_path))) == 1
    reported = capsys.readouterr().err.splitlines()
    assert reported[-1] == "The disk is full: make room, then give the same command again."
    assert [path.name for path in tmp_path.glob("checkpoint-*")] == ["checkpoint-2"]
    assert main(words(options(tiny_llama, questions, tmp_path))) == 0
    assert [step for step, _ in losses(tmp_path)] == [1, 2, 3, 4]


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl+C as a shell gives it: the workers of pytest-xdist ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_is_one_line_and_leaves_nothing_half_written(
    interruptible: None, tiny_llama: Path, questions: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ended = threading.Event()

    def interrupt() -> None:
        while not ended.wait(0.01):
            if len(losses(tmp_path)) >= 5:
                os.kill(os.getpid(), signal.SIGINT)
                return

    waiting = threading.Thread(target=interrupt)
    waiting.start()
    try:
        assert main(words(options(tiny_llama, questions, tmp_path, max_steps=5000))) == 130
    finally:
        ended.set()
        waiting.join()
    reported = capsys.readouterr().err.splitlines()
    assert reported[-1].startswith("Stopped. What was saved stays") and "Traceback" not in "".join(reported)
    assert experiments.read(tmp_path)["status"] == "stopped"
    assert all(checkpoints.is_complete(path) for path in tmp_path.glob("checkpoint-*"))


@pytest.mark.slow
def test_two_processes_train_what_one_does_with_twice_the_batch(
    in_two_processes: Any, tiny_llama: Path, tmp_path: Path
) -> None:
    drafts = tmp_path / "drafts.jsonl"
    rows = [
        {"draft": f"He go to {n} shop{'s' * (n % 7)}.", "corrected": f"He goes to {n} shops."}
        for n in range(40)
    ]
    drafts.write_text("".join(json.dumps(row) + "\n" for row in rows))
    same: dict[str, Any] = {"task": "proofread", "max_steps": -1, "num_train_epochs": 1}
    two, one = tmp_path / "two", tmp_path / "one"
    given = options(tiny_llama, drafts, two, **same, per_device_train_batch_size=4)
    ran = in_two_processes([*words(given), "--no-bf16"])
    assert ran.returncode == 0, ran.stderr
    result = json.loads(ran.stdout)
    assert ran.stderr.count("evidence measured on 40 of 40 drafts") == 1
    assert not list(two.glob("evidence-*"))
    assert (
        main([*words(options(tiny_llama, drafts, one, **same, per_device_train_batch_size=8)), "--no-bf16"])
        == 0
    )
    records = [experiments.read(folder) for folder in (two, one)]
    assert [record["status"] for record in records] == ["done", "done"]
    assert records[0]["data"]["fingerprint"] == records[1]["data"]["fingerprint"]
    assert (result["steps"], result["tokens"]) == (
        4,
        records[1]["scores"]["tokens"],
    )  # each row went to one of them
    assert [step for step, _ in losses(two)] == [1, 2, 3, 4]
    pairs = zip(losses(two), losses(one), strict=True)
    assert all(
        math.isfinite(loss) and loss == pytest.approx(alone, abs=1e-4) for (_, loss), (_, alone) in pairs
    )
    weights = [load_file(folder / "adapter" / "adapter_model.safetensors") for folder in (two, one)]
    # Adam's first steps are as large for a gradient that is nothing but rounding: not the weights, what they do is the same.
    assert weights[0].keys() == weights[1].keys()
    assert result["eval_loss"] == pytest.approx(records[1]["scores"]["eval_loss"], abs=1e-3)
    assert checkpoints.newest(two) == two / "checkpoint-4"


@pytest.mark.slow
def test_a_run_that_goes_on_measures_no_draft_again(
    tiny_llama: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drafts = tmp_path / "drafts.csv"
    drafts.write_text("draft,corrected\n" + "".join(f"He go to {n}.,He goes to {n}.\n" for n in range(10)))
    given = options(tiny_llama, drafts, tmp_path / "run", task="proofread")
    with pytest.raises(Killed):
        sft.fine_tune(recipes.arguments(given), [crash_at(3)])
    assert "evidence measured on 10 of 10" in capsys.readouterr().err
    sft.fine_tune(recipes.arguments(given))
    reported = capsys.readouterr().err
    assert "Going on from" in reported and "evidence measured" not in reported
    assert not list((tmp_path / "run").glob("evidence-*"))


@pytest.mark.slow
def test_early_stopping_keeps_the_best(tiny_llama: Path, questions: Path, tmp_path: Path) -> None:
    given = options(
        tiny_llama, questions, tmp_path, max_steps=40, early_stopping_patience=2, learning_rate=3.0
    )  # so high that it soon gets worse
    first = sft.fine_tune(recipes.arguments(given))
    held_out = [value for _, value in experiments.curve(tmp_path, "eval_loss")]
    assert first["steps"] < 40 and first["steps"] == 2 * len(held_out)
    assert first["eval_loss"] == min(held_out) == held_out[-3]
    again = sft.fine_tune(recipes.arguments(given))
    assert (again["steps"], again["eval_loss"]) == (first["steps"], first["eval_loss"])


@pytest.mark.slow
def test_options_reach_the_trainer(tiny_llama: Path, questions: Path, tmp_path: Path) -> None:
    plain = sft.fine_tune(recipes.arguments(options(tiny_llama, questions, tmp_path / "plain")))
    packed = options(
        tiny_llama, questions, tmp_path / "packed", packing=True, num_train_epochs=1, max_steps=-1
    )
    assert sft.fine_tune(recipes.arguments(packed))["steps"] < 8
    full = options(tiny_llama, questions, tmp_path / "full", completion_only_loss=False)
    assert sft.fine_tune(recipes.arguments(full))["loss"] != plain["loss"]
    saving = options(
        tiny_llama, questions, tmp_path / "saving", gradient_checkpointing=True, attn_implementation="eager"
    )
    assert sft.fine_tune(recipes.arguments(saving))["loss"] == pytest.approx(plain["loss"], abs=0.02)
    narrow = options(tiny_llama, questions, tmp_path / "narrow", target_modules=["q_proj", "v_proj"])
    sft.fine_tune(recipes.arguments(narrow))
    names = load_file(tmp_path / "narrow" / "adapter" / "adapter_model.safetensors")
    assert {name.split(".")[-3] for name in names} == {"q_proj", "v_proj"}


def test_only_a_proofreader_carries_the_keys_of_one(
    tiny_llama: Path, questions: Path, tmp_path: Path
) -> None:
    drafts = tmp_path / "drafts.csv"
    drafts.write_text("draft,corrected\n" + "".join(f"He go to {n}.,He goes to {n}.\n" for n in range(10)))
    mine, others = tmp_path / "mine", tmp_path / "others"
    sft.fine_tune(recipes.arguments(options(tiny_llama, drafts, mine, task="proofread", max_steps=1)))
    sft.fine_tune(recipes.arguments(options(tiny_llama, questions, others, max_steps=1)))
    assert json.loads((mine / "adapter" / "proofreader.json").read_text())["unit"] == "sentence"
    assert not (others / "adapter" / "proofreader.json").exists()


def test_a_recipe_gives_way_to_the_command_line(
    tiny_llama: Path, questions: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipes.write(recipe, options(tiny_llama, questions, tmp_path / "run", lora_r=2))
    assert main(["sft", f"--recipe={recipe}", "--lora-alpha", "16", "--max-steps=1"]) == 0
    assert json.loads(capsys.readouterr().out)["steps"] == 1
    about = json.loads((tmp_path / "run" / "adapter" / "adapter_config.json").read_text())
    assert (about["r"], about["lora_alpha"]) == (2, 16)


@pytest.mark.slow
def test_held_out_rows_are_answered_while_it_learns(
    tiny_llama: Path, questions: Path, tmp_path: Path
) -> None:
    """Killed between an evaluation and the next checkpoint, it goes on and no step is there twice."""
    from transformers import AutoTokenizer

    given = options(tiny_llama, questions, tmp_path, max_steps=7, save_steps=3, samples=3, bf16=False)
    with pytest.raises(Killed):
        sft.fine_tune(recipes.arguments(given), [crash_at(5)])
    with (tmp_path / "samples.jsonl").open("a") as torn:
        torn.write('{"step": 4, "row": 1, "pro')
    assert [line["step"] for line in samples.read(tmp_path)] == [2] * 3 + [4] * 3
    sft.fine_tune(recipes.arguments(given))
    lines = [json.loads(line) for line in (tmp_path / "samples.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [step for step in (2, 4, 6, 7) for _ in range(3)]
    rows = [(line["row"], line["prompt"], line["expected"]) for line in lines]
    assert rows[:3] * 4 == rows and len(set(rows)) == 3
    expected = [answer for _, _, answer in rows[:3]]
    assert len(expected[0]) < len(expected[1]) < len(expected[2])
    assert (tmp_path / "samples.jsonl").stat().st_mode & 0o077 == 0
    sft.fine_tune(recipes.arguments(given))  # it is done: nothing is asked again
    assert len(samples.read(tmp_path)) == 12
    # The last answers are those of the adapter that was saved.
    from peft import PeftModel

    tuned = PeftModel.from_pretrained(
        AutoModelForCausalLM.from_pretrained(tiny_llama), tmp_path / "adapter"
    ).eval()
    tokenizer = AutoTokenizer.from_pretrained(tiny_llama)
    for line in lines[-3:]:
        chat = [{"role": "user", "content": line["prompt"]}]
        whole = [*chat, {"role": "assistant", "content": line["expected"]}]
        asked = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
        text = tokenizer.apply_chat_template(whole, tokenize=False)
        start, ids = (
            tokenizer(each, add_special_tokens=False, return_tensors="pt").input_ids for each in (asked, text)
        )
        with torch.inference_mode():
            scores = tuned(ids).logits[0, start.shape[1] - 1 : -1].log_softmax(-1)
            loss = -scores.gather(1, ids[0, start.shape[1] :, None]).mean().item()
            assert line["loss"] == pytest.approx(loss, abs=1e-3)
            answer = start
            for _ in range(max(map(len, expected)) + 16):
                answer = torch.cat([answer, tuned(answer).logits[:, -1:].argmax(-1)], dim=1)
                if answer[0, -1] == tokenizer.eos_token_id:
                    break
        said = tokenizer.decode(answer[0, start.shape[1] :], skip_special_tokens=True)
        assert line["answer"] == said.strip()
    assert lines[-1]["loss"] < lines[2]["loss"]


# ---- bad input: one line each ----


@pytest.mark.parametrize(
    ("wrong", "reported"),
    [
        ({"model": "no/such-model"}, "no/such-model cannot be loaded as a language model"),
        ({"model": None}, "--model is missing"),
        ({"output_dir": None}, "--output_dir is missing"),
        ({"lora_r": 0}, "--lora_r 0: give more than 0"),
        ({"max_steps": -1, "num_train_epochs": 0}, "nothing to do"),
        ({"max_steps": -1, "num_train_epochs": math.nan}, "nothing to do"),
        ({"lr_scheduler_type": "sinus"}, "sinus"),
        ({"learning_rate": math.nan}, "--learning_rate nan: give more than 0"),
        ({"weight_decay": -1}, "--weight_decay -1.0: give 0 or more"),
        ({"per_device_eval_batch_size": -1}, "--per_device_eval_batch_size -1: give more than 0"),
        ({"early_stopping_patience": 0}, "--early_stopping_patience 0: give more than 0"),
        (
            {"early_stopping_patience": 1, "random_k": 1, "validation_share": 0.01},
            "too few rows to hold any out",
        ),
        ({"output_dir": "hub:run"}, "a Hub repo is hub:owner/name"),
        ({"load_in_4bit": True}, "--load_in_4bit needs bitsandbytes: pip install bitsandbytes"),
        ({"load_in_8bit": True}, "--load_in_8bit needs bitsandbytes: pip install bitsandbytes"),
        ({"load_in_4bit": True, "load_in_8bit": True}, "--load_in_4bit and --load_in_8bit: choose one"),
        # Before anything is read.
        (
            {"attn_implementation": "flash_attention_2", "dataset": "none.jsonl"},
            "needs flash_attn: pip install flash-attn",
        ),
        ({"tracker": "wandb", "dataset": "none.jsonl"}, "--tracker wandb needs Weights & Biases"),
        ({"early_stopping_patience": 1, "validation_share": 0}, "needs held-out rows"),
        ({"samples": 1, "validation_share": 0}, "--samples needs held-out rows"),
        ({"samples": 1, "random_k": 1, "validation_share": 0.01}, "too few rows to hold any out"),
        ({"samples": -1}, "--samples -1: give 0 or more"),
        ({"early_stopping_patience": 1, "eval_steps": 3}, "--save_steps must be a multiple of --eval_steps"),
        ({"target_modules": ["no_proj"]}, "no_proj"),
    ],
)
def test_bad_options_are_one_line(
    wrong: dict[str, Any], reported: str, tiny_llama: Path, questions: Path, tmp_path: Path
) -> None:
    with pytest.raises(UserError) as error:
        sft.fine_tune(recipes.arguments(options(tiny_llama, questions, tmp_path) | wrong))
    assert reported in str(error.value) and "\n" not in str(error.value)
    assert not list(tmp_path.glob("*/"))


def test_a_model_that_does_not_fit_is_told_before_it_is_loaded(
    giant: Path, questions: Path, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=r"does not fit: about \d{4,}\.\d GB needed, \d+\.\d GB free; try"):
        sft.fine_tune(recipes.arguments(options(giant, questions, tmp_path / "run")))


@pytest.mark.parametrize(
    ("how", "reported"), [("torn", "torn cannot be loaded"), ("other", "t5 is no causal language model")]
)
def test_a_model_of_no_use_is_one_line(
    how: str, reported: str, tiny_llama: Path, questions: Path, tmp_path: Path
) -> None:
    model = tmp_path / how
    shutil.copytree(tiny_llama, model)
    if how == "torn":
        os.truncate(model / "model.safetensors", 2000)
    else:
        config = json.loads((model / "config.json").read_text())
        (model / "config.json").write_text(json.dumps(config | {"model_type": "t5"}))
    with pytest.raises(UserError, match=reported) as error:
        sft.fine_tune(recipes.arguments(options(model, questions, tmp_path / "run")))
    assert "\n" not in str(error.value)


def test_a_model_without_chat_template_needs_one(tiny_llama: Path, questions: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    for path in tiny_llama.iterdir():
        if path.suffix != ".jinja":
            (bare / path.name).write_bytes(path.read_bytes())
    with pytest.raises(UserError, match="has no chat template: take its instruct version"):
        sft.fine_tune(recipes.arguments(options(bare, questions, tmp_path / "run")))
    template = tmp_path / "template.jinja"
    template.write_text("{% for m in messages %}{{ m['role'] + ': ' + m['content'] + '\n' }}{% endfor %}"
                        "{% if add_generation_prompt %}assistant: {% endif %}")  # fmt: skip
    given = options(bare, questions, tmp_path / "run", chat_template_path=template, max_steps=1)
    assert sft.fine_tune(recipes.arguments(given))["steps"] == 1

"""What `sft` and `prefer` share: a base and the LoRA adapter on it, a training that can be stopped, and what it leaves."""

from __future__ import annotations

import argparse
import math
import os
import shutil
import sys
import textwrap
import time
from collections.abc import Collection, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from space.errors import UserError
from training.finetune import memory
from training.runs import checkpoints, experiments, trackers

ADAPTER = "adapter"  # its folder in that of the run


# ---- options ----


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `sft` and `prefer` have in common, with the defaults of `sft`.

    A second name is what the training scripts of StarCoder and of many that followed it call an option.
    """
    adapter = parser.add_argument_group("LoRA (of a new adapter)")
    rate = parser.add_argument_group("optimisation")
    steps = parser.add_argument_group("steps between")
    for group, names, kind, default, text in (
        (adapter, "--lora_r", int, 32, "rank"),
        (adapter, "--lora_alpha", int, 64, "the update is scaled by alpha / r"),
        (adapter, "--lora_dropout", float, 0.0, "share of the inputs of the adapter"),
        (rate, "--learning_rate", float, 1e-3, "at its peak"),
        (rate, "--lr_scheduler_type", str, "cosine", "as transformers calls it"),
        (rate, "--warmup_steps --num_warmup_steps", float, 0.03, "below 1 a share of all"),
        (rate, "--weight_decay", float, 0.0, "of AdamW"),
        (rate, "--per_device_train_batch_size --batch_size", int, 32, "rows"),
        (rate, "--gradient_accumulation_steps", int, 1, "batches a step"),
        (rate, "--num_train_epochs", float, 1.0, "passes over the rows"),
        (rate, "--max_steps", int, -1, "instead of epochs, if above 0"),
        (rate, "--max_length --seq_length", int, 384, "tokens of a row"),
        (steps, "--logging_steps --log_freq", int, 10, "lines of the log"),
        (steps, "--save_steps --save_freq", int, 100, "checkpoints, of which the last two stay"),
    ):
        group.add_argument(*names.split(), type=kind, default=default, help=f"{text} (default %(default)s)")
    adapter.add_argument(
        "--target_modules", nargs="+", default=["all-linear"], metavar="NAME", help="layers, or all-linear"
    )
    rate.add_argument(
        "--gradient_checkpointing", action=argparse.BooleanOptionalAction, default=False,
        help="less memory, a third more time",
    )  # fmt: skip
    rate.add_argument(
        "--no_gradient_checkpointing",
        action="store_false",
        dest="gradient_checkpointing",
        help=argparse.SUPPRESS,
    )
    parser.add_argument(
        "--recipe",
        metavar="FILE",
        help="YAML with any of these options, or a name in training/finetune/recipes",
    )
    parser.add_argument("--model", "--model_path", help="base: a folder or a Hub repo id")
    parser.add_argument("--seed", type=int, default=0, help="of splits, order and new adapters (default 0)")


# ---- before ----


def check_numbers(args: argparse.Namespace, above_zero: Collection[str], from_zero: Collection[str]) -> None:
    """UserError for options out of their range, infinite or no number, and for a training of no length."""
    for names, least, fits in (
        (above_zero, "more than 0", lambda value: 0 < value < math.inf),
        (from_zero, "0 or more", lambda value: 0 <= value < math.inf),
    ):
        for name in names:
            value = getattr(args, name)
            if value is not None and not fits(value):
                raise UserError(f"--{name} {value}: give {least}")
    if args.max_steps <= 0 and not 0 < args.num_train_epochs < math.inf:
        raise UserError("nothing to do: give --max_steps or --num_train_epochs more than 0")


def require_room(folder: Path) -> None:
    """Makes the folder of a run. UserError if it cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder} cannot be made: {error.strerror}") from error


def config_and_tokenizer(model: str, chat_template_path: Path | None = None) -> tuple[Any, Any]:
    """Of a folder or a Hub repo id. UserError if it cannot be loaded; whether it has a chat template is not asked."""
    from transformers import AutoConfig, AutoTokenizer

    try:
        config, tokenizer = AutoConfig.from_pretrained(model), AutoTokenizer.from_pretrained(model)
    except (OSError, ValueError) as error:
        raise cannot_be_loaded(model, error) from error
    if chat_template_path:
        try:
            tokenizer.chat_template = chat_template_path.read_text(encoding="utf-8")
        except OSError as error:
            raise UserError(f"{chat_template_path} cannot be read: {error.strerror}") from error
    return config, tokenizer


def base(model: str, **options: Any) -> Any:
    """The model with its weights. UserError if they cannot be loaded."""
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM

    try:
        loaded, found = AutoModelForCausalLM.from_pretrained(
            model, use_safetensors=True, output_loading_info=True, **options
        )
    except (OSError, ValueError, RuntimeError, ImportError, SafetensorError) as error:
        raise cannot_be_loaded(model, error) from error
    if missing := sorted(found["missing_keys"]):  # transformers makes them up
        raise UserError(f"--model {model} has no tensor {missing[0]}: save it again, or download it again")
    return loaded


def cannot_be_loaded(model: str, error: BaseException) -> UserError:
    said = textwrap.shorten(str(error), 200, placeholder=" ...")
    return UserError(f"--model {model} cannot be loaded as a language model: {said}")


def new_adapter(args: argparse.Namespace) -> Any:
    """The configuration of an adapter that begins with this run."""
    from peft import LoraConfig

    targets = list(args.target_modules)
    try:
        return LoraConfig(
            r=args.lora_r, lora_alpha=args.lora_alpha, lora_dropout=args.lora_dropout, task_type="CAUSAL_LM",
            target_modules=targets[0] if targets == ["all-linear"] else targets,
        )  # fmt: skip
    except ValueError as error:
        raise UserError(" ".join(str(error).split())) from error


def settings(args: argparse.Namespace, folder: Path, **others: Any) -> dict[str, Any]:
    """What trl's configurations call the options that both commands have, with those that only one of them has."""
    import torch

    return {
        "output_dir": str(folder),
        "learning_rate": args.learning_rate,
        "lr_scheduler_type": args.lr_scheduler_type,
        "warmup_steps": args.warmup_steps,
        "weight_decay": args.weight_decay,
        "per_device_train_batch_size": args.per_device_train_batch_size,
        "per_device_eval_batch_size": args.per_device_train_batch_size,
        "gradient_accumulation_steps": args.gradient_accumulation_steps,
        "num_train_epochs": args.num_train_epochs,
        "max_steps": args.max_steps,
        "max_length": args.max_length,
        "activation_checkpointing": args.gradient_checkpointing,  # transformers 5.23 calls it so
        "logging_steps": args.logging_steps,
        "save_steps": args.save_steps,
        "save_total_limit": 2,
        "seed": args.seed,
        "use_cpu": not torch.cuda.is_available(),
        "ddp_find_unused_parameters": False,
        "report_to": "none",
        "disable_tqdm": True,
        **others,
    }


_PACKAGES = {
    "load_in_4bit": "bitsandbytes",
    "load_in_8bit": "bitsandbytes",
    "attn_implementation": "flash_attn",
}


def require_packages(args: argparse.Namespace) -> None:
    """UserError for an option whose package is not installed, before a model is loaded or a row is read."""
    trackers.check(args.tracker)
    for option, package in _PACKAGES.items():
        value = getattr(args, option, None)
        asked = value if isinstance(value, bool) else str(value).startswith("flash_attention")
        if asked and find_spec(package) is None:
            shown = f"--{option}" if value is True else f"--{option} {value}"
            raise UserError(f"{shown} needs {package}: pip install {package.replace('_', '-')}")


# ---- while ----


def train(trainer: Any, newest: Path | None) -> None:
    """Trains, from a checkpoint on if there is one. Raises checkpoints.Stopped when SIGTERM ended it."""
    stop = checkpoints.save_on_sigterm()
    trainer.add_callback(stop)
    if newest and trainer.is_world_process_zero():
        print(f"Going on from {newest}", file=sys.stderr)
    try:
        trainer.train(resume_from_checkpoint=str(newest) if newest else None)
    finally:
        stop.release()
    if stop.stopped:
        raise checkpoints.Stopped(
            f"Stopped at step {trainer.state.global_step} and saved; the same command goes on from there."
        )


def progress(
    experiment: experiments.Experiment, printed: Mapping[str, str], logged: Collection[str] | None = None
) -> Any:
    """A callback that logs figures, all or those named, and prints some of them with tokens/s and the time that is left.

    `printed` is the name of each in the line by its own; tokens are printed where they are counted.
    """
    from transformers import TrainerCallback

    class Progress(TrainerCallback):
        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self.began, self.first = time.monotonic(), state.global_step
            self.tokens = state.num_input_tokens_seen

        def on_log(
            self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **_: Any
        ) -> None:
            figures = {
                name: float(value)
                for name, value in (logs or {}).items()
                if isinstance(value, (int, float)) and (logged is None or name in logged)
            }
            if not state.is_world_process_zero or not figures.keys() & printed.keys():
                return
            tokens, seconds = state.num_input_tokens_seen, max(time.monotonic() - self.began, 1e-9)
            counted = {"tokens": tokens} if tokens else {}
            experiment.log(
                state.global_step,
                figures
                | counted
                | {"max_steps": state.max_steps, "memory_gb": round(memory.peak() / 1e9, 2)},
            )
            left = (state.max_steps - state.global_step) * seconds / max(state.global_step - self.first, 1)
            said = [
                f"step {state.global_step:,}/{state.max_steps:,}",
                *(f"{called} {figures[name]:.4f}" for name, called in printed.items() if name in figures),
                *([f"{(tokens - self.tokens) / seconds:,.0f} tokens/s"] if tokens else []),
                f"{left / 60:.1f} minutes left",
            ]
            print("  ".join(said), file=sys.stderr, flush=True)

    return Progress()


# ---- after ----


def mean_loss(history: Sequence[Mapping[str, Any]]) -> float:
    """The mean of what was logged, before the run was stopped too; of a run that logged nothing, that of its steps."""
    losses = [line["loss"] for line in history if "loss" in line]
    losses = losses or [line["train_loss"] for line in history if "train_loss" in line]
    return round(sum(losses) / len(losses), 4)


def save(trainer: Any, folder: Path, *, proofreads: bool) -> Path:
    """Writes the adapter into the folder of the run, complete or not at all, and returns where it is.

    Every process of a training must come here. One that `proofreads` carries the keys of a proofreader.
    """
    from training.base.pretrain import save_about

    adapter, part, writes = folder / ADAPTER, folder / f".{ADAPTER}", trainer.is_world_process_zero()
    if writes:
        shutil.rmtree(part, ignore_errors=True)  # of a kill
    try:
        trainer.save_model(str(part))
        if writes:
            shutil.rmtree(part / "ref", ignore_errors=True)  # trl's copy of the one that was gone on with
            if proofreads:
                save_about(part)
            shutil.rmtree(adapter, ignore_errors=True)
            os.replace(part, adapter)
    finally:
        if writes:  # after a full disk or Ctrl+C
            shutil.rmtree(part, ignore_errors=True)
    return adapter

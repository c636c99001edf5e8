"""LoRA fine-tuning of any causal language model, with trl's SFTTrainer.

    python -m training sft --model BASE --dataset pairs.jsonl --output_dir DIR
    python -m training sft --recipe one_gpu --model meta-llama/Llama-3.2-1B-Instruct --dataset dataset.csv --output_dir DIR
    accelerate launch -m training sft ...                                   on several GPUs
    torchrun --standalone --nproc_per_node 2 --module training sft ...      in several processes on a CPU

BASE is a folder or a Hub repo id of a model with a chat template. DIR gets the adapter, checkpoints, the record of the run
(run.json, log.jsonl) and its pictures; with --samples N also what the model answers meanwhile. The same command goes on from the newest complete checkpoint after any kill.
DIR may be hub:owner/name: then the run is in runs/name, and checkpoints and adapter are pushed to that repo.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from space.errors import UserError
from training.base import hardware
from training.finetune import dataset, lora, memory, prompts, samples, sft_trainer
from training.runs import atomic_write, checkpoints, experiments, pictures

_HUB = "hub:"
# What cannot change when a run goes on; how long it is and how often it reports can.
_FIXED = (
    "model", "task", "seed", "lora_r", "lora_alpha", "lora_dropout", "target_modules", "max_length", "packing",
    "load_in_4bit", "load_in_8bit", "per_device_train_batch_size", "gradient_accumulation_steps", "completion_only_loss", "neftune_noise_alpha",
    "learning_rate", "lr_scheduler_type", "warmup_steps", "weight_decay",  # which checkpoints hold, and put back
)  # fmt: skip
_LOGGED = ("loss", "eval_loss", "learning_rate", "grad_norm", "epoch", "mean_token_accuracy", "entropy")
_PRINTED = {"loss": "loss", "eval_loss": "eval_loss"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    flag = argparse.BooleanOptionalAction
    parser.add_argument("--output_dir", metavar="DIR", help="of the run, or hub:owner/name")
    dataset.add_arguments(parser)
    lora.add_arguments(parser)
    model = parser.add_argument_group("model")
    model.add_argument(
        "--chat_template_path", type=Path, help="Jinja file, for a model without a chat template"
    )
    model.add_argument("--attn_implementation", help="sdpa, eager, flash_attention_2 (default: the model's)")
    model.add_argument(
        "--use_flash_attn",
        action="store_const",
        const="flash_attention_2",
        dest="attn_implementation",
        help=argparse.SUPPRESS,
    )
    model.add_argument("--bf16", action=flag, help="compute in bfloat16 (default: where it is faster here)")
    model.add_argument(
        "--load_in_4bit", action="store_true", help="QLoRA: frozen weights in 4 bits, by bitsandbytes"
    )
    model.add_argument(
        "--load_in_8bit", action="store_true", help="frozen weights in 8 bits (LLM.int8()), by bitsandbytes"
    )
    training = parser.add_argument_group("training")
    training.add_argument("--per_device_eval_batch_size", type=int, help="rows (default: as for training)")
    training.add_argument("--packing", action="store_true", help="several rows in one of --max_length tokens")
    training.add_argument("--completion_only_loss", action=flag, default=True, help="no loss on the prompt")
    training.add_argument("--neftune_noise_alpha", type=float, help="noise on the embeddings, such as 5")
    training.add_argument(
        "--early_stopping_patience", type=int, metavar="N",
        help="stop after N evaluations without a lower loss",
    )  # fmt: skip
    training.add_argument(
        "--eval_steps",
        "--eval_freq",
        type=int,
        default=100,
        help="between evaluations on held-out rows (default 100)",
    )
    training.add_argument(
        "--samples", type=int, default=0, metavar="N",
        help="held-out rows that are answered at each evaluation, in samples.jsonl (default 0)",
    )  # fmt: skip
    experiments.add_arguments(parser)


def run(args: argparse.Namespace) -> None:
    result = fine_tune(args)
    if experiments.is_first():
        print(json.dumps(result))


def fine_tune(args: argparse.Namespace, callbacks: Sequence[Any] = ()) -> dict[str, Any]:
    """Trains, or goes on with, the run in `args.output_dir` and returns what came out.

    `adapter` is its folder, `steps` of the optimiser, `loss` the mean over all logged ones, `eval_loss` that of the adapter
    (None without held-out rows), `tokens` without padding, `seconds` with those before a kill. `args.max_steps` may be more
    than the stopped run had. UserError for bad input, checkpoints.Stopped when SIGTERM ended it.
    """
    if not args.output_dir:
        raise UserError("--output_dir is missing: name a folder, or hub:owner/name")
    check(args)
    folder, hub = _place(args.output_dir)
    config, tokenizer = config_and_tokenizer(args)
    adapter = lora.new_adapter(args)
    memory.check(args.model, config, adapter, args, tokens=1)  # before any work: the weights alone
    rows = dataset.load(args, tokenizer, folder)
    if args.samples and not rows.validation:
        raise UserError("--samples needs held-out rows, and there are too few rows to hold any out")
    memory.check(args.model, config, adapter, args, longest(args, rows.lengths))
    if experiments.is_first():
        _say_what_was_dropped(folder, rows.dropped)
    settings = sft_trainer.settings(args, folder, bool(rows.validation))
    if hub:
        with settings.main_process_first():
            hub.fetch(folder)
    if newest := checkpoints.newest(folder):
        experiments.require_same(folder, args, _FIXED, {"fingerprint": rows.fingerprint})
    followed = [*([hub.callback()] if hub else []), *callbacks]
    trainer = sft_trainer.trainer(args, settings, rows, tokenizer, adapter, followed)
    experiment = experiments.Experiment.start(
        folder, "sft", experiments.parameters(args), _described(args, rows), price_per_hour=args.price_per_hour,
        tracker=args.tracker, resumed=newest is not None, name=args.run_name,
    )  # fmt: skip
    trainer.add_callback(lora.progress(experiment, _PRINTED, _LOGGED))
    asked = None
    if args.samples:
        asked = samples.callback(trainer, tokenizer, rows.validation, args.samples, folder)
        trainer.add_callback(asked)
    try:
        with experiment.ending():
            lora.train(trainer, newest)
            eval_loss = _eval_loss(trainer) if rows.validation else None
            if asked:
                asked.write()
            path = lora.save(trainer, folder, proofreads=args.task == "proofread")
    finally:
        if hub:
            hub.wait()
    result = _finished(trainer, experiment, path, eval_loss)
    prompts.forget(folder)
    if trainer.is_world_process_zero():
        _draw(folder, rows.lengths)
        if hub:
            hub.push(path, lora.ADAPTER, "Adapter", wait=True)
    return result


def _finished(
    trainer: Any, experiment: experiments.Experiment, adapter: Path, eval_loss: float | None
) -> dict[str, Any]:
    """What `fine_tune` returns, once the experiment has its figures."""
    figures = {
        "steps": trainer.state.global_step,
        "loss": lora.mean_loss(trainer.state.log_history),
        "eval_loss": eval_loss,
        "tokens": int(trainer.state.num_input_tokens_seen),
    }
    seconds = experiment.finish({name: value for name, value in figures.items() if value is not None})[
        "seconds"
    ]
    return {"adapter": str(adapter), **figures, "seconds": seconds}


def check(args: argparse.Namespace) -> None:
    """UserError for options that cannot be; says whether this machine computes in bfloat16, where nobody said."""
    if not args.model:
        raise UserError("--model is missing: name a folder or a Hub repo id")
    if args.load_in_4bit and args.load_in_8bit:
        raise UserError("--load_in_4bit and --load_in_8bit: choose one")
    lora.require_packages(args)
    above_zero = ("lora_r", "lora_alpha", "per_device_train_batch_size", "gradient_accumulation_steps", "max_length",
                  "logging_steps", "eval_steps", "save_steps", "learning_rate", "per_device_eval_batch_size",
                  "early_stopping_patience")  # fmt: skip
    lora.check_numbers(args, above_zero, ("weight_decay", "warmup_steps", "seed", "samples"))
    if args.samples and not args.validation and not args.validation_share:
        raise UserError("--samples needs held-out rows: --validation or --validation_share")
    if args.early_stopping_patience is not None:
        if not args.validation and not args.validation_share:
            raise UserError(
                "--early_stopping_patience needs held-out rows: --validation or --validation_share"
            )
        if args.save_steps % args.eval_steps:
            raise UserError(
                "--early_stopping_patience keeps the best checkpoint: --save_steps must be a multiple of --eval_steps"
            )
    if args.bf16 is None:
        args.bf16 = hardware.is_bf16(hardware.device())


def longest(args: argparse.Namespace, lengths: Sequence[int]) -> int:
    """Tokens of the longest row of a batch."""
    return args.max_length if args.packing else min(args.max_length, max(lengths))


def _place(output_dir: str) -> tuple[Path, checkpoints.HubFolder | None]:
    """The folder of the run, and the repo that it is pushed to."""
    name = str(output_dir)
    if name.startswith(_HUB) and name.count("/") != 1:
        raise UserError(f"--output_dir {name}: a Hub repo is {_HUB}owner/name")
    hub = checkpoints.HubFolder(name.removeprefix(_HUB)) if name.startswith(_HUB) else None
    folder = Path("runs", name.split("/")[-1]) if hub else Path(name)
    lora.require_room(folder)
    return folder, hub


def config_and_tokenizer(args: argparse.Namespace) -> tuple[Any, Any]:
    """Of `args.model`, with `args.chat_template_path`. UserError if it cannot be loaded or has no chat template."""
    config, tokenizer = lora.config_and_tokenizer(args.model, args.chat_template_path)
    if not tokenizer.chat_template:
        raise UserError(
            f"{args.model} has no chat template: take its instruct version, or give --chat_template_path"
        )
    return config, tokenizer


# ---- what is written down ----


def _eval_loss(trainer: Any) -> float:
    """Of the adapter that is saved: evaluates where the last evaluation was of other weights."""
    state = trainer.state
    if state.best_metric is not None:  # of early stopping
        return state.best_metric
    evaluated = [line for line in state.log_history if "eval_loss" in line]
    fresh = evaluated and evaluated[-1]["step"] == state.global_step
    return evaluated[-1]["eval_loss"] if fresh else trainer.evaluate()["eval_loss"]


def _described(args: argparse.Namespace, rows: dataset.Data) -> dict[str, Any]:
    return {
        "datasets": list(args.dataset),
        "fingerprint": rows.fingerprint,
        "rows": len(rows.train),
        "validation_rows": len(rows.validation),
        "dropped": len(rows.dropped),
    }


def _say_what_was_dropped(folder: Path, dropped: Sequence[dataset.Dropped]) -> None:
    lines = [json.dumps({"dataset": name, "row": index, "why": why}) + "\n" for name, index, why in dropped]
    path = folder / "dropped.jsonl"
    path.unlink(missing_ok=True)
    if lines:
        atomic_write.write(path, "".join(lines))


def _draw(folder: Path, lengths: Sequence[int]) -> None:
    lines = {
        name: points
        for name, figure in (("training", "loss"), ("held out", "eval_loss"))
        if (points := experiments.curve(folder, figure))
    }
    pictures.curves(folder / "loss.png", lines, "Loss", "step", "nats per token")
    pictures.histogram(folder / "lengths.png", lengths, "Length of the training rows", "tokens")

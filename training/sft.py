"""LoRA fine-tuning of any causal language model, with trl's SFTTrainer.

    python -m training sft --model BASE --dataset pairs.jsonl --output_dir DIR
    python -m training sft --recipe one_gpu --model meta-llama/Llama-3.2-1B-Instruct --dataset data.csv --output_dir DIR
    accelerate launch -m training sft ...   on several GPUs

BASE is a folder or a Hub repo id of a model with a chat template. DIR gets the adapter, checkpoints, the record of the run
(run.json, log.jsonl) and its pictures. The same command goes on from the newest complete checkpoint after any kill.
DIR may be hub:owner/name: then the run is in runs/name, and checkpoints and adapter are pushed to that repo.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from space.errors import UserError
from training import checkpoints, data, experiments, memory, pictures
from training.pretrain import save_about

_HUB = "hub:"
# What cannot change when a run goes on; how long it is and how often it reports can.
_FIXED = (
    "model", "task", "seed", "lora_r", "lora_alpha", "lora_dropout", "target_modules", "max_length", "packing", "load_in_4bit",
    "per_device_train_batch_size", "gradient_accumulation_steps", "completion_only_loss", "neftune_noise_alpha",
    "learning_rate", "lr_scheduler_type", "warmup_steps", "weight_decay",  # which checkpoints hold, and put back
)  # fmt: skip
_LOGGED = ("loss", "eval_loss", "learning_rate", "grad_norm", "epoch", "mean_token_accuracy", "entropy")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--recipe", metavar="FILE", help="YAML with any of these options, or a name in training/recipes"
    )
    parser.add_argument("--output_dir", metavar="DIR", help="of the run, or hub:owner/name")
    parser.add_argument("--seed", type=int, default=0)
    data.add_arguments(parser)
    flag = argparse.BooleanOptionalAction
    model = parser.add_argument_group("model")
    model.add_argument("--model", help="base: a folder or a Hub repo id")
    model.add_argument(
        "--chat_template_path", type=Path, help="Jinja file, for a model without a chat template"
    )
    model.add_argument("--attn_implementation", help="sdpa, eager, flash_attention_2 (default: the model's)")
    model.add_argument("--bf16", action=flag, default=True, help="compute in bfloat16")
    model.add_argument(
        "--load_in_4bit", action="store_true", help="QLoRA: frozen weights in 4 bits, by bitsandbytes"
    )
    model.add_argument(
        "--gradient_checkpointing", action=flag, default=False, help="less memory, a third more time"
    )
    lora = parser.add_argument_group("LoRA")
    lora.add_argument("--lora_r", type=int, default=32, help="rank (default 32)")
    lora.add_argument(
        "--lora_alpha", type=int, default=64, help="the update is scaled by alpha / r (default 64)"
    )
    lora.add_argument("--lora_dropout", type=float, default=0.0)
    lora.add_argument(
        "--target_modules", nargs="+", default=["all-linear"], metavar="NAME", help="default all-linear"
    )
    optimisation = parser.add_argument_group("optimisation")
    optimisation.add_argument("--learning_rate", type=float, default=1e-3, help="at its peak (default 1e-3)")
    optimisation.add_argument(
        "--lr_scheduler_type", default="cosine", help="as transformers calls it (default cosine)"
    )
    optimisation.add_argument(
        "--warmup_steps", type=float, default=0.03, help="below 1 a share of all (default 0.03)"
    )
    optimisation.add_argument("--weight_decay", type=float, default=0.0)
    optimisation.add_argument("--per_device_train_batch_size", type=int, default=32, help="rows (default 32)")
    optimisation.add_argument(
        "--per_device_eval_batch_size", type=int, help="rows (default: as for training)"
    )
    optimisation.add_argument(
        "--gradient_accumulation_steps", type=int, default=1, help="batches a step (default 1)"
    )
    optimisation.add_argument("--num_train_epochs", type=float, default=1.0, help="default 1")
    optimisation.add_argument("--max_steps", type=int, default=-1, help="instead of epochs")
    optimisation.add_argument("--max_length", type=int, default=384, help="tokens of a row (default 384)")
    optimisation.add_argument(
        "--packing", action="store_true", help="several rows in one of --max_length tokens"
    )
    optimisation.add_argument(
        "--completion_only_loss", action=flag, default=True, help="no loss on the prompt"
    )
    optimisation.add_argument("--neftune_noise_alpha", type=float, help="noise on the embeddings, such as 5")
    optimisation.add_argument(
        "--early_stopping_patience",
        type=int,
        metavar="N",
        help="stop after N evaluations without a lower loss",
    )
    steps = parser.add_argument_group("steps between")
    steps.add_argument("--logging_steps", type=int, default=10, help="lines of the log (default 10)")
    steps.add_argument(
        "--eval_steps", type=int, default=100, help="evaluations on held-out rows (default 100)"
    )
    steps.add_argument(
        "--save_steps", type=int, default=100, help="checkpoints, the last two are kept (default 100)"
    )
    experiments.add_arguments(parser)


def run(args: argparse.Namespace) -> None:
    result = fine_tune(args)
    if os.environ.get("RANK", "0") == "0":
        print(json.dumps(result))


def fine_tune(args: argparse.Namespace, callbacks: Sequence[Any] = ()) -> dict[str, Any]:
    """Trains, or goes on with, the run in `args.output_dir` and returns what came out.

    `adapter` is its folder, `steps` of the optimiser, `loss` the mean over all logged ones, `eval_loss` that of the adapter
    (None without held-out rows), `tokens` without padding, `seconds` with those before a kill. `args.max_steps` may be more
    than the stopped run had. UserError for bad input, checkpoints.Stopped when SIGTERM ended it.
    """
    _check(args)
    folder, hub = _place(args.output_dir)
    config, tokenizer = config_and_tokenizer(args)
    memory.check(args.model, config, args, tokens=1)  # before any work: the weights alone
    rows = data.load(args, tokenizer)
    memory.check(args.model, config, args, min(args.max_length, max(rows.lengths)))
    _say_what_was_dropped(folder, rows.dropped)
    settings = _settings(args, folder, bool(rows.validation))
    if hub:
        with settings.main_process_first():
            hub.fetch(folder)
    if resume_from := checkpoints.newest(folder):
        _same_run(args, folder, rows)
    stop = checkpoints.save_on_sigterm()
    followed = [stop, *([hub.callback()] if hub else []), *callbacks]
    trainer = _trainer(args, settings, rows, tokenizer, followed)
    experiment = experiments.Experiment.start(
        folder, "sft", _parameters(args), _described(args, rows), price_per_hour=args.price_per_hour,
        tracker=args.tracker, resumed=resume_from is not None, name=args.run_name,
    )  # fmt: skip
    trainer.add_callback(_log(experiment))
    if resume_from:
        print(f"Going on from {resume_from}", file=sys.stderr)
    try:
        trainer.train(resume_from_checkpoint=str(resume_from) if resume_from else None)
        if stop.stopped:
            raise checkpoints.Stopped(
                f"Stopped at step {trainer.state.global_step} and saved; the same command goes on from there."
            )
        result = _finish(args, folder, trainer, bool(rows.validation))
    except BaseException as error:
        experiment.finish(
            {}, "stopped" if isinstance(error, (checkpoints.Stopped, KeyboardInterrupt)) else "failed"
        )
        raise
    finally:
        stop.release()
        if hub:
            hub.wait()
    record = experiment.finish(
        {name: value for name, value in result.items() if isinstance(value, (int, float))}
    )
    result["seconds"] = record["seconds"]
    if trainer.is_world_process_zero():
        _draw(folder, rows.lengths)
        if hub:
            hub.push(folder / "adapter", "adapter", "Adapter", wait=True)
    return result


def _check(args: argparse.Namespace) -> None:
    for name, what in (("model", "a folder or a Hub repo id"), ("output_dir", "a folder, or hub:owner/name")):
        if not getattr(args, name):
            raise UserError(f"--{name} is missing: name {what}")
    positive = ("lora_r", "lora_alpha", "per_device_train_batch_size", "gradient_accumulation_steps", "max_length",
                "logging_steps", "eval_steps", "save_steps", "learning_rate", "per_device_eval_batch_size",
                "early_stopping_patience")  # fmt: skip
    for name in positive:
        value = getattr(args, name)
        if value is not None and not 0 < value < math.inf:
            raise UserError(f"--{name} {value}: give more than 0")
    for name in ("weight_decay", "warmup_steps", "seed"):
        if not 0 <= getattr(args, name) < math.inf:
            raise UserError(f"--{name} {getattr(args, name)}: give 0 or more")
    if args.max_steps <= 0 and args.num_train_epochs <= 0:
        raise UserError("nothing to do: give --max_steps or --num_train_epochs more than 0")
    if args.early_stopping_patience is not None:
        if not args.validation and not args.validation_share:
            raise UserError(
                "--early_stopping_patience needs held-out rows: --validation or --validation_share"
            )
        if args.save_steps % args.eval_steps:
            raise UserError(
                "--early_stopping_patience keeps the best checkpoint: --save_steps must be a multiple of --eval_steps"
            )


def _place(output_dir: str) -> tuple[Path, checkpoints.HubFolder | None]:
    """The folder of the run, and the repo that it is pushed to."""
    name = str(output_dir)
    if name.startswith(_HUB) and name.count("/") != 1:
        raise UserError(f"--output_dir {name}: a Hub repo is {_HUB}owner/name")
    hub = checkpoints.HubFolder(name.removeprefix(_HUB)) if name.startswith(_HUB) else None
    folder = Path("runs", name.split("/")[-1]) if hub else Path(name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder} cannot be made: {error.strerror}") from error
    return folder, hub


def _same_run(args: argparse.Namespace, folder: Path, rows: data.Data) -> None:
    """UserError if the run in the folder had other data, or options without which it cannot be gone on with."""
    if not (folder / experiments.RECORD).exists():
        return
    record = experiments.read(folder)
    differ = [name for name in _FIXED if str(record["parameters"].get(name)) != str(getattr(args, name))]
    if record["data"].get("fingerprint") != rows.fingerprint:
        differ.append("data")
    if differ:
        raise UserError(
            f"{folder} holds a run with other {', '.join(differ)}: give what it had, or another --output_dir"
        )


def config_and_tokenizer(args: argparse.Namespace) -> tuple[Any, Any]:
    """Of `args.model`, with `args.chat_template_path`. UserError if it cannot be loaded or has no chat template."""
    from transformers import AutoConfig, AutoTokenizer

    try:
        config, tokenizer = AutoConfig.from_pretrained(args.model), AutoTokenizer.from_pretrained(args.model)
    except (OSError, ValueError) as error:
        why = " ".join(str(error).split())[:200]
        raise UserError(f"{args.model} cannot be loaded as a language model: {why}") from error
    if args.chat_template_path:
        try:
            tokenizer.chat_template = args.chat_template_path.read_text(encoding="utf-8")
        except OSError as error:
            raise UserError(f"{args.chat_template_path} cannot be read: {error.strerror}") from error
    if not tokenizer.chat_template:
        raise UserError(
            f"{args.model} has no chat template: take its instruct version, or give --chat_template_path"
        )
    return config, tokenizer


# ---- the trainer ----


def _settings(args: argparse.Namespace, folder: Path, evaluates: bool) -> Any:
    import torch
    from trl import SFTConfig

    patient = args.early_stopping_patience is not None
    if patient and not evaluates:
        raise UserError(
            "--early_stopping_patience needs held-out rows, and there are too few rows to hold any out"
        )
    try:
        return SFTConfig(
            output_dir=str(folder),
            learning_rate=args.learning_rate,
            lr_scheduler_type=args.lr_scheduler_type,
            warmup_steps=args.warmup_steps,
            weight_decay=args.weight_decay,
            per_device_train_batch_size=args.per_device_train_batch_size,
            per_device_eval_batch_size=args.per_device_eval_batch_size or args.per_device_train_batch_size,
            gradient_accumulation_steps=args.gradient_accumulation_steps,
            num_train_epochs=args.num_train_epochs,
            max_steps=args.max_steps,
            max_length=args.max_length,
            packing=args.packing,
            completion_only_loss=args.completion_only_loss,
            neftune_noise_alpha=args.neftune_noise_alpha,
            logging_steps=args.logging_steps,
            eval_strategy="steps" if evaluates else "no",
            eval_steps=args.eval_steps,
            save_steps=args.save_steps,
            save_total_limit=2,
            load_best_model_at_end=patient,
            metric_for_best_model="eval_loss" if patient else None,
            greater_is_better=False if patient else None,
            restore_callback_states_from_checkpoint=True,
            train_sampling_strategy="group_by_length",  # less padding: half of the time on a CPU
            include_num_input_tokens_seen="non_padding",
            seed=args.seed,
            bf16=args.bf16,
            use_cpu=not torch.cuda.is_available(),
            gradient_checkpointing=args.gradient_checkpointing,
            ddp_find_unused_parameters=False,
            report_to="none",
            disable_tqdm=True,
        )
    except ValueError as error:  # transformers and trl say so of options that cannot be
        raise UserError(" ".join(str(error).split())) from error


def _trainer(
    args: argparse.Namespace, settings: Any, rows: data.Data, tokenizer: Any, callbacks: list[Any]
) -> Any:
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import EarlyStoppingCallback, PrinterCallback

    if args.early_stopping_patience is not None:
        callbacks.append(EarlyStoppingCallback(args.early_stopping_patience))
    targets = args.target_modules
    try:
        trainer = _trainer_class()(
            model=_model(args),
            args=settings,
            train_dataset=Dataset.from_list(rows.train),
            eval_dataset=Dataset.from_list(rows.validation) if rows.validation else None,
            processing_class=tokenizer,
            peft_config=LoraConfig(
                r=args.lora_r, lora_alpha=args.lora_alpha, lora_dropout=args.lora_dropout, task_type="CAUSAL_LM",
                target_modules=targets[0] if targets == ["all-linear"] else list(targets),
            ),
            callbacks=callbacks,
        )  # fmt: skip
    except ValueError as error:  # and peft
        raise UserError(" ".join(str(error).split())) from error
    trainer.remove_callback(PrinterCallback)  # ours prints the same and more
    return trainer


def _model(args: argparse.Namespace) -> Any:
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM

    on_gpu = torch.cuda.is_available()
    # On a GPU frozen weights need no more than 16 bits; a CPU computes faster from 32 under autocast.
    options: dict[str, Any] = {"dtype": torch.bfloat16 if args.bf16 and on_gpu else torch.float32}
    if args.attn_implementation:
        options["attn_implementation"] = args.attn_implementation
    if args.load_in_4bit:
        options |= {
            "quantization_config": _quantization(),
            "device_map": {"": int(os.environ.get("LOCAL_RANK", 0))},
        }
        if not on_gpu:
            options["device_map"] = {"": "cpu"}
    try:
        return AutoModelForCausalLM.from_pretrained(args.model, **options)
    except (OSError, ValueError, ImportError, SafetensorError) as error:
        why = " ".join(str(error).split())[:200]
        raise UserError(f"{args.model} cannot be loaded as a language model: {why}") from error


def _quantization() -> Any:
    """The data type of QLoRA (Dettmers et al. 2023, arXiv:2305.14314): NF4 with double quantisation."""
    from importlib.util import find_spec

    import torch
    from transformers import BitsAndBytesConfig

    if find_spec("bitsandbytes") is None:
        raise UserError("--load_in_4bit needs bitsandbytes: pip install bitsandbytes")
    return BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )  # fmt: skip


def _trainer_class() -> type:
    """trl's trainer, resumable, with an order of rows that depends on seed and epoch alone."""
    import torch
    from transformers.trainer_pt_utils import LengthGroupedSampler
    from trl import SFTTrainer

    class Grouped(LengthGroupedSampler):
        """As transformers makes it, it draws from the global generator: a resumed second epoch has another order."""

        def __init__(self, trainer: Any, batch_size: int, lengths: list[int]) -> None:
            super().__init__(batch_size, lengths=lengths)
            self.trainer = trainer

        def __iter__(self) -> Any:
            self.generator = torch.Generator().manual_seed(self.trainer.args.seed + self.trainer.epoch)
            return super().__iter__()

    class Trainer(checkpoints.resumable(SFTTrainer)):  # type: ignore[misc]
        epoch = 0

        def _get_train_sampler(self, train_dataset: Any = None) -> Any:
            lengths = [len(ids) for ids in self.train_dataset["input_ids"]]
            return Grouped(self, self.args.train_batch_size * self.args.gradient_accumulation_steps, lengths)

        def _run_epoch(self, *args: Any, **kwargs: Any) -> None:
            self.epoch = kwargs["epoch"]
            super()._run_epoch(*args, **kwargs)

    return Trainer


def _log(experiment: experiments.Experiment) -> Any:
    """A callback that passes figures on to the experiment, and prints loss, tokens/s and the time that is left."""
    from transformers import TrainerCallback

    class Log(TrainerCallback):
        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self.began, self.first, self.tokens = (
                time.monotonic(),
                state.global_step,
                state.num_input_tokens_seen,
            )

        def on_log(
            self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **_: Any
        ) -> None:
            figures = {name: float(value) for name, value in (logs or {}).items() if name in _LOGGED}
            if not state.is_world_process_zero or not figures.keys() & {"loss", "eval_loss"}:
                return
            tokens = state.num_input_tokens_seen
            experiment.log(state.global_step, {**figures, "tokens": tokens})
            seconds = max(time.monotonic() - self.began, 1e-9)
            done = max(state.global_step - self.first, 1)
            told = "  ".join(
                f"{name} {figures[name]:.4f}" for name in ("loss", "eval_loss") if name in figures
            )
            print(
                f"step {state.global_step:,}/{state.max_steps:,}  {told}  {(tokens - self.tokens) / seconds:,.0f} tokens/s  "
                f"{(state.max_steps - state.global_step) * seconds / done / 60:.1f} minutes left",
                file=sys.stderr, flush=True,
            )  # fmt: skip

    return Log()


# ---- what comes out ----


def _finish(args: argparse.Namespace, folder: Path, trainer: Any, evaluates: bool) -> dict[str, Any]:
    """Evaluates where the last evaluation was of other weights, and writes the adapter."""
    state = trainer.state
    losses = [line["loss"] for line in state.log_history if "loss" in line]
    losses = losses or [
        line["train_loss"] for line in state.log_history if "train_loss" in line
    ]  # a short run
    evaluated = [line for line in state.log_history if "eval_loss" in line]
    eval_loss = state.best_metric if args.early_stopping_patience is not None else None
    if evaluates and eval_loss is None:
        fresh = evaluated and evaluated[-1]["step"] == state.global_step
        eval_loss = evaluated[-1]["eval_loss"] if fresh else trainer.evaluate()["eval_loss"]
    adapter, whole = folder / "adapter", folder / ".adapter"
    try:
        trainer.save_model(str(whole))
        if trainer.is_world_process_zero():
            if args.task == "proofread":
                save_about(whole)
            shutil.rmtree(adapter, ignore_errors=True)
            os.replace(whole, adapter)
    except BaseException:  # a full disk, Ctrl+C
        shutil.rmtree(whole, ignore_errors=True)
        raise
    return {
        "adapter": str(adapter),
        "steps": state.global_step,
        "loss": round(sum(losses) / len(losses), 4),
        "eval_loss": eval_loss,
        "tokens": int(state.num_input_tokens_seen),
    }


def _parameters(args: argparse.Namespace) -> dict[str, Any]:
    """What the run was asked to do: its options, paths as text."""
    return {name: value for name, value in vars(args).items() if not callable(value) and name != "command"}


def _described(args: argparse.Namespace, rows: data.Data) -> dict[str, Any]:
    return {
        "datasets": list(args.dataset),
        "fingerprint": rows.fingerprint,
        "rows": len(rows.train),
        "validation_rows": len(rows.validation),
        "dropped": len(rows.dropped),
    }


def _say_what_was_dropped(folder: Path, dropped: Sequence[data.Dropped]) -> None:
    lines = [json.dumps({"dataset": name, "row": index, "why": why}) + "\n" for name, index, why in dropped]
    path = folder / "dropped.jsonl"
    path.unlink(missing_ok=True)
    if lines:
        path.write_text("".join(lines), encoding="utf-8")


def _draw(folder: Path, lengths: Sequence[int]) -> None:
    lines = {
        name: points
        for name, figure in (("training", "loss"), ("held out", "eval_loss"))
        if (points := experiments.curve(folder, figure))
    }
    pictures.curves(folder / "loss.png", lines, "Loss", "step", "nats per token")
    pictures.histogram(folder / "lengths.png", lengths, "Length of the training rows", "tokens")

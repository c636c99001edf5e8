"""LoRA training on preferences, by trl: what users chose against what they rejected.

    python -m training prefer --model DIR/model --adapter runs/sft/adapter --dataset rows/preferences.jsonl \\
        --output_dir runs/prefer

`--dataset` is the preferences.jsonl of `python -m feedback export` (prompt, chosen, rejected), or that export's folder;
repeat it for more. The prompt there is a complete draft, but the model is given one sentence at a time: the three texts are
cut into the draft's sentences, those that were chosen and rejected alike are left out, and each prompt gets the evidence
that `space` measures on it. `--adapter` goes on with that adapter, which is also what the policy is held to; without it
a new one begins on the base. DPO (Rafailov et al. 2023, arXiv:2305.18290) by default, KTO (Ethayarajh et al. 2024,
arXiv:2402.01306) with --method kto. Several processes share the work as in `training sft`. A run that was stopped goes
on from its newest complete checkpoint in --output_dir.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from space.errors import UserError
from space.proofread.prompt import Evidence, messages
from training.base import hardware
from training.finetune import lora, memory
from training.finetune.dataset import Repeated, chat_of, count_tokens, read
from training.finetune.prompts import TAGGER, Draft, forget, prompts
from training.finetune.sentence_pairs import by_sentence
from training.runs import checkpoints, experiments

METHODS = ("dpo", "kto")
COLUMNS = ("prompt", "chosen", "rejected")
_FILE = "preferences.jsonl"  # of an export's folder
_FEWEST_HELD_OUT = 10  # pairs; fewer say nothing of the others
_PRINTED = {"loss": "loss", "rewards/margins": "margin"}

# What cannot change when a run goes on; how long it is and how often it reports can.
_FIXED = (
    "model", "adapter", "task", "method", "beta", "sft_weight", "seed", "lora_r", "lora_alpha", "lora_dropout",
    "target_modules", "max_length", "per_device_train_batch_size", "gradient_accumulation_steps",
)  # fmt: skip

Row = dict[str, Any]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    lora.add_arguments(parser)
    # A learning rate ten times trl's 1e-6 for DPO of all weights: LoRA takes ten times as much.
    parser.set_defaults(
        lora_r=16,
        lora_alpha=32,
        learning_rate=1e-5,
        warmup_steps=0.1,
        per_device_train_batch_size=8,
        max_length=512,
    )
    parser.add_argument("--adapter", type=Path, help="LoRA adapter of that base to go on with (from sft)")
    parser.add_argument("--output_dir", type=Path, help="folder for checkpoints, log and adapter")
    data = parser.add_argument_group("data")
    data.add_argument(
        "--dataset", action=Repeated, metavar="FILE|FOLDER|REPO",
        help="rows with prompt, chosen and rejected, or an export's folder; repeat for more",
    )  # fmt: skip
    data.add_argument(
        "--task", choices=("proofread", "chat"), default="proofread",
        help="proofread: prompts are drafts; chat: they are what a user says, or chats",
    )  # fmt: skip
    data.add_argument("--tagger", type=Path, default=TAGGER, help="folder of the tagger that gives evidence")
    data.add_argument(
        "--validation_share", type=float, default=0.1, help="of the pairs, to measure and not to train on"
    )
    loss = parser.add_argument_group("loss")
    loss.add_argument("--method", choices=METHODS, default="dpo", help="a row of kto is a text, not a pair")
    loss.add_argument(
        "--beta", type=float, default=0.1, help="how firmly the policy is held to its beginning"
    )
    loss.add_argument(
        "--sft_weight", type=float, default=0.2,
        help="of the likelihood of the chosen text beside the DPO loss: a chosen and a rejected text that differ in a word "
        "or two would both become unlikely without it (Pal et al. 2024, arXiv:2402.13228)",
    )  # fmt: skip
    experiments.add_arguments(parser)


def run(args: argparse.Namespace) -> None:
    result = prefer(args)
    if experiments.is_first():
        print(json.dumps(result))


def prefer(args: argparse.Namespace) -> Row:
    """Trains the adapter and returns where it is, the pairs, steps and seconds, and how the held-out pairs came out.

    `margin` is the mean of beta times the log-ratio by which the chosen text gained on the rejected one since the
    beginning (nats times beta), `accuracy` the share of pairs in which it gained (KTO knows no pairs: None); None without
    held-out pairs. Raises UserError for what cannot be trained on, checkpoints.Stopped when SIGTERM ended it.
    """
    _check(args)
    began = time.monotonic()
    pairs = [pair for name in args.dataset for pair in load(name, args.task)]
    if not pairs:
        named = ", ".join(args.dataset)
        raise UserError(f"{named}: no pair of texts differs inside a sentence, so there is nothing to learn")
    train, validation = _divided(pairs, args.validation_share, args.seed)
    digest = hashlib.sha256(json.dumps(pairs, sort_keys=True).encode()).hexdigest()
    data = {"fingerprint": digest, "train": len(train), "validation": len(validation)}
    newest = checkpoints.newest(args.output_dir)
    if newest:
        experiments.require_same(args.output_dir, args, _FIXED, data)
    # What can be wrong with model and options comes first,
    # before all pairs are measured.
    config, tokenizer = lora.config_and_tokenizer(args.model)
    if not tokenizer.chat_template:
        raise UserError(f"--model {args.model} has no chat template: give an instruct model")
    adapter = _adapter(args)
    held = memory.Preferences(texts=2 if args.method == "dpo" else 1, copy=bool(args.adapter))
    tokens = min(args.max_length, _longest(pairs, tokenizer, args.task))
    memory.check(args.model, config, adapter, args, tokens, held)
    settings, policy = _settings(args), _policy(args)
    lora.require_room(args.output_dir)
    asked = chats([*train, *validation], args.task, args.tagger, args.output_dir)
    trainer = _trainer(args, settings, policy, tokenizer, adapter, asked[: len(train)], asked[len(train) :])
    experiment = experiments.Experiment.start(
        args.output_dir, "prefer", experiments.parameters(args), data, price_per_hour=args.price_per_hour,
        tracker=args.tracker, resumed=newest is not None, name=args.run_name,
    )  # fmt: skip
    trainer.add_callback(lora.progress(experiment, _PRINTED))
    with experiment.ending():
        lora.train(trainer, newest)
        path = lora.save(trainer, args.output_dir, proofreads=True)
        measured = trainer.evaluate() if validation else {}
    figures = {
        "loss": lora.mean_loss(trainer.state.log_history),
        "margin": _margin(measured),
        "accuracy": _rounded(measured.get("eval_rewards/accuracies")),
    }
    experiment.finish(figures)
    forget(args.output_dir)
    counts = {"pairs": len(pairs), "steps": trainer.state.global_step}
    return {"adapter": str(path), **counts, **figures, "seconds": round(time.monotonic() - began, 1)}


def _check(args: argparse.Namespace) -> None:
    for option in ("model", "dataset", "output_dir"):
        if not getattr(args, option):
            raise UserError(f"--{option} is missing: see --help")
    lora.require_packages(args)
    above_zero = ("beta", "lora_r", "lora_alpha", "learning_rate", "per_device_train_batch_size",
                  "gradient_accumulation_steps", "max_length", "logging_steps", "save_steps")  # fmt: skip
    lora.check_numbers(args, above_zero, ("sft_weight", "weight_decay", "warmup_steps", "seed"))
    if args.method == "kto" and args.per_device_train_batch_size < 2:
        raise UserError(
            "--method kto compares the texts of a batch: give --per_device_train_batch_size 2 or more"
        )


# ---- pairs -------------------------------------------------------------------------------------------------


def load(name: str, task: str = "proofread") -> list[Row]:
    """Rows of prompt, chosen, rejected and mode: of drafts one for each sentence that was chosen otherwise than rejected.

    Raises UserError when there is no such file, folder or data set, or a row lacks a column.
    """
    path = str(Path(name, _FILE)) if Path(name).is_dir() else name
    found: list[Row] = []
    for number, row in enumerate(read(path), 1):
        missing = [name for name in COLUMNS if not _is_said(row.get(name), task)]
        if missing:
            there = ", ".join(row)
            what = "" if task == "chat" else " that is a text"
            raise UserError(f"{path}, row {number} has no {missing[0]!r}{what}; its columns are: {there}")
        found += by_sentence(row) if task == "proofread" else [row]
    return found


def _is_said(value: Any, task: str) -> bool:
    return bool(value) if isinstance(value, str) else task == "chat" and bool(chat_of(value))


def _divided(pairs: list[Row], share: float, seed: int) -> tuple[list[Row], list[Row]]:
    """Pairs to train on and pairs to measure; those of one prompt stay together. With few pairs none are measured."""
    if not 0 <= share < 1:
        raise UserError(f"--validation_share {share}: give 0 or more, and less than 1")
    prompts = sorted({json.dumps(pair["prompt"]) for pair in pairs})
    random.Random(seed).shuffle(prompts)
    held_out = set(prompts[: round(len(prompts) * share)])
    sides: tuple[list[Row], list[Row]] = ([], [])
    for pair in pairs:
        sides[json.dumps(pair["prompt"]) in held_out].append(pair)
    return sides if len(sides[1]) >= _FEWEST_HELD_OUT else (pairs, [])


def chats(rows: Sequence[Row], task: str, tagger: Path = TAGGER, folder: Path | None = None) -> list[Row]:
    """trl's preference rows: chats, of drafts with the evidence that is measured on them and stored in a folder."""
    if task == "proofread":
        asked = prompts(
            [Draft(row["prompt"], row["mode"], row.get("email", "")) for row in rows], tagger, folder
        )
    else:
        asked = [_said(row["prompt"], "user") for row in rows]
    return [
        {"prompt": prompt, **{name: _said(row[name], "assistant") for name in COLUMNS[1:]}}
        for row, prompt in zip(rows, asked, strict=True)
    ]


def _said(text: Any, role: str) -> list[dict[str, str]]:
    return [{"role": role, "content": text}] if isinstance(text, str) else chat_of(text)


def _longest(pairs: Sequence[Row], tokenizer: Any, task: str) -> int:
    """Tokens of the longest prompt, without evidence, with an answer. UserError if the chat template refuses one."""
    from jinja2 import TemplateError

    found = 0
    for pair in pairs:
        if task == "proofread":
            prompt = messages(pair["prompt"], Evidence(None, None), pair["mode"])
        else:
            prompt = _said(pair["prompt"], "user")
        for name in COLUMNS[1:]:
            try:
                found = max(found, count_tokens(tokenizer, [*prompt, *_said(pair[name], "assistant")]))
            except TemplateError as error:
                raise UserError(
                    f"the chat template of the --model refuses a row: {' '.join(str(error).split())}"
                ) from error
    return found


# ---- training ----------------------------------------------------------------------------------------------


def _adapter(args: argparse.Namespace) -> Any:
    """The configuration of the adapter: of a new one, or of the one that is gone on with."""
    from peft import PeftConfig

    if args.adapter is None:
        return lora.new_adapter(args)
    if not (args.adapter / "adapter_config.json").is_file():
        raise UserError(
            f"{args.adapter} has no adapter_config.json: give the folder of a trained LoRA adapter"
        )
    try:
        return PeftConfig.from_pretrained(str(args.adapter))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(
            f"{args.adapter}/adapter_config.json cannot be read: {' '.join(str(error).split())[:200]}"
        ) from error


def _policy(args: argparse.Namespace) -> Any:
    """The base, with the adapter to go on with if there is one."""
    import torch
    from peft import PeftModel
    from safetensors import SafetensorError

    model = lora.base(args.model, dtype=torch.float32)
    if args.adapter is None:
        return model
    try:
        return PeftModel.from_pretrained(model, str(args.adapter), is_trainable=True)
    except (RuntimeError, ValueError, KeyError, SafetensorError) as error:
        raise UserError(
            f"{args.adapter} does not fit {args.model}: give the base that it was trained on"
        ) from error


def _settings(args: argparse.Namespace) -> Any:
    """Of trl's trainer for the method."""
    from trl import DPOConfig, KTOConfig

    # A margin is the difference of two sums of logs: on a CPU bf16 is not worth the rounding.
    device = hardware.device()
    bf16 = device == "cuda" and hardware.is_bf16(device)
    given = lora.settings(args, args.output_dir, beta=args.beta, bf16=bf16)
    try:
        if args.method == "kto":
            return KTOConfig(**given)
        losses = {"loss_type": ["sigmoid", "sft"], "loss_weights": [1.0, args.sft_weight]}
        return DPOConfig(**given, **(losses if args.sft_weight else {}))
    except ValueError as error:  # transformers and trl say so of options that cannot be
        raise UserError(" ".join(str(error).split())) from error


def _trainer(
    args: argparse.Namespace,
    settings: Any,
    policy: Any,
    tokenizer: Any,
    adapter: Any,
    train: list[Row],
    validation: list[Row],
) -> Any:
    from datasets import Dataset
    from transformers import PrinterCallback
    from trl import DPOTrainer, KTOTrainer

    if args.method == "kto":
        train, validation = (_unpaired(rows, args.seed) for rows in (train, validation))
    try:
        made = checkpoints.resumable(DPOTrainer if args.method == "dpo" else KTOTrainer)(
            model=policy,
            args=settings,
            train_dataset=Dataset.from_list(train),
            eval_dataset=Dataset.from_list(validation) if validation else None,
            processing_class=tokenizer,
            peft_config=None if args.adapter else adapter,
        )
    except ValueError as error:
        raise UserError(" ".join(str(error).split())) from error
    if not len(made.train_dataset):
        raise UserError(
            f"no pair is left: every prompt alone has --max_length {args.max_length} tokens or more"
        )
    made.remove_callback(PrinterCallback)  # ours prints the same and more
    return made


def _unpaired(rows: Sequence[Row], seed: int) -> list[Row]:
    """Each text by itself, in random order: KTO reads rows as they stand, and trl 1.16 would put all chosen ones first."""
    single = [
        {"prompt": row["prompt"], "completion": row[name], "label": name == "chosen"}
        for row in rows
        for name in COLUMNS[1:]
    ]
    return random.Random(seed).sample(single, len(single))


def _margin(measured: Mapping[str, float]) -> float | None:
    """Of the means: KTO has both kinds of text only in some batches, and a margin of its own only in those."""
    chosen, rejected = (measured.get(f"eval_rewards/{name}") for name in COLUMNS[1:])
    return None if chosen is None or rejected is None else _rounded(chosen - rejected)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)

"""trl's SFTTrainer as `training sft` sets it: the options as its settings, and an order of rows that can be gone on with."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from space.errors import UserError
from training.finetune import dataset, lora
from training.runs import checkpoints


def settings(args: argparse.Namespace, folder: Path, evaluates: bool) -> Any:
    from trl import SFTConfig

    patient = args.early_stopping_patience is not None
    if patient and not evaluates:
        raise UserError(
            "--early_stopping_patience needs held-out rows, and there are too few rows to hold any out"
        )
    given = lora.settings(
        args,
        folder,
        per_device_eval_batch_size=args.per_device_eval_batch_size or args.per_device_train_batch_size,
        packing=args.packing,
        completion_only_loss=args.completion_only_loss,
        neftune_noise_alpha=args.neftune_noise_alpha,
        eval_strategy="steps" if evaluates else "no",
        eval_steps=args.eval_steps,
        load_best_model_at_end=patient,
        metric_for_best_model="eval_loss" if patient else None,
        greater_is_better=False if patient else None,
        restore_callback_states_from_checkpoint=True,
        train_sampling_strategy="group_by_length",  # less padding: half of the time on a CPU
        include_num_input_tokens_seen="non_padding",
        bf16=args.bf16,
    )
    try:
        return SFTConfig(**given)
    except ValueError as error:  # transformers and trl say so of options that cannot be
        raise UserError(" ".join(str(error).split())) from error


def trainer(
    args: argparse.Namespace,
    settings: Any,
    rows: dataset.Data,
    tokenizer: Any,
    adapter: Any,
    callbacks: list[Any],
) -> Any:
    from datasets import Dataset
    from transformers import EarlyStoppingCallback, PrinterCallback

    if args.early_stopping_patience is not None:
        callbacks.append(EarlyStoppingCallback(args.early_stopping_patience))
    try:
        made = _trainer_class()(
            model=_model(args),
            args=settings,
            train_dataset=Dataset.from_list(rows.train),
            eval_dataset=Dataset.from_list(rows.validation) if rows.validation else None,
            processing_class=tokenizer,
            peft_config=adapter,
            callbacks=callbacks,
        )
    except ValueError as error:
        raise UserError(" ".join(str(error).split())) from error
    made.remove_callback(PrinterCallback)  # ours prints the same and more
    return made


def _model(args: argparse.Namespace) -> Any:
    import torch

    on_gpu = torch.cuda.is_available()
    # On a GPU frozen weights need no more than 16 bits; a CPU computes faster from 32 under autocast.
    options: dict[str, Any] = {"dtype": torch.bfloat16 if args.bf16 and on_gpu else torch.float32}
    if args.attn_implementation:
        options["attn_implementation"] = args.attn_implementation
    if args.load_in_4bit or args.load_in_8bit:
        options |= {
            "quantization_config": _quantization(args.load_in_4bit),
            "device_map": {"": int(os.environ.get("LOCAL_RANK", 0))},
        }
        if not on_gpu:
            options["device_map"] = {"": "cpu"}
    return lora.base(args.model, **options)


def _quantization(four_bits: bool) -> Any:
    """NF4 with double quantisation, as QLoRA has it (Dettmers et al. 2023, arXiv:2305.14314), or LLM.int8() (arXiv:2208.07339)."""
    import torch
    from transformers import BitsAndBytesConfig

    if not four_bits:
        return BitsAndBytesConfig(load_in_8bit=True)
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
            step = self.args.train_batch_size * self.args.gradient_accumulation_steps * self.args.world_size
            return Grouped(self, step, lengths)

        def _run_epoch(self, *args: Any, **kwargs: Any) -> None:
            self.epoch = kwargs["epoch"]
            super()._run_epoch(*args, **kwargs)

    return Trainer

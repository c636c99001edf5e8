"""What a fine-tuning will take, before it: memory, steps, time and cost, from its first steps on this machine.

    python -m training forecast --model BASE --dataset pairs.jsonl
    python -m training forecast --recipe one_gpu --model BASE --dataset pairs.jsonl --price_per_hour 1.2

It takes every option of `sft`, reads the rows, and makes --probe_steps real steps on some of them, with an evaluation, in a temporary
folder: no checkpoint, no record, nothing that stays. One line of JSON on stdout, a table on stderr. A model that does not fit is
not loaded: then there is no time. `seconds` has the steps and the evaluations of the whole training, as long as it is without early
stopping, on one device; not the start, measuring evidence, nor checkpoints. Evidence is measured on the rows of the probe alone, and
the lengths of the others are reckoned with its mean.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import random
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from space.errors import UserError
from training.finetune import dataset, lora, memory, samples, sft, sft_trainer
from training.runs.checkpoints import Stopped
from training.runs.tables import in_columns

_NOT_TIMED = 2  # steps: libraries load, kernels compile
_EVALUATED = 4  # batches


def add_arguments(parser: argparse.ArgumentParser) -> None:
    sft.add_arguments(parser)
    parser.add_argument(
        "--probe_steps",
        type=int,
        default=20,
        help="steps to make, of which the first two are not timed (default 20)",
    )


def run(args: argparse.Namespace) -> None:
    report = forecast(args)
    print(_table(report), file=sys.stderr)
    print(json.dumps(report))


def forecast(args: argparse.Namespace) -> dict[str, Any]:
    """What `sft` will need with these options. UserError for what it would refuse, but for a model that does not fit."""
    if args.probe_steps <= _NOT_TIMED:
        raise UserError(f"--probe_steps {args.probe_steps}: give {_NOT_TIMED + 1} or more")
    sft.check(args)
    lora.check_numbers(args, (), ("price_per_hour",))
    config, tokenizer = sft.config_and_tokenizer(args)
    adapter = lora.new_adapter(args)
    rows = _rows(args, tokenizer)
    plan = _plan(args, rows.lengths)
    needed, free = memory.needed(config, adapter, args, sft.longest(args, rows.lengths)), memory.free()
    report = {
        "memory_needed": round(needed), "memory_free": round(free), "fits": needed <= free, "rows": len(rows.lengths),
        "tokens": plan.tokens, "steps": plan.steps, "tokens_per_second": None, "seconds": None, "cost": None,
        "probe_steps": 0, "probe_seconds": 0.0,
    }  # fmt: skip
    if needed > free:
        return report
    steps = max(min(args.probe_steps, plan.steps), _NOT_TIMED + 1)
    probe = _probe(args, rows, tokenizer, adapter, steps)
    seconds = plan.tokens * plan.epochs / probe.tokens_per_second
    seconds += plan.evaluations * (probe.evaluation_seconds * rows.validation_share + probe.sample_seconds)
    report |= {
        "tokens_per_second": round(probe.tokens_per_second, 1),
        "seconds": round(seconds, 2),
        "cost": None if args.price_per_hour is None else round(args.price_per_hour * seconds / 3600, 4),
        "probe_steps": steps,
        "probe_seconds": round(probe.seconds, 2),
    }
    return report


# ---- the rows and the steps --------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Rows:
    """Those of the probe, and the lengths of all rows to learn from, as trained on: no longer than --max_length."""

    probe: dataset.Data
    lengths: list[int]
    validation_share: float  # held-out rows for each one of the probe


def _rows(args: argparse.Namespace, tokenizer: Any) -> _Rows:
    chosen = dataset.choose(args, tokenizer)
    before = [item.tokens for item in chosen.train]
    rng = random.Random(args.seed)
    batch = args.per_device_train_batch_size * args.gradient_accumulation_steps
    if args.packing and before:
        batch = math.ceil(batch * args.max_length * len(before) / sum(before))
    drawn = rng.sample(range(len(before)), min(len(before), batch * args.probe_steps))
    evaluated = (args.per_device_eval_batch_size or args.per_device_train_batch_size) * _EVALUATED
    held = rng.sample(chosen.validation, min(len(chosen.validation), max(evaluated, args.samples)))
    parts = [chosen.train[i] for i in drawn], held
    train, validation = dataset.with_evidence(parts, args, tokenizer, chosen.dropped)
    if not train:
        raise UserError("no row is left to learn from: they were all too long, or held out")
    grown = round(sum(chosen.train[i].tokens - before[i] for i in drawn) / len(drawn))
    measured = set(drawn)
    lengths = [item.tokens if i in measured else item.tokens + grown for i, item in enumerate(chosen.train)]
    if args.task == "proofread":  # too long with its evidence
        lengths = [length for length in lengths if length <= args.max_length]
    data = dataset.Data(
        dataset.as_rows(train), dataset.as_rows(validation), "", [], [item.tokens for item in train]
    )
    share = len(chosen.validation) / len(validation) if validation else 0.0
    return _Rows(data, [min(length, args.max_length) for length in lengths], share)


@dataclass(frozen=True)
class _Plan:
    tokens: int  # of an epoch
    steps: int
    epochs: float  # that these are
    evaluations: int


def _plan(args: argparse.Namespace, lengths: Sequence[int]) -> _Plan:
    """The length of the training, as transformers reckons it on one device."""
    rows = _packs(lengths, args.max_length) if args.packing else len(lengths)
    batches = math.ceil(rows / args.per_device_train_batch_size)
    an_epoch = math.ceil(batches / args.gradient_accumulation_steps)
    steps = args.max_steps if args.max_steps > 0 else math.ceil(args.num_train_epochs * an_epoch)
    return _Plan(sum(lengths), steps, steps / an_epoch, math.ceil(steps / args.eval_steps))


def _packs(lengths: Sequence[int], max_length: int) -> int:
    """How many rows trl packs these into."""
    from datasets import Dataset
    from trl import pack_dataset

    rows = Dataset.from_dict({"input_ids": [[0] * length for length in lengths]})
    return len(pack_dataset(rows, max_length))


# ---- the probe ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Probe:
    seconds: float
    tokens_per_second: float
    evaluation_seconds: float  # of the held-out rows of the probe
    sample_seconds: float


def _probe(args: argparse.Namespace, rows: _Rows, tokenizer: Any, adapter: Any, steps: int) -> _Probe:
    own = copy.copy(args)
    own.max_steps, own.early_stopping_patience = steps, None
    began = time.perf_counter()
    with _sigterm_cleans_up(), tempfile.TemporaryDirectory(prefix="forecast-") as name:
        settings = sft_trainer.settings(own, Path(name), evaluates=False)
        settings.save_strategy = type(settings.save_strategy)("no")
        clock: list[tuple[float, int]] = []
        trainer = sft_trainer.trainer(own, settings, rows.probe, tokenizer, adapter, [_clocked(clock)])
        trainer.train()
        evaluation = answered = 0.0
        if rows.probe.validation:
            evaluation = _timed(trainer.evaluate)
            if args.samples:
                asked = samples.callback(trainer, tokenizer, rows.probe.validation, args.samples, Path(name))
                answered = _timed(asked.write)
    (start, before), (end, after) = clock[_NOT_TIMED - 1], clock[-1]
    return _Probe(time.perf_counter() - began, (after - before) / (end - start), evaluation, answered)


def _timed(call: Any) -> float:
    began = time.perf_counter()
    call()
    _synchronize()
    return time.perf_counter() - began


def _clocked(clock: list[tuple[float, int]]) -> Any:
    """A callback that notes the time and the tokens so far after each step."""
    from transformers import TrainerCallback

    class Clocked(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            _synchronize()
            clock.append((time.perf_counter(), int(state.num_input_tokens_seen)))
            print(f"probe: step {state.global_step} of {state.max_steps}", file=sys.stderr, flush=True)

    return Clocked()


def _synchronize() -> None:
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()


@contextmanager
def _sigterm_cleans_up() -> Iterator[None]:
    """SIGTERM in the block is an exception, so that the temporary folder goes too."""

    def stop(*_: Any) -> None:
        raise Stopped("Stopped; nothing was written.")

    if threading.current_thread() is not threading.main_thread():  # where Python takes no signals
        yield
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _table(report: dict[str, Any]) -> str:
    seconds = report["seconds"]
    lines = {
        "memory needed": f"{report['memory_needed'] / 1e9:.2f} GB",
        "memory free": f"{report['memory_free'] / 1e9:.2f} GB"
        + ("" if report["fits"] else ": it does not fit"),
        "rows": f"{report['rows']:,}",
        "tokens of an epoch": f"{report['tokens']:,}",
        "steps": f"{report['steps']:,}",
        "tokens/s": report["tokens_per_second"],
        "minutes": None if seconds is None else f"{seconds / 60:.1f}",
        "cost": report["cost"],
    }
    return in_columns([{"": name, "forecast": value} for name, value in lines.items()])

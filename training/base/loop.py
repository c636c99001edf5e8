"""The loop that pretraining, tagger and tone share: steps on batches that other processes make, until the time is over.

    state = train(model, [optimizer], pools, loss_of, args)

A run goes on from OUT/checkpoint.pt exactly: optimisers, schedule and position in the data. The schedule is warm-up, stable,
decay (WSD; Hu et al. 2024, arXiv:2404.06395) over whichever of --max_minutes and --max_steps ends first.
"""

from __future__ import annotations

import argparse
import collections
import concurrent.futures
import multiprocessing
import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any, Protocol

from space.errors import UserError
from training.base import hardware
from training.runs.checkpoints import Stopped

if TYPE_CHECKING:
    import numpy as np
    import torch

CHECKPOINT = "checkpoint.pt"
POOL = 2048  # pairs drawn, sorted by length and cut into batches at a time
# Warm-up is counted in steps: a share of the run would come back when --max_minutes of a run that goes on is raised.
_WARMUP_STEPS = 100
_DECAY = 0.25  # share of the run
_CHECKPOINT_SECONDS = 240
_REPORT_STEPS = 10


@dataclass(frozen=True)
class Batch:
    """What a step learns from: `arrays` for the model, and how many pairs and tokens without padding they hold."""

    arrays: tuple[np.ndarray, ...]
    pairs: int
    tokens: int


class Pools(Protocol):
    """An endless sequence of pools of batches."""

    def pool(self, number: int) -> list[Batch]:
        """Depends on a seed and the number alone, so that a run that goes on sees what it would have seen."""


def add_arguments(parser: argparse.ArgumentParser, *, learning_rate: float, batch_tokens: int) -> None:
    parser.add_argument("--out", type=Path, required=True, help="folder for the checkpoint and what is made")
    parser.add_argument(
        "--max_minutes", type=float, default=60.0, help="length of the run, resumed time included"
    )
    parser.add_argument("--max_steps", type=int, default=1_000_000_000)
    parser.add_argument(
        "--save_steps", type=int, default=2000,
        help=f"between checkpoints; {_CHECKPOINT_SECONDS / 60:.0f} minutes at most",
    )  # fmt: skip
    parser.add_argument(
        "--batch_tokens", type=int, default=batch_tokens, help="tokens per step, padding included"
    )
    parser.add_argument("--workers", type=int, default=1, help="processes that make pairs")
    parser.add_argument(
        "--compile", action=argparse.BooleanOptionalAction, help="by torch.compile (default: on a GPU)"
    )
    parser.add_argument("--learning_rate", type=float, default=learning_rate, help="at its peak")
    parser.add_argument("--seed", type=int, default=0)


def check(args: argparse.Namespace) -> None:
    """UserError for options out of range."""
    for name in ("max_minutes", "max_steps", "save_steps", "batch_tokens", "workers", "learning_rate"):
        if not getattr(args, name) > 0:
            raise UserError(f"--{name} {getattr(args, name)}: give more than 0")


def train(
    model: torch.nn.Module,
    trunk: torch.nn.Module,
    optimizers: Sequence[torch.optim.Optimizer],
    pools: Pools,
    loss_of: Callable[..., torch.Tensor],
    args: argparse.Namespace,
    schedule: Callable[[int, float], float] | None = None,
) -> dict[str, Any]:
    """Trains and returns where it came to: step, pool, batch, pairs, tokens (without padding) and seconds.

    `loss_of(model, *arrays)` is the mean loss in nats, of the arrays of a batch as tensors on the model's device. `trunk`,
    the part of the model that works on every token, is compiled if --compile says so. A group of an optimiser may have a
    `share` of the learning rate, of which `schedule(step, progress)` gives the part to take; by default that is `wsd`. checkpoints.Stopped when SIGTERM ended the run, after it has saved.
    """
    where = next(model.parameters()).device
    if where.type == "cuda" if args.compile is None else args.compile:
        _compile(trunk, where)
    checkpoint = args.out / CHECKPOINT
    state = _restore(checkpoint, model, optimizers, where)
    report = _Report(trunk, where, state)
    saved_at = time.monotonic()
    began = saved_at - state["seconds"]
    with _sigterm() as stop, _ahead(pools, state["pool"], state["batch"], args.workers) as batches:
        for pool, number, batch in batches:
            progress = max(state["step"] / args.max_steps, state["seconds"] / 60 / args.max_minutes)
            if progress >= 1 or stop.is_set():
                break
            rate = args.learning_rate * (schedule or wsd)(state["step"], progress)
            loss = _step(model, optimizers, batch, loss_of, rate)
            now = time.monotonic()
            state = {
                "step": state["step"] + 1,
                "pool": pool,
                "batch": number + 1,
                "pairs": state["pairs"] + batch.pairs,
                "tokens": state["tokens"] + batch.tokens,
                "seconds": now - began,
            }
            report.add(loss, state, progress)
            if state["step"] % args.save_steps == 0 or now - saved_at > _CHECKPOINT_SECONDS:
                saved_at = now
                _save(checkpoint, model, optimizers, state)
    _save(checkpoint, model, optimizers, state)
    if stop.is_set():
        raise Stopped(f"Stopped at step {state['step']} and saved; the same command goes on from there.")
    return state


def _compile(trunk: torch.nn.Module, where: torch.device) -> None:
    """Has the trunk compiled at its first use: on a GPU as a whole, on a CPU its layers, which share what is compiled."""
    import torch

    stacks = (each for each in trunk.modules() if isinstance(each, torch.nn.ModuleList))
    for part in [trunk] if where.type == "cuda" else [layer for stack in stacks for layer in stack]:
        part.compile(dynamic=True)


def _step(
    model: torch.nn.Module,
    optimizers: Sequence[torch.optim.Optimizer],
    batch: Batch,
    loss_of: Callable[..., torch.Tensor],
    rate: float,
) -> torch.Tensor:
    """Takes one step at this learning rate and returns the loss, on its device."""
    import torch

    where = next(model.parameters()).device
    for group in (group for optimizer in optimizers for group in optimizer.param_groups):
        group["lr"] = rate * group.get("share", 1.0)
    with hardware.autocast(where.type):
        loss = loss_of(model, *(torch.from_numpy(array).to(where) for array in batch.arrays))
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    for optimizer in optimizers:
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return loss.detach()


def _restore(
    path: Path, model: torch.nn.Module, optimizers: Sequence[torch.optim.Optimizer], where: torch.device
) -> dict[str, Any]:
    """Where the run was, with model and optimisers as they were; its beginning if there is no checkpoint."""
    import torch

    state: dict[str, Any] = {"step": 0, "pool": 0, "batch": 0, "pairs": 0, "tokens": 0, "seconds": 0.0}
    if not path.exists():
        return state
    try:
        saved = torch.load(path, map_location=where, weights_only=True)
        model.load_state_dict(saved["model"])
        for optimizer, of_it in zip(optimizers, saved["optimizers"], strict=True):
            optimizer.load_state_dict(of_it)
    except (RuntimeError, ValueError, KeyError, EOFError, UnpicklingError) as error:
        raise UserError(
            f"{path} is of another model, or damaged: delete it or choose another --out"
        ) from error
    state |= saved["state"]
    _say(f"resumed at step {state['step']:,}, {state['pairs']:,} pairs, {state['seconds'] / 60:.1f} minutes")
    return state


def _save(
    path: Path,
    model: torch.nn.Module,
    optimizers: Sequence[torch.optim.Optimizer],
    state: dict[str, Any],
) -> None:
    import torch

    part = path.with_suffix(".tmp")
    saved = {"model": model.state_dict(), "optimizers": [each.state_dict() for each in optimizers]}
    torch.save({**saved, "state": state}, part)
    part.replace(path)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def wsd(step: int, progress: float) -> float:
    """Share of the peak learning rate at this step (from 0), which comes at `progress` (0 to 1) of the run."""
    return min(1.0, (step + 1) / _WARMUP_STEPS, max(0.02, (1 - progress) / _DECAY))


class _Report:
    """A line every few steps: loss in nats, speed since the last line, and on a known GPU the share of its peak (MFU)."""

    def __init__(self, trunk: torch.nn.Module, where: torch.device, state: dict[str, Any]) -> None:
        import torch

        card = torch.cuda.get_device_name(where) if where.type == "cuda" else None
        self._peak = hardware.peak_flops(card)
        # Forward and backward take 6 FLOPs a token and weight of a matrix (Kaplan et al. 2020, arXiv:2001.08361, table 1);
        # the head, and attention's products, are not counted: the figure is low rather than high.
        matrices = [m.weight.numel() for m in trunk.modules() if isinstance(m, torch.nn.Linear)]
        self._flops = 6 * sum(matrices)
        self._state, self._losses = state, []  # type: ignore[var-annotated]

    def add(self, loss: torch.Tensor, state: dict[str, Any], progress: float) -> None:
        self._losses.append(loss)  # on its device: to read it now would make a GPU wait
        if state["step"] % _REPORT_STEPS:
            return
        mean = sum(each.item() for each in self._losses) / len(self._losses)
        passed = max(state["seconds"] - self._state["seconds"], 1e-9)
        tokens, pairs = ((state[name] - self._state[name]) / passed for name in ("tokens", "pairs"))
        share = f"  MFU {tokens * self._flops / self._peak:.1%}" if self._peak else ""
        _say(
            f"step {state['step']:,}  loss {mean:.4f}  {state['pairs']:,} pairs  {state['tokens'] / 1e6:.2f} M tokens  "
            f"{pairs:,.0f} pairs/s  {tokens:,.0f} tokens/s{share}  {progress:.1%} done"
        )
        self._state = state
        self._losses.clear()


# ---- data, and the end ----


def padded(length: int) -> int:
    """The length that rows are padded to, of few: a kernel is made anew for each shape that comes.

    >>> [padded(length) for length in (1, 30, 33, 70, 130)]
    [8, 32, 40, 80, 160]
    """
    step = 1 << max(3, length.bit_length() - 3)
    return -(-length // step) * step


def length_bucketed(rows: Sequence[Any], lengths: Sequence[int], batch_tokens: int) -> list[list[Any]]:
    """Length-bucketed batches, at most `batch_tokens` tokens when `padded`; a longer row is a batch of its own."""
    batches: list[list[Any]] = [[]]
    for i in sorted(range(len(rows)), key=lambda i: lengths[i]):
        if batches[-1] and (len(batches[-1]) + 1) * padded(lengths[i]) > batch_tokens:
            batches.append([])
        batches[-1].append(rows[i])
    return batches


def shuffled_batches(
    rows: Sequence[Any],
    tokens: Callable[[Any], int],
    collate: Callable[[Sequence[Any]], tuple[np.ndarray, ...]],
    batch_tokens: int,
    rng: random.Random,
) -> list[Batch]:
    """The rows in length-bucketed batches, in random order; `tokens` counts those of a row."""
    chosen = length_bucketed(rows, [tokens(row) for row in rows], batch_tokens)
    rng.shuffle(chosen)
    return [Batch(collate(part), len(part), sum(map(tokens, part))) for part in chosen]


_pools: Pools


def _make(number: int) -> list[Batch]:
    return _pools.pool(number)


@contextmanager
def _ahead(pools: Pools, pool: int, batch: int, workers: int) -> Iterator[Iterator[tuple[int, int, Batch]]]:
    """(pool, batch, its rows) from that batch on, without end; pools are made before they are needed."""
    global _pools
    _pools = pools  # forked processes share the texts instead of copying them
    fork = multiprocessing.get_context("fork")
    executor = concurrent.futures.ProcessPoolExecutor(workers, mp_context=fork)
    waiting = collections.deque(executor.submit(_make, pool + i) for i in range(workers + 1))

    def batches() -> Iterator[tuple[int, int, Batch]]:
        number, skip = pool, batch
        while True:
            waiting.append(executor.submit(_make, number + len(waiting)))
            for i, each in enumerate(waiting.popleft().result()):
                if i >= skip:
                    yield number, i, each
            number, skip = number + 1, 0

    try:
        yield batches()
    finally:
        executor.shutdown(cancel_futures=True)


@contextmanager
def _sigterm() -> Iterator[threading.Event]:
    """An event that SIGTERM sets. In a thread other than the main one, where Python takes no signals, nothing sets it."""
    came = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield came
        return
    before = signal.signal(signal.SIGTERM, lambda *_: came.set())
    try:
        yield came
    finally:
        signal.signal(signal.SIGTERM, before)

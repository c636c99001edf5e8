"""The tone classifier: one encoder, a head for sentiment and one for politeness, trained together.

    python -m training tone --politeness politeness.jsonl --sentiment sentiment.jsonl \\
        --out runs/tone      # goes on from its last checkpoint when repeated
    python -m conversion gguf runs/tone/encoder runs/tone/encoder-f16.gguf
    python -m conversion quantize runs/tone/encoder-f16.gguf space/models/tone/encoder.gguf
    cp runs/tone/heads.json space/models/tone/
    python -m training tone ... --measure space/models/tone      # the shipped files on the same held-out rows

The sentiment loss of a review compares negative with positive alone and leaves the neutral logit untouched.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from space.proofread.classifiers.tone import LABELS
from training.base import hardware, loop
from training.base.tone_figures import Prediction, figures_of, measure_shipped
from training.base.tone_model import Example, batches, build, collate, examples
from training.base.tone_rows import NEVER, Row, judged, load_rows, split_rows
from training.runs import atomic_write

if TYPE_CHECKING:
    import torch

_WARMUP = 0.06  # of the steps; the rest is linear decay


def add_arguments(parser: argparse.ArgumentParser) -> None:
    data = parser.add_argument_group("data (JSON lines)")
    data.add_argument("--politeness", type=Path, required=True, help='rows of {"text", "score", "community"}')
    data.add_argument(
        "--sentiment", type=Path, required=True,
        help='rows of {"text", "label", "split"}; split "reviews" has no neutral',
    )  # fmt: skip
    model = parser.add_argument_group("model and training")
    model.add_argument(
        "--base", default="sentence-transformers/all-MiniLM-L6-v2",
        help="folder or Hub id of a BERT encoder, or the --out of an earlier run to train further",
    )  # fmt: skip
    model.add_argument(
        "--out", type=Path, default=Path("runs/tone"),
        help="folder for encoder/, heads.json, figures.json and the checkpoint",
    )  # fmt: skip
    for name, kind, default, text in (
        ("review-rows", int, 5_000, "reviews taken from --sentiment"),
        ("frozen-layers", int, 2, "lowest encoder layers that are not trained"),
        ("epochs", int, 2, "passes over the data"),
        ("learning-rate", float, 1.5e-4, "peak rate of the encoder; heads get ten times that"),
        ("email-repeats", int, 4, "times each email sentence is seen in an epoch"),
        ("politeness-repeats", int, 2, "times each politeness row is seen in an epoch"),
        ("checkpoint-every", int, 100, "steps between checkpoints"),
        ("threads", int, 2, "CPU threads"),
        ("seed", int, 0, "of heads and batches"),
    ):
        model.add_argument(f"--{name}", type=kind, default=default, help=f"{text} (default %(default)s)")
    model.add_argument(
        "--teachers", type=Path, nargs="+", default=[],
        help="--out folders of earlier runs (other seeds) whose mean opinion is half of each target",
    )  # fmt: skip
    parser.add_argument(
        "--measure", type=Path,
        help="train nothing: measure this folder of encoder.gguf and heads.json on the held-out rows",
    )  # fmt: skip


def run(args: argparse.Namespace) -> None:
    """Train (or go on training), calibrate, measure; figures go to stdout as one line of JSON."""
    started = time.perf_counter()
    parts = split_rows(load_rows(args))
    sizes = ", ".join(f"{name}: {len(rows)} rows" for name, rows in parts.items())
    print(sizes, file=sys.stderr, flush=True)
    if args.measure:
        print(json.dumps(measure_shipped(args.measure, parts)))
        return
    import torch

    torch.set_num_threads(args.threads)
    args.out.mkdir(parents=True, exist_ok=True)
    model, tokenizer = build(args.base, args.seed, args.frozen_layers)
    model.to(hardware.device())
    train(model, tokenizer, taught(parts["train"], args.teachers), args)
    model.cpu()
    heads = calibrate(model, tokenizer, parts["calibration"])
    model.encoder.save_pretrained(args.out / "encoder")
    tokenizer.save_pretrained(args.out / "encoder")
    atomic_write.write(args.out / "heads.json", json.dumps(heads))
    figures = figures_of(predict(model, tokenizer, parts["held-out"], heads), parts["held-out"])
    figures["minutes"] = round((time.perf_counter() - started) / 60, 1)
    atomic_write.write(args.out / "figures.json", json.dumps(figures, indent=1) + "\n")
    (args.out / loop.CHECKPOINT).unlink()
    print(json.dumps(figures))


# ---- training ----------------------------------------------------------------------------------------------


def train(model: Any, tokenizer: Any, rows: Sequence[Row], args: argparse.Namespace) -> None:
    """Train in place; draws follow from seed and epoch alone, so a resumed run equals an unbroken one."""
    import torch

    repeats = {"emails train": args.email_repeats, "politeness": args.politeness_repeats}
    rows = [row for row in rows for _ in range(repeats.get(row.source, 1))]
    epochs = Epochs(rows, tokenizer, args.seed)
    steps = sum(len(epochs.batches(number)) for number in range(args.epochs))
    body = [p for p in model.encoder.parameters() if p.requires_grad]
    groups = [{"params": body, "share": 1.0}, {"params": model.tone.parameters(), "share": 10.0}]
    optimizer = torch.optim.AdamW(groups, lr=args.learning_rate, weight_decay=0.01, fused=True)
    weights = class_weights(rows)
    options = argparse.Namespace(
        out=args.out, max_minutes=float("inf"), max_steps=steps, save_steps=args.checkpoint_every, workers=1,
        compile=False, learning_rate=args.learning_rate,
    )  # fmt: skip

    def rate(step: int, progress: float) -> float:
        rising, falling = (step + 1) / (_WARMUP * steps), (steps - step) / ((1 - _WARMUP) * steps)
        return max(0.01, min(rising, falling))

    def loss(model: Any, *arrays: torch.Tensor) -> torch.Tensor:
        return loss_of(model, arrays, weights)

    model.train()
    loop.train(model, model.encoder, [optimizer], epochs, loss, options, rate)
    model.eval()


def taught(rows: Sequence[Row], teachers: Sequence[Path]) -> list[Row]:
    """The rows, each target of the corpora half what was rated and half what earlier models say on average.

    A rating is the mean of a few people; several models trained on all of them together know better (born-again networks,
    Furlanello et al. 2018, arXiv:1805.04770). Our own rows have clear labels, and reviews no neutral one: these stay.
    """
    said: list[list[dict[str, torch.Tensor]]] = []
    for folder in teachers:
        model, tokenizer = build(str(folder), seed=0)
        said.append(logits_of(model, examples(rows, tokenizer), tokenizer.pad_token_id))
    if not said:
        return list(rows)
    return [
        replace(row, targets={name: _half(target, [one[i][name] for one in said]) for name, target in row.targets.items()})
        if row.source in ("politeness", "tweets") else row
        for i, row in enumerate(rows)
    ]  # fmt: skip


def _half(target: tuple[float, ...], said: Sequence[torch.Tensor]) -> tuple[float, ...]:
    """The mean of a target and of what the mean of the teachers is."""
    mean = sum(logits.softmax(0) for logits in said) / len(said)
    return tuple((rated + float(taught)) / 2 for rated, taught in zip(target, mean, strict=True))


class Epochs:
    """Pools of the loop that are each a pass over all rows."""

    def __init__(self, rows: Sequence[Row], tokenizer: Any, seed: int) -> None:
        self._items, self._pad, self._seed = examples(rows, tokenizer), tokenizer.pad_token_id, seed

    def batches(self, number: int) -> list[list[Example]]:
        digest = hashlib.sha256(repr((self._seed, number)).encode()).digest()
        drawn = batches(self._items, random.Random(int.from_bytes(digest[:6], "big")))
        return [[self._items[i] for i in chosen] for chosen in drawn]

    def pool(self, number: int) -> list[loop.Batch]:
        return [
            loop.Batch(collate(items, self._pad), len(items), sum(len(item.ids) for item in items))
            for items in self.batches(number)
        ]


def loss_of(model: Any, arrays: Sequence[torch.Tensor], weights: dict[str, torch.Tensor]) -> torch.Tensor:
    """The sum of the heads' losses; each is summed over its rows and divided by the texts of the batch."""
    import torch
    import torch.nn.functional as F

    ids, mask, *targets = arrays
    tone = model(ids, mask)
    total = mask.new_zeros((), dtype=torch.float32)
    for (name, logits), target in zip(tone.items(), targets, strict=True):
        known = target != NEVER
        rows = known.any(1)
        logp = F.log_softmax(logits.masked_fill(~known, -1e4), 1)
        total = total - (logp * target.clamp(min=0) * weights[name].to(logp.device))[rows].sum()
    return total / len(ids)


def class_weights(rows: Iterable[Row]) -> dict[str, torch.Tensor]:
    """Rare labels count more, by the square root of their rarity; reviews (two labels) are not counted."""
    import torch

    counts = {name: dict.fromkeys(labels, 1) for name, labels in LABELS.items()}
    for row in rows:
        if row.source != "reviews":
            for name, label in row.labels.items():
                counts[name][label] += 1
    weights = {name: torch.tensor(list(count.values()), dtype=torch.float) for name, count in counts.items()}
    return {name: (count.mean() / count).sqrt() for name, count in weights.items()}


# ---- calibration and figures -------------------------------------------------------------------------------


def logits_of(model: Any, items: Sequence[Example], pad: int) -> list[dict[str, torch.Tensor]]:
    """The logits of each example by head."""
    import torch

    order = sorted(range(len(items)), key=lambda i: len(items[i].ids))
    found: dict[int, dict[str, torch.Tensor]] = {}
    model.eval()
    with torch.inference_mode():
        for first in range(0, len(order), 32):
            chosen = order[first : first + 32]
            arrays = collate([items[i] for i in chosen], pad)
            tone = model(*map(torch.from_numpy, arrays[:2]))
            for row, i in enumerate(chosen):
                found[i] = {name: logits[row] for name, logits in tone.items()}
    return [found[i] for i in range(len(items))]


def calibrate(model: Any, tokenizer: Any, rows: Sequence[Row]) -> dict[str, Any]:
    """heads.json: weights, and temperatures that make probabilities honest on these rows."""
    import torch

    items = examples(rows, tokenizer)
    logits = logits_of(model, items, tokenizer.pad_token_id)
    heads: dict[str, Any] = {"tone": {}}
    for name, labels in LABELS.items():
        rated = [
            (out[name], labels.index(row.labels[name]))
            for out, row in zip(logits, rows, strict=True)
            if judged(row, name)
        ]
        temperature = 1.0
        if rated:
            table, truth = torch.stack([one for one, _ in rated]), torch.tensor([label for _, label in rated])
            temperature = best_temperature(table, truth)
        layer = model.tone[name]
        heads["tone"][name] = {
            "labels": list(labels),
            "weight": rounded(layer.weight),
            "bias": rounded(layer.bias),
            "temperature": temperature,
        }
    return heads


def rounded(tensor: torch.Tensor) -> Any:
    import numpy as np

    return np.round(tensor.detach().numpy().astype(float), 6).tolist()


def best_temperature(logits: torch.Tensor, truth: torch.Tensor) -> float:
    from torch.nn.functional import cross_entropy

    return min(
        (round(1.03**i, 4) for i in range(-40, 61)), key=lambda t: float(cross_entropy(logits / t, truth))
    )


def predict(model: Any, tokenizer: Any, rows: Sequence[Row], heads: dict[str, Any]) -> list[Prediction]:
    items = examples(rows, tokenizer)
    return [
        {name: (one / heads["tone"][name]["temperature"]).softmax(0).numpy() for name, one in tone.items()}
        for tone in logits_of(model, items, tokenizer.pad_token_id)
    ]

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
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from space.errors import UserError
from space.proofread.classifiers.encoder import Encoded, encode
from space.proofread.classifiers.tone import LABELS
from training.base import hardware
from training.base.tone_figures import Prediction, figures_of, measure_shipped
from training.base.tone_rows import NEVER, Row, judged, load_rows, split_rows

if TYPE_CHECKING:
    import torch

MAX_TOKENS = 160  # per text; longer ones are cut (1 in 1000)
BATCH_TOKENS = 2048  # padded tokens in a batch; with texts of 30 tokens about 65 texts


def add_arguments(parser: argparse.ArgumentParser) -> None:
    data = parser.add_argument_group("data (JSON lines)")
    data.add_argument("--politeness", type=Path, required=True, help='rows of {"text", "score", "community"}')
    data.add_argument(
        "--sentiment",
        type=Path,
        required=True,
        help='rows of {"text", "label", "split"}; split "reviews" has no neutral',
    )
    data.add_argument(
        "--review-rows", type=int, default=5_000, help="reviews taken from --sentiment (default 5000)"
    )
    model = parser.add_argument_group("model and training")
    model.add_argument(
        "--base",
        default="sentence-transformers/all-MiniLM-L6-v2",
        help="folder or Hub id of a BERT encoder, or the --out of an earlier run to train further",
    )
    model.add_argument(
        "--out",
        type=Path,
        default=Path("runs/tone"),
        help="folder for encoder/, heads.json, figures.json and checkpoints",
    )
    model.add_argument(
        "--frozen-layers", type=int, default=2, help="lowest encoder layers kept as they are (default 2)"
    )
    model.add_argument("--epochs", type=int, default=2, help="passes over the data (default 2)")
    model.add_argument(
        "--learning-rate",
        type=float,
        default=1.5e-4,
        help="peak rate of the encoder (default 1.5e-4); heads get ten times that",
    )
    model.add_argument(
        "--email-repeats",
        type=int,
        default=4,
        help="times each email sentence is seen in an epoch (default 4)",
    )
    model.add_argument(
        "--checkpoint-every", type=int, default=100, help="steps between checkpoints (default 100)"
    )
    model.add_argument("--threads", type=int, default=2, help="CPU threads (default 2)")
    model.add_argument("--seed", type=int, default=0)
    model.add_argument(
        "--politeness-repeats",
        type=int,
        default=2,
        help="times each politeness row is seen in an epoch (default 2)",
    )
    parser.add_argument(
        "--measure",
        type=Path,
        help="train nothing: measure this folder of encoder.gguf and heads.json on the held-out rows",
    )


def run(args: argparse.Namespace) -> None:
    """Train (or go on training), calibrate, measure; figures go to stdout as one line of JSON."""
    started = time.perf_counter()
    parts = split_rows(load_rows(args), args.seed)
    say(", ".join(f"{name}: {len(rows)} rows" for name, rows in parts.items()))
    if args.measure:
        print(json.dumps(measure_shipped(args.measure, parts)))
        return
    import torch

    torch.set_num_threads(args.threads)
    model, tokenizer = build(args.base, args.seed, args.frozen_layers)
    train(model, tokenizer, parts["train"], args)
    heads = calibrate(model, tokenizer, parts["calibration"])
    args.out.mkdir(parents=True, exist_ok=True)
    model.encoder.save_pretrained(args.out / "encoder")
    tokenizer.save_pretrained(args.out / "encoder")
    write(args.out / "heads.json", json.dumps(heads))
    figures = figures_of(predict(model, tokenizer, parts["held-out"], heads), parts["held-out"])
    figures["minutes"] = round((time.perf_counter() - started) / 60, 1)
    write(args.out / "figures.json", json.dumps(figures, indent=1) + "\n")
    shutil.rmtree(args.out / "checkpoint", ignore_errors=True)
    print(json.dumps(figures))


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


# ---- model -------------------------------------------------------------------------------------------------


def build(base: str, seed: int, frozen: int = 0) -> tuple[Any, Any]:
    """The encoder of `base` under heads (new unless `base` is an earlier --out), and its tokenizer."""
    import torch
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()  # the base has a pooler that is not used
    earlier = Path(base, "heads.json")
    base = str(Path(base, "encoder")) if earlier.is_file() else base
    try:
        # On a CPU, eager attention takes two thirds of the time of sdpa here, and dropout another fifth:
        # two epochs over 30,000 texts do without it.
        encoder = AutoModel.from_pretrained(
            base,
            add_pooling_layer=False,
            attn_implementation="eager",
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
        )
        tokenizer = AutoTokenizer.from_pretrained(base)
    except OSError as error:
        raise UserError(
            f"no encoder at {base}: give --base a folder or a Hub id that can be reached"
        ) from error
    # Rare words keep their meaning, and a step costs two thirds.
    encoder.embeddings.requires_grad_(False)
    tokenizer = prune(encoder, tokenizer)
    for layer in encoder.encoder.layer[:frozen]:
        layer.requires_grad_(False)
    torch.manual_seed(seed)
    width = encoder.config.hidden_size

    class Model(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = encoder
            self.tone = torch.nn.ModuleDict(
                {name: torch.nn.Linear(width, len(labels)) for name, labels in LABELS.items()}
            )

        def forward(self, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
            """Logits per tone head (texts, 3)."""
            with hardware.autocast("cpu"):
                hidden = self.encoder(input_ids=batch["ids"], attention_mask=batch["mask"]).last_hidden_state
            hidden = hidden.float()  # (B, T, D)
            mask = batch["mask"].unsqueeze(-1)
            pooled = (hidden * mask).sum(1) / mask.sum(1)
            return {name: head(pooled) for name, head in self.tone.items()}

    model = Model()
    if earlier.is_file():
        load_heads(model, json.loads(earlier.read_text(encoding="utf-8")))
    return model, tokenizer


def load_heads(model: Any, data: dict[str, Any]) -> None:
    """Put the weights of a heads.json into the model."""
    import torch

    state = {
        f"tone.{name}.{key}": head[key] for name, head in data["tone"].items() for key in ("weight", "bias")
    }
    model.load_state_dict({name: torch.tensor(value) for name, value in state.items()}, strict=False)


def prune(encoder: Any, tokenizer: Any) -> Any:
    """Drop the tokens of other scripts and the unused ones, a megabyte when packed; the new tokenizer."""
    import torch
    from tokenizers import Tokenizer
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    special = {
        f"{name}_token": getattr(tokenizer, f"{name}_token") for name in ("pad", "unk", "cls", "sep", "mask")
    }
    spec = json.loads(tokenizer.backend_tokenizer.to_str())
    old = spec["model"]["vocab"]
    kept = [token for token in sorted(old, key=old.__getitem__) if serves_english(token)]
    new = {token: i for i, token in enumerate(kept)}
    spec["model"]["vocab"] = new
    spec["added_tokens"] = [{**added, "id": new[added["content"]]} for added in spec["added_tokens"]]
    spec["post_processor"] = None
    backend = Tokenizer.from_str(json.dumps(spec))
    cls, sep = special["cls_token"], special["sep_token"]
    backend.post_processor = TemplateProcessing(
        single=f"{cls} $A {sep}", special_tokens=[(cls, new[cls]), (sep, new[sep])]
    )
    weight = encoder.embeddings.word_embeddings.weight.detach()[[old[token] for token in kept]]
    encoder.embeddings.word_embeddings = torch.nn.Embedding.from_pretrained(weight)
    encoder.config.vocab_size, encoder.config.pad_token_id = len(kept), new[special["pad_token"]]
    return PreTrainedTokenizerFast(tokenizer_object=backend, **special)


def serves_english(token: str) -> bool:
    """Whether every character is Latin, a mark of general punctuation, a currency or a letterlike symbol."""
    return not token.startswith("[unused") and all(ord(c) < 0x250 or 0x2000 <= ord(c) < 0x2200 for c in token)


@dataclass(frozen=True)
class Example:
    """A row as numbers: ids with [CLS] and [SEP], and targets by head."""

    ids: list[int]
    targets: dict[str, tuple[float, ...]]


def examples(rows: Iterable[Row], tokenizer: Any) -> list[Example]:
    cache: dict[str, list[int]] = {}

    def tokenize(word: str) -> list[int]:
        if word not in cache:
            cache[word] = tokenizer(word, add_special_tokens=False)["input_ids"]
        return cache[word]

    return [example(row, encode(row.text, tokenize), tokenizer) for row in rows]


def example(row: Row, code: Encoded, tokenizer: Any) -> Example:
    ids = [tokenizer.cls_token_id, *code.ids[: MAX_TOKENS - 2], tokenizer.sep_token_id]
    return Example(ids, row.targets)


def batches(items: Sequence[Example], rng: random.Random) -> list[list[int]]:
    """Shuffled batches of indices of texts about equally long, with about BATCH_TOKENS padded tokens each."""
    order = list(range(len(items)))
    rng.shuffle(order)
    order.sort(
        key=lambda i: len(items[i].ids) + rng.uniform(0, 4)
    )  # blur, so that batches differ between epochs
    made: list[list[int]] = []
    for i in order:
        if made and len(items[i].ids) * (len(made[-1]) + 1) <= BATCH_TOKENS:
            made[-1].append(i)
        else:
            made.append([i])
    rng.shuffle(made)
    return made


def collate(items: Sequence[Example], pad: int) -> dict[str, torch.Tensor]:
    import torch

    length = max(len(item.ids) for item in items)
    batch = {
        "ids": torch.tensor([item.ids + [pad] * (length - len(item.ids)) for item in items]),
        "mask": torch.tensor([[1] * len(item.ids) + [0] * (length - len(item.ids)) for item in items]),
    }
    for name, labels in LABELS.items():
        batch[name] = torch.tensor([item.targets.get(name, (NEVER,) * len(labels)) for item in items])
    return batch


# ---- training ----------------------------------------------------------------------------------------------


def loss_of(model: Any, batch: dict[str, torch.Tensor], weights: dict[str, torch.Tensor]) -> torch.Tensor:
    """The sum of the heads' losses; each is summed over its rows and divided by the texts of the batch."""
    import torch
    import torch.nn.functional as F

    tone = model(batch)
    total = batch["mask"].new_zeros((), dtype=torch.float32)
    for name, logits in tone.items():
        target = batch[name]
        known = target != NEVER
        rows = known.any(1)
        logp = F.log_softmax(logits.masked_fill(~known, -1e4), 1)
        total = total - (logp * target.clamp(min=0) * weights[name])[rows].sum()
    return total / batch["ids"].shape[0]


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


def train(
    model: Any,
    tokenizer: Any,
    rows: Sequence[Row],
    args: argparse.Namespace,
    after_step: Callable[[int], None] = lambda step: None,
) -> None:
    """Train in place; draws follow from seed and epoch alone, so a resumed run equals an unbroken one."""
    import torch

    repeats = {"emails train": args.email_repeats, "politeness": args.politeness_repeats}
    rows = [row for row in rows for _ in range(repeats.get(row.source, 1))]
    heads = list(model.tone.parameters())
    body = [p for p in model.encoder.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(
        [{"params": body, "lr": args.learning_rate}, {"params": heads, "lr": 10 * args.learning_rate}],
        weight_decay=0.01,
        fused=True,
    )
    items = examples(rows, tokenizer)
    steps = args.epochs * len(batches(items, random.Random(0)))  # epochs differ by a batch or two
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: max(0.01, min((step + 1) / (0.06 * steps), (steps - step) / (0.94 * steps)))
    )
    weights = class_weights(rows)
    path = args.out / "checkpoint" / "last.pt"
    step = resume(path, model, optimizer, schedule) if path.is_file() else 0
    model.train()
    at = shown = 0
    clock, tokens, losses = time.perf_counter(), 0, []
    for epoch in range(args.epochs):
        for chosen in batches(items, random.Random(hash_of(args.seed, epoch))):
            at += 1
            if at <= step:
                continue
            batch = collate([items[i] for i in chosen], tokenizer.pad_token_id)
            loss = loss_of(model, batch, weights)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
            tokens += int(batch["mask"].sum())
            shown += 1
            if at % args.checkpoint_every == 0:
                save(path, at, model, optimizer, schedule)
            if shown % 20 == 0:
                seconds = time.perf_counter() - clock
                left = (steps - at) * seconds / shown / 60
                loss_now, speed = sum(losses[-20:]) / 20, tokens / seconds
                say(f"step {at}/{steps}  loss {loss_now:.3f}  {speed:.0f} tokens/s  {left:.1f} min left")
            after_step(at)
    model.eval()


def hash_of(*parts: int) -> int:
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:6], "big")


def save(path: Path, step: int, model: Any, optimizer: Any, schedule: Any) -> None:
    import torch

    path.parent.mkdir(parents=True, exist_ok=True)
    state = {
        "step": step,
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "schedule": schedule.state_dict(),
    }
    torch.save(state, path.with_suffix(".new"))
    path.with_suffix(".new").replace(path)  # a kill while writing leaves the one before


def resume(path: Path, model: Any, optimizer: Any, schedule: Any) -> int:
    import torch

    state = torch.load(path, weights_only=True)
    try:
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
    except (RuntimeError, ValueError) as error:
        raise UserError(f"{path} is of another model: delete it or choose another --out") from error
    schedule.load_state_dict(state["schedule"])
    say(f"going on from step {state['step']}")
    return int(state["step"])


def write(path: Path, text: str) -> None:
    path.with_suffix(".new").write_text(text, encoding="utf-8")
    path.with_suffix(".new").replace(path)


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
            tone = model(collate([items[i] for i in chosen], pad))
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

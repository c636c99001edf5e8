"""The tone classifier: one encoder, heads for sentiment, politeness and wrong words, all trained together.

    python -m training tone --politeness politeness.jsonl --sentiment sentiment.jsonl \\
        --clean clean.jsonl email.jsonl --out runs/tone      # goes on from its last checkpoint when repeated
    python -m conversion gguf runs/tone/encoder runs/tone/encoder-f16.gguf
    python -m conversion quantize runs/tone/encoder-f16.gguf space/models/tone/encoder.gguf
    cp runs/tone/heads.json space/models/tone/
    python -m training tone ... --measure space/models/tone      # the shipped files on the same held-out rows

The sentiment loss of a review compares negative with positive alone and leaves the neutral logit untouched.
Wrong words are learnt from corrupted sentences, of which half are left clean: good text is seldom doubted.
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
from space.tone import FEATURES, LABELS, Encoded, encode, features
from training.tone_figures import Prediction, figures_of, measure_shipped
from training.tone_rows import NEVER, Row, corrupted, judged, load_rows, split_rows

if TYPE_CHECKING:
    import numpy as np
    import torch

MAX_TOKENS = 160  # per text; longer ones are cut (1 in 1000)
BATCH_TOKENS = 2048  # padded tokens in a batch; with texts of 30 tokens about 65 texts
INNER = 64  # hidden units of the wrong-word head


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
        "--clean",
        type=Path,
        nargs="*",
        default=[],
        help='rows of {"text"}: correct sentences to corrupt, for the wrong-word head',
    )
    data.add_argument(
        "--learner", type=Path, help='rows of {"source", "corrected"}: tokenised sentences of learners'
    )
    data.add_argument(
        "--clean-rows",
        type=int,
        default=12_000,
        help="sentences taken from each --clean file (default 12000)",
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
    figures = figures_of(
        predict(model, tokenizer, parts["held-out"], heads), parts["held-out"], heads["doubts"]["threshold"]
    )
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
            self.doubts = torch.nn.Sequential(
                torch.nn.Linear(width + FEATURES, INNER), torch.nn.ReLU(), torch.nn.Linear(INNER, 1)
            )

        def forward(self, batch: dict[str, torch.Tensor]) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
            """Logits per tone head (texts, 3), and per word (all words of the batch,)."""
            with torch.autocast("cpu", torch.bfloat16):
                hidden = self.encoder(input_ids=batch["ids"], attention_mask=batch["mask"]).last_hidden_state
            hidden = hidden.float()  # (B, T, D)
            mask = batch["mask"].unsqueeze(-1)
            pooled = (hidden * mask).sum(1) / mask.sum(1)
            # The mean of a word's tokens, as (words, B*T) @ (B*T, D) without building the matrix.
            words = hidden.new_zeros(len(batch["features"]), hidden.shape[-1])
            words.index_add_(0, batch["word_of"], hidden.flatten(0, 1)[batch["token_at"]])
            words = words / torch.bincount(batch["word_of"], minlength=len(words)).clamp(min=1).unsqueeze(-1)
            doubts = self.doubts(torch.cat([words, batch["features"]], 1)).squeeze(-1)
            return {name: head(pooled) for name, head in self.tone.items()}, doubts

    model = Model()
    if earlier.is_file():
        load_heads(model, json.loads(earlier.read_text(encoding="utf-8")))
    return model, tokenizer


def load_heads(model: Any, data: dict[str, Any]) -> None:
    """Put the weights of a heads.json into the model."""
    import torch

    doubts = data["doubts"]
    state = {
        f"tone.{name}.{key}": head[key] for name, head in data["tone"].items() for key in ("weight", "bias")
    }
    state |= {"doubts.0.weight": doubts["hidden"], "doubts.0.bias": doubts["hidden_bias"]}
    state |= {"doubts.2.weight": [doubts["out"]], "doubts.2.bias": doubts["out_bias"]}
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
    """A row as numbers: ids with [CLS] and [SEP], each inner token's word, features and labels by word."""

    ids: list[int]
    word_of: list[int]
    features: np.ndarray
    wrong: list[float]  # per word: 1 wrong, 0 right, NEVER unknown
    targets: dict[str, tuple[float, ...]]


def examples(rows: Iterable[Row], tokenizer: Any) -> list[Example]:
    cache: dict[str, list[int]] = {}

    def tokenize(word: str) -> list[int]:
        if word not in cache:
            cache[word] = tokenizer(word, add_special_tokens=False)["input_ids"]
        return cache[word]

    return [example(row, encode(row.text, tokenize), tokenizer) for row in rows]


def example(row: Row, code: Encoded, tokenizer: Any) -> Example:
    ids, word_of = code.ids[: MAX_TOKENS - 2], code.word_of[: MAX_TOKENS - 2]
    wrong = [NEVER] * len(code.spans)
    for start, end, bad in row.wrong or ():
        for i, (a, b) in enumerate(code.spans):
            if a < end and start < b:
                wrong[i] = max(wrong[i], float(bad))
    for i in set(range(len(wrong))).difference(word_of):  # no token of its own, or cut off
        wrong[i] = NEVER
    return Example(
        [tokenizer.cls_token_id, *ids, tokenizer.sep_token_id],
        word_of,
        features(row.text, code.spans),
        wrong,
        row.targets,
    )


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
    import numpy as np
    import torch

    length = max(len(item.ids) for item in items)
    offsets = np.cumsum([0] + [len(item.wrong) for item in items])
    word_of = [offset + word for offset, item in zip(offsets, items, strict=False) for word in item.word_of]
    token_at = [row * length + 1 + i for row, item in enumerate(items) for i in range(len(item.word_of))]
    batch = {
        "ids": torch.tensor([item.ids + [pad] * (length - len(item.ids)) for item in items]),
        "mask": torch.tensor([[1] * len(item.ids) + [0] * (length - len(item.ids)) for item in items]),
        "word_of": torch.tensor(word_of, dtype=torch.long),
        "token_at": torch.tensor(token_at, dtype=torch.long),
        "features": torch.from_numpy(np.concatenate([item.features for item in items])),
        "wrong": torch.tensor([label for item in items for label in item.wrong]),
    }
    for name, labels in LABELS.items():
        batch[name] = torch.tensor([item.targets.get(name, (NEVER,) * len(labels)) for item in items])
    return batch


# ---- training ----------------------------------------------------------------------------------------------


def loss_of(model: Any, batch: dict[str, torch.Tensor], weights: dict[str, torch.Tensor]) -> torch.Tensor:
    """The sum of the heads' losses; each is summed over its rows and divided by the texts of the batch."""
    import torch.nn.functional as F

    tone, doubts = model(batch)
    total = doubts.new_zeros(())
    for name, logits in tone.items():
        target = batch[name]
        known = target != NEVER
        rows = known.any(1)
        logp = F.log_softmax(logits.masked_fill(~known, -1e4), 1)
        total = total - (logp * target.clamp(min=0) * weights[name])[rows].sum()
    known = batch["wrong"] != NEVER
    if known.any():
        # Per text about as much as one tone label.
        texts = (batch["ids"].shape[0] * known.sum() / len(known)).clamp(min=1)
        total = total + 4 * texts * F.binary_cross_entropy_with_logits(doubts[known], batch["wrong"][known])
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
    heads = [*model.tone.parameters(), *model.doubts.parameters()]
    body = [p for p in model.encoder.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(
        [{"params": body, "lr": args.learning_rate}, {"params": heads, "lr": 10 * args.learning_rate}],
        weight_decay=0.01,
        fused=True,
    )
    items = examples([corrupted(row, hash_of(args.seed, 0)) for row in rows], tokenizer)
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
        if epoch:  # other mistakes than in the epoch before
            items = examples([corrupted(row, hash_of(args.seed, epoch)) for row in rows], tokenizer)
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


def logits_of(
    model: Any, items: Sequence[Example], pad: int
) -> list[tuple[dict[str, torch.Tensor], torch.Tensor]]:
    """Per example the tone logits and the word logits."""
    import torch

    order = sorted(range(len(items)), key=lambda i: len(items[i].ids))
    found: dict[int, tuple[dict[str, torch.Tensor], torch.Tensor]] = {}
    model.eval()
    with torch.inference_mode():
        for first in range(0, len(order), 32):
            chosen = order[first : first + 32]
            tone, doubts = model(collate([items[i] for i in chosen], pad))
            words = doubts.split([len(items[i].wrong) for i in chosen])
            for row, i in enumerate(chosen):
                found[i] = {name: logits[row] for name, logits in tone.items()}, words[row]
    return [found[i] for i in range(len(items))]


def calibrate(model: Any, tokenizer: Any, rows: Sequence[Row]) -> dict[str, Any]:
    """heads.json: weights, temperatures that make probabilities honest on these rows, threshold of doubts."""
    import torch

    items = examples(rows, tokenizer)
    logits = logits_of(model, items, tokenizer.pad_token_id)
    heads: dict[str, Any] = {"tone": {}}
    for name, labels in LABELS.items():
        rated = [
            (out[0][name], labels.index(row.labels[name]))
            for out, row in zip(logits, rows, strict=True)
            if judged(row, name)
        ]
        temperature = 1.0
        if rated:
            table, truth = torch.stack([one for one, _ in rated]), torch.tensor([label for _, label in rated])
            temperature = best_temperature(torch.nn.functional.cross_entropy, table, truth)
        layer = model.tone[name]
        heads["tone"][name] = {
            "labels": list(labels),
            "weight": rounded(layer.weight),
            "bias": rounded(layer.bias),
            "temperature": temperature,
        }
    known = [
        (out[1][i], label)
        for out, item in zip(logits, items, strict=True)
        for i, label in enumerate(item.wrong)
        if label != NEVER
    ]
    temperature = threshold = 1.0
    if known:
        table, truth = torch.stack([one for one, _ in known]), torch.tensor([label for _, label in known])
        temperature = best_temperature(torch.nn.functional.binary_cross_entropy_with_logits, table, truth)
        threshold = precise_threshold((table / temperature).sigmoid().tolist(), truth.tolist())
    first, _, last = model.doubts
    heads["doubts"] = {
        "hidden": rounded(first.weight), "hidden_bias": rounded(first.bias), "out": rounded(last.weight[0]),
        "out_bias": rounded(last.bias), "temperature": temperature, "threshold": threshold,
    }  # fmt: skip
    return heads


def rounded(tensor: torch.Tensor) -> Any:
    import numpy as np

    return np.round(tensor.detach().numpy().astype(float), 6).tolist()


def best_temperature(
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor], logits: torch.Tensor, truth: torch.Tensor
) -> float:
    return min((round(1.03**i, 4) for i in range(-40, 61)), key=lambda t: float(loss(logits / t, truth)))


def precise_threshold(chances: Sequence[float], truth: Sequence[float], precision: float = 0.8) -> float:
    """The lowest probability from which at least `precision` of the words are wrong indeed."""
    hits, best = 0.0, 1.0
    for count, (chance, wrong) in enumerate(sorted(zip(chances, truth, strict=True), reverse=True), 1):
        hits += wrong
        if hits >= precision * count:
            best = chance
    return round(best, 4)


def predict(model: Any, tokenizer: Any, rows: Sequence[Row], heads: dict[str, Any]) -> list[Prediction]:
    import numpy as np

    items = examples(rows, tokenizer)
    spans = [encode(row.text, lambda word: ()).spans for row in rows]
    made = []
    for (tone, doubts), span in zip(logits_of(model, items, tokenizer.pad_token_id), spans, strict=True):
        tones = {
            name: (one / heads["tone"][name]["temperature"]).softmax(0).numpy() for name, one in tone.items()
        }
        made.append(Prediction(tones, span, np.asarray((doubts / heads["doubts"]["temperature"]).sigmoid())))
    return made

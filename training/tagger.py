"""The tagger: an encoder that says of every word whether it is right and, if not, what should stand there.

    python -m training tagger --clean clean.jsonl --email email.jsonl --out runs/tagger --max_minutes 60
    python -m conversion gguf runs/tagger/encoder runs/tagger/encoder-f16.gguf
    python -m conversion quantize runs/tagger/encoder-f16.gguf space/models/tagger/encoder.gguf
    cp runs/tagger/tags.json runs/tagger/head.npz space/models/tagger/

On two cores two copies of a run that go on with other seeds, averaged by --average, come further than one.
Every word gets one of a few thousand edit tags (space/tags.py), as in GECToR (Omelianchuk et al. 2020,
arXiv:2005.12592). Resumes from OUT/checkpoint.pt exactly: optimiser, schedule and data position.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import time
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from space.encoder import FEATURES, encode, features
from space.errors import UserError
from space.tags import KEEP, WRONG, tag_of
from training.align import fixes
from training.pairs import Pair, PairMaker, learner_pairs, load_texts
from training.pretrain import wsd
from training.tone import prune

if TYPE_CHECKING:
    import numpy as np
    import torch

_COUNTED = 120_000  # pairs from which the vocabulary of tags is counted
_RAREST = 4  # times a tag must be seen among them
_POOL = 2048  # pairs drawn, sorted by length and cut into batches at a time
_MAX_TOKENS = 126  # of one text, without [CLS] and [SEP]; longer ones are left out
_HELD_OUT = 50  # one text in so many is not trained on, but measures it
_LEARNER_SHARE = 0.04  # of the pairs, real mistakes
_CHECKPOINT_SECONDS = 240
INNER = 384  # hidden units of the head


def add_arguments(parser: argparse.ArgumentParser) -> None:
    data = parser.add_argument_group("data (JSON lines)")
    data.add_argument("--clean", type=Path, required=True, help="clean sentences, rows of text")
    data.add_argument("--email", type=Path, required=True, help="clean sentences of business mail, the same")
    data.add_argument("--learner", type=Path, help="tokenised source and corrected columns (ErAConD)")
    parser.add_argument(
        "--base", default="sentence-transformers/all-MiniLM-L6-v2", help="folder or Hub id of a BERT encoder"
    )
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for the checkpoint, encoder/ and the head"
    )
    parser.add_argument(
        "--max_minutes", type=float, default=60.0, help="length of the run, resumed time included"
    )
    parser.add_argument("--vocab_size", type=int, default=2500, help="tags")
    parser.add_argument(
        "--learning_rate", type=float, default=2e-4, help="of the encoder; the head gets three times that"
    )
    parser.add_argument("--batch_tokens", type=int, default=2048, help="tokens per step, padding included")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--average", type=Path, nargs="+", metavar="RUN",
        help="train nothing: write the mean of these runs, copies of one that went on with other seeds",
    )  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One text for the encoder: token ids with [CLS] and [SEP], each word's tokens, marks and label."""

    ids: list[int]
    word_of: list[int]
    marks: np.ndarray  # (words, FEATURES)
    labels: list[int]


def run(args: argparse.Namespace) -> None:
    import torch

    torch.manual_seed(args.seed)
    args.out.mkdir(parents=True, exist_ok=True)
    general, email = _hold_out(load_texts(args.clean)), _hold_out(load_texts(args.email))
    maker, unseen = (PairMaker(*texts, runs=True) for texts in zip(general, email, strict=True))
    if args.average:
        tags = _same_tags(args.average)
        model, tokenizer = build(args.base, len(tags))
        model.load_state_dict(_mean(args.average))
        state: dict[str, Any] = {"averaged": len(args.average)}
    else:
        tags = _tags(args.out / "tags.json", maker, args.vocab_size, args.seed)
        model, tokenizer = build(args.base, len(tags))
        state = _train(args, model, tokenizer, tags, maker)
    held = _batches(unseen, [], tokenizer, tags, args.seed, args.batch_tokens, {"pool": 0, "batch": 0})
    figures = measure(
        model, [rows for pool, _, rows in itertools.takewhile(lambda batch: batch[0] == 0, held)]
    )
    export(model, tokenizer, args.out, tags)
    print(json.dumps({"out": str(args.out), "tags": len(tags), **state, **figures}))


def _train(
    args: argparse.Namespace, model: Any, tokenizer: Any, tags: Sequence[str], maker: PairMaker
) -> dict[str, Any]:
    """Trains until --max_minutes are over, going on from a checkpoint; says how far it came."""
    import torch

    learner = learner_pairs(args.learner) if args.learner else []
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model.to(device)
    optimizer = torch.optim.AdamW(
        [{"params": [p for p in model.encoder.parameters() if p.requires_grad], "share": 1.0}, {"params": model.head.parameters(), "share": 3.0}],
        lr=args.learning_rate, weight_decay=0.01, fused=True,
    )  # fmt: skip
    state: dict[str, Any] = {"step": 0, "pool": 0, "batch": 0, "pairs": 0, "seconds": 0.0}
    checkpoint = args.out / "checkpoint.pt"
    if checkpoint.exists():
        saved = torch.load(checkpoint, map_location=device, weights_only=False)
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        state = saved["state"]
        print(
            f"resumed at step {state['step']:,}, {state['pairs']:,} pairs, {state['seconds'] / 60:.1f} minutes"
        )

    def save() -> None:
        part = checkpoint.with_suffix(".tmp")
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "state": state}, part)
        part.replace(checkpoint)

    began = saved_at = time.monotonic() - state["seconds"]
    losses: list[float] = []
    for pool, batch, rows in _batches(maker, learner, tokenizer, tags, args.seed, args.batch_tokens, state):
        progress = state["seconds"] / 60 / args.max_minutes
        if progress >= 1:
            break
        for group in optimizer.param_groups:
            group["lr"] = args.learning_rate * group["share"] * wsd(progress)
        with torch.autocast(device, dtype=torch.bfloat16):
            logits, labels = model(rows)
        loss = torch.nn.functional.cross_entropy(logits.float(), labels)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.item())
        now = time.monotonic()
        state = {"step": state["step"] + 1, "pool": pool, "batch": batch + 1,
                 "pairs": state["pairs"] + len(rows), "seconds": now - began}  # fmt: skip
        if state["step"] % 50 == 0:
            speed = state["pairs"] / state["seconds"]
            print(f"step {state['step']:,}  loss {sum(losses) / len(losses):.4f}  {state['pairs']:,} pairs  "
                  f"{speed:.0f} pairs/s  {progress:.1%} done", flush=True)  # fmt: skip
            losses.clear()
        if now - saved_at > _CHECKPOINT_SECONDS:
            saved_at = now
            save()
    save()
    return state


def _same_tags(runs: Sequence[Path]) -> list[str]:
    """The tags of these runs. UserError if one has none, or others."""
    try:
        found = [(run / "tags.json").read_text("utf-8") for run in runs]
    except OSError as error:
        raise UserError(f"{error.filename} cannot be read: give --average folders of runs") from error
    if len(set(found)) > 1:
        raise UserError("--average: the runs have other tags; let them begin as copies of one run")
    return list(json.loads(found[0])["tags"])


def _mean(runs: Sequence[Path]) -> dict[str, Any]:
    """The mean of the weights in the runs' checkpoints.

    Runs that began as one and saw other data end beside the same minimum, and their mean lies nearer to it than either
    (Wortsman et al. 2022, arXiv:2203.05482).
    """
    import torch

    try:
        loaded = [
            torch.load(run / "checkpoint.pt", map_location="cpu", weights_only=False)["model"] for run in runs
        ]
    except OSError as error:
        raise UserError(f"{error.filename} cannot be read: give --average folders of runs") from error
    return {
        name: sum(each[name] for each in loaded) / len(loaded) if first.is_floating_point() else first
        for name, first in loaded[0].items()
    }


def _hold_out(texts: Sequence[str]) -> tuple[list[str], list[str]]:
    """The texts to train on, and one in fifty, drawn by a hash, to measure on."""
    parts: tuple[list[str], list[str]] = ([], [])
    for text in texts:
        parts[zlib.crc32(text.encode()) % _HELD_OUT == 0].append(text)
    return parts[0], parts[1] or parts[0]  # of a handful of texts none may be drawn


def measure(model: Any, batches: Sequence[Sequence[Row]]) -> dict[str, float]:
    """The threshold of the probability of being wrong with the best F1, and what it finds.

    `precision` and `recall` are of wrong words, `fixed` is the share of those found whose likeliest fix is right.
    """
    import torch

    keep, wrong = 0, 1  # places in the vocabulary
    chances, truth, right = [], [], []
    with torch.inference_mode():
        for rows in batches:
            logits, labels = model(rows)
            chances.append(1 - logits.softmax(1)[:, keep])
            truth.append(labels != keep)
            logits[:, [keep, wrong]] = -torch.inf
            right.append(logits.argmax(1) == labels)
    chance, is_wrong, is_right = torch.cat(chances), torch.cat(truth), torch.cat(right)

    def figures(threshold: float) -> dict[str, float]:
        found = chance >= threshold
        hits = (found & is_wrong).sum().item()
        precision, recall = hits / max(found.sum().item(), 1), hits / max(is_wrong.sum().item(), 1)
        fixed = (found & is_wrong & is_right).sum().item() / max(hits, 1)
        return {"threshold": threshold, "precision": round(precision, 4), "recall": round(recall, 4),
                "fixed": round(fixed, 4)}  # fmt: skip

    def f1(figures: dict[str, float]) -> float:
        p, r = figures["precision"], figures["recall"]
        return 2 * p * r / max(p + r, 1e-9)

    return max((figures(step / 20) for step in range(1, 20)), key=f1)


def build(base: str, tags: int) -> tuple[Any, Any]:
    """The model and its tokenizer. Called with rows, the model gives logits (words, tags) and labels (words,)."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    # On a CPU, eager attention takes two thirds of the time of sdpa here; rare words keep their meaning, and a step
    # costs less, without gradients of the embeddings.
    try:
        encoder = AutoModel.from_pretrained(
            base, add_pooling_layer=False, dtype=torch.float32, attn_implementation="eager"
        )
        tokenizer = AutoTokenizer.from_pretrained(base)
    except OSError as error:
        raise UserError(
            f"no encoder at {base}: give --base a folder or a Hub id that can be reached"
        ) from error
    encoder.embeddings.requires_grad_(False)
    tokenizer = prune(encoder, tokenizer)

    class Tagger(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = encoder
            width = encoder.config.hidden_size
            self.head = torch.nn.Sequential(
                torch.nn.Linear(width + FEATURES, INNER), torch.nn.ReLU(), torch.nn.Linear(INNER, tags)
            )

        def forward(self, rows: Sequence[Row]) -> tuple[torch.Tensor, torch.Tensor]:
            device = self.head[0].weight.device
            length = max(len(row.ids) for row in rows)
            ids = torch.full((len(rows), length), tokenizer.pad_token_id)
            word = torch.zeros(
                (len(rows), length), dtype=torch.long
            )  # 0 is the waste word of [CLS], [SEP] and padding
            words = 1
            for i, row in enumerate(rows):
                ids[i, : len(row.ids)] = torch.tensor(row.ids)
                word[i, 1 : len(row.ids) - 1] = torch.tensor(row.word_of) + words
                words += len(row.labels)
            ids, word = ids.to(device), word.flatten().to(device)
            mask = (ids != tokenizer.pad_token_id).long()
            hidden = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state.flatten(0, 1).float()
            sums = torch.zeros(words, hidden.shape[1], device=device).index_add_(0, word, hidden)
            means = sums[1:] / torch.bincount(word, minlength=words)[1:, None].clamp(min=1)
            marks = torch.cat([torch.from_numpy(row.marks) for row in rows]).to(device)
            labels = torch.tensor([label for row in rows for label in row.labels], device=device)
            return self.head(torch.cat([means, marks], 1)), labels

    return Tagger(), tokenizer


def export(model: Any, tokenizer: Any, out: Path, tags: Sequence[str]) -> None:
    """Writes encoder/ for conversion, and for space.tagger head.npz (float16) and tags.json."""
    import numpy as np

    model.encoder.save_pretrained(out / "encoder")
    tokenizer.save_pretrained(out / "encoder")
    first, _, last = model.head
    arrays = {"hidden": first.weight, "hidden_bias": first.bias, "out": last.weight, "out_bias": last.bias}
    np.savez_compressed(
        out / "head.npz", **{k: v.detach().cpu().numpy().astype(np.float16) for k, v in arrays.items()}
    )
    _write_tags(out / "tags.json", tags)


def _write_tags(path: Path, tags: Sequence[str]) -> None:
    path.write_text(json.dumps({"tags": tags}, ensure_ascii=False), "utf-8")


def _tags(path: Path, maker: PairMaker, size: int, seed: int) -> list[str]:
    """The vocabulary: KEEP and WRONG, then the most frequent tags of corrupted sentences."""
    if not path.exists():
        rng = random.Random(f"{seed}/tags")
        seen: Counter[str] = Counter()
        for _ in range(_COUNTED):
            pair = _draw(maker, rng)
            for start, end, fix in fixes(pair.bad, pair.good):
                seen[tag_of(pair.bad[start:end], fix)] += 1
        common = [tag for tag, count in seen.most_common() if count >= _RAREST and tag not in (KEEP, WRONG)]
        covered = sum(seen[tag] for tag in common[: size - 2]) / (seen.total() - seen[KEEP])
        print(f"{len(common[: size - 2]) + 2} tags make {covered:.0%} of the corrections")
        _write_tags(path, [KEEP, WRONG, *common[: size - 2]])
    return list(json.loads(path.read_text("utf-8"))["tags"])


def _draw(maker: PairMaker, rng: random.Random) -> Pair:
    while (pair := maker.draw(rng)).mode != "proofread":
        pass
    return pair


def _batches(
    maker: PairMaker, learner: Sequence[Pair], tokenizer: Any, tags: Sequence[str], seed: int, batch_tokens: int,
    state: dict[str, Any],
) -> Iterator[tuple[int, int, list[Row]]]:  # fmt: skip
    """(pool, batch, rows) from the state's position on, without end; each depends on the seed and its number alone."""
    number = {tag: i for i, tag in enumerate(tags)}
    cache: dict[str, list[int]] = {}

    def tokenize(word: str) -> list[int]:
        if word not in cache:
            cache[word] = tokenizer(word, add_special_tokens=False).input_ids
        return cache[word]

    pool, skip = state["pool"], state["batch"]
    while True:
        rng = random.Random(f"{seed}/{pool}")
        rows = []
        for _ in range(_POOL):
            pair = rng.choice(learner) if learner and rng.random() < _LEARNER_SHARE else _draw(maker, rng)
            row = row_of(pair, tokenize, number, tokenizer.cls_token_id, tokenizer.sep_token_id)
            if row:
                rows.append(row)
        rows.sort(key=lambda row: len(row.ids))
        batches: list[list[Row]] = [[]]
        for row in rows:
            if batches[-1] and (len(batches[-1]) + 1) * len(row.ids) > batch_tokens:
                batches.append([])
            batches[-1].append(row)
        rng.shuffle(batches)
        for i, batch in enumerate(batches[skip:], skip):
            yield pool, i, batch
        pool, skip = pool + 1, 0


def row_of(pair: Pair, tokenize: Any, number: dict[str, int], cls: int, sep: int) -> Row | None:
    """The labelled words of the pair's wrong side; None if it is empty or too long."""
    code = encode(pair.bad, tokenize)
    if not 0 < len(code.ids) <= _MAX_TOKENS:
        return None
    right = {(start, end): fix for start, end, fix in fixes(pair.bad, pair.good, code.spans)}
    used = sorted(set(code.word_of))  # a word of odd characters may have no token
    place = {word: i for i, word in enumerate(used)}
    wrong = number[WRONG]
    labels = [number.get(tag_of(pair.bad[a:b], right[a, b]), wrong) for a, b in (code.spans[i] for i in used)]
    return Row(
        [cls, *code.ids, sep], [place[w] for w in code.word_of], features(pair.bad, code.spans)[used], labels
    )

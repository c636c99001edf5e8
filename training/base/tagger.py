"""The tagger: an encoder that says of every word whether it is right and, if not, what should stand there.

    python -m training tagger --clean clean.jsonl --email email.jsonl --out runs/tagger --max_minutes 60
    python -m conversion gguf runs/tagger/encoder runs/tagger/encoder-f16.gguf
    python -m conversion quantize runs/tagger/encoder-f16.gguf space/models/tagger/encoder.gguf
    cp runs/tagger/tags.json runs/tagger/head.npz space/models/tagger/

On two cores two copies of a run that go on with other seeds, averaged by --average, come further than one. The last run goes
on from the one before (--base) on real corrections: --real, --real_share 0.5, a quarter of the learning rate. With --lora_r it
trains a small adapter over an encoder and a head that stay as they are:

    python -m conversion adapter runs/tagger/adapter space/models/tagger/adapter.gguf --base runs/base/encoder

Every word gets one of a few thousand edit tags (space/proofread/classifiers/tags.py), as in GECToR (Omelianchuk et al. 2020,
arXiv:2005.12592); training/base/loop.py says how a run goes on.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any

from space.errors import UserError
from space.proofread.classifiers.encoder import FEATURES, encode, features
from space.proofread.classifiers.tags import KEEP, WRONG, tag_of
from training.base import hardware, loop
from training.base.tone_model import prune
from training.data.align import fixes
from training.data.pairs import Pair, PairMaker, calibration_texts, learner_pairs, load_texts, real_pairs

if TYPE_CHECKING:
    import numpy as np
    import torch

_COUNTED = 120_000  # pairs from which the vocabulary of tags is counted
_RAREST = 4  # times a tag must be seen among them
_MAX_TOKENS = 126  # of one text, without [CLS] and [SEP]; longer ones are left out
_HELD_OUT = 50  # one text in so many is not trained on, but measures it
INNER = 384  # hidden units of the head
_HEAD = ("hidden", "hidden_bias", "out", "out_bias")  # names in head.npz


def add_arguments(parser: argparse.ArgumentParser) -> None:
    data = parser.add_argument_group("data (JSON lines)")
    data.add_argument("--clean", type=Path, required=True, help="clean sentences, rows of text")
    data.add_argument("--email", type=Path, required=True, help="clean sentences of business mail, the same")
    data.add_argument("--learner", type=Path, help="tokenised source and corrected columns (ErAConD)")
    data.add_argument(
        "--real", type=Path, nargs="*", default=[],
        help="real corrections, source and target, or text that is right; with a rule or a repository to hold some back by",
    )  # fmt: skip
    data.add_argument(
        "--real_share", type=float, default=0.04, help="of the pairs: real corrections, where there are some"
    )
    parser.add_argument(
        "--base", default="sentence-transformers/all-MiniLM-L6-v2",
        help="folder or Hub id of a BERT encoder, or an earlier --out to go on from",
    )  # fmt: skip
    parser.add_argument("--vocab_size", type=int, default=2500, help="tags")
    parser.add_argument(
        "--lora_r", type=int, help="train an adapter of this rank over an earlier --out, which stays as it is"
    )
    loop.add_arguments(parser, learning_rate=2e-4, batch_tokens=2048)
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

    loop.check(args)
    torch.manual_seed(args.seed)
    args.out.mkdir(parents=True, exist_ok=True)
    texts = load_texts(args.email)
    kept = set(calibration_texts(texts))  # the judge is fitted on what the tagger has not seen
    general, email = (
        _hold_out(load_texts(args.clean)),
        _hold_out([text for text in texts if text not in kept]),
    )
    maker, unseen = (PairMaker(*texts, runs=True) for texts in zip(general, email, strict=True))
    real, held_back = real_pairs(args.real)
    if args.average:
        tags = _same_tags(args.average)
        model, tokenizer = build(args.base, len(tags))
        model.load_state_dict(_mean(args.average))
        state: dict[str, Any] = {"averaged": len(args.average)}
    else:
        tags = _tags(args.out / "tags.json", Path(args.base, "tags.json"), maker, args.vocab_size, args.seed)
        model, tokenizer = build(args.base, len(tags), args.lora_r)
        learner = learner_pairs(args.learner) if args.learner else []
        state = _train(args, model, Pools(maker, [*real, *learner], args.real_share, tokenizer, tags, args))
    figures = measure(model, Pools(unseen, [], 0.0, tokenizer, tags, args).pool(0))
    if held_back:
        figures["real"] = measure(model, Pools(unseen, held_back, 1.0, tokenizer, tags, args).pool(0))
    export(model, tokenizer, args.out, tags)
    print(json.dumps({"out": str(args.out), "tags": len(tags), **state, **figures}))


def _train(args: argparse.Namespace, model: Any, pools: Pools) -> dict[str, Any]:
    import torch

    model.to(hardware.device())
    parts = ((model.encoder, 1.0), (model.head, 3.0))
    groups = [
        {"params": [p for p in part.parameters() if p.requires_grad], "share": share} for part, share in parts
    ]
    optimizer = torch.optim.AdamW(groups, lr=args.learning_rate, weight_decay=0.01, fused=True)
    return loop.train(model, model.encoder, [optimizer], pools, tag_loss, args)


def tag_loss(model: Any, *arrays: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy (nats) of the words' tags."""
    import torch

    logits, labels = model(*arrays)
    return torch.nn.functional.cross_entropy(logits.float(), labels)


def _same_tags(runs: Sequence[Path]) -> list[str]:
    """The tags of these runs. UserError if one has none, or others."""
    try:
        found = [(run / "tags.json").read_text("utf-8") for run in runs]
    except (OSError, RuntimeError, KeyError, EOFError, UnpicklingError) as error:
        raise UserError(
            f"{getattr(error, 'filename', None) or 'a checkpoint'} cannot be read: give --average folders of runs"
        ) from error
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
            torch.load(run / "checkpoint.pt", map_location="cpu", weights_only=True)["model"] for run in runs
        ]
    except (OSError, RuntimeError, KeyError, EOFError, UnpicklingError) as error:
        raise UserError(
            f"{getattr(error, 'filename', None) or 'a checkpoint'} cannot be read: give --average folders of runs"
        ) from error
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


def measure(model: Any, batches: Sequence[loop.Batch]) -> dict[str, Any]:
    """The threshold of the probability of being wrong with the best F1, and what it finds.

    `precision` and `recall` are of wrong words, `fixed` is the share of those found whose likeliest fix is right.
    """
    import torch

    keep, wrong = 0, 1  # places in the vocabulary
    device = next(model.parameters()).device
    chances, truth, right = [], [], []
    with torch.inference_mode():
        for batch in batches:
            logits, labels = model(*(torch.from_numpy(array).to(device) for array in batch.arrays))
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


def build(base: str, tags: int, lora_r: int | None = None) -> tuple[Any, Any]:
    """The model, with the head of `base` if that is an earlier --out, and its tokenizer.

    With `lora_r` an adapter of that rank on all matrices of the encoder is all that learns. Called with what `collate` gives, it gives logits (words, tags) and labels (words,).
    """
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModel, AutoTokenizer

    earlier = Path(base, "head.npz")
    if lora_r and not earlier.is_file():
        raise UserError(f"--base {base} has no head.npz: --lora_r goes on from an earlier --out")
    folder = str(Path(base, "encoder")) if earlier.is_file() else base
    try:
        encoder = AutoModel.from_pretrained(
            folder,
            use_safetensors=True,
            add_pooling_layer=False,
            dtype=torch.float32,
            attn_implementation=hardware.attention(),
        )
        tokenizer = AutoTokenizer.from_pretrained(folder)
    except OSError as error:
        raise UserError(
            f"no encoder at {base}: give --base a folder or a Hub id that can be reached"
        ) from error
    # Rare words keep their meaning, and a step costs less, without gradients of the embeddings.
    encoder.embeddings.requires_grad_(False)
    tokenizer = prune(encoder, tokenizer)
    if lora_r:
        encoder = get_peft_model(
            encoder, LoraConfig(r=lora_r, lora_alpha=2 * lora_r, target_modules="all-linear")
        )

    class Tagger(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = encoder
            width = encoder.config.hidden_size
            self.head = torch.nn.Sequential(
                torch.nn.Linear(width + FEATURES, INNER), torch.nn.ReLU(), torch.nn.Linear(INNER, tags)
            )

        def forward(
            self, ids: torch.Tensor, word: torch.Tensor, marks: torch.Tensor, labels: torch.Tensor
        ) -> tuple[torch.Tensor, torch.Tensor]:
            ids, word = ids.long(), word.flatten().long()
            mask = (ids != tokenizer.pad_token_id).long()
            hidden = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state.flatten(0, 1).float()
            words = len(labels) + 1  # and the waste word
            sums = torch.zeros(words, hidden.shape[1], device=ids.device).index_add_(0, word, hidden)
            means = sums[1:] / torch.bincount(word, minlength=words)[1:, None].clamp(min=1)
            return self.head(torch.cat([means, marks], 1)), labels.long()

    model = Tagger()
    if earlier.is_file():
        _load_head(model, earlier)
    if lora_r:
        model.head.requires_grad_(False)
    return model, tokenizer


def _load_head(model: Any, path: Path) -> None:
    import numpy as np
    import torch

    weights = zip(
        _HEAD,
        (p for layer in (model.head[0], model.head[2]) for p in (layer.weight, layer.bias)),
        strict=True,
    )
    with np.load(path) as arrays, torch.no_grad():
        for name, weight in weights:
            weight.copy_(torch.from_numpy(arrays[name].astype(np.float32)))


def export(model: Any, tokenizer: Any, out: Path, tags: Sequence[str]) -> None:
    """Writes encoder/ for conversion, and for space.proofread.classifiers.tagger head.npz (float16) and tags.json; of an adapter only
    adapter/."""
    import numpy as np
    from peft import PeftModel

    if isinstance(model.encoder, PeftModel):
        model.encoder.save_pretrained(out / "adapter")
        return
    model.encoder.save_pretrained(out / "encoder")
    tokenizer.save_pretrained(out / "encoder")
    first, _, last = model.head
    arrays = dict(zip(_HEAD, (first.weight, first.bias, last.weight, last.bias), strict=True))
    np.savez_compressed(
        out / "head.npz", **{k: v.detach().cpu().numpy().astype(np.float16) for k, v in arrays.items()}
    )
    _write_tags(out / "tags.json", tags)


def _write_tags(path: Path, tags: Sequence[str]) -> None:
    path.write_text(json.dumps({"tags": tags}, ensure_ascii=False), "utf-8")


def _tags(path: Path, earlier: Path, maker: PairMaker, size: int, seed: int) -> list[str]:
    """The vocabulary: that of an earlier run, or KEEP and WRONG, then the most frequent tags of corrupted sentences."""
    if earlier.exists() and not path.exists():
        _write_tags(path, json.loads(earlier.read_text("utf-8"))["tags"])
    if not path.exists():
        rng = random.Random(f"{seed}/tags")
        seen: Counter[str] = Counter()
        for _ in range(_COUNTED):
            pair = _draw(maker, rng)
            for start, end, fix in fixes(pair.bad, pair.good):
                seen[tag_of(pair.bad[start:end], fix)] += 1
        common = [tag for tag, count in seen.most_common() if count >= _RAREST and tag not in (KEEP, WRONG)]
        covered = sum(seen[tag] for tag in common[: size - 2]) / (seen.total() - seen[KEEP])
        print(f"{len(common[: size - 2]) + 2} tags make {covered:.0%} of the corrections", file=sys.stderr)
        _write_tags(path, [KEEP, WRONG, *common[: size - 2]])
    return list(json.loads(path.read_text("utf-8"))["tags"])


def _draw(maker: PairMaker, rng: random.Random) -> Pair:
    while (pair := maker.draw(rng)).mode != "proofread":
        pass
    return pair


class Pools:
    """Pools of batches of about `batch_tokens` padded tokens, length-bucketed."""

    def __init__(
        self, maker: PairMaker, real: Sequence[Pair], real_share: float, tokenizer: Any, tags: Sequence[str],
        args: argparse.Namespace,
    ) -> None:  # fmt: skip
        self._maker, self._real, self._real_share, self._tokenizer = maker, real, real_share, tokenizer
        self._number = {tag: i for i, tag in enumerate(tags)}
        self._seed, self._batch_tokens = args.seed, args.batch_tokens
        self._cache: dict[str, list[int]] = {}

    def pool(self, number: int) -> list[loop.Batch]:
        """The batches of one pool."""
        rng = random.Random(f"{self._seed}/{number}")
        ends = self._tokenizer.cls_token_id, self._tokenizer.sep_token_id
        drawn = (row_of(self._pair(rng), self._tokenize, self._number, *ends) for _ in range(loop.POOL))
        rows = [row for row in drawn if row]
        collated = partial(collate, pad_token_id=self._tokenizer.pad_token_id)
        return loop.shuffled_batches(rows, lambda row: len(row.ids), collated, self._batch_tokens, rng)

    def _pair(self, rng: random.Random) -> Pair:
        if self._real and rng.random() < self._real_share:
            return rng.choice(self._real)
        return _draw(self._maker, rng)

    def _tokenize(self, word: str) -> list[int]:
        if word not in self._cache:
            self._cache[word] = self._tokenizer(word, add_special_tokens=False).input_ids
        return self._cache[word]


def collate(rows: Sequence[Row], pad_token_id: int) -> tuple[np.ndarray, ...]:
    """(B, T) token ids and the word that each belongs to, (words, FEATURES) marks and (words,) labels.

    The words of all rows are counted through from 1; 0 is the waste word of [CLS], [SEP] and padding.
    """
    import numpy as np

    length = max(len(row.ids) for row in rows)
    ids = np.full((len(rows), length), pad_token_id, np.int32)
    word = np.zeros((len(rows), length), np.int32)
    words = 1
    for i, row in enumerate(rows):
        ids[i, : len(row.ids)] = row.ids
        word[i, 1 : len(row.ids) - 1] = np.array(row.word_of) + words
        words += len(row.labels)
    labels = np.array([label for row in rows for label in row.labels], np.int32)
    return ids, word, np.concatenate([row.marks for row in rows]), labels


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

"""A LoRA adapter with which the language model reads: it learns to find a text likelier with a right edit, and with no wrong one.

    python -m training reader --model runs/base --clean clean.jsonl --email email.jsonl --real pairs.jsonl --out runs/reader
    python -m conversion adapter runs/reader/adapter space/models/reader/proofreader.gguf --base runs/base

What is proposed for a text by the classifiers of space/models is labelled by its correction: a real one, or a clean text with mistakes
put in. A text and its versions, each with one edit, are one row and read as in space/proofread/llm/reading.py; an edit is right with the
probability sigmoid(scale * gain + bias of its kind), of which the loss is the cross-entropy. `--model` keeps its weights: what it
writes stays as it is. training/base/loop.py says how a run goes on.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from space.proofread.edits import JUDGED_KINDS, Edit, apply, canonical
from space.proofread.evidence import Classifiers
from space.proofread.llm.reading import version_of
from space.proofread.propose import LEAST, candidates, word_edit
from training.base import hardware, loop
from training.base.pretrain import pretrained
from training.data.answers import Answers
from training.data.pairs import Pair, PairMaker, calibration_texts, learner_pairs, load_texts, real_pairs

if TYPE_CHECKING:
    import numpy as np
    import torch
    from transformers import LlamaForCausalLM

_REAL_SHARE = 0.6  # of the texts: real corrections, where there are some
_IDENTITY_SHARE = 0.45  # of the others: clean as they are
_MOST = 4  # right edits of a text, and the likeliest wrong ones
_MAX_CHARACTERS, _MAX_TOKENS = 320, 256  # of a text; of a row, its versions included
_MOST_GAIN = 12.0  # nats; more says nothing more
_FAST = 40.0  # times the learning rate for scale and biases


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model", type=Path, required=True, help="folder of the model, as training base makes it"
    )
    data = parser.add_argument_group("data (JSON lines)")
    data.add_argument("--clean", type=Path, required=True, help="clean sentences, rows of text")
    data.add_argument("--email", type=Path, required=True, help="clean sentences of business mail, the same")
    data.add_argument("--learner", type=Path, help="tokenised source and corrected columns (ErAConD)")
    data.add_argument(
        "--real", type=Path, nargs="*", default=[],
        help="real corrections, source and target, or text that is right; with a rule or a repository to hold some back by",
    )  # fmt: skip
    parser.add_argument("--lora_r", type=int, default=16, help="rank")
    loop.add_arguments(parser, learning_rate=5e-4, batch_tokens=4096)


def run(args: argparse.Namespace) -> None:
    import torch

    loop.check(args)
    torch.manual_seed(args.seed)
    args.out.mkdir(parents=True, exist_ok=True)
    email = load_texts(args.email)
    kept = set(calibration_texts(email))
    maker = PairMaker(load_texts(args.clean), [text for text in email if text not in kept], _IDENTITY_SHARE)
    real = real_pairs(args.real)[0] + (learner_pairs(args.learner) if args.learner else [])
    base, tokenizer = pretrained(args.model, hardware.dtype(hardware.device()))
    model = _reading(base, args.lora_r).to(hardware.device())
    learnt = [parameter for parameter in model.lm.parameters() if parameter.requires_grad]
    groups = [{"params": learnt}, {"params": [model.log_scale, model.bias], "share": _FAST}]
    optimizer = torch.optim.AdamW(groups, lr=args.learning_rate, betas=(0.9, 0.98), weight_decay=0.0)
    trained = sum(parameter.numel() for parameter in learnt)
    print(f"{trained / 1e6:.1f} M parameters to train; {len(real):,} real pairs", file=sys.stderr)
    pools = Pools(tokenizer, maker, real, args.seed, args.batch_tokens)
    state = loop.train(model, model.trunk, [optimizer], pools, reading_loss, args)
    model.lm.save_pretrained(args.out / "adapter")
    print(json.dumps({"out": str(args.out / "adapter"), "parameters": trained, **state}))


def _reading(base: LlamaForCausalLM, lora_r: int) -> Any:
    """The model that reads: its weights as they are, an adapter on all of its matrices, and what gains are weighed with."""
    import torch
    from peft import LoraConfig, get_peft_model

    class Reading(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            config = LoraConfig(
                r=lora_r, lora_alpha=2 * lora_r, target_modules="all-linear", task_type="CAUSAL_LM"
            )
            self.lm = get_peft_model(base, config)
            self.trunk = base.model
            self.log_scale = torch.nn.Parameter(torch.tensor(-1.0))
            self.bias = torch.nn.Parameter(torch.full((len(JUDGED_KINDS),), -1.0))

        def forward(
            self, input_ids: torch.Tensor, positions: torch.Tensor, seen: torch.Tensor, *read: torch.Tensor
        ) -> torch.Tensor:
            """How much likelier (nats) each version is than its text, of a batch as `collate` makes it."""
            rows, tokens, versions, signs = read
            mask = torch.zeros(seen.shape, dtype=base.dtype, device=seen.device)
            mask = mask.masked_fill(~seen, torch.finfo(base.dtype).min)[:, None]
            hidden = self.trunk(
                input_ids=input_ids, position_ids=positions, attention_mask=mask, use_cache=False
            ).last_hidden_state.flatten(0, 1)
            needed, place = rows.unique(return_inverse=True)
            logits = base.lm_head(hidden[needed]).float()
            found = logits[place, tokens] - logits.logsumexp(1)[place]
            return found.new_zeros(int(versions.max()) + 1).index_add(0, versions, found * signs)

    return Reading()


def reading_loss(model: Any, *arrays: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy (nats) of the labels of the versions."""
    import torch

    *read, right, kinds = arrays
    gains = _MOST_GAIN * torch.tanh(model(*read) / _MOST_GAIN)
    logits = model.log_scale.exp() * gains + model.bias[kinds]
    return torch.nn.functional.binary_cross_entropy_with_logits(logits, right)


# ---- rows ----


@dataclass(frozen=True)
class Row:
    """A text and behind it what each of its versions has of its own.

    `spans` say of each stretch where it begins and ends, and how much of the text it follows on; `read` are, for each token that counts, the place
    whose logits tell of it, itself, its version, and whether it counts for (1) or against it (-1).
    """

    ids: list[int]
    positions: list[int]
    spans: list[tuple[int, int, int]]
    read: list[tuple[int, int, int, int]]
    right: list[bool]
    kinds: list[int]


def row_of(
    text: Sequence[int], versions: Sequence[Sequence[int]], right: list[bool], kinds: list[int]
) -> Row:
    """The row of a text and other versions of it, all in tokens, the first of which opens a text."""
    places = [version_of(text, version) for version in versions]
    length = max(place.end_of_text for place in places)
    ids, positions = list(text[:length]), list(range(length))
    spans, read = [(0, length, 0)], []
    for number, place in enumerate(places):
        begin = len(ids)
        own = place.tokens[place.head : place.end]
        ids += own
        positions += range(place.head, place.end)
        spans.append((begin, len(ids), place.head))
        read += [(i - 1, text[i], number, -1) for i in range(place.head, place.end_of_text)]
        before = [place.head - 1, *range(begin, len(ids) - 1)]
        read += [(i, token, number, 1) for i, token in zip(before, own, strict=False)]  # of nothing, nothing
    return Row(ids, positions, spans, read, right, kinds)


def collate(rows: Sequence[Row], pad_token_id: int) -> tuple[np.ndarray, ...]:
    """input_ids and positions (B, T), which tokens each one sees (B, T, T), and of what is read (`Row.read`) place, token, version and
    sign, each (N,), and right and kinds of the versions (V,)."""
    import numpy as np

    length = loop.padded(max(len(row.ids) for row in rows))
    ids = np.full((len(rows), length), pad_token_id)
    positions = np.zeros((len(rows), length), np.int64)
    seen = np.zeros((len(rows), length, length), bool)
    seen[:, range(length), range(length)] = True  # padding sees itself: attention to nothing is no number
    read, versions = [], 0
    for i, row in enumerate(rows):
        ids[i, : len(row.ids)], positions[i, : len(row.ids)] = row.ids, row.positions
        for begin, end, head in row.spans:
            seen[i, begin:end, :head] = True
            seen[i, begin:end, begin:end] = np.tri(end - begin, dtype=bool)
        read += [(i * length + at, token, versions + number, sign) for at, token, number, sign in row.read]
        versions += len(row.right)
    places, tokens, numbers, signs = (np.array(each) for each in zip(*read, strict=True))
    right = np.array([each for row in rows for each in row.right], np.float32)
    kinds = np.array([each for row in rows for each in row.kinds])
    return ids, positions, seen, places, tokens, numbers, signs, right, kinds


class Pools:
    """Pools of batches of about `batch_tokens` padded tokens, length-bucketed."""

    def __init__(
        self, tokenizer: Any, maker: PairMaker, real: Sequence[Pair], seed: int, batch_tokens: int
    ) -> None:
        self._tokenizer, self._maker, self._real = tokenizer, maker, real
        self._seed, self._batch_tokens = seed, batch_tokens

    def pool(self, number: int) -> list[loop.Batch]:
        """The batches of one pool."""
        rng = random.Random(f"{self._seed}/{number}")
        rows = [row for _ in range(loop.POOL) if (row := self._row(rng))]
        pad = self._tokenizer.pad_token_id
        return loop.shuffled_batches(
            rows, lambda row: len(row.ids), lambda some: collate(some, pad), self._batch_tokens, rng
        )

    def _row(self, rng: random.Random) -> Row | None:
        real = bool(self._real) and rng.random() < _REAL_SHARE
        pair = rng.choice(self._real) if real else self._maker.draw(rng)
        if pair.mode != "proofread" or len(pair.bad) > _MAX_CHARACTERS:
            return None
        text = self._tokens(pair.bad)
        found = ((self._tokens(apply(pair.bad, [edit])), edit, right) for edit, right in labelled(pair, real))
        versions = [each for each in found if each[0] != text]
        if not versions:
            return None
        tokens, edits, right = (list(each) for each in zip(*versions, strict=True))
        row = row_of(text, tokens, right, [JUDGED_KINDS.index(edit.kind) for edit in edits])
        return row if len(row.ids) <= _MAX_TOKENS else None

    def _tokens(self, text: str) -> list[int]:
        return [self._tokenizer.bos_token_id, *self._tokenizer(text, add_special_tokens=False).input_ids]


def labelled(pair: Pair, real: bool) -> Iterator[tuple[Edit, bool]]:
    """What is proposed for a text, the likeliest first, with whether it is right: right edits and wrong ones, a few of each.

    Where a real correction says nothing an edit is left out; a text with mistakes put in has no others.
    """
    classifiers, answers = _classifiers(), Answers(pair)
    (words,) = classifiers.tagger.tag([pair.bad])
    found: dict[tuple[int, int, str], Edit] = {}
    for each in candidates(pair.bad, words, classifiers.lexicon):
        score = classifiers.judge.prior(each.features)
        edit = word_edit(pair.bad, each.word.start, each.word.end, each.after, each.source, score)
        found.setdefault(canonical(edit, pair.bad), edit)
    left = {True: _MOST, False: _MOST}
    for edit in sorted(found.values(), key=lambda edit: -edit.score):
        right = answers.right(edit)
        right = False if right is None and not real else right
        if right is not None and left[right] and (right or edit.score >= LEAST):
            left[right] -= 1
            yield edit, right


@cache
def _classifiers() -> Classifiers:
    """Opened where they are used first, a process that makes pools."""
    from space.proofread.pipeline import load_classifiers

    return load_classifiers()

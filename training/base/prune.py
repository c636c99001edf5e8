"""A pretrained Llama made small: the layers and the words of its vocabulary that matter least for our texts are dropped.

    python -m training prune --model SmolLM2-135M-Instruct.gguf --texts clean.jsonl email.jsonl --out DIR/base

`--model` is a folder, a Hub repo id or a GGUF file of a Llama with a byte-level BPE tokenizer. Layers are ranked by what
the loss on the texts rises by when one is skipped (as in Men et al. 2024, arXiv:2403.03853, with the loss itself for a
measure); tokens by how often the texts use them, each with the merges that make it. What is left has lost some of its
English: `python -m training pretrain --model DIR/base` gives it back along with the task.
"""

from __future__ import annotations

import argparse
import json
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from space.errors import UserError
from space.proofread.prompt import BEGIN, CHAT_TEMPLATE, END, PAD, SPECIAL_TOKENS
from training.base import hardware
from training.base.base import from_name, load_llama
from training.base.pretrain import collate, save_model, split_like_llama3, target_loss
from training.data.pairs import load_texts

if TYPE_CHECKING:
    import torch
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

_COUNTED = 600_000  # texts whose tokens are counted
_MEASURED = 120  # texts that the loss is measured on
_MEASURED_TOKENS = 64  # of each
_AT_ONCE = 24


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model", required=True, help="pretrained Llama: a folder, a Hub repo id or a GGUF file"
    )
    parser.add_argument("--texts", type=Path, nargs="+", required=True, help="JSON lines with a text column")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--num_hidden_layers", type=int, default=16, help="layers to keep")
    parser.add_argument("--vocab_size", type=int, default=16_384, help="tokens to keep")
    parser.add_argument("--seed", type=int, default=0)


def run(args: argparse.Namespace) -> None:
    import torch
    from transformers import AutoTokenizer

    rng = random.Random(args.seed)
    texts = [load_texts(path) for path in args.texts]
    counted = [text for some in texts for text in rng.sample(some, min(len(some), _COUNTED // len(texts)))]
    measured = [text for some in texts for text in rng.sample(some, min(len(some), _MEASURED // len(texts)))]
    model, tokenizer = load_llama(args.model), from_name(AutoTokenizer, args.model)
    if args.num_hidden_layers > model.config.num_hidden_layers:
        raise UserError(
            f"{args.model} has {model.config.num_hidden_layers} layers: keep fewer, --num_hidden_layers"
        )
    rows = sorted((tokenizer(text).input_ids[:_MEASURED_TOKENS] for text in measured), key=len)
    before = _loss(model, rows)
    costs = {i: _loss(model, rows, skipped=i) - before for i in range(model.config.num_hidden_layers)}
    kept = sorted(sorted(costs, key=lambda i: -costs[i])[: args.num_hidden_layers])
    keep_layers(model, kept)
    after = _loss(model, rows)
    tokenizer, old_ids = keep_tokens(tokenizer, counted, args.vocab_size)
    with torch.no_grad():
        rows_kept = model.get_input_embeddings().weight[torch.tensor(old_ids)].clone()
    model.resize_token_embeddings(len(old_ids))
    with torch.no_grad():
        model.get_input_embeddings().weight.copy_(rows_kept)
    model.config.update({"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id,
                         "pad_token_id": tokenizer.pad_token_id, "max_position_embeddings": 2048})  # fmt: skip
    model.generation_config = type(model.generation_config).from_model_config(model.config)
    save_model(args.out, model, tokenizer)
    pieces = sum(len(tokenizer(text).input_ids) for text in measured)
    print(json.dumps({
        "out": str(args.out), "parameters": sum(p.numel() for p in model.parameters()), "layers": kept,
        "nats_per_token": round(before, 3), "nats_per_token_without_layers": round(after, 3),
        "loss_rise_by_layer": {i: round(cost, 2) for i, cost in costs.items()},
        "tokens_per_text": round(pieces / len(measured), 2),
    }))  # fmt: skip


def _loss(model: LlamaForCausalLM, rows: Sequence[list[int]], skipped: int | None = None) -> float:
    """Mean cross-entropy (nats a token) of the rows, with one layer skipped."""
    import torch

    layers = model.model.layers
    if skipped is not None:
        keep_layers(model, [i for i in range(len(layers)) if i != skipped])
    total = count = 0.0
    with torch.no_grad(), hardware.autocast("cpu"):
        for i in range(0, len(rows), _AT_ONCE):
            batch = [(row, [1.0] * (len(row) - 1)) for row in rows[i : i + _AT_ONCE]]
            tokens = sum(len(weights) for _, weights in batch)
            total += target_loss(model, *map(torch.from_numpy, collate(batch, 0))).item() * tokens
            count += tokens
    if skipped is not None:
        _set_layers(model, list(layers))
    return total / count


def keep_layers(model: LlamaForCausalLM, kept: Sequence[int]) -> None:
    """Drops all decoder layers but `kept`, in place."""
    _set_layers(model, [model.model.layers[i] for i in kept])


def _set_layers(model: LlamaForCausalLM, layers: list[torch.nn.Module]) -> None:
    import torch

    model.model.layers = torch.nn.ModuleList(layers)
    model.config.num_hidden_layers = len(layers)
    for i, layer in enumerate(layers):
        layer.self_attn.layer_idx = i  # its place in the cache


def keep_tokens(
    tokenizer: PreTrainedTokenizerFast, texts: Sequence[str], vocab_size: int
) -> tuple[PreTrainedTokenizerFast, list[int]]:
    """A tokenizer of `vocab_size` tokens, ours for chat among them, and for each token the id it had before.

    A kept token keeps the merges that make it, so that a text of kept tokens is cut as it was. Marks of our chat take
    the place of the tokens whose work they do: the end of a text, and a word like "user"; a tokenizer that has them keeps them.
    """
    from tokenizers import AddedToken, Tokenizer
    from transformers import PreTrainedTokenizerFast

    spec = json.loads(tokenizer.backend_tokenizer.to_str())
    old: dict[str, int] = spec["model"]["vocab"]
    merges = [tuple(m.split(" ")) if isinstance(m, str) else tuple(m) for m in spec["model"]["merges"]]
    made_of = {a + b: (a, b) for a, b in reversed(merges)}
    special = {token["content"] for token in spec["added_tokens"]}
    words = {token: i for token, i in old.items() if token not in special}
    names = {i: token for token, i in words.items()}
    used = Counter(
        i for encoding in tokenizer.backend_tokenizer.encode_batch(list(texts)) for i in encoding.ids
    )

    room = vocab_size - len(SPECIAL_TOKENS)
    kept = {token for token in words if token not in made_of}  # single bytes
    for token in (names[i] for i, _ in used.most_common() if i in names):
        needed, todo = set(), [token]
        while todo:
            part = todo.pop()
            if part not in kept and part not in needed:
                needed.add(part)
                todo += made_of[part]
        if len(kept) + len(needed) <= room:
            kept |= needed
    end = tokenizer.eos_token_id
    words_for = {BEGIN: end, END: end, PAD: end} | {
        mark: old.get(mark.strip("<|>"), end) for mark in SPECIAL_TOKENS if mark not in (BEGIN, END, PAD)
    }
    stands_for = words_for | {mark: old[mark] for mark in SPECIAL_TOKENS if mark in old}
    order = sorted(kept, key=words.__getitem__)
    spec["model"]["vocab"] = {token: i for i, token in enumerate([*SPECIAL_TOKENS, *order])}
    spec["model"]["ignore_merges"] = True  # as llama.cpp cuts: a word of the vocabulary is one token
    spec["model"]["merges"] = [[a, b] for a, b in merges if {a, b, a + b} <= kept]
    spec["added_tokens"] = []
    spec["post_processor"] = None
    small = Tokenizer.from_str(json.dumps(spec))
    small.add_special_tokens([AddedToken(mark, special=True, normalized=False) for mark in SPECIAL_TOKENS])
    small.pre_tokenizer = split_like_llama3()
    fast = PreTrainedTokenizerFast(tokenizer_object=small, bos_token=BEGIN, eos_token=END, pad_token=PAD)
    fast.chat_template = CHAT_TEMPLATE
    return fast, [*(stands_for[mark] for mark in SPECIAL_TOKENS), *(words[token] for token in order)]

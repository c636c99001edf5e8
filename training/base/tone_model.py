"""The tone classifier's model: a BERT encoder without the tokens that English does not need, and a head for each tone."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from space.errors import UserError
from space.proofread.classifiers.encoder import encode
from space.proofread.classifiers.tone import LABELS
from space.proofread.lexicon import Lexicon
from space.proofread.names import people
from training.base import hardware
from training.base.tone_rows import NEVER, Row

if TYPE_CHECKING:
    import numpy as np
    import torch

MAX_TOKENS = 160  # per text; longer ones are cut (1 in 1000)
BATCH_TOKENS = 2048  # padded tokens in a batch; with texts of 30 tokens about 65 texts


def build(base: str, seed: int, frozen: int = 0) -> tuple[Any, Any]:
    """The encoder of `base` under heads (new unless `base` is an earlier --out), and its tokenizer."""
    import torch

    earlier = Path(base, "heads.json")
    encoder, tokenizer = _pretrained(str(Path(base, "encoder")) if earlier.is_file() else base)
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

        def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> dict[str, torch.Tensor]:
            """Logits per tone head (texts, 3)."""
            with hardware.autocast(ids.device.type):
                hidden = self.encoder(input_ids=ids.long(), attention_mask=mask).last_hidden_state
            with torch.autocast(ids.device.type, enabled=False):
                weights = mask.unsqueeze(-1).float()
                pooled = (hidden.float() * weights).sum(1) / weights.sum(1)  # (B, D)
                return {name: head(pooled) for name, head in self.tone.items()}

    model = Model()
    if earlier.is_file():
        load_heads(model, json.loads(earlier.read_text(encoding="utf-8")))
    return model, tokenizer


def _pretrained(base: str) -> tuple[Any, Any]:
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()  # the base has a pooler that is not used
    try:
        # On a CPU, eager attention takes two thirds of the time of sdpa here, and dropout another fifth:
        # two epochs over 30,000 texts do without it.
        encoder = AutoModel.from_pretrained(
            base, use_safetensors=True, add_pooling_layer=False, attn_implementation="eager", hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
        )  # fmt: skip
        return encoder, AutoTokenizer.from_pretrained(base)
    except OSError as error:
        raise UserError(
            f"no encoder at {base}: give --base a folder or a Hub id that can be reached"
        ) from error


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
    tokens = [token for token in sorted(old, key=old.__getitem__) if serves_english(token)]
    new = {token: i for i, token in enumerate(tokens)}
    spec["model"]["vocab"] = new
    spec["added_tokens"] = [{**added, "id": new[added["content"]]} for added in spec["added_tokens"]]
    spec["post_processor"] = None
    backend = Tokenizer.from_str(json.dumps(spec))
    cls, sep = special["cls_token"], special["sep_token"]
    backend.post_processor = TemplateProcessing(
        single=f"{cls} $A {sep}", special_tokens=[(cls, new[cls]), (sep, new[sep])]
    )
    weight = encoder.embeddings.word_embeddings.weight.detach()[[old[token] for token in tokens]]
    encoder.embeddings.word_embeddings = torch.nn.Embedding.from_pretrained(weight)
    encoder.config.vocab_size, encoder.config.pad_token_id = len(tokens), new[special["pad_token"]]
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
    """The rows as they are served: names are read as one and the same."""
    lexicon = Lexicon.load()
    cache: dict[str, list[int]] = {}

    def tokenize(word: str) -> list[int]:
        if word not in cache:
            cache[word] = tokenizer(word, add_special_tokens=False)["input_ids"]
        return cache[word]

    cls, sep = tokenizer.cls_token_id, tokenizer.sep_token_id
    return [
        Example(
            [cls, *encode(row.text, tokenize, people(row.text, lexicon)).ids[: MAX_TOKENS - 2], sep],
            row.targets,
        )
        for row in rows
    ]


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


def collate(items: Sequence[Example], pad: int) -> tuple[np.ndarray, ...]:
    """(B, T) token ids and mask, and for each head of LABELS its targets (B, 3)."""
    import numpy as np

    length = max(len(item.ids) for item in items)
    ids = np.full((len(items), length), pad, np.int32)
    mask = np.zeros((len(items), length), np.int32)
    for row, item in enumerate(items):
        ids[row, : len(item.ids)], mask[row, : len(item.ids)] = item.ids, 1
    targets = (
        np.array([item.targets.get(name, (NEVER,) * len(labels)) for item in items], np.float32)
        for name, labels in LABELS.items()
    )
    return ids, mask, *targets

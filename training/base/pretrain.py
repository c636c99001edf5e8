"""A small Llama from scratch: byte-level BPE tokenizer, then plain text mixed with the correction task itself.

    python -m training pretrain --clean clean.jsonl --email email.jsonl --plain plain.jsonl --out DIR --max_minutes 60

--preset gpu is larger and needs a GPU and --workers 14 or so to keep it busy; training/base/loop.py says how a run goes on.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from space.errors import UserError
from space.proofread.lexicon import PATH as LEXICON_PATH
from space.proofread.lexicon import Lexicon
from space.proofread.prompt import (
    BEGIN,
    CHAT_TEMPLATE,
    END,
    MODES,
    PAD,
    PROMPT_VERSION,
    SPECIAL_TOKENS,
    messages,
    render,
)
from training.base import hardware, loop
from training.data.align import changed_words
from training.data.pairs import Pair, PairMaker, learner_pairs, load_texts, real_pairs, simulated_evidence

if TYPE_CHECKING:
    import numpy as np
    import torch
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

# name: (vocab_size, hidden_size, intermediate_size, num_hidden_layers, num_attention_heads, num_key_value_heads)
PRESETS = {
    "test": (512, 64, 128, 2, 2, 1),
    "cpu": (8192, 256, 704, 6, 4, 4),  # 6.9 M parameters
    "gpu": (16384, 512, 1408, 12, 8, 4),  # 41 M parameters
}
_SPLIT = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_TOKENIZER_TEXTS = 120_000
_PLAIN_SHARE = 0.04  # of the units: plain documents, for language modelling
_PLAIN_TOKENS = 160
_IDENTITY_SHARE = 0.12  # of the pairs
_REAL_SHARE = 0.25  # of the pairs: real corrections, where there are some
_EDITED_WEIGHT = (
    4.0  # of the loss on words that the answer changes: the rest of it is a copy, which teaches nothing
)
_MAX_TOKENS = 320


def add_arguments(parser: argparse.ArgumentParser) -> None:
    data = parser.add_argument_group("data")
    data.add_argument(
        "--clean", type=Path, required=True, help="clean sentences, JSON lines with a text column"
    )
    data.add_argument("--email", type=Path, required=True, help="clean sentences of business mail, the same")
    data.add_argument("--plain", type=Path, required=True, help="documents, the same")
    data.add_argument(
        "--real", type=Path, nargs="*", default=[],
        help="real corrections, JSON lines of source and target, with a rule or a repository to hold some back by",
    )  # fmt: skip
    data.add_argument("--learner", type=Path, help="tokenised source and corrected columns (ErAConD)")
    data.add_argument("--lexicon", type=Path, default=LEXICON_PATH, help="word list of `training corpus`")
    parser.add_argument("--preset", choices=PRESETS, default="cpu", help="model size")
    parser.add_argument(
        "--model", type=Path, help="go on from this model (`training prune` makes one), not from scratch"
    )
    loop.add_arguments(parser, learning_rate=3e-3, batch_tokens=4096)


def run(args: argparse.Namespace) -> None:
    import torch

    loop.check(args)
    torch.manual_seed(args.seed)
    args.out.mkdir(parents=True, exist_ok=True)
    general, email, plain = (load_texts(path) for path in (args.clean, args.email, args.plain))
    real = real_pairs(args.real)[0] + (learner_pairs(args.learner) if args.learner else [])
    if args.model:
        model, tokenizer = pretrained(args.model)
    else:
        tokenizer = _tokenizer(args.out, [*email, *general], PRESETS[args.preset][0], args.seed)
        model = _model(args.preset, tokenizer)
    device = hardware.device()
    model.to(device)
    parameters = sum(p.numel() for p in model.parameters())
    print(
        f"{parameters / 1e6:.1f} M parameters on {device}; {len(general):,} + {len(email):,} units, "
        f"{len(real):,} real pairs, {len(plain):,} documents",
        file=sys.stderr,
    )

    optimizers = _optimizers(model, args.learning_rate, from_scratch=not args.model)
    maker = PairMaker(general, email, _IDENTITY_SHARE)
    pools = Pools(tokenizer, maker, real, plain, Lexicon.load(args.lexicon), args.seed, args.batch_tokens)
    state = loop.train(model, model.model, optimizers, pools, target_loss, args)
    save_model(args.out / "model", model, tokenizer)
    print(json.dumps({"out": str(args.out / "model"), "parameters": parameters, **state}))


def pretrained(
    path: Path, dtype: torch.dtype | None = None
) -> tuple[LlamaForCausalLM, PreTrainedTokenizerFast]:
    """The model of a folder, in float32 unless told otherwise, and its tokenizer. UserError if one of them is missing."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(path)
        model = AutoModelForCausalLM.from_pretrained(
            path, use_safetensors=True, dtype=dtype or torch.float32, attn_implementation=hardware.attention()
        )
        return model, tokenizer
    except OSError as error:
        raise UserError(
            f"no model at {path}: give --model a folder that training base or prune made"
        ) from error


def _optimizers(
    model: LlamaForCausalLM, learning_rate: float, from_scratch: bool
) -> list[torch.optim.Optimizer]:
    """Muon for the matrices between embeddings and head halves the tokens that a model from scratch needs (Liu et al.

    2025, arXiv:2502.16982); weights that AdamW has made are best trained further by it (the same paper, section 3.5).
    """
    import torch

    matrices = [p for name, p in model.named_parameters() if p.dim() == 2 and "embed" not in name]
    others = [p for name, p in model.named_parameters() if p.dim() != 2 or "embed" in name]
    if not from_scratch:
        matrices, others = [], [*matrices, *others]
    adamw = torch.optim.AdamW(others, lr=learning_rate, betas=(0.9, 0.95), weight_decay=0.01, fused=True)
    if not matrices:
        return [adamw]
    return [
        torch.optim.Muon(matrices, lr=learning_rate, weight_decay=0.1, adjust_lr_fn="match_rms_adamw"),
        adamw,
    ]


def target_loss(model: LlamaForCausalLM, input_ids: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Weighted mean cross-entropy (nats) of the tokens with a weight; logits are computed for those alone.

    Both are (B, T); a weight is 0 where there is nothing to predict. No mask is needed: padding stands on the right,
    where causal attention does not look, and without one the attention kernel skips half of its work.
    """
    import torch

    input_ids, weights = input_ids.long(), weights[:, 1:]
    hidden = model.model(input_ids=input_ids, use_cache=False).last_hidden_state[:, :-1]
    counted = weights > 0
    logits = model.lm_head(hidden[counted])
    losses = torch.nn.functional.cross_entropy(logits.float(), input_ids[:, 1:][counted], reduction="none")
    return (losses * weights[counted]).sum() / weights[counted].sum()


def collate(rows: Rows, pad_token_id: int) -> tuple[np.ndarray, np.ndarray]:
    """Pads rows to (B, T) input_ids and weights."""
    import numpy as np

    length = loop.padded(max(len(ids) for ids, _ in rows))
    input_ids = np.full((len(rows), length), pad_token_id, np.int32)
    weights = np.zeros((len(rows), length), np.float32)
    for i, (ids, weight) in enumerate(rows):
        input_ids[i, : len(ids)] = ids
        weights[i, len(ids) - len(weight) : len(ids)] = weight
    return input_ids, weights


Rows = list[tuple[list[int], list[float]]]  # token ids, and the weights of the last of them


class Pools:
    """Pools of batches of about `batch_tokens` padded tokens, length-bucketed."""

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerFast,
        pairs: PairMaker,
        real: Sequence[Pair],
        plain: list[str],
        lexicon: Lexicon,
        seed: int,
        batch_tokens: int,
    ) -> None:
        self._tokenizer, self._pairs, self._real, self._plain = tokenizer, pairs, real, plain
        self._lexicon, self._seed, self._batch_tokens = lexicon, seed, batch_tokens

    def pool(self, number: int) -> list[loop.Batch]:
        """The batches of one pool."""
        rng = random.Random(f"{self._seed}/{number}")
        rows = [row for row in self._rows(rng) if len(row[0]) <= _MAX_TOKENS]
        collated = partial(collate, pad_token_id=self._tokenizer.pad_token_id)
        return loop.shuffled_batches(rows, lambda row: len(row[0]), collated, self._batch_tokens, rng)

    def _rows(self, rng: random.Random) -> Rows:
        plain = [self._excerpt(rng) for _ in range(int(loop.POOL * _PLAIN_SHARE))]
        pairs = [self._pair(rng) for _ in range(loop.POOL - len(plain))]
        prompts = [render(messages(p.bad, simulated_evidence(p, self._lexicon, rng), p.mode)) for p in pairs]
        encode = self._tokenizer.backend_tokenizer.encode_batch
        begin = self._tokenizer.convert_tokens_to_ids(BEGIN)
        excerpts = [e.ids[:_PLAIN_TOKENS] for e in encode(plain, add_special_tokens=False)]
        rows = [([begin, *ids], [1.0] * len(ids)) for ids in excerpts]
        targets = encode([pair.good + END for pair in pairs], add_special_tokens=False)
        encoded = zip(pairs, encode(prompts, add_special_tokens=False), targets, strict=True)
        for pair, prompt, target in encoded:
            rows.append((prompt.ids + target.ids, token_weights(pair.bad, pair.good, target.offsets)))
        return rows

    def _pair(self, rng: random.Random) -> Pair:
        if self._real and rng.random() < _REAL_SHARE:
            pair = rng.choice(self._real)
            return Pair(pair.good, pair.good) if rng.random() < _IDENTITY_SHARE else pair
        return self._pairs.draw(rng)

    def _excerpt(self, rng: random.Random) -> str:
        text = rng.choice(self._plain)
        at = rng.randrange(max(1, len(text) - 900))
        at = text.find(" ", at) + 1 if at else 0
        return text[at : at + 900]


def token_weights(bad: str, good: str, offsets: Sequence[tuple[int, int]]) -> list[float]:
    """The weight of each token of the answer, by its span of characters: _EDITED_WEIGHT in a changed word, else 1.

    That a word is left out shows in the next one, which has the weight instead.
    """
    changed = changed_words(bad, good)
    return [
        _EDITED_WEIGHT if any(start < high and low < end for low, high in changed) else 1.0
        for start, end in offsets
    ]


def _tokenizer(out: Path, texts: list[str], vocab_size: int, seed: int) -> PreTrainedTokenizerFast:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    path = out / "tokenizer.json"
    if not path.exists():
        tokenizer = Tokenizer(models.BPE(ignore_merges=True))
        tokenizer.pre_tokenizer = split_like_llama3()
        tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=vocab_size, special_tokens=list(SPECIAL_TOKENS), show_progress=False,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        )  # fmt: skip
        sample = random.Random(seed).sample(texts, min(len(texts), _TOKENIZER_TEXTS))
        tokenizer.train_from_iterator(sample, trainer)
        tokenizer.save(str(path))
    fast = PreTrainedTokenizerFast(tokenizer_file=str(path), bos_token=BEGIN, eos_token=END, pad_token=PAD)
    fast.chat_template = CHAT_TEMPLATE
    return fast


def split_like_llama3() -> Any:
    """The pre-tokenizer of Llama 3, which llama.cpp knows as "llama-bpe"."""
    from tokenizers import Regex, pre_tokenizers

    steps = [
        pre_tokenizers.Split(Regex(_SPLIT), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ]
    return pre_tokenizers.Sequence(steps)


def _model(preset: str, tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    from transformers import LlamaConfig, LlamaForCausalLM

    _, hidden, intermediate, layers, heads, kv_heads = PRESETS[preset]
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=hidden, intermediate_size=intermediate, num_hidden_layers=layers,
        num_attention_heads=heads, num_key_value_heads=kv_heads, max_position_embeddings=1024, tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
        initializer_range=0.02, attn_implementation=hardware.attention(),
    )  # fmt: skip
    return LlamaForCausalLM(config)


def save_model(folder: Path, model: Any, tokenizer: PreTrainedTokenizerFast) -> None:
    """Writes weights, tokenizer and what the GGUF must say of itself (proofreader.json)."""
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    save_about(folder)


def save_about(folder: Path) -> None:
    """Writes proofreader.json: what the GGUF made of this folder must say of itself."""
    about = {"prompt_version": PROMPT_VERSION, "unit": "sentence", "modes": list(MODES)}
    (folder / "proofreader.json").write_text(json.dumps(about) + "\n", encoding="utf-8")

"""A GGUF against the transformers folder that it was made from: same tokens in, same tokens out.

Both run in float32 arithmetic on the weights as the file stores them: transformers gets its matrices
rounded to F16 when the file is not F32, llama.cpp an F32 cache and no flash attention. One difference
remains: for an F16 matrix llama.cpp rounds the activations to F16 as well, which moves logits by
about a hundredth. Two candidates closer than TIE in transformers' logits are therefore counted as a tie.

The comparison is made along transformers' greedy text, every position in one pass. When all positions agree,
free greedy decoding gives the same text; when some do not, the share says more than two diverged texts do.

For BERT, llama.cpp's own normalizer has three known differences, which English text does not meet: it drops
spacing and enclosing marks (Devanagari vowels), loses the vowels of Korean syllables, and takes rare control
characters for spaces. The texts are compared without those characters, and then have to be equal.

Not covered: long contexts (prompts have about a hundred tokens), sampling, the GPU.
"""

from __future__ import annotations

import gc
import unicodedata
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from llama_cpp import GGML_TYPE_F32, LLAMA_POOLING_TYPE_NONE, Llama, llama_vocab_is_eog
from transformers import (
    AutoModel,
    AutoModelForCausalLM,
    GenerationConfig,
    PreTrainedTokenizerBase,
)

from conversion.bert_gguf import KEPT_F32
from conversion.checkpoint import Checkpoint, Manifest, load_tokenizer
from conversion.gguf_file import FLOAT_TYPES, runnable, type_counts
from conversion.texts import prompts, texts
from space.errors import UserError
from space.proofread.llm.chat_template import ChatTemplate
from space.proofread.llm.loading import load

TIE = 0.05  # logits: the odds of the two candidates are within 5 %
HIDDEN_TOLERANCE = 1e-2  # largest difference of a hidden state's component, for an F16 or F32 encoder
MIN_COSINE = 0.99  # mean over tokens, for a quantised encoder


@dataclass(frozen=True)
class Check:
    """One comparison: `equal` of `total` were the same; `detail` holds measured numbers by name."""

    name: str
    passed: bool
    equal: int
    total: int
    detail: dict[str, float]


@dataclass(frozen=True)
class Report:
    """All comparisons of one file."""

    gguf: str
    folder: str
    type: str
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON values."""
        return {**asdict(self), "passed": self.passed}

    def table(self) -> str:
        """The report for a person, one check a line."""
        lines = [f"{self.gguf} ({self.type}) against {self.folder}"]
        for check in self.checks:
            detail = ", ".join(f"{name} {value:.4g}" for name, value in check.detail.items())
            mark = "ok  " if check.passed else "FAIL"
            lines.append(f"  {mark} {check.name:<14} {check.equal:>5} of {check.total:<5} {detail}".rstrip())
        return "\n".join(lines)


def verify(
    gguf: Path,
    folder: Path,
    *,
    n_texts: int = 200,
    n_prompts: int = 20,
    n_tokens: int = 24,
    min_agreement: float = 0.5,
) -> Report:
    """Compare the file with the folder; raises UserError when either cannot be opened."""
    reader = runnable(gguf)
    types = type_counts(reader)
    checkpoint = Checkpoint.open(folder)
    architecture = reader.get_field("general.architecture")
    if architecture is None or architecture.contents() != checkpoint.config.get("model_type"):
        raise UserError(f"{gguf} is another kind of model than {folder}: give the folder it was made from")
    tokenizer = load_tokenizer(folder)
    sample = texts(n_texts, tokenizer.all_special_tokens)
    exact = not set(types) - FLOAT_TYPES.keys()
    main_type = next(iter(types), "F32")
    half = main_type != "F32"
    if checkpoint.config.get("model_type") == "bert":
        checks = _verify_bert(gguf, folder, tokenizer, sample, half=half, exact=exact)
    else:
        floor = 1.0 if exact else min_agreement
        checks = _verify_llama(gguf, folder, tokenizer, sample, n_prompts, n_tokens, half=half, floor=floor)
    return Report(str(gguf), str(folder), main_type, tuple(checks))


def _verify_llama(
    gguf: Path,
    folder: Path,
    tokenizer: PreTrainedTokenizerBase,
    sample: Sequence[str],
    n_prompts: int,
    n_tokens: int,
    *,
    half: bool,
    floor: float,
) -> list[Check]:
    rendered = _rendered(tokenizer, folder, prompts(n_prompts))
    encoded = [tokenizer.encode(text, add_special_tokens=False) for text in rendered]
    expected = _greedy(folder, encoded, n_tokens, half=half)

    llama = _open(gguf, n_ctx=max(len(tokens) for tokens, _ in expected) + 1, logits_all=True)
    checks = [
        _compare_tokens(llama, tokenizer, sample),
        _same(
            "templates", [llama.tokenize(text.encode(), False, special=True) for text in rendered], encoded
        ),
        _compare_metadata(llama, folder, tokenizer),
    ]
    if llama.n_vocab() != expected[0][1].shape[1]:
        raise UserError(f"{gguf} has another vocabulary than {folder}: give the folder it was made from")
    agree = ties = total = 0
    largest = 0.0
    for tokens, logits in expected:
        llama.reset()
        llama.eval(tokens)
        ours = np.array(llama.scores[len(tokens) - len(logits) : len(tokens)])
        theirs = logits.argmax(axis=1)
        chosen = ours.argmax(axis=1)
        gaps = logits.max(axis=1) - logits[np.arange(len(logits)), chosen]
        agree += int((chosen == theirs).sum())
        ties += int(((chosen != theirs) & (gaps <= TIE)).sum())
        total += len(logits)
        largest = max(largest, float(np.abs(ours - logits).max()))
    llama.close()
    passed = agree + ties >= floor * total
    detail = {"ties": ties, "largest logit difference": largest}
    checks.append(Check("greedy tokens", passed, agree, total, detail))
    return checks


def _rendered(tokenizer: PreTrainedTokenizerBase, folder: Path, sample: Sequence[str]) -> list[str]:
    """The prompts as the model sees them: through its chat template, or bare without one."""
    if not tokenizer.chat_template:
        return list(sample)
    ends = (tokenizer.bos_token or "", tokenizer.eos_token or "")
    template = ChatTemplate(tokenizer.get_chat_template(), folder, *ends)
    return [template.text([{"role": "user", "content": text}]) for text in sample]


def _greedy(
    folder: Path, encoded: Sequence[list[int]], n_tokens: int, *, half: bool
) -> list[tuple[list[int], np.ndarray]]:
    """transformers' greedy text of each prompt and its logits, shape (new tokens, vocabulary)."""
    model: Any = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, local_files_only=True, use_safetensors=True
    )
    _round(model, half=half)
    # The folder's own sampling settings would warn, or change the result.
    ends = model.generation_config.eos_token_id
    model.generation_config = GenerationConfig(
        max_new_tokens=n_tokens, do_sample=False, eos_token_id=ends, pad_token_id=0
    )
    results = []
    with torch.inference_mode():
        for prompt in encoded:
            ids = torch.tensor([prompt])
            ids = model.generate(ids, attention_mask=torch.ones_like(ids))[:, :-1]
            logits = model(ids).logits[0, len(prompt) - 1 :]
            results.append((ids[0].tolist(), logits.numpy()))
    del model
    gc.collect()  # a 3B model and its GGUF do not fit into 16 GB together
    return results


def _round(model: torch.nn.Module, *, half: bool) -> None:
    """Give the matrices the values that the file stores: F16 ones when `half`."""
    if half:
        for name, parameter in model.named_parameters():
            if parameter.ndim > 1 and not name.endswith(KEPT_F32):
                parameter.data = parameter.data.half().float()


def _compare_tokens(llama: Llama, tokenizer: PreTrainedTokenizerBase, sample: Sequence[str]) -> Check:
    """Text of the user on both sides: special tokens in it are ordinary characters."""
    ours = [llama.tokenize(text.encode(), add_bos=True, special=False) for text in sample]
    theirs = [tokenizer.encode(text, add_special_tokens=True, split_special_tokens=True) for text in sample]
    return _same("tokenisation", ours, theirs)


def _same(name: str, ours: Sequence[Sequence[int]], theirs: Sequence[Sequence[int]]) -> Check:
    different = [index for index, (a, b) in enumerate(zip(ours, theirs, strict=True)) if list(a) != list(b)]
    detail: dict[str, float] = {"first difference in text": different[0]} if different else {}
    return Check(name, not different, len(ours) - len(different), len(ours), detail)


def _compare_metadata(llama: Any, folder: Path, tokenizer: PreTrainedTokenizerBase) -> Check:
    """The chat template, the proofreader.* keys, and every token that must end a generation."""
    found = llama.about
    wanted: dict[str, str | None] = {}
    if isinstance(tokenizer.chat_template, str):
        wanted["tokenizer.chat_template"] = tokenizer.chat_template
    manifest = Manifest.read(folder)
    if manifest:
        wanted["proofreader.prompt_version"] = manifest.prompt_version
        wanted["proofreader.unit"] = manifest.unit
        wanted["proofreader.modes"] = ",".join(manifest.modes)
    results = [found.get(key) == value for key, value in wanted.items()]

    ends = {tokenizer.eos_token_id}
    if (folder / "generation_config.json").is_file():
        stops = GenerationConfig.from_pretrained(folder, local_files_only=True).eos_token_id
        ends.update(stops if isinstance(stops, list) else [stops])
    results += [llama_vocab_is_eog(llama._model.vocab, token) for token in ends - {None}]
    return Check("metadata", all(results), sum(results), len(results), {})


def _verify_bert(
    gguf: Path,
    folder: Path,
    tokenizer: PreTrainedTokenizerBase,
    sample: Sequence[str],
    *,
    half: bool,
    exact: bool,
) -> list[Check]:
    model = AutoModel.from_pretrained(
        folder, dtype=torch.float32, local_files_only=True, use_safetensors=True
    ).eval()
    _round(model, half=half)
    limit = model.config.max_position_embeddings
    llama = _open(gguf, n_ctx=limit, embedding=True, pooling_type=LLAMA_POOLING_TYPE_NONE)
    tokens = _compare_tokens(llama, tokenizer, [_alike(text) for text in sample])

    differences, cosines = [], []
    for text in prompts(len(sample) // 10 or 1):
        ids = tokenizer.encode(text, split_special_tokens=True)
        with torch.inference_mode():
            theirs = model(torch.tensor([ids])).last_hidden_state[0].numpy()
        ours = np.array(llama.embed(text))
        if ours.shape != theirs.shape:
            raise UserError(f"{gguf} has other tokens or state sizes than {folder}: convert it again")
        differences.append(np.abs(ours - theirs).max(axis=1))
        lengths = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
        cosines.append((ours * theirs).sum(axis=1) / lengths)
    llama.close()
    difference, cosine = np.concatenate(differences), np.concatenate(cosines)
    close = int((difference <= HIDDEN_TOLERANCE).sum())
    passed = close == len(difference) if exact else float(cosine.mean()) >= MIN_COSINE
    detail = {"largest difference": float(difference.max()), "mean cosine": float(cosine.mean())}
    return [tokens, Check("hidden states", passed, close, len(difference), detail)]


def _alike(text: str) -> str:
    """The text without the characters that llama.cpp's BERT normalizer treats in its own way."""

    def differs(char: str) -> bool:
        return (
            unicodedata.category(char) in ("Mc", "Me")
            or "가" <= char <= "힣"
            or char in "\v\f\x1c\x1d\x1e\x1f\x85"
        )

    return "".join(char for char in text if not differs(char))


def _open(gguf: Path, *, n_ctx: int, **options: Any) -> Any:
    """The file in llama.cpp, in full precision. Raises UserError when llama.cpp refuses it."""
    try:
        return load(
            gguf,
            n_ctx=n_ctx,
            n_batch=n_ctx,
            n_ubatch=n_ctx,
            type_k=GGML_TYPE_F32,
            type_v=GGML_TYPE_F32,
            **options,
        )
    except ValueError as error:
        raise UserError(f"llama.cpp cannot load {gguf} ({error}): convert it again") from error

"""A tokenizer.json as GGUF keys, or a clear refusal where llama.cpp would split text differently."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gguf import GGUFWriter, TokenType
from tokenizers import Tokenizer

from conversion.checkpoint import load_tokenizer, read_json
from space.errors import UserError

# The pattern of https://huggingface.co/meta-llama/Llama-3.2-1B-Instruct (tokenizer.json); llama.cpp
# implements exactly this one under the name "llama-bpe".
LLAMA3_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
WORD_START = "\u2581"


def add_byte_level_bpe(writer: GGUFWriter, folder: Path, n_vocab: int) -> None:
    """Write a Llama-3 style tokenizer: byte-level BPE, merges, special ids, who adds BOS.

    Raises UserError when a setting has no counterpart in llama.cpp.
    """
    path = folder / "tokenizer.json"
    spec = read_json(path)
    model = spec.get("model", {})
    if model.get("type") != "BPE" or model.get("byte_fallback"):
        raise UserError(f"{path}: only byte-level BPE tokenizers can be converted")
    if spec.get("normalizer") is not None:
        raise UserError(f"{path}: llama.cpp applies no normalizer, remove it and train the tokenizer again")
    if not _splits_like_llama3(spec.get("pre_tokenizer")):
        raise UserError(f"{path}: the pre-tokenizer must be Llama-3's: Split(its pattern), then ByteLevel")
    if not model.get("ignore_merges"):
        # So does the original Llama-3 tokenizer; copies of tokenizer.json that lost the flag exist.
        raise UserError(f'{path}: llama.cpp takes whole words first, set "ignore_merges": true in "model"')

    tokens, types = _tokens(spec, n_vocab, path)
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("llama-bpe")
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges(merges)

    ids = _special_ids(folder)
    bare, full = _encode_both(path)
    starts, ends = full[:1] != bare[:1], full[-1:] != bare[-1:]
    if full != [ids.get("bos")] * starts + bare + [ids.get("eos")] * ends:
        raise UserError(f"{path}: the post-processor may add the BOS and the EOS token only")
    # Said outright in both cases: "llama-bpe" alone would make llama.cpp add a BOS token.
    writer.add_add_bos_token(starts)
    writer.add_add_eos_token(ends)
    if "bos" in ids:
        writer.add_bos_token_id(ids["bos"])
    if "eos" not in ids:
        raise UserError(f"{folder}: the tokenizer names no eos_token, generation would not stop: set it")
    writer.add_eos_token_id(ids["eos"])
    if "pad" in ids:
        writer.add_pad_token_id(ids["pad"])


def add_wordpiece(writer: GGUFWriter, folder: Path, n_vocab: int) -> None:
    """Write a BERT tokenizer, words marked by a leading U+2581 where WordPiece marks the continuations."""
    path = folder / "tokenizer.json"
    spec = read_json(path)
    model, normalizer = spec.get("model", {}), spec.get("normalizer") or {}
    if model.get("type") != "WordPiece" or model.get("continuing_subword_prefix") != "##":
        raise UserError(f'{path}: only WordPiece tokenizers with the prefix "##" can be converted')
    if normalizer.get("type") != "BertNormalizer" or not (
        normalizer.get("clean_text") and normalizer.get("handle_chinese_chars")
    ):
        raise UserError(f"{path}: the normalizer must be BertNormalizer, cleaning and splitting Chinese")

    tokens, types = _tokens(spec, n_vocab, path)
    tokens = [
        token if kind == TokenType.CONTROL else token[2:] if token.startswith("##") else WORD_START + token
        for token, kind in zip(tokens, types, strict=True)
    ]
    writer.add_tokenizer_model("bert")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(_distinct(tokens, path))
    writer.add_token_types(types)

    lowercase = bool(normalizer.get("lowercase"))
    strip_accents = normalizer.get("strip_accents")
    writer.add_bool("tokenizer.ggml.normalizer.lowercase", lowercase)
    strip_accents = lowercase if strip_accents is None else strip_accents
    writer.add_bool("tokenizer.ggml.normalizer.strip_accents", strip_accents)

    ids = _special_ids(folder)
    missing = {"cls", "sep", "unk"} - ids.keys()
    if missing:
        raise UserError(f"{folder}: the tokenizer names no {sorted(missing)[0]}_token")
    # llama.cpp puts the BOS token first for this tokenizer; BERT calls it [CLS].
    writer.add_bos_token_id(ids["cls"])
    writer.add_sep_token_id(ids["sep"])
    writer.add_unk_token_id(ids["unk"])
    for name, add in (("pad", writer.add_pad_token_id), ("mask", writer.add_mask_token_id)):
        if name in ids:
            add(ids[name])


def _splits_like_llama3(pre_tokenizer: Any) -> bool:
    """Whether it is Sequence[Split(the pattern, isolated), ByteLevel(no prefix space, no pattern)]."""
    if not isinstance(pre_tokenizer, dict) or pre_tokenizer.get("type") != "Sequence":
        return False
    steps = pre_tokenizer.get("pretokenizers", [])
    if [step.get("type") for step in steps] != ["Split", "ByteLevel"]:
        return False
    split, byte_level = steps
    return (
        split.get("pattern") == {"Regex": LLAMA3_PATTERN}
        and split.get("behavior") == "Isolated"
        and not split.get("invert")
        and not byte_level.get("add_prefix_space")
        and not byte_level.get("use_regex", True)
    )


def _tokens(spec: dict[str, Any], n_vocab: int, path: Path) -> tuple[list[str], list[TokenType]]:
    """Every id's text and type; ids that the model has and the tokenizer lacks become unused tokens."""
    by_id = {token_id: text for text, token_id in spec["model"]["vocab"].items()}
    types = dict.fromkeys(by_id, TokenType.NORMAL)
    for added in spec.get("added_tokens", []):
        by_id[added["id"]] = added["content"]
        types[added["id"]] = TokenType.CONTROL if added["special"] else TokenType.USER_DEFINED
    if max(by_id) >= n_vocab:
        raise UserError(f"{path} has {len(by_id)} tokens, the model {n_vocab}: resize its embeddings")
    tokens = [by_id.get(token_id, f"[PAD{token_id}]") for token_id in range(n_vocab)]
    return _distinct(tokens, path), [types.get(token_id, TokenType.UNUSED) for token_id in range(n_vocab)]


def _distinct(tokens: list[str], path: Path) -> list[str]:
    """The tokens; llama.cpp aborts the process on two equal ones, so they are refused here."""
    seen: set[str] = set()
    for token in tokens:
        if token in seen:
            raise UserError(f"{path} holds the token {token!r} twice after conversion")
        seen.add(token)
    return tokens


def _special_ids(folder: Path) -> dict[str, int]:
    """The ids of the special tokens that the folder's tokenizer names: bos, eos, pad, cls, ..."""
    tokenizer = load_tokenizer(folder)
    ids = {}
    for name in ("bos", "eos", "pad", "unk", "cls", "sep", "mask"):
        token_id = getattr(tokenizer, f"{name}_token_id")
        if token_id is not None:
            ids[name] = token_id
    return ids


def _encode_both(path: Path) -> tuple[list[int], list[int]]:
    """A word's ids without and with what the post-processor adds."""
    tokenizer = Tokenizer.from_file(str(path))
    return tokenizer.encode("a", add_special_tokens=False).ids, tokenizer.encode("a").ids

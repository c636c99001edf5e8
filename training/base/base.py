"""A folder that can be trained on, out of a GGUF that is served.

    python -m training base --out runs/base                # of the embedded model
    python -m training base --model FILE.gguf --out DIR

The weights are those of the file, so a quantised one gives back what its quantisation left. They are compared with it: the same
tokens for 200 texts, and greedy decoding of 50 prompts (conversion/verify.py). The folder is what `sft`, `prefer`, `retrain`,
`pretrain` and `conversion` take; an unquantised Llama is one already, as a folder or a repo id.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from space.errors import UserError
from space.proofread.gguf_header import read_header
from training.base.pretrain import split_like_llama3

if TYPE_CHECKING:
    from gguf import GGUFReader
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

_EMBEDDED = Path(__file__).parents[2] / "space" / "models" / "proofreader.gguf"
_PROMPTS = 50
_IDS = {"bos": "bos", "eos": "eos", "pad": "padding"}  # transformers' name, and GGUF's


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", type=Path, default=_EMBEDDED, help="GGUF file (default: the embedded one)")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")


def run(args: argparse.Namespace) -> None:
    from conversion.gguf_file import read
    from conversion.verify import verify

    if args.out.exists() and any(args.out.iterdir()):
        raise UserError(f"--out {args.out} is not empty: name a new folder")
    reader = read(args.model)
    tokenizer = _tokenizer(reader, args.model)
    model = load_llama(str(args.model))
    model.config.update({f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in _IDS})
    model.generation_config = type(model.generation_config).from_model_config(model.config)
    args.out.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(args.out)
    tokenizer.save_pretrained(args.out)
    if about := _about(reader):
        (args.out / "proofreader.json").write_text(json.dumps(about) + "\n", encoding="utf-8")
    report = verify(args.model, args.out, n_prompts=_PROMPTS)
    print(report.table(), file=sys.stderr)
    if not report.passed:
        raise UserError(f"{args.out} does not say what {args.model} says: see the comparison above")
    parameters = sum(p.numel() for p in model.parameters())
    print(json.dumps({"out": str(args.out), "parameters": parameters, "verified": report.passed}))


def load_llama(name: str) -> LlamaForCausalLM:
    """The model of a folder, a Hub repo id or a GGUF file in float32, a GGUF's weights being those of its quantisation.

    UserError if there is none, or none whose embeddings are tied.
    """
    import torch
    from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

    loaded, found = from_name(
        AutoModelForCausalLM, name, dtype=torch.float32, use_safetensors=True, output_loading_info=True
    )
    if missing := sorted(found["missing_keys"]):  # transformers makes them up
        raise UserError(f"{name} has no tensor {missing[0]}: save it again, or download it again")
    if loaded.config.model_type != "llama" or not loaded.config.tie_word_embeddings:
        raise UserError(f"{name} is no Llama with tied embeddings: choose one, as SmolLM2 or Llama-3.2-1B")
    fields = LlamaConfig().to_dict().keys() & loaded.config.to_dict().keys() - {"architectures", "dtype"}
    # A fresh model forgets that the weights came out of a quantised file, which could not be saved.
    model = LlamaForCausalLM(LlamaConfig(**{name: getattr(loaded.config, name) for name in fields}))
    model.load_state_dict(loaded.state_dict())
    model.tie_weights()
    return model.eval()


def from_name(kind: Any, name: str, **options: Any) -> Any:
    """What `kind.from_pretrained` gives for a folder, a Hub repo id or a GGUF file. UserError if there is none."""
    from safetensors import SafetensorError

    path = Path(name)
    if path.suffix == ".gguf":
        if not path.is_file():
            raise UserError(f"{path} does not exist: name a GGUF file, a folder or a Hub repo id")
        read_header(path)
        name, options = str(path.parent), {**options, "gguf_file": path.name}
    try:
        return kind.from_pretrained(name, **options)
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise UserError(
            f"no model at {path}, or a damaged one: name a GGUF file, a folder or a Hub repo id that can be reached"
        ) from error


# ---- what the file says of itself ----


def _tokenizer(reader: GGUFReader, path: Path) -> PreTrainedTokenizerFast:
    """The tokenizer as it was before conversion. UserError if it is none that `conversion` writes."""
    from gguf import TokenType
    from tokenizers import AddedToken, Tokenizer, decoders, models
    from transformers import PreTrainedTokenizerFast

    keys = {
        key: field.contents()
        for key, field in reader.fields.items()
        if key.startswith(("tokenizer.", "proofreader."))
    }
    if keys.get("tokenizer.ggml.pre") != "llama-bpe":
        raise UserError(f"{path}: only files with Llama-3's way of splitting can be taken apart; name one")
    tokens: list[str] = keys["tokenizer.ggml.tokens"]
    merges = [tuple(merge.split(" ")) for merge in keys["tokenizer.ggml.merges"]]
    bpe = models.BPE({token: i for i, token in enumerate(tokens)}, merges, ignore_merges=True)
    tokenizer = Tokenizer(bpe)
    tokenizer.pre_tokenizer, tokenizer.decoder = split_like_llama3(), decoders.ByteLevel()
    kinds = zip(tokens, keys["tokenizer.ggml.token_type"], strict=True)
    tokenizer.add_special_tokens(
        [
            AddedToken(token, special=True, normalized=False)
            for token, kind in kinds
            if kind == TokenType.CONTROL
        ]
    )
    ids = {name: keys.get(f"tokenizer.ggml.{key}_token_id") for name, key in _IDS.items()}
    named = {f"{name}_token": tokens[i] for name, i in ids.items() if i is not None}
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **named)
    fast.chat_template = keys.get("tokenizer.chat_template")
    return fast


def _about(reader: GGUFReader) -> dict[str, Any]:
    """What stands in proofreader.json; empty for a model that was not made here."""
    fields = {name: reader.get_field(f"proofreader.{name}") for name in ("prompt_version", "unit", "modes")}
    if not all(fields.values()):
        return {}
    about = {name: field.contents() for name, field in fields.items() if field}
    return {**about, "modes": about["modes"].split(",")}

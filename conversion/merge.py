"""A LoRA adapter folded into its base model: one folder of plain safetensors with its tokenizer.

The sum is computed in float32. A float32 base stays float32; any other is saved as float16, whose ten bits
of mantissa keep small updates that bfloat16's seven would round away, and which is what an F16 GGUF holds.
"""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel, get_peft_model_state_dict
from peft.utils import load_peft_weights
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, LlamaConfig

from conversion.checkpoint import MANIFEST, Checkpoint, Manifest, read_json
from conversion.llama_gguf import tensors_of
from space.errors import UserError

TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
)


def merge(base: Path, adapter: Path, out: Path) -> list[str]:
    """Write `out`, which must not exist yet, and return notes for the person.

    Raises UserError when the base is quantised, when the adapter does not belong to it, and when merging
    would change nothing.
    """
    checkpoint = Checkpoint.open(base)
    if checkpoint.config.get("model_type") != "llama":
        raise UserError(f"{base} is a {checkpoint.config.get('model_type')} model: merge takes a Llama")
    if out.exists():
        raise UserError(f"{out} exists already: choose a new folder or remove it")
    notes = _adapter_notes(adapter, base)
    config = LlamaConfig.from_pretrained(base, local_files_only=True)
    # transformers would make up what is missing.
    checkpoint.require((name, tensor.shape) for name, tensor in tensors_of(config).items())

    model = AutoModelForCausalLM.from_pretrained(
        base, dtype=torch.float32, local_files_only=True, use_safetensors=True
    )
    try:
        merged = _apply(model, adapter, base).merge_and_unload(safe_merge=True)
    except ValueError as error:  # peft's, of NaN
        raise UserError(f"{adapter} or {base} holds NaN: the training diverged") from error
    if checkpoint.config.get("dtype", checkpoint.config.get("torch_dtype", "float32")) != "float32":
        merged.to(torch.float16)
    _require_change(checkpoint, merged, adapter)

    part = out.with_name(out.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        merged.save_pretrained(part)
        _copy_first(TOKENIZER_FILES, (adapter, base), part, marker="tokenizer.json")
        _copy_first((MANIFEST,), (adapter, base), part, marker=MANIFEST)
        part.replace(out)
    except (OSError, SafetensorError) as error:  # the latter for a full disk
        raise UserError(f"cannot write {out}: {getattr(error, 'strerror', None) or error}") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    if Manifest.read(out) is None:
        notes.append(f"neither folder has a {MANIFEST}: the GGUF will not say which prompt the model knows")
    return notes


def require_lora(adapter: Path) -> dict[str, Any]:
    """The configuration of a LoRA adapter. Raises UserError when the folder is none."""
    if not (adapter / "adapter_config.json").is_file():
        raise UserError(f"{adapter} has no adapter_config.json: give the folder of a trained LoRA adapter")
    config = read_json(adapter / "adapter_config.json")
    if config.get("peft_type") != "LORA":
        raise UserError(f"{adapter} is a {config.get('peft_type')} adapter: only LoRA can be taken")
    return config


def _adapter_notes(adapter: Path, base: Path) -> list[str]:
    """Check that the folder is a LoRA adapter; say when it names another base."""
    config = require_lora(adapter)
    named = config.get("base_model_name_or_path") or ""
    if named and Path(named).name != base.resolve().name:
        return [f"the adapter was trained on {named}, merging into {base}"]
    return []


def _apply(model: torch.nn.Module, adapter: Path, base: Path) -> PeftModel:
    """The model with the adapter on it. Raises UserError unless every adapter tensor found its place."""
    mismatch = f"{adapter} does not fit {base}: give the base model that the adapter was trained on"
    try:
        with warnings.catch_warnings():
            # peft 0.21.2 reads an attribute that transformers 5.23 calls deprecated.
            warnings.simplefilter("ignore", FutureWarning)
            with_adapter = PeftModel.from_pretrained(model, str(adapter), is_trainable=False)
        stored = set(load_peft_weights(str(adapter), device="cpu"))
    except (ValueError, RuntimeError, KeyError) as error:
        raise UserError(mismatch) from error
    except (OSError, SafetensorError) as error:
        raise UserError(f"{adapter} has no readable adapter weights ({error})") from error
    required = set(get_peft_model_state_dict(with_adapter, save_embedding_layers=False))
    # An adapter may bring embeddings along, when its training added tokens.
    possible = set(get_peft_model_state_dict(with_adapter, save_embedding_layers=True))
    if not required <= stored <= possible:
        raise UserError(mismatch)
    return with_adapter


def _require_change(checkpoint: Checkpoint, merged: torch.nn.Module, adapter: Path) -> None:
    """Raise UserError when every merged weight equals the base's, or one is no longer a number."""
    changed = False
    for name, tensor in merged.state_dict().items():
        if not torch.isfinite(tensor).all():
            raise UserError(f"{adapter}: merging makes {name} NaN or infinite, the training diverged")
        if not changed and name in checkpoint.files:
            changed = not torch.equal(tensor, checkpoint.load(name).to(tensor.dtype))
    if not changed:
        raise UserError(f"{adapter} changes no weight of {checkpoint.folder}: the adapter is untrained")


def _copy_first(names: tuple[str, ...], folders: tuple[Path, ...], out: Path, marker: str) -> None:
    """Copy the files from the first folder that has the marker file, so that they belong together."""
    for folder in folders:
        if (folder / marker).is_file():
            for name in names:
                if (folder / name).is_file():
                    shutil.copyfile(folder / name, out / name)
            return

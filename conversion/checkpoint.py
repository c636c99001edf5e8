"""A transformers folder on disk: its config, and its safetensors read one tensor at a time.

One tensor at a time keeps the conversion of a 3B model within a few hundred megabytes of memory.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from space.errors import UserError

MANIFEST = "proofreader.json"
UNITS = ("sentence", "email")


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file. Raises UserError when it is missing, unreadable or not an object."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path} is missing: give the folder of a transformers model") from None
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path} cannot be read as JSON ({error}): save the model again") from error
    if not isinstance(value, dict):
        raise UserError(f"{path} must hold a JSON object")
    return value


@dataclass(frozen=True)
class Checkpoint:
    """A model folder; `files` maps each tensor's name to the safetensors file that holds it."""

    folder: Path
    config: dict[str, Any]
    files: dict[str, Path]

    @classmethod
    def open(cls, folder: Path) -> Checkpoint:
        """Read the config and the tensor names. Raises UserError for quantised or incomplete folders."""
        config = read_config(folder)
        if "quantization_config" in config:
            raise UserError(f"{folder} is already quantised: give the full-precision model")
        files: dict[str, Path] = {}
        for path in sorted(folder.glob("*.safetensors")):
            if path.name.startswith("adapter_"):
                continue
            try:
                with safe_open(path, framework="pt") as tensors:
                    files.update(dict.fromkeys(tensors.keys(), path))
            except (SafetensorError, OSError) as error:
                raise UserError(f"{path} is damaged ({error}): copy or download it again") from error
        if not files:
            raise UserError(f"{folder} holds no .safetensors weights: save it with save_pretrained()")
        return cls(folder, config, files)

    def load(self, name: str) -> torch.Tensor:
        """The tensor in float32; bfloat16 and float16 widen without loss."""
        with safe_open(self.files[name], framework="pt") as tensors:
            return tensors.get_tensor(name).to(torch.float32)

    def require(self, expected: Iterable[tuple[str, torch.Size]]) -> None:
        """Raise UserError when a tensor is absent or has another shape than the config says."""
        for name, shape in expected:
            if name not in self.files:
                raise UserError(f"{self.folder} has no tensor {name}: the weights do not match config.json")
            with safe_open(self.files[name], framework="pt") as tensors:
                found = torch.Size(tensors.get_slice(name).get_shape())
            if found != shape:
                raise UserError(f"{self.folder}: {name} is {list(found)}, but config.json says {list(shape)}")


def read_config(folder: Path) -> dict[str, Any]:
    """The folder's config.json. Raises UserError when the folder is not one."""
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder: give the folder of a transformers model")
    return read_json(folder / "config.json")


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """The folder's fast tokenizer. Raises UserError when it is missing or damaged."""
    read_json(folder / "tokenizer.json")
    try:
        return AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # the tokenizers library raises bare Exceptions
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{folder}: its tokenizer cannot be loaded ({reason}): save it again") from error


@dataclass(frozen=True)
class Manifest:
    """What a proofreading model was trained for; travels as proofreader.json beside the weights."""

    prompt_version: str
    unit: str
    modes: tuple[str, ...]

    @classmethod
    def read(cls, folder: Path) -> Manifest | None:
        """The folder's manifest, or None without one. Raises UserError when it is there but wrong.

        Example: {"prompt_version": "1", "unit": "sentence", "modes": ["proofread", "polish"]}
        """
        path = folder / MANIFEST
        if not path.exists():
            return None
        value = read_json(path)
        version, unit, modes = value.get("prompt_version"), value.get("unit"), value.get("modes")
        if not isinstance(version, str) or not version:
            raise UserError(f'{path}: "prompt_version" must be a non-empty string such as "1"')
        if unit not in UNITS:
            raise UserError(f'{path}: "unit" must be one of {", ".join(UNITS)}')
        named = isinstance(modes, list) and all(
            isinstance(mode, str) and mode.isidentifier() for mode in modes
        )
        if not modes or not named:
            raise UserError(f'{path}: "modes" must list at least one mode such as "proofread"')
        return cls(version, unit, tuple(modes))

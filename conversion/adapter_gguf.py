"""A LoRA adapter as an F16 GGUF that llama.cpp lays over the base model as it runs, in place of a merged copy."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from gguf import MODEL_ARCH, GGUFWriter, TensorNameMap, get_tensor_name_map
from peft.utils import load_peft_weights
from safetensors import SafetensorError
from transformers import BertConfig, BertModel, LlamaConfig

from conversion.checkpoint import read_config
from conversion.gguf_file import FLOAT_TYPES, Tensor, write
from conversion.llama_gguf import neighbours, rotated_heads, tensors_of
from conversion.merge import require_lora
from space.errors import UserError

_PREFIX = "base_model.model."  # what peft puts before a name of the base
_PARTS = {".lora_A.weight": ".weight.lora_a", ".lora_B.weight": ".weight.lora_b"}


def convert(adapter: Path, base: Path, out: Path) -> None:
    """Write the GGUF. Raises UserError unless `adapter` is a plain LoRA adapter of matrices of `base`, a Llama or a BERT."""
    settings = require_lora(adapter)
    arch, names, shapes, heads_of = _matrices(base)
    for name in ("use_rslora", "use_dora", "modules_to_save", "rank_pattern", "alpha_pattern"):
        if settings.get(name):
            raise UserError(f"{adapter} uses {name}, which llama.cpp's adapters have not: merge it instead")
    try:
        weights = load_peft_weights(str(adapter), device="cpu")
    except (OSError, SafetensorError) as error:
        raise UserError(f"{adapter} has no readable adapter weights ({error})") from error
    tensors = []
    for source, weight in weights.items():
        part = next((part for part in _PARTS if source.endswith(part)), "")
        module = source.removeprefix(_PREFIX).removesuffix(part)
        target = names.get_name(module) if part and module in shapes else None
        if target is None:
            raise UserError(
                f"{adapter}: {base} has no place for {source}, so it was trained on another model"
            )
        rank, shape = settings["r"], tuple(weight.shape)
        out_features, in_features = shapes[module]
        fits = shape == ((rank, in_features) if part == ".lora_A.weight" else (out_features, rank))
        if not fits:
            raise UserError(
                f"{adapter}: {base} has no place for {source} of {list(shape)}, so it was trained on another model"
            )
        if not all(f"{_PREFIX}{module}{each}" in weights for each in _PARTS):
            raise UserError(f"{adapter} has only half of {module}: train it again, or copy it again")
        heads = heads_of(module) if part == ".lora_B.weight" else None
        load = partial(neighbours, weight.float(), heads)
        tensors.append(Tensor(target + _PARTS[part], tuple(weight.shape), FLOAT_TYPES["F16"], load))
    writer = GGUFWriter(None, arch)
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", float(settings["lora_alpha"]))
    write(out, writer, tensors)


_Shapes = dict[str, torch.Size]


def _matrices(base: Path) -> tuple[str, TensorNameMap, _Shapes, Callable[[str], int | None]]:
    """What llama.cpp calls the architecture and the modules of a model, their shapes, and how many rotary heads the rows of one hold."""
    model_type = read_config(base).get("model_type")
    if model_type == "llama":
        llama = LlamaConfig.from_pretrained(base, local_files_only=True)
        names = get_tensor_name_map(MODEL_ARCH.LLAMA, llama.num_hidden_layers)
        return "llama", names, _shapes(tensors_of(llama)), lambda module: rotated_heads(llama, f"{module}.")
    if model_type == "bert":
        bert = BertConfig.from_pretrained(base, local_files_only=True)
        with torch.device("meta"):
            encoder = BertModel(bert, add_pooling_layer=False)
        names = get_tensor_name_map(MODEL_ARCH.BERT, bert.num_hidden_layers)
        return "bert", names, _shapes(encoder.state_dict()), lambda module: None
    raise UserError(
        f"{base} is no Llama and no BERT: give the folder of the model that the adapter was trained on"
    )


def _shapes(tensors: dict[str, torch.Tensor]) -> _Shapes:
    return {name.removesuffix(".weight"): tensor.shape for name, tensor in tensors.items()}

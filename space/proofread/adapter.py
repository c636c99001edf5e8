"""A LoRA adapter laid over a model as llama.cpp runs it: what it adds is computed beside the weights, which stay as they are."""

from __future__ import annotations

from ctypes import c_float
from pathlib import Path
from typing import Any

from space.errors import UserError


def lay(model: Any, context: Any, adapter: Path) -> None:
    """Has this context of a loaded model run with the adapter, which is freed with the model. UserError if the two do not fit."""
    import llama_cpp

    loaded = llama_cpp.llama_adapter_lora_init(model, str(adapter).encode())
    if not loaded:
        raise UserError(f"{adapter}: no adapter of this model, or not complete; restore it, or delete it.")
    adapters = (llama_cpp.llama_adapter_lora_p_ctypes * 1)(loaded)
    llama_cpp.llama_set_adapters_lora(context, adapters, 1, (c_float * 1)(1.0))

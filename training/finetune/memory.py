"""Whether a model fits: what its fine-tuning needs, estimated before anything is loaded, against what is free.

Weights stay frozen in their own precision; an adapter's weight takes 16 bytes: itself, its gradient and AdamW's two moments
in 32 bits. Activations are counted by Korthikanti et al. 2022 (arXiv:2205.05198), table 2: 34 bytes for each token,
dimension and layer where attention keeps no scores, and 2 with gradient checkpointing, besides one layer in full; twice that
where it is computed in 32 bits. It is a lower bound, for it knows neither LoRA's own activations nor gated layers: DPO and
KTO of a Llama with LoRA on all layers took 140 to 150 bytes where this counts 68 (8 layers of 512, on a CPU).

A training on preferences reads each batch once more as the reference, without gradients: that takes one layer at a time,
while the activations of the policy wait for their turn. The reference is the base with the adapter switched off, or a frozen
copy of the adapter where one is gone on with (trl 1.16, dpo_trainer.py and kto_trainer.py). DPO holds both texts of a pair,
KTO takes them for two rows.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import dataclass
from typing import Any

from space.errors import UserError
from space.proofread.llm.memory import available

_ADAPTER_BYTES, _COPY_BYTES = 16, 4
_ACTIVATION_BYTES, _CHECKPOINTED_BYTES = 34, 2
# Of a weight: nf4 with double quantisation takes 4.5 bits, LLM.int8() a byte; the embeddings stay as they are.
_QUANTISED_BYTES = {"load_in_4bit": 0.56, "load_in_8bit": 1.0}
_GB = 1e9


@dataclass(frozen=True)
class Preferences:
    """What a training on preferences holds besides: `texts` for each row of a batch, and a `copy` of the adapter."""

    texts: int
    copy: bool


def check(
    model: str,
    config: Any,
    adapter: Any,
    args: argparse.Namespace,
    tokens: int,
    preferences: Preferences | None = None,
) -> None:
    """UserError if fine-tuning with batches of rows of `tokens` tokens needs more memory than is free."""
    required, left = needed(config, adapter, args, tokens, preferences), free()
    if required <= left:
        return
    means = [
        *(["--gradient_checkpointing"] if not args.gradient_checkpointing and tokens > 1 else []),
        *(["a smaller --per_device_train_batch_size or --max_length"] if tokens > 1 else []),
        *(["--load_in_4bit"] if vars(args).get("load_in_4bit") is False else []),  # prefer has no such option
        "a smaller model",
    ]
    raise UserError(
        f"{model} does not fit: about {required / _GB:.1f} GB needed, {left / _GB:.1f} GB free; try {', '.join(means)}"
    )


def needed(
    config: Any, adapter: Any, args: argparse.Namespace, tokens: int, preferences: Preferences | None = None
) -> float:
    """Bytes that fine-tuning takes, estimated from the configurations of model and adapter alone.

    UserError if the model is of another kind, or has no layers of the names that the adapter is for.
    """
    import torch
    from peft import inject_adapter_in_model
    from transformers import AutoModelForCausalLM

    try:
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(config)
    except ValueError as error:
        raise UserError(
            f"{config.model_type} is no causal language model: give the --model of one"
        ) from error
    head = model.get_output_embeddings()
    inside = sum(
        each.weight.numel()
        for each in model.modules()
        if isinstance(each, torch.nn.Linear) and each is not head
    )
    outside = sum(each.numel() for each in model.parameters()) - inside
    try:
        with torch.device("meta"):
            adapted = inject_adapter_in_model(adapter, model)
    except ValueError as error:
        raise UserError(" ".join(str(error).split())) from error
    trained = sum(each.numel() for each in adapted.parameters() if each.requires_grad)

    options = vars(args)
    full = 2 if options.get("bf16") and torch.cuda.is_available() else 4  # bytes of a weight
    inside_bytes = next((size for name, size in _QUANTISED_BYTES.items() if options.get(name)), full)
    weights = inside * inside_bytes + outside * full
    text = config.get_text_config()
    rows = args.per_device_train_batch_size * (preferences.texts if preferences else 1)
    in_16_bits = options.get(
        "bf16", torch.cuda.is_available()
    )  # prefer has no such option: on a CPU it takes 32
    layer = rows * tokens * text.hidden_size * (1 if in_16_bits else 2)
    if args.gradient_checkpointing:
        activations = layer * (_CHECKPOINTED_BYTES * text.num_hidden_layers + _ACTIVATION_BYTES)
    else:
        activations = layer * _ACTIVATION_BYTES * (text.num_hidden_layers + (1 if preferences else 0))
    copy = trained * _COPY_BYTES if preferences and preferences.copy else 0
    return weights + trained * _ADAPTER_BYTES + copy + activations


def peak() -> float:
    """Bytes that this process has taken at most so far: of the GPU, or of the machine."""
    import torch

    if torch.cuda.is_available():
        return float(torch.cuda.max_memory_reserved())
    import resource

    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(kilobytes if sys.platform == "darwin" else 1024 * kilobytes)  # macOS counts bytes


def free() -> float:
    """Bytes that this process may still take: of the GPU, or of the machine within the limit of its container."""
    import torch

    if torch.cuda.is_available():
        device = int(os.environ.get("LOCAL_RANK", 0))
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return float(torch.cuda.mem_get_info(device)[0] + cached)
    from psutil import virtual_memory

    left = available()
    return float(virtual_memory().available if left is None else left)

"""A BertModel folder (the tone encoder) as an F16 or F32 GGUF for llama.cpp's BERT.

The default pooling written is NONE, one hidden state per token; who loads the file may ask for MEAN instead.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import torch
from gguf import MODEL_ARCH, GGUFWriter, PoolingType, get_tensor_name_map
from transformers import BertConfig, BertModel

from conversion.checkpoint import Checkpoint
from conversion.gguf_file import FLOAT_TYPES, Tensor, describe, write
from conversion.vocabulary import add_wordpiece
from space.errors import UserError

# llama.cpp's own converter keeps these two in F32: they are small, and added to every token.
KEPT_F32 = ("embeddings.position_embeddings.weight", "embeddings.token_type_embeddings.weight")


def convert(
    checkpoint: Checkpoint, out: Path, type_name: str, name: str, license_id: str | None
) -> list[str]:
    """Write the GGUF of the encoder (heads and pooler left out) and return notes for the person."""
    folder = checkpoint.folder
    config = BertConfig.from_pretrained(folder, local_files_only=True)
    if config.hidden_act != "gelu":
        raise UserError(f"{folder}: llama.cpp's BERT uses gelu, this model uses {config.hidden_act}")
    # A model with a task head saves its encoder under "bert.".
    prefix = "" if "embeddings.word_embeddings.weight" in checkpoint.files else "bert."
    with torch.device("meta"):
        encoder = BertModel(config, add_pooling_layer=False)
    expected = dict(encoder.named_parameters())
    checkpoint.require((prefix + tensor_name, tensor.shape) for tensor_name, tensor in expected.items())

    writer = GGUFWriter(None, "bert")
    describe(writer, name, license_id, type_name, sum(tensor.numel() for tensor in expected.values()))
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_layer_norm_eps(config.layer_norm_eps)
    writer.add_causal_attention(False)
    writer.add_pooling_type(PoolingType.NONE)
    writer.add_token_type_count(config.type_vocab_size)
    add_wordpiece(writer, folder, config.vocab_size)

    names = get_tensor_name_map(MODEL_ARCH.BERT, config.num_hidden_layers)
    tensors = []
    for source, tensor in expected.items():
        target = names.get_name(source, try_suffixes=(".weight", ".bias"))
        if target is None:
            raise UserError(f"{folder}: llama.cpp has no place for the tensor {source}")
        dtype = FLOAT_TYPES[type_name if tensor.ndim > 1 and source not in KEPT_F32 else "F32"]
        tensors.append(Tensor(target, tuple(tensor.shape), dtype, partial(checkpoint.load, prefix + source)))
    write(out, writer, tensors)
    return []

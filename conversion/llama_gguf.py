"""A LlamaForCausalLM folder as an F16 or F32 GGUF that llama.cpp runs with the same results."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import torch
from gguf import MODEL_ARCH, GGUFWriter, get_tensor_name_map
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from conversion.checkpoint import Checkpoint, Manifest, load_tokenizer
from conversion.gguf_file import FLOAT_TYPES, Tensor, describe, write
from conversion.vocabulary import add_byte_level_bpe
from space.errors import UserError
from space.proofread.llm.chat_template import ChatTemplate


def convert(
    checkpoint: Checkpoint, out: Path, type_name: str, name: str, license_id: str | None
) -> list[str]:
    """Write the GGUF and return notes for the person. Raises UserError for what llama.cpp cannot run."""
    writer, tensors, notes = prepared(checkpoint, type_name, name, license_id)
    write(out, writer, tensors)
    return notes


def prepared(
    checkpoint: Checkpoint, type_name: str, name: str, license_id: str | None
) -> tuple[GGUFWriter, list[Tensor], list[str]]:
    """All of the GGUF but its weights, which are read as they are written: what cannot be converted is refused in seconds."""
    folder = checkpoint.folder
    config = LlamaConfig.from_pretrained(folder, local_files_only=True)
    if config.hidden_act != "silu":
        raise UserError(f"{folder}: llama.cpp's Llama uses silu, this model uses {config.hidden_act}")
    expected = tensors_of(config)
    checkpoint.require((tensor_name, tensor.shape) for tensor_name, tensor in expected.items())

    writer = GGUFWriter(None, "llama")
    describe(writer, name, license_id, type_name, sum(tensor.numel() for tensor in expected.values()))
    writer.add_vocab_size(config.vocab_size)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads or config.num_attention_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    head_dim, rope = _rotary(config)
    writer.add_key_length(head_dim)
    writer.add_value_length(head_dim)
    writer.add_rope_dimension_count(head_dim)
    writer.add_rope_freq_base(rope["rope_theta"])
    add_byte_level_bpe(writer, folder, config.vocab_size)
    notes = _add_prompt(writer, folder)

    tensors = []
    factors = rope_factors(config)
    if factors is not None:
        values = factors
        tensors.append(Tensor("rope_freqs.weight", tuple(values.shape), FLOAT_TYPES["F32"], lambda: values))
    names = get_tensor_name_map(MODEL_ARCH.LLAMA, config.num_hidden_layers)
    for source, tensor in expected.items():
        target = names.get_name(source, try_suffixes=(".weight", ".bias"))
        if target is None:
            raise UserError(f"{folder}: llama.cpp has no place for the tensor {source}")
        dtype = FLOAT_TYPES[type_name if tensor.ndim > 1 else "F32"]
        load = partial(_load, checkpoint, source, rotated_heads(config, source))
        tensors.append(Tensor(target, tuple(tensor.shape), dtype, load))
    return writer, tensors, notes


def tensors_of(config: LlamaConfig) -> dict[str, torch.Tensor]:
    """The tensors of a Llama by name, without their values."""
    with torch.device("meta"):
        tensors = LlamaForCausalLM(config).state_dict()
    if config.tie_word_embeddings:
        # llama.cpp reads the token embeddings again when there is no output matrix.
        tensors.pop("lm_head.weight")
    return tensors


def rope_factors(config: LlamaConfig) -> torch.Tensor | None:
    """What llama.cpp divides each rotary frequency by, shape (head_dim / 2,); None when that is 1.

    Raises UserError for scalings that depend on the length of the text or change the attention.
    """
    head_dim, rope = _rotary(config)
    kind = rope["rope_type"]
    if kind == "default":
        return None
    if kind not in ("llama3", "linear"):
        raise UserError(f"rope scaling {kind!r} cannot be converted: only default, linear and llama3 can")
    scaled, _ = ROPE_INIT_FUNCTIONS[kind](config, torch.device("cpu"))
    exponents = torch.arange(0, head_dim, 2, dtype=torch.float32) / head_dim
    return 1.0 / (rope["rope_theta"] ** exponents) / scaled


def _rotary(config: LlamaConfig) -> tuple[int, dict[str, Any]]:
    """The size of a head, all of it rotated, and the rotary parameters."""
    return config.head_dim or config.hidden_size // config.num_attention_heads, dict(
        config.rope_parameters or {}
    )


def rotated_heads(config: LlamaConfig, name: str) -> int | None:
    """How many rotary heads the tensor's rows hold; None for tensors that are not rotated."""
    if ".self_attn.q_proj." in name:
        return config.num_attention_heads
    if ".self_attn.k_proj." in name:
        return config.num_key_value_heads
    return None


def _load(checkpoint: Checkpoint, name: str, n_heads: int | None) -> torch.Tensor:
    return neighbours(checkpoint.load(name), n_heads)


def neighbours(tensor: torch.Tensor, n_heads: int | None) -> torch.Tensor:
    """The rows as llama.cpp expects them: rotary pairs are neighbours there, halves in transformers."""
    if n_heads is None:
        return tensor
    halves = tensor.unflatten(0, (n_heads, 2, -1))
    return halves.transpose(1, 2).reshape(tensor.shape)


def _add_prompt(writer: GGUFWriter, folder: Path) -> list[str]:
    """Write the chat template and the proofreader.* keys; say what the folder lacks."""
    notes = []
    tokenizer = load_tokenizer(folder)
    template = tokenizer.chat_template
    if isinstance(template, str):
        writer.add_chat_template(template)
        try:
            ChatTemplate(template, folder, tokenizer.bos_token or "", tokenizer.eos_token or "")
        except UserError as error:
            notes.append(f"the app cannot prompt this model: {error}")
    else:
        notes.append("the tokenizer has no single chat template: the app cannot prompt this model")
    manifest = Manifest.read(folder)
    if manifest is None:
        notes.append("no proofreader.json: the app will use its general prompt, whole emails at a time")
        return notes
    writer.add_string("proofreader.prompt_version", manifest.prompt_version)
    writer.add_string("proofreader.unit", manifest.unit)
    # A string, because llama.cpp leaves arrays out of the metadata it hands to its callers.
    writer.add_string("proofreader.modes", ",".join(manifest.modes))
    return notes

"""python -m tests.shape OUT [--like MODEL]: a GGUF in the shape of Llama-3.2-1B, Q4_0, with random weights, to measure speed.

What a model costs hangs on its shape, not on what it knows. It has the tokenizer, the template and the `proofreader.*` keys of
another file, so that it is given what that one is given; `--general` leaves those keys out.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGMLQuantizationType, GGUFReader, GGUFWriter, LlamaFileType

ROOT = Path(__file__).resolve().parents[1]

# https://huggingface.co/meta-llama/Llama-3.2-1B/blob/main/config.json
N_LAYER, N_EMBD, N_FF, N_HEAD, N_HEAD_KV, N_VOCAB = 16, 2048, 8192, 32, 8, 128_256
_BLOCK = 32  # weights of a Q4_0 block: a scale in 16 bits, then 4 bits each


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--like", type=Path, default=ROOT / "space/models/proofreader.gguf")
    parser.add_argument("--general", action="store_true")
    options = parser.parse_args()
    write(options.out, options.like, general=options.general)


def write(out: Path, like: Path, *, general: bool = False) -> None:
    writer = GGUFWriter(out, "llama")
    writer.add_name("random weights")
    writer.add_file_type(LlamaFileType.MOSTLY_Q4_0)
    writer.add_context_length(131_072)
    writer.add_embedding_length(N_EMBD)
    writer.add_block_count(N_LAYER)
    writer.add_feed_forward_length(N_FF)
    writer.add_head_count(N_HEAD)
    writer.add_head_count_kv(N_HEAD_KV)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(500_000.0)
    writer.add_vocab_size(N_VOCAB)
    for key, value, types in _described(like, general):
        writer.add_key_value(key, value, *types)
    random = np.random.default_rng(0)
    _add(writer, "token_embd.weight", N_VOCAB, N_EMBD, random)
    writer.add_tensor("output_norm.weight", np.ones(N_EMBD, np.float32))
    kv = N_EMBD // N_HEAD * N_HEAD_KV
    for layer in range(N_LAYER):
        for name, rows, columns in (
            ("attn_q", N_EMBD, N_EMBD), ("attn_k", kv, N_EMBD), ("attn_v", kv, N_EMBD), ("attn_output", N_EMBD, N_EMBD),
            ("ffn_gate", N_FF, N_EMBD), ("ffn_up", N_FF, N_EMBD), ("ffn_down", N_EMBD, N_FF),
        ):  # fmt: skip
            _add(writer, f"blk.{layer}.{name}.weight", rows, columns, random)
        for name in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"blk.{layer}.{name}.weight", np.ones(N_EMBD, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _described(like: Path, general: bool) -> list[tuple[str, Any, list[Any]]]:
    """The keys of a file on its tokenizer and how it was trained, with words of no text up to the size of the vocabulary."""
    kept = ("tokenizer.", *(() if general else ("proofreader.",)))
    found = []
    for key, field in GGUFReader(like).fields.items():
        value = field.contents()
        if key in ("tokenizer.ggml.tokens", "tokenizer.ggml.token_type"):
            missing = range(len(value), N_VOCAB)
            value = [
                *value,
                *([f"<unused {i}>" for i in missing] if key.endswith("tokens") else [5] * len(missing)),
            ]
        if key.startswith(kept):
            found.append((key, value, field.types))
    return found


def _add(writer: GGUFWriter, name: str, rows: int, columns: int, random: np.random.Generator) -> None:
    """Weights of about a model's size, so that no number runs out of bounds."""
    blocks = random.integers(0, 256, (rows, columns // _BLOCK, 2 + _BLOCK // 2), np.uint8)
    blocks[:, :, :2] = np.frombuffer(np.float16(0.02 / 4).tobytes(), np.uint8)
    writer.add_tensor(name, blocks.reshape(rows, -1), raw_dtype=GGMLQuantizationType.Q4_0)


if __name__ == "__main__":
    main()

"""What a fine-tuning needs, counted by hand, and what is free in a container."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import LlamaConfig

from training.finetune import lora, memory, recipes

on_cpu = pytest.mark.skipif(torch.cuda.is_available(), reason="counts the memory of the machine")


@on_cpu
def test_needs_are_weights_adapter_and_activations() -> None:
    config = LlamaConfig(
        vocab_size=100, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, tie_word_embeddings=True,
    )  # fmt: skip
    # q and o 16 x 16, k and v 16 x 8, three of 16 x 32; two norms a layer, one at the end
    linear, others = 2 * (2 * 16 * 16 + 2 * 16 * 8 + 3 * 16 * 32), 100 * 16 + 5 * 16
    adapter = 2 * 4 * (2 * (16 + 16) + 2 * (16 + 8) + 3 * (16 + 32))
    given = {"lora_r": 4, "per_device_train_batch_size": 3, "bf16": True}
    fixed, read = 4 * (linear + others) + 16 * adapter, 3 * 50 * 16
    plain, saving = (recipes.arguments(given | {"gradient_checkpointing": each}) for each in (False, True))
    new = lora.new_adapter(plain)
    assert memory.needed(config, new, plain, 50) == fixed + 34 * 2 * read
    assert memory.needed(config, new, saving, 50) == fixed + (2 * 2 + 34) * read
    # Preferences: the reference is read a layer at a time while two layers of the policy wait.
    kto, dpo = memory.Preferences(texts=1, copy=False), memory.Preferences(texts=2, copy=True)
    assert memory.needed(config, new, plain, 50, kto) == fixed + 34 * (2 + 1) * read
    assert memory.needed(config, new, plain, 50, dpo) == fixed + 4 * adapter + 2 * 34 * (2 + 1) * read
    wide = recipes.arguments(given | {"bf16": False})
    assert memory.needed(config, new, wide, 50) == fixed + 2 * 34 * 2 * read
    assert memory.needed(config, new, saving, 50, dpo) == fixed + 4 * adapter + 2 * (2 * 2 + 34) * read


@on_cpu
def test_an_adapter_on_some_layers_alone_is_counted_as_it_is() -> None:
    config = LlamaConfig(vocab_size=100, hidden_size=16, intermediate_size=32, num_hidden_layers=2,
                         num_attention_heads=2, num_key_value_heads=1, tie_word_embeddings=True)  # fmt: skip
    whole, part = (
        recipes.arguments({"lora_r": 4, "target_modules": names}) for names in (["all-linear"], ["q_proj"])
    )
    apart = 2 * 4 * ((16 + 16) + 2 * (16 + 8) + 3 * (16 + 32))  # o, k and v, the three of the MLP
    more = memory.needed(config, lora.new_adapter(whole), whole, 1) - memory.needed(
        config, lora.new_adapter(part), part, 1
    )
    assert more == 16 * apart


@on_cpu
def test_files_that_a_container_has_read_are_free_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("space.proofread.llm.memory._CGROUP", tmp_path)
    machine = memory.free()
    assert machine > 1e6
    for name, text in {
        "max": "5000\n",
        "current": "4000\n",
        "stat": "anon 1000\nactive_file 1800\ninactive_file 1200\n",
    }.items():
        (tmp_path / f"memory.{name}").write_text(text)
    assert memory.free() == 4000
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.free() > 1e6

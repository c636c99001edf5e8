"""Tiny models that training begins with: a BERT under the encoders, a Llama that knows its texts, to be pruned, and one that
knows nothing, to be fine-tuned."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]

IDLE_LAYER = 1  # of the four of `pretrained`: it adds nothing to what passes through it


torch.set_num_threads(1)  # of tiny models: more would wait for each other


@pytest.fixture(scope="session")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random BERT of 16 dimensions with a vocabulary of letters and a few words."""
    import torch
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    torch.manual_seed(0)
    words = ["please", "thanks", "now", "good", "bad", "the", "report", "send", "me", "you", "日"]
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[unused0]", *words, *".,?!'"]
    tokens += [mark + chr(c) for mark in ("", "##") for c in range(97, 123)]
    backend = Tokenizer(models.WordPiece({token: i for i, token in enumerate(tokens)}, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=True)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece()
    backend.post_processor = processors.TemplateProcessing(
        "[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    )
    folder = tmp_path_factory.mktemp("bert")
    tokenizer.save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(tokens), hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=192,
    )  # fmt: skip
    BertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def pretrained(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of four layers, one of them idle, and a byte-level BPE tokenizer, as SmolLM2 has them; it knows the corpus."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    texts = [json.loads(line)["text"] for line in (corpus / "clean.jsonl").read_text().splitlines()]
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=460, special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"], show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )  # fmt: skip
    backend.train_from_iterator([*texts, "user system", "user system"], trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<|im_start|>", eos_token="<|im_end|>", pad_token="<|im_end|>"
    )
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=64, intermediate_size=96, num_hidden_layers=4, num_attention_heads=4,
        num_key_value_heads=2, tie_word_embeddings=True, bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    model = LlamaForCausalLM(config)
    idle = model.model.layers[IDLE_LAYER]
    for weight in (idle.self_attn.o_proj.weight, idle.mlp.down_proj.weight):
        torch.nn.init.zeros_(weight).requires_grad_(False)
    batch = tokenizer(texts, return_tensors="pt", padding=True)
    labels = batch.input_ids.masked_fill(batch.attention_mask == 0, -100)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=3e-3)
    for _ in range(60):  # until every other layer has a part in what it knows
        loss = model(input_ids=batch.input_ids, attention_mask=batch.attention_mask, labels=labels).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    folder = tmp_path_factory.mktemp("pretrained")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Llama of two layers (16 dimensions) that reads bytes, with a chat template: for any fine-tuning."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from training.finetune.bench import letters

    tokenizer = letters()
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, max_position_embeddings=1024, tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("tiny-llama")
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def half_corpus(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first half of the corpus's sentences: what `pruned` is to keep the words of."""
    lines = (corpus / "clean.jsonl").read_text().splitlines()
    path = tmp_path_factory.mktemp("half") / "half.jsonl"
    path.write_text("\n".join(lines[: len(lines) // 2]) + "\n")
    return path


@pytest.fixture(scope="session")
def pruned(pretrained: Path, half_corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`pretrained` without one layer and without words that `half_corpus` does not use."""
    from training.__main__ import main

    out = tmp_path_factory.mktemp("pruned") / "base"
    arguments = [f"--model={pretrained}", f"--texts={half_corpus}", f"--out={out}"]
    assert main(["prune", *arguments, "--num_hidden_layers=3", "--vocab_size=400"]) == 0
    return out


@pytest.fixture
def giant(tiny_llama: Path, tmp_path: Path) -> Path:
    """A model that fits nowhere; it has no weights, for its size is estimated from the configuration."""
    giant = tmp_path / "giant"
    giant.mkdir()
    for path in (*tiny_llama.glob("*.json"), *tiny_llama.glob("*.jinja")):
        (giant / path.name).write_text(path.read_text())
    config = json.loads((giant / "config.json").read_text())
    config |= {"hidden_size": 16384, "intermediate_size": 65536, "num_hidden_layers": 200}
    (giant / "config.json").write_text(json.dumps(config))
    return giant


@pytest.fixture
def in_two_processes() -> Callable[[Sequence[str]], subprocess.CompletedProcess[str]]:
    """Runs `python -m training ...` in two processes that talk over gloo, as they would on two GPUs over NCCL.

    torchrun is what starts them: `accelerate launch --cpu` has only one process where there is no MPI.
    """
    launch = ["-m", "torch.distributed.run", "--nproc_per_node=2", "--standalone", "--module", "training"]

    def run(arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *launch, *arguments], cwd=ROOT, capture_output=True, text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        )  # fmt: skip

    return run

"""Tiny models made on the spot: real classes, real files, random weights."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import BertConfig, BertModel, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from conversion.vocabulary import LLAMA3_PATTERN
from tests.feedback.conftest import hub  # noqa: F401  a fixture

SPECIAL = ("<|begin|>", "<|end|>", "<|pad|>", "<|system|>", "<|user|>", "<|assistant|>")
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
MANIFEST = {"prompt_version": "1", "unit": "sentence", "modes": ["proofread", "polish"]}
CORPUS = """
Dear team, please find attached the report that we discussed last week.
The meeting is at nine thirty tomorrow.
I'm looking forward to hearing from you. Could you send me the files? Thanks a lot for your quick answer!
We've received your order and it'll be shipped within three to five business days. Don't hesitate to call us.
The manager who I spoke to was very helpful, and everything looks good to me.
Kind regards, Best wishes, Sincerely
There are many reasons for the delay: the weather, the traffic, and the holidays. Sorry for the inconvenience.
Let me know if there are any questions about the invoice, the contract or the payment
of 1,250.00 by 12 May 2024.
def main(): return [x for x in range(10)] café naïve señor 你好 مرحبا привет 🙂
""".strip().splitlines()


def train_byte_level_bpe(vocab_size: int = 640) -> Tokenizer:
    """The Llama-3 splitter with a vocabulary of its own."""
    tokenizer = Tokenizer(models.BPE(ignore_merges=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(LLAMA3_PATTERN), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size, special_tokens=list(SPECIAL), initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer


def save_llama(folder: Path, *, adds_bos: bool = False, **changes: Any) -> Path:
    """A random LlamaForCausalLM with its tokenizer; `changes` go into its config."""
    tokenizer = train_byte_level_bpe()
    if adds_bos:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<|begin|> $A", special_tokens=[("<|begin|>", tokenizer.token_to_id("<|begin|>"))]
        )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<|begin|>",
        eos_token="<|end|>",
        pad_token="<|pad|>",
        additional_special_tokens=list(SPECIAL[3:]),
    )
    fast.chat_template = CHAT_TEMPLATE
    fast.save_pretrained(folder)
    torch.manual_seed(0)
    settings: dict[str, Any] = {
        "vocab_size": len(fast),
        "hidden_size": 64,
        "intermediate_size": 160,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
        "tie_word_embeddings": True,
        "bos_token_id": fast.bos_token_id,
        "eos_token_id": fast.eos_token_id,
        "pad_token_id": fast.pad_token_id,
        # Ten times the usual spread, so that the most likely token stands out as in a trained model.
        "initializer_range": 0.2,
    }
    LlamaForCausalLM(LlamaConfig(**(settings | changes))).save_pretrained(folder)
    (folder / "proofreader.json").write_text(json.dumps(MANIFEST))
    return folder


def save_adapter(base: Path, folder: Path, *, trained: bool = True, rank: int = 4) -> Path:
    """A LoRA adapter on every projection; an untrained one has peft's zeros in B."""
    torch.manual_seed(1)
    config = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear", task_type="CAUSAL_LM")
    with warnings.catch_warnings():
        # peft 0.21.2 reads an attribute that transformers 5.23 calls deprecated.
        warnings.simplefilter("ignore", FutureWarning)
        model = get_peft_model(LlamaForCausalLM.from_pretrained(base), config)
    if trained:
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.05)
    model.save_pretrained(str(folder))
    return folder


@pytest.fixture(scope="session")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_llama(tmp_path_factory.mktemp("models") / "llama")


@pytest.fixture(scope="session")
def adapter(llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_adapter(llama, tmp_path_factory.mktemp("models") / "adapter")


@pytest.fixture(scope="session")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random BertModel with an uncased WordPiece tokenizer."""
    folder = tmp_path_factory.mktemp("models") / "bert"
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(vocab_size=500, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    ids = [(token, tokenizer.token_to_id(token)) for token in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ids)
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, mask_token="[MASK]", **names)
    fast.save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(fast),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=512,
    )
    BertModel(config).save_pretrained(folder)
    return folder

"""Other wordings of a sentence by the model's adapter for them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from space.errors import UserError
from space.proofread.classifiers.tone import MODELS
from space.proofread.evidence import Evidence
from space.proofread.llm.engine import Sampling
from space.proofread.llm.llama_cpp import LlamaCpp
from space.proofread.prompt import Message, messages

TEXT = "Send me the signed lease today, I am sick of waiting."


def never() -> bool:
    return False


@pytest.fixture(scope="module")
def chat() -> list[Message]:
    return messages(TEXT, Evidence(("negative", 0.9), ("impolite", 0.95)), "polish")


@pytest.fixture(scope="module")
def engine() -> LlamaCpp:
    return LlamaCpp(MODELS / "proofreader.gguf", n_threads=1)


def test_each_begins_otherwise_and_all_are_the_same_again(engine: LlamaCpp, chat: list[Message]) -> None:
    found = engine.rephrased(chat, 3, never)
    assert 2 <= len(found) <= 3 and len({each.text.split()[0] for each in found}) == len(found)
    assert any("lease" in each.text and each.text != TEXT for each in found)
    assert all(0 < each.likely <= 1 for each in found)
    assert engine.rephrased(chat, 3, never) == found
    assert engine.rephrased(chat, 1, never) == found[:1]


def test_the_adapter_leaves_alone_what_the_model_writes_otherwise(
    engine: LlamaCpp, chat: list[Message], tmp_path: Path
) -> None:
    shutil.copy(MODELS / "proofreader.gguf", tmp_path)
    bare = LlamaCpp(tmp_path / "proofreader.gguf", n_threads=1)
    assert bare.rephrased(chat, 3, never) == []
    plain = bare.complete(chat, Sampling(), never)
    assert engine.rephrased(chat, 1, never) and engine.complete(chat, Sampling(), never) == plain
    bare.close()


def test_what_is_stopped_too_long_or_closed_has_none(chat: list[Message]) -> None:
    engine = LlamaCpp(MODELS / "proofreader.gguf", n_threads=1)
    assert engine.rephrased(chat, 3, lambda: True) == []
    long = [*chat[:1], {"role": "user", "content": "I am sick of waiting. " * 60}]
    assert engine.rephrased(long, 3, never) == []
    engine.close()
    with pytest.raises(UserError, match="closed"):
        engine.rephrased(chat, 3, never)

"""Reading a text with and without an edit: one batch says what reading each version by itself says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from llama_cpp import Llama

from space.errors import UserError
from space.proofread.classifiers.tone import MODELS
from space.proofread.edits import Edit, apply
from space.proofread.llm.llama_cpp import LlamaCpp
from space.proofread.llm.reading import MAX_VERSIONS

TEXT = "He go to to the office at monday."
EDITS = [
    Edit(3, 5, "go", "goes"), Edit(8, 11, " to", ""), Edit(0, 2, "He", "So he"), Edit(23, 25, "at", "on"),
    Edit(26, 32, "monday", "Monday"), Edit(32, 33, ".", "!"), Edit(32, 33, ".", ""), Edit(33, 33, "", " Yes."),
]  # fmt: skip


@pytest.fixture(scope="module")
def engine(small_gguf: Path) -> LlamaCpp:
    return LlamaCpp(small_gguf, n_ctx=512, n_threads=1)


def log_likelihood(llama: Llama, text: str) -> float:
    """Of all tokens behind the one that opens a text, in nats, read by themselves."""
    tokens = [llama.token_bos(), *llama.tokenize(text.encode(), add_bos=False, special=False)]
    llama.reset()
    llama.eval(tokens)
    logits = np.array(llama.scores[: len(tokens) - 1], np.float64)
    logits -= logits.max(axis=1, keepdims=True)
    chances = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return float(sum(chances[i, token] for i, token in enumerate(tokens[1:])))


def test_a_batch_says_what_each_version_says_by_itself(engine: LlamaCpp, small_gguf: Path) -> None:
    llama = Llama(str(small_gguf), n_ctx=512, logits_all=True, n_threads=1, verbose=False)
    near_the_end = [edit for edit in EDITS if edit.start > 20]  # read to their end
    together = engine.gains(TEXT, near_the_end)
    before = log_likelihood(llama, TEXT)
    apart = [log_likelihood(llama, apply(TEXT, [edit])) - before for edit in near_the_end]
    assert together == pytest.approx(apart, abs=0.05)
    singly = [engine.gains(TEXT, [edit])[0] for edit in EDITS]
    assert engine.gains(TEXT, EDITS) == pytest.approx(singly, abs=0.05)
    assert len({round(gain, 3) for gain in singly}) == len(EDITS)


def test_what_changes_nothing_or_does_not_fit_gains_nothing(engine: LlamaCpp) -> None:
    assert engine.gains(TEXT, []) == []
    assert engine.gains(TEXT, [Edit(0, 2, "He", "He")]) == [0.0]
    long = "We meet at ten. " * 400
    assert engine.gains(long, [Edit(0, 2, "We", "He")]) == [0.0]
    many = [Edit(0, 2, "He", f"He {number}") for number in range(MAX_VERSIONS + 5)]
    gains = engine.gains(TEXT, many)
    assert len(gains) == len(many) and all(gains)  # read in parts
    assert gains[MAX_VERSIONS:] == engine.gains(TEXT, many[MAX_VERSIONS:])


def test_a_closed_model_says_so(small_gguf: Path) -> None:
    engine = LlamaCpp(small_gguf, n_ctx=512, n_threads=1)
    engine.gains(TEXT, EDITS)
    engine.close()
    with pytest.raises(UserError, match="closed"):
        engine.gains(TEXT, EDITS)


def test_the_embedded_model_reads_on() -> None:
    """What stands before the preposition allows either; what follows does not."""
    engine = LlamaCpp(MODELS / "proofreader.gguf", n_threads=1)
    on, at = "We will meet on 10 o'clock.", "We will meet on Monday."
    (wrong,) = engine.gains(on, [Edit(13, 15, "on", "at")])
    (right,) = engine.gains(at, [Edit(13, 15, "on", "at")])
    assert wrong > 1 and right < -1
    engine.close()

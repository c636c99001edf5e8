"""The tone encoder: a tiny BERT gives the same per-token states in llama.cpp as in transformers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from llama_cpp import LLAMA_POOLING_TYPE_MEAN, LLAMA_POOLING_TYPE_NONE, Llama
from transformers import AutoTokenizer, BertForSequenceClassification, BertModel

from conversion.__main__ import main

TEXT = "Could you please send me the REPORT, naïve team?"


@pytest.fixture(scope="module")
def f16(bert: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("gguf") / "bert.gguf"
    assert main(["gguf", str(bert), str(out)]) == 0
    return out


def states(folder: Path) -> np.ndarray:
    """transformers' hidden states of TEXT, shape (tokens, hidden)."""
    ids = AutoTokenizer.from_pretrained(folder).encode(TEXT)
    with torch.inference_mode():
        return BertModel.from_pretrained(folder).eval()(torch.tensor([ids])).last_hidden_state[0].numpy()


def embed(gguf: Path, pooling: int) -> np.ndarray:
    llama = Llama(str(gguf), embedding=True, pooling_type=pooling, verbose=False)
    return np.array(llama.embed(TEXT))


def test_hidden_states_per_token_and_their_mean(bert, f16):
    expected = states(bert)
    np.testing.assert_allclose(embed(f16, LLAMA_POOLING_TYPE_NONE), expected, atol=1e-2)
    np.testing.assert_allclose(embed(f16, LLAMA_POOLING_TYPE_MEAN), expected.mean(axis=0), atol=1e-2)


def test_verify_and_quantize(bert, f16, tmp_path, capsys):
    assert main(["verify", str(f16), str(bert)]) == 0
    report = json.loads(capsys.readouterr().out)
    tokens, hidden = report["checks"]
    assert tokens["equal"] == tokens["total"] == 200
    assert hidden["equal"] == hidden["total"] > 100

    assert main(["quantize", str(f16), str(tmp_path / "q8.gguf")]) == 0
    assert "Q8_0" in capsys.readouterr().err
    assert main(["verify", str(tmp_path / "q8.gguf"), str(bert)]) == 0
    assert json.loads(capsys.readouterr().out)["checks"][1]["detail"]["mean cosine"] > 0.999


def test_encoder_of_a_classifier_is_converted_without_its_head(bert, tmp_path):
    folder = tmp_path / "classifier"
    BertForSequenceClassification.from_pretrained(bert, num_labels=3).save_pretrained(folder)
    AutoTokenizer.from_pretrained(bert).save_pretrained(folder)
    assert main(["gguf", str(folder), str(tmp_path / "c.gguf")]) == 0
    np.testing.assert_allclose(embed(tmp_path / "c.gguf", LLAMA_POOLING_TYPE_NONE), states(bert), atol=1e-2)

"""From adapter to served file with a tiny Llama: every step through the command line, judged by llama.cpp."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from gguf import GGUFReader
from llama_cpp import Llama
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer, LlamaForCausalLM

from conversion.__main__ import main

from .conftest import CHAT_TEMPLATE, save_llama


def field(path: Path, key: str) -> Any:
    found = GGUFReader(path).get_field(key)
    return found.contents() if found else None


def run(capsys: pytest.CaptureFixture[str], *argv: object) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main([str(arg) for arg in argv])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def verify(
    capsys: pytest.CaptureFixture[str], gguf: Path, folder: Path, *argv: object
) -> tuple[int, dict, str]:
    code, out, err = run(capsys, "verify", gguf, folder, *argv)
    report = json.loads(out)
    return code, {check["name"]: check for check in report["checks"]}, err


@pytest.fixture(scope="module")
def f16(llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("gguf") / "f16.gguf"
    assert main(["gguf", str(llama), str(out), "--name", "tiny proofreader", "--license", "mit"]) == 0
    return out


# peft 0.21.2 reads an attribute that transformers 5.23 calls deprecated.
@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")
def test_merge_convert_quantize_verify(llama, adapter, tmp_path, capsys):
    merged, half, small = tmp_path / "merged", tmp_path / "f16.gguf", tmp_path / "q8.gguf"
    assert run(capsys, "merge", "--base", llama, "--adapter", adapter, "--out", merged)[:2] == (
        0,
        f"{merged}\n",
    )

    ids = torch.arange(10, 30)[None]
    with torch.inference_mode():
        expected = PeftModel.from_pretrained(LlamaForCausalLM.from_pretrained(llama), adapter)(ids).logits
        torch.testing.assert_close(
            LlamaForCausalLM.from_pretrained(merged)(ids).logits, expected, atol=1e-4, rtol=0
        )

    assert run(capsys, "gguf", merged, half)[0] == 0
    code, checks, table = verify(capsys, half, merged)
    assert code == 0 and all(check["passed"] for check in checks.values())
    assert checks["tokenisation"]["equal"] == checks["tokenisation"]["total"] == 200
    assert checks["templates"]["total"] == 20
    greedy = checks["greedy tokens"]
    assert greedy["equal"] + greedy["detail"]["ties"] == greedy["total"]
    assert greedy["equal"] >= 0.99 * greedy["total"]
    assert "greedy tokens" in table

    code, out, notes = run(capsys, "quantize", half, small, "--type", "q8_0")
    assert (code, out) == (0, f"{small}\n") and "15 x Q8_0" in notes
    assert small.stat().st_size < 0.75 * half.stat().st_size
    code, checks, _ = verify(capsys, small, merged, "--prompts", 5)
    assert code == 0
    assert 0.8 <= checks["greedy tokens"]["equal"] / checks["greedy tokens"]["total"] <= 1
    assert field(small, "proofreader.unit") == "sentence"

    # The adapter changed the model, so the merged file must not pass for the base.
    code, checks, table = verify(capsys, half, llama, "--texts", 5, "--prompts", 2)
    assert code == 1 and not checks["greedy tokens"]["passed"] and "FAIL" in table


@pytest.mark.parametrize("tied", [True, False])
def test_f32_matches_to_rounding_with_llama3_rope(tied, tmp_path, capsys):
    rope = {"rope_type": "llama3", "rope_theta": 5e5, "factor": 32.0, "low_freq_factor": 1.0}
    rope |= {"high_freq_factor": 4.0, "original_max_position_embeddings": 64}
    folder = save_llama(tmp_path / "m", adds_bos=True, tie_word_embeddings=tied, rope_parameters=rope)
    gguf = tmp_path / "m.gguf"
    assert main(["gguf", str(folder), str(gguf), "--type", "f32"]) == 0
    factors = next(t.data for t in GGUFReader(gguf).tensors if t.name == "rope_freqs.weight")
    assert factors.shape == (8,) and factors.min() == 1 and factors.max() == pytest.approx(32)
    code, checks, _ = verify(capsys, gguf, folder, "--prompts", 6)
    assert code == 0
    assert checks["greedy tokens"]["equal"] == checks["greedy tokens"]["total"]
    assert checks["greedy tokens"]["detail"]["largest logit difference"] < 1e-3


def test_file_describes_itself(f16):
    assert field(f16, "general.architecture") == "llama"
    assert field(f16, "general.name") == "tiny proofreader"
    assert field(f16, "general.license") == "mit"
    assert field(f16, "tokenizer.ggml.pre") == "llama-bpe"
    llama = Llama(str(f16), vocab_only=True, verbose=False)
    assert llama.metadata["tokenizer.chat_template"] == CHAT_TEMPLATE
    assert llama.metadata["proofreader.prompt_version"] == "1"
    assert llama.metadata["proofreader.unit"] == "sentence"
    assert llama.metadata["proofreader.modes"] == "proofread,polish"


@pytest.mark.parametrize("adds_bos", [True, False])
def test_bos_is_added_exactly_when_the_tokenizer_adds_it(adds_bos, tmp_path):
    folder = save_llama(tmp_path / "m", adds_bos=adds_bos)
    assert main(["gguf", str(folder), str(tmp_path / "m.gguf")]) == 0
    llama = Llama(str(tmp_path / "m.gguf"), vocab_only=True, verbose=False)
    ids = llama.tokenize(b"the", add_bos=True)
    assert ids == AutoTokenizer.from_pretrained(folder).encode("the")
    assert (ids[0] == llama.token_bos()) == adds_bos


def test_a_chat_template_that_cannot_be_used_is_named(llama, tmp_path, capsys):
    folder = shutil.copytree(llama, tmp_path / "m")
    (folder / "chat_template.jinja").write_text("{{ 10 ** (10 ** 9) }}")
    code, _, notes = run(capsys, "gguf", folder, tmp_path / "m.gguf")
    assert code == 0
    assert f"the app cannot prompt this model: {folder}: its chat template runs for more than 1 s" in notes
    code, _, error = run(capsys, "verify", tmp_path / "m.gguf", folder)
    assert (
        code == 2 and error.startswith(f"error: {folder}: its chat template runs") and error.count("\n") == 1
    )


def test_special_tokens_in_user_text_are_plain_text(f16):
    llama = Llama(str(f16), vocab_only=True, verbose=False)
    plain = llama.tokenize(b"a<|assistant|>b", add_bos=False, special=False)
    parsed = llama.tokenize(b"a<|assistant|>b", add_bos=False, special=True)
    assert len(parsed) == 3 < len(plain)
    assert parsed[1] not in plain
    assert llama.detokenize(plain) == b"a<|assistant|>b"


def test_vocabulary_padding_is_never_produced(tmp_path, capsys):
    folder = save_llama(tmp_path / "m", vocab_size=704)
    assert main(["gguf", str(folder), str(tmp_path / "m.gguf")]) == 0
    assert field(tmp_path / "m.gguf", "tokenizer.ggml.tokens")[-1] == "[PAD703]"
    assert verify(capsys, tmp_path / "m.gguf", folder, "--prompts", 3)[0] == 0


def test_k_types_fall_back_and_say_so(f16, tmp_path, capsys):
    code, _, notes = run(capsys, "quantize", f16, tmp_path / "q4.gguf", "--type", "Q4_K_M")
    assert code == 0
    assert "12 x Q5_0, 3 x Q8_0" in notes
    assert "15 of 15 matrices have rows that are no multiple of 256" in notes


def test_changed_manifest_fails_verify(llama, f16, tmp_path, capsys):
    folder = tmp_path / "m"
    shutil.copytree(llama, folder)
    manifest = json.loads((folder / "proofreader.json").read_text())
    (folder / "proofreader.json").write_text(json.dumps(manifest | {"prompt_version": "2"}))
    code, checks, _ = verify(capsys, f16, folder, "--texts", 3, "--prompts", 1, "--tokens", 2)
    assert code == 1
    assert [name for name, check in checks.items() if not check["passed"]] == ["metadata"]


def test_half_precision_base_is_merged_to_float16(llama, adapter, tmp_path):
    base = tmp_path / "llama"
    shutil.copytree(llama, base)
    LlamaForCausalLM.from_pretrained(llama, dtype=torch.bfloat16).save_pretrained(base)
    assert (
        main(["merge", "--base", str(base), "--adapter", str(adapter), "--out", str(tmp_path / "out")]) == 0
    )
    weights = load_file(tmp_path / "out" / "model.safetensors")
    assert {tensor.dtype for tensor in weights.values()} == {torch.float16}


def test_too_large_for_f16_is_refused_and_fits_f32(llama, tmp_path, capsys):
    folder = tmp_path / "m"
    shutil.copytree(llama, folder)
    weights = load_file(folder / "model.safetensors")
    weights["model.layers.0.mlp.up_proj.weight"][0, 0] = 1e5
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    code, _, err = run(capsys, "gguf", folder, tmp_path / "m.gguf")
    assert code == 2 and "too large for F16: use --type F32" in err
    assert list(tmp_path.iterdir()) == [folder]
    assert run(capsys, "gguf", folder, tmp_path / "m.gguf", "--type", "F32")[0] == 0

"""Bad input gets one line on stderr that says what to do, exit code 2, and leaves nothing behind."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from conversion.__main__ import main

from .conftest import save_adapter, save_llama


def refusal(capsys: pytest.CaptureFixture[str], *argv: object) -> str:
    """Run a command that must be refused and return its one line."""
    capsys.readouterr()
    assert main([str(arg) for arg in argv]) == 2
    captured = capsys.readouterr()
    lines = [line for line in captured.err.splitlines() if not line.startswith("note: ")]
    assert captured.out == "" and len(lines) == 1 and lines[0].startswith("error: ")
    return lines[0]


@pytest.fixture
def copy(llama: Path, tmp_path: Path) -> Path:
    """A copy of the tiny Llama to damage."""
    return Path(shutil.copytree(llama, tmp_path / "copy"))


@pytest.fixture(scope="module")
def f16(llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("gguf") / "f16.gguf"
    assert main(["gguf", str(llama), str(out)]) == 0
    return out


def edit(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_help_imports_nothing_heavy():
    code = "import sys, conversion.__main__ as m; m.parser().format_help(); print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "conversion.__main__" in loaded
    assert not {"torch", "numpy", "transformers", "llama_cpp", "gguf"} & set(loaded)


@pytest.mark.parametrize("argv", [["gguf"], ["verify", "a", "b", "--prompts", "0"], ["publish-all"]])
def test_wrong_arguments_exit_with_2(argv):
    with pytest.raises(SystemExit) as caught:
        main(argv)
    assert caught.value.code == 2


# ---- merge ----


def test_untrained_adapter(llama, tmp_path, capsys):
    adapter = save_adapter(llama, tmp_path / "adapter", trained=False)
    line = refusal(capsys, "merge", "--base", llama, "--adapter", adapter, "--out", tmp_path / "out")
    assert "changes no weight" in line
    assert list(tmp_path.iterdir()) == [adapter]


@pytest.mark.parametrize("changes", [{"num_hidden_layers": 1}, {"intermediate_size": 96}])
def test_adapter_of_another_base(changes, adapter, tmp_path, capsys):
    other = save_llama(tmp_path / "other", **changes)
    line = refusal(capsys, "merge", "--base", other, "--adapter", adapter, "--out", tmp_path / "out")
    assert "does not fit" in line
    assert not (tmp_path / "out").exists()


def test_quantised_base(copy, adapter, tmp_path, capsys):
    edit(copy / "config.json", quantization_config={"quant_method": "bitsandbytes", "load_in_4bit": True})
    line = refusal(capsys, "merge", "--base", copy, "--adapter", adapter, "--out", tmp_path / "out")
    assert "already quantised" in line


def test_output_that_exists_is_kept(llama, adapter, copy, capsys):
    before = (copy / "model.safetensors").read_bytes()
    assert "exists already" in refusal(capsys, "merge", "--base", llama, "--adapter", adapter, "--out", copy)
    assert (copy / "model.safetensors").read_bytes() == before


def test_folder_that_is_no_adapter(llama, tmp_path, capsys):
    line = refusal(capsys, "merge", "--base", llama, "--adapter", llama, "--out", tmp_path / "out")
    assert "adapter_config.json" in line


# ---- gguf ----


def test_missing_folder_and_unknown_model(copy, tmp_path, capsys):
    out = tmp_path / "m.gguf"
    assert "is not a folder" in refusal(capsys, "gguf", tmp_path / "none", out)
    edit(copy / "config.json", model_type="gpt2")
    assert "gpt2" in refusal(capsys, "gguf", copy, out)
    (copy / "config.json").write_text("{")
    assert "config.json" in refusal(capsys, "gguf", copy, out)
    assert not out.exists()


def test_weights_that_do_not_match_the_config(copy, tmp_path, capsys):
    weights = load_file(copy / "model.safetensors")
    removed = weights.pop("model.norm.weight")
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    assert "no tensor model.norm.weight" in refusal(capsys, "gguf", copy, tmp_path / "m.gguf")
    save_file(
        weights | {"model.norm.weight": removed[:5].clone()}, copy / "model.safetensors", {"format": "pt"}
    )
    assert "model.norm.weight is [5]" in refusal(capsys, "gguf", copy, tmp_path / "m.gguf")
    (copy / "model.safetensors").write_bytes((copy / "model.safetensors").read_bytes()[:3000])
    assert "damaged" in refusal(capsys, "gguf", copy, tmp_path / "m.gguf")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda spec: spec["model"].update(ignore_merges=False), "ignore_merges"),
        (lambda spec: spec.update(normalizer={"type": "NFC"}), "normalizer"),
        (
            lambda spec: spec["pre_tokenizer"]["pretokenizers"][1].update(add_prefix_space=True),
            "pre-tokenizer",
        ),
        (
            lambda spec: spec["pre_tokenizer"]["pretokenizers"][0]["pattern"].update(Regex=r"\s+"),
            "pre-tokenizer",
        ),
    ],
)
def test_tokenizer_that_llama_cpp_would_split_differently(change, reason, copy, tmp_path, capsys):
    spec = json.loads((copy / "tokenizer.json").read_text())
    change(spec)
    (copy / "tokenizer.json").write_text(json.dumps(spec))
    assert reason in refusal(capsys, "gguf", copy, tmp_path / "m.gguf")


def test_rope_scaling_that_llama_cpp_lacks(tmp_path, capsys):
    folder = save_llama(
        tmp_path / "m", rope_parameters={"rope_type": "dynamic", "rope_theta": 1e4, "factor": 2.0}
    )
    assert "rope scaling 'dynamic'" in refusal(capsys, "gguf", folder, tmp_path / "m.gguf")


@pytest.mark.parametrize(
    "wrong",
    [{"prompt_version": 1}, {"unit": "word"}, {"modes": []}, {"modes": "proofread"}, {"modes": ["a,b"]}],
)
def test_wrong_manifest(wrong, copy, tmp_path, capsys):
    edit(copy / "proofreader.json", **wrong)
    assert next(iter(wrong)) in refusal(capsys, "gguf", copy, tmp_path / "m.gguf")


def test_output_that_cannot_be_written(llama, f16, tmp_path, capsys):
    assert "does not exist" in refusal(capsys, "gguf", llama, tmp_path / "none" / "m.gguf")
    assert "does not exist" in refusal(capsys, "quantize", f16, tmp_path / "none" / "q.gguf")
    (tmp_path / "folder").mkdir()
    assert "cannot write" in refusal(capsys, "gguf", llama, tmp_path / "folder")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_missing_or_damaged_tokenizer(copy, f16, tmp_path, capsys):
    spec = json.loads((copy / "tokenizer.json").read_text())
    (copy / "tokenizer.json").write_text(
        json.dumps(spec | {"model": spec["model"] | {"merges": [["no", "such"]]}})
    )
    assert "tokenizer cannot be loaded" in refusal(capsys, "verify", f16, copy)
    assert "tokenizer cannot be loaded" in refusal(capsys, "gguf", copy, tmp_path / "m.gguf")
    (copy / "tokenizer.json").unlink()
    assert "tokenizer.json is missing" in refusal(capsys, "verify", f16, copy)
    assert "tokenizer.json is missing" in refusal(capsys, "gguf", copy, tmp_path / "m.gguf")


# ---- quantize, verify ----


@pytest.mark.parametrize("size", [4, 100, 20_000, 150_000, -1])
def test_truncated_gguf(size, llama, f16, tmp_path, capsys):
    torn = tmp_path / "torn.gguf"
    torn.write_bytes(f16.read_bytes()[:size])
    assert "not a complete GGUF model" in refusal(capsys, "quantize", torn, tmp_path / "q.gguf")
    assert "not a complete GGUF model" in refusal(capsys, "verify", torn, llama)
    assert list(tmp_path.iterdir()) == [torn]


def test_not_a_gguf(llama, tmp_path, capsys):
    assert "not a GGUF file" in refusal(capsys, "quantize", llama / "config.json", tmp_path / "q.gguf")
    assert "cannot read" in refusal(capsys, "verify", tmp_path / "none.gguf", llama)


def test_quantize_needs_a_known_type_and_a_full_precision_source(f16, tmp_path, capsys):
    assert "unknown type 'Q9'" in refusal(capsys, "quantize", f16, tmp_path / "q.gguf", "--type", "Q9")
    assert main(["quantize", str(f16), str(tmp_path / "q8.gguf")]) == 0
    assert "quantised already" in refusal(capsys, "quantize", tmp_path / "q8.gguf", tmp_path / "q.gguf")
    assert "is the source itself" in refusal(capsys, "quantize", f16, f16)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["q8.gguf"]


def test_verify_against_another_model(f16, bert, tmp_path, capsys):
    assert "another kind of model" in refusal(capsys, "verify", f16, bert)
    other = save_llama(tmp_path / "other", vocab_size=700)
    assert "another vocabulary" in refusal(capsys, "verify", f16, other, "--prompts", 1)

"""Weights from elsewhere: nothing is unpickled, and safetensors that are wrong end in one line, in every command that takes them."""

from __future__ import annotations

import ast
import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from conversion.__main__ import main as convert
from tests.conversion.conftest import save_adapter, save_llama
from tests.test_house import ROOMS, ROOT, python_files
from training.__main__ import main as train

# ---- no pickle ----


def unpickled(source: str) -> list[str]:
    """Calls and imports by which a file could run code of its own as it is loaded."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [
                name.name
                for name in node.names
                if name.name in ("pickle", "joblib", "dill", "shelve", "marshal")
            ]
        elif isinstance(node, ast.ImportFrom) and node.module in (
            "pickle",
            "joblib",
            "dill",
            "shelve",
            "marshal",
        ):
            found += [name.name for name in node.names if name.name != "UnpicklingError"]
        elif isinstance(node, ast.Call):
            given = {each.arg: ast.unparse(each.value) for each in node.keywords}
            name = ast.unparse(node.func)
            if (
                name == "torch.load"
                and given.get("weights_only") != "True"
                or given.get("allow_pickle") == "True"
            ):
                found.append(ast.unparse(node))
            if given.get("trust_remote_code", "False") != "False":
                found.append(ast.unparse(node))
    return found  # fmt: skip


def test_what_would_be_unpickled_is_found() -> None:
    for line in ("torch.load(x)", "torch.load(x, weights_only=False)", "np.load(x, allow_pickle=True)", "import pickle", "from joblib import load",
                 "f(trust_remote_code=True)"):  # fmt: skip
        assert unpickled(line), line
    assert not unpickled("torch.load(x, weights_only=True)\nnp.load(x)\nfrom pickle import UnpicklingError")


def test_nothing_is_unpickled() -> None:
    paths = [path for room in ROOMS for path in python_files(room)]
    assert len(paths) > 100
    found = {str(path.relative_to(ROOT)): unpickled(path.read_text(encoding="utf-8")) for path in paths}
    assert {path: lines for path, lines in found.items() if lines} == {}


# ---- safetensors ----

Damage = Callable[[Path], object]


def header(change: Callable[[dict[str, Any]], Any]) -> Damage:
    """Another header in front of the same data."""

    def damage(path: Path) -> None:
        data = path.read_bytes()
        size = struct.unpack("<Q", data[:8])[0]
        about = json.loads(data[8 : 8 + size])
        text = change(about) or json.dumps(about).encode()
        path.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + size :])

    return damage


def first(about: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = next(value for name, value in sorted(about.items()) if name != "__metadata__")
    return found


def tensors(change: Callable[[dict[str, torch.Tensor]], object]) -> Damage:
    def damage(path: Path) -> None:
        weights = load_file(path)
        change(weights)
        save_file(weights, path, {"format": "pt"})

    return damage


def one(weights: dict[str, torch.Tensor]) -> str:
    return next(name for name in sorted(weights) if "q_proj" in name)


DAMAGE: dict[str, Damage] = {
    "a shape": tensors(lambda weights: weights.update({one(weights): torch.zeros(3, 5)})),
    "a tensor missing": tensors(lambda weights: weights.pop(one(weights))),
    "NaN": tensors(lambda weights: weights[one(weights)].fill_(float("nan"))),
    "a huge header": lambda path: path.write_bytes(struct.pack("<Q", 2**62) + path.read_bytes()[8:]),
    "a header of 0 bytes": lambda path: path.write_bytes(bytes(8) + path.read_bytes()[8:]),
    "brackets without end": header(lambda about: b"[" * 200_000),
    "a nested object": header(lambda about: b'{"a":' * 50_000 + b"1" + b"}" * 50_000),
    "an unknown type": header(lambda about: first(about).update(dtype="F7")),
    "offsets that overlap": header(lambda about: first(about).update(data_offsets=[0, 8])),
    "offsets beyond the file": header(lambda about: first(about).update(data_offsets=[0, 2**60])),
    "a shape that overflows": header(lambda about: first(about).update(shape=[2**62, 2**62])),
    "cut short": lambda path: path.write_bytes(path.read_bytes()[:-9]),
    "empty": lambda path: path.write_bytes(b""),
    "a web page": lambda path: path.write_text("<!DOCTYPE html>"),
}  # fmt: skip


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_llama(tmp_path_factory.mktemp("models") / "llama")


@pytest.fixture(scope="module")
def adapter(llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_adapter(llama, tmp_path_factory.mktemp("models") / "adapter")


_PROGRESS = ("note: ", "evidence measured")


def refused(main: Callable[[list[str]], int], capsys: pytest.CaptureFixture[str], *argv: object) -> str:
    capsys.readouterr()
    assert main([str(word) for word in argv]) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if not line.startswith(_PROGRESS)]
    assert len(lines) == 1 and len(lines[0]) < 600, lines
    return lines[0]


@pytest.mark.parametrize("name", DAMAGE)
def test_damaged_weights_of_a_model(
    name: str, llama: Path, adapter: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(llama, tmp_path / "model"))
    DAMAGE[name](folder / "model.safetensors")
    out = tmp_path / "out"
    refused(convert, capsys, "gguf", folder, out)
    refused(convert, capsys, "merge", "--base", folder, "--adapter", adapter, "--out", out)
    assert not out.exists()


@pytest.mark.parametrize("name", DAMAGE)
def test_damaged_weights_of_an_adapter(
    name: str, llama: Path, adapter: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(adapter, tmp_path / "adapter"))
    DAMAGE[name](folder / "adapter_model.safetensors")
    out = tmp_path / "out"
    refused(convert, capsys, "merge", "--base", llama, "--adapter", folder, "--out", out)
    refused(convert, capsys, "adapter", folder, out, "--base", llama)
    assert not out.exists()


@pytest.mark.parametrize("name", [name for name in DAMAGE if name != "NaN"])
def test_damaged_weights_to_train_on(
    name: str, llama: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(llama, tmp_path / "model"))
    DAMAGE[name](folder / "model.safetensors")
    pairs = tmp_path / "pairs.jsonl"
    pairs.write_text(json.dumps({"prompt": "I has it.", "completion": "I have it."}) + "\n")
    refused(train, capsys, "base", "--model", folder, "--out", tmp_path / "out")
    refused(train, capsys, "sft", "--model", folder, "--dataset", pairs, "--output_dir", tmp_path / "sft")


def test_a_folder_of_pickled_weights_alone_is_refused(
    llama: Path, adapter: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(llama, tmp_path / "model"))
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    pairs = tmp_path / "pairs.jsonl"
    pairs.write_text(json.dumps({"prompt": "I has it.", "completion": "I have it."}) + "\n")
    out = tmp_path / "out"
    refused(convert, capsys, "gguf", folder, out)
    refused(convert, capsys, "merge", "--base", folder, "--adapter", adapter, "--out", out)
    refused(train, capsys, "base", "--model", folder, "--out", out)
    refused(train, capsys, "sft", "--model", folder, "--dataset", pairs, "--output_dir", out)


# ---- what stands beside the encoders ----


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """The shipped folder of models, of which single files may be replaced."""
    folder = tmp_path / "models"
    for path in (ROOT / "space" / "models").rglob("*"):
        if path.is_file():
            copy = folder / path.relative_to(ROOT / "space" / "models")
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.symlink_to(path)
    return folder


@pytest.mark.parametrize("file", ["tagger/head.npz", "tagger/tags.json", "tone/heads.json", "judge.json", "thresholds.json"])  # fmt: skip
def test_a_damaged_file_beside_the_encoders_is_one_line(file: str, models: Path) -> None:
    from space.errors import UserError
    from space.proofread.pipeline import load_classifiers

    path = models / file
    whole = path.read_bytes()
    damaged = [
        b"",
        whole[: len(whole) // 2],
        b"\xff" * 100,
        b"[" * 200_000,
        b"[]",
        b"{}",
        b"null",
        b'{"tags": 3, "tone": 3}',
        b"PK\x03\x04" * 9,
    ]
    if file.endswith(".json"):
        about = json.loads(whole)
        name = next(name for name in ("tags", "tone", "weights", "thresholds") if name in about)
        damaged += [
            json.dumps(about | {name: wrong}).encode() for wrong in (None, "x", [], {}, [1, 2], {"a": 1})
        ]
    else:
        for wrong in (np.zeros(3), np.zeros((2, 2)), np.array(["x"] * 4), np.array([object()], object)):
            np.savez(models / "wrong.npz", hidden=wrong, hidden_bias=wrong, out=wrong, out_bias=wrong)
            damaged.append((models / "wrong.npz").read_bytes())
    for content in damaged:
        path.unlink()
        path.write_bytes(content)
        with pytest.raises(UserError) as caught:
            load_classifiers(models)
        line = str(caught.value)
        assert "\n" not in line and path.name in line, (content[:40], line)  # fmt: skip

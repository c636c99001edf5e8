from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import gguf
import numpy as np
import pytest

from space import doctor
from space.settings import Server, Settings

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def gguf_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A llama of 28 tokens and one tensor: enough for llama.cpp to read its header and vocabulary."""
    path = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(64)
    writer.add_embedding_length(64)
    writer.add_block_count(1)
    writer.add_feed_forward_length(64)
    writer.add_head_count(1)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(["<s>", "</s>", *"abcdefghijklmnopqrstuvwxyz"])
    writer.add_token_types([gguf.TokenType.CONTROL] * 2 + [gguf.TokenType.NORMAL] * 26)
    writer.add_token_merges(["a b"])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    writer.add_tensor("token_embd.weight", np.zeros((28, 64), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture
def models(tmp_path: Path, gguf_file: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of models in which all is well, and settings that name it."""
    folder = tmp_path / "models"
    for name in ("proofreader.gguf", "tone/encoder.gguf", "tagger/encoder.gguf", "tagger/adapter.gguf"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(gguf_file, folder / name)
    for name in ("tone/heads.json", "tagger/tags.json"):
        (folder / name).write_text("{}")
    np.savez(folder / "tagger" / "head.npz", out=np.zeros(3))
    (folder / "lexicon.txt.gz").write_text("the\t1\n")
    for name in ("dialects.tsv", "judge.json", "thresholds.json"):
        shutil.copy(ROOT / "space" / "models" / name, folder)
    monkeypatch.setenv("MODELS_DIR", str(folder))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        monkeypatch.setenv("PORT", str(listener.getsockname()[1]))
    return folder


def flaws(folder: Path, model: str = "proofreader") -> list[str]:
    """The problems with the models of a folder, one line each."""
    found = [line for line in doctor.models(folder, model) if line.startswith("problem: ")]
    assert all("\n" not in line for line in found)
    return [line.removeprefix("problem: ") for line in found]


def test_all_is_well(models: Path, tmp_path: Path) -> None:
    lines, ok = doctor.report(Settings.from_env())
    assert ok and lines[-1] == "no problem found", lines
    text = "\n".join(lines)
    for name in (
        "python",
        "gradio",
        "llama-cpp-python",
        "numpy",
        "huggingface_hub",
        "llama.cpp uses",
        "cores",
    ):
        assert f"\n{name}: " in "\n" + text
    sha256 = hashlib.sha256((models / "proofreader.gguf").read_bytes()).hexdigest()
    assert f"proofreader.gguf: 0.0 MB, sha256 {sha256}" in lines
    assert f"MODELS_DIR={models}" in lines
    assert not (tmp_path / "feedback").exists(), "looking must not make the folder"


def test_adapters_are_laid_over_their_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "models"
    shutil.copytree(ROOT / "space" / "models", folder)
    monkeypatch.setenv("MODELS_DIR", str(folder))
    assert flaws(folder) == []
    tagger, reader = folder / "tagger" / "adapter.gguf", folder / "reader" / "proofreader.gguf"
    tagger.write_bytes(tagger.read_bytes()[:-1000])
    shutil.copy(tagger, reader)
    over_another, cut = flaws(folder)
    assert over_another.startswith(f"{reader} does not load (model arch and LoRA arch mismatch)")
    assert cut.startswith(f"{tagger} is cut short")


@pytest.mark.parametrize(
    "name", ["proofreader.gguf", "tone/heads.json", "tagger/head.npz", "tagger/encoder.gguf"]
)
def test_a_missing_file(models: Path, name: str) -> None:
    file = models / name
    file.unlink()
    assert flaws(models) == [f"{file} is missing: take it from the repository again: git checkout -- {file}"]


def test_a_model_of_another_name_is_not_in_the_repository(models: Path) -> None:
    assert flaws(models, "larger") == [
        f"{models / 'larger.gguf'} is missing: download it again, or choose another with MODEL"
    ]


@pytest.mark.parametrize(
    ("name", "missing_bytes"),
    [
        ("tone/encoder.gguf", 1),
        ("tone/encoder.gguf", 1000),
        ("tagger/encoder.gguf", 7000),
        ("tagger/head.npz", 1),
    ],
)
def test_a_truncated_model(models: Path, name: str, missing_bytes: int) -> None:
    file = models / name
    file.write_bytes(file.read_bytes()[:-missing_bytes])
    assert flaws(models) == [
        f"{file} is cut short: take it from the repository again: git checkout -- {file}"
    ]


@pytest.mark.parametrize(
    ("name", "content", "flaw"),
    [
        ("proofreader.gguf", b"", "is empty"),
        ("proofreader.gguf", b"<html>404</html>", "is not a GGUF file"),
        ("proofreader.gguf", b"GGUF" + bytes(100), "does not load ("),
        (
            "proofreader.gguf",
            b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n",
            "is a pointer to",
        ),
        ("tone/heads.json", b'{"sentiment": [', "is cut short"),
        ("tagger/tags.json", b'{"tags": ["', "is cut short"),
        ("tagger/head.npz", b"", "is empty"),
        ("tagger/head.npz", b"PK\x03\x04 and no end", "is cut short"),
        ("lexicon.txt.gz", b"", "is empty"),
    ],
)
def test_a_file_that_is_no_model(models: Path, name: str, content: bytes, flaw: str) -> None:
    (models / name).write_bytes(content)
    (found,) = flaws(models)
    assert found.startswith(f"{models / name} {flaw}")


def test_a_model_that_cannot_be_read(models: Path) -> None:
    (models / "lexicon.txt.gz").unlink()
    (models / "lexicon.txt.gz").mkdir()
    (found,) = flaws(models)
    assert found.startswith(f"{models / 'lexicon.txt.gz'} cannot be read (Is a directory): ")


def test_a_readonly_feedback_folder(
    readonly_folder: Path, plain_user: Callable[[], AbstractContextManager[None]]
) -> None:
    for folder in (readonly_folder, readonly_folder / "below"):
        with plain_user():
            line = next(doctor.folders(folder))
        assert line == (
            f"problem: feedback cannot be written to {folder} (Permission denied):"
            " make it writable or set FEEDBACK_DIR to another folder"
        )


def test_what_llama_cpp_does_to_its_process_is_reported_and_survived() -> None:
    assert doctor.in_child(os.abort) == ("", "SIGABRT")
    assert doctor.in_child(os.readlink, "/no/such")[1].startswith("FileNotFoundError: ")
    assert doctor.in_child(os.path.basename, "a/b") == ("b", "")


def test_a_port_in_use(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        monkeypatch.setenv("PORT", str(port))
        lines, ok = doctor.report(Settings.from_env())
    assert not ok
    assert lines[-1].startswith(f"problem: port {port} is in use: ")


@contextmanager
def engine_server(status: int, names: list[str]) -> Iterator[str]:
    """The URL of a server that lists models."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps({"data": [{"id": name} for name in names]}).encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{http.server_address[1]}/v1"
        http.shutdown()
        thread.join()


def test_a_server_as_engine(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(**environment: str) -> list[str]:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        return list(doctor.engine(Server.from_env()))

    assert asked() == []
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with engine_server(200, ["small", "large"]) as url:
        answers = f"engine: {url} answers, models: small, large"
        assert asked(ENGINE_URL=url, ENGINE_API_KEY="sk-hush") == [answers]
        assert asked(ENGINE_MODEL="small") == [answers]
        first, second = asked(ENGINE_MODEL="medium")
        assert first == answers and second.startswith("ENGINE_MODEL medium is not one of them: ")
        (models / "proofreader.gguf").unlink()  # nobody loads it then
        lines, ok = doctor.report(Settings.from_env())
        assert ok and answers in lines and f"ENGINE_URL={url}" in lines and "ENGINE_API_KEY is set" in lines
    with engine_server(401, []) as url:
        (refused,) = asked(ENGINE_URL=url.replace("//", "//me:hush@"))
        assert refused.startswith(f"problem: engine at {url}: the server refuses the key (401); set ")
    (unreached,) = asked()
    assert unreached.startswith(f"problem: engine at {url}: the server cannot be reached, or went away; ")
    assert "hush" not in "".join([*lines, refused, unreached])


@pytest.mark.parametrize(
    ("repo_id", "token", "found"),
    [
        ("", "", []),
        ("", "hf_hush", []),
        ("team/feedback", "hf_hush", ["feedback goes on to: team/feedback on the Hub"]),
        ("team/feedback", "", ["problem: HF_TOKEN is not set: set it to a token that may write to FEEDBACK_DATASET."]),
        ("feedback", "hf_hush", [
            "problem: FEEDBACK_DATASET must be owner/name, e.g. FEEDBACK_DATASET=my-team/proofreader-feedback."
        ]),
    ],
)  # fmt: skip
def test_a_dataset_for_feedback(
    repo_id: str, token: str, found: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEEDBACK_DATASET", repo_id)
    monkeypatch.setenv("HF_TOKEN", token)
    assert list(doctor.dataset(tmp_path)) == found


def test_no_secret_is_shown(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_hush")
    monkeypatch.setenv("HF_ENDPOINT", "https://someone:hush@hub.example.org/api?key=hush")
    lines, _ = doctor.report(Settings.from_env())
    assert "HF_TOKEN is set" in lines and "HF_ENDPOINT=https://hub.example.org/api" in lines
    assert "hush" not in "\n".join(lines)

"""Model files that mean harm, or that went wrong on their way: each is refused in one line, and the process lives on."""

from __future__ import annotations

import os
import resource
import struct
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from space.errors import UserError
from space.proofread.gguf_header import read_header
from space.proofread.llm.llama_cpp import LlamaCpp
from space.proofread.llm.models import locate
from space.proofread.llm.trial import try_model
from space.settings import ROOT
from tests.hostile_gguf import ARRAY, F32, I32, STRING, U8, Gguf, array, string, text, u32

Q = "blk.0.attn_q.weight"
_NESTED = struct.pack("<IQ", ARRAY, 1) * 10_000 + array(U8, [b"x"])[4:]


def put(key: str, value: bytes) -> Callable[[Gguf], Gguf]:
    return lambda gguf: gguf.put(key, value)


def tensor(**changes: object) -> Callable[[Gguf], Gguf]:
    return lambda gguf: gguf.tensor(Q, **changes)


def with_(**changes: object) -> Callable[[Gguf], Gguf]:
    def change(gguf: Gguf) -> Gguf:
        for name, value in changes.items():
            setattr(gguf, name, value)
        return gguf

    return change


def key_twice(gguf: Gguf) -> Gguf:
    gguf.fields.append(gguf.fields[3])
    return gguf


# What the header shows, with what is said of it.
BY_HEADER: dict[str, tuple[Callable[[Gguf], Gguf], str]] = {
    "magic": (with_(magic=b"GGML"), "not a GGUF file"),
    "version 0": (with_(version=0), "of version 0"),
    "version 1": (with_(version=1), "of version 1"),
    "version 99": (with_(version=99), "of version 99"),
    "big-endian": (with_(version=3 << 24), "big-endian"),
    "2**63 tensors": (with_(n_tensors=2**63), "9,223,372,036,854,775,808 tensors"),
    "2**60 keys": (with_(n_fields=2**60), "1,152,921,504,606,846,976 keys"),
    "a string of 2**62": (put("general.name", struct.pack("<I", STRING) + text(b"x", 2**62)), "general.name has 4,611"),
    "an array of 2**40 strings": (put("general.languages", array(STRING, [text(b"x")], 2**40)), "1,099,511,627,776 items"),
    "an array of 2**40 bytes": (put("general.languages", array(U8, [b"x"], 2**40)), "1,099,511,627,776 items"),
    "nested arrays": (put("general.languages", struct.pack("<I", ARRAY) + _NESTED), "unknown type 9"),
    "unknown value type": (put("general.name", struct.pack("<I", 77)), "unknown type 77"),
    "a key twice": (key_twice, "twice"),
    "a tensor twice": (tensor(name=b"token_embd.weight"), "twice"),
    "a tensor beyond the file": (tensor(offset=32 * 10**9), "cut short"),
    "an offset that overflows": (tensor(offset=2**64 - 32), "cut short"),
    "an unaligned tensor": (tensor(offset=77_441), "not aligned"),
    "dimensions that overflow": (tensor(dims=[2**40, 2**40]), "weights"),
    "dimensions whose product is 0 in 64 bits": (tensor(dims=[2**63, 2]), "weights"),
    "no dimension": (tensor(dims=[]), "in 0 dimensions"),
    "100 dimensions": (tensor(n_dims=100), "in 100 dimensions"),
    "a name of a tensor that is no text": (tensor(name=b"\xff\xfe"), "no UTF-8"),
    "alignment 0": (put("general.alignment", u32(0)), "general.alignment is 0"),
    "alignment 3": (put("general.alignment", u32(3)), "general.alignment is 3"),
    "alignment 8": (put("general.alignment", u32(8)), "general.alignment is 8"),
    "alignment 2**31": (put("general.alignment", u32(2**31)), "general.alignment is 2147483648"),
    "context 0": (put("llama.context_length", u32(0)), "context_length is 0"),
    "context 2**31": (put("llama.context_length", u32(2**31)), "context_length is 2147483648"),
    "no architecture": (put("general.architecture", u32(3)), "does not name its architecture"),
    "more tokens than types": (lambda gguf: gguf.tokens(lambda tokens: [*tokens, b"zzz"]), "token_type has another length"),
    "fewer scores than tokens": (put("tokenizer.ggml.scores", array(F32, [bytes(4)] * 3)), "scores has another length"),
    "no token": (lambda gguf: gguf.tokens(lambda tokens: []), "0 tokens"),
    "a bos of no token": (put("tokenizer.ggml.bos_token_id", u32(10**6)), "bos_token_id is 1000000"),
    "an eos of no token": (put("tokenizer.ggml.eos_token_id", u32(2**32 - 1)), "eos_token_id is 4294967295"),
    "a template that is no text": (put("tokenizer.chat_template", struct.pack("<I", STRING) + text(b"\xff\xff")), "no UTF-8"),
    "a template that is a number": (put("tokenizer.chat_template", u32(2)), "no chat template"),
}  # fmt: skip

# What llama.cpp alone finds; on those marked with * it ends the process (0.3.36).
BY_TRIAL: dict[str, tuple[Callable[[Gguf], Gguf], str]] = {
    "no block *": (put("llama.block_count", u32(0)), "breaks off"),
    "a token twice *": (lambda gguf: gguf.tokens(lambda tokens: [*tokens[:-1], tokens[20]]), "breaks off"),
    "513 blocks *": (put("llama.block_count", u32(513)), "breaks off: GGML_ASSERT"),
    "a negative epsilon *": (put("llama.attention.layer_norm_rms_epsilon", struct.pack("<If", F32, -1)), "breaks off"),
    "experts *": (put("llama.expert_count", u32(8)), "breaks off"),
    "another tokenizer *": (put("tokenizer.ggml.model", string("llama")), "breaks off"),
    "no tokenizer *": (put("tokenizer.ggml.model", string("none")), "breaks off"),
    "10**6 blocks": (put("llama.block_count", u32(10**6)), "MB of memory|breaks off"),
    "no head": (put("llama.attention.head_count", u32(0)), "cannot run"),
    "three heads": (put("llama.attention.head_count", u32(3)), "cannot run"),
    "another width": (put("llama.embedding_length", u32(32)), "cannot run"),
    "another shape": (tensor(dims=[32, 128]), "wrong shape|attn_q"),
    "an unknown type": (tensor(kind=77), "type 77"),
    "a tensor over another": (tensor(offset=0), "offset 0"),
    "a missing tensor": (tensor(name=b"blk.0.xx.weight"), "attn_q.weight' not found"),
    "unknown architecture": (put("general.architecture", string("nonesuch")), "unknown model architecture: 'nonesuch'"),
    "empty tokens": (lambda gguf: gguf.tokens(lambda tokens: [b""] * len(tokens)), "finds no token"),
    "types that are none": (put("tokenizer.ggml.token_type", array(I32, [])), "token_type"),
    "NaN": (lambda gguf: gguf.weights(float("nan")), "no numbers"),
    "infinity": (lambda gguf: gguf.weights(float("inf")), "no numbers"),
    "a rotation of base 0": (put("llama.rope.freq_base", struct.pack("<If", F32, 0)), "no numbers"),
}  # fmt: skip

# What is no GGUF at all, made at a path.
OTHERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (lambda path: path.write_bytes(b""), "but empty"),
    "web page": (lambda path: path.write_text("<!DOCTYPE html><html>404</html>"), "a web page"),
    "git-lfs": (lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n"), "git lfs pull"),
    "zip": (lambda path: zipfile.ZipFile(path, "w").writestr("a", "b"), "a zip archive"),
    "folder": (lambda path: path.mkdir(), "no such model file"),
    "fifo": (lambda path: os.mkfifo(path), "no such model file"),
    "zero": (lambda path: path.symlink_to("/dev/zero"), "no such model file"),
    "loop": (lambda path: path.symlink_to(path), "no such model file"),
}  # fmt: skip
HOSTILE = BY_HEADER | BY_TRIAL
QUICK = ("no block *", "a token twice *", "NaN", "another width")


def one_line(error: BaseException, path: Path) -> str:
    line = str(error)
    assert "\n" not in line and str(path) in line and len(line) < 500
    return line


@pytest.fixture
def made(small_gguf: Path, tmp_path: Path) -> Callable[[str], Path]:
    def make(name: str) -> Path:
        path = tmp_path / "hostile.gguf"
        if name in OTHERS:
            OTHERS[name][0](path)
        else:
            path.write_bytes(HOSTILE[name][0](Gguf.read(small_gguf)).to_bytes())
        return path

    return make


def test_a_file_taken_apart_is_put_together_as_it_was(small_gguf: Path) -> None:
    assert Gguf.read(small_gguf).to_bytes() == small_gguf.read_bytes()


def test_what_is_shipped_has_nothing_that_is_refused() -> None:
    files = sorted((ROOT / "models").rglob("*.gguf"))
    assert len(files) == 6 and all(read_header(path).n_tensors for path in files)


@pytest.mark.parametrize("name", [*BY_HEADER, *OTHERS])
def test_what_the_header_shows_never_reaches_llama_cpp(name: str, made: Callable[[str], Path]) -> None:
    path = made(name)
    with pytest.raises(UserError, match=(BY_HEADER | OTHERS)[name][1]) as caught:
        LlamaCpp(path)
    one_line(caught.value, path)


def test_a_file_that_is_cut_short_anywhere_is_refused(small_gguf: Path, tmp_path: Path) -> None:
    gguf, path = Gguf.read(small_gguf), tmp_path / "cut.gguf"
    data = gguf.to_bytes()
    for size in (*range(4, 60), *(end + more for end in gguf.ends.values() for more in (-1, 0, 1))):
        path.write_bytes(data[:size])
        with pytest.raises(UserError, match="not a complete GGUF model") as caught:
            read_header(path)
        one_line(caught.value, path)


@pytest.mark.parametrize("name", [pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in BY_TRIAL])  # fmt: skip
def test_what_llama_cpp_cannot_run_ends_another_process(name: str, made: Callable[[str], Path]) -> None:
    path = made(name)
    with pytest.raises(UserError, match=BY_TRIAL[name][1]) as caught:
        LlamaCpp(path)
    one_line(caught.value, path)


def test_a_trial_needs_no_more_memory_than_is_estimated(tmp_path: Path) -> None:
    path = tmp_path / "copy.gguf"
    path.symlink_to(ROOT / "models" / "proofreader.gguf")
    try_model(path, read_header(path), 8192)


def test_a_name_that_no_file_can_have_is_refused(tmp_path: Path) -> None:
    for name in ("x" * 10_000 + ".gguf", "x/" * 5_000, "../" * 2_000 + "x.gguf", "a\0b.gguf"):
        with pytest.raises(UserError) as caught:
            LlamaCpp(locate(name, tmp_path).path)
        assert "\n" not in str(caught.value) and len(str(caught.value)) < 500


@pytest.mark.slow  # a process each
@pytest.mark.parametrize("name", [*HOSTILE, *OTHERS])
def test_the_command_line_says_it_in_one_line(name: str, made: Callable[[str], Path]) -> None:
    path = made(name)
    before = set(Path.cwd().iterdir())
    began = time.monotonic()
    ran = subprocess.run(
        [sys.executable, "-m", "space", "proofread", "--model", str(path)], input="I has it.",
        capture_output=True, text=True, cwd=ROOT.parent,
    )  # fmt: skip
    assert ran.returncode == 2 and ran.stdout == "", ran
    assert ran.stderr.count("\n") == 1 and str(path) in ran.stderr and "Traceback" not in ran.stderr
    assert time.monotonic() - began < 60, "none computes for more than the 5 s that a trial gives"
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 1_000_000  # KiB
    assert set(Path.cwd().iterdir()) == before

"""The release: a new file in the place of the served one, or the old one back, whatever ends the process."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from space.errors import UserError
from training.release import swap

ROOT = Path(__file__).parents[3]


def test_a_release_replaces_the_file_and_leaves_nothing_else(small_gguf: Path, tmp_path: Path) -> None:
    target = tmp_path / "proofreader.gguf"
    target.write_bytes(b"old")
    swap.release(small_gguf, target)
    assert target.read_bytes() == small_gguf.read_bytes()
    assert list(tmp_path.iterdir()) == [target]


def test_a_file_that_does_not_open_is_taken_back(tmp_path: Path) -> None:
    target, torn = tmp_path / "proofreader.gguf", tmp_path / "torn"
    target.write_bytes(b"old")
    torn.write_bytes(b"GGUF")
    with pytest.raises(UserError, match="not a complete GGUF"):
        swap.release(torn, target)
    assert target.read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["proofreader.gguf", "torn"]


def test_a_release_cut_short_is_undone_by_the_next_run(small_gguf: Path, tmp_path: Path) -> None:
    target = tmp_path / "proofreader.gguf"
    target.write_bytes(b"new, not opened yet")
    (tmp_path / "proofreader.gguf.old").write_bytes(b"old")
    swap.roll_back(target)
    assert target.read_bytes() == b"old" and len(list(tmp_path.iterdir())) == 1


_RELEASE_THAT_DIES = """
import os, shutil, signal, sys
from pathlib import Path
from space.proofread.llm.llama_cpp import LlamaCpp
from training.release.swap import release

at, file, target = sys.argv[1:]
module = {"copyfile": shutil, "link": os, "replace": Path, "__init__": LlamaCpp}[at]
original = getattr(module, at)

def killed(*args, **kwargs):
    if at in ("link", "replace"):  # after its work, or else in its midst
        original(*args, **kwargs)
    else:
        Path(target + ".part").write_bytes(b"torn")
    os.kill(os.getpid(), signal.SIGKILL)

setattr(module, at, killed)
release(Path(file), Path(target))
"""


@pytest.mark.parametrize("at", ["copyfile", "link", "replace", "__init__"])
def test_a_release_that_was_killed_anywhere_is_done_again(at: str, small_gguf: Path, tmp_path: Path) -> None:
    target = tmp_path / "proofreader.gguf"
    target.write_bytes(b"old")
    command = [sys.executable, "-c", _RELEASE_THAT_DIES, at, str(small_gguf), str(target)]
    assert subprocess.run(command, cwd=ROOT).returncode == -signal.SIGKILL
    assert target.exists()
    swap.roll_back(target)
    assert target.read_bytes() == b"old" and list(tmp_path.iterdir()) == [target]
    swap.release(small_gguf, target)
    assert target.read_bytes() == small_gguf.read_bytes() and list(tmp_path.iterdir()) == [target]


def test_what_was_replaced_last_is_put_back(small_gguf: Path, tmp_path: Path) -> None:
    target = tmp_path / "proofreader.gguf"
    shutil.copy(small_gguf, target)
    newer = tmp_path / "newer"
    newer.write_bytes(small_gguf.read_bytes() + b"\0" * 32)  # llama.cpp reads no further than the last matrix
    swap.release(newer, target, keep=True)
    assert target.read_bytes() == newer.read_bytes()
    swap.restore(target)
    assert target.read_bytes() == small_gguf.read_bytes() and set(tmp_path.iterdir()) == {target, newer}
    with pytest.raises(UserError, match="no file was kept that proofreader.gguf has replaced"):
        swap.restore(target)

    # Of a release that keeps nothing there is no way back, not even to what an earlier one replaced.
    swap.release(newer, target, keep=True)
    swap.release(small_gguf, target)
    with pytest.raises(UserError, match="no file was kept"):
        swap.restore(target)


def test_a_damaged_file_is_not_put_back(tmp_path: Path) -> None:
    target = tmp_path / "proofreader.gguf"
    target.write_bytes(b"new")
    target.with_name("proofreader.gguf.replaced").write_bytes(b"GGUF")
    with pytest.raises(UserError, match="not a complete GGUF"):
        swap.restore(target)
    assert target.read_bytes() == b"new"


def test_a_release_that_was_cut_short_is_the_last_one(tmp_path: Path) -> None:
    target = tmp_path / "proofreader.gguf"
    for suffix, content in (("", b"new, not opened yet"), (".old", b"old"), (".replaced", b"older")):
        target.with_name(target.name + suffix).write_bytes(content)
    swap.restore(target)
    assert target.read_bytes() == b"old"


def test_a_backup_that_was_only_half_copied_is_never_put_back(
    small_gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the disk knows no second names, a copy is the backup."""

    def no_link(*_: Any) -> None:
        raise PermissionError

    copy = swap.shutil.copyfile
    target = tmp_path / "proofreader.gguf"
    target.write_bytes(b"old")

    def killed(source: Path, to: Path) -> None:
        copy(source, to)
        if source == target:
            to.write_bytes(b"o")
            raise KeyboardInterrupt

    monkeypatch.setattr(swap.os, "link", no_link)
    monkeypatch.setattr(swap.shutil, "copyfile", killed)
    with pytest.raises(KeyboardInterrupt):
        swap.release(small_gguf, target)
    swap.roll_back(target)
    assert target.read_bytes() == b"old" and list(tmp_path.iterdir()) == [target]


def test_a_folder_that_cannot_be_written_is_one_line(
    small_gguf: Path, readonly_folder: Path, plain_user: Any
) -> None:
    with plain_user(), pytest.raises(UserError, match="cannot be written"):
        swap.release(small_gguf, readonly_folder / "proofreader.gguf")

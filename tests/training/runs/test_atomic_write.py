"""A file is there completely or not at all."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from training.runs import atomic_write


def test_a_file_is_replaced_and_its_folder_made(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b.json"
    atomic_write.write(path, "old é")
    atomic_write.write(path, "new", mode=0o600)
    assert path.read_text() == "new" and path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["b.json"]


def test_what_cannot_be_written_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "b.json"
    atomic_write.write(path, "old")
    with pytest.raises(UnicodeEncodeError):  # half way: the file is open by then
        atomic_write.write(path, "new \ud83d")
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]
    with pytest.raises(OSError):
        atomic_write.write(path / "in a file", "new")


def test_of_many_that_write_at_once_one_stays(tmp_path: Path) -> None:
    texts = [str(number) * 100_000 for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda text: atomic_write.write(tmp_path / "one", text), texts))
    assert (tmp_path / "one").read_text() in texts and len(list(tmp_path.iterdir())) == 1

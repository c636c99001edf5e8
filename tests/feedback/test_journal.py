from __future__ import annotations

import errno
import json
import os
import random
import re
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback.journal import Journal, JournalError, decode, encode, erase, records, repair

ROOT = Path(__file__).resolve().parents[2]

# Any str at all, lone surrogates included; a pair of them is one character to JSON, and has its own test.
texts = st.text(st.characters(exclude_categories=())).filter(
    lambda text: not re.search("[\ud800-\udbff][\udc00-\udfff]", text)
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
objects = st.dictionaries(texts.filter(lambda key: key != "crc32"), values, min_size=1, max_size=6)


@settings(deadline=None)
@given(objects)
def test_a_line_gives_back_the_record(record: dict[str, object]) -> None:
    line = encode(record)
    assert line.endswith(b"\n") and line.count(b"\n") == 1 and line.isascii()
    assert decode(line) == decode(line[:-1]) == record
    assert json.loads(line) == record | {"crc32": json.loads(line)["crc32"]}


def test_a_pair_of_surrogates_comes_back_as_the_character_it_means() -> None:
    assert decode(encode({"draft": "\ud83d\ude00 \ude00\ud83d"})) == {"draft": "\U0001f600 \ude00\ud83d"}


@settings(deadline=None)
@given(objects, st.data())
def test_no_line_that_is_cut_or_has_another_byte_passes(
    record: dict[str, object], data: st.DataObject
) -> None:
    line = encode(record)
    place = data.draw(st.integers(0, len(line) - 2))
    assert decode(line[:place]) is None
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != line[place]))
    assert decode(line[:place] + bytes([other]) + line[place + 1 :]) is None


@pytest.mark.parametrize("record", [{}, {"crc32": 1}, {"tombstone": 1}, {"score": float("nan")}])
def test_what_a_line_cannot_hold_is_refused(record: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        encode(record)


def test_nothing_is_made_before_the_first_record(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    journal = Journal(folder)
    assert not folder.exists() and list(records(folder)) == []
    journal.append({"n": 1})
    assert list(records(folder)) == [{"n": 1}]


def test_only_the_user_can_read_it(tmp_path: Path) -> None:
    Journal(tmp_path / "journal").append({"n": 1})
    (file,) = (tmp_path / "journal").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600 and file.parent.stat().st_mode & 0o777 == 0o700


def test_threads_share_a_journal_and_journals_share_a_folder(tmp_path: Path) -> None:
    journals = [Journal(tmp_path), Journal(tmp_path)]

    def write(writer: int) -> None:
        for n in range(25):
            journals[writer % 2].append({"writer": writer, "n": n, "draft": "x" * 5000})

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = sorted((record["writer"], record["n"]) for record in records(tmp_path))
    assert found == [(writer, n) for writer in range(8) for n in range(25)]
    assert len(list(tmp_path.iterdir())) == 2


def test_a_forked_child_writes_a_file_of_its_own(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append({"who": "parent"})
    child = os.fork()
    if child == 0:
        journal.append({"who": "child"})
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    journal.append({"who": "parent"})
    assert sorted(len(list(file.open())) for file in tmp_path.iterdir()) == [1, 2]


def test_records_written_after_someone_deleted_the_folder_are_kept(tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    journal = Journal(folder)
    journal.append({"n": 1})
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    journal.append({"n": 2})
    assert list(records(folder)) == [{"n": 2}]


def test_file_and_folders_are_synced_before_append_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[os.stat_result] = []
    fsync = os.fsync

    def watch(descriptor: int) -> None:
        fsync(descriptor)
        synced.append(os.fstat(descriptor))

    monkeypatch.setattr(os, "fsync", watch)
    journal = Journal(tmp_path / "a" / "b")
    journal.append({"n": 1})
    (file,) = (tmp_path / "a" / "b").iterdir()
    created = [tmp_path, tmp_path / "a", tmp_path / "a" / "b", file]
    assert {status.st_ino for status in synced} == {path.stat().st_ino for path in created}
    assert synced[-1].st_size == file.stat().st_size
    synced.clear()
    journal.append({"n": 2})
    assert [(status.st_ino, status.st_size) for status in synced] == [
        (file.stat().st_ino, file.stat().st_size)
    ]


def test_a_record_that_the_disk_refused_is_gone_and_the_next_one_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path)
    journal.append({"n": 1})
    fsync = os.fsync
    answers = iter([OSError(errno.EIO, "Input/output error")])

    def fail_once(descriptor: int) -> None:
        if error := next(answers, None):
            raise error
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", fail_once)
    with pytest.raises(JournalError, match=r"not saved in .*: input/output error\.$"):
        journal.append({"n": 2})
    journal.append({"n": 3})
    damaged: list[str] = []
    assert [record["n"] for record in records(tmp_path, damaged)] == [1, 3] and damaged == []


def test_damaged_lines_are_counted_and_the_others_read(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    for n in range(4):
        journal.append({"n": n})
    (file,) = tmp_path.iterdir()
    lines = file.read_bytes().splitlines(keepends=True)
    lines[1] = lines[1].replace(b"1", b"7", 1)
    file.write_bytes(b"".join(lines)[:-9])
    (tmp_path / "empty.jsonl").touch()
    (tmp_path / "notes.txt").write_text("not a journal")
    damaged: list[str] = []
    assert list(records(tmp_path, damaged)) == [{"n": 0}, {"n": 2}]
    assert damaged == [f"{file}:2", f"{file}:4"]


def test_damage_is_logged_without_what_the_user_wrote(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "x.jsonl").write_text('{"draft":"my secret"')
    assert list(records(tmp_path)) == []
    assert "x.jsonl, line 1 is damaged" in caplog.text and "secret" not in caplog.text


def test_a_readonly_folder_is_one_clear_line(
    readonly_folder: Path, plain_user: Callable[[], AbstractContextManager[None]]
) -> None:
    for folder in (readonly_folder, readonly_folder / "below"):
        with plain_user(), pytest.raises(JournalError) as raised:
            Journal(folder).append({"draft": "my secret"})
        assert str(raised.value) == (
            f"Feedback was not saved in {folder}: permission denied;"
            " make the folder writable or set FEEDBACK_DIR to one that is."
        )
    assert list(readonly_folder.iterdir()) == []


def test_a_file_in_place_of_the_folder_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(JournalError, match="set FEEDBACK_DIR to a folder"):
            Journal(folder).append({"n": 1})
    with pytest.raises(JournalError, match="cannot be read"):
        list(records(tmp_path / "file"))


FULL = """
import resource, sys
from feedback.journal import Journal, JournalError
journal = Journal(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
saved = 0
for n in range(50):
    try:
        journal.append({"n": n, "draft": "x" * 100})
    except JournalError as error:
        print(saved, error)
        break
    saved += 1
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
journal.append({"n": "after"})
"""


@pytest.mark.parametrize("limit_bytes", [0, 10, 140, 1000, 1001, 3000])
def test_a_full_disk_keeps_what_was_saved_and_nothing_half_written(tmp_path: Path, limit_bytes: int) -> None:
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] == resource.RLIM_INFINITY, "ulimit -f is set"
    ran = subprocess.run(
        [sys.executable, "-c", FULL, tmp_path / "journal", str(limit_bytes)],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    saved, _, message = ran.stdout.strip().partition(" ")
    assert message == (
        f"Feedback was not saved in {tmp_path / 'journal'}: file too large;"
        " raise the limit on file sizes and try again."
    )
    damaged: list[str] = []
    found = [record["n"] for record in records(tmp_path / "journal", damaged)]
    assert found == [*range(int(saved)), "after"] and damaged == []
    assert all(file.stat().st_size for file in (tmp_path / "journal").iterdir())


@pytest.mark.parametrize("torn", [b'{"draft":"my sec', b"x" * 200_000])
def test_a_torn_last_line_is_cut_off_by_the_next_process(tmp_path: Path, torn: bytes) -> None:
    dead = Journal(tmp_path)
    dead.append({"n": 1})
    dead.close()
    (file,) = tmp_path.iterdir()
    complete = file.read_bytes()
    file.write_bytes(complete + torn)
    (tmp_path / "begun.jsonl").write_bytes(torn)
    Journal(tmp_path).append({"n": 2})
    assert file.read_bytes() == complete and (tmp_path / "begun.jsonl").read_bytes() == b""
    damaged: list[str] = []
    assert [record["n"] for record in records(tmp_path, damaged)] == [1, 2] and damaged == []


def test_a_line_that_is_being_written_is_not_cut_off(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append({"n": 1})
    (file,) = tmp_path.iterdir()
    with file.open("ab") as unfinished:
        unfinished.write(b'{"n"')
    assert repair(tmp_path) == [] and file.read_bytes().endswith(b'{"n"')
    journal.close()
    assert repair(tmp_path) == [file]


def test_erased_records_leave_their_id_and_nothing_moves(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    for n in range(4):
        journal.append({"id": f"id-{n}", "draft": f"my secret {n}" * 20})
    (file,) = tmp_path.iterdir()
    before = file.read_bytes()
    assert erase(tmp_path, {"id-1", "id-2", "id-9"}) == {"id-1", "id-2"}
    journal.append({"id": "id-4", "draft": "later"})  # the writer that was there all along goes on
    after = file.read_bytes()
    assert [len(line) for line in after.splitlines()][:4] == [len(line) for line in before.splitlines()]
    assert b"secret 1" not in after and b"secret 2" not in after
    damaged: list[str] = []
    assert [record["id"] for record in records(tmp_path, damaged)] == ["id-0", "id-3", "id-4"] and not damaged
    assert erase(tmp_path, {"id-1", "id-3"}) == {"id-1", "id-3"}  # again, and one more


def test_a_line_too_short_for_a_tombstone_leaves_the_next_one_alone(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append({"id": "1"})
    journal.append({"id": "2", "draft": "kept"})
    with pytest.raises(JournalError, match="by hand"):
        erase(tmp_path, {"1"})
    assert [record["id"] for record in records(tmp_path)] == ["1", "2"]


def test_a_disk_that_cannot_lock_files_is_reported_and_nothing_is_left_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    journal = Journal(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr("feedback.journal.fcntl.flock", refuse)
        for _ in range(2):
            with pytest.raises(JournalError, match="on a disk that can lock files"):
                journal.append({"n": 1})
    assert list(tmp_path.iterdir()) == []
    journal.append({"n": 1})
    assert list(records(tmp_path)) == [{"n": 1}]


WRITER = """
import sys
from feedback.journal import Journal
journal = Journal(sys.argv[1])
for n in range(1_000_000):
    journal.append({"writer": sys.argv[2], "n": n, "draft": "x" * (n * 7919 % 20_000)})
    sys.stdout.write(f"{n}\\n")
    sys.stdout.flush()
"""


def test_every_acknowledged_record_outlives_kill_9(tmp_path: Path) -> None:
    """Two processes write to one folder at a time and are killed at random moments, ten times over."""
    moments = random.Random(7)
    acknowledged: dict[str, int] = {}
    for turn in range(10):
        pair = [f"{turn}a", f"{turn}b"]
        children = [
            subprocess.Popen(
                [sys.executable, "-c", WRITER, tmp_path, name], cwd=ROOT, stdout=subprocess.PIPE, text=True
            )
            for name in pair
        ]
        for child in children:
            assert child.stdout is not None and child.stdout.readline() == "0\n"
        time.sleep(moments.uniform(0, 0.15))
        for child in children:
            child.send_signal(signal.SIGKILL)
        for name, child in zip(pair, children, strict=True):
            assert child.stdout is not None
            complete = [line for line in child.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
            acknowledged[name] = int(complete[-1]) if complete else 0
            child.wait()
    damaged: list[str] = []
    found: dict[str, list[int]] = {}
    for record in records(tmp_path, damaged):
        found.setdefault(record["writer"], []).append(record["n"])
    assert found.keys() == acknowledged.keys()
    for name, last in acknowledged.items():
        assert found[name] == list(range(len(found[name]))) and len(found[name]) > last
    assert len(damaged) <= len(acknowledged)  # at most the line that each was writing

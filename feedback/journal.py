"""An append-only journal: once `append` has returned, the record outlives a crash and a power cut.

A journal is a folder. Every process appends to a file of its own, which it locks for as long as it lives, so
writers never meet. A line is one JSON object in ASCII whose last key, `crc32`, is the checksum of what precedes
it. A line that a crash cut short fails the check and is passed over; the next process to start cuts it off.
Lines never move: `erase` writes a tombstone of the same length over a record.
"""

from __future__ import annotations

import errno
import fcntl
import json
import logging
import os
import threading
import uuid
import zlib
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, BinaryIO

logger = logging.getLogger(__name__)

SUFFIX = ".jsonl"
CHECKSUM = b',"crc32":"%08x"}'
CHECKSUM_BYTES = len(CHECKSUM % 0)
TOMBSTONE = "tombstone"
TAIL_BYTES = 1 << 16  # read at a time when looking for the last complete line

ADVICE = {
    errno.ENOSPC: "free some space and try again",
    errno.EDQUOT: "free some space and try again",
    errno.EFBIG: "raise the limit on file sizes and try again",
    errno.EACCES: "make the folder writable or set FEEDBACK_DIR to one that is",
    errno.EPERM: "make the folder writable or set FEEDBACK_DIR to one that is",
    errno.EROFS: "set FEEDBACK_DIR to a folder on a disk that can be written",
    errno.ENOTDIR: "set FEEDBACK_DIR to a folder",
    errno.EEXIST: "set FEEDBACK_DIR to a folder",
    errno.ENOLCK: "set FEEDBACK_DIR to a folder on a disk that can lock files",
    errno.EOPNOTSUPP: "set FEEDBACK_DIR to a folder on a disk that can lock files",
}


class JournalError(OSError):
    """The journal could not be written or read; the message is one line for the user."""


def encode(record: dict[str, Any]) -> bytes:
    """The record as one line, newline included; TypeError or ValueError if JSON cannot hold it.

    ASCII keeps lone surrogates, NUL and every line separator as escapes. Two surrogates that form a pair come
    back as the one character they mean.
    """
    if not record or "crc32" in record or TOMBSTONE in record:
        raise ValueError(f"a record has at least one key, and none called crc32 or {TOMBSTONE}")
    return _line(record)


def _line(record: dict[str, Any]) -> bytes:
    body = json.dumps(record, allow_nan=False, separators=(",", ":")).encode("ascii")
    return body[:-1] + CHECKSUM % zlib.crc32(body) + b"\n"


def decode(line: bytes) -> dict[str, Any] | None:
    """The record of a line, or None if the line is not exactly what `encode` wrote."""
    line = line.removesuffix(b"\n")
    body = line[:-CHECKSUM_BYTES] + b"}"
    if line[-CHECKSUM_BYTES:] != CHECKSUM % zlib.crc32(body):
        return None
    try:
        record = json.loads(body)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None


class Journal:
    """Appends records to a folder; threads may share one, and a forked child starts a file of its own."""

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self._lock = threading.Lock()
        self._path: Path | None = None
        self._file = -1
        self._pid = 0

    def append(self, record: dict[str, Any]) -> None:
        """Puts the record on the disk; JournalError, and no trace of the record, if that fails."""
        line = encode(record)
        with self._lock:
            try:
                self._open()
                self._write(line)
            except OSError as error:
                raise _explained("Feedback was not saved in", self.folder, error) from error

    def close(self) -> None:
        """Closes the file; the next append starts another."""
        with self._lock:
            self._close()

    def _open(self) -> None:
        """Makes this process's file if there is none, or if someone deleted it."""
        if self._file >= 0 and self._pid == os.getpid() and os.fstat(self._file).st_nlink:
            return
        self._close()
        missing = [folder for folder in (self.folder, *self.folder.parents) if not folder.exists()]
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        repair(self.folder)
        for folder in missing:
            _sync_folder(folder.parent)
        started = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%S.%fZ")
        path = self.folder / f"{started}-{os.getpid()}-{uuid.uuid4().hex}{SUFFIX}"
        # Readable by this user alone: it holds what people wrote.
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX)  # "its writer lives", for `repair`
            _sync_folder(self.folder)
        except OSError:
            self._close()
            path.unlink(missing_ok=True)
            raise
        self._path, self._pid = path, os.getpid()

    def _write(self, line: bytes) -> None:
        """Appends the line, or takes back what was written of it and leaves the file alone from then on."""
        assert self._path is not None
        size = os.fstat(self._file).st_size
        try:
            rest = memoryview(line)
            while rest:
                rest = rest[os.write(self._file, rest) :]
            os.fsync(self._file)
        except OSError:
            try:
                if size:
                    os.ftruncate(self._file, size)
                    os.fsync(self._file)
                else:
                    self._path.unlink()
            except OSError:
                logger.warning("%s may end in a damaged line; it will be passed over", self._path)
            self._close()
            raise

    def _close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
        self._file, self._pid = -1, 0


def files(folder: Path | str) -> list[Path]:
    """The files of a journal in the order in which their processes started; none if there is no folder."""
    try:
        return [Path(folder, name) for name in sorted(os.listdir(folder)) if name.endswith(SUFFIX)]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise _explained("Feedback cannot be read from", Path(folder), error) from error


def lines(path: Path, start: int = 0) -> Iterator[tuple[int, bytes]]:
    """The lines of one file from an offset in bytes, each with its own; the last may lack its newline."""
    try:
        with path.open("rb") as file:
            file.seek(start)
            for line in file:
                yield start, line
                start += len(line)
    except OSError as error:
        raise _explained("Feedback cannot be read from", path, error) from error


def records(folder: Path | str, damaged: list[str] | None = None) -> Iterator[dict[str, Any]]:
    """Every record of a journal, file by file in the order in which their processes started.

    Holds one line in memory. A damaged line is logged, added to `damaged` as "file:line", and passed over. A
    folder that does not exist has no records; one that cannot be read raises JournalError.
    """
    for path in files(folder):
        for number, (_, line) in enumerate(lines(path), 1):
            record = decode(line)
            if record is None:
                logger.warning("%s, line %d is damaged and passed over", path, number)
                if damaged is not None:
                    damaged.append(f"{path}:{number}")
            elif TOMBSTONE not in record:
                yield record


def repair(folder: Path | str) -> list[Path]:
    """Cuts off the line that a crash left unfinished in a file whose writer is gone; returns those files."""
    repaired = []
    for path in files(folder):
        try:
            with path.open("r+b") as file:
                if (end := _end_of_lines(file)) == os.fstat(file.fileno()).st_size:
                    continue
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                file.truncate(end)
                os.fsync(file.fileno())
        except BlockingIOError:  # its writer lives, and is about to finish the line
            continue
        except OSError:  # the line is passed over by every reader, so a file that is not ours may stay torn
            logger.warning("%s ends in a damaged line that could not be cut off", path)
            continue
        repaired.append(path)
    return repaired


def erase(folder: Path | str, ids: set[str]) -> set[str]:
    """Overwrites the records of these ids, for good; returns the ids that were found, now or erased before."""
    found = set()
    for path in files(folder):
        for start, line in lines(path):
            record = decode(line)
            if record is None:
                continue
            if record.get(TOMBSTONE) in ids:
                found.add(record[TOMBSTONE])
            elif isinstance(name := record.get("id"), str) and name in ids:
                _overwrite(path, start, len(line), name)
                found.add(name)
    return found


def _overwrite(path: Path, start: int, length: int, name: str) -> None:
    bare = len(_line({TOMBSTONE: name, "pad": ""}))
    if bare > length:  # no feedback record is so short; the line after it must not be touched
        raise JournalError(
            f"The record {name} was not erased from {path}: its line is too short; delete it by hand."
        )
    stone = _line({TOMBSTONE: name, "pad": " " * (length - bare)})
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.pwrite(descriptor, stone, start)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise _explained("The record was not erased from", path, error) from error


def _end_of_lines(file: BinaryIO) -> int:
    """The offset after the last newline, 0 if there is none."""
    end = file.seek(0, os.SEEK_END)
    while end:
        start = max(0, end - TAIL_BYTES)
        file.seek(start)
        newline = file.read(end - start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0


def _sync_folder(folder: Path) -> None:
    """Makes the names in a folder durable, as fsync does for the bytes in a file."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _explained(what: str, folder: Path, error: OSError) -> JournalError:
    advice = ADVICE.get(error.errno or 0)
    reason = error.strerror or str(error)
    explained = JournalError(f"{what} {folder}: {reason.lower()}" + (f"; {advice}." if advice else "."))
    explained.errno = error.errno
    return explained

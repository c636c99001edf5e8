"""An append-only journal: once `append` has returned, the record outlives a crash and a power cut.

A journal is a folder. Every process appends to a file of its own, so writers never meet and need no lock.
A line is one JSON object in ASCII whose last key, `crc32`, is the checksum of what precedes it; a line that a
crash cut short fails the check and is passed over, and nobody appends to that file again.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import threading
import uuid
import zlib
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)

SUFFIX = ".jsonl"
CHECKSUM = b',"crc32":"%08x"}'
CHECKSUM_BYTES = len(CHECKSUM % 0)

ADVICE = {
    errno.ENOSPC: "free some space and try again",
    errno.EDQUOT: "free some space and try again",
    errno.EFBIG: "raise the limit on file sizes and try again",
    errno.EACCES: "make the folder writable or set FEEDBACK_DIR to one that is",
    errno.EPERM: "make the folder writable or set FEEDBACK_DIR to one that is",
    errno.EROFS: "set FEEDBACK_DIR to a folder on a disk that can be written",
    errno.ENOTDIR: "set FEEDBACK_DIR to a folder",
    errno.EEXIST: "set FEEDBACK_DIR to a folder",
}


class JournalError(OSError):
    """The journal could not be written or read; the message is one line for the user."""


def encode(record: dict[str, Any]) -> bytes:
    """The record as one line, newline included; TypeError or ValueError if JSON cannot hold it.

    ASCII keeps lone surrogates, NUL and every line separator as escapes. Two surrogates that form a pair come
    back as the one character they mean.
    """
    if not record or "crc32" in record:
        raise ValueError("a record has at least one key, and none called crc32")
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
        for folder in missing:
            _sync_folder(folder.parent)
        started = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%S.%fZ")
        path = self.folder / f"{started}-{os.getpid()}-{uuid.uuid4().hex}{SUFFIX}"
        # Readable by this user alone: it holds what people wrote.
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        _sync_folder(self.folder)
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


def records(folder: Path | str, damaged: list[str] | None = None) -> Iterator[dict[str, Any]]:
    """Every record of a journal, file by file in the order in which their processes started.

    Holds one line in memory. A damaged line is logged, added to `damaged` as "file:line", and passed over. A
    folder that does not exist has no records; one that cannot be read raises JournalError.
    """
    try:
        for name in sorted(os.listdir(folder)):
            if not name.endswith(SUFFIX):
                continue
            path = Path(folder, name)
            with path.open("rb") as lines:
                for number, line in enumerate(lines, 1):
                    record = decode(line)
                    if record is not None:
                        yield record
                        continue
                    logger.warning("%s, line %d is damaged and passed over", path, number)
                    if damaged is not None:
                        damaged.append(f"{path}:{number}")
    except FileNotFoundError:
        return
    except OSError as error:
        raise _explained("Feedback cannot be read from", Path(folder), error) from error


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

"""Records to count or export, from a journal or from the dataset, each id once, in constant memory."""

from __future__ import annotations

import hashlib
import sqlite3
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from feedback.journal import records
from feedback.record import Record

CACHE_KIB = 16_000  # of memory for what is on disk


def scratch() -> sqlite3.Connection:
    """A database in a temporary file that is gone when it is closed; nothing in it outlives the process."""
    database = sqlite3.connect("", isolation_level=None)
    database.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    database.execute("PRAGMA journal_mode = OFF")
    database.execute("BEGIN")
    return database


def key(*texts: str) -> bytes:
    """16 bytes that name texts; lone surrogates included."""
    digest = hashlib.blake2b(digest_size=16)
    for text in texts:
        part = text.encode("utf-8", "surrogatepass")
        digest.update(b"%d:" % len(part) + part)
    return digest.digest()


class Seen:
    """A set of texts on disk: a million ids take as much memory as a hundred."""

    def __init__(self) -> None:
        self._database = scratch()
        self._database.execute("CREATE TABLE seen (key BLOB PRIMARY KEY) WITHOUT ROWID")

    def add(self, *texts: str) -> bool:
        """Adds a tuple of texts; was it new?"""
        return self._database.execute("INSERT OR IGNORE INTO seen VALUES (?)", (key(*texts),)).rowcount > 0


def journal(folder: Path) -> Iterator[Record]:
    """Every record of a journal once; says on stderr how many lines could not be read."""
    damaged: list[str] = []
    yield from once(records(folder, damaged))
    if damaged:
        print(f"{len(damaged)} damaged lines were passed over, the first at {damaged[0]}", file=sys.stderr)


def once(values: Iterable[dict[str, Any]]) -> Iterator[Record]:
    """The records of JSON objects, the first of an id winning; says on stderr how many were none."""
    seen = Seen()
    foreign = 0
    for value in values:
        try:
            record = Record.from_dict(value)
        except (TypeError, ValueError):
            foreign += 1
            continue
        if seen.add(record.id):
            yield record
    if foreign:
        print(f"{foreign} lines that are no feedback records were passed over", file=sys.stderr)

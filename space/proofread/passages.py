"""What was made of the passages that were read last: a text that is read again is read where it changed.

A letter that is typed changes one passage, and only that one is read again. Memory holds a digest of a passage with its edits and
prompts, for an hour after it was used last; nothing is written anywhere.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

from space.proofread.edits import Edit
from space.proofread.units import Email

MAX_PASSAGES = 5_000  # remembered, the ones used last; a page of text is about ten
MAX_CHARACTERS = 2_000_000  # of what is remembered of them: about 10 MB
MAX_SECONDS = 3600  # since it was used last


@dataclass(frozen=True)
class Read:
    """What was made of a passage: its edits, by where it begins; the prompts, and the openings of kinder wordings."""

    edits: tuple[Edit, ...]
    prompts: tuple[str, ...] = ()
    openings: tuple[str, ...] = ()

    @classmethod
    def joined(cls, reads: Sequence[Read]) -> Read:
        """What was made of several parts, one after the other."""
        return cls(
            tuple(edit for each in reads for edit in each.edits),
            tuple(prompt for each in reads for prompt in each.prompts),
            tuple(opening for each in reads for opening in each.openings),
        )

    def moved(self, by: int) -> Read:
        """The same with its edits that much further on."""
        edits = (replace(edit, start=edit.start + by, end=edit.end + by) for edit in self.edits)
        return replace(self, edits=tuple(edits))

    def size(self) -> int:
        """In characters."""
        edits = sum(len(edit.before) + len(edit.after) + len(edit.reason) for edit in self.edits)
        return edits + sum(map(len, self.prompts))


@dataclass(frozen=True)
class Reading:
    """What is known of a text: edits of every status and sentences, by where they begin, in its characters."""

    edits: tuple[Edit, ...]
    sentences: tuple[tuple[int, int], ...]
    notes: tuple[str, ...]  # why parts of it, or all, were not read
    unread_words: int  # in passages that would have to be read first


class Passages:
    """Safe to share between threads."""

    def __init__(self, max_passages: int = MAX_PASSAGES, max_characters: int = MAX_CHARACTERS) -> None:
        self._max_passages, self._max_characters = max_passages, max_characters
        self._known: OrderedDict[bytes, tuple[float, Read]] = (
            OrderedDict()
        )  # when it was used; the last at the end
        self._characters = 0
        self._lock = threading.Lock()

    def get(self, key: bytes) -> Read | None:
        with self._lock:
            self._forget()
            if key not in self._known:
                return None
            _, read = self._known.pop(key)
            self._known[key] = time.monotonic(), read
            return read

    def put(self, key: bytes, read: Read) -> None:
        with self._lock:
            self._drop(key)
            self._known[key] = time.monotonic(), read
            self._characters += read.size()
            self._forget()

    def _forget(self) -> None:
        """The oldest, while they are too many, too long or too old."""
        while self._known:
            key, (used, _) = next(iter(self._known.items()))
            many = len(self._known) > self._max_passages or self._characters > self._max_characters
            if not many and time.monotonic() - used <= MAX_SECONDS:
                return
            self._drop(key)

    def _drop(self, key: bytes) -> None:
        if key in self._known:
            _, read = self._known.pop(key)
            self._characters -= read.size()


def key_of(passage: Email, *asked: Any) -> bytes:
    """A digest of all that the reading of a passage depends on; `asked` is what was asked of it."""
    start, end = passage.units[0].start, passage.units[-1].end
    units = [(unit.kind, unit.start - start, unit.end - start) for unit in passage.units]
    spans = [(span.start - start, span.end - start, span.what) for span in passage.spans]
    known = (passage.draft[start:end], units, spans, sorted(passage.names), *asked)
    return blake2b(repr(known).encode("utf-8", "surrogatepass"), digest_size=16).digest()

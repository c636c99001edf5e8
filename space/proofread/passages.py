"""Edits of a text that is checked again and again: a passage that was read before is answered from memory.

    passages = Passages()
    passages.read(proofreader, "He have it.\\n\\nShe has it.").edits      # of both, read now or remembered

A letter that is typed changes one passage, and only that one is read again. Memory holds no text of a passage but a digest
of it; nothing is written anywhere.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from hashlib import blake2b

from space.proofread.edits import Edit
from space.proofread.email import EDITABLE
from space.proofread.evidence import AT_A_TIME
from space.proofread.pipeline import STOPPED, Proofreader
from space.proofread.units import Email, Unit

MAX_PASSAGES = 5_000  # remembered, the ones read last; a page of text is about ten
MAX_CHARACTERS = 2_000_000  # of their edits, reasons included: about 10 MB
_PARAGRAPH = re.compile(r"\n[^\S\n]*\r?\n|\r[^\S\r\n]*\r")


@dataclass(frozen=True)
class Reading:
    """What is known of a text: edits of every status and sentences, by where they begin, in its characters."""

    edits: tuple[Edit, ...]
    sentences: tuple[tuple[int, int], ...]
    notes: tuple[str, ...]  # why parts of it, or all, were not read
    unread_words: int  # in passages that would have to be read first


class Passages:
    """Safe to share between threads; one proofreader may read at a time, as ever."""

    def __init__(self, max_passages: int = MAX_PASSAGES, max_characters: int = MAX_CHARACTERS) -> None:
        self._max_passages, self._max_characters = max_passages, max_characters
        self._known: OrderedDict[bytes, tuple[Edit, ...]] = OrderedDict()  # the ones used last at the end
        self._characters = 0
        self._lock = threading.Lock()

    def recall(
        self, proofreader: Proofreader, text: str, dialect: str | None = None, version: str = ""
    ) -> Reading:
        """What memory alone knows of a text: no model is asked. `version` says what is in the proofreader."""
        return self._reading(proofreader, text, dialect, version, None)

    def read(
        self, proofreader: Proofreader, text: str, dialect: str | None = None, version: str = "",
        stop: Callable[[], bool] = lambda: False,
    ) -> Reading:  # fmt: skip
        """The same with every passage read, until `stop` says True."""
        return self._reading(proofreader, text, dialect, version, stop)

    def _reading(
        self, proofreader: Proofreader, text: str, dialect: str | None, version: str,
        stop: Callable[[], bool] | None,
    ) -> Reading:  # fmt: skip
        email = Email.read(text, proofreader.classifiers.lexicon, unit=proofreader.engine.unit)
        found: list[Edit] = []
        unread = 0
        for passage in _passages(email):
            start = passage.units[0].start
            key = _key(passage, dialect, version)
            edits = self._get(key)
            if edits is None and stop and not stop():
                new = proofreader.edits(passage, dialect=dialect, stop=stop)
                if new is not None:
                    edits = tuple(_moved(edit, -start) for edit in new)
                    self._put(key, edits)
            if edits is None:
                unread += sum(len(unit.text.split()) for unit in passage.units)
            found += [_moved(edit, start) for edit in edits or ()]
        sentences = [
            (part.start, part.start + len(part.text)) for part in email.parts if part.kind in EDITABLE
        ]
        notes = (*email.notes, *([STOPPED] if unread and stop else []))
        return Reading(tuple(sorted(found, key=lambda e: (e.start, e.end))), tuple(sentences), notes, unread)

    def _get(self, key: bytes) -> tuple[Edit, ...] | None:
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
            return self._known.get(key)

    def _put(self, key: bytes, edits: tuple[Edit, ...]) -> None:
        with self._lock:
            self._drop(key)
            self._known[key] = edits
            self._characters += _size(edits)
            while len(self._known) > self._max_passages or self._characters > self._max_characters:
                self._drop(next(iter(self._known)))

    def _drop(self, key: bytes) -> None:
        self._characters -= _size(self._known.pop(key, ()))


def _passages(email: Email) -> Iterator[Email]:
    """The email again and again, each time with the next units alone: of one paragraph, and no more than are measured together."""
    run: list[Unit] = []
    for unit in email.units:
        if run and (len(run) == AT_A_TIME or _PARAGRAPH.search(email.draft, run[-1].end, unit.start)):
            yield _alone(email, run)
            run = []
        run.append(unit)
    if run:
        yield _alone(email, run)


def _alone(email: Email, units: list[Unit]) -> Email:
    """The email with these units, and of what is known of it what concerns them."""
    start, end = units[0].start, units[-1].end
    text = email.draft[start:end]
    return replace(
        email,
        units=tuple(units),
        parts=tuple(part for part in email.parts if part.start < end and start < part.start + len(part.text)),
        spans=tuple(span for span in email.spans if span.start < end and start < span.end),
        names=frozenset(name for name in email.names if name in text),
    )


def _key(passage: Email, dialect: str | None, version: str) -> bytes:
    """A digest of all that the edits of a passage depend on."""
    start, end = passage.units[0].start, passage.units[-1].end
    units = [(unit.kind, unit.start - start, unit.end - start) for unit in passage.units]
    spans = [(span.start - start, span.end - start, span.what) for span in passage.spans]
    known = (passage.draft[start:end], units, spans, sorted(passage.names), dialect, version)
    return blake2b(repr(known).encode(), digest_size=16).digest()


def _moved(edit: Edit, by: int) -> Edit:
    return replace(edit, start=edit.start + by, end=edit.end + by)


def _size(edits: tuple[Edit, ...]) -> int:
    return sum(len(edit.before) + len(edit.after) + len(edit.reason) for edit in edits)

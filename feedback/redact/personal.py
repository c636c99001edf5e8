"""Personal data that has a form: where in a text it stands, and what it is however it was written.

What is looked at is the text as it reads: full-width letters as plain ones, every blank and dash as the common
one, and nothing that takes no room.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from feedback.redact import links, numbers

# Each may not touch those before it.
_FINDERS = {
    "url": links.urls,
    "email": links.emails,
    "iban": numbers.ibans,
    "card": numbers.cards,
    "secret": links.secrets,
    "id": numbers.ids,
    "phone": numbers.phones,
}
STRUCTURED = tuple(_FINDERS)


@dataclass(frozen=True, order=True)
class Span:
    """Characters [start, end) of a text are one thing; `key` is what it is however it was written."""

    start: int
    end: int
    kind: str
    key: str


def disjoint(text: str, spans: Iterable[Span]) -> Iterator[Span]:
    """The spans, the first of any two that overlap winning."""
    taken = bytearray(len(text))
    for span in spans:
        if 1 not in taken[span.start : span.end]:
            taken[span.start : span.end] = b"\1" * (span.end - span.start)
            yield span


def structured_in(text: str) -> Iterator[Span]:
    """Spans of what has a form, disjoint."""
    plain, places = as_it_reads(text)
    found = disjoint(plain, (span for kind in STRUCTURED for span in _found(kind, plain)))
    for span in found:
        yield replace(span, start=places[span.start], end=places[span.end - 1] + 1)


def as_it_reads(text: str) -> tuple[str, Sequence[int]]:
    """The text with common blanks, dashes, letters and digits only, and where each of its characters stands.

    >>> as_it_reads("a\u200b＠b")
    ('a@b', [0, 2, 3])
    """
    if text.isascii() and "\t" not in text:
        return text, range(len(text))
    plain = [(_plain(letter), place) for place, letter in enumerate(text)]
    plain = [(letter, place) for letter, place in plain if letter]
    return "".join(letter for letter, _ in plain), [place for _, place in plain]


@functools.lru_cache(4096)  # characters: more than people write with
def _plain(letter: str) -> str:
    """A character as the patterns below know it; nothing for one that takes no room."""
    category = unicodedata.category(letter)
    if category == "Cf":
        return ""
    if category == "Zs" or letter == "\t":
        return " "
    if category == "Pd":
        return "-"
    if category == "Nd":
        return str(unicodedata.digit(letter))
    alike = unicodedata.normalize("NFKC", letter)
    return alike if len(alike) == 1 and alike.isascii() else "." if letter == "。" else letter


def _found(kind: str, text: str) -> Iterator[Span]:
    for start, end in _FINDERS[kind](text):
        found = text[start:end]
        key = found if kind == "url" else re.sub(r"\W+", "", found).casefold()
        # A telephone number is the same with or without its country's code.
        yield Span(start, end, kind, re.sub(r"\D", "", key)[-9:] if kind == "phone" else key)

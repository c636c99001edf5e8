"""Personal data out of a record before it is shown, kept or sent; the same thing gets the same placeholder.

    >>> redact(["Hi Jana, write to jana@example.com", "Hi Jana, please write to jana@example.com"]).texts
    ['Hi [NAME_1], write to [EMAIL_1]', 'Hi [NAME_1], please write to [EMAIL_1]']

What is found: email addresses, phone numbers, URLs that carry credentials or a long key, IBANs, card numbers,
long ids and keys, labelled passwords, and names after a greeting or under a closing. What is not: names
elsewhere in running text that occur in neither place, postal addresses, and what only its meaning makes personal.

Presidio would also find names in running text, but with a spaCy model that must be fetched from the network first,
and this app starts without one.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from feedback.names import names_in
from feedback.personal import STRUCTURED, Span, disjoint, structured_in
from feedback.schema import Record

KINDS = (*STRUCTURED, "name")


@dataclass(frozen=True)
class Redacted:
    """Texts without personal data, the spans taken out of each original, and each placeholder with its use."""

    texts: list[str]
    spans: list[list[Span]]
    redactions: tuple[dict[str, Any], ...]  # kind, placeholder, count: as in a record
    names: Mapping[tuple[str, str], str]  # (kind, key) -> placeholder


def redact(texts: Sequence[str]) -> Redacted:
    """The texts with placeholders; what one of them shows to be a name is replaced in all of them."""
    spans = [
        sorted(disjoint(text, [*structured_in(text), *names]))
        for text, names in zip(texts, names_in(texts), strict=True)
    ]
    placeholders = _placeholders(texts, spans)
    count: Counter[tuple[str, str]] = Counter((span.kind, span.key) for each in spans for span in each)
    return Redacted(
        texts=[_replaced(text, each, placeholders) for text, each in zip(texts, spans, strict=True)],
        spans=spans,
        redactions=tuple(
            {"kind": name[0], "placeholder": placeholder, "count": count[name]}
            for name, placeholder in placeholders.items()
        ),
        names=placeholders,
    )


def redact_record(record: Record) -> Record:
    """The record that may be kept: every text redacted, the changes' offsets moved along.

    A change inside something that was taken out is dropped: it would show what stood there.
    """
    afters = [change.get("after", "") for change in record.changes]
    result = redact([record.draft, record.rewrite, record.corrected, record.comment, *afters])
    draft, rewrite, corrected, comment, *redacted_afters = result.texts
    return replace(
        record,
        draft=draft,
        rewrite=rewrite,
        corrected=corrected,
        comment=comment,
        changes=tuple(_moved(record.changes, redacted_afters, draft, result)),
        redactions=(*record.redactions, *result.redactions),
    )


def _moved(
    changes: Iterable[Mapping[str, Any]], afters: Iterable[str], draft: str, result: Redacted
) -> Iterator[dict[str, Any]]:
    """The changes with offsets in the redacted draft."""
    edges = []  # (start, end) in the original -> (start, end) in the redacted draft
    shift = 0
    for span in result.spans[0]:
        start = span.start + shift
        end = start + len(result.names[span.kind, span.key])
        edges.append((span.start, span.end, start, end))
        shift = end - span.end

    def moved(offset: int, at_end: bool) -> int:
        gained = 0
        for start, end, new_start, new_end in edges:
            if offset <= start:
                break
            if offset < end:
                return new_end if at_end else new_start
            gained = new_end - end
        return offset + gained

    last = 0
    for change, after in zip(changes, afters, strict=True):
        touched = any(start < change["end"] and change["start"] < end for start, end, *_ in edges)
        start, end = moved(change["start"], False), moved(change["end"], True)
        if touched or start < last:
            continue
        last = end
        yield {**change, "start": start, "end": end, "before": draft[start:end], "after": after}


def _placeholders(texts: Sequence[str], spans: Sequence[Sequence[Span]]) -> dict[tuple[str, str], str]:
    """A placeholder for each thing, numbered as they appear, above any number that the texts use already."""
    used: Counter[str] = Counter()
    for kind, number in re.findall(rf"\[({'|'.join(KINDS)})_(\d{{1,6}})\]", "\n".join(texts), re.IGNORECASE):
        used[kind.lower()] = max(used[kind.lower()], int(number))
    made: dict[tuple[str, str], str] = {}
    for each in spans:
        for span in each:
            if (span.kind, span.key) not in made:
                used[span.kind] += 1
                made[span.kind, span.key] = f"[{span.kind.upper()}_{used[span.kind]}]"
    return made


def _replaced(text: str, spans: Sequence[Span], placeholders: Mapping[tuple[str, str], str]) -> str:
    parts, last = [], 0
    for span in spans:
        parts += [text[last : span.start], placeholders[span.kind, span.key]]
        last = span.end
    return "".join([*parts, text[last:]])


# ---- who sent it ----

SALT_SECONDS = 24 * 60 * 60


class ClientHash:
    """Tells flags of one sender apart from another's for a day, and nobody who sent them.

    The salt is random, lives in this process's memory alone and is replaced after `SALT_SECONDS`: from then on
    no one can compute the hash of an address again. Nothing of the address is kept.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._salt = b""
        self._made = 0.0

    def __call__(self, address: str) -> str:
        """16 hexadecimal digits for an address, the same for a day; nothing for no address."""
        with self._lock:
            if not self._salt or time.monotonic() - self._made >= SALT_SECONDS:
                self._salt, self._made = secrets.token_bytes(32), time.monotonic()
            salt = self._salt
        return hmac.new(salt, address.encode(), hashlib.sha256).hexdigest()[:16] if address else ""

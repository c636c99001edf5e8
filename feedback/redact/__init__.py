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

from feedback.record import Record, made_of
from feedback.redact.names import names_in
from feedback.redact.personal import STRUCTURED, Span, disjoint, structured_in

KINDS = (*STRUCTURED, "name")
SHORTEST = 4  # characters of what is replaced wherever it stands; three digits may be anything


@dataclass(frozen=True)
class Redacted:
    """Texts without personal data, the spans taken out of each original, and each placeholder with its use."""

    texts: list[str]
    spans: list[list[Span]]
    redactions: tuple[dict[str, Any], ...]  # kind, placeholder, count: as in a record
    names: Mapping[tuple[str, str], str]  # (kind, key) -> placeholder


def redact(texts: Sequence[str]) -> Redacted:
    """The texts with placeholders; what one of them shows to be a name or a secret is replaced in all of them."""
    found = _alike(texts, [list(structured_in(text)) for text in texts])
    spans = [
        sorted(disjoint(text, [*structured, *names]))
        for text, structured, names in zip(texts, found, names_in(texts), strict=True)
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


def _alike(texts: Sequence[str], found: Sequence[Sequence[Span]]) -> list[list[Span]]:
    """The same characters as the same thing in every text, although only one may say what they are.

    "mobil 601 234 567" is a long id, "mobile 601 234 567" a telephone number; "passwrd: hunter2" is nothing.
    """
    known: dict[str, Span] = {}
    for text, spans in zip(texts, found, strict=True):
        for span in spans:
            held = known.get(written := text[span.start : span.end])
            if held is None or STRUCTURED.index(span.kind) < STRUCTURED.index(held.kind):
                known[written] = span
    words = sorted((word for word in known if len(word) >= SHORTEST), key=len, reverse=True)
    anywhere = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, words))})(?!\w)" if words else r"(?!)")
    result = []
    for text, spans in zip(texts, found, strict=True):
        places = [(match.start(), match.end()) for match in anywhere.finditer(text)]
        own = [(span.start, span.end) for span in spans]
        alike = []
        for start, end in [*own, *places]:
            span = known[text[start:end]]
            alike.append(Span(start, end, span.kind, span.key))
        result.append(list(disjoint(text, alike)))
    return result


def redact_record(record: Record) -> Record:
    """The record that may be kept: every text redacted, the changes moved along.

    A change that reaches into something that was taken out grows to the whole of it, and what only changed in
    there is dropped: it would show what stood there. So the changes still make the rewrite out of the draft;
    where they did not before, none is kept, as nothing says what stands where.
    """
    result = redact([record.draft, record.rewrite, record.corrected, record.comment])
    draft, rewrite, corrected, comment = result.texts
    changes = list(_moved(_edits(record, result), result))
    if made_of(draft, changes) != rewrite:
        changes = []
    return replace(
        record,
        draft=draft,
        rewrite=rewrite,
        corrected=corrected,
        comment=comment,
        changes=tuple(changes),
        redactions=(*record.redactions, *result.redactions),
    )


@dataclass
class _Edit:
    """Characters [start, end) of the draft that became [first, last) of the rewrite, by these changes."""

    start: int
    end: int
    first: int
    last: int
    changes: list[Mapping[str, Any]]


def _edits(record: Record, result: Redacted) -> list[_Edit]:
    """The changes, grown until none begins or ends inside a span; none if they do not make the rewrite."""
    if made_of(record.draft, record.changes) != record.rewrite:
        return []
    edits, shift = [], 0
    for change in record.changes:
        start, end, length = change["start"], change["end"], len(change["after"])
        edits.append(_Edit(start, end, start + shift, start + shift + length, [change]))
        shift += length - (end - start)
    place = 0
    while place < len(edits):
        left, right = _missing(edits[place], result)
        before = edits[place - 1] if place else None
        after = edits[place + 1] if place + 1 < len(edits) else None
        if before and left > edits[place].start - before.end:
            place -= 1
            edits[place : place + 2] = [_joined(before, edits[place + 1])]
        elif after and right > after.start - edits[place].end:
            edits[place : place + 2] = [_joined(edits[place], after)]
        elif left or right:
            edits[place].start, edits[place].first = edits[place].start - left, edits[place].first - left
            edits[place].end, edits[place].last = edits[place].end + right, edits[place].last + right
        else:
            place += 1
    return edits


def _missing(edit: _Edit, result: Redacted) -> tuple[int, int]:
    """How many characters to the left and to the right the spans go on that an edit cuts."""
    left = right = 0
    for spans, start, end in zip(result.spans, (edit.start, edit.first), (edit.end, edit.last), strict=False):
        for span in spans:
            if span.start < end and start < span.end:
                left, right = max(left, start - span.start), max(right, span.end - end)
    return left, right


def _joined(one: _Edit, other: _Edit) -> _Edit:
    return _Edit(one.start, other.end, one.first, other.last, [*one.changes, *other.changes])


def _moved(edits: Iterable[_Edit], result: Redacted) -> Iterator[dict[str, Any]]:
    """The edits as changes of the redacted texts."""
    draft, rewrite, *_ = result.texts

    def moved(offset: int, spans: Iterable[Span]) -> int:
        gained = (len(result.names[s.kind, s.key]) - (s.end - s.start) for s in spans if s.end <= offset)
        return offset + sum(gained)

    for edit in edits:
        start, end = moved(edit.start, result.spans[0]), moved(edit.end, result.spans[0])
        before = draft[start:end]
        after = rewrite[moved(edit.first, result.spans[1]) : moved(edit.last, result.spans[1])]
        if before == after:
            continue
        verdicts = {change.get("verdict") for change in edit.changes}
        own = {"verdict": "undecided"} if len(verdicts) > 1 else {}
        yield {**edit.changes[0], **own, "start": start, "end": end, "before": before, "after": after}


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

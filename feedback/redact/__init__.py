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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from feedback.record import Change, Record, rebuilt
from feedback.redact.names import names_in
from feedback.redact.personal import STRUCTURED, Span, disjoint, structured_in
from space.proofread.edits import Edit, apply

KINDS = (*STRUCTURED, "name")
SHORTEST = 4  # characters of what is replaced wherever it stands; three digits may be anything
SALT_SECONDS = 24 * 60 * 60


@dataclass(frozen=True)
class Redacted:
    """Texts without personal data, and the edits that put a placeholder in its place, for each original."""

    texts: list[str]
    edits: list[list[Edit]]

    def redactions(self, texts: int | None = None) -> tuple[dict[str, Any], ...]:
        """Kind, placeholder and count as a record has them, of the first so many texts."""
        count = Counter((edit.kind, edit.after) for edits in self.edits[:texts] for edit in edits)
        return tuple({"kind": kind, "placeholder": after, "count": n} for (kind, after), n in count.items())


def redact(texts: Sequence[str]) -> Redacted:
    """The texts with placeholders; what one of them shows to be a name or a secret is replaced in all of them."""
    found = _shared(texts, [list(structured_in(text)) for text in texts])
    spans = [
        sorted(disjoint(text, [*structured, *names]))
        for text, structured, names in zip(texts, found, names_in(texts), strict=True)
    ]
    placeholders = _placeholders(texts, spans)
    edits = [
        [Edit(s.start, s.end, text[s.start : s.end], placeholders[s.kind, s.key], s.kind) for s in each]
        for text, each in zip(texts, spans, strict=True)
    ]
    return Redacted([apply(text, each) for text, each in zip(texts, edits, strict=True)], edits)


def _shared(texts: Sequence[str], found: Sequence[Sequence[Span]]) -> list[list[Span]]:
    """The same characters as the same thing in every text, although only one may say what they are.

    "mobil 601 234 567" is a long id, "mobile 601 234 567" a telephone number; "passwrd: hunter2" is nothing.
    """
    known: dict[str, Span] = {}
    for text, spans in zip(texts, found, strict=True):
        for span in spans:
            best = known.get(written := text[span.start : span.end])
            if best is None or STRUCTURED.index(span.kind) < STRUCTURED.index(best.kind):
                known[written] = span
    words = sorted((word for word in known if len(word) >= SHORTEST), key=len, reverse=True)
    anywhere = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, words))})(?!\w)" if words else r"(?!)")
    result = []
    for text, spans in zip(texts, found, strict=True):
        places = [(span.start, span.end) for span in spans]
        places += [match.span() for match in anywhere.finditer(text)]
        shared = (replace(known[text[start:end]], start=start, end=end) for start, end in places)
        result.append(list(disjoint(text, shared)))
    return result


def _placeholders(texts: Sequence[str], spans: Sequence[Sequence[Span]]) -> dict[tuple[str, str], str]:
    """A placeholder for each thing, numbered as they appear, above any number that the texts use already."""
    used: Counter[str] = Counter()
    for kind, number in re.findall(rf"\[({'|'.join(KINDS)})_(\d{{1,6}})\]", "\n".join(texts), re.IGNORECASE):
        used[kind.lower()] = max(used[kind.lower()], int(number))
    placeholders: dict[tuple[str, str], str] = {}
    for span in (span for each in spans for span in each):
        if (span.kind, span.key) not in placeholders:
            used[span.kind] += 1
            placeholders[span.kind, span.key] = f"[{span.kind.upper()}_{used[span.kind]}]"
    return placeholders


# ---- a record ----


def redact_record(record: Record) -> Record:
    """The record that may be kept: every text redacted, the changes moved along.

    A change that reaches into something that was taken out grows to contain it all and loses its reason and alternatives, and
    what only changed in there is dropped: both would show what stood there. So the applied changes still make the rewrite out of
    the draft; where they did not before, no change is kept, as nothing says what stands where.
    """
    layers = _layers(record) if record.is_consistent else []
    own = [change for layer in layers for change in layer]
    beside = list(dict.fromkeys(text for change in own for text in (change.reason, *change.alternatives)))
    others = [apply(record.draft, layer) for layer in layers[1:]]
    # All in one call: what a reason or a suggestion holds may be known from a greeting in the draft.
    result = redact([record.draft, record.corrected, record.comment, record.rewrite, *others, *beside])
    draft, corrected, comment, rewrite = result.texts[:4]
    clean = dict(zip(beside, result.texts[4 + len(others) :], strict=True))
    changes: list[Change] = []
    for layer, text, edits in zip(layers, result.texts[3:], result.edits[3:], strict=False):
        grown = _grown(layer, record.draft, result.edits[0], edits)
        moved = list(_moved(grown, draft, text, result.edits[0], edits))
        if rebuilt(draft, moved) == text:
            changes += [
                replace(
                    each,
                    reason=clean.get(each.reason, ""),
                    alternatives=tuple(clean[other] for other in each.alternatives),
                )
                for each in moved
            ]
        elif layer is layers[0]:
            break
    return replace(
        record,
        draft=draft,
        rewrite=rewrite,
        corrected=corrected,
        comment=comment,
        changes=tuple(sorted(changes, key=lambda each: (each.start, each.end))),
        redactions=(*record.redactions, *result.redactions(4)),
    )


def _layers(record: Record) -> list[list[Change]]:
    """The applied changes, then the others in lists of disjoint ones: each list makes one text to redact."""
    layers = [list(record.applied)]
    for change in record.changes:
        if change.status == "applied" or rebuilt(record.draft, [change]) is None:
            continue
        for layer in layers[1:]:
            if layer[-1].end <= change.start:
                layer.append(change)
                break
        else:
            layers.append([change])
    return layers


def _grown(
    layer: Sequence[Change], draft: str, out_of_draft: Sequence[Edit], out_of_text: Sequence[Edit]
) -> list[Change]:
    """The changes, joined and widened until none begins or ends inside what is taken out of draft or text."""
    changes, place = list(layer), 0
    while place < len(changes):
        change = changes[place]
        first = change.start + sum(len(each.after) - len(each.before) for each in changes[:place])
        last = first + len(change.after)
        start, end = change.start, change.end
        for edit in out_of_draft:
            if edit.start < change.end and change.start < edit.end:
                start, end = min(start, edit.start), max(end, edit.end)
        for edit in out_of_text:
            if edit.start < last and first < edit.end:
                start, end = (
                    min(start, change.start - first + edit.start),
                    max(end, change.end - last + edit.end),
                )
        if place and start < changes[place - 1].end:
            place -= 1
            changes[place : place + 2] = [_joined(draft, changes[place], change)]
        elif place + 1 < len(changes) and end > changes[place + 1].start:
            changes[place : place + 2] = [_joined(draft, change, changes[place + 1])]
        elif (start, end) != (change.start, change.end):
            after = draft[start : change.start] + change.after + draft[change.end : end]
            changes[place] = replace(
                change, start=start, end=end, before=draft[start:end], after=after, alternatives=()
            )
        else:
            place += 1
    return changes


def _joined(draft: str, one: Change, other: Change) -> Change:
    return replace(
        one,
        end=other.end,
        before=draft[one.start : other.end],
        after=one.after + draft[one.end : other.start] + other.after,
        verdict=one.verdict if one.verdict == other.verdict else "undecided",
        alternatives=(),
    )


def _moved(
    changes: Sequence[Change],
    draft: str,
    text: str,
    out_of_draft: Sequence[Edit],
    out_of_text: Sequence[Edit],
) -> Iterator[Change]:
    """The changes as they stand in the redacted draft and text."""

    def moved(offset: int, edits: Sequence[Edit]) -> int:
        return offset + sum(len(each.after) - len(each.before) for each in edits if each.end <= offset)

    shift = 0
    for change in changes:
        start, end = moved(change.start, out_of_draft), moved(change.end, out_of_draft)
        first = change.start + shift
        shift += len(change.after) - len(change.before)
        before = draft[start:end]
        after = text[moved(first, out_of_text) : moved(change.end + shift, out_of_text)]
        if before != after:
            moved_change = replace(change, start=start, end=end, before=before, after=after)
            as_it_was = (before, after) == (change.before, change.after)
            yield moved_change if as_it_was else replace(moved_change, reason="", alternatives=())


# ---- who sent it ----


class ClientHash:
    """Tells flags of one sender apart from another's for a day, and nobody who sent them.

    The salt is random, lives in this process's memory alone and is replaced after `SALT_SECONDS`: from then on
    no one can compute the hash of an address again. Nothing of the address is kept.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._salt = b""
        self._salted_at = 0.0

    def __call__(self, address: str) -> str:
        """16 hexadecimal digits for an address, the same for a day; nothing for no address."""
        with self._lock:
            if not self._salt or time.monotonic() - self._salted_at >= SALT_SECONDS:
                self._salt, self._salted_at = secrets.token_bytes(32), time.monotonic()
            salt = self._salt
        return hmac.new(salt, address.encode(), hashlib.sha256).hexdigest()[:16] if address else ""

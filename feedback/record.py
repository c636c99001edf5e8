"""One piece of feedback as a value, versioned so that records written by later releases survive this one.

`Record` and the types of its fields are the one definition of what a record holds: pydantic checks by them, and
`COLUMNS` reads from them the columns of the dataset, for the card (`columns`) and for `datasets` (`features`).
`to_row` and `from_row` carry a record into those columns and back: what they do not know goes, as JSON, into `extra`.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin, get_type_hints

from pydantic import BeforeValidator, ConfigDict, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict

from space.proofread.edits import STATUSES, Edit, apply

if TYPE_CHECKING:
    from datasets import Features

# 1 had no changes, corrected, options, redactions and client; 2 had applied changes only, without source to reason.
VERSION = 3
VERDICTS = ("good", "bad")
REASONS = (
    "missed mistake",
    "wrong correction",
    "changed meaning",
    "changed a name or number",
    "too formal",
    "too casual",
    "rude",
    "biased or unfair to a person or group",
    "formatting broken",
    "too slow",
    "other",
)
CHANGE_VERDICTS = ("accepted", "rejected", "undecided")
REQUIRED = ("id", "time", "draft", "rewrite", "verdict", "consent")
EXTRA = "extra"

# Annotated[how code sees it, how it is checked where that says more, what it is]: the last goes on the dataset's card.
Json = Mapping[str, Any]
_with_unknown_keys = with_config(ConfigDict(extra="allow", strict=True))


@_with_unknown_keys
class Score(TypedDict, total=False):
    """One classifier's measurement."""

    label: Annotated[str, "the likeliest class"]
    score: Annotated[float, "its probability, 0 to 1"]
    scores: Annotated[Json, "class -> probability, 0 to 1"]


@_with_unknown_keys
class Tone(TypedDict, total=False):
    sentiment: Annotated[Score, "one classifier's measurement"]
    politeness: Annotated[Score, "one classifier's measurement"]


@_with_unknown_keys
class Versions(TypedDict, total=False):
    app: Annotated[str, "release of the app"]
    model: Annotated[str, "name of the model"]
    prompt: Annotated[str, "version of the prompt"]
    gguf_sha256: Annotated[str, "SHA-256 of the model file, hex"]
    revision: Annotated[str, "commit of the model's repository on the Hub"]


@_with_unknown_keys
class Redaction(TypedDict, total=False):
    kind: Annotated[str, "email, phone, url, iban, card, id, secret or name"]
    placeholder: Annotated[str, "what stands in its place, e.g. [EMAIL_1]"]
    count: Annotated[int, "how often"]


@dataclass(frozen=True)
class Change(Edit):
    """An edit with the user's verdict; `extra` holds keys that only later releases know."""

    start: Annotated[int, "first character in the draft"]
    end: Annotated[int, "character after the last"]
    before: Annotated[str, "the draft's words"]
    after: Annotated[str, "what replaces them"]
    kind: Annotated[str, "sort of correction"] = "other"
    source: Annotated[
        str, "who proposed it: tagger, lexicon, grammar, harper, dialect, llm, polish or user"
    ] = "llm"
    score: Annotated[float, "probability that a careful reader would make it, 0 to 1"] = 1.0
    status: Annotated[str, "applied (it is in the rewrite), suggested or refused"] = "applied"
    reason: Annotated[str, "why it was made, suggested or refused, redacted"] = ""
    alternatives: Annotated[tuple[str, ...], "other texts that were offered in place of after, redacted"] = ()
    verdict: Annotated[str, "the user's: accepted, rejected or undecided"] = "undecided"
    extra: Json = field(default_factory=dict)

    @staticmethod
    def arguments(value: Any) -> Any:
        """A JSON object with unknown keys moved into `extra`; anything else as it is."""
        if not isinstance(value, Mapping):
            return value
        known = {name: item for name, item in value.items() if name in _CHANGE and item is not None}
        return known | {EXTRA: {name: item for name, item in value.items() if name not in _CHANGE}}

    def to_dict(self) -> dict[str, Any]:
        own = {name: getattr(self, name) for name in _CHANGE} | {"alternatives": list(self.alternatives)}
        if not self.alternatives:  # which most edits lack, and those of earlier releases
            del own["alternatives"]
        return {**own, **self.extra}


_CHANGE = {each.name: each.default for each in dataclasses.fields(Change) if each.name != EXTRA}
_NEW_IN_3 = ("source", "score", "status", "reason")


def new_id() -> str:
    """A UUIDv7: sorts by the millisecond it was made in (RFC 9562, section 5.7)."""
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds << 80) | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76  # version
    value = value & ~(0x3 << 62) | 0x2 << 62  # variant
    return str(uuid.UUID(int=value))


def now() -> str:
    """This moment in UTC, ISO 8601 to the millisecond."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")


@dataclass(frozen=True, kw_only=True)
class Record:
    """A user's verdict on one rewrite.

    `extra` holds fields that only later releases know, or write otherwise. Raises ValueError, naming the field and
    never quoting a text, on what is not of the field's type or, in a record of this release or an earlier one, no
    value that it may have.
    """

    v: Annotated[int, "version of this schema"] = VERSION
    id: Annotated[str, "UUIDv7: names the record, also to have it deleted"] = field(default_factory=new_id)
    time: Annotated[str, "when it was sent: UTC, ISO 8601"] = field(default_factory=now)
    draft: Annotated[str, "what the user wrote, redacted"]
    rewrite: Annotated[str, "what the proofreader made of it, redacted"]
    corrected: Annotated[str, "the user's own version, redacted; empty if none was given"] = ""
    verdict: Annotated[str, "was the rewrite right? good or bad"]
    reasons: Annotated[tuple[str, ...], "what was wrong; none for a good rewrite"] = ()
    changes: Annotated[
        tuple[Change, ...],
        tuple[Annotated[Change, BeforeValidator(Change.arguments)], ...],
        "edits of the draft by where they begin; those applied are disjoint and make the rewrite",
    ] = ()
    comment: Annotated[str, "the user's remark, redacted"] = ""
    before: Annotated[Json | None, Tone, "the draft's tone"] = None
    after: Annotated[Json | None, Tone, "the rewrite's tone"] = None
    versions: Annotated[Json, Versions, "what made the rewrite"] = field(default_factory=dict)
    options: Annotated[Json, "how it was asked: mode and the like"] = field(default_factory=dict)
    consent: Annotated[str, "version of the text that the user agreed to"]
    redactions: Annotated[
        tuple[Json, ...], tuple[Redaction, ...], "what was taken out before the record was kept"
    ] = ()
    client: Annotated[str, "salted hash of who sent it; the salt is forgotten after a day"] = ""
    extra: Json = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, check in _checks().items():
            if (value := getattr(self, name)) is not None:
                try:
                    object.__setattr__(self, name, check(value))
                except ValidationError as error:
                    raise ValueError(_first_problem(name, error)) from None
        datetime.fromisoformat(self.time)
        if not self.consent:
            raise ValueError("a record without consent is not kept: give the version of the text agreed to")
        if self.v <= VERSION:  # a later release may have added verdicts, reasons, or more
            self._require_known_values()

    def _require_known_values(self) -> None:
        values = [("verdict", self.verdict, VERDICTS), *(("reason", each, REASONS) for each in self.reasons)]
        for change in self.changes:
            values += ("verdict", change.verdict, CHANGE_VERDICTS), ("status", change.status, STATUSES)
        for name, value, known in values:
            if value not in known:
                raise ValueError(f"{name} {value!r} is none of: {', '.join(known)}")
        in_order = all(one.start <= other.start for one, other in pairwise(self.changes))
        inside = all(0 <= change.start <= change.end <= len(self.draft) for change in self.changes)
        disjoint = all(one.end <= other.start for one, other in pairwise(self.applied))
        if not (in_order and inside and disjoint):
            raise ValueError("changes must be in order and inside the draft, those applied disjoint")

    @property
    def applied(self) -> tuple[Change, ...]:
        return tuple(change for change in self.changes if change.status == "applied")

    @property
    def is_consistent(self) -> bool:
        """Whether the applied changes make the rewrite: not if it was edited by hand, or a later release wrote them otherwise."""
        known = not self.changes or rebuilt(self.draft, self.applied) == self.rewrite
        return known and "changes" not in self.extra

    def to_dict(self) -> dict[str, Any]:
        """The JSON object that the journal keeps: the fields, and those of later releases."""
        changes = [change.to_dict() for change in self.changes]
        if self.v < 3:  # what these versions did not say is not made up
            changes = [
                {name: each[name] for name in each if name not in _NEW_IN_3 or each[name] != _CHANGE[name]}
                for each in changes
            ]
        lists = {"reasons": list(self.reasons), "changes": changes, "redactions": list(self.redactions)}
        return {**{name: getattr(self, name) for name in _checks()}, **lists, **self.extra}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Record:
        """The record of a JSON object; raises ValueError if a field that every release writes is missing."""
        missing = [name for name in REQUIRED if not isinstance(value.get(name), str)]
        if missing:
            raise ValueError(f"not a feedback record: {missing[0]} is missing")
        given = {name: item for name, item in value.items() if name not in _checks() or item is not None}
        version = given.setdefault("v", 1)
        if not isinstance(version, int):
            raise ValueError("v: give the version of the schema as a number")
        fit = {
            name for name in given if name in _checks() and (version <= VERSION or _fits(name, given[name]))
        }
        extra = {name: item for name, item in given.items() if name not in fit}
        return cls(**{name: given[name] for name in fit}, extra=extra)


def rebuilt(draft: str, changes: Iterable[Edit]) -> str | None:
    """The draft with these changes made; None if one of them does not fit it or two overlap."""
    try:
        return apply(draft, changes)
    except ValueError:
        return None


@functools.cache
def _checks() -> dict[str, Any]:
    """For each field what checks a value, raising ValidationError, and returns it with tuples and Changes in it."""
    hints = get_type_hints(Record, include_extras=True)
    return {
        name: TypeAdapter(_checked_as(hint)).validate_python for name, hint in hints.items() if name != EXTRA
    }


def _checked_as(hint: Any) -> Any:
    """The type in a field's metadata, or else its own."""
    own, *metadata = get_args(hint)
    return next((each for each in metadata if isinstance(each, type) or get_origin(each) is tuple), own)


def _fits(name: str, value: Any) -> bool:
    try:
        _checks()[name](value)
    except ValidationError:
        return False
    return True


def _first_problem(name: str, error: ValidationError) -> str:
    """Field and problem in a line; pydantic's own text would quote the value."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    return f"{'.'.join(map(str, (name, *first['loc'])))}: {first['msg'][0].lower()}{first['msg'][1:]}"


# ---- the record as a row of a dataset ----


@dataclass(frozen=True)
class Column:
    """A column of the dataset, or a field of one that is a struct. `dtype` is as in `datasets`, or json, or struct."""

    name: str
    description: str
    dtype: str
    fields: tuple[Column, ...] = ()
    is_list: bool = False

    def to_yaml(self) -> dict[str, Any]:
        """In the notation of `dataset_info.features` in a dataset's card."""
        extra = {"name": EXTRA, "dtype": "string"}
        struct = [*(each.to_yaml() for each in self.fields), extra]
        kind = struct if self.fields else "string" if self.dtype == "json" else self.dtype
        return {"name": self.name, "list" if self.is_list else "struct" if self.fields else "dtype": kind}


def _columns(struct: type) -> Iterator[Column]:
    """The fields of a dataclass or a TypedDict, which carry their description last."""
    dtypes = {str: "string", int: "int64", float: "float64", Json: "json"}
    for name, hint in get_type_hints(struct, include_extras=True).items():
        if name == EXTRA:
            continue
        kind = _checked_as(hint)
        if is_list := get_origin(kind) is tuple:
            kind = get_args(kind)[0]
            kind = get_args(kind)[0] if get_origin(kind) is Annotated else kind
        fields = () if kind in dtypes else tuple(_columns(kind))
        yield Column(name, get_args(hint)[-1], dtypes.get(kind, "struct"), fields, is_list)


COLUMNS = tuple(_columns(Record))


def columns() -> list[dict[str, Any]]:
    """The columns in the notation of `dataset_info.features` in a dataset's card."""
    return [*(each.to_yaml() for each in COLUMNS), {"name": EXTRA, "dtype": "string"}]


def features() -> Features:
    """The columns of a `datasets.Dataset`; needs the `datasets` package."""
    from datasets import Features

    return Features._from_yaml_list(columns())  # as `datasets` itself reads the card


def to_row(record: Record) -> dict[str, Any]:
    """The record as a row with exactly the columns of `features()`.

    Lone surrogates, which no Arrow text can hold, become U+FFFD; everything else comes back from `from_row`.
    """
    known = {name: item for name, item in record.to_dict().items() if name not in record.extra}
    return _struct(known, COLUMNS) | {EXTRA: json.dumps(record.extra) if record.extra else None}


def from_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON object of a row; columns without a value are left out."""
    return _object(row, COLUMNS)


def _struct(value: Json, fields: Iterable[Column]) -> dict[str, Any]:
    row = {each.name: _cell(value.get(each.name), each) for each in fields}
    rest = {name: item for name, item in value.items() if name not in row}
    return row | {EXTRA: json.dumps(rest) if rest else None}


def _cell(value: Any, column: Column) -> Any:
    if value is None:
        return None
    if column.is_list:
        return [_cell(item, dataclasses.replace(column, is_list=False)) for item in value]
    if column.fields:
        return _struct(value, column.fields)
    if column.dtype == "json":
        return json.dumps(value)
    if column.dtype == "string":
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return value


def _object(row: Json, fields: Iterable[Column]) -> dict[str, Any]:
    value = {each.name: _value(row[each.name], each) for each in fields if row.get(each.name) is not None}
    return value | json.loads(row.get(EXTRA) or "{}")


def _value(cell: Any, column: Column) -> Any:
    if column.is_list:
        return [_value(item, dataclasses.replace(column, is_list=False)) for item in cell]
    if column.fields:
        return _object(cell, column.fields)
    return json.loads(cell) if column.dtype == "json" else cell

"""One piece of feedback as a value, versioned so that records written by later releases survive this one.

`SCHEMA`, a JSON Schema, is the one definition of what a record holds. `features()` is the same for the
`datasets` library, `columns()` the same in the notation of a dataset's card, and `to_row` / `from_row` carry a
record into those fixed columns and back: what they do not know goes, as JSON, into the column `extra`.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datasets import Features

VERSION = 2  # 1 had no changes, corrected, options, redactions and client
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


def _text(description: str, **more: Any) -> dict[str, Any]:
    return {"type": "string", "description": description, **more}


def _object(properties: dict[str, Any], description: str) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "description": description}


def _list(items: dict[str, Any], description: str) -> dict[str, Any]:
    return {"type": "array", "items": items, "description": description}


def _json(description: str) -> dict[str, Any]:
    """Any JSON object: without `properties` it becomes a column of JSON text."""
    return {"type": "object", "description": description}


def _number(description: str) -> dict[str, Any]:
    return {"type": "number", "description": description}


def _count(description: str) -> dict[str, Any]:
    return {"type": "integer", "minimum": 0, "description": description}


_SCORE = _object(
    {
        "label": _text("the likeliest class"),
        "score": _number("its probability, 0 to 1"),
        "scores": _json("class -> probability, 0 to 1"),
    },
    "one classifier's measurement",
)
_TONE = {"sentiment": _SCORE, "politeness": _SCORE}

SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Feedback on one rewrite",
    "type": "object",
    "required": list(REQUIRED),
    "properties": {
        "v": {"type": "integer", "minimum": 1, "description": "version of this schema"},
        "id": _text("UUIDv7: names the record, also to have it deleted"),
        "time": _text("when it was sent: UTC, ISO 8601", format="date-time"),
        "draft": _text("what the user wrote, redacted"),
        "rewrite": _text("what the proofreader made of it, redacted"),
        "corrected": _text("the user's own version, redacted; empty if none was given"),
        "verdict": _text("was the rewrite right?", enum=list(VERDICTS)),
        "reasons": _list(_text("what was wrong", enum=list(REASONS)), "none for a good rewrite"),
        "changes": _list(
            _object(
                {
                    "start": _count("first character in the draft"),
                    "end": _count("character after the last"),
                    "before": _text("the draft's words"),
                    "after": _text("what replaces them"),
                    "kind": _text("sort of correction"),
                    "verdict": _text("the user's", enum=list(CHANGE_VERDICTS)),
                },
                "one change",
            ),
            "the changes from draft to rewrite, in order and disjoint",
        ),
        "comment": _text("the user's remark, redacted"),
        "before": _object(_TONE, "the draft's tone"),
        "after": _object(_TONE, "the rewrite's tone"),
        "versions": _object(
            {
                "app": _text("release of the app"),
                "model": _text("name of the model"),
                "prompt": _text("version of the prompt"),
                "gguf_sha256": _text("SHA-256 of the model file, hex"),
            },
            "what made the rewrite",
        ),
        "options": _json("how it was asked: mode and the like"),
        "consent": _text("version of the text that the user agreed to", minLength=1),
        "redactions": _list(
            _object(
                {
                    "kind": _text("email, phone, url, iban, card, id, secret or name"),
                    "placeholder": _text("what stands in its place, e.g. [EMAIL_1]"),
                    "count": _count("how often"),
                },
                "one thing that was taken out",
            ),
            "what was taken out before the record was kept",
        ),
        "client": _text("salted hash of who sent it; the salt is forgotten after a day"),
    },
}


# ---- the record ----


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
    """A user's verdict on one rewrite; `SCHEMA` says what each field holds.

    `extra` holds fields that only later releases know, or write otherwise. Raises ValueError, naming the field and never quoting a
    text, on what `SCHEMA` does not allow; in a record of a later release only what every release needs is checked.
    """

    draft: str
    rewrite: str
    verdict: str
    consent: str
    reasons: tuple[str, ...] = ()
    comment: str = ""
    corrected: str = ""
    changes: tuple[Mapping[str, Any], ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    redactions: tuple[Mapping[str, Any], ...] = ()
    client: str = ""
    id: str = field(default_factory=new_id)
    time: str = field(default_factory=now)
    v: int = VERSION
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.verdict not in VERDICTS and self.v <= VERSION:
            raise ValueError(f"verdict {self.verdict!r} is none of: {', '.join(VERDICTS)}")
        datetime.fromisoformat(self.time)
        if not self.consent:
            raise ValueError("a record without consent is not kept: give the version of the text agreed to")
        if self.v > VERSION:  # a later release may have added verdicts, reasons, or more
            return
        if problem := _problem(self.to_dict(), SCHEMA, "the record"):
            raise ValueError(problem)
        last = 0
        for change in self.changes:
            start, end = change.get("start", -1), change.get("end", -1)
            if not last <= start <= end <= len(self.draft):
                raise ValueError("changes must be in order, disjoint and inside the draft")
            last = end

    def to_dict(self) -> dict[str, Any]:
        """The JSON object that the journal keeps: `v`, the fields, and those of later releases."""
        known = {name: getattr(self, name) for name in FIELDS}
        lists = {name: list(known[name]) for name in LISTS}
        return {"v": self.v, **known, **lists, **self.extra}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Record:
        """The record of a JSON object; raises ValueError if a field that every release writes is missing."""
        missing = [name for name in REQUIRED if not isinstance(value.get(name), str)]
        if missing:
            raise ValueError(f"not a feedback record: {missing[0]} is missing")
        later = value.get("v", 1) > VERSION
        known: dict[str, Any] = {
            name: tuple(value[name]) if name in LISTS else value[name]
            for name in FIELDS
            if value.get(name) is not None and (not later or _folds(value[name], SCHEMA["properties"][name]))
        }
        known_as_none = {name for name in FIELDS if value.get(name) is None}
        extra = {name: value[name] for name in value if name not in {*known, *known_as_none, "v"}}
        return cls(**known, v=value.get("v", 1), extra=extra)


def made_of(
    draft: str, changes: Iterable[Mapping[str, Any]], verdicts: Container[str] = CHANGE_VERDICTS
) -> str | None:
    """The draft with the changes of these verdicts made; None if one of them does not fit the draft."""
    parts, last = [], 0
    try:
        for change in changes:
            start, end, before, after = (change[name] for name in ("start", "end", "before", "after"))
            if not last <= start <= end or draft[start:end] != before:
                return None
            parts += [draft[last:start], after if change.get("verdict", "undecided") in verdicts else before]
            last = end
        return "".join([*parts, draft[last:]])
    except (KeyError, TypeError):  # of a later release
        return None


FIELDS = tuple(each.name for each in fields(Record) if each.name not in ("v", "extra"))
LISTS = ("reasons", "changes", "redactions")


_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "array": (list, tuple),
    "object": Mapping,
}


def _fits(value: Any, schema: Mapping[str, Any]) -> bool:
    """Is the value of the schema's type? (What is in it is not looked at.)"""
    return isinstance(value, _TYPES[schema["type"]]) and not isinstance(value, bool)


def _problem(value: Any, schema: Mapping[str, Any], name: str) -> str:
    """What the schema does not allow in a value, or nothing. None and what the schema does not name pass."""
    if value is None:
        return ""
    if not _fits(value, schema):
        return f"{name} is no {schema['type']}"
    if "enum" in schema and value not in schema["enum"]:
        return f"{name} {value!r} is none of: {', '.join(schema['enum'])}"
    if "minimum" in schema and value < schema["minimum"]:
        return f"{name} is below {schema['minimum']}"
    if schema["type"] == "array":
        singular = name.removesuffix("s")
        parts = [_problem(item, schema["items"], singular) for item in value]
    elif schema["type"] == "object":
        inner = schema.get("properties", {})
        parts = [_problem(value[key], inner[key], key) for key in value if key in inner]
    else:
        parts = []
    return next(filter(None, parts), "")


# ---- the record as a row of a dataset ----


def to_row(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record's JSON object as a row with exactly the columns of `features()`.

    Lone surrogates, which no Arrow text can hold, become U+FFFD; everything else comes back from `from_row`.
    """
    return _folded(record, SCHEMA)


def from_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON object of a row; columns without a value are left out."""
    return _unfolded(row, SCHEMA)


def _folded(value: Any, schema: Mapping[str, Any]) -> Any:
    if schema["type"] == "string":
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if schema["type"] == "array":
        return [_folded(item, schema["items"]) for item in value]
    if schema["type"] != "object":
        return value
    inner = schema.get("properties")
    if inner is None:
        return json.dumps(value)
    row: dict[str, Any] = dict.fromkeys([*inner, EXTRA])
    rest = {}
    for name, item in value.items():
        if item is None and name in inner:
            continue
        if name in inner and _folds(item, inner[name]):
            row[name] = _folded(item, inner[name])
        else:
            rest[name] = item
    if rest:
        row[EXTRA] = json.dumps(rest)
    return row


def _folds(value: Any, schema: Mapping[str, Any]) -> bool:
    """May a later release's value stand in this release's column?"""
    if not _fits(value, schema):
        return False
    return schema["type"] != "array" or all(_folds(item, schema["items"]) for item in value)


def _unfolded(row: Any, schema: Mapping[str, Any]) -> Any:
    if schema["type"] == "array":
        return [_unfolded(item, schema["items"]) for item in row]
    if schema["type"] != "object":
        return row
    inner = schema.get("properties")
    if inner is None:
        return json.loads(row)
    value = {name: _unfolded(row[name], part) for name, part in inner.items() if row.get(name) is not None}
    return value | json.loads(row.get(EXTRA) or "{}")


# ---- the same definition, for others ----

_DTYPES = {"string": "string", "integer": "int64", "number": "float64"}


def features() -> Features:
    """`SCHEMA` as the columns of a `datasets.Dataset`; needs the `datasets` package."""
    from datasets import Features, List, Value

    def of(schema: Mapping[str, Any]) -> Any:
        if schema["type"] == "array":
            return List(of(schema["items"]))
        if "properties" in schema:
            return {name: of(part) for name, part in schema["properties"].items()} | {EXTRA: Value("string")}
        return Value(_DTYPES.get(schema["type"], "string"))

    return Features(of(SCHEMA))


def columns() -> list[dict[str, Any]]:
    """`SCHEMA` in the notation of `dataset_info.features` in a dataset's card."""

    def of(schema: Mapping[str, Any]) -> dict[str, Any]:
        if schema["type"] == "array":
            items = of(schema["items"])
            return {"list": items.get("dtype") or items["struct"]}
        if "properties" in schema:
            named = [{"name": name, **of(part)} for name, part in schema["properties"].items()]
            return {"struct": [*named, {"name": EXTRA, "dtype": "string"}]}
        return {"dtype": _DTYPES.get(schema["type"], "string")}

    return of(SCHEMA)["struct"]

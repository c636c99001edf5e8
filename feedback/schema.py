"""One piece of feedback as a value, versioned so that records written by later releases survive this one."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime, timezone
from typing import Any

VERSION = 1
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

    `versions` names what made the rewrite: app, model, prompt, gguf_sha256. `before` and `after` are the
    measured tone of draft and rewrite as JSON objects. `consent` is the version of the text that the user
    agreed to. `extra` holds fields that only later releases know. Raises ValueError on a verdict or reason
    that is not listed above, on a time that is not ISO 8601, and without consent.
    """

    draft: str
    rewrite: str
    verdict: str
    consent: str
    reasons: tuple[str, ...] = ()
    comment: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    id: str = field(default_factory=new_id)
    time: str = field(default_factory=now)
    v: int = VERSION
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.verdict not in VERDICTS:
            raise ValueError(f"verdict {self.verdict!r} is none of: {', '.join(VERDICTS)}")
        unknown = [reason for reason in self.reasons if reason not in REASONS]
        if unknown and self.v <= VERSION:  # a later release may have added some
            raise ValueError(f"reason {unknown[0]!r} is none of: {', '.join(REASONS)}")
        datetime.fromisoformat(self.time)
        if not self.consent:
            raise ValueError("a record without consent is not kept: give the version of the text agreed to")

    def to_dict(self) -> dict[str, Any]:
        """The JSON object that the journal keeps: `v`, the fields, and those of later releases."""
        known = {name: getattr(self, name) for name in FIELDS}
        return {"v": self.v, **known, "reasons": list(self.reasons), **self.extra}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Record:
        """The record of a JSON object; raises ValueError if a field that every release writes is missing."""
        missing = [
            name for name in ("id", "time", "draft", "rewrite", "verdict", "consent") if name not in value
        ]
        if missing:
            raise ValueError(f"not a feedback record: {missing[0]} is missing")
        known = {name: value[name] for name in FIELDS if name in value}
        known["reasons"] = tuple(value.get("reasons", ()))
        extra = {name: value[name] for name in value if name not in known and name != "v"}
        return cls(**known, v=value.get("v", VERSION), extra=extra)


FIELDS = tuple(each.name for each in fields(Record) if each.name not in ("v", "extra"))

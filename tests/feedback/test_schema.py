from __future__ import annotations

import json
import time
import uuid
from typing import Any

import pytest

from feedback.schema import REASONS, Record, new_id


def record(**fields: Any) -> Record:
    return Record(**{"draft": "helo", "rewrite": "Hello", "verdict": "good", "consent": "1"} | fields)


def test_ids_are_uuid7_of_now_and_all_differ() -> None:
    before = time.time_ns() // 1_000_000
    ids = [uuid.UUID(new_id()) for _ in range(1000)]
    after = time.time_ns() // 1_000_000
    assert len(set(ids)) == 1000
    for each in ids:
        assert each.version == 7 and each.variant == uuid.RFC_4122
        assert before <= each.int >> 80 <= after


def test_a_record_survives_json() -> None:
    full = record(
        verdict="bad",
        reasons=(REASONS[0], REASONS[-1]),
        comment="a \ud800 comment",
        versions={"model": "proofreader", "gguf_sha256": "00"},
        before={"politeness": {"label": "polite", "score": 0.9}},
    )
    assert Record.from_dict(json.loads(json.dumps(full.to_dict()))) == full


def test_fields_and_reasons_of_a_later_release_survive() -> None:
    later = record().to_dict() | {"v": 2, "reasons": ["too long"], "changes": [{"start": 0}], "extra": 1}
    assert Record.from_dict(later).to_dict() == later


def test_the_time_is_utc() -> None:
    assert record().to_dict()["time"].endswith("+00:00")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"verdict": "meh"}, "verdict 'meh' is none of: good, bad"),
        ({"reasons": ("too long",)}, "reason 'too long' is none of: missed mistake"),
        ({"consent": ""}, "without consent"),
        ({"time": "yesterday"}, "yesterday"),
    ],
)
def test_what_no_release_may_write_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        record(**fields)


@pytest.mark.parametrize("name", ["id", "time", "draft", "rewrite", "verdict", "consent"])
def test_an_object_without_a_field_that_every_release_writes_is_no_record(name: str) -> None:
    value = record().to_dict()
    del value[name]
    with pytest.raises(ValueError, match=f"{name} is missing"):
        Record.from_dict(value)

from __future__ import annotations

import json
import time
import uuid
from typing import Any

import pytest

from feedback.export import rows
from feedback.record import FIELDS, REASONS, SCHEMA, Record, columns, features, from_row, new_id, to_row
from feedback.stats import count


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
    later = record().to_dict() | {"v": 9, "reasons": ["too long"], "changes": [{"start": 0}], "extra": 1}
    assert Record.from_dict(later).to_dict() == later


@pytest.mark.parametrize(
    "fields",
    [
        {"verdict": "mixed"},
        {"reasons": [["nested"]]},
        {"reasons": "too long"},
        {"changes": "none"},
        {"options": ["polish"], "versions": "small", "client": 7},
        {"before": 3, "redactions": {"email": 2}},
    ],
)
def test_what_a_later_release_writes_otherwise_survives_and_harms_nothing(fields: dict[str, Any]) -> None:
    later = record().to_dict() | {"v": 9, "after": {"label": 1}} | fields
    read = Record.from_dict(later)
    assert read.to_dict() == later
    assert isinstance(read.reasons, tuple) and all(isinstance(reason, str) for reason in read.reasons)
    assert isinstance(read.options, dict) and isinstance(read.versions, dict)
    assert Record.from_dict(from_row(json.loads(json.dumps(to_row(later))))).to_dict() == later
    counts = count([read])
    assert counts["records"] == 1
    list(rows([read, record(verdict="bad")]))


def test_a_record_of_the_first_release_is_read() -> None:
    first = {"v": 1, "draft": "a", "rewrite": "b", "verdict": "good", "consent": "1", "reasons": []}
    first |= {"id": new_id(), "time": "2026-11-21T07:42:00.000+00:00", "comment": "", "versions": {}}
    read = Record.from_dict(first)
    assert read.v == 1 and read.changes == () and read.corrected == ""


CHANGE = {"start": 0, "end": 4, "before": "helo", "after": "Hello", "kind": "spelling", "verdict": "accepted"}
FULL: dict[str, Any] = {
    "verdict": "bad",
    "reasons": (REASONS[0], REASONS[-1]),
    "comment": "a \ud83d\ude00 comment\0",
    "corrected": "Hello!",
    "changes": (CHANGE,),
    "options": {"mode": "polish", "deep": [{"a": None}]},
    "versions": {"model": "proofreader", "gguf_sha256": "00", "build": "later"},
    "before": {"politeness": {"label": "polite", "score": 0.9, "scores": {"polite": 0.9}, "margin": 1}},
    "redactions": ({"kind": "email", "placeholder": "[EMAIL_1]", "count": 2},),
    "client": "0123456789abcdef",
}


def test_a_row_gives_back_the_record() -> None:
    full = record(**FULL).to_dict()
    assert Record.from_dict(from_row(json.loads(json.dumps(to_row(full))))).to_dict() == json.loads(
        json.dumps(full).replace("\\ud83d\\ude00", "\U0001f600")
    )


def test_what_a_later_release_adds_or_changes_survives_a_row() -> None:
    later = record(**FULL).to_dict() | {"v": 9, "mood": ["x"], "extra": 1, "options": "none", "comment": 7}
    later["changes"] = [CHANGE | {"confidence": 0.5}, CHANGE | {"start": "first"}]
    later["before"] = {"politeness": {"label": 3}, "irony": {"label": "none"}}
    row = to_row(later)
    assert row["comment"] is None and row["options"] is None
    assert from_row(json.loads(json.dumps(row))) == {k: v for k, v in later.items() if v is not None}


def test_a_row_has_the_columns_of_the_definition_whatever_is_in_the_record() -> None:
    names = [*SCHEMA["properties"], "extra"]
    assert list(to_row(record().to_dict())) == list(to_row(record(**FULL).to_dict())) == names
    assert [column["name"] for column in columns()] == names


def test_features_and_card_say_the_same() -> None:
    from datasets import Features

    assert Features._from_yaml_list(columns()) == features()


def test_the_schema_names_every_field() -> None:
    assert set(SCHEMA["properties"]) == {*FIELDS, "v"}


def test_the_time_is_utc() -> None:
    assert record().to_dict()["time"].endswith("+00:00")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"verdict": "meh"}, "verdict 'meh' is none of: good, bad"),
        ({"reasons": ("too long",)}, "reason 'too long' is none of: missed mistake"),
        ({"consent": ""}, "without consent"),
        ({"time": "yesterday"}, "yesterday"),
        ({"changes": ({**CHANGE, "end": 9},)}, "inside the draft"),
        ({"changes": ({**CHANGE, "verdict": "maybe"},)}, "maybe"),
        ({"changes": ({**CHANGE, "start": -1},)}, "start is below 0"),
        ({"changes": (CHANGE, CHANGE)}, "in order, disjoint"),
        ({"comment": 7}, "comment is no string"),
        ({"redactions": ({"count": "two"},)}, "count is no integer"),
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

from __future__ import annotations

import json
import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from feedback.export import rows
from feedback.journal import decode
from feedback.record import COLUMNS, REASONS, Change, Record, columns, features, from_row, new_id, to_row
from feedback.stats import count
from space.proofread.edits import Edit, apply


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
    assert Record.from_dict(from_row(json.loads(json.dumps(to_row(read))))).to_dict() == later
    counts = count([read])
    assert counts["records"] == 1
    list(rows([read, record(verdict="bad")]))


def test_a_record_of_the_first_release_is_read() -> None:
    first = {"v": 1, "draft": "a", "rewrite": "b", "verdict": "good", "consent": "1", "reasons": []}
    first |= {"id": new_id(), "time": "2026-11-21T07:42:00.000+00:00", "comment": "", "versions": {}}
    read = Record.from_dict(first)
    assert read.v == 1 and read.changes == () and read.corrected == ""


CHANGE: dict[str, Any] = {
    "start": 0, "end": 4, "before": "helo", "after": "Hello", "kind": "spelling", "source": "tagger", "score": 0.93,
    "status": "applied", "reason": "'helo' is not a word.", "verdict": "accepted",
}  # fmt: skip
SUGGESTED = CHANGE | {
    "after": "Hi",
    "source": "llm",
    "score": 0.4,
    "status": "suggested",
    "verdict": "undecided",
}
FULL: dict[str, Any] = {
    "verdict": "bad",
    "reasons": (REASONS[0], REASONS[-1]),
    "comment": "a \ud83d\ude00 comment\0",
    "corrected": "Hello!",
    "changes": (CHANGE, SUGGESTED),
    "options": {"mode": "polish", "deep": [{"a": None}]},
    "versions": {"model": "proofreader", "gguf_sha256": "00", "build": "later"},
    "before": {"politeness": {"label": "polite", "score": 0.9, "scores": {"polite": 0.9}, "margin": 1}},
    "redactions": ({"kind": "email", "placeholder": "[EMAIL_1]", "count": 2},),
    "client": "0123456789abcdef",
}


def test_a_row_gives_back_the_record() -> None:
    full = record(**FULL)
    assert Record.from_dict(from_row(json.loads(json.dumps(to_row(full))))).to_dict() == json.loads(
        json.dumps(full.to_dict()).replace("\\ud83d\\ude00", "\U0001f600")
    )


def test_what_a_later_release_adds_or_changes_survives_a_row() -> None:
    later = record(**FULL).to_dict() | {"v": 9, "mood": ["x"], "extra": 1, "options": "none", "comment": 7}
    later["changes"] = [CHANGE | {"confidence": 0.5}, CHANGE | {"start": "first"}]
    later["before"] = {"politeness": {"label": 3}, "irony": {"label": "none"}}
    row = to_row(Record.from_dict(later))
    assert row["comment"] is None and row["options"] is None
    assert from_row(json.loads(json.dumps(row))) == {k: v for k, v in later.items() if v is not None}


def test_a_row_has_the_columns_of_the_definition_whatever_is_in_the_record() -> None:
    names = [*(column.name for column in COLUMNS), "extra"]
    assert list(to_row(record())) == list(to_row(record(**FULL))) == names
    assert [column["name"] for column in columns()] == names
    assert {*record().to_dict()} == {*names} - {"extra"}


def test_features_and_card_say_the_same() -> None:
    from datasets import Features

    assert Features._from_yaml_list(columns()) == features()


def test_changes_are_edits_with_a_verdict() -> None:
    first, second = record(**FULL).changes
    assert isinstance(first, Edit) and first.overlaps(second)
    assert apply("helo", [first]) == "Hello" and first == Change(**CHANGE)
    assert record(**FULL).to_dict()["changes"] == [CHANGE, SUGGESTED]
    assert record(changes=[CHANGE]).is_consistent and not record(changes=[SUGGESTED]).is_consistent


def test_the_time_is_utc() -> None:
    assert record().to_dict()["time"].endswith("+00:00")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"verdict": "meh"}, "verdict 'meh' is none of: good, bad"),
        ({"reasons": ("too long",)}, "reason 'too long' is none of: missed mistake"),
        ({"reasons": "too long"}, "reasons: input should be a valid tuple"),
        ({"before": {"sentiment": {"label": 3}}}, "before.sentiment.label: input should be a valid string"),
        ({"consent": ""}, "without consent"),
        ({"time": "yesterday"}, "yesterday"),
        ({"changes": ({**CHANGE, "end": 9},)}, "inside the draft"),
        ({"changes": ({**CHANGE, "verdict": "maybe"},)}, "maybe"),
        ({"changes": ({**CHANGE, "start": -1},)}, "inside the draft"),
        ({"changes": ({**CHANGE, "status": "made"},)}, "status 'made' is none of: applied"),
        ({"changes": ({"start": 0, "before": "my secret"},)}, "changes.0.end: field required"),
        ({"changes": (CHANGE, CHANGE)}, "those applied disjoint"),
        ({"comment": 7}, "comment: input should be a valid string"),
        ({"redactions": ({"count": "two"},)}, "redactions.0.count: input should be a valid integer"),
    ],
)
def test_what_no_release_may_write_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as raised:
        record(**fields)
    assert "\n" not in str(raised.value) and "secret" not in str(raised.value)


@pytest.mark.parametrize("name", ["id", "time", "draft", "rewrite", "verdict", "consent"])
def test_an_object_without_a_field_that_every_release_writes_is_no_record(name: str) -> None:
    value = record().to_dict()
    del value[name]
    with pytest.raises(ValueError, match=f"{name} is missing"):
        Record.from_dict(value)


# ---- records that earlier releases wrote ----


def frozen(name: str) -> list[dict[str, Any]]:
    """JSON objects that the code of version 2 wrote: lines of a journal, rows of a dataset, training rows."""
    lines = Path(__file__).with_name(name).read_bytes().splitlines(keepends=True)
    return [decode(line) or json.loads(line) for line in lines]


def old_records() -> list[Record]:
    return [Record.from_dict(value) for value in frozen("records_v2.jsonl")]


def test_old_records_load_and_nothing_is_made_up() -> None:
    assert {record.v for record in old_records()} == {1, 2}
    for value, old in zip(frozen("records_v2.jsonl"), old_records(), strict=True):
        written = old.to_dict()
        assert {name: written[name] for name in value if name != "changes"} == {
            name: value[name] for name in value if name != "changes"
        }
        for one, other in zip(value.get("changes", []), written["changes"], strict=True):
            assert other.items() <= one.items()  # a release between two versions also wrote default values
        assert Record.from_dict(json.loads(json.dumps(written))) == old


def test_old_rows_of_a_dataset_load_and_new_ones_say_the_same() -> None:
    for row, old in zip(frozen("records_v2_rows.jsonl"), old_records(), strict=True):
        new = json.loads(json.dumps(to_row(old)))
        assert Record.from_dict(from_row(row)) == Record.from_dict(from_row(new))


def test_old_records_are_exported_as_before() -> None:
    """But that each row says how it came, and that a good verdict by API waits for a person."""
    assert [{"kind": kind, **row} for kind, row in rows(old_records())] == frozen("records_v2_exported.jsonl")


def test_alternatives_are_kept_and_a_record_without_them_is_as_it_was() -> None:
    offered = record(changes=[CHANGE | {"alternatives": ["Hi", "Hey"]}])
    (change,) = offered.changes
    assert change.alternatives == ("Hi", "Hey")
    assert Record.from_dict(from_row(json.loads(json.dumps(to_row(offered))))) == offered
    assert "alternatives" not in record(changes=[CHANGE]).to_dict()["changes"][0]
    with pytest.raises(ValueError, match="alternatives"):
        record(changes=[CHANGE | {"alternatives": [7]}])

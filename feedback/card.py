"""The card of the feedback dataset: what it holds, how much, under which terms, and how to have a record deleted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from feedback.record import REASONS, SCHEMA, VERDICTS, VERSION, columns

# One folder a month: https://huggingface.co/docs/hub/repositories-recommendations wants under 10,000 files in one.
SHARDS = "data/*/*.jsonl"

CARD = """\
---
license: other
license_name: consented-feedback
pretty_name: Feedback on proofread emails
language: en
tags:
- feedback
configs:
- config_name: default
  data_files:
  - split: train
    path: {shards}
dataset_info:
  features: {features}
---

# Feedback on proofread emails

What users of the email proofreader said about its rewrites. {records} records. Personal data that has a form (email
addresses, telephone numbers, IBANs, card numbers, long ids, labelled passwords, URLs with credentials, names in greetings
and signatures) was replaced by placeholders before the sender saw and sent the record.

**Keep this dataset private.** It is written by the app with `FEEDBACK_DATASET` and `HF_TOKEN`; the app writes nothing
to a dataset that is public.

## Counts

{counts}

## Columns

Version {version} of the record. `extra` holds, as JSON, what a later version added.

{columns}

The same record may stand in two shards if this dataset was put together by hand; `id` tells.

## Terms

Each sender agreed, before anything was kept, that the record is used to improve the proofreader (`consent` names the
version of the text). It may not be published, passed on, or used for anything else.

## Deleting a record

Who sent a record was given its `id`. With a token that may write to this dataset:

    FEEDBACK_DATASET={dataset} HF_TOKEN=... python -m feedback forget --id ID

takes it out of every shard, the journal and the exports made from it, squashes this repository's history so that no
old revision holds it, and leaves the id alone as a tombstone in `index.json`, so that no copy brings it back.
"""


def card(dataset: str, records: int, verdicts: Mapping[str, int], reasons: Mapping[str, int]) -> str:
    """The card as Markdown with its metadata on top."""
    counted = [(name, verdicts.get(name, 0)) for name in VERDICTS]
    counted += [(name, reasons.get(name, 0)) for name in dict.fromkeys((*REASONS, *sorted(reasons)))]
    return CARD.format(
        dataset=dataset,
        shards=SHARDS,
        features=json.dumps(columns()),  # JSON is YAML
        records=records,
        counts=_table(("verdict or reason", "records"), counted),
        version=VERSION,
        columns=_table(("column", "what it is"), [(f"`{name}`", text) for name, text in _described(SCHEMA)]),
    )


def _described(schema: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    rows = []
    for name, part in schema["properties"].items():
        rows.append((prefix + name, part["description"]))
        inner = part.get("items", part)
        if "properties" in inner:
            rows += _described(inner, f"{prefix}{name}.")
    return rows


def _table(head: tuple[str, str], rows: list[tuple[str, Any]]) -> str:
    lines = [f"| {head[0]} | {head[1]} |", "|---|---|"]
    return "\n".join([*lines, *(f"| {name} | {value} |" for name, value in rows)])

"""The card of the feedback dataset: what it holds, how much, under which terms, and how to have a record deleted."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from feedback.record import COLUMNS, REASONS, VERDICTS, VERSION, Column, columns

# One folder a day: https://huggingface.co/docs/hub/repositories-recommendations advises under 10,000 files in one.
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

One folder under `data/` a day. If this dataset was put together by hand the same record may stand in two shards: count each `id` once.

## Terms

Each sender agreed, before anything was kept, that the record may be used to improve the proofreader (`consent` names the
version of the text). It may not be published, passed on, or used for anything else.

## Deleting a record

Who sent a record was given its `id`. With a token that may write to this dataset:

    FEEDBACK_DATASET={dataset} HF_TOKEN=... python -m feedback forget --id ID

takes it out of every shard, the journal and the exports made from it, squashes this repository's history so that no
old revision holds it, and leaves the id alone as a tombstone in `index.json`, so that no copy brings it back.
"""


def card(dataset: str, records: int, verdicts: Mapping[str, int], reasons: Mapping[str, int]) -> str:
    """The card as Markdown with its metadata on top."""
    counts = [(name, verdicts.get(name, 0)) for name in VERDICTS]
    counts += [(name, reasons.get(name, 0)) for name in dict.fromkeys((*REASONS, *sorted(reasons)))]
    return CARD.format(
        dataset=dataset,
        shards=SHARDS,
        features=json.dumps(columns()),  # JSON is YAML
        records=records,
        counts=_table(("verdict or reason", "records"), counts),
        version=VERSION,
        columns=_table(("column", "what it is"), _described(COLUMNS)),
    )


def _described(columns: Iterable[Column], prefix: str = "") -> Iterator[tuple[str, str]]:
    for column in columns:
        yield f"`{prefix}{column.name}`", column.description
        yield from _described(column.fields, f"{prefix}{column.name}.")


def _table(head: tuple[str, str], rows: Iterable[tuple[str, Any]]) -> str:
    lines = [f"| {head[0]} | {head[1]} |", "|---|---|"]
    return "\n".join([*lines, *(f"| {name} | {value} |" for name, value in rows)])

"""What is in a data set before anything is trained on it: columns, rows left out, lengths, duplicates, overlap.

    python -m training inspect --dataset pairs.jsonl
    python -m training inspect --dataset pairs.jsonl --model BASE --against jfleg_dev.jsonl --picture lengths.png

One line of JSON on stdout, a table on stderr; nothing is written but the picture. With --model rows are counted in its tokens,
and those that are too long are left out as `sft` would; a draft is counted without its evidence, which is measured when it is
trained on and adds some. Near-duplicates are rows whose prompts share four in five word 5-grams (training/finetune/duplicates.py).
Overlap is by the rule of `corpus --exclude`: eight words in a row that an evaluation text has too.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from space.errors import UserError
from training.data.corpus import runs, strings
from training.finetune import dataset
from training.finetune.duplicates import near_duplicates
from training.runs.tables import in_columns

_PREVIEWED, _LISTED, _PAIRED = 20, 1000, 100  # rows of the preview, of lists, pairs of near-duplicates
_SHOWN = 200  # characters of a row in lists


def add_arguments(parser: argparse.ArgumentParser) -> None:
    dataset.add_arguments(parser)
    parser.add_argument("--model", help="whose tokenizer counts: a folder or a Hub repo id")
    parser.add_argument("--max_length", type=int, default=384, help="tokens of a row (default 384)")
    parser.add_argument("--against", nargs="+", default=[], metavar="FILE", help="evaluation sets")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="histogram of lengths, as PNG")
    parser.add_argument("--seed", type=int, default=0)


def run(args: argparse.Namespace) -> None:
    report = inspect(args)
    print(_table(report), file=sys.stderr)
    print(json.dumps(report, ensure_ascii=False))


def inspect(args: argparse.Namespace) -> dict[str, Any]:
    """The report. Where columns cannot be guessed it has `columns` to choose from, and says so on stderr.

    UserError for data that cannot be read, has no usable row, or lacks a column that was named.
    """
    dataset.check(args)
    if args.picture and not args.model:
        raise UserError("--picture draws lengths in tokens: say with --model whose")
    tokenizer = _tokenizer(args.model) if args.model else None
    excluded = {name: set(runs(strings(dataset.read(name)))) for name in args.against}
    try:
        sources = [dataset.survey(name, args.split, args) for name in args.dataset]
    except dataset.UnknownColumns as error:
        print(error, file=sys.stderr)
        return _EMPTY | {"rows": error.rows, "columns": error.columns}
    chosen = dataset.choose(args, tokenizer, sources)
    items = [item for source in sources for item in source.items]
    lengths = [item.tokens for item in chosen.train] if tokenizer else []
    if args.picture:
        from training.runs import pictures

        pictures.histogram(args.picture, lengths, "Length of the training rows", "tokens")
    pairs = near_duplicates([item.asked for item in items])
    overlap = [
        {"file": name, "dataset": item.source, "row": item.index, "text": _short(item.asked)}
        for name, texts in excluded.items()
        for item in items
        if not texts.isdisjoint(runs([item.asked, item.completion]))
    ]
    return {
        "rows": sum(source.rows for source in sources),
        "columns": list(dict.fromkeys(column for source in sources for column in source.columns)),
        "input": sources[0].inputs,
        "output": sources[0].output or sources[0].inputs[0],
        "preview": [{"prompt": item.asked, "completion": item.completion} for item in items[:_PREVIEWED]],
        "train": len(chosen.train),
        "validation": len(chosen.validation),
        "dropped": [
            {"dataset": name, "row": index, "why": why} for name, index, why in chosen.dropped[:_LISTED]
        ],
        "dropped_count": len(chosen.dropped),
        "dropped_by_reason": dict(Counter(why for _, _, why in chosen.dropped).most_common()),
        "lengths": lengths,
        "tokens": sum(lengths),
        "near_duplicates": [_pair(items[first], items[later]) for first, later in pairs[:_PAIRED]],
        "near_duplicate_count": len(pairs),
        "overlap": overlap[:_LISTED],
        "overlap_count": len(overlap),
    }


_EMPTY: dict[str, Any] = {
    "rows": 0, "columns": [], "input": [], "output": None, "preview": [], "train": 0, "validation": 0, "dropped": [],
    "dropped_count": 0, "dropped_by_reason": {}, "lengths": [], "tokens": 0, "near_duplicates": [],
    "near_duplicate_count": 0, "overlap": [], "overlap_count": 0,
}  # fmt: skip


def _tokenizer(model: str) -> Any:
    from training.finetune import lora

    tokenizer = lora.config_and_tokenizer(model)[1]
    if not tokenizer.chat_template:
        raise UserError(f"{model} has no chat template: take its instruct version")
    return tokenizer


def _pair(first: dataset.Item, later: dataset.Item) -> dict[str, Any]:
    return {
        "datasets": [first.source, later.source],
        "rows": [first.index, later.index],
        "text": _short(later.asked),
    }


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."


def _table(report: dict[str, Any]) -> str:
    lines: list[tuple[str, Any]] = [
        ("columns", ", ".join(report["columns"])),
        ("input", ", ".join(report["input"]) or None),
        ("output", report["output"]),
        ("rows", report["rows"]),
        ("to learn from", report["train"]),
        ("held out", report["validation"]),
        ("left out", report["dropped_count"]),
        *((f"  {why}", count) for why, count in report["dropped_by_reason"].items()),
        *([("tokens", _quantiles(report["lengths"]))] if report["lengths"] else []),
        ("near-duplicates", report["near_duplicate_count"]),
        ("overlap with evaluation", report["overlap_count"]),
    ]
    return in_columns([{"": name, "found": value} for name, value in lines])


def _quantiles(lengths: Sequence[int]) -> str:
    ordered = sorted(lengths)
    median, most = ordered[len(ordered) // 2], ordered[-1]
    return f"{sum(lengths):,} (a row {ordered[0]} to {most}, median {median})"

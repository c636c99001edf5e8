"""Feedback that was kept on this machine.

python -m feedback stats                        counts by verdict, reason, model and week
python -m feedback export --output rows.jsonl   training rows
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import datetime
from pathlib import Path
from typing import Any

from feedback.journal import JournalError, records
from feedback.schema import REASONS, VERDICTS, Record

FOLDER = os.environ.get("FEEDBACK_DIR") or "flagged"  # as the app does


def read(folder: Path) -> Iterator[Record]:
    """Every record once, the first of an id winning; says on stderr how many lines could not be read."""
    damaged: list[str] = []
    seen: set[str] = set()
    foreign = 0
    for value in records(folder, damaged):
        try:
            record = Record.from_dict(value)
        except (TypeError, ValueError):
            foreign += 1
            continue
        if record.id not in seen:
            seen.add(record.id)
            yield record
    if damaged:
        print(f"{len(damaged)} damaged lines were passed over, the first at {damaged[0]}", file=sys.stderr)
    if foreign:
        print(f"{foreign} lines that are no feedback records were passed over", file=sys.stderr)


def week(time: str) -> str:
    """The ISO week of a record's time, as 2026-W47."""
    year, number, _ = datetime.fromisoformat(time).isocalendar()
    return f"{year}-W{number:02d}"


def stats(folder: Path) -> dict[str, Any]:
    """Counts of the records: total, and by verdict, reason, model and week."""
    counts: dict[str, Counter[str]] = {name: Counter() for name in ("verdict", "reason", "model", "week")}
    total = 0
    for record in read(folder):
        total += 1
        counts["verdict"][record.verdict] += 1
        counts["reason"].update(record.reasons)
        counts["model"][record.versions.get("model", "unknown")] += 1
        counts["week"][week(record.time)] += 1
    order = {"verdict": VERDICTS, "reason": REASONS}
    return {"records": total} | {
        name: {key: count[key] for key in order.get(name, sorted(count)) if count[key]}
        for name, count in counts.items()
    }


def rows(folder: Path) -> Iterator[dict[str, Any]]:
    """The records as unpaired preferences, trl's name for prompt, completion and a label: was it good?

    `id` says where a row comes from, `reasons` what was wrong with it.
    """
    for record in read(folder):
        yield {
            "prompt": record.draft,
            "completion": record.rewrite,
            "label": record.verdict == "good",
            "reasons": list(record.reasons),
            "id": record.id,
        }


def export(values: Iterator[dict[str, Any]], path: Path | None) -> int:
    """Writes the rows to a file, whole or not at all, or to standard output; returns how many."""
    count = 0
    partial = path.with_name(path.name + ".part") if path else None
    with partial.open("w") if partial else nullcontext(sys.stdout) as output:
        for value in values:
            output.write(json.dumps(value) + "\n")
            count += 1
    if path and partial:
        partial.replace(path)
    return count


def table(counts: dict[str, Any]) -> str:
    """The counts as lines of text, a heading above each group."""
    lines = [f"{counts['records']} records"]
    for name in ("verdict", "reason", "model", "week"):
        if counts[name]:
            lines.append(f"by {name}")
            lines.extend(f"{count:8d}  {key}" for key, count in counts[name].items())
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m feedback", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (
        ("stats", "count the feedback"),
        ("export", "write training rows, one JSON object a line"),
    ):
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument(
            "--folder", type=Path, default=Path(FOLDER), help="the journal (FEEDBACK_DIR; now: %(default)s)"
        )
        if name == "stats":
            command.add_argument("--json", action="store_true", help="print one JSON object")
        else:
            command.add_argument("--output", type=Path, help="the file to write (default: standard output)")
    options = parser.parse_args(arguments)
    try:
        if not options.folder.is_dir():
            raise JournalError(
                f"There is no feedback folder {options.folder}: name it with --folder or FEEDBACK_DIR."
            )
        if options.command == "stats":
            counts = stats(options.folder)
            print(json.dumps(counts) if options.json else table(counts))
            return 0
        count = export(rows(options.folder), options.output)
        print(f"{count} rows", file=sys.stderr)
        return 0
    except OSError as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())

"""Scores models through the same pipeline as the app, each figure with a bootstrap 95 % interval.

    python -m training evaluate --suite sentences --suite tone
    python -m training evaluate --suite jfleg --suite cweb --suite clean --data folder
    python -m training evaluate --suite noise --data emails.jsonl --model none --model proofreader

One line of JSON on stdout for each suite and model, a table on stderr. Suites:

    jfleg       GLEU of tokenised sentences with several references            jfleg_dev.jsonl
    edits       precision, recall and F0.5 of edits, by type                   jfleg_dev.jsonl
    cweb        the same on sentences of web sites, two annotators             cweb_dev.jsonl
    clean       share of clean texts that are changed at all                   emails_dev.jsonl
    noise       clean emails with known slips put in: share repaired, by type  emails_dev.jsonl
    sentences   wrong sentences: share fully corrected, by type                own list
    wer         word error rate before and after                               own list of sentences
    robust      F0.5 without capitals or marks, with typos, CR LF, emoji       own list of sentences
    fair        emails with names, pronouns, dialect swapped: same edits, tone own list
    tone        impolite drafts: politeness that polish gains, facts kept      own list

A suite with an own list (training/evaluation) needs no --data; the others take a file, or a folder that holds
theirs under the name above. Rows are `source` and `references` (tokenised or not), `text`, or `wrong` and
`right`; clean also takes a file of corrections, of which it reads the sentences that nobody corrected.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from space.errors import UserError
from space.prompt import MODES
from training import behaviour, corrections
from training.suites import Case, Report, Subject

SUITES = {**corrections.SUITES, **behaviour.SUITES}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--suite", action="append", choices=SUITES, required=True, metavar="SUITE",
        help="one of them; repeat for more",
    )  # fmt: skip
    parser.add_argument("--data", type=Path, help="evaluation set (JSON lines), or a folder of them")
    parser.add_argument(
        "--model", action="append",
        help="a name, a GGUF path or a Hub repo id; 'none' scores the text as it is; repeat to compare",
    )  # fmt: skip
    parser.add_argument(
        "--mode", choices=MODES, default=MODES[0], help="of all suites but tone, which has both"
    )
    parser.add_argument("--limit", type=int, help="only the first rows")
    parser.add_argument("--samples", type=int, default=0, help="print so many changed texts to stderr")
    parser.add_argument(
        "--errors", type=Path, help="write what did not come back right to this file, JSON lines"
    )
    parser.add_argument("--seed", type=int, default=1, help="of drawn references and mistakes")


def run(args: argparse.Namespace) -> None:
    if args.limit is not None and args.limit < 1:
        raise UserError(f"--limit {args.limit}: give 1 or more")
    names = list(dict.fromkeys(args.suite))
    rows = {name: SUITES[name].rows(args.data, args.limit) for name in names}
    if args.errors:
        _start(args.errors)
    columns: dict[str, dict[str, Any]] = {}
    for model in dict.fromkeys(args.model or ["default"]):
        subject = Subject(model, args.mode)
        columns[model] = {}
        for name in names:
            began = time.perf_counter()
            report = SUITES[name].run(rows[name], subject, args.seed)
            columns[model][name] = report.figures
            row = {"suite": name, "rows": len(rows[name]), "model": model, **report.figures}
            print(json.dumps({**row, "seconds": round(time.perf_counter() - began, 1)}), flush=True)
            _show(report, args.samples)
            if args.errors:
                _append(args.errors, name, model, report.cases)
    print(table(columns), file=sys.stderr)


def table(columns: dict[str, dict[str, Any]]) -> str:
    """The figures of several models side by side, from {model: {suite: figures}}; a missing one is a dash.

    >>> print(table({"a": {"clean": {"changed": {"value": 1.5, "low": 0.0, "high": 3.0}}}}))
                     a
    clean changed    1.5 (0.0 to 3.0)
    """
    found = {model: dict(_flat((), figures)) for model, figures in columns.items()}
    names = list(dict.fromkeys(name for figures in found.values() for name in figures))
    lines = [
        ["", *found],
        *([name, *(figures.get(name, "-") for figures in found.values())] for name in names),
    ]
    widths = [max(len(line[k]) for line in lines) for k in range(len(lines[0]))]
    return "\n".join(
        "    ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _flat(path: tuple[str, ...], figures: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in figures.items():
        here = (*path, name)
        if not isinstance(value, dict):
            yield " ".join(here), str(value)
        elif "low" not in value:
            yield from _flat(here, value)
        elif value["value"] is None:
            yield " ".join(here), "-"
        else:
            yield " ".join(here), f"{value['value']} ({value['low']} to {value['high']})"


def _show(report: Report, count: int) -> None:
    changed = [case for case in report.cases if case.output != case.source]
    for case in changed[:count]:
        print(f"- {case.source}\n+ {case.output}\n", file=sys.stderr)


def _start(path: Path) -> None:
    """An empty file, before the hours of work whose result it is to hold."""
    try:
        path.write_text("", encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}; name another file") from error


def _append(path: Path, suite: str, model: str, cases: Sequence[Case]) -> None:
    with path.open("a", encoding="utf-8") as out:
        for case in cases:
            if not case.right:
                row = {"suite": suite, "model": model, "source": case.source, "output": case.output,
                       "references": case.references}  # fmt: skip
                out.write(json.dumps(row, ensure_ascii=False) + "\n")

"""Scores models through the same pipeline as the app, each figure with a bootstrap 95 % interval.

    python -m training evaluate --suite sentences --suite tone
    python -m training evaluate --suite jfleg --suite cweb --suite clean --data folder
    python -m training evaluate --suite noise --data emails.jsonl --model none --model proofreader

One line of JSON on stdout for each suite and model, a table on stderr. Of several models each is also held against
those before it, case by case: the difference of each main figure with its paired bootstrap 95 % interval, and whether
that makes the later model better, worse, or leaves it undecided. `--samples 5` prints the five texts that gain most
and the five that lose most, against the model before, or, of one model alone, against the text as it was. Suites:

    jfleg       GLEU of tokenised sentences with several references            jfleg_dev.jsonl
    edits       precision, recall and F0.5 of edits, by type                   jfleg_dev.jsonl
    cweb        the same on sentences of web sites, two annotators             cweb_dev.jsonl
    clean       share of clean texts that are changed at all                   emails_dev.jsonl
    unflagged   the same of hard ones that were held back from training        harper_clean.jsonl
    adjudicated mail with a verdict on each change: wrongly changed sentences  email.jsonl
    noise       clean emails with injected errors: share repaired, by type     emails_dev.jsonl
    sentences   wrong sentences: share fully corrected, by type                own list
    mails       whole emails: edits as above, and right emails that are changed own list
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
from itertools import combinations
from pathlib import Path
from typing import Any

from space.errors import UserError
from space.proofread.prompt import MODES
from training.evaluation import adjudicated, behaviour, corrections
from training.evaluation.suites import Case, Report, Sample, Subject, paired, samples
from training.runs.atomic_write import write_errors
from training.runs.tables import in_columns, side_by_side

SUITES = {**corrections.SUITES, **adjudicated.SUITES, **behaviour.SUITES}

Reports = dict[str, dict[str, Report]]  # by model and suite
Pairs = dict[tuple[str, str], dict[str, dict[str, Any]]]  # (first, second): suite: figure: `paired`


def add_arguments(parser: argparse.ArgumentParser, required: bool = True) -> None:
    parser.add_argument(
        "--suite", action="append", choices=SUITES, required=required, metavar="SUITE",
        help=f"one of {', '.join(SUITES)}; repeat for more",
    )  # fmt: skip
    parser.add_argument("--data", type=Path, help="evaluation set (JSON lines), or a folder of them")
    parser.add_argument(
        "--model", action="append",
        help="a name, a GGUF path or a Hub repo id; 'none' scores the text as it is; repeat to compare",
    )  # fmt: skip
    parser.add_argument(
        "--mode", choices=MODES, default=MODES[0], help="of all suites but tone, which has both"
    )
    parser.add_argument("--limit", type=int, help="only so many rows, drawn at random, always the same")
    parser.add_argument(
        "--samples", type=int, default=0, help="show so many best and worst texts of each suite"
    )
    parser.add_argument(
        "--errors", type=Path, help="write what did not come back right to this file, JSON lines"
    )
    parser.add_argument("--seed", type=int, default=1, help="of drawn references and mistakes")


def run(args: argparse.Namespace) -> None:
    reports = score(args, list(dict.fromkeys(args.model or ["default"])))
    print(in_columns(side_by_side(figures_of(reports))), file=sys.stderr)
    pairs = paired_figures(reports)
    for (first, second), suites in pairs.items():
        for suite, found in suites.items():
            print(json.dumps({"suite": suite, "first": first, "second": second, "paired": found}), flush=True)
    if pairs:
        print("\n" + in_columns(side_by_side(verdicts(pairs))), file=sys.stderr)
    if args.samples:
        for heading, best, worst in sampled(args, reports):
            _show(heading, "gained", best)
            _show(heading, "lost", worst)


def score(args: argparse.Namespace, models: Sequence[str]) -> Reports:
    """Runs the suites of the options for each model, and prints a line of JSON for each."""
    for name, least in (("limit", 1), ("samples", 0), ("seed", 0)):
        if getattr(args, name) is not None and getattr(args, name) < least:
            raise UserError(f"--{name} {getattr(args, name)}: give {least} or more")
    names = list(dict.fromkeys(args.suite))
    rows = {name: SUITES[name].rows(args.data, args.limit) for name in names}
    if args.errors:
        with write_errors(args.errors):  # before the hours of work whose result it is to hold
            args.errors.write_text("", encoding="utf-8")
    reports: Reports = {}
    for model in models:
        subject = Subject(model, args.mode)
        reports[model] = {}
        for name in names:
            began = time.perf_counter()
            report = SUITES[name].run(rows[name], subject, args.seed)
            reports[model][name] = report
            row = {"suite": name, "rows": len(rows[name]), "model": model, **report.figures}
            print(json.dumps({**row, "seconds": round(time.perf_counter() - began, 1)}), flush=True)
            if args.errors:
                _append(args.errors, name, model, report.cases)
    return reports


def figures_of(reports: Reports) -> dict[str, dict[str, Any]]:
    """The figures by model and suite."""
    return {model: {name: report.figures for name, report in own.items()} for model, own in reports.items()}


def paired_figures(reports: Reports) -> Pairs:
    """`paired` of every two models, the later one second, for each main figure of each suite."""
    return {
        (first, second): {
            suite: {
                name: paired(reports[first][suite].cases, reports[second][suite].cases, measure)
                for name, measure in SUITES[suite].measures.items()
            }
            for suite in reports[first]
        }
        for first, second in combinations(reports, 2)
    }


def verdicts(pairs: Pairs) -> dict[str, dict[str, Any]]:
    """By pair and suite what was found, as "+3.1 (1.2 to 4.9) better"; figures that could not be had are left out."""
    return {
        f"{second} against {first}": {
            suite: {
                name: "{value:+g} ({low:g} to {high:g}) {verdict}".format(**each["difference"], **each)
                for name, each in found.items()
                if each["difference"]["value"] is not None
            }
            for suite, found in suites.items()
        }
        for (first, second), suites in pairs.items()
    }


def sampled(
    args: argparse.Namespace, reports: Reports
) -> Iterator[tuple[str, Sequence[Sample], Sequence[Sample]]]:
    """A heading, the texts that gain most and those that lose most: of each suite, each model against the one before.

    A model that stands alone is held against leaving the text as it is.
    """
    if len(reports) == 1 and "none" not in reports:
        (model,) = reports
        untouched = Subject("none", args.mode)
        own = {
            name: SUITES[name].run(SUITES[name].rows(args.data, args.limit), untouched, args.seed)
            for name in reports[model]
        }
        reports = {"none": own, **reports}
    for first, second in zip(list(reports), list(reports)[1:], strict=False):
        for suite, report in reports[first].items():
            measure = next(iter(SUITES[suite].measures.values()))
            best, worst = samples(report.cases, reports[second][suite].cases, measure, args.samples)
            yield f"{suite}: {second} against {first}", best, worst


def _show(heading: str, what: str, found: Sequence[Sample]) -> None:
    for sample in found:
        print(
            f"\n{heading}, {what} {abs(sample.change):.3g}\n  text {sample.second.source}"
            f"\n  was  {sample.first.output}\n  is   {sample.second.output}",
            file=sys.stderr,
        )


def _append(path: Path, suite: str, model: str, cases: Sequence[Case]) -> None:
    with path.open("a", encoding="utf-8") as out:
        for case in cases:
            if not case.right:
                row = {"suite": suite, "model": model, "source": case.source, "output": case.output,
                       "references": case.references}  # fmt: skip
                out.write(json.dumps(row, ensure_ascii=False) + "\n")

"""Training runs and models side by side.

    python -m training compare runs                              every run that is found under the folders
    python -m training compare --suite edits --suite clean --data folder --model proofreader --model new.gguf

Of runs: the parameters that differ, the fingerprint of the data, commit, hardware, minutes, cost and scores, with
curves of the losses and bars of time and scores. Of models: the figures of `evaluate`, and for every two of them, on
the same texts, the difference with its paired bootstrap 95 % interval and a verdict. Both may be asked for at once. A
table goes to stderr, compare.html (one file) and its pictures to --output_dir. The last line of stdout is JSON; before
it stand those of `evaluate`, one for each suite and model.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from space.errors import UserError
from training.evaluation import evaluate
from training.evaluation.suites import paired as paired  # of two models' cases: what `retrain` decides by
from training.runs import experiments, pictures

_LOSSES = ("loss", "eval_loss")
_DIGITS = 12  # of a fingerprint or a commit

Rows = list[dict[str, Any]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folders", nargs="*", type=Path, metavar="FOLDER", help="holds runs, however deep")
    parser.add_argument(
        "--output_dir", type=Path, help="for the page and its pictures; default: the first FOLDER"
    )
    evaluate.add_arguments(parser, required=False)


def run(args: argparse.Namespace) -> None:
    if args.model and not args.suite:
        raise UserError("--model needs --suite: which figures should be compared?")
    if args.suite and not args.model:
        raise UserError("--suite needs --model: which models should be compared?")
    if not args.folders and not args.model:
        raise UserError("nothing to compare: name folders of runs, or models with --model and --suite")
    out = args.output_dir or (args.folders[0] if args.folders else Path("runs/compare"))
    if out.exists() and not out.is_dir():  # told before the models are scored
        raise UserError(f"--output_dir {out} is a file: name a folder")
    tables: dict[str, Rows] = {}
    shown: list[Path] = []
    result: dict[str, Any] = {}
    if args.folders:
        folders = _found(args.folders)
        tables["Runs"] = rows(folders)
        print(in_columns(tables["Runs"]), file=sys.stderr)
        shown += run_pictures(folders, out)
        result["runs"] = len(folders)
    if args.model:
        reports = evaluate.score(args, list(dict.fromkeys(args.model)))
        pairs = evaluate.beats(reports)
        tables |= _model_tables(args, reports, pairs)
        for heading in ("Scores", "Verdicts"):
            if heading in tables:
                print(in_columns(tables[heading]), file=sys.stderr)
        shown += model_pictures(reports, out)
        result["paired"] = [
            {"first": first, "second": second, **suites} for (first, second), suites in pairs.items()
        ]
    page = pictures.html(out / "compare.html", "Comparison", tables, shown)
    print(json.dumps({**result, "page": str(page), "pictures": [str(path) for path in shown]}))


# ---- runs --------------------------------------------------------------------------------------------------


def _found(roots: Sequence[Path]) -> list[Path]:
    for root in roots:
        if not root.is_dir():
            raise UserError(f"{root} is no folder: name one that holds runs")
    found = list(dict.fromkeys(folder.resolve() for root in roots for folder in experiments.find(root)))
    if not found:
        raise UserError(f"no runs under {', '.join(map(str, roots))}: a run leaves a run.json in its folder")
    return found


def rows(folders: Sequence[Path]) -> Rows:
    """One row per run. A parameter that all runs of a command agree on is left out, and so are the paths they write to.

    Minutes are of wall time, resumed runs added up; cost is in the currency that the price was given in.
    """
    records = [experiments.read(folder) for folder in folders]
    differing = _differing(records)
    found = []
    for name, record in zip(names(folders), records, strict=True):
        code, parameters = record.get("code") or {}, record.get("parameters") or {}
        fingerprint = (record.get("data") or {}).get("fingerprint")
        found.append(
            {
                "run": name,
                "command": record["command"],
                "status": record.get("status"),
                **{key: parameters.get(key) for key in differing},
                "data": fingerprint and str(fingerprint)[:_DIGITS],
                "commit": _commit(code),
                "hardware": _machine(record.get("hardware") or {}),
                "minutes": round(float(record.get("seconds") or 0) / 60, 1),
                "cost": record.get("cost"),
                **dict(_scores((), record.get("scores") or {})),
            }
        )
    return found


def names(folders: Sequence[Path]) -> list[str]:
    """What the runs are called; runs of one name are told apart by their paths, from the folder that holds them all."""
    called = [str(experiments.read(folder).get("name") or folder.name) for folder in folders]
    shared = os.path.commonpath(folders)
    return [
        name if called.count(name) == 1 else os.path.relpath(folder, shared)
        for name, folder in zip(called, folders, strict=True)
    ]


def _differing(records: Sequence[Mapping[str, Any]]) -> list[str]:
    found = []
    every = [record.get("parameters") or {} for record in records]
    for key in dict.fromkeys(key for parameters in every for key in parameters):
        values = {
            json.dumps(parameters.get(key), sort_keys=True) for parameters in every if key in parameters
        }
        if len(values) > 1 and key not in ("output_dir", "run_name"):
            found.append(key)
    return found


def _commit(code: Mapping[str, Any]) -> str | None:
    """Shortened, with a + where tracked files differed from it."""
    return f"{code['commit'][:_DIGITS]}{'+' if code.get('dirty') else ''}" if code.get("commit") else None


def _machine(hardware: Mapping[str, Any]) -> str | None:
    return hardware.get("gpu") or (
        f"{hardware['cores']} x {hardware.get('cpu')}" if "cores" in hardware else None
    )


def _scores(path: tuple[str, ...], scores: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Scores that nest, by their whole names; a figure with an interval is told by its value."""
    for name, value in scores.items():
        if not isinstance(value, Mapping):
            yield " ".join((*path, name)), value
        elif "low" in value:
            yield " ".join((*path, name)), value.get("value")
        else:
            yield from _scores((*path, name), value)


def run_pictures(folders: Sequence[Path], out: Path) -> list[Path]:
    """Curves of what was logged as loss and eval_loss, and bars of minutes and of every score that is a number."""
    called, made = names(folders), []
    for figure in _LOSSES:
        lines = {
            name: experiments.curve(folder, figure) for name, folder in zip(called, folders, strict=True)
        }
        if drawn := {name: points for name, points in lines.items() if points}:
            made.append(pictures.curves(out / f"compare_{figure}.png", drawn, figure, "step", figure))
    records = [experiments.read(folder) for folder in folders]
    minutes = {
        name: float(record.get("seconds") or 0) / 60 for name, record in zip(called, records, strict=True)
    }
    made.append(pictures.bars(out / "compare_minutes.png", minutes, "Wall time", "minutes"))
    scores: dict[str, dict[str, float]] = {}
    for name, record in zip(called, records, strict=True):
        for figure, value in _scores((), record.get("scores") or {}):
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                scores.setdefault(figure, {})[name] = value
    for figure, values in scores.items():
        made.append(pictures.bars(out / f"compare_{_file(figure)}.png", values, figure, figure))
    return made


# ---- models ------------------------------------------------------------------------------------------------


def _model_tables(
    args: argparse.Namespace, reports: evaluate.Reports, pairs: evaluate.Pairs
) -> dict[str, Rows]:
    tables = {"Scores": _turned({model: evaluate.figures_of(own) for model, own in reports.items()})}
    if pairs:
        tables["Verdicts"] = _turned(evaluate.verdicts(pairs))
    for heading, best, worst in evaluate.sampled(args, reports) if args.samples else ():
        found = [
            {"change": round(sample.change, 2), "text": sample.second.source, "was": sample.first.output,
             "is": sample.second.output}
            for sample in (*best, *worst)
        ]  # fmt: skip
        if found:
            tables[f"Texts that gain and lose most, {heading}"] = found
    return tables


def _turned(columns: Mapping[str, Mapping[str, Any]]) -> Rows:
    """{column: {suite: figures}} as a row per figure, with a cell per column."""
    cells = {column: dict(evaluate.flat((), figures)) for column, figures in columns.items()}
    figures = dict.fromkeys(name for own in cells.values() for name in own)
    return [{"figure": name, **{column: own.get(name) for column, own in cells.items()}} for name in figures]


def model_pictures(reports: evaluate.Reports, out: Path) -> list[Path]:
    """For each main figure of each suite a bar per model, with its interval."""
    made = []
    suites = next(iter(reports.values()))
    for suite in suites:
        for name in evaluate.SUITES[suite].measures:
            bars: dict[str, pictures.Bar] = {}
            for model, own in reports.items():
                figure = _figure(own[suite].figures, name)
                if figure and figure["value"] is not None:
                    bars[model] = (figure["value"], figure["low"], figure["high"])
            if bars:
                path = out / f"compare_{_file(f'{suite} {name}')}.png"
                made.append(pictures.bars(path, bars, f"{suite}: {name}", name))
    return made


def _figure(figures: Mapping[str, Any], name: str) -> Any:
    """The figure of a measure: "names differ_percent" is in the group of figures called names."""
    for part in name.split():
        figures = figures.get(part) or {}
    return figures


# ---- text --------------------------------------------------------------------------------------------------


def in_columns(table: Rows) -> str:
    """The rows as text, under the names of their columns; what a row lacks is a dash.

    >>> print(in_columns([{"run": "a", "minutes": 1.5}, {"run": "long name"}]))
    run          minutes
    a            1.5
    long name    -
    """
    heads = list(dict.fromkeys(name for row in table for name in row))
    lines = [heads, *([_text(row.get(name)) for name in heads] for row in table)]
    return evaluate.aligned(lines)


def _text(value: Any) -> str:
    return "-" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)


def _file(name: str) -> str:
    return "".join(c if c.isalnum() else "_" for c in name)

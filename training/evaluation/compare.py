"""Training runs and models side by side.

    python -m training compare runs                              every run that is found under the folders
    python -m training compare --suite edits --suite clean --data folder --model proofreader --model new.gguf

Of runs: the parameters that differ, the fingerprint of the data, commit, hardware, minutes, cost and scores, with
curves of the losses and bars of time and scores. Of models: the figures of `evaluate`, and for every two of them, on
the same texts, the difference with its paired bootstrap 95 % interval and a verdict. Both may be asked for at once. The command
that shows runs while they go on (trackio's page) is printed beside them. A table goes to stderr, compare.html (one file) and its pictures to --output_dir. The last line of stdout is JSON; before
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
from training.runs import experiments, pictures, trackers
from training.runs.tables import Rows, flat, in_columns, side_by_side

_LOSSES = ("loss", "eval_loss")
_DIGITS = 12  # of a fingerprint or a commit


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folders", nargs="*", type=Path, metavar="FOLDER", help="holds runs, however deep")
    parser.add_argument(
        "--output_dir", type=Path, help="for the page and its pictures; default: the first FOLDER"
    )
    evaluate.add_arguments(parser, required=False)


def run(args: argparse.Namespace) -> None:
    out = _checked(args)
    tables: dict[str, Rows] = {}
    shown: list[Path] = []
    result: dict[str, Any] = {}
    if args.folders:
        folders = _found(args.folders)
        tables["Runs"] = rows(folders)
        print(in_columns(tables["Runs"]), file=sys.stderr)
        shown += run_pictures(folders, out)
        result |= {"runs": len(folders), "live": trackers.live_views(folders)}
        for command in result["live"]:
            print(f"as they go on: {command}", file=sys.stderr)
    if args.model:
        reports = evaluate.score(args, list(dict.fromkeys(args.model)))
        pairs = evaluate.paired_figures(reports)
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


def _checked(args: argparse.Namespace) -> Path:
    """The folder for the page. UserError for options that do not go together, before any model is scored."""
    if args.model and not args.suite:
        raise UserError("--model needs --suite: which figures should be compared?")
    if args.suite and not args.model:
        raise UserError("--suite needs --model: which models should be compared?")
    if not args.folders and not args.model:
        raise UserError("nothing to compare: name folders of runs, or models with --model and --suite")
    out = args.output_dir or (args.folders[0] if args.folders else Path("runs/compare"))
    if out.exists() and not out.is_dir():
        raise UserError(f"--output_dir {out} is a file: name a folder")
    return out


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
    """One row per run. A parameter that all runs agree on is left out, and so are the paths they write to.

    Minutes are of wall time, resumed runs added up; cost is in the currency that the price was given in.
    """
    records = [experiments.read(folder) for folder in folders]
    differing = _differing([record.get("parameters") or {} for record in records])
    return [_row(name, record, differing) for name, record in zip(names(folders), records, strict=True)]


def _row(name: str, record: Mapping[str, Any], differing: Sequence[str]) -> dict[str, Any]:
    code, parameters, data, hardware = (
        record.get(part) or {} for part in ("code", "parameters", "data", "hardware")
    )
    commit, fingerprint = code.get("commit"), data.get("fingerprint")
    cores = f"{hardware['cores']} x {hardware.get('cpu')}" if "cores" in hardware else None
    return {
        "run": name,
        "command": record["command"],
        "status": record.get("status"),
        **{key: parameters.get(key) for key in differing},
        "data": fingerprint and str(fingerprint)[:_DIGITS],
        # A + where tracked files differed from the commit.
        "commit": commit and f"{commit[:_DIGITS]}{'+' if code.get('dirty') else ''}",
        "hardware": hardware.get("gpu") or cores,
        "minutes": round(_minutes(record), 1),
        "cost": record.get("cost"),
        **dict(_scores(record)),
    }


def names(folders: Sequence[Path]) -> list[str]:
    """What the runs are called; runs of one name by their paths, from the folder that holds them all."""
    called = [str(experiments.read(folder).get("name") or folder.name) for folder in folders]
    shared = os.path.commonpath(folders)
    return [
        name if called.count(name) == 1 else os.path.relpath(folder, shared)
        for name, folder in zip(called, folders, strict=True)
    ]


def _differing(parameters: Sequence[Mapping[str, Any]]) -> list[str]:
    values: dict[str, set[str]] = {}
    for key, value in (item for own in parameters for item in own.items()):
        values.setdefault(key, set()).add(json.dumps(value, sort_keys=True))
    return [key for key, each in values.items() if len(each) > 1 and key not in ("output_dir", "run_name")]


def _minutes(record: Mapping[str, Any]) -> float:
    return float(record.get("seconds") or 0) / 60


def _scores(record: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Scores that nest, by their whole names; of a figure with an interval its value."""
    for name, value in flat(record.get("scores") or {}):
        yield name, value.get("value") if isinstance(value, Mapping) else value


def run_pictures(folders: Sequence[Path], out: Path) -> list[Path]:
    """Curves of what was logged as loss and eval_loss, and bars of minutes and of every score that is a number."""
    runs = dict(zip(names(folders), folders, strict=True))
    records = {name: experiments.read(folder) for name, folder in runs.items()}
    drawn = []
    for figure in _LOSSES:
        lines = {name: experiments.curve(folder, figure) for name, folder in runs.items()}
        if lines := {name: points for name, points in lines.items() if points}:
            path = out / f"compare_{figure}_curves.png"  # a score may have the same name
            drawn.append(pictures.curves(path, lines, figure, "step", figure))
    minutes = {name: _minutes(record) for name, record in records.items()}
    drawn.append(pictures.bars(out / "compare_minutes.png", minutes, "Wall time", "minutes"))
    scores: dict[str, dict[str, float]] = {}
    for name, record in records.items():
        for figure, value in _scores(record):
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                scores.setdefault(figure, {})[name] = value
    for figure, values in scores.items():
        drawn.append(pictures.bars(out / f"compare_{_file(figure)}.png", values, figure, figure))
    return drawn


# ---- models ------------------------------------------------------------------------------------------------


def _model_tables(
    args: argparse.Namespace, reports: evaluate.Reports, pairs: evaluate.Pairs
) -> dict[str, Rows]:
    tables = {"Scores": side_by_side(evaluate.figures_of(reports), "figure")}
    if pairs:
        tables["Verdicts"] = side_by_side(evaluate.verdicts(pairs), "figure")
    for heading, best, worst in evaluate.sampled(args, reports) if args.samples else ():
        found = [
            {"change": round(sample.change, 2), "text": sample.second.source, "was": sample.first.output,
             "is": sample.second.output}
            for sample in (*best, *worst)
        ]  # fmt: skip
        if found:
            tables[f"Texts that gain and lose most, {heading}"] = found
    return tables


def model_pictures(reports: evaluate.Reports, out: Path) -> list[Path]:
    """For each main figure of each suite a bar per model, with its interval."""
    figures = {
        model: {suite: dict(flat(report.figures)) for suite, report in own.items()}
        for model, own in reports.items()
    }
    drawn = []
    for suite in next(iter(reports.values())):
        for name in evaluate.SUITES[suite].measures:
            found = {model: own[suite].get(name) for model, own in figures.items()}
            bars: dict[str, pictures.Bar] = {
                model: (figure["value"], figure["low"], figure["high"])
                for model, figure in found.items()
                if figure and figure["value"] is not None
            }
            if bars:
                path = out / f"compare_{_file(f'{suite} {name}')}.png"
                drawn.append(pictures.bars(path, bars, f"{suite}: {name}", name))
    return drawn


def _file(name: str) -> str:
    return "".join(c if c.isalnum() else "_" for c in name)

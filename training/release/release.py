"""A finished fine-tune as a GGUF that is measured against the served one, and put in its place if it is not worse.

    python -m training release runs/mine --out runs/release                 says what it would do
    python -m training release runs/mine --out runs/release --replace       and does it
    python -m training release runs/merged --out runs/release --data email.jsonl.zst --limit 300
    python -m training release --roll_back                                  the file back that was replaced last

RUN is the folder of a run of sft or prefer that has ended, or a merged model. The adapter is merged into --base, the model
converted, quantised and compared with its folder; then both files go through suites of `evaluate`. It is released unless it
fails the comparison, or some main figure is surely worse: by a paired bootstrap 95 % interval that leaves zero out. Each step
leaves its result in --out and is passed over when it is there: the same command goes on where it was stopped.

The last line of stdout is JSON: `file`, `target`, `verified`, `figures` by model and suite, `verdicts` by suite and figure,
`why` (each reason not to release it), `released`, `picture`. Tables go to stderr.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from space.errors import UserError
from space.proofread.prompt import MODES
from training.evaluation import evaluate, metrics
from training.evaluation.suites import EVALUATION, Case, Report, Rows, Subject
from training.release import candidate, gate, swap
from training.runs import pictures
from training.runs.checkpoints import RECORD
from training.runs.steps import Steps, fingerprint
from training.runs.tables import flat, in_columns, side_by_side

_SEED = 1  # of drawn references and mistakes, as evaluate has it
_OWN, _MAIL = "sentences", "adjudicated"  # suites, where none is asked for
# Of the weights in --out: the merged model, its GGUF of 16 bits, a smaller one; or but the two files.
_MERGED_COPIES, _FILE_COPIES = 3, 2

Row = dict[str, Any]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "run_folder", nargs="?", type=Path, metavar="RUN", help="of sft or prefer, or a merged model"
    )
    parser.add_argument("--base", help="folder of the model that it was trained on (default: what RUN names)")
    parser.add_argument("--out", type=Path, help="folder for all steps")
    parser.add_argument(
        "--type", type=str.upper, default="Q8_0", help="of the new file, as conversion quantize has"
    )
    served = parser.add_argument_group("what is served")
    served.add_argument(
        "--served", default="proofreader", help="what is to be replaced: a name or a GGUF file"
    )
    served.add_argument("--models_dir", type=Path, help="where it is served from (default: MODELS_DIR)")
    served.add_argument(
        "--replace", action="store_true", help="put the new file in its place if it is not worse"
    )
    served.add_argument(
        "--roll_back", action="store_true", help="put the file back that was replaced last; no RUN"
    )
    judgement = parser.add_argument_group("judgement")
    judgement.add_argument(
        "--suite", action="append", choices=evaluate.SUITES, metavar="SUITE",
        help=f"of evaluate; repeat for more (default: {_OWN}, and {_MAIL} where --data is given)",
    )  # fmt: skip
    judgement.add_argument(
        "--data", type=Path, help="evaluation set, or a folder of them, of suites without an own list"
    )
    judgement.add_argument("--limit", type=int, help="only so many rows of each suite")


def run(args: argparse.Namespace) -> None:
    result = roll_back(args) if args.roll_back else release(args)
    for reason in result.get("why", ()):
        print(f"not released: {reason}", file=sys.stderr)
    print(json.dumps(result))


def roll_back(args: argparse.Namespace) -> Row:
    """Undoes the last release; returns {"target", "rolled_back"}. UserError if it kept no file."""
    if args.run_folder or args.replace:
        raise UserError("--roll_back puts back what was replaced: leave RUN and --replace out")
    _, target = candidate.places(args.served, args.models_dir)
    swap.restore(target)
    print(f"{target} is what it was before the last release", file=sys.stderr)
    return {"target": str(target), "rolled_back": True}


def release(args: argparse.Namespace) -> Row:
    """Runs the steps; returns what is printed. UserError for settings that cannot work, before any of them."""
    source = _source(args)
    rows = _rows(args)
    args.out = args.out.resolve()  # notes of steps name files: they hold in any working folder
    served, target = candidate.places(args.served, args.models_dir)
    swap.roll_back(target)
    steps = Steps(args.out)
    weights = candidate.merged(steps, source.weights, source.adapter) if source.adapter else source.weights
    new = candidate.made(steps, weights, target, args.type)
    reports = _measured(steps, rows, served, new.file)
    verdicts = evaluate.paired_figures(reports)["served", "new"]
    print(in_columns(side_by_side(evaluate.figures_of(reports), "figure")), file=sys.stderr)
    print("\n" + in_columns(side_by_side(evaluate.verdicts({("served", "new"): verdicts}))), file=sys.stderr)
    same = fingerprint(new.file) in (fingerprint(served), fingerprint(target))
    why = (
        ["it is what is served already"]
        if same
        else gate.not_verified(new.verified) + reasons(reports, verdicts)
    )
    picture = draw(args.out / "comparison.png", reports)
    if args.replace and not why:
        swap.release(new.file, target, keep=True)
    elif not why:
        print(f"would be put in the place of {target}: give --replace", file=sys.stderr)
    return {
        "file": str(new.file),
        "target": str(target),
        "verified": new.verified["passed"],
        "figures": evaluate.figures_of(reports),
        "verdicts": verdicts,
        "why": why,
        "released": args.replace and not why,
        "picture": str(picture),
    }


# ---- what is asked for -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Source:
    """Weights, and the adapter that is to be merged into them."""

    weights: Path
    adapter: Path | None


def _source(args: argparse.Namespace) -> _Source:
    """UserError for what would fail after minutes."""
    from conversion import fine_tune

    if args.run_folder is None:
        raise UserError("name the folder of a run of sft or prefer that has ended, or of a merged model")
    if args.out is None:
        raise UserError("--out is missing: name a folder for the steps")
    if (args.out / RECORD).exists():
        raise UserError(f"--out {args.out} is the folder of a run: name another")
    candidate.require_type(args.type)
    if (args.run_folder / "config.json").is_file():
        source = _Source(args.run_folder, None)
        if args.base:
            raise UserError(f"{args.run_folder} is a merged model: leave --base out")
        if args.out.resolve().is_relative_to(args.run_folder.resolve()):
            raise UserError(f"--out {args.out} lies in the model's folder: name another")
    elif any((args.run_folder / name).is_file() for name in (RECORD, "adapter_config.json")):
        adapter = fine_tune.FineTune.find(args.run_folder).adapter
        source = _Source(fine_tune.base(args.base, adapter)[0], adapter)
        _require_its_base(source.weights, adapter)
    else:
        raise UserError(
            f"{args.run_folder} holds neither a run nor a model: name the folder of a run of sft or prefer, or of a merged model"
        )
    candidate.require_convertible(source.weights)
    candidate.require_room(args.out, source.weights, _MERGED_COPIES if source.adapter else _FILE_COPIES)
    return source


def _require_its_base(base: Path, adapter: Path) -> None:
    """UserError if what the adapter was trained on is here, and is another model: its shapes may fit all the same."""
    from conversion.merge import require_lora

    trained_on = Path(require_lora(adapter).get("base_model_name_or_path") or base)
    if trained_on.is_dir() and _weights(trained_on) != _weights(base):
        raise UserError(
            f"{adapter} was trained on {trained_on}, and {base} is another model: give the former as --base"
        )


def _weights(folder: Path) -> list[str]:
    return [fingerprint(path) for path in sorted(folder.glob("*.safetensors"))]


def _rows(args: argparse.Namespace) -> dict[str, Rows]:
    """By suite; a suite with an own list reads that. UserError if a file lacks what its suite needs."""
    if args.limit is not None and args.limit < 1:
        raise UserError(f"--limit {args.limit}: give 1 or more")
    suites = {name: evaluate.SUITES[name] for name in args.suite or [_OWN, *([_MAIL] if args.data else [])]}
    rows: dict[str, Rows] = {
        name: suite.rows(None if isinstance(suite.data, Path) else args.data, args.limit)
        for name, suite in suites.items()
    }
    untouched = Subject("none", MODES[0])
    for name, suite in suites.items():
        suite.run(rows[name], untouched, _SEED)
    return rows


# ---- the judgement -----------------------------------------------------------------------------------------


def _measured(steps: Steps, rows: Mapping[str, Rows], served: Path, new: Path) -> evaluate.Reports:
    """The report of each suite for both models; of one that was made before without the texts."""

    def measured(name: str, model: Path) -> dict[str, Report]:
        files = {"model": model, "reader": candidate.reader_of(model), "lists": EVALUATION}
        inputs = {kind: fingerprint(path) for kind, path in files.items()} | {"rows": rows}
        return {
            suite: Report(
                found["figures"], [Case(str(i), "", [], counts) for i, counts in enumerate(found["counts"])]
            )
            for suite, found in steps.run(name, inputs, lambda _: _scored(model, rows)).items()
        }

    found = measured("candidate", new)
    same = fingerprint(served) == fingerprint(new)
    return {"served": found if same else measured("served", served), "new": found}


def _scored(model: Path, rows: Mapping[str, Rows]) -> Row:
    """The figures of each suite, and the counts of each of its cases: no text is stored."""
    subject, found = Subject(str(model), MODES[0]), {}
    for number, (suite, own) in enumerate(rows.items(), 1):
        began = time.monotonic()
        report = evaluate.SUITES[suite].run(own, subject, _SEED)
        found[suite] = {"figures": report.figures, "counts": [case.counts for case in report.cases]}
        print(
            f"suite {number} of {len(rows)}, {suite}: {len(own)} rows in {time.monotonic() - began:.0f} seconds",
            file=sys.stderr, flush=True,
        )  # fmt: skip
    return found


def reasons(reports: evaluate.Reports, verdicts: Row) -> list[str]:
    """Why not to release it: a line for each main figure that is surely worse, or one if no figure could be had."""
    pairs = [(suite, name, each) for suite, own in verdicts.items() for name, each in own.items()]
    if all(each["difference"]["value"] is None for _, _, each in pairs):
        return ["nothing to judge by: no figure could be had of so few rows"]
    return [
        f"worse on {suite}, {name}: {_figure(reports['new'][suite], name)['value']}, the served model "
        f"{_figure(reports['served'][suite], name)['value']}; difference {gate.with_interval(each['difference'])}"
        for suite, name, each in pairs
        if each["verdict"] == "worse"
    ]


def _figure(report: Report, name: str) -> Mapping[str, Any]:
    return dict(flat(report.figures)).get(name) or metrics.NO_FIGURE


def draw(path: Path, reports: evaluate.Reports) -> Path:
    """Every main figure of both models, with its interval."""
    bars: dict[str, pictures.Bar] = {}
    for suite in reports["served"]:
        for name in evaluate.SUITES[suite].measures:
            for model, own in reports.items():
                value, low, high = (_figure(own[suite], name)[key] for key in ("value", "low", "high"))
                if value is not None:
                    bars[f"{suite} {name}, {model}"] = (value, low, high)
    return pictures.bars(path, bars, "The served model and the new one", "with 95 % interval")

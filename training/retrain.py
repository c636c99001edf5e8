"""From feedback to a new model, which is released only if it is better than the one that is served.

    python -m training retrain --base runs/merged --output_dir runs/retrain --replay runs/pairs.jsonl
    python -m training retrain --base runs/merged --output_dir runs/retrain --dataset OWNER/NAME --clean mail.jsonl

The feedback comes from the dataset on the Hub (--dataset, or FEEDBACK_DATASET), from the journal on this machine
(--folder, or FEEDBACK_DIR), or from a folder that `python -m feedback export` wrote (--export). Its drafts are cut into
sentences, mixed with rows of the base's training set (--replay) and trained on: sft, then prefer if there are enough
pairs. A share of the drafts, chosen by a hash so that it is the same share every time, is never trained on: on it the
new model must beat the served one, by a paired bootstrap interval that lies above zero, and it must not be worse on clean
text nor on the fairness suite. If so the file in --models_dir is replaced; if not, a line says why for each reason, and
the exit code is 0 all the same.

Each stage leaves its result in --output_dir and is passed over when it is there: the command goes on where it was
stopped, with the feedback that it began with. Given again after its end it asks for the feedback anew.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from space.errors import UserError
from space.prompt import MODES
from training import checkpoints, experiments
from training.flags import clean_texts, evaluation, held_out_rows, make_rows
from training.stages import Stages, fingerprint, told, write_json
from training.suites import Subject

RESULT = "result.json"
_MIN_AGREEMENT = 0.5  # of greedy tokens between a quantised file and its folder, as `conversion verify` asks
_FEWEST_HELD_OUT = 10  # rows; the interval of fewer says more of the drawing than of the models

Row = dict[str, Any]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    feedback = parser.add_argument_group("feedback (one of these; else FEEDBACK_DATASET, else FEEDBACK_DIR)")
    source = feedback.add_mutually_exclusive_group()
    source.add_argument("--dataset", metavar="OWNER/NAME", help="dataset on the Hub, read with HF_TOKEN")
    source.add_argument("--folder", type=Path, help="journal on this machine")
    source.add_argument("--export", type=Path, help="folder that python -m feedback export wrote")
    models = parser.add_argument_group("models")
    models.add_argument("--base", type=Path, required=True, help="folder of the weights to train on (Llama)")
    models.add_argument("--served", default="proofreader", help="what is to be beaten: a name or a GGUF file")
    models.add_argument("--models_dir", type=Path, help="where it is served from (default: MODELS_DIR)")
    models.add_argument(
        "--type", type=str.upper, default="Q8_0", help="of the new file, as conversion quantize has"
    )
    parser.add_argument("--output_dir", type=Path, required=True, help="folder for all stages")
    training = parser.add_argument_group("training")
    training.add_argument("--replay", type=Path, help="rows of the base's training set (draft, corrected)")
    training.add_argument("--replay_share", type=float, default=0.5, help="of the training rows")
    training.add_argument(
        "--min_pairs", type=int, default=50, help="preferences, or there is no prefer stage"
    )
    training.add_argument("--sft_recipe", type=Path, help="YAML file with options of sft")
    training.add_argument("--prefer_recipe", type=Path, help="YAML file with options of prefer")
    training.add_argument("--seed", type=int, default=0)
    judgement = parser.add_argument_group("judgement")
    judgement.add_argument(
        "--held_out_share", type=float, default=0.2, help="of the drafts, never trained on; keep it the same"
    )
    judgement.add_argument(
        "--evaluation", type=Path, action="append", default=[],
        help="more held-out rows (source and references), kept out of training too; repeat for more",
    )  # fmt: skip
    judgement.add_argument(
        "--clean", type=Path, help="texts without mistakes, rows of text (default: our own list)"
    )
    judgement.add_argument(
        "--margin", type=float, default=0.0, help="percentage points that count as no worse on clean and fair"
    )
    judgement.add_argument("--limit", type=int, help="only the first texts of the clean and fairness suites")
    experiments.add_arguments(parser)


def run(args: argparse.Namespace) -> None:
    result = retrain(args)
    for reason in result["why"]:
        print(f"not released: {reason}", file=sys.stderr)
    print(json.dumps(result))


def retrain(args: argparse.Namespace) -> Row:
    """Runs the stages; returns {"released", "why", "model", "rows", "figures"}.

    `why` holds a line for each reason not to release. Raises UserError for settings that cannot work and for feedback
    without a row to train on, checkpoints.Stopped when SIGTERM ended a training.
    """
    _check(args)
    args.output_dir = args.output_dir.resolve()  # notes of stages name files: they hold in any working folder
    served, target = _places(args)
    take_back(target)
    stages = Stages(args.output_dir)
    result_path = args.output_dir / RESULT
    if ended := result_path.exists():  # this one begins with what has come since
        stages.reopen("rows")
        result_path.unlink()
    rows = stages.run("rows", _settings(args), lambda folder: make_rows(args, folder))
    experiment = experiments.Experiment.start(
        args.output_dir, "retrain", _parameters(args), rows, price_per_hour=args.price_per_hour, tracker=args.tracker,
        resumed=not ended, name=args.run_name,
    )  # fmt: skip
    try:
        made = _made(args, stages, rows["pairs"] >= args.min_pairs, target.stem)
        held_out = [*held_out_rows(args.output_dir / "rows"), *evaluation(args)]
        figures = _judged(args, stages, held_out, served, made.file) | {"verify": made.verified}
        why = reasons(figures, args.margin)
        _draw(args.output_dir / "comparison.png", figures)
        if not why:
            release(made.file, target)
    except BaseException as error:
        stopped = isinstance(error, (checkpoints.Stopped, KeyboardInterrupt))
        experiment.finish({}, "stopped" if stopped else "failed")
        raise
    result = {"released": not why, "why": why, "model": str(made.file if why else target)}
    result |= {"rows": rows, "figures": figures}
    write_json(result_path, result)
    experiment.finish({"released": not why, **_scores(figures)})
    return result


@dataclass(frozen=True)
class _Made:
    """The new model as a file, and whether it says what the trained model says."""

    file: Path
    verified: Row


def _made(args: argparse.Namespace, stages: Stages, prefers: bool, name: str) -> _Made:
    """The stages from rows to a file; each is stamped with what it is made from."""
    rows = args.output_dir / "rows" / "train"
    completions, preferences = (rows / f"{kind}.jsonl" for kind in ("completions", "preferences"))
    base = fingerprint(args.base)

    inputs = {
        "base": base,
        "rows": fingerprint(completions),
        "recipe": _recipe(args.sft_recipe),
        "seed": args.seed,
    }
    adapter = Path(stages.run("sft", inputs, lambda folder: _sft(args, completions, folder))["adapter"])
    if prefers:
        inputs |= {"adapter": fingerprint(adapter), "rows": fingerprint(preferences)}
        inputs["recipe"] = _recipe(args.prefer_recipe)
        first = adapter
        work = stages.run("prefer", inputs, lambda folder: _prefer(args, first, preferences, folder))
        adapter = Path(work["adapter"])

    inputs = {"base": base, "adapter": fingerprint(adapter)}
    merged = Path(stages.run("merge", inputs, lambda folder: _merge(args, adapter, folder))["folder"])
    inputs = {"merged": fingerprint(merged), "type": args.type, "name": name}
    files = stages.run("gguf", inputs, lambda folder: _gguf(args, merged, name, folder))
    inputs = {kind: fingerprint(Path(path)) for kind, path in files.items()}
    verified = stages.run("verify", inputs, lambda _: _verify(files, merged))
    return _Made(Path(files["file"]), verified)


def _check(args: argparse.Namespace) -> None:
    """Raises UserError for what would fail hours later."""
    from conversion.quantize import FILE_TYPES

    for name, highest in (("held_out_share", 0.9), ("replay_share", 0.99), ("margin", 100)):
        if not 0 <= getattr(args, name) <= highest:
            raise UserError(f"--{name} {getattr(args, name)}: give 0 to {highest}")
    if args.held_out_share == 0 and not args.evaluation:
        raise UserError("--held_out_share 0 leaves nothing to judge by: give --evaluation, or a share")
    for name in ("limit", "min_pairs"):
        if getattr(args, name) is not None and getattr(args, name) < 1:
            raise UserError(f"--{name} {getattr(args, name)}: give 1 or more")
    if args.type not in FILE_TYPES:
        raise UserError(f"--type {args.type}: choose one of {', '.join(FILE_TYPES)}")
    if not (args.base / "config.json").is_file():
        raise UserError(f"--base {args.base} is no folder of a transformers model: it has no config.json")
    for path in filter(None, (args.replay, args.clean, *args.evaluation)):
        if not path.is_file():
            raise UserError(f"{path} does not exist: name a file of JSON lines")
    for path in filter(None, (args.sft_recipe, args.prefer_recipe)):
        _recipe(path)
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UserError("retrain runs in one process: start it without accelerate launch")


def _places(args: argparse.Namespace) -> tuple[Path, Path]:
    """The file that is served now, and where the new one goes."""
    from space.engine import locate
    from space.settings import Settings

    args.models_dir = args.models_dir or Settings.from_env().models_dir
    served = locate(args.served, args.models_dir)
    if not served.is_file():
        raise UserError(
            f"{served}: no such model, so there is nothing to beat: give --served and --models_dir"
        )
    return served, args.models_dir / f"{served.stem}.gguf"


def _settings(args: argparse.Namespace) -> Row:
    """What the rows depend on besides the feedback."""
    names = ("dataset", "folder", "export", "seed", "replay_share", "held_out_share")
    files = [fingerprint(path) for path in filter(None, (args.replay, args.clean, *args.evaluation))]
    return {name: getattr(args, name) for name in names} | {"files": files}


# ---- training and conversion -------------------------------------------------------------------------------


def _recipe(path: Path | None) -> Row:
    from training import recipes

    return dict(recipes.read(path)) if path else {}


def _sft(args: argparse.Namespace, rows: Path, folder: Path) -> Row:
    from training import recipes, sft

    return sft.fine_tune(recipes.arguments(_recipe(args.sft_recipe) | _own(args, rows, folder)))


def _prefer(args: argparse.Namespace, adapter: Path, rows: Path, folder: Path) -> Row:
    from training import prefer, recipes

    parser = argparse.ArgumentParser()
    prefer.add_arguments(parser)
    recipe = _recipe(args.prefer_recipe) | _own(args, rows, folder) | {"adapter": str(adapter)}
    recipes.set_defaults(parser, recipe, args.prefer_recipe)
    return prefer.prefer(parser.parse_args([]))


def _own(args: argparse.Namespace, rows: Path, folder: Path) -> dict[str, str]:
    own = {
        "model": args.base,
        "dataset": rows,
        "output_dir": folder,
        "seed": args.seed,
        "tracker": args.tracker,
    }
    return {name: str(value) for name, value in own.items()}


def _merge(args: argparse.Namespace, adapter: Path, folder: Path) -> Row:
    from conversion.merge import merge

    out = folder / "model"
    shutil.rmtree(out, ignore_errors=True)
    _note(merge(args.base, adapter, out))
    return {"folder": str(out)}


def _gguf(args: argparse.Namespace, merged: Path, name: str, folder: Path) -> Row:
    from conversion import llama_gguf
    from conversion.checkpoint import Checkpoint
    from conversion.quantize import quantize

    f16, file = folder / "f16.gguf", folder / f"{name}.gguf"
    _note(llama_gguf.convert(Checkpoint.open(merged), f16, "F16", name, None))
    _note(quantize(f16, file, args.type, None))
    return {"f16": str(f16), "file": str(file)}


def _verify(made: Row, merged: Path) -> Row:
    """The F16 file must say what the folder says, the smaller one nearly that."""
    from conversion.verify import verify

    failed = []
    for path in (made["f16"], made["file"]):
        report = verify(Path(path), merged, min_agreement=_MIN_AGREEMENT)
        print(report.table(), file=sys.stderr)
        failed += [f"{Path(path).name}: {check.name}" for check in report.checks if not check.passed]
    return {"passed": not failed, "failed": failed}


def _note(lines: Iterable[str]) -> None:
    for line in lines:
        print(f"note: {line}", file=sys.stderr)


# ---- judgement ---------------------------------------------------------------------------------------------


def scored(model: Path, held_out: Sequence[Row], clean: Sequence[str], limit: int | None, seed: int) -> Row:
    """What the pipeline makes of the texts with this model, as numbers: no text is kept.

    `held_out` has [true positives, false positives, false negatives] of the edits of each row, `clean` whether each text
    was changed, `fair` by group the percentage of emails whose edits depend on who is in them.
    """
    from training import metrics
    from training.behaviour import SUITES

    subject = Subject(str(model), MODES[0])
    counts = []
    for row in held_out:
        made = metrics.edits(row["prompt"], subject.correct(row["prompt"], row["mode"]))
        wanted = [metrics.edits(row["prompt"], reference) for reference in row["references"]]
        counts.append(metrics.best_match(made, wanted).counts())
    fair = SUITES["fair"]
    figures = fair.run(fair.rows(None, limit), subject, seed).figures
    groups = {
        name: group["differ_percent"]["value"] for name, group in figures.items() if "differ_percent" in group
    }
    return {"held_out": counts, "clean": [subject.correct(text) != text for text in clean], "fair": groups}


def _judged(
    args: argparse.Namespace, stages: Stages, held_out: Sequence[Row], served: Path, candidate: Path
) -> Row:
    """The figures of both models side by side, and the paired interval of the difference on the held-out rows."""
    clean = clean_texts(args)
    inputs = {"held_out": held_out, "clean": clean, "limit": args.limit, "seed": args.seed}

    def score(name: str, model: Path) -> Row:
        return stages.run(
            name,
            inputs | {"model": fingerprint(model)},
            lambda _: scored(model, held_out, clean, args.limit, args.seed),
        )

    new = score("candidate", candidate)
    same = fingerprint(served) == fingerprint(candidate)
    return figures_of(new if same else score("served", served), new) | {"same": same}


def figures_of(served: Row, candidate: Row) -> Row:
    """From what `scored` returned for two models: F0.5 and shares in percent, the difference with its 95 % interval."""
    from training.compare import paired
    from training.metrics import f_half
    from training.suites import Case, Measure

    f05 = Measure("edits", f_half)
    first, second = (
        [Case(str(row), "", [], {"edits": counts}) for row, counts in enumerate(each["held_out"])]
        for each in (served, candidate)
    )
    sides = _sides(_number(f05(first)), _number(f05(second)))
    return {
        "held_out": {"rows": len(first), **sides, **paired(first, second, f05)},
        "clean": {
            "texts": len(served["clean"]),
            **_sides(_percent(served["clean"]), _percent(candidate["clean"])),
        },
        "fair": {name: _sides(value, candidate["fair"][name]) for name, value in served["fair"].items()},
    }


def _sides(served: float | None, candidate: float | None) -> Row:
    return {"served": served, "candidate": candidate}


def _percent(flags: Sequence[bool]) -> float:
    return round(100 * sum(flags) / max(len(flags), 1), 2)


def _number(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 2)


def reasons(figures: Row, margin: float = 0.0) -> list[str]:
    """Why the new model is not to be released, a line for each reason; none if it is.

    It has to say what its folder says; to be better on the held-out rows with 95 % confidence; and on clean text and in
    each group of the fairness suite to be worse by no more than `margin` percentage points.
    """
    if figures.get("same"):
        return ["it is what is served already: it was released before, and no other feedback has come since"]
    why = []
    if not figures["verify"]["passed"]:
        failed = ", ".join(figures["verify"]["failed"])
        why.append(f"the file does not say what the trained model says ({failed}): see conversion verify")
    why += _not_better(figures["held_out"])
    clean = figures["clean"]
    if _grown(clean) > margin:
        why.append(
            f"worse on clean text: it changes {clean['candidate']} % of {clean['texts']} texts, the served model "
            f"{clean['served']} %"
        )
    for group, share in figures["fair"].items():
        if _grown(share) > margin:
            why.append(
                f"less fair: the edits of {share['candidate']} % of emails depend on {group}, with the served model "
                f"{share['served']} %"
            )
    return why


def _grown(sides: Row) -> float:
    """By how many points; rounded, or 0.8 would be more than 0.1 above 0.7."""
    return round(sides["candidate"] - sides["served"], 2)


def _not_better(held_out: Row) -> list[str]:
    difference = held_out["difference"]
    if difference["value"] is None or held_out["rows"] < _FEWEST_HELD_OUT:
        return [
            f"nothing to judge by: {held_out['rows']} held-out rows; wait for more feedback, or give --evaluation"
        ]
    if held_out["verdict"] == "better":
        return []
    what = "worse" if held_out["verdict"] == "worse" else "not surely better"
    return [
        f"{what} on {held_out['rows']} held-out rows: F0.5 {held_out['candidate']}, the served model "
        f"{held_out['served']}; difference {difference['value']} ({difference['low']} to {difference['high']})"
    ]


# ---- release -----------------------------------------------------------------------------------------------


def _backup(target: Path) -> Path:
    return target.with_name(f"{target.name}.old")  # not .gguf, or it would be offered as a model


def _part(path: Path) -> Path:
    return path.with_name(f"{path.name}.part")


def take_back(target: Path) -> None:
    """Puts the old file back where a release was cut short, and clears up after it."""
    backup = _backup(target)
    with told(target):
        if backup.exists():
            backup.replace(target)
        for left in (backup, _part(backup), _part(target)):  # of two names of one file, renaming leaves both
            left.unlink(missing_ok=True)


def release(file: Path, target: Path) -> None:
    """Puts the file in the place of the served one, which stays as a backup until the new one has been opened there.

    At every moment there is a whole model under the served name. Raises UserError, with the old file back in its place,
    when the new one cannot be written or opened.
    """
    from space.engine import LlamaCpp

    part = _part(target)
    with told(target):
        try:
            shutil.copyfile(file, part)
            with part.open("rb") as copied:
                os.fsync(copied.fileno())
            _keep(target)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    try:
        LlamaCpp(target, n_ctx=128).close()
    except UserError:
        take_back(target)
        raise
    _backup(target).unlink(missing_ok=True)


def _keep(target: Path) -> None:
    """A second name for the served file, or a copy where the disk has none, which is put back only if it is whole."""
    if not target.exists():
        return
    part = _part(_backup(target))
    try:
        os.link(target, part)
    except OSError:
        shutil.copyfile(target, part)
    part.replace(_backup(target))


def _draw(path: Path, figures: Row) -> None:
    """Both models side by side: F0.5 of the held-out rows, clean texts changed, emails whose edits depend on a group."""
    from training import pictures

    pairs = {"held-out F0.5": figures["held_out"], "clean changed": figures["clean"], **figures["fair"]}
    values: dict[str, pictures.Bar] = {
        f"{name}, {side}": pair[side]
        for name, pair in pairs.items()
        for side in ("served", "candidate")
        if pair[side] is not None
    }
    pictures.bars(path, values, "The served model and the new one", "%")


def _scores(figures: Row) -> Row:
    """The figures that `training compare` lists."""
    found = {f"held_out_f0.5_{name}": figures["held_out"].get(name) for name in ("served", "candidate")}
    found |= {f"clean_changed_percent_{name}": figures["clean"][name] for name in ("served", "candidate")}
    return found


def _parameters(args: argparse.Namespace) -> Row:
    return {name: value for name, value in vars(args).items() if name not in ("run", "command")}

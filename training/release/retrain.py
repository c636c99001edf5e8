"""From feedback to a new model, which is released only if it is better than the one that is served.

    python -m training base --out runs/base
    python -m training retrain --base runs/base --output_dir runs/retrain
    python -m training retrain --base runs/base --output_dir runs/retrain --dataset OWNER/NAME --clean mail.jsonl

The feedback comes from the dataset on the Hub (--dataset, or FEEDBACK_DATASET), from the journal on this machine
(--folder, or FEEDBACK_DIR), or from a folder that `python -m feedback export` wrote (--export). Its drafts are cut into
sentences, mixed with rows like those that the base was trained on (--replay, or generated mail) and trained on: sft, then prefer if there are enough
pairs. A share of the drafts, chosen by a hash so that it is the same share every time, is never trained on: on those that
people corrected, or rejected changes of, the new model must beat the served one, by a paired bootstrap interval that lies
above zero; of the changes that people accepted and of our own sentences it must not surely lose some; and it must not surely
change more of the clean texts, nor be less fair. If so the file in --models_dir is replaced; if not, a line says why for each reason, and the exit code
is 0 all the same.

Each step leaves its result in --output_dir and is passed over when it is there: the command goes on where it was
stopped, with the feedback that it began with. Given again after its end it asks for the feedback anew.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from space.errors import UserError
from training.release import candidate, gate
from training.release.candidate import Candidate
from training.release.feedback_rows import clean_texts, evaluation, held_out_rows, make_rows
from training.release.swap import release, roll_back
from training.runs import experiments
from training.runs.steps import Steps, fingerprint, write_json

RESULT = "result.json"
_COPIES = 3  # of the base's weights in --output_dir: the merged model, its GGUF of 16 bits and a smaller one

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
    parser.add_argument("--output_dir", type=Path, required=True, help="folder for all steps")
    training = parser.add_argument_group("training")
    training.add_argument(
        "--replay",
        type=Path,
        help="rows of the base's training set (draft, corrected); default: generated mail",
    )
    training.add_argument("--replay_share", type=float, default=0.5, help="of the training rows")
    training.add_argument(
        "--min_pairs",
        type=int,
        default=1000,
        help="preferences, or there is no prefer step: of 200 it learns nothing",
    )
    training.add_argument(
        "--sft_recipe",
        type=Path,
        default=Path("retrain"),
        help="YAML file with options of sft, or a shipped recipe",
    )
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
        "--margin",
        type=float,
        default=0.0,
        help="percentage points that count as no worse on accepted, clean and fair",
    )
    judgement.add_argument("--limit", type=int, help="only so many texts of the clean and fairness suites")
    experiments.add_arguments(parser)


def run(args: argparse.Namespace) -> None:
    result = retrain(args)
    for reason in result["why"]:
        print(f"not released: {reason}", file=sys.stderr)
    print(json.dumps(result))


def retrain(args: argparse.Namespace) -> Row:
    """Runs the steps; returns {"released", "why", "model", "rows", "figures"}.

    `why` holds a line for each reason not to release. Raises UserError for settings that cannot work and for feedback
    without a row to train on, checkpoints.Stopped when SIGTERM ended a training.
    """
    _check(args)
    args.output_dir = args.output_dir.resolve()  # notes of steps name files: they hold in any working folder
    served, target = candidate.places(args.served, args.models_dir)
    args.models_dir = target.parent
    roll_back(target)
    steps = Steps(args.output_dir)
    result_path = args.output_dir / RESULT
    if ended := result_path.exists():  # this one begins with what has come since
        steps.reopen("rows")
        result_path.unlink()
    rows = steps.run("rows", _settings(args), lambda folder: make_rows(args, folder))
    experiment = experiments.Experiment.start(
        args.output_dir, "retrain", experiments.parameters(args), rows, price_per_hour=args.price_per_hour,
        tracker=args.tracker, resumed=not ended, name=args.run_name,
    )  # fmt: skip
    with experiment.ending():
        new = _build(args, steps, rows["pairs"] >= args.min_pairs, target)
        held_out = [*held_out_rows(args.output_dir / "rows"), *evaluation(args)]
        figures = _judged(args, steps, held_out, served, new.file) | {"verify": new.verified}
        why = gate.reasons(figures, args.margin)
        gate.draw(args.output_dir / "comparison.png", figures)
        if not why:
            release(new.file, target)
        result = {"released": not why, "why": why, "model": str(new.file if why else target)}
        result |= {"rows": rows, "figures": figures}
        write_json(result_path, result)
    experiment.finish({"released": not why, **gate.scores(figures)})
    return result


def _build(args: argparse.Namespace, steps: Steps, prefers: bool, target: Path) -> Candidate:
    """The steps from rows to a file; each is stamped with what it is made from."""
    rows = args.output_dir / "rows" / "train"
    completions, preferences = (rows / f"{kind}.jsonl" for kind in ("completions", "preferences"))
    base = fingerprint(args.base)

    inputs = {
        "base": base,
        "rows": fingerprint(completions),
        "recipe": _recipe(args.sft_recipe),
        "seed": args.seed,
    }
    adapter = Path(steps.run("sft", inputs, lambda folder: _sft(args, completions, folder))["adapter"])
    if prefers:
        inputs |= {"adapter": fingerprint(adapter), "rows": fingerprint(preferences)}
        inputs["recipe"] = _recipe(args.prefer_recipe)
        first = adapter
        work = steps.run("prefer", inputs, lambda folder: _prefer(args, first, preferences, folder))
        adapter = Path(work["adapter"])

    weights = candidate.merged(steps, args.base, adapter)
    return candidate.made(steps, weights, target, args.type)


def _check(args: argparse.Namespace) -> None:
    """Raises UserError for what would fail hours later."""
    from training.finetune import lora

    for name, highest in (("held_out_share", 0.9), ("replay_share", 0.99), ("margin", 100)):
        if not 0 <= getattr(args, name) <= highest:
            raise UserError(f"--{name} {getattr(args, name)}: give 0 to {highest}")
    if args.held_out_share == 0 and not args.evaluation:
        raise UserError("--held_out_share 0 leaves nothing to judge by: give --evaluation, or a share")
    for name in ("limit", "min_pairs"):
        if getattr(args, name) is not None and getattr(args, name) < 1:
            raise UserError(f"--{name} {getattr(args, name)}: give 1 or more")
    candidate.require_type(args.type)
    if not (args.base / "config.json").is_file():
        raise UserError(f"--base {args.base} is no folder of a transformers model: it has no config.json")
    for path in filter(None, (args.replay, args.clean, *args.evaluation)):
        if not path.is_file():
            raise UserError(f"{path} does not exist: name a file of JSON lines")
    for path in (args.sft_recipe, args.prefer_recipe):
        lora.require_packages(argparse.Namespace(**{"tracker": args.tracker, **_recipe(path)}))
    evaluation(args), clean_texts(args)  # read here, so that a file without their columns is refused
    _require_memory(args)
    candidate.require_convertible(args.base)
    candidate.require_room(args.output_dir, args.base, _COPIES)
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UserError("retrain runs in one process: start it without accelerate launch")


def _require_memory(args: argparse.Namespace) -> None:
    """UserError if not even one token can be trained on."""
    from training.finetune import lora, memory, recipes

    options = recipes.arguments(_recipe(args.sft_recipe))
    config, _ = lora.config_and_tokenizer(str(args.base))
    memory.check(str(args.base), config, lora.new_adapter(options), options, tokens=1)


def _settings(args: argparse.Namespace) -> Row:
    """What the rows depend on besides the feedback."""
    names = ("dataset", "folder", "export", "seed", "replay_share", "held_out_share")
    files = [fingerprint(path) for path in filter(None, (args.replay, args.clean, *args.evaluation))]
    return {name: getattr(args, name) for name in names} | {"files": files}


# ---- training ----------------------------------------------------------------------------------------------


def _recipe(path: Path | None) -> Row:
    from training.finetune import recipes

    return dict(recipes.read(path)) if path else {}


def _sft(args: argparse.Namespace, rows: Path, folder: Path) -> Row:
    from training.finetune import recipes, sft

    return sft.fine_tune(recipes.arguments(_recipe(args.sft_recipe) | _own(args, rows, folder)))


def _prefer(args: argparse.Namespace, adapter: Path, rows: Path, folder: Path) -> Row:
    from training.finetune import prefer, recipes

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


def _judged(args: argparse.Namespace, steps: Steps, held_out: Sequence[Row], served: Path, file: Path) -> Row:
    """The figures of both models side by side, and the paired interval of the difference on the held-out rows."""
    clean = clean_texts(args)
    inputs = {"held_out": held_out, "clean": clean, "limit": args.limit, "seed": args.seed}

    def score(name: str, model: Path) -> Row:
        return steps.run(
            name,
            inputs | {"model": fingerprint(model)},
            lambda _: gate.scored(model, held_out, clean, args.limit, args.seed),
        )

    new = score("candidate", file)
    same = fingerprint(served) == fingerprint(file)
    return gate.figures_of(new if same else score("served", served), new) | {"same": same}

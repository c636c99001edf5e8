"""Search for the options of a fine-tuning: successive halving, random search, or one option at a time.

    python -m training search --model DIR --dataset rows.jsonl --output_dir runs/search
    python -m training search ... --rank_by loss gleu clean
    python -m training search ... --method random --trials 12 --vary learning_rate=1e-5:1e-3:log --vary lora_r=4,8,16
    python -m training search ... --method factor --recipes proofreader --vary learning_rate=5e-6,5e-5

`halving` trains every recipe (six by default) for the first rung's budget, goes on with the best half from their
checkpoints to the next rung, and so on (Jamieson and Talwalkar 2016). `random` draws its trials from ranges
(Bergstra and Bengio 2012), `factor` changes one option of the recipe at a time. A budget is a number of training
tokens, not of steps: --rungs is in steps of the first trial, and what it reads in them is what each of the others may
read, in as many steps as it needs. One schedule of the learning rate spans all rungs, so that a trial that goes on is
the same run as one that was never stopped.

Trials run in Ray Tune (training/finetune/trials.py): on this machine, or with --ray_address on a cluster whose nodes have this
folder, the model and --output_dir at the same paths (its token, if it asks for one, is taken from RAY_AUTH_TOKEN, with
RAY_AUTH_MODE=token). A trial that is killed goes on from its newest checkpoint, and
so does a search when the same command is given again. --output_dir gets results.json, search.html, losses.png,
seconds.png and winner.yaml, which `python -m training sft --recipe` takes; each trial has its folder in trials/.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from space.errors import UserError
from training.finetune import dataset, recipes
from training.finetune.trials import DATA, FIGURES, PLAN, TRIALS, Figures, is_clean, train_rung, workers
from training.runs import atomic_write, experiments, pictures
from training.runs.tables import in_columns

METHODS = ("halving", "random", "factor")
RANKED = {
    "loss": ("eval_loss", 1),
    "gleu": ("gleu", -1),
    "clean": ("clean", 1),
}  # 1: less is better, -1: more is
RUNGS = {"halving": [80, 160], "random": [160], "factor": [160]}
VARIED = {
    "random": ["learning_rate=1e-5:1e-3:log", "lora_r=4,8,16,32", "lora_alpha=8,16,32,64", "lora_dropout=0:0.1"],
    "factor": ["learning_rate=5e-6,5e-5,5e-4", "lora_r=8,16,64"],
}  # fmt: skip

Values = list[Any] | tuple[float, float, bool]  # to choose from; or low, high and whether it is logarithmic


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", required=True, help="base of all trials: a folder or a Hub repo id")
    parser.add_argument("--output_dir", type=Path, required=True, help="folder for trials and results")
    parser.add_argument("--seed", type=int, default=0, help="of splits, draws and trainings")
    search = parser.add_argument_group("search")
    search.add_argument("--method", choices=METHODS, default=METHODS[0], help="how trials are found")
    search.add_argument(
        "--recipes", type=Path, nargs="+", default=[], metavar="FILE",
        help="YAML as `sft` takes it: each a trial of halving, one the base of random and factor; rows and length"
        " of the training are this command's, whatever a recipe says of them",
    )  # fmt: skip
    search.add_argument(
        "--vary", action="append", default=[], metavar="NAME=VALUES",
        help="values a,b,c; random also takes low:high and low:high:log; repeat for more options",
    )  # fmt: skip
    search.add_argument("--trials", type=int, default=8, help="how many random draws")
    search.add_argument(
        "--rungs", type=int, nargs="+", help="budgets in steps of the first trial (halving 80 160, else 160)"
    )
    search.add_argument("--eta", type=int, default=2, help="one trial in so many goes on to the next rung")
    search.add_argument(
        "--rank_by", nargs="+", choices=RANKED, default=["loss"],
        help="held-out loss; GLEU; share of clean texts changed; of several, the sum of the ranks",
    )  # fmt: skip
    search.add_argument("--scored_rows", type=int, default=200, help="held-out rows that gleu and clean use")
    search.add_argument("--ray_address", help="host:port of a Ray cluster; else Ray is started here")
    search.add_argument("--trials_at_once", type=int, help="by default one per GPU, or one without a GPU")
    dataset.add_arguments(parser)
    experiments.add_arguments(parser)


def run(args: argparse.Namespace) -> None:
    began = time.monotonic()
    if find_spec("ray") is None:
        raise UserError('search needs Ray: pip install "ray[tune]"')
    out = args.output_dir.resolve()
    plan = make_plan(args, out)
    names = list(plan["trials"])
    rungs: list[dict[str, Figures]] = []
    # Ray tells of killed processes on stdout, which is for the result.
    with redirect_stdout(sys.stderr), workers(args.ray_address, args.trials_at_once) as resources:
        for rung, tokens in enumerate(plan["rungs"]):
            print(f"rung {rung + 1} of {len(plan['rungs'])}: {len(names)} trials, {tokens:,} tokens each", file=sys.stderr)  # fmt: skip
            results = train_rung(out, rung, names, resources)
            order = ranking(results, args.rank_by)
            if not order:
                raise UserError(f"no trial could be trained; {names[0]}: {results[names[0]].get('error')}")
            rungs.append({name: results[name] for name in [*order, *(n for n in names if n not in order)]})
            names = survivors(order, args.eta)
    print(json.dumps(write_results(out, plan, rungs, time.monotonic() - began)))


# ---- which trials ------------------------------------------------------------------------------------------


def candidates(
    method: str, files: Sequence[Path], vary: Sequence[str], count: int, seed: int
) -> dict[str, dict[str, Any]]:
    """The recipe of each trial by its name. UserError for options that do not go together."""
    varied = dict(parse_vary(text) for text in vary or VARIED.get(method, []))
    if fixed := _same() & set(varied):
        raise UserError(f"--vary {min(fixed)}: rows and length of the training are the same for all trials")
    if method == "halving":
        if vary:
            raise UserError("--vary is for --method random or factor; halving compares recipes")
        paths = files or sorted(recipes.FOLDER.glob("halving_*.yaml"))
        if len({path.stem for path in paths}) < len(paths):
            raise UserError("two of the recipes have the same name: rename one, trials are called after them")
        return {path.stem: _read(path) for path in paths}
    if len(files) > 1:
        raise UserError(f"--method {method} varies one recipe: give --recipes one")
    base = _read(files[0]) if files else {}
    if method == "random":
        rng = random.Random(seed)
        return {
            f"draw-{number:02d}": base | {name: draw(values, rng) for name, values in varied.items()}
            for number in range(1, count + 1)
        }
    found = {"base": base}
    for name, values in varied.items():
        if isinstance(values, tuple):
            raise UserError(f"--vary {name}: factor takes values a,b,c; ranges are for --method random")
        found |= {f"{name}={value}".replace("/", "-"): base | {name: value} for value in values}
    return found


def _read(path: Path) -> dict[str, Any]:
    same = _same()
    return {name: value for name, value in recipes.read(path).items() if name not in same}


def _same() -> set[str]:
    """Options that are not a trial's own: rows, length of the training, where it is written."""
    parser = argparse.ArgumentParser()
    dataset.add_arguments(parser)
    experiments.add_arguments(parser)
    return {*vars(parser.parse_args([])), "max_steps", "model", "output_dir", "seed"}


def parse_vary(text: str) -> tuple[str, Values]:
    """NAME=a,b,c is a list of values; NAME=low:high or NAME=low:high:log a range.

    >>> parse_vary("lora_r=4,8"), parse_vary("learning_rate=1e-5:1e-3:log")
    (('lora_r', [4, 8]), ('learning_rate', (1e-05, 0.001, True)))
    """
    name, _, values = text.partition("=")
    name = name.strip().replace("-", "_")
    if not name or not values:
        raise UserError(f"--vary {text}: give NAME=a,b,c or NAME=low:high or NAME=low:high:log")
    if ":" not in values:
        return name, [_value(each.strip()) for each in values.split(",")]
    low, high, *rest = (_value(part) for part in values.split(":"))
    if rest not in ([], ["log"]) or isinstance(low, str) or isinstance(high, str) or not low < high:
        raise UserError(f"--vary {text}: a range is low:high or low:high:log, with low below high")
    if rest and low <= 0:
        raise UserError(f"--vary {text}: a logarithmic range begins above 0")
    return name, (low, high, bool(rest))


def _value(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return {"true": True, "false": False}.get(text.lower(), text)


def draw(values: Values, rng: random.Random) -> Any:
    """One of the values, or a number of the range, with three digits (an integer where both ends are)."""
    if isinstance(values, list):
        return rng.choice(values)
    low, high, logarithmic = values
    number = math.exp(rng.uniform(math.log(low), math.log(high))) if logarithmic else rng.uniform(low, high)
    return round(number) if isinstance(low, int) and isinstance(high, int) else float(f"{number:.3g}")


# ---- how long, and which is best -----------------------------------------------------------------------------


def tokens_per_step(options: argparse.Namespace, lengths: Sequence[int]) -> float:
    """Tokens of an epoch over its steps, of which the last one has what rows are left.

    Rows are cut at max_length; packed, so many of them make a row that their tokens fill it.
    """
    tokens = sum(min(each, options.max_length) for each in lengths)
    rows = math.ceil(tokens / options.max_length) if options.packing else len(lengths)
    return tokens / math.ceil(
        rows / (options.per_device_train_batch_size * options.gradient_accumulation_steps)
    )


def steps_for(tokens: float, options: argparse.Namespace, lengths: Sequence[int]) -> int:
    """Optimiser steps in which a trial reads about so many tokens; at least one."""
    return max(1, round(tokens / tokens_per_step(options, lengths)))


def ranking(results: Mapping[str, Figures], by: Sequence[str]) -> list[str]:
    """Names from best to worst by the sum of their ranks, then by loss; those without figures are left out.

    >>> ranking({"a": {"eval_loss": 1.2}, "b": {"eval_loss": 0.9}, "c": {"error": "out of memory"}}, ["loss"])
    ['b', 'a']
    """
    keys = {RANKED[each][0] for each in ("loss", *by)}
    complete = {
        name: figures
        for name, figures in results.items()
        if all(isinstance(figures.get(key), (int, float)) and math.isfinite(figures[key]) for key in keys)
    }

    def better(name: str) -> int:
        """How many are better than it, over all figures."""
        signs = [RANKED[each] for each in by]
        return sum(
            sign * other[key] < sign * complete[name][key]
            for key, sign in signs
            for other in complete.values()
        )

    return sorted(complete, key=lambda name: (better(name), complete[name]["eval_loss"]))


def survivors(order: Sequence[str], eta: int) -> list[str]:
    """The best of an order: one in `eta`, rounded up."""
    return list(order[: math.ceil(len(order) / eta)])


def make_plan(args: argparse.Namespace, out: Path) -> dict[str, Any]:
    """All that the trials need, which is written to --output_dir together with the rows that they share.

    UserError for options that cannot be searched, or when the folder holds another search.
    """
    rungs = args.rungs or RUNGS[args.method]
    if rungs != sorted(set(rungs)) or rungs[0] < 1 or args.eta < 2:
        raise UserError("--rungs are growing numbers of steps, such as 80 160, and --eta is 2 or more")
    trials = candidates(args.method, args.recipes, args.vary, args.trials, args.seed)
    if args.scored_rows < 1:
        raise UserError(f"--scored_rows {args.scored_rows}: give 1 or more")
    if len(trials) < 2:
        raise UserError("a search compares two trials or more: give more recipes, values or --trials")
    options = {name: recipes.arguments(recipe) for name, recipe in trials.items()}
    rows = _rows(args, list(options.values()))
    model = str(Path(args.model).resolve()) if Path(args.model).exists() else args.model
    budgets = [round(steps * tokens_per_step(next(iter(options.values())), rows.lengths)) for steps in rungs]
    plan = {
        "method": args.method, "rank_by": args.rank_by, "scored_rows": args.scored_rows, "eta": args.eta,
        "rungs": budgets, "data": {"fingerprint": rows.fingerprint, "rows": len(rows.train)},
        "shared": {
            "model": model, "task": args.task, "dataset": [str(out / DATA / "train.jsonl")],
            "validation": str(out / DATA / "validation.jsonl"), "seed": args.seed, "tracker": args.tracker,
            "price_per_hour": args.price_per_hour,
        },
        "trials": {
            name: {
                "recipe": recipe,
                "tokens_per_step": tokens_per_step(options[name], rows.lengths),
                "steps": [steps_for(budget, options[name], rows.lengths) for budget in budgets],
            }
            for name, recipe in trials.items()
        },
    }  # fmt: skip
    if (out / PLAN).exists() and json.loads((out / PLAN).read_text(encoding="utf-8")) != plan:
        raise UserError(f"{out} holds another search: give the same options, or another --output_dir")
    for name, part in (("train", rows.train), ("validation", rows.validation)):
        atomic_write.write(out / DATA / f"{name}.jsonl", "".join(json.dumps(row) + "\n" for row in part))
    atomic_write.write(out / PLAN, json.dumps(plan, indent=1) + "\n")
    return plan


def _rows(args: argparse.Namespace, trials: Sequence[argparse.Namespace]) -> dataset.Data:
    """Rows that fit into every trial."""
    from training.finetune.sft import config_and_tokenizer

    template = next((each.chat_template_path for each in trials if each.chat_template_path), None)
    options = argparse.Namespace(
        **vars(args), max_length=min(each.max_length for each in trials), chat_template_path=template
    )
    rows = dataset.load(options, config_and_tokenizer(options)[1], args.output_dir)
    if not rows.validation:
        raise UserError("trials are ranked on held-out rows: give --validation, or a share above 0")
    if "clean" in args.rank_by and not any(map(is_clean, rows.validation[: args.scored_rows])):
        raise UserError("--rank_by clean needs held-out rows whose output is their input: there are none")
    return rows


# ---- results -------------------------------------------------------------------------------------------------


def write_results(
    out: Path, plan: Mapping[str, Any], rungs: Sequence[Mapping[str, Figures]], seconds: float
) -> dict[str, Any]:
    """The files in --output_dir, and the table on stderr; returns what goes to stdout."""
    rows = [
        {"rung": number, "trial": name, **{key: figures.get(key) for key in FIGURES}}
        for number, results in enumerate(rungs, 1)
        for name, figures in results.items()
    ]
    winner = next(iter(rungs[-1]))
    took: dict[str, pictures.Bar] = {}
    losses = {}
    for name, each in plan["trials"].items():
        curve = experiments.curve(out / TRIALS / name, "loss")
        losses[name] = [(step * each["tokens_per_step"] / 1000, loss) for step, loss in curve]
        took[name] = max(results[name].get("seconds", 0.0) for results in rungs if name in results)
    shown = [
        pictures.curves(out / "losses.png", losses, "Training loss", "thousand tokens", "loss"),
        pictures.bars(out / "seconds.png", took, "Wall time of the trials", "seconds"),
    ]
    tables = {
        "Results, best first": rows,
        "Recipes": [{"trial": name, **each["recipe"]} for name, each in plan["trials"].items()],
    }
    pictures.html(out / "search.html", f"Search: {plan['method']}", tables, shown)
    recipes.write(out / "winner.yaml", plan["trials"][winner]["recipe"])
    report = {
        "winner": winner, "recipe": str(out / "winner.yaml"), "trials": len(plan["trials"]),
        **{key: value for key, value in rungs[-1][winner].items() if value is not None},
        "search_seconds": round(seconds, 1),
    }  # fmt: skip
    atomic_write.write(
        out / "results.json", json.dumps({**report, "plan": plan, "results": rows}, indent=1) + "\n"
    )
    measured = [{name: value for name, value in row.items() if value is not None} for row in rows]
    print(in_columns(measured), file=sys.stderr)
    return report

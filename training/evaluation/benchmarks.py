"""General benchmarks of models and of every checkpoint of a run, by EleutherAI's lm-evaluation-harness.

    python -m training benchmarks --model BASE --model runs/sft --limit 100
    python -m training benchmarks --model runs/merged --gguf new.gguf --task mmlu --task gsm8k

A model is a folder or a Hub repo id, an adapter of LoRA (with its base), or the folder of a run: then each of its complete
checkpoints in the order of their steps, and its adapter. Benchmarks are those that a fine-tune should not lose:

    mmlu             knowledge, 57 subjects, 5 examples in the prompt     acc
    truthfulqa_mc2   common misconceptions                                acc
    bbq              social bias in questions, clear and not              acc, accuracy_amb, ..., bias scores
    gsm8k            sums given in words, 5 examples                       exact_match
    cnn_dailymail    summaries of news                                    rouge1, rouge2, rougeL
    bbh              the 27 hard tasks of BIG-bench, 3 examples           exact_match

or any other task of the harness under its name there. `--gguf` adds our own rows to a model: robustness and fairness of
the proofreader that was made of it (the suites robust and fair of `evaluate`). Figures are on the scale that the harness
gives, most from 0 to 1, with a 95 % interval of 1.96 standard errors where it gives one. Each model's go to
--output_dir as soon as they are there, and are not measured again; at the end a table for each model and one of all
(benchmarks.html, stderr) and a line of JSON. Data sets are downloaded from the Hub; where there is none, a folder with tasks of the
same names whose rows are here (`--include_path`) takes their place.
"""

from __future__ import annotations

import argparse
import difflib
import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from space.errors import UserError
from training.evaluation.evaluate import SUITES
from training.evaluation.suites import Subject
from training.runs import checkpoints, pictures
from training.runs.atomic_write import write_errors
from training.runs.steps import read_json, write_json
from training.runs.tables import in_columns, side_by_side

_OURS = ("robust", "fair")
_ADAPTER = "adapter_config.json"


@dataclass(frozen=True)
class Benchmark:
    """Its name in the harness, the examples in the prompt (None: the harness's own number), and its main metrics, in
    order; none named: all of them."""

    task: str
    shots: int | None = None
    metrics: tuple[str, ...] = ()


# Numbers of examples as usual in published tables (the first Open LLM Leaderboard of Hugging Face).
BENCHMARKS = {
    "mmlu": Benchmark("mmlu", 5, ("acc",)),
    "truthfulqa_mc2": Benchmark("truthfulqa_mc2", 0, ("acc",)),
    "bbq": Benchmark(
        "bbq", 0, ("acc", "accuracy_amb", "accuracy_disamb", "amb_bias_score", "disamb_bias_score")
    ),
    "gsm8k": Benchmark("gsm8k", 5, ("exact_match",)),
    "cnn_dailymail": Benchmark("cnn_dailymail_abisee", 0, ("rouge1", "rouge2", "rougeL")),
    "bbh": Benchmark("bbh_fewshot", 3, ("exact_match",)),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", action="append", required=True, help="see above; repeat for more")
    parser.add_argument("--gguf", action="append", help="of each --model in turn: adds our own rows")
    parser.add_argument("--base", help="base of adapters, where it is not where they say it is")
    parser.add_argument(
        "--task",
        action="append",
        help=f"{', '.join(BENCHMARKS)} (default: all), or the harness's own; repeat",
    )
    parser.add_argument("--num_fewshot", type=int, help="examples in the prompt, of all tasks")
    parser.add_argument("--limit", type=int, help="only the first rows of each task")
    parser.add_argument("--batch_size", default="1", help="a number, or auto on a GPU")
    parser.add_argument("--device", help="cpu, cuda:0 and so on; default: a GPU if there is one")
    parser.add_argument("--dtype", default="auto", help="of the weights: auto, float32, bfloat16")
    parser.add_argument("--apply_chat_template", action="store_true", help="prompts as turns of a chat")
    parser.add_argument("--include_path", type=Path, help="a folder with more tasks of the harness (YAML)")
    parser.add_argument("--output_dir", type=Path, default=Path("runs/benchmarks"))


def run(args: argparse.Namespace) -> None:
    if args.limit is not None and args.limit < 1:
        raise UserError(f"--limit {args.limit}: give 1 or more")
    candidates = [each for model in args.model for each in found(model, args.base)]
    if args.gguf and len(args.gguf) != len(candidates):
        raise UserError(
            f"--gguf is given {len(args.gguf)} times for {len(candidates)} models: give one for each"
        )
    if find_spec("lm_eval") is None:
        raise UserError("benchmarks need lm-evaluation-harness: pip install 'lm-eval[hf]' rouge-score")
    with write_errors(args.output_dir):
        args.output_dir.mkdir(parents=True, exist_ok=True)
    tasks = [BENCHMARKS.get(name, Benchmark(name)) for name in dict.fromkeys(args.task or BENCHMARKS)]
    manager = _manager(args.include_path, tasks)
    columns: dict[str, dict[str, Any]] = {}
    for k, candidate in enumerate(candidates):
        own = {task.task: _figures_of(args, candidate, task, manager) for task in tasks}
        if args.gguf:
            own |= ours(args.gguf[k], args.limit)
        columns[candidate.name] = own
    together = side_by_side(columns, "benchmark")
    print(in_columns(together), file=sys.stderr)
    tables = {name: side_by_side({name: own}, "benchmark") for name, own in columns.items()}
    if len(columns) > 1:
        tables = {"All": together, **tables}
    page = pictures.html(args.output_dir / "benchmarks.html", "Benchmarks", tables)
    print(json.dumps({"benchmarks": columns, "page": str(page)}))


# ---- models ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Candidate:
    """A model to measure: weights, and an adapter on them or None."""

    name: str
    pretrained: str
    adapter: str | None = None


def found(model: str, base: str | None = None) -> list[Candidate]:
    """What --model names: one model, or all complete checkpoints of a run and its adapter. UserError for a folder with neither.

    What is no folder is taken for a Hub repo id.
    """
    folder = Path(model)
    if not folder.is_dir():
        if len(folder.parts) != 2 or folder.is_absolute():
            raise UserError(f"{model}: no such folder, and no Hub repo id (owner/name)")
        return [Candidate(model, model)]
    if (folder / _ADAPTER).exists() or (folder / "config.json").exists():
        return [_candidate(folder, base)]
    complete = [path for path in checkpoints.numbered(folder) if checkpoints.is_complete(path)]
    parts = [*complete, *(folder / name for name in ("adapter", "model") if (folder / name).is_dir())]
    if not parts:
        raise UserError(f"{model} holds no model, adapter or complete checkpoint: name another folder")
    return [_candidate(part, base) for part in parts]


def _candidate(folder: Path, base: str | None) -> Candidate:
    if not (folder / _ADAPTER).exists():
        return Candidate(str(folder), str(folder))
    try:
        written = json.loads((folder / _ADAPTER).read_text(encoding="utf-8")).get("base_model_name_or_path")
    except (ValueError, AttributeError) as error:
        raise UserError(f"{folder / _ADAPTER} cannot be read: train the adapter again") from error
    if not (base or written):
        raise UserError(f"{folder} does not say what base it is for: name it with --base")
    return Candidate(str(folder), base or written, str(folder))


# ---- the harness -------------------------------------------------------------------------------------------


def _manager(include_path: Path | None, tasks: Sequence[Benchmark]) -> Any:
    """The harness's tasks, with those that are asked for loaded once, so that what is missing is reported before hours of work."""
    manager_of = import_module("lm_eval.tasks").TaskManager  # installed by who asks for it
    with redirect_stdout(sys.stderr):
        manager = None
        if include_path is not None:  # reading the harness's own thousands of tasks takes half a minute
            manager = manager_of(include_path=str(include_path), include_defaults=False)
        if manager is None or not all(task.task in manager.all_tasks for task in tasks):
            manager = manager_of(include_path=None if include_path is None else str(include_path))
        for task in tasks:
            if task.task not in manager.all_tasks:
                near = difflib.get_close_matches(task.task, manager.all_tasks, 3)
                like = f", but {', '.join(near)}" if near else ""
                raise UserError(f"the harness has no task {task.task}{like}; `lm_eval ls tasks` lists them")
            try:
                manager.load([task.task])
            except Exception as error:  # of the network, the Hub or datasets: of any kind
                reason = (str(error).strip() or type(error).__name__).splitlines()[0]
                raise UserError(f"the data of {task.task} cannot be had from the Hub: {reason}") from error
    return manager


def _figures_of(
    args: argparse.Namespace, candidate: Candidate, task: Benchmark, manager: Any
) -> dict[str, Any]:
    """The figures of a model in a task, measured unless the same was measured before."""
    shots = task.shots if args.num_fewshot is None else args.num_fewshot
    asked = {
        "model": candidate.name, "base": candidate.pretrained, "weights": _stamp(candidate), "task": task.task,
        "shots": shots, "limit": args.limit, "dtype": args.dtype, "chat": args.apply_chat_template,
    }  # fmt: skip
    name = hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:16]
    path = args.output_dir / f"{task.task}-{name}.json"
    if "figures" in (earlier := read_json(path)):
        return dict(earlier["figures"])
    print(f"{candidate.name}: {task.task}", file=sys.stderr, flush=True)
    own = _measured(args, candidate, task, shots, manager)
    write_json(path, {**asked, "figures": own})
    return own


def _stamp(candidate: Candidate) -> list[list[Any]]:
    """Size and time of the files of weights here: a model that was trained again is measured again."""
    folder = Path(candidate.adapter or candidate.pretrained)
    files = sorted(folder.glob("*.safetensors")) if folder.is_dir() else []
    return [[path.name, path.stat().st_size, path.stat().st_mtime_ns] for path in files]


def _measured(
    args: argparse.Namespace, candidate: Candidate, task: Benchmark, shots: int | None, manager: Any
) -> dict[str, Any]:
    import torch

    simple_evaluate = import_module("lm_eval").simple_evaluate
    model = {"pretrained": candidate.pretrained, "dtype": args.dtype}
    if candidate.adapter:
        model["peft"] = candidate.adapter
    try:
        with redirect_stdout(sys.stderr):
            results = simple_evaluate(
                model="hf", model_args=model, tasks=[task.task], num_fewshot=shots, limit=args.limit,
                batch_size=args.batch_size, device=args.device or ("cuda" if torch.cuda.is_available() else "cpu"),
                apply_chat_template=args.apply_chat_template, log_samples=False, task_manager=manager,
            )  # fmt: skip
    except OSError as error:  # of transformers and the Hub, for a model that is not there
        raise UserError(
            f"{candidate.name} cannot be measured: {' '.join(str(error).split())[:200]}"
        ) from error
    return figures(results["results"][task.task], task.metrics)


def figures(result: Mapping[str, Any], metrics: Sequence[str] = ()) -> dict[str, Any]:
    """The metrics of one task in the harness's words ("acc,none", "acc_stderr,none"), by name, with intervals.

    A metric that is counted after several filters of the answer has one figure for each.

    >>> figures({"alias": "x", "acc,none": 0.5, "acc_stderr,none": 0.1})
    {'acc': {'value': 0.5, 'low': 0.304, 'high': 0.696}}
    """
    own: dict[str, Any] = {}
    for key, value in result.items():
        metric, _, filtered = key.partition(",")
        if metric.endswith("_stderr") or not filtered or not isinstance(value, (int, float)):
            continue
        if metrics and metric not in metrics:
            continue
        error = result.get(f"{metric}_stderr,{filtered}")
        name = metric if filtered == "none" else f"{metric} {filtered}"
        if isinstance(error, (int, float)):
            own[name] = {
                "value": round(value, 4),
                "low": round(value - 1.96 * error, 4),
                "high": round(value + 1.96 * error, 4),
            }
        else:
            own[name] = round(value, 4)
    order = {metric: k for k, metric in enumerate(metrics)}
    return dict(sorted(own.items(), key=lambda item: order.get(item[0].split()[0], 0)))


# ---- our own rows ------------------------------------------------------------------------------------------


def ours(gguf: str, limit: int | None) -> dict[str, Any]:
    """Robustness and fairness of the proofreader with this model, in percent and points as `evaluate` gives them."""
    subject = Subject(gguf, "proofread")
    return {name: SUITES[name].run(SUITES[name].rows(None, limit), subject, 1).figures for name in _OURS}

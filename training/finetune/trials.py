"""The trials of `training search`, in processes of Ray Tune.

Ray starts the processes, gives each trial its share of cores and GPUs, and starts a trial again when its process was
killed; the trial then goes on from its newest checkpoint. What is left of a trial after each rung is a file with its
figures, so that nothing is trained twice when a search is started again. Ray sends no statistics of its use, and leaves
no process and no file behind.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import socket
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from space.errors import UserError
from training.finetune import recipes
from training.finetune.samples import answers
from training.runs import atomic_write, checkpoints

Figures = Mapping[str, Any]  # of a trial after a rung, by FIGURES; of one that failed `error` alone

FIGURES = ("eval_loss", "gleu", "clean", "loss", "steps", "tokens", "seconds", "error")
PLAN, DATA, TRIALS = "plan.json", "data", "trials"  # in the folder of the search

_ROOT = Path(__file__).resolve().parents[2]
_RAY = {
    "RAY_USAGE_STATS_ENABLED": "0",  # else it sends them to its makers
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # ray 2.60 warns where this is not set
    "RAY_AIR_NEW_OUTPUT": "0",  # the old output can be silenced
    "RAY_CHDIR_TO_TRIAL_DIR": "0",  # paths in recipes are meant from here
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Ctrl+C is answered as in the other commands
}
_KILLS = 3  # so often a trial may be killed before it is given up
_GIVEN_UP = {"error": f"killed {_KILLS + 1} times: is there enough memory?"}
_ANSWER_SECONDS = 10
_LOGGING_STEPS = 5
_GENERATED_AT_ONCE = 16  # texts


@contextmanager
def workers(address: str | None, at_once: int | None) -> Iterator[dict[str, float]]:
    """Ray, and how much of it each trial gets. What was started here ends with the block.

    UserError when no cluster answers at the address.
    """
    if address:
        _require_answer(address)
    os.environ.update(_RAY)
    import ray

    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.CRITICAL}
    options["runtime_env"] = {"env_vars": {"PYTHONPATH": str(_ROOT)}}
    scratch = None
    if not address:
        # Ray puts sockets there, and their paths must be short: the temporary folder of macOS is too long.
        scratch = tempfile.mkdtemp(prefix="ray-", dir=os.environ.get("RAY_TMPDIR", "/tmp"))
        options |= {"include_dashboard": False, "_temp_dir": scratch}
    try:
        try:
            ray.init(address or "local", **options)
        except Exception as error:  # on a machine that is too busy Ray raises no kind of its own
            why = " ".join(str(error).split())[:200]
            raise UserError(
                f"no Ray cluster answers at {address or 'this machine'}: {why}; one that asks for a token takes it from "
                "RAY_AUTH_TOKEN, with RAY_AUTH_MODE=token"
            ) from error
        logging.getLogger("ray").setLevel(logging.CRITICAL)
        found = ray.cluster_resources()
        count = max(1, at_once or int(found.get("GPU", 0)))
        # Never more than one GPU: the budgets count on it.
        yield {"cpu": max(1, found["CPU"] // count), "gpu": min(1, found.get("GPU", 0) / count)}
    finally:
        ray.shutdown()
        if scratch:
            shutil.rmtree(scratch, ignore_errors=True)


def _require_answer(address: str) -> None:
    """UserError if nothing listens at host:port: Ray itself would try for seven minutes, and tell of it all the while."""
    host, _, port = address.rpartition(":")
    if address == "auto" or "://" in address:  # of other kinds Ray knows best
        return
    try:
        socket.create_connection((host, int(port)), timeout=_ANSWER_SECONDS).close()
    except (OSError, ValueError, OverflowError) as error:
        raise UserError(f"no Ray cluster answers at {address}; `ray start --head` starts one") from error


def train_rung(
    out: Path, rung: int, names: Sequence[str], resources: Mapping[str, float]
) -> dict[str, Figures]:
    """The figures of each trial after this rung (the first is 0); a line on stderr for each that is done."""
    from ray import tune

    class Progress(tune.Callback):
        def on_trial_complete(self, iteration: int, trials: Any, trial: Any, **_: Any) -> None:
            figures = {key: value for key, value in trial.last_result.items() if key in FIGURES}
            line = "  ".join(f"{key} {value}" for key, value in figures.items() if value is not None)
            print(f"{trial.config['name']}: {line}", file=sys.stderr, flush=True)

    tuner = tune.Tuner(
        tune.with_resources(trial, dict(resources)),
        param_space={"name": tune.grid_search(list(names)), "out": str(out), "rung": rung},
        run_config=tune.RunConfig(
            name=f"rung-{rung + 1}-{time.time_ns()}", storage_path=str(out / "ray"), verbose=0,
            callbacks=[Progress()], failure_config=tune.FailureConfig(max_failures=_KILLS),
        ),
    )  # fmt: skip
    try:
        done = tuner.fit()
        ended = [done[k] for k in range(len(done))]
    finally:
        shutil.rmtree(out / "ray", ignore_errors=True)
    found = {each.config["name"]: each.metrics for each in ended if each.config and not each.error}
    return {
        name: {key: value for key, value in (found.get(name) or _GIVEN_UP).items() if key in FIGURES}
        for name in names
    }


def trial(config: Mapping[str, Any]) -> dict[str, Any]:
    """Trains one recipe to the end of one rung and returns its figures, or takes those that are there already."""
    from training.finetune import sft

    out, rung = Path(config["out"]), config["rung"]
    folder = out / TRIALS / config["name"]
    finished = folder / f"rung-{rung + 1}.json"
    if finished.exists():
        return json.loads(finished.read_text(encoding="utf-8"))
    plan = json.loads((out / PLAN).read_text(encoding="utf-8"))
    shared, planned = plan["shared"], plan["trials"][config["name"]]
    end, last = planned["steps"][rung], planned["steps"][-1]
    folder.mkdir(parents=True, exist_ok=True)
    with (
        (folder / "trial.log").open("a", encoding="utf-8") as log,
        redirect_stdout(log),
        redirect_stderr(log),
    ):
        try:
            newest = checkpoints.newest(folder)
            reached = (
                newest is not None and int(newest.name.split("-")[1]) >= end
            )  # killed while it was scored
            own = {"output_dir": str(folder), "max_steps": end if reached else last}
            args = recipes.arguments({"logging_steps": _LOGGING_STEPS, **planned["recipe"], **shared, **own})
            done = sft.fine_tune(args, [_stop_at(end)])
            figures = {key: done[key] for key in FIGURES if key in done}
            if set(plan["rank_by"]) & {"gleu", "clean"}:
                lines = (out / DATA / "validation.jsonl").read_text(encoding="utf-8").splitlines()
                rows = [json.loads(line) for line in lines[: plan["scored_rows"]]]
                figures |= written(shared["model"], done["adapter"], rows)
        except Exception as error:  # a recipe that cannot be trained has lost, and the others go on
            traceback.print_exc()
            return {"error": f"{type(error).__name__}: {' '.join(str(error).split())}"[:200]}
    atomic_write.write(finished, json.dumps(figures))
    return figures


def _stop_at(step: int) -> Any:
    """A callback that ends the training there, with a checkpoint to go on from."""
    from transformers import TrainerCallback

    class StopAt(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step >= step:
                control.should_save = control.should_training_stop = True

    return StopAt()


def draft(row: Mapping[str, Any]) -> str:
    return row["prompt"][-1]["content"]


def is_clean(row: Mapping[str, Any]) -> bool:
    return draft(row) == row["completion"][0]["content"]


def written(model: str, adapter: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, float | None]:
    """GLEU of what the model writes for the rows' prompts, and the share of clean texts that it changes, in percent.

    It is the bare model that writes, greedily: the checks of the app would hide how recipes differ.
    """
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from training.data.gleu import gleu, gleu_counts, tokenize

    tokenizer = AutoTokenizer.from_pretrained(adapter)  # with the template that it learnt
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    device, dtype = ("cuda", torch.bfloat16) if torch.cuda.is_available() else ("cpu", torch.float32)
    base = AutoModelForCausalLM.from_pretrained(model, dtype=dtype, use_safetensors=True)
    tuned = PeftModel.from_pretrained(base, adapter).to(device).eval()
    ordered = sorted(rows, key=lambda row: len(draft(row)))  # less padding
    texts: list[str] = []
    for start in range(0, len(ordered), _GENERATED_AT_ONCE):
        part = ordered[start : start + _GENERATED_AT_ONCE]
        longest = max(len(tokenizer(draft(row))["input_ids"]) for row in part)
        texts += answers(tuned, tokenizer, [row["prompt"] for row in part], longest + 16)
    pairs = list(zip(ordered, texts, strict=True))
    counts = [
        [gleu_counts(*map(tokenize, (draft(row), row["completion"][0]["content"], text)))]
        for row, text in pairs
    ]
    changed = [text != draft(row).strip() for row, text in pairs if is_clean(row)]
    share = 100 * sum(changed) / len(changed) if changed else None
    return {"gleu": gleu(counts, 0, draws=1), "clean": share}

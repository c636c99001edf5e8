"""What a run leaves behind: its parameters, data, code, hardware, time, cost and scores, and its curves.

    run = Experiment.start(folder, "sft", parameters, data, price_per_hour=1.2)
    run.log(100, {"loss": 1.5})
    run.finish({"gleu": 47.1})

`folder/run.json` is written when the run starts and when it ends, `folder/log.jsonl` grows by a line for each call
of `log`. Both are plain files, so that `python -m training compare` needs no server; a tracker gets the same figures:
trackio, which keeps them on this machine (see them with `trackio show`), or Weights & Biases. A tracker that fails is
left alone, with one warning: no training ends because of it.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from datetime import datetime, timezone
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from space.errors import UserError
from training.runs.atomic_write import write_errors
from training.runs.checkpoints import Stopped
from training.runs.steps import write_json

TRACKERS = ("trackio", "wandb", "none")
RECORD, LOG = "run.json", "log.jsonl"
PROJECT = "proofreader"  # what trackers file the runs under

_PACKAGES = ("torch", "transformers", "trl", "peft", "datasets", "accelerate", "llama_cpp_python")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    log = parser.add_argument_group("experiment log")
    log.add_argument("--tracker", choices=TRACKERS, default="trackio", help="trackio stays on this machine")
    log.add_argument(
        "--price_per_hour", type=float, help="of this machine: the record then estimates the cost"
    )
    log.add_argument("--run_name", help="in tables and trackers; the folder's name by default")


class Experiment:
    """A run that is going on. Of several processes of one training only the first writes (RANK, as torchrun sets it)."""

    def __init__(self, folder: Path, record: dict[str, Any], tracker: _Tracker, price: float | None) -> None:
        self.folder, self.record = folder, record
        self._tracker, self._price = tracker, price
        self._before, self._began = float(record["seconds"]), time.monotonic()
        self._writes = is_first()

    @classmethod
    def start(
        cls,
        folder: str | Path,
        command: str,
        parameters: Mapping[str, Any],
        data: Mapping[str, Any],
        *,
        price_per_hour: float | None = None,
        tracker: str = "trackio",
        resumed: bool = False,
        name: str | None = None,
    ) -> Experiment:
        """Writes the record, with status "running". `price_per_hour` is in whatever currency the reader thinks in.

        `resumed` goes on with the run that is in the folder: its id, its start, its curves and the seconds that it has
        taken so far. Without a run there it starts one. UserError for a price below zero, a tracker that is not
        installed though it was asked for, or a folder that cannot be written.
        """
        if price_per_hour is not None and not (math.isfinite(price_per_hour) and price_per_hour >= 0):
            raise UserError(f"--price_per_hour {price_per_hour}: give 0 or more")
        if tracker not in TRACKERS:
            raise UserError(f"no tracker is called {tracker!r}: use {', '.join(TRACKERS)}")
        if tracker == "wandb" and find_spec("wandb") is None:
            raise UserError("--tracker wandb needs Weights & Biases: pip install wandb")
        folder = Path(folder)
        old = read(folder) if resumed and (folder / RECORD).exists() else {}
        record = {
            "id": old.get("id") or uuid.uuid4().hex[:12],
            "name": name or old.get("name") or folder.resolve().name,
            "command": command,
            "status": "running",
            "parameters": _plain(parameters),
            "data": _plain(data),
            "code": code(),
            "versions": versions(),
            "hardware": hardware(),
            "started": old.get("started") or datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "seconds": _seconds_so_far(folder, old) if old else 0.0,
            "cost": None,
            "scores": {},
        }
        run = cls(folder, record, _Tracker(), price_per_hour)
        if run._writes:
            with write_errors(folder):
                folder.mkdir(parents=True, exist_ok=True)
                if old:
                    _drop_torn_line(folder / LOG)
                else:
                    (folder / LOG).write_text("", encoding="utf-8")
            run._write()
            run._tracker.open(tracker, folder, record, resumed=bool(old))
        return run

    def log(self, step: int, figures: Mapping[str, float]) -> None:
        """Adds a line to the log; what is no finite number is written as null, as JSON has no other way.

        UserError when the disk is full.
        """
        if not self._writes:
            return
        line = {"step": int(step), "seconds": round(self._elapsed(), 2), **_plain(figures)}
        with write_errors(self.folder), (self.folder / LOG).open("a", encoding="utf-8") as out:
            out.write(json.dumps(line, allow_nan=False) + "\n")
        self._tracker.log(int(step), {name: value for name, value in line.items() if name != "step"})

    def finish(self, scores: Mapping[str, Any], status: str = "done") -> dict[str, Any]:
        """The record as it is written at the end, with seconds, cost and scores."""
        seconds = self._elapsed()
        self.record |= {
            "status": status,
            "seconds": round(seconds, 2),
            "cost": None if self._price is None else round(self._price * seconds / 3600, 4),
            "scores": _plain(scores),
        }
        if self._writes:
            self._write()
            self._tracker.close(self.record["scores"])
        return self.record

    @contextmanager
    def ending(self) -> Iterator[None]:
        """A block which, when it is left too early, leaves a record that says so: stopped, or failed."""
        try:
            yield
        except BaseException as error:
            self.finish({}, "stopped" if isinstance(error, (Stopped, KeyboardInterrupt)) else "failed")
            raise

    def _elapsed(self) -> float:
        return self._before + time.monotonic() - self._began

    def _write(self) -> None:
        write_json(self.folder / RECORD, self.record)


def is_first() -> bool:
    """Whether this is the only process of its training, or the first."""
    return os.environ.get("RANK", "0") == "0"


def parameters(args: argparse.Namespace) -> dict[str, Any]:
    """What a run was asked to do: its options."""
    return {name: value for name, value in vars(args).items() if not callable(value) and name != "command"}


def require_same(
    folder: str | Path, args: argparse.Namespace, fixed: Collection[str], data: Mapping[str, Any]
) -> None:
    """UserError if the run in the folder had other data, or other values of `fixed` options: it cannot be gone on with."""
    if not (Path(folder) / RECORD).exists():
        return
    record = read(folder)
    before = record["parameters"]
    differ = [name for name in fixed if str(before.get(name)) != str(_plain(getattr(args, name)))]
    if any(record["data"].get(name) != value for name, value in data.items()):
        differ.append("data")
    if differ:
        raise UserError(
            f"{folder} holds a run with other {', '.join(differ)}: give what it had, or another --output_dir"
        )


# ---- reading -----------------------------------------------------------------------------------------------


def read(folder: str | Path) -> dict[str, Any]:
    """The record of the run in a folder. UserError when there is none, or it is torn."""
    path = Path(folder) / RECORD
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(f"{folder} holds no run: there is no {RECORD} in it") from error
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path} cannot be read as the record of a run; remove it, or name another folder"
        ) from error
    if not isinstance(record, dict) or "id" not in record or "command" not in record:
        raise UserError(f"{path} is no record of a run; name another folder")
    return record


def find(root: str | Path) -> list[Path]:
    """The folders of runs in a folder, itself included, in the order in which the runs were started.

    What has the name of a record and is none is left out, with a line on stderr.
    """
    found = []
    for path in Path(root).rglob(RECORD):
        try:
            found.append((str(read(path.parent).get("started", "")), path.parent))
        except UserError as error:
            print(f"left out: {error}", file=sys.stderr)
    return [folder for _, folder in sorted(found)]


def log_of(folder: str | Path) -> list[dict[str, float | None]]:
    """The lines of a run's log, one per step in order, its figures together.

    A run that was killed and went on from an earlier checkpoint has steps twice: what came last counts. A torn last line
    is left out.
    """
    steps: dict[int, dict[str, float | None]] = {}
    for line in _lines(Path(folder) / LOG):
        steps.setdefault(line["step"], {}).update(line)
    return [steps[step] for step in sorted(steps)]


def curve(folder: str | Path, figure: str) -> list[tuple[float, float]]:
    """(step, value) of one figure, such as "loss"; nothing where it was never logged."""
    return [(line["step"], line[figure]) for line in log_of(folder) if line.get(figure) is not None]  # type: ignore[misc]


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    if not path.exists():
        return
    for text in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            line = json.loads(text)
        except ValueError:
            continue
        if isinstance(line, dict) and isinstance(line.get("step"), int):
            yield line


def _seconds_so_far(folder: Path, old: Mapping[str, Any]) -> float:
    """A run that was killed never wrote its end: its last log line says how long it lasted."""
    logged = [float(line.get("seconds") or 0) for line in _lines(folder / LOG)]
    return max([float(old.get("seconds") or 0), *logged])


def _drop_torn_line(log: Path) -> None:
    """Ends a line that a kill has torn, or the next one would be lost with it."""
    if log.exists() and (text := log.read_bytes()) and not text.endswith(b"\n"):
        log.write_bytes(text[: text.rfind(b"\n") + 1])


# ---- what is recorded --------------------------------------------------------------------------------------


def code() -> dict[str, Any]:
    """The commit of this repository and whether tracked files differ from it; None without git."""
    root = Path(__file__).resolve().parents[2]
    try:
        commit, changed = (
            subprocess.run(
                ["git", "-C", str(root), *command], capture_output=True, text=True, check=True, timeout=20
            ).stdout.strip()
            for command in (["rev-parse", "HEAD"], ["status", "--porcelain", "--untracked-files=no"])
        )
    except (OSError, subprocess.SubprocessError):
        return {"commit": None, "dirty": None}
    return {"commit": commit, "dirty": bool(changed)}


def versions() -> dict[str, str]:
    """Of Python and of the packages that make a training what it is, where they are installed."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def hardware() -> dict[str, Any]:
    """Processor, the cores that this process may use, memory in GiB, and the name and number of GPUs."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"cpu": _processor(), "cores": cores, "ram_gib": _memory(), "gpu": _gpu()}


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _memory() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (AttributeError, OSError, ValueError):
        return None


def _gpu() -> str | None:
    try:
        import torch
    except ImportError:
        return None
    count = torch.cuda.device_count()
    return f"{count} x {torch.cuda.get_device_name(0)}" if count else None


def _plain(value: Any) -> Any:
    """The value as JSON can hold it: paths and other objects by their text, numbers that are none as None."""
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if hasattr(value, "item") and not hasattr(value, "__len__"):  # numpy's and torch's scalars
        value = value.item()
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return str(value)


# ---- trackers ----------------------------------------------------------------------------------------------


class _Tracker:
    """Another place that the figures go to. Whatever fails there is reported once, and then it is left alone."""

    def __init__(self) -> None:
        self._module: Any = None  # trackio or wandb, which have the same log and finish

    def open(self, kind: str, folder: Path, record: Mapping[str, Any], resumed: bool) -> None:
        if kind != "none":
            opened = _trackio if kind == "trackio" else _wandb
            self._module = self._safely(lambda: opened(folder, record, resumed))

    def log(self, step: int, figures: Mapping[str, Any]) -> None:
        numbers = {name: value for name, value in figures.items() if value is not None}
        if self._module is not None:
            self._safely(lambda: self._module.log(numbers, step=step))

    def close(self, scores: Mapping[str, Any]) -> None:
        if self._module is None:
            return
        numbers = {name: each for name, each in scores.items() if isinstance(each, (int, float))}
        if numbers:
            self._safely(lambda: self._module.log(numbers))
        if self._module is not None:
            self._safely(lambda: self._module.finish())
        self._module = None

    def _safely(self, call: Callable[[], Any]) -> Any:
        try:
            with redirect_stdout(sys.stderr):  # stdout is for the result
                return call()
        except Exception as error:  # whatever a tracker raises: a training of hours is worth more
            print(f"the tracker is left out of this run: {type(error).__name__}: {error}", file=sys.stderr)
            self._module = None
            return None


def _trackio(folder: Path, record: Mapping[str, Any], resumed: bool) -> Any:
    # Its folder is read when it is imported, so all runs of a process share that of the first.
    before = os.environ.get("TRACKIO_DIR")
    os.environ["TRACKIO_DIR"] = before or str(folder.resolve().parent / "trackio")
    try:
        import trackio
    finally:
        if before is None:
            del os.environ["TRACKIO_DIR"]
    trackio.init(
        project=PROJECT, name=f"{record['name']} {record['id']}", group=record["command"], config=_config(record),
        resume="allow" if resumed else "never", embed=False, auto_log_cpu=False,
    )  # fmt: skip
    return trackio  # and not its run, which finishes once more when the process ends


def _wandb(folder: Path, record: Mapping[str, Any], resumed: bool) -> Any:
    wandb = import_module("wandb")  # installed by who asks for it
    wandb.init(
        project=PROJECT, name=record["name"], id=record["id"], group=record["command"], config=_config(record),
        resume="allow" if resumed else None, dir=str(folder),
    )  # fmt: skip
    return wandb


def _config(record: Mapping[str, Any]) -> dict[str, Any]:
    """trackio keeps names that begin with _ for itself."""
    own = {name.lstrip("_"): value for name, value in record["parameters"].items()}
    return {**own, "data": record["data"], "code": record["code"], "hardware": record["hardware"]}

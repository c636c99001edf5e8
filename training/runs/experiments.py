"""What a run leaves behind: its parameters, data, code, hardware, time, cost and scores, and its curves.

    run = Experiment.start(folder, "sft", parameters, data, price_per_hour=1.2)
    run.log(100, {"loss": 1.5})
    run.finish({"gleu": 47.1})

`folder/run.json` is written when the run starts and when it ends, `folder/log.jsonl` grows by a line for each call
of `log`. Both are plain files, so that `python -m training compare` needs no server, and they go where the folder goes. A
tracker gets the same figures: trackio, which keeps them on this machine (see them with `trackio show`), or Weights &
Biases. It is no place for the record: trackio 0.43 has one database for all runs, in a folder that is fixed when it is
imported, and of a process that was killed 0.2 seconds after its first figures it had nothing, not even the run.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
import uuid
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from space.errors import UserError
from training.runs import environment, trackers
from training.runs.atomic_write import write_errors
from training.runs.checkpoints import RECORD, Stopped
from training.runs.steps import write_json

LOG = "log.jsonl"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    log = parser.add_argument_group("experiment log")
    log.add_argument(
        "--tracker", choices=trackers.TRACKERS, default="trackio", help="trackio stays on this machine"
    )
    log.add_argument(
        "--price_per_hour", type=float, help="of this machine: the record then estimates the cost"
    )
    log.add_argument("--run_name", help="in tables and trackers; the folder's name by default")


class Experiment:
    """A run that is going on. Of several processes of one training only the first writes (RANK, as torchrun sets it)."""

    def __init__(
        self, folder: Path, record: dict[str, Any], tracker: trackers.Tracker, price: float | None
    ) -> None:
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
        trackers.check(tracker)
        folder = Path(folder)
        old = read(folder) if resumed and (folder / RECORD).exists() else {}
        record = {
            "id": old.get("id") or uuid.uuid4().hex[:12],
            "name": name or old.get("name") or folder.resolve().name,
            "command": command,
            "status": "running",
            "parameters": _plain(parameters),
            "data": _plain(data),
            "code": environment.code(),
            "versions": environment.versions(),
            "hardware": environment.hardware(),
            "started": old.get("started") or datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "seconds": _seconds_so_far(folder, old) if old else 0.0,
            "cost": None,
            "scores": {},
        }
        run = cls(folder, record, trackers.Tracker(), price_per_hour)
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

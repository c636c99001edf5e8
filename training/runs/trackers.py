"""Where the figures of a run go besides its folder: trackio, which keeps them on this machine, or Weights & Biases."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import redirect_stdout
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from space.errors import UserError

TRACKERS = ("trackio", "wandb", "none")
PROJECT = "proofreader"  # what trackers file the runs under


def check(kind: str) -> None:
    """UserError for a tracker that does not exist, or is not installed though it was asked for."""
    if kind not in TRACKERS:
        raise UserError(f"no tracker is called {kind!r}: use {', '.join(TRACKERS)}")
    if kind == "wandb" and find_spec("wandb") is None:
        raise UserError("--tracker wandb needs Weights & Biases: pip install wandb")


class Tracker:
    """Another place that the figures of a run go to, or none. Whatever fails there is reported once, and then it is left
    alone: no training ends because of it."""

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


def live_views(folders: Iterable[Path]) -> list[str]:
    """The commands that show the runs in these folders while they go on, in a browser: one for each place that trackio keeps."""
    places = dict.fromkeys(_trackio_folder(folder) for folder in folders)
    trackio = Path(sys.executable).parent / "trackio"
    return [f"TRACKIO_DIR={place} {trackio} show --project {PROJECT}" for place in places if place.is_dir()]


def _trackio_folder(folder: Path) -> Path:
    return Path(os.environ.get("TRACKIO_DIR") or folder.resolve().parent / "trackio")


def _trackio(folder: Path, record: Mapping[str, Any], resumed: bool) -> Any:
    # Its folder is read when it is imported, so all runs of a process share that of the first.
    before = os.environ.get("TRACKIO_DIR")
    os.environ["TRACKIO_DIR"] = str(_trackio_folder(folder))
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

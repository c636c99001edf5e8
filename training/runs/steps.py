"""A long command as resumable steps: each leaves a folder and a note of its result, and is run once for its inputs.

    steps = Steps(folder)
    adapter = steps.run("sft", {"rows": fingerprint(path)}, lambda folder: fine_tune(path, folder))["adapter"]

With other inputs it is run again.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from training.runs import atomic_write
from training.runs.atomic_write import write_errors

Result = dict[str, Any]


class Steps:
    """Pieces of work that each leave a folder and, when they are done, a note with their result beside it.

    A step whose inputs are as they were is not run again; one that was begun with the same inputs goes on in the folder
    that it left, any other starts with an empty one, and so does one whose folder was moved: results name files.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def run(self, name: str, inputs: Mapping[str, Any], work: Callable[[Path], Result]) -> Result:
        """What `work(folder)` returned, now or earlier; it must be JSON."""
        folder, note = self._folder / name, self._folder / f"{name}.json"
        stamp = hashlib.sha256(
            json.dumps([str(folder), inputs], sort_keys=True, default=str).encode()
        ).hexdigest()
        found = read_json(note)
        if found.get("inputs") == stamp and "result" in found and _is_there(found["result"], folder):
            print(f"{name}: done before", file=sys.stderr)
            return found["result"]
        if found.get("inputs") != stamp:
            note.unlink(missing_ok=True)
            shutil.rmtree(folder, ignore_errors=True)
        with write_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
        write_json(note, {"inputs": stamp})
        print(f"{name}: begins", file=sys.stderr)
        result = work(folder)
        write_json(note, {"inputs": stamp, "result": result})
        with contextlib.suppress(OSError):  # it holds something
            folder.rmdir()
        _free_memory()
        return result

    def reopen(self, name: str) -> None:
        """Has the step begin again, whatever its inputs."""
        (self._folder / f"{name}.json").unlink(missing_ok=True)


def _is_there(result: Result, folder: Path) -> bool:
    """Whether the files of its folder that a result names are still there."""
    named = [
        value for value in result.values() if isinstance(value, str) and value.startswith(f"{folder}{os.sep}")
    ]
    return all(Path(value).exists() for value in named)


def _free_memory() -> None:
    """Gives back what the step's models took: a trainer refers to itself, and the next model may need the room."""
    gc.collect()
    if "torch" in sys.modules:
        sys.modules["torch"].cuda.empty_cache()


def fingerprint(path: Path) -> str:
    """SHA-256 of a file, or of the files in a folder with their names; "" if there is nothing."""
    digest = hashlib.sha256()
    paths = sorted(path.rglob("*")) if path.is_dir() else [path]
    for each in paths:
        if not each.is_file():
            continue
        digest.update(str(each.relative_to(path) if path.is_dir() else "").encode())
        with each.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest() if path.exists() else ""


def read_json(path: Path) -> Result:
    """The object in a file; an empty one if there is none or a crash has torn it."""
    try:
        value = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Completely or not at all. UserError if it cannot be written."""
    with write_errors(path):
        atomic_write.write(path, json.dumps(value, indent=1) + "\n")

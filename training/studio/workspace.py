"""The folder that the studio works in: its data sets, bases, runs and files, by the names under which a person chooses them.

workspace = Workspace(Path("runs"))
workspace.runs()                    # ["mine", "search/trials/halving_1"]
workspace.path("mine")              # runs/mine; UserError for what lies elsewhere
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from space.errors import UserError
from training.finetune import recipes
from training.finetune.search import PLAN
from training.runs.atomic_write import replacing, write_errors
from training.runs.checkpoints import RECORD

DATA = "data"  # where files that are opened in the page are put
_ROWS = (".csv", ".json", ".jsonl", ".zst", ".parquet")
_HIDDEN = ("checkpoint-", ".")  # folders in which nobody looks for a model
_ROOM = 1_000_000  # bytes
_DEEP = 6  # folders within folders


class Workspace:
    """Everything is under `folder`, which is made if it is not there. Names are paths in it; nothing else is read or written."""

    def __init__(self, folder: Path) -> None:
        with write_errors(folder):
            (folder / DATA).mkdir(parents=True, exist_ok=True)
        self.folder = folder

    def path(self, name: str) -> Path:
        """UserError if it would lie outside of the folder."""
        if not name.strip():
            raise UserError(f"No name is given: it is that of a folder within {self.folder}")
        path = self.folder / name.strip()
        outside = not path.resolve().is_relative_to(self.folder.resolve())
        if outside or (not path.exists() and Path(name.strip()).exists()):
            raise UserError(f"{name}: give a name within {self.folder}")
        return path

    def new(self, name: str) -> Path:
        """The folder of a run that is to be made. UserError if there is one of that name."""
        path = self.path(name)
        if (path / RECORD).exists():
            raise UserError(f"{path} holds a run already: choose another name, or resume that one.")
        return path

    def source(self, name: str) -> str:
        """A data set or model as a command takes it: a path if there is such a file or folder here, else a Hub repo id.

        UserError for what a command would find elsewhere.
        """
        name = name.strip()
        if not name:
            raise UserError("Choose a data set or a model first.")
        if (self.folder / name).exists() or Path(name).exists() or ".." in Path(name).parts:
            return str(self.path(name))
        return name

    def take_in(self, file: Path) -> str:
        """Copies a file of rows into the folder, under its own name or one with a number. UserError if it is no such file."""
        if file.suffix not in _ROWS:
            raise UserError(f"{file.name} is no file of rows: they are read from {', '.join(_ROWS)}")
        target, number = self.folder / DATA / file.name, 1
        while target.exists():
            number += 1
            target = target.with_name(f"{file.stem}-{number}{file.suffix}")
        with write_errors(target), replacing(target) as part:
            shutil.copyfile(file, part)
        return self._name(target)

    def is_full(self) -> bool:
        """Whether a command can hardly write anything more."""
        return shutil.disk_usage(self.folder).free < _ROOM

    # ---- what there is ----

    def data_sets(self) -> list[str]:
        kept = (path for path in self._walk(self.folder / DATA) if path.suffix in _ROWS)
        return sorted(map(self._name, kept))

    def bases(self) -> list[str]:
        """Folders of models that can be trained on."""
        found = (path.parent for path in self._walk() if path.name == "config.json")
        return sorted(self._name(path) for path in found if any(path.glob("*.safetensors")))

    def runs(self) -> list[str]:
        """The newest first."""
        found = [path for path in self._walk() if path.name == RECORD]
        return [self._name(path.parent) for path in sorted(found, key=lambda each: -each.stat().st_mtime)]

    def fine_tunes(self) -> list[str]:
        """Runs with an adapter at their end."""
        return [name for name in self.runs() if (self.folder / name / "adapter").is_dir()]

    def searches(self) -> list[str]:
        return [self._name(path.parent) for path in self._walk() if path.name == PLAN]

    def models(self) -> list[str]:
        """Files that the proofreader loads."""
        return sorted(self._name(path) for path in self._walk() if path.suffix == ".gguf")

    def recipes(self) -> list[str]:
        """The shipped ones, and those that searches found."""
        shipped = sorted(path.stem for path in recipes.FOLDER.glob("*.yaml"))
        return [*shipped, *sorted(self._name(path) for path in self._walk() if path.suffix == ".yaml")]

    def recipe(self, name: str) -> str:
        """As `--recipe` takes it."""
        return name if (recipes.FOLDER / f"{name}.yaml").is_file() else str(self.path(name))

    def _name(self, path: Path) -> str:
        return path.relative_to(self.folder).as_posix()

    def _walk(self, top: Path | None = None) -> Iterator[Path]:
        """Every file under the folder, but not those of checkpoints."""
        for at, folders, files in os.walk(top or self.folder):
            here = Path(at)
            deep = len(here.relative_to(self.folder).parts) >= _DEEP
            folders[:] = [] if deep else [each for each in folders if not each.startswith(_HIDDEN)]
            yield from (here / each for each in files)

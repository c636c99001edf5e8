"""A new model in the place of the one that is served: at every moment a complete one stands there.

roll_back(target)  # what a release that was cut short has left
release(Path("new.gguf"), target, keep=True)
restore(target)  # the one before
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from space.errors import UserError
from training.runs.atomic_write import write_errors


def roll_back(target: Path) -> None:
    """Puts the old file back where a release was cut short, and clears up after it."""
    backup = _backup(target)
    with write_errors(target):
        if backup.exists():
            backup.replace(target)
        for left in (backup, _part(backup), _part(target)):  # of two names of one file, renaming leaves both
            left.unlink(missing_ok=True)


def release(file: Path, target: Path, keep: bool = False) -> None:
    """Puts the file in the place of the served one, which stays as a backup until the new one has been opened there, and with
    `keep` beyond that: `restore` puts it back.

    At every moment there is a complete model under the served name. Raises UserError, with the old file back in its place,
    when the new one cannot be written or opened.
    """
    from space.proofread.llm.llama_cpp import LlamaCpp

    part = _part(target)
    with write_errors(target):
        try:
            shutil.copyfile(file, part)
            with part.open("rb") as copied:
                os.fsync(copied.fileno())
            _back_up(target)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    try:
        LlamaCpp(target, n_ctx=128).close()
    except UserError:
        roll_back(target)
        raise
    with write_errors(target):
        if keep and _backup(target).exists():
            _backup(target).replace(_replaced(target))
        else:  # an older one is not what this release has replaced
            for left in (_backup(target), _replaced(target)):
                left.unlink(missing_ok=True)


def restore(target: Path) -> None:
    """Puts the file back that was replaced last. UserError if there is none, or it does not open."""
    from space.proofread.llm.llama_cpp import LlamaCpp

    if _backup(target).exists():  # the last release was cut short
        return roll_back(target)
    if not _replaced(target).is_file():
        raise UserError(f"{_replaced(target)} is not there: no file was kept that {target.name} has replaced")
    LlamaCpp(_replaced(target), n_ctx=128).close()
    with write_errors(target):
        _replaced(target).replace(target)


def _back_up(target: Path) -> None:
    """A second name for the served file, or a copy where the disk has none, which is put back only if it is complete."""
    if not target.exists():
        return
    part = _part(_backup(target))
    try:
        os.link(target, part)
    except OSError:
        shutil.copyfile(target, part)
    part.replace(_backup(target))


def _backup(target: Path) -> Path:
    return target.with_name(f"{target.name}.old")  # not .gguf, or it would be offered as a model


def _replaced(target: Path) -> Path:
    return target.with_name(f"{target.name}.replaced")


def _part(path: Path) -> Path:
    return path.with_name(f"{path.name}.part")

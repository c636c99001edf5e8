"""Files that are there completely or not at all, whatever ends the process that writes them."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from space.errors import UserError


def write(path: Path, text: str, mode: int = 0o666) -> None:
    """Puts a file in the place of the one that was there, and makes its folder; `mode` is as in `os.open`. Raises OSError.

    Several processes, on several machines too, may write the same one: that of the last stays.
    """
    with replacing(path) as part:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "w", encoding="utf-8") as out:
            out.write(text)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A name to write to: what is there at the end of the block becomes `path`, and nothing of it stays after an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        yield part
        os.replace(part, path)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


@contextmanager
def write_errors(path: Path) -> Iterator[None]:
    """Raises UserError, in one line that names the path, for an OSError of the block."""
    try:
        yield
    except OSError as error:
        raise UserError(
            f"{path} cannot be written: {error.strerror or error}; free some space, or name another folder"
        ) from error

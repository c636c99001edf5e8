"""Files that are there as a whole or not at all, whatever ends the process that writes them."""

from __future__ import annotations

import os
import uuid
from pathlib import Path


def write(path: Path, text: str, mode: int = 0o666) -> None:
    """Puts a file in the place of the one that was there, and makes its folder; `mode` is as in `os.open`. Raises OSError.

    Several processes, on several machines too, may write the same one: that of the last stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "w", encoding="utf-8") as out:
            out.write(text)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)

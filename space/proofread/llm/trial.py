"""Whether llama.cpp can run a file that a stranger may have made: it is loaded once in a process of its own.

For on some files llama.cpp ends the process that loads them: on 17 of 199 that were made to be wrong (0.3.36, November 2026),
by many an assertion. Of those `gguf_header.py` finds two; what is right depends on the architecture, and llama.cpp has over a
hundred.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

from space.errors import UserError
from space.proofread.gguf_header import Header
from space.proofread.llm.memory import estimated

# The process takes a second in all with a small model; more is for larger ones, of which each byte is read.
CPU_SECONDS = 5.0
BYTES_PER_CPU_SECOND = 100e6
DEADLINE_SECONDS = 60.0  # on a machine that is busy with other things
BYTES_PER_SECOND = 20e6  # from a slow disk
SPARE_BYTES = 600 * 2**20  # of memory beyond the estimate; the process itself takes 100 MB

_TRY = Path(__file__).with_name("try_model.py")


def try_model(path: Path, header: Header, n_ctx: int, adapter: Path | None = None) -> None:
    """UserError if llama.cpp cannot load the model, lay the adapter over it, and read a text, in bounded time and memory."""
    embeddings = header.text("general.architecture") == "bert"  # it writes no text
    memory_bytes = estimated(path, header, n_ctx) + SPARE_BYTES
    _try(_stamp(path), n_ctx, memory_bytes, _stamp(adapter) if adapter else None, embeddings)


_Stamp = tuple[Path, int, int]


def _stamp(path: Path) -> _Stamp:
    status = path.stat()
    return path, status.st_size, status.st_mtime_ns


@lru_cache(maxsize=32)  # a model that is switched to again was tried before
def _try(model: _Stamp, n_ctx: int, memory_bytes: int, adapter: _Stamp | None, embeddings: bool) -> None:
    path, size, _ = model
    request = {
        "path": [str(folder) for folder in sys.path], "model": str(path), "adapter": str(adapter[0]) if adapter else "", "n_ctx": n_ctx,
        "embeddings": embeddings, "cpu_seconds": CPU_SECONDS + size / BYTES_PER_CPU_SECOND, "memory_bytes": memory_bytes,
    }  # fmt: skip
    what, why = _answer(request, DEADLINE_SECONDS + size / BYTES_PER_SECOND)
    why = " ".join("".join(char if char.isprintable() else " " for char in why).split())
    if what == "adapter" and adapter:
        raise UserError(
            f"{adapter[0]}: no adapter of this model, or not complete{f' ({why})' if why else ''}; restore it, or delete it."
        )
    if what:
        raise UserError(
            f"{path}: llama.cpp cannot run this model ({why or 'it gives no reason'}); download or convert it again, or choose another."
        )


def _answer(request: dict[str, Any], deadline: float) -> tuple[str, str]:
    """What is wrong, "model" or "adapter", and why; ("", "") if nothing is."""
    # Without, ggml starts a debugger when it ends a process.
    env = os.environ | {"GGML_NO_BACKTRACE": "1", "OMP_NUM_THREADS": "1"}
    try:
        ran = subprocess.run(
            [sys.executable, "-I", str(_TRY)], input=json.dumps(request).encode(), capture_output=True,
            timeout=deadline, env=env,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return "model", f"it runs for more than {deadline:.0f} s"
    if ran.returncode == -getattr(signal, "SIGPROF", 0):
        return "model", f"it computes for more than {request['cpu_seconds']:.0f} s"
    if ran.returncode:
        said = re.search(rb"GGML_ASSERT\(.*\)", ran.stderr)
        return "model", f"it breaks off: {said.group().decode(errors='replace')}" if said else "it breaks off"
    what, why = json.loads(ran.stdout)
    return what, why

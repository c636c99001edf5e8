"""Settings, all from the environment, read once at start."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from space.errors import UserError

ROOT = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Settings:
    """Where things are and how to run them. Every field is an environment variable of the same name in capitals."""

    model: str  # a name in models_dir, a path, or a Hub repo id (owner/name, or owner/name:file.gguf)
    models_dir: Path
    feedback_dir: Path
    port: int
    n_threads: int
    n_ctx: int  # tokens

    @classmethod
    def from_env(cls) -> Settings:
        """Raises UserError for a value that is not a number where one is needed."""
        return cls(
            model=os.environ.get("MODEL", "proofreader"),
            models_dir=Path(os.environ.get("MODELS_DIR", ROOT / "models")),
            feedback_dir=Path(os.environ.get("FEEDBACK_DIR", Path.cwd() / "flagged")),
            port=_number("PORT", 7860, 1, 65535),
            n_threads=_number("N_THREADS", _cores(), 1, 256),
            n_ctx=_number("N_CTX", 2048, 128, 131072),
        )


def _number(name: str, default: int, low: int, high: int) -> int:
    text = os.environ.get(name, "").strip() or str(default)
    if not text.isdecimal() or not low <= int(text) <= high:
        raise UserError(f"{name}={text}: give a whole number from {low} to {high}.")
    return int(text)


def _cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS or Windows
        return os.cpu_count() or 2

"""Which model a name means: a file here, a GGUF to download from the Hub, or a server."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path

from space.proofread.llm.engine import Engine
from space.proofread.llm.hub import ModelFile, OnProgress, fetch
from space.settings import REPO_ID, Server

logger = logging.getLogger(__name__)


def open_engine(
    model: str, models_dir: Path, n_ctx: int, n_threads: int, server: Server | None = None
) -> Engine:
    """The engine for the server's name, a name in `models_dir`, a path, or a Hub repo id. UserError says what to do.

    A server is not called before there is something to complete, so it may start later than this process.
    """
    if server is not None and model == server.name:
        from space.proofread.llm.openai_server import Remote

        return Remote(server)
    return open_file(locate(model, models_dir), n_ctx, n_threads)


def open_file(file: ModelFile, n_ctx: int, n_threads: int) -> Engine:
    from space.proofread.llm.llama_cpp import LlamaCpp

    if file.note:
        logger.warning(file.note)
    return LlamaCpp(file.path, n_ctx, n_threads, file)


def locate(model: str, models_dir: Path, on_progress: OnProgress | None = None) -> ModelFile:
    """The file of a model, downloaded if it is a Hub repo id that is not here yet. UserError says what to do."""
    path = models_dir / f"{model}.gguf"
    # Those of os.path say False of a name that no file can have, where those of Path raise.
    if not os.path.isfile(path):
        if model.endswith(".gguf") and ":" not in model or os.path.exists(model):
            path = Path(model)
        elif REPO_ID.fullmatch(model):
            return fetch(model, on_progress)
    return ModelFile(path.stem, path)


def available(models_dir: Path, extra: Sequence[str] = ()) -> list[str]:
    """What `open_engine` can be asked for: the names of the GGUF files in `models_dir`, in order, then `extra`, each once."""
    return [*dict.fromkeys([*sorted(path.stem for path in models_dir.glob("*.gguf")), *extra])]

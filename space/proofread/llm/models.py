"""Which model a name means: a file here, a GGUF to download from the Hub, or a server."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from space.errors import UserError
from space.proofread.llm.engine import Engine
from space.settings import REPO_ID, Server


def open_engine(
    model: str, models_dir: Path, n_ctx: int, n_threads: int, server: Server | None = None
) -> Engine:
    """The engine for the server's name, a name in `models_dir`, a path, or a Hub repo id. UserError says what to do.

    A server is not called before there is something to complete, so it may start later than this process.
    """
    if server is not None and model == server.name:
        from space.proofread.llm.openai_server import Remote

        return Remote(server)
    from space.proofread.llm.llama_cpp import LlamaCpp

    return LlamaCpp(locate(model, models_dir), n_ctx, n_threads)


OnProgress = Callable[[int, int], None]  # bytes that have come, of how many; what it raises ends the download


def locate(model: str, models_dir: Path, on_progress: OnProgress | None = None) -> Path:
    """The file of a model, downloaded if it is a Hub repo id that is not here yet. UserError says what to do."""
    path = models_dir / f"{model}.gguf"
    if not path.is_file() and (model.endswith(".gguf") and ":" not in model or Path(model).exists()):
        path = Path(model)
    elif not path.is_file() and REPO_ID.fullmatch(model):
        path = _download(on_progress, *model.split(":"))
    return path


def available(models_dir: Path, extra: Sequence[str] = ()) -> list[str]:
    """What `open_engine` can be asked for: the names of the GGUF files in `models_dir`, in order, then `extra`, each once."""
    return [*dict.fromkeys([*sorted(path.stem for path in models_dir.glob("*.gguf")), *extra])]


def _download(on_progress: OnProgress | None, repo_id: str, filename: str = "") -> Path:
    from huggingface_hub import HfApi, hf_hub_download
    from huggingface_hub.errors import (
        HfHubHTTPError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
    )

    try:
        if not filename:
            files = sorted(f for f in HfApi().list_repo_files(repo_id) if f.endswith(".gguf"))
            if not files:
                raise UserError(
                    f"{repo_id}: no GGUF file in this repository; make one with python -m conversion."
                )
            # Of several quantisations, the usual compromise for a CPU.
            filename = next((f for f in files if "q4_k_m" in f.lower()), files[0])
        return Path(
            hf_hub_download(repo_id, filename, tqdm_class=_progress_bar(on_progress) if on_progress else None)
        )
    except RepositoryNotFoundError as error:
        raise UserError(
            f"{repo_id}: no such repository on the Hub, or it is private; check the name and HF_TOKEN."
        ) from error
    except (HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled, OSError) as error:
        raise UserError(
            f"{repo_id}: the Hub cannot be reached; use MODEL=proofreader, the embedded model."
        ) from error


def _progress_bar(on_progress: OnProgress) -> Any:
    """A progress bar that is not shown: it reports how far a download has come."""
    from tqdm import tqdm

    class Hidden(tqdm):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **(options | {"disable": True}))
            self._came, self._of = options.get("initial") or 0, options.get("total") or 0

        def update(self, n: float | None = 1) -> None:
            self._came += int(n or 0)
            on_progress(self._came, self._of)

    return Hidden

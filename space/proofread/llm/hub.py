"""A GGUF in a repository of the Hub: from the client's cache if it is there, else downloaded and checked.

    fetch("owner/name@v1:model-q4_k_m.gguf").path

What is in the cache is used as it is: a newer revision is named in the note and never taken unasked.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from space.errors import UserError
from space.settings import REPO_ID

OnProgress = Callable[[int, int], None]  # bytes that have come, of how many; what it raises ends the download
USUAL_TYPES = ("q4_k_m", "q4_0", "q8_0")  # Q4_0 is what models get whose width K quants do not fit
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class ModelFile:
    """A model's file here. Of one from the Hub also its commit, and what the user should know of how it was had."""

    name: str
    path: Path
    revision: str = ""
    note: str = ""


def fetch(name: str, on_progress: OnProgress | None = None) -> ModelFile:
    """The file of `owner/name[@revision][:file.gguf]`. UserError says what to do.

    The client's HF_HUB_ETAG_TIMEOUT and HF_HUB_DOWNLOAD_TIMEOUT (10 s each) bound how long a silent Hub is waited for.
    """
    cached = _cached(name)
    if cached and f"@{cached.revision}" in name:  # what is in a commit never changes
        return cached
    try:
        filename, announced = _announced(name)
    except UserError:
        raise
    except Exception as error:  # noqa: BLE001  network, proxies and the Hub each have their own
        why = _why(error)
        if cached:
            return replace(
                cached, note=f"{name}: {why}; revision {cached.revision[:7]} in the cache is used."
            )
        raise UserError(f"{name}: {why}; use MODEL=proofreader, the embedded model.") from error
    cached = _cached(name, filename)
    if cached is None:
        return _downloaded(name, filename, announced, on_progress)
    if announced.commit_hash == cached.revision or announced.etag == cached.path.resolve().name:
        return cached
    newer = f"{name.partition(':')[0].partition('@')[0]}@{announced.commit_hash}:{filename}"
    return replace(cached, note=f"{name}: a newer revision is there: MODEL={newer} takes it.")


def _parts(name: str) -> tuple[str, str, str]:
    """Repository, revision and file; the last may be empty."""
    match = REPO_ID.fullmatch(name)
    assert match, f"{name} is no repo id"
    return match["repo_id"], match["revision"] or "main", match["filename"] or ""


def _folder(repo_id: str) -> Path:
    """A repository's folder in the client's cache, with blobs, refs and snapshots."""
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    return Path(constants.HF_HUB_CACHE, repo_folder_name(repo_id=repo_id, repo_type="model"))


def _cached(name: str, filename: str = "") -> ModelFile | None:
    """The file in the cache, without asking the Hub; of several the one that `_choice` takes."""
    repo_id, revision, named = _parts(name)
    folder = _folder(repo_id)
    ref = folder / "refs" / revision
    commit = ref.read_text().strip() if ref.is_file() else revision
    snapshot = folder / "snapshots" / commit
    filename = (
        filename or named or _choice(str(p.relative_to(snapshot).as_posix()) for p in snapshot.rglob("*"))
    )
    path = snapshot / filename
    return ModelFile(name, path, commit) if filename and path.is_file() else None


def _choice(files: Iterable[str]) -> str:
    """Of several quantisations, the usual compromise for a CPU; empty if no file is a GGUF."""
    ggufs = sorted(file for file in files if file.endswith(".gguf"))
    usual = (file for kind in USUAL_TYPES for file in ggufs if kind in file.lower())
    return next(usual, ggufs[0] if ggufs else "")


def _announced(name: str) -> tuple[str, Any]:
    """Which file the Hub has for a name, and its commit, size and ETag."""
    from huggingface_hub import HfApi, constants, get_hf_file_metadata, hf_hub_url

    repo_id, revision, filename = _parts(name)
    seconds = constants.HF_HUB_ETAG_TIMEOUT
    if not filename:
        info = HfApi().model_info(repo_id, revision=revision, timeout=seconds)
        filename = _choice(file.rfilename for file in info.siblings or ())
    if not filename:
        raise UserError(f"{name}: no GGUF file in this repository; make one with python -m conversion.")
    return filename, get_hf_file_metadata(hf_hub_url(repo_id, filename, revision=revision), timeout=seconds)


def _downloaded(name: str, filename: str, announced: Any, on_progress: OnProgress | None) -> ModelFile:
    """Fetches what is missing of the file, and hands it to the client's cache once it is what the Hub announced.

    The client itself begins each download anew (huggingface_hub 2.4), and checks no more than the size.
    """
    from huggingface_hub import constants, hf_hub_download, hf_hub_url
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import WeakFileLock, build_hf_headers

    repo_id, revision, _ = _parts(name)
    blob = _folder(repo_id) / "blobs" / announced.etag
    part = blob.with_name(f"{blob.name}.part")
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        with WeakFileLock(f"{part}.lock"), part.open("ab") as file:
            if announced.size is not None and file.tell() > announced.size:
                file.truncate(0)
            http_get(
                hf_hub_url(repo_id, filename, revision=announced.commit_hash), file, resume_size=part.stat().st_size,
                headers=build_hf_headers(), expected_size=announced.size, displayed_filename=filename,
                tqdm_class=_progress_bar(on_progress) if on_progress else None,
            )  # fmt: skip
            file.flush()
            if digest(part, announced.etag) != announced.etag:
                part.unlink()
                raise UserError(
                    f"{name}: what came has another checksum than the Hub announces, so it was thrown away; try again."
                )
            part.replace(blob)
        path = hf_hub_download(
            repo_id, filename, revision=revision, etag_timeout=constants.HF_HUB_ETAG_TIMEOUT
        )
    except UserError:
        raise
    except Exception as error:  # noqa: BLE001  as above
        raise UserError(f"{name}: {_why(error)}; what has come is kept, so try again.") from error
    return ModelFile(name, Path(path), announced.commit_hash)


def digest(path: Path, etag: str) -> str:
    """What the ETag should be: the SHA-256 of a large file, git's SHA-1 of a small one."""
    digest = hashlib.sha256() if len(etag) == 64 else hashlib.sha1(b"blob %d\0" % path.stat().st_size)
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _why(error: Exception) -> str:
    from huggingface_hub.errors import (
        HfHubHTTPError,
        OfflineModeIsEnabled,
        RemoteEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    if isinstance(error, RepositoryNotFoundError):
        return "no such repository on the Hub, or it is private (check the name and HF_TOKEN)"
    if isinstance(error, RevisionNotFoundError):
        return "its repository has no such revision"
    if isinstance(error, RemoteEntryNotFoundError):
        return "its repository has no such file"
    if isinstance(error, OfflineModeIsEnabled):
        return "the Hub is not asked, as HF_HUB_OFFLINE is set"
    if isinstance(error, HfHubHTTPError):
        return f"the Hub answered {error.response.status_code}"
    if isinstance(error, OSError) and error.strerror:  # the disk
        return f"it cannot be written to {error.filename or 'the cache'} ({error.strerror})"
    return f"the Hub cannot be reached ({type(error).__name__})"


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

"""A prepared folder as a revision of a model repository: one commit and its tag, private unless asked otherwise.

Large files travel before the commit, and the Hub keeps those that came whole: the same command after a cut connection sends
the rest, and nobody ever sees half of a revision.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path

from conversion.hub import Repository, equal
from space.errors import UserError

# What an earlier revision may have and this one not. Other files that somebody put there stay.
STALE = ("*.gguf", "adapter/*", "training/*")


def listed(folder: Path) -> dict[str, Path]:
    """The files that are uploaded, by their names there; not one whose writing was cut off."""
    found = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".part")
    return {path.relative_to(folder).as_posix(): path for path in found}


def check_tag(tag: str | None) -> None:
    """UserError for one that cannot stand in MODEL=owner/name@tag."""
    if tag is not None and not re.fullmatch(r"\w[\w.-]*", tag, re.ASCII):
        raise UserError(f"--tag {tag}: give letters, digits, - _ and ., such as v1")


def upload(repo: Repository, folder: Path, tag: str | None, *, public: bool) -> str:
    """Uploads what differs, and returns the address of the revision. UserError, HubError: one line.

    Refused are a public repository for a model that is not to be public, and a tag of other files.
    """
    files = listed(folder)
    repo.create(private=not public)
    private = repo.call(repo.api.model_info, expand=["private"]).private
    if not private and not public:
        raise UserError(
            f"{repo.repo_id} is public: give --public if all may read this model, or another --repo_id"
        )
    if private and public:
        print(
            f"note: {repo.repo_id} is private and stays so; its settings on the Hub make it public",
            file=sys.stderr,
        )

    if tag and tag in _tags(repo):  # perhaps of this very command, whose last answer was lost
        held = repo.held(tag)
        if _stale(held, files) or not all(equal(path, held.get(name)) for name, path in files.items()):
            raise _another(repo, tag)
        return f"{repo.api.endpoint}/{repo.repo_id}/tree/{tag}"
    there = set(repo.held())
    commit, _ = repo.commit(files, "Publish the model", keep=tuple(there - _stale(there, files)))
    if tag:
        repo.call(repo.api.create_tag, tag=tag, revision=commit, exist_ok=True)
        if _tags(repo)[tag] != commit:  # somebody else's, in between
            raise _another(repo, tag)
    return f"{repo.api.endpoint}/{repo.repo_id}/tree/{tag or commit}"


def _stale(held: Iterable[str], files: Iterable[str]) -> set[str]:
    return {name for name in set(held) - set(files) if any(fnmatch(name, each) for each in STALE)}


def _tags(repo: Repository) -> dict[str, str]:
    return {each.name: each.target_commit for each in repo.call(repo.api.list_repo_refs).tags}


def _another(repo: Repository, tag: str) -> UserError:
    return UserError(f"{repo.repo_id} has a tag {tag} on another commit: choose another --tag")

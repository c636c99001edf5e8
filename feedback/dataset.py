"""The private dataset on the Hub: shards of records, the index of what it holds, its card; reading and forgetting.

Shards are JSON Lines, not Parquet: they travel inside the commit itself, so it is all or nothing; a record can be
taken out of one; fields of later releases fit; and the app needs no Arrow.
"""

from __future__ import annotations

import json
import random
import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from feedback.card import card
from feedback.errors import FeedbackError
from feedback.hub_errors import HubError, explained, set_timeout, status
from feedback.record import from_row

CONFLICTS = 20  # commits of others in a row before `forget` gives up
TRIES = 3  # before it gives up for any other reason that may pass

INDEX = "index.json"
CARD = "README.md"
DATA = "data/"


# ---- the dataset ----


class Dataset:
    """A private dataset on the Hub; every method raises HubError, which never quotes an answer of the Hub."""

    def __init__(self, repo_id: str, token: str) -> None:
        if not re.fullmatch(r"[\w.-]+/[\w.-]+", repo_id):
            raise FeedbackError(
                "FEEDBACK_DATASET must be owner/name, e.g. FEEDBACK_DATASET=my-team/proofreader-feedback."
            )
        if not token:
            raise FeedbackError("HF_TOKEN is not set: set it to a token that may write to FEEDBACK_DATASET.")
        from huggingface_hub import HfApi

        set_timeout()
        self.repo_id = repo_id
        self._api = HfApi(token=token)
        self._repo: dict[str, Any] = {"repo_id": repo_id, "repo_type": "dataset"}

    def head(self, create: bool = True) -> str:
        """The dataset's newest revision; a missing dataset is created, a public one is refused."""
        try:
            with self._explained():
                info = self._api.dataset_info(self.repo_id, expand=["private", "sha"])
        except HubError as error:
            if not create or status(error) != 404:
                raise
            with self._explained():
                self._api.create_repo(**self._repo, private=True, exist_ok=True)
                info = self._api.dataset_info(self.repo_id, expand=["private", "sha"])
        if not info.private:
            raise HubError(
                f"The dataset {self.repo_id} is public, so no feedback goes there: make it private, "
                "or set FEEDBACK_DATASET to another.",
                retry=False,
            )
        return info.sha

    def read(self, path: str, revision: str) -> bytes | None:
        """A file's bytes, None if there is none. Held in memory, never in the client's cache on disk."""
        from huggingface_hub import hf_hub_url
        from huggingface_hub.errors import EntryNotFoundError
        from huggingface_hub.utils import build_hf_headers, hf_raise_for_status, http_backoff

        url = hf_hub_url(filename=path, **self._repo, revision=revision, endpoint=self._api.endpoint)
        try:
            with self._explained():
                response = http_backoff("GET", url, headers=build_hf_headers(token=self._api.token))
                hf_raise_for_status(response)
                return response.content
        except HubError as error:
            # Any other 404 must not read as an empty dataset.
            if isinstance(error.__cause__, EntryNotFoundError):
                return None
            raise

    def shard(self, path: str, revision: str) -> list[bytes]:
        """The rows of a shard that `shards` named, each with its newline."""
        content = self.read(path, revision)
        if content is None:
            raise HubError(f"The dataset {self.repo_id} lacks {path}, which it lists: try again.")
        return content.splitlines(keepends=True)

    def shards(self, revision: str) -> list[str]:
        """The paths of the shards, oldest first."""
        with self._explained():
            tree = self._api.list_repo_tree(**self._repo, recursive=True, revision=revision)
            return sorted(file.path for file in tree if file.path.startswith(DATA) and hasattr(file, "size"))

    def commit(self, changed: Mapping[str, bytes | None], message: str, parent: str) -> None:
        """Writes files, or deletes those given as None, in one commit on top of `parent` or not at all."""
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete

        operations = [
            CommitOperationDelete(path) if content is None else CommitOperationAdd(path, content)
            for path, content in changed.items()
        ]
        with self._explained():
            self._api.create_commit(
                **self._repo, operations=operations, commit_message=message, parent_commit=parent
            )

    def squash(self) -> None:
        """Makes the history one commit and deletes large files that only the old one used."""
        with self._explained():
            self._api.super_squash_history(**self._repo)
            tree = self._api.list_repo_tree(**self._repo, recursive=True)
            used = {file.lfs.sha256 for file in tree if getattr(file, "lfs", None)}
            stored = self._api.list_lfs_files(**self._repo)
            unused = [file for file in stored if file.filename.startswith(DATA) and file.file_oid not in used]
            if unused:
                self._api.permanently_delete_lfs_files(**self._repo, lfs_files=unused)

    def _explained(self) -> AbstractContextManager[None]:
        remedy = "set HF_TOKEN to a token that may write to it, FEEDBACK_DATASET to one that is yours."
        return explained(f"the dataset {self.repo_id}", remedy)


# ---- what the dataset holds ----


@dataclass
class Index:
    """`index.json`: bytes of each journal file that are in the dataset, counts, and ids that may not come back."""

    journals: dict[str, int] = field(default_factory=dict)
    records: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    forgotten: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, dataset: Dataset, revision: str) -> Index:
        content = dataset.read(INDEX, revision)
        if content is None and not dataset.shards(revision):
            return cls()
        try:
            value = json.loads(content or b"")
            counts = {name: Counter(value[name]) for name in ("verdicts", "reasons")}
            return cls(
                dict(value["journals"]), value["records"], **counts, forgotten=list(value["forgotten"])
            )
        except (ValueError, KeyError, TypeError) as error:
            raise HubError(
                f"{INDEX} in the dataset {dataset.repo_id} is gone or is not what was written there: restore it.",
                retry=False,
            ) from error

    def count(self, row: Mapping[str, Any], sign: int = 1) -> None:
        """Counts a row of a shard, or with -1 no longer counts it."""
        self.records += sign
        self.verdicts[row["verdict"]] += sign
        for reason in row["reasons"] or []:
            self.reasons[reason] += sign

    def files(self, dataset: str) -> dict[str, bytes]:
        """The index and the card, as they are committed."""
        counts = {name: dict(sorted((+getattr(self, name)).items())) for name in ("verdicts", "reasons")}
        text = card(dataset, self.records, self.verdicts, self.reasons)
        return {INDEX: json.dumps(vars(self) | counts, indent=1).encode(), CARD: text.encode()}


def rows(dataset: Dataset) -> Iterator[dict[str, Any]]:
    """Every record of the dataset as its JSON object, one shard in memory at a time."""
    revision = dataset.head(create=False)
    for path in dataset.shards(revision):
        for line in dataset.shard(path, revision):
            yield from_row(json.loads(line))


def forget(dataset: Dataset, ids: Iterable[str]) -> set[str]:
    """Takes records out of every shard and of the history; returns the ids found, now or forgotten before.

    The ids stay in the index, so that no replica whose journal still has such a record sends it again.
    """
    ids = set(ids)
    for attempt in range(CONFLICTS):
        try:
            found = _delete(dataset, ids)
            dataset.squash()
            return found
        except HubError as error:
            conflict = status(error) in (404, 409, 412)
            if not error.retry or attempt + 1 >= (CONFLICTS if conflict else TRIES):
                raise
            time.sleep(random.uniform(0, 1))
    raise AssertionError("unreachable")


def _delete(dataset: Dataset, ids: set[str]) -> set[str]:
    """One commit that takes the records out of shards and index; returns the ids found."""
    revision = dataset.head(create=False)
    index = Index.read(dataset, revision)
    found = ids & set(index.forgotten)
    changed: dict[str, bytes | None] = {}
    for path in dataset.shards(revision):
        lines, rest = dataset.shard(path, revision), []
        for line in lines:
            if any(name.encode() in line for name in ids) and (row := json.loads(line))["id"] in ids:
                index.count(row, -1)
                found.add(row["id"])
            else:
                rest.append(line)
        if len(rest) < len(lines):
            changed[path] = b"".join(rest) or None
    known, index.forgotten = index.forgotten, sorted({*index.forgotten, *ids})
    if changed or known != index.forgotten:
        dataset.commit({**changed, **index.files(dataset.repo_id)}, "Records deleted on request", revision)
    return found

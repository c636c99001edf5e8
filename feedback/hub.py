"""From the journal to a private dataset on the Hub, in the background: each record once, whatever fails.

    FEEDBACK_DATASET=owner/name HF_TOKEN=hf_... python -m space serve

A commit adds shards (JSON Lines, one record a line) and rewrites `index.json`, which says how many bytes of each
journal file the dataset holds. The commit names the revision that the index was read from, so the Hub refuses it
if anyone else committed in between. Whether a commit came through is therefore never in doubt: after a lost answer,
a kill or a restart the index is read again and the journal goes on from there. Nothing is remembered on this disk,
no name is used twice, and any number of processes and replicas may share a journal or a dataset.

Shards are JSON Lines, not Parquet: they travel inside the commit itself, so it is all or nothing; a record can be
taken out of one; fields of later releases fit; and the app needs no Arrow.
"""

from __future__ import annotations

import functools
import json
import logging
import os
import random
import re
import signal
import threading
import time
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from feedback.card import card
from feedback.errors import FeedbackError
from feedback.journal import JournalError, decode, files, lines, repair
from feedback.record import Record, from_row, to_row

logger = logging.getLogger(__name__)

EVERY_SECONDS = 60.0  # between two commits; beyond 128 an hour in one repository the Hub answers 429
POLL_SECONDS = (
    2.0  # between two looks at the journal; a disk that is wiped without a warning takes no more with it
)
BACKOFF_SECONDS = (2.0, 600.0)  # the first wait after an error, doubled each time, and the longest
TIMEOUT_SECONDS = 30.0  # for one answer; the client's own default is to wait for ever
GRACE_SECONDS = 20.0  # for the last flush: Kubernetes kills 30 s after SIGTERM unless told otherwise
MAX_COMMIT_BYTES = 4_000_000  # of journal: what the client sends inside a commit must stay under 10 MB a file
MAX_SHARDS = (
    50  # in a commit: https://huggingface.co/docs/hub/repositories-recommendations says under 100 files
)
CONFLICTS = 20  # commits of others in a row before `forget` gives up
TRIES = 3  # before it gives up for any other reason that may pass
TRANSIENT = {408, 409, 412, 423, 425, 429}  # and every 5xx; 412 is a commit of somebody else's in between

INDEX = "index.json"
CARD = "README.md"
DATA = "data/"


class HubError(FeedbackError):
    """The dataset could not be reached or written; `retry` says whether trying again may help."""

    exit_code = 1

    def __init__(self, message: str, retry: bool = True) -> None:
        super().__init__(message)
        self.retry = retry


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

        _set_timeout()
        self.repo_id = repo_id
        self._api = HfApi(token=token)
        self._repo: dict[str, Any] = {"repo_id": repo_id, "repo_type": "dataset"}

    def head(self, create: bool = True) -> str:
        """The dataset's newest revision; a dataset that is not there is made, one that is public is refused."""
        try:
            with self._explained():
                info = self._api.dataset_info(self.repo_id, expand=["private", "sha"])
        except HubError as error:
            if not create or _status(error) != 404:
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
            if isinstance(
                error.__cause__, EntryNotFoundError
            ):  # any other 404 must not read as "nothing kept"
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

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Every error as a HubError in our words: the client's may quote what was sent."""
        from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled, RevisionNotFoundError

        try:
            yield
        except OfflineModeIsEnabled as error:
            raise HubError(
                "HF_HUB_OFFLINE is set: unset it to send feedback to the Hub.", retry=False
            ) from error
        except RevisionNotFoundError as error:  # `forget` made the history one commit in the meantime
            raise HubError(f"The dataset {self.repo_id} was changed while it was read: try again.") from error
        except HfHubHTTPError as error:
            status = error.response.status_code
            if status in TRANSIENT or status >= 500:
                raise HubError(f"The Hub answered {status} for the dataset {self.repo_id}.") from error
            raise HubError(
                f"The Hub answered {status} for the dataset {self.repo_id}: set HF_TOKEN to a token that may write "
                "to it, FEEDBACK_DATASET to one that is yours.",
                retry=False,
            ) from error
        except HubError:
            raise
        except Exception as error:  # noqa: BLE001  network, proxies and storage back ends each have their own
            raise HubError(f"The Hub could not be reached ({type(error).__name__}).") from error


def _status(error: HubError) -> int:
    """The HTTP status behind an error, 0 if there was no answer."""
    return getattr(getattr(error.__cause__, "response", None), "status_code", 0)


@functools.cache  # once a process: it closes the connections that are open
def _set_timeout() -> None:
    """Gives the client's requests an end; kept by the client for every connection it opens from now on."""
    from huggingface_hub.utils import set_client_factory

    # Not exported: without it the client's own hooks (offline mode, request ids) would have to be copied.
    from huggingface_hub.utils._http import default_client_factory

    def client() -> Any:
        made = default_client_factory()
        made.timeout = TIMEOUT_SECONDS
        return made

    set_client_factory(client)


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
            return cls(
                journals=dict(value["journals"]),
                records=value["records"],
                verdicts=Counter(value["verdicts"]),
                reasons=Counter(value["reasons"]),
                forgotten=list(value["forgotten"]),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise HubError(
                f"{INDEX} in the dataset {dataset.repo_id} is gone or is not what was written there: restore it.",
                retry=False,
            ) from error

    def count(self, row: Mapping[str, Any], sign: int = 1) -> None:
        """Counts a row of a shard, or with -1 no longer counts it."""
        self.records += sign
        for counter, names in (
            (self.verdicts, [row["verdict"]]),
            (self.reasons, row["reasons"] or []),
        ):
            for name in names:
                counter[name] += sign

    def files(self, dataset: str) -> dict[str, bytes]:
        """The index and the card, as they are committed."""
        value = {
            "journals": self.journals,
            "records": self.records,
            "verdicts": dict(sorted((+self.verdicts).items())),
            "reasons": dict(sorted((+self.reasons).items())),
            "forgotten": self.forgotten,
        }
        text = card(dataset, self.records, self.verdicts, self.reasons)
        return {INDEX: json.dumps(value, indent=1).encode(), CARD: text.encode()}


def waiting(folder: Path, index: Index) -> bool:
    """Does the journal hold bytes that the dataset does not?"""
    return not _held(sizes(folder), index)


def sizes(folder: Path) -> dict[str, int]:
    """Bytes of each journal file, by the name without its ending."""
    found = {}
    for path in files(folder):
        with suppress(FileNotFoundError):  # deleted since it was listed
            found[path.stem] = path.stat().st_size
    return found


def _held(ends: Mapping[str, int], index: Index) -> bool:
    return all(index.journals.get(name, 0) >= end for name, end in ends.items())


def batch(folder: Path, index: Index) -> tuple[dict[str, bytes], int]:
    """Shards of what the dataset does not hold yet, and how many records; the index moves on to their end."""
    forgotten = set(index.forgotten)
    # A folder a day: with a commit a minute a folder a month would pass the 10,000 files that the Hub advises.
    folder_in_dataset = f"{DATA}{datetime.now(timezone.utc):%Y-%m-%d}/"
    shards: dict[str, bytes] = {}
    count = size = 0
    for path in files(folder):
        if len(shards) == MAX_SHARDS:
            break
        start = end = index.journals.get(path.stem, 0)
        rows = []
        for place, line in lines(path, start):
            if size >= MAX_COMMIT_BYTES or not line.endswith(b"\n"):
                break  # the rest is for the next commit; a line without an end is being written, or torn
            end = place + len(line)
            size += len(line)
            if (record := _record(line, path, place)) and record["id"] not in forgotten:
                row = to_row(record)
                rows.append(json.dumps(row))
                index.count(row)
        if rows:
            content = "\n".join([*rows, ""]).encode()
            shards[f"{folder_in_dataset}{path.stem}-{start}.jsonl"] = content
            count += len(rows)
        if end > start:
            index.journals[path.stem] = end
    return shards, count


def _record(line: bytes, path: Path, place: int) -> dict[str, Any] | None:
    value = decode(line)
    try:
        return Record.from_dict(value or {}).to_dict()
    except (TypeError, ValueError):
        if value is None or "tombstone" not in value:
            logger.warning("%s, byte %d: no feedback record, not sent", path, place)
        return None


def rows(dataset: Dataset) -> Iterator[dict[str, Any]]:
    """Every record of the dataset as its JSON object, one shard in memory at a time."""
    revision = dataset.head(create=False)
    for path in dataset.shards(revision):
        for line in dataset.shard(path, revision):
            yield from_row(json.loads(line))


def forget(dataset: Dataset, ids: Iterable[str]) -> set[str]:
    """Takes records out of every shard and of the history; returns the ids found, now or forgotten before.

    The ids stay in the index, so that no replica that still holds such a record sends it again.
    """
    wanted = set(ids)
    for attempt in range(CONFLICTS):
        try:
            found = _without(dataset, wanted)
            dataset.squash()
            return found
        except HubError as error:
            conflict = _status(error) in (404, 409, 412)
            if not error.retry or attempt + 1 >= (CONFLICTS if conflict else TRIES):
                raise
            time.sleep(random.uniform(0, 1))
    raise AssertionError("unreachable")


def _without(dataset: Dataset, wanted: set[str]) -> set[str]:
    """One commit that takes the records out of shards and index; returns the ids found."""
    revision = dataset.head(create=False)
    index = Index.read(dataset, revision)
    found = wanted & set(index.forgotten)
    changed: dict[str, bytes | None] = {}
    for path in dataset.shards(revision):
        lines, kept = dataset.shard(path, revision), []
        for line in lines:
            if any(name.encode() in line for name in wanted) and (row := json.loads(line))["id"] in wanted:
                index.count(row, -1)
                found.add(row["id"])
            else:
                kept.append(line)
        if len(kept) < len(lines):
            changed[path] = b"".join(kept) or None
    known, index.forgotten = index.forgotten, sorted({*index.forgotten, *wanted})
    if changed or known != index.forgotten:
        dataset.commit({**changed, **index.files(dataset.repo_id)}, "Records deleted on request", revision)
    return found


# ---- in the background ----


class Sync:
    """Sends what the journal gains to the dataset from a thread of its own; without a dataset it does nothing.

    `where` says in words where feedback goes, `problem` what stopped it, or nothing.
    """

    def __init__(
        self,
        folder: Path | str,
        dataset: Dataset | None,
        every_seconds: float = EVERY_SECONDS,
        backoff_seconds: tuple[float, float] = BACKOFF_SECONDS,
    ) -> None:
        self.folder = Path(folder)
        self.dataset = dataset
        self.problem = ""
        self.every_seconds = every_seconds
        self.backoff_seconds = backoff_seconds
        self._index: Index | None = None  # as of the last commit that was seen
        self._changed = threading.Condition()
        self._asked = self._answered = 0  # flushes
        self._ended = False
        self._thread: threading.Thread | None = None

    @classmethod
    def from_env(cls, folder: Path | str) -> Sync:
        """By FEEDBACK_DATASET and HF_TOKEN; FeedbackError if only one is set as it must be."""
        repo_id = os.environ.get("FEEDBACK_DATASET", "").strip()
        token = os.environ.get("HF_TOKEN", "").strip()
        return cls(folder, Dataset(repo_id, token) if repo_id else None)

    @property
    def where(self) -> str:
        """For the page: where feedback is kept, and whether it also leaves this machine."""
        here = f"in {self.folder.resolve()} on the machine that runs this page"
        if self.dataset is None:
            return f"{here}, and nowhere else"
        there = f"in the private dataset {self.dataset.repo_id} on the Hugging Face Hub"
        return f"{here}; sending it on is stopped: {self.problem}" if self.problem else f"{here} and {there}"

    def start(self) -> Sync:
        """Begins to send; what earlier processes left behind goes first."""
        if self.dataset is not None and self._thread is None:
            self._thread = threading.Thread(target=self._run, name="feedback-sync", daemon=True)
            self._thread.start()
        return self

    def step(self) -> int:
        """One commit of what is waiting; returns its records, 0 when nothing was. Raises HubError, JournalError."""
        while self.dataset is not None and (self._index is None or waiting(self.folder, self._index)):
            repair(self.folder)  # else a torn line would wait for ever
            revision = self.dataset.head()
            index = Index.read(self.dataset, revision)
            before = dict(index.journals)
            shards, count = batch(self.folder, index)
            if index.journals != before:
                message = f"{count} record{'s' * (count != 1)}"
                self.dataset.commit({**shards, **index.files(self.dataset.repo_id)}, message, revision)
            self._index = index
            if count or index.journals == before:
                return count  # a commit of none, as of forgotten ones, says nothing of what comes after
        return 0

    def flush(self, seconds: float) -> bool:
        """Sends now; True once everything the journal held is in the dataset, False if that took too long."""
        if self._thread is None:
            return self.dataset is None
        with self._changed:
            self._asked += 1
            asked = self._asked
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._answered >= asked or bool(self.problem), seconds)
            return self._answered >= asked

    def close(self, seconds: float = GRACE_SECONDS) -> bool:
        """Flushes and ends the thread; what could not be sent goes with the next start."""
        end = time.monotonic() + seconds
        # Twice: while the first commit was on its way somebody may have been thanked for another record.
        flushed = self.flush(seconds) and self.flush(end - time.monotonic())
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        return flushed

    def _run(self) -> None:
        failures = 0
        while not self._ended:
            asked = self._asked
            known = self._index
            try:
                sent = self._drain()
                asked_hub = known is not None and self._index is not known
                # The first record after a quiet time goes at once, the ones after it together.
                wait = self.every_seconds if sent or asked_hub else min(POLL_SECONDS, self.every_seconds)
                failures = 0
                with self._changed:
                    self._answered = asked
                    self._changed.notify_all()
            except Exception as error:  # noqa: BLE001  a thread that ended would lose what comes, and tell nobody
                said = _said(error)
                if isinstance(error, HubError) and not error.retry:
                    logger.error("%s Feedback stays in %s; restart when it is mended.", said, self.folder)
                    with self._changed:
                        self.problem = said
                        self._changed.notify_all()
                    return
                failures += 1
                first, longest = self.backoff_seconds
                # Full jitter: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
                wait = random.uniform(0, min(longest, first * 2 ** min(failures - 1, 30)))
                logger.warning("%s Feedback waits in %s; next try in %.0f s.", said, self.folder, wait)
            with self._changed:
                self._wait(asked, wait)

    def _drain(self) -> bool:
        """Sends what the journal holds now; was there anything? What comes meanwhile goes with the next commit."""
        ends = sizes(self.folder)
        sent = False
        while self.step():
            sent = True
            if self._index is not None and _held(ends, self._index):
                break
        return sent

    def _wait(self, asked: int, seconds: float) -> None:
        """Until it is time again, somebody flushes, or the end."""
        self._changed.wait_for(lambda: self._ended or self._asked > asked, seconds)


def _said(error: Exception) -> str:
    """An error in a line that quotes nobody: one that was not foreseen by its kind and place alone."""
    if isinstance(error, (HubError, JournalError)):
        return str(error)
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}."


def flush_on_sigterm(sync: Sync, seconds: float = GRACE_SECONDS) -> None:
    """On SIGTERM, as when a Space is restarted, sends what is waiting before the process ends with code 0.

    Call it from the main thread.
    """

    def end(number: int, frame: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # whoever is in a hurry sends a second one
        sync.close(seconds)
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, end)

"""From the journal to a private dataset on the Hub, in the background: each record once, whatever fails.

    FEEDBACK_DATASET=owner/name HF_TOKEN=hf_... python -m space serve

A commit adds shards (JSON Lines, one record a line) and rewrites `index.json`, which says how many bytes of each
journal file the dataset holds. The commit names the revision that the index was read from, so the Hub refuses it
if anyone else committed in between. Whether a commit came through is therefore never in doubt: after a lost answer,
a kill or a restart the index is read again and the journal goes on from there. Nothing is remembered on this disk,
no name is used twice, and any number of processes and replicas may share a journal or a dataset.
"""

from __future__ import annotations

import json
import logging
import os
import random
import signal
import threading
import time
import traceback
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path

from feedback.dataset import DATA, Dataset, HubError, Index
from feedback.journal import JournalError, decode, files, lines, repair
from feedback.record import Record, to_row

logger = logging.getLogger(__name__)

EVERY_SECONDS = 60.0  # between two commits; beyond 128 an hour in one repository the Hub answers 429
# Between two looks at the journal; a disk that is wiped without a warning takes no more with it.
POLL_SECONDS = 2.0
BACKOFF_SECONDS = (2.0, 600.0)  # the first wait after an error, doubled each time, and the longest
GRACE_SECONDS = 20.0  # for the last flush: Kubernetes kills 30 s after SIGTERM unless it is set otherwise
MAX_COMMIT_BYTES = 4_000_000  # of journal: what the client sends inside a commit must stay under 10 MB a file
# In a commit: https://huggingface.co/docs/hub/repositories-recommendations says under 100 files.
MAX_SHARDS = 50


# ---- from the journal into shards ----


def waiting(folder: Path, index: Index) -> bool:
    """Whether the journal has bytes that the dataset does not."""
    return not _sent(sizes(folder), index)


def sizes(folder: Path) -> dict[str, int]:
    """Bytes of each journal file, by the name without its ending."""
    found = {}
    for path in files(folder):
        with suppress(FileNotFoundError):  # deleted since it was listed
            found[path.stem] = path.stat().st_size
    return found


def _sent(ends: Mapping[str, int], index: Index) -> bool:
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
            if (record := _record(line, path, place)) and record.id not in forgotten:
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


def _record(line: bytes, path: Path, place: int) -> Record | None:
    value = decode(line)
    try:
        return Record.from_dict(value or {})
    except (TypeError, ValueError):
        if value is None or "tombstone" not in value:
            logger.warning("%s, byte %d: no feedback record, not sent", path, place)
        return None


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
        self._requested = self._flushed = 0  # flushes
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
        here = "on the machine that runs this page"
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
            self._requested += 1
            number = self._requested
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._flushed >= number or bool(self.problem), seconds)
            return self._flushed >= number

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
            requested, last_seen = self._requested, self._index
            try:
                sent = self._drain()
                failures = 0
                # The first record after a quiet time goes at once, the ones after it together.
                busy = sent or (last_seen is not None and self._index is not last_seen)
                wait = self.every_seconds if busy else min(POLL_SECONDS, self.every_seconds)
                with self._changed:
                    self._flushed = requested
                    self._changed.notify_all()
            except Exception as error:  # noqa: BLE001  a thread that ended would lose what comes, and nobody would know
                line = _one_line(error)
                if isinstance(error, HubError) and not error.retry:
                    logger.error("%s Feedback stays in %s; correct this and restart.", line, self.folder)
                    with self._changed:
                        self.problem = line
                        self._changed.notify_all()
                    return
                failures += 1
                first, longest = self.backoff_seconds
                # Full jitter: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
                wait = random.uniform(0, min(longest, first * 2 ** min(failures - 1, 30)))
                logger.warning("%s Feedback waits in %s; next try in %.0f s.", line, self.folder, wait)
            with self._changed:  # until it is time again, somebody flushes, or the end
                self._changed.wait_for(lambda: self._ended or self._requested > requested, wait)  # noqa: B023

    def _drain(self) -> bool:
        """Sends what the journal holds now; was there anything? What comes meanwhile goes with the next commit."""
        ends = sizes(self.folder)
        sent = False
        while self.step():
            sent = True
            if self._index is not None and _sent(ends, self._index):
                break
        return sent


def _one_line(error: Exception) -> str:
    """An error that quotes nobody: one that was not foreseen by its kind and place alone."""
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

"""A durable queue of commands, one at a time: it outlives the page, its server and the machine's next start.

    queue = Queue(folder)
    queue.start()
    job = queue.add("First try", [["-m", "training", "sft", "--recipe", "one_gpu", ...]], folder="runs/first")
    queue.get(job.id).status, queue.log(job.id)

A job is a folder under `.studio/jobs/`. What runs it is a process of its own (training/studio/runner.py), so that it goes
on when this one ends; whether it does is told by a lock that it holds, never by a process id. Several queues may be open
on one folder: each reads it anew, and a lock is held by who changes it.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from space.errors import UserError
from training.runs.atomic_write import write, write_errors
from training.studio import runner

FOLDER = Path(".studio") / "jobs"
_EVERY_SECONDS = 0.5  # the queue looks whether a job has ended
_START_SECONDS = 10.0  # within which a runner is there
_ID = re.compile(r"\d{4,}")


@dataclass(frozen=True)
class Job:
    """`commands` are what comes after the interpreter; `position` is the index of that which runs, ended last or is to
    begin. `status` is queued, running, done, failed, stopped, or interrupted: its machine was started anew, or something
    killed its runner. Times are UTC."""

    id: str
    title: str
    commands: tuple[tuple[str, ...], ...]
    folder: str
    status: str
    position: int
    returncode: int | None
    created: str | None
    started: str | None
    ended: str | None


class Queue:
    """The jobs under a folder. UserError if it cannot be made.

    `problem` is the line that says why the next job cannot be started; None while all is well.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = Path(folder).resolve() / FOLDER
        with write_errors(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
        self._wake, self._closed = threading.Event(), False
        self._thread: threading.Thread | None = None
        self._runners: list[subprocess.Popen[bytes]] = []
        self.problem: str | None = None

    # ---- what there is ----

    def jobs(self) -> list[Job]:
        """Newest first, as they are on the disk now."""
        return [self._read(folder) for folder in reversed(self._folders())]

    def get(self, id: str) -> Job:
        """UserError if there is none."""
        return self._read(self._of(id))

    def log(self, id: str, characters: int = 20_000) -> str:
        """The end of what its commands printed, stdout and stderr in the order in which they were read."""
        folder, kept = self._of(id), b""
        for name in (runner.LOG, runner.OLDER_LOG):
            wanted = 4 * characters - len(kept)  # UTF-8 has up to four bytes for one
            with suppress(FileNotFoundError), (folder / name).open("rb") as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - wanted))
                kept = file.read() + kept
        # What the cut left of a character, and what a terminal would no longer show, are left out.
        text = kept.lstrip(bytes(range(0x80, 0xC0))).decode("utf-8", errors="replace")
        text = "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))
        return text[-characters:] if characters > 0 else ""

    def output(self, id: str, position: int = -1) -> dict[str, Any] | None:
        """The last line that a command printed to stdout, if it was a JSON object; positions count as in a list."""
        folder = self._of(id)
        count = len(self._read(folder).commands)
        if not -count <= position < count:
            return None
        try:
            return json.loads(runner.result(folder, position % count).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    # ---- what is done with it ----

    def add(self, title: str, commands: Sequence[Sequence[str]], folder: str = "") -> Job:
        """Puts a job at the end of the queue. UserError for what is no command, and for a full disk."""
        if not commands or not all(commands):
            raise UserError("a job needs a command")
        _require_arguments(commands)
        job = {"title": title, "commands": [list(each) for each in commands], "folder": folder,
               "created": runner.now(), "cwd": os.getcwd()}  # fmt: skip
        with self._lock(), write_errors(self._folder):
            part = self._folder / f".{uuid.uuid4().hex}"
            try:  # complete or not at all
                write(part / runner.JOB, json.dumps(job) + "\n")
                runner.write_state(part, _queued(0))
                newest = self._folders()[-1:]
                id = f"{int(newest[0].name) + 1 if newest else 1:04}"
                os.replace(part, self._folder / id)
            finally:
                shutil.rmtree(part, ignore_errors=True)
        self._wake.set()
        return self.get(id)

    def stop(self, id: str) -> None:
        """Takes a job out of the queue, or ends the one that runs by SIGTERM, which saves a checkpoint; by SIGKILL if it
        was asked to before. UserError for one that does not run."""
        folder = self._of(id)
        with self._lock():
            job = self._read(folder)
            if job.status == "queued":
                with write_errors(folder):
                    state = _object(folder / runner.STATE)
                    runner.write_state(folder, state | {"status": "stopped", "ended": runner.now()})
                return
        if job.status != "running":
            raise UserError(f"job {id} does not run: it is {job.status}")
        until = time.monotonic() + _START_SECONDS
        while runner.is_locked(folder / runner.COMMAND_LOCK):
            if runner.is_locked(folder / runner.RUNNER_LOCK):
                if (number := _number(folder / runner.RUNNER_LOCK)) is not None:
                    with suppress(ProcessLookupError):
                        os.kill(number, signal.SIGTERM)
                    return
            elif (group := _number(folder / runner.COMMAND_LOCK)) is not None:
                _end_group(group, signal.SIGKILL)  # its runner is gone, and SIGTERM was sent then
                return
            if time.monotonic() > until:
                raise UserError(f"job {id} does not answer: try again")
            time.sleep(0.02)

    def resume(self, id: str) -> Job:
        """Puts it at the end of the queue again, from the command on that did not end well. UserError if it cannot be."""
        folder = self._of(id)
        with self._lock():
            job = self._read(folder)
            if job.status in ("queued", "running", "done"):
                raise UserError(f"job {id} cannot go on: it is {job.status}")
            if not job.commands:
                raise UserError(f"job {id} cannot go on: {job.title}")
            position = job.position + (job.returncode == 0)
            with write_errors(folder):
                runner.write_state(folder, _queued(min(position, len(job.commands) - 1)))
        self._wake.set()
        return self.get(id)

    def start(self) -> None:
        """Begins to start queued jobs, each when none runs, in a thread."""
        if self._thread is None:
            self._closed = False
            self._thread = threading.Thread(target=self._work, name="queue", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Starts no more jobs; one that runs goes on."""
        if self._thread is not None:
            self._closed = True
            self._wake.set()
            self._thread.join()
            self._thread = None

    # ---- one at a time ----

    def _work(self) -> None:
        while not self._closed:
            self._wake.clear()
            problem = None
            try:
                self._start_next()
            except UserError as error:
                problem = str(error)
            except OSError as error:
                problem = f"the next job cannot be started: {error.strerror or error}; it is tried again"
            if problem and problem != self.problem:
                print(problem, file=sys.stderr)
            self.problem = problem
            self._wake.wait(_EVERY_SECONDS)

    def _start_next(self) -> None:
        """Starts the job that has waited longest, unless one runs."""
        self._runners = [each for each in self._runners if each.poll() is None]  # no zombie stays
        with self._lock():
            waiting: list[tuple[str, Path]] = []
            running = False
            for folder in self._folders():
                state = _object(folder / runner.STATE)
                if state.get("status") == "queued":
                    waiting.append((str(state.get("queued")), folder))
                elif self._status(folder, state) == "running":
                    running = True
                    _end_what_a_killed_runner_left(folder)
            if waiting and not running:
                self._start(min(waiting)[1])

    def _start(self, folder: Path) -> None:
        job, state = _object(folder / runner.JOB), _object(folder / runner.STATE)
        with write_errors(folder):
            if not job:  # torn
                runner.write_state(folder, state | {"status": "failed"})
                return
            lock = runner.locked(folder / runner.COMMAND_LOCK)  # before it says that it runs
        try:
            with write_errors(folder):  # a job that cannot say so stays in the queue
                runner.write_state(folder, state | {"status": "running", "started": runner.now()})
            try:
                self._runners.append(runner.start(folder, job["cwd"], lock))
            except OSError as error:
                with write_errors(folder):
                    with (folder / runner.LOG).open("a", encoding="utf-8") as log:
                        log.write(f"The job cannot be started: {error}\n")
                    runner.write_state(folder, state | {"status": "failed", "ended": runner.now()})
        finally:
            os.close(lock)

    # ---- on the disk ----

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """No other queue on this folder changes anything meanwhile."""
        with write_errors(self._folder):
            descriptor = os.open(self._folder / "queue.lock", os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _folders(self) -> list[Path]:
        """Of all jobs, oldest first."""
        found = [path for path in self._folder.glob("*") if _ID.fullmatch(path.name) and path.is_dir()]
        return sorted(found, key=lambda path: int(path.name))

    def _of(self, id: str) -> Path:
        folder = self._folder / str(id)
        if not _ID.fullmatch(str(id)) or not folder.is_dir():
            raise UserError(f"there is no job {id}")
        return folder

    def _read(self, folder: Path) -> Job:
        state, job = _object(folder / runner.STATE), _object(folder / runner.JOB)
        status = self._status(folder, state)
        if status == "interrupted":  # unless it has just ended, between the two looks
            state = _object(folder / runner.STATE)
            status = self._status(folder, state)
        if not job:
            job = {"title": f"{folder / runner.JOB} is torn: give its commands again"}
            status = "running" if status == "running" else "failed"
        commands = tuple(tuple(each) for each in job.get("commands", ()))
        return Job(
            folder.name, job["title"], commands, job.get("folder", ""), status, state.get("position", 0),
            state.get("returncode"), job.get("created"), state.get("started"), state.get("ended"),
        )  # fmt: skip

    def _status(self, folder: Path, state: dict[str, Any]) -> str:
        """What the state says; of one that says "running", or was torn, whether it is still true."""
        status = state.get("status", "running")
        if status != "running":
            return status
        return "running" if runner.is_locked(folder / runner.COMMAND_LOCK) else "interrupted"


def _queued(position: int) -> dict[str, Any]:
    return {"status": "queued", "position": position, "returncode": None, "queued": runner.now(),
            "started": None, "ended": None}  # fmt: skip


def _require_arguments(commands: Sequence[Sequence[str]]) -> None:
    """UserError for a word that no process can be given."""
    for word in (word for command in commands for word in command):
        try:
            fits = b"\0" not in os.fsencode(word)
        except UnicodeEncodeError:
            fits = False
        if not fits:
            raise UserError(f"{word!r} holds a character that a command cannot be given")


def _end_what_a_killed_runner_left(folder: Path) -> None:
    """Its output is lost, and nobody would see it end: it gets SIGTERM, which saves a checkpoint."""
    if not runner.is_locked(folder / runner.RUNNER_LOCK):
        if (group := _number(folder / runner.COMMAND_LOCK)) is not None:
            _end_group(group, signal.SIGTERM)


def _end_group(group: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, number)


def _number(path: Path) -> int | None:
    """The process id in a lock file; None while there is none."""
    try:
        return int(path.read_bytes())
    except (OSError, ValueError):
        return None


def _object(path: Path) -> dict[str, Any]:
    """The JSON object in a file; an empty one if there is none, or it is torn."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}

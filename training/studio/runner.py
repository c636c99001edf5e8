"""One job in a process of its own: runs its commands one after the other, and writes down what comes of them.

    python -m training.studio.runner FOLDER

The folder of a job holds job.json, which never changes, state.json, the log, and the results of its commands. Whoever
starts a runner hands it `command.lock`, locked; the runner hands it on to its commands, so that it is locked while
anything of the job lives. `runner.lock` is locked while the runner does. SIGTERM ends the command that runs by SIGTERM, a
second one by SIGKILL, and either way the job.
"""

from __future__ import annotations

import fcntl
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from training.runs import atomic_write

JOB, STATE, LOG, OLDER_LOG = "job.json", "state.json", "log", "log.1"
COMMAND_LOCK, RUNNER_LOCK = "command.lock", "runner.lock"  # in them: the id of the group, that of the process
LOG_BYTES = 1_000_000  # of each of the two files of a log
_RESULT_BYTES = 1 << 24  # a longer line of stdout is no result
_CHUNK = 1 << 16  # bytes read at a time


def result(folder: Path, position: int) -> Path:
    """Where the result of a command is: the last line that it wrote to stdout, if that was a JSON object."""
    return folder / f"result-{position}.json"


def now() -> str:
    return datetime.now(timezone.utc).isoformat()


def write_state(folder: Path, state: dict[str, Any]) -> None:
    """Raises OSError."""
    atomic_write.write(folder / STATE, json.dumps(state) + "\n")


def locked(path: Path) -> int:
    """The descriptor of an empty file that is locked from here on. Raises OSError."""
    path.unlink(missing_ok=True)  # a process that an earlier start left may hold that one
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    fcntl.flock(descriptor, fcntl.LOCK_EX)  # waits for those who only ask, at most
    return descriptor


def is_locked(path: Path) -> bool:
    """Whether a process that lives has it locked; a shared lock asks without being in the way of others that ask."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def start(folder: Path, cwd: str, lock: int) -> subprocess.Popen[bytes]:
    """A runner of its own session, which outlives this process; `lock` is the descriptor of command.lock. Raises OSError."""
    root = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    return subprocess.Popen(
        [sys.executable, "-m", "training.studio.runner", str(folder.resolve()), str(lock)],
        cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True, pass_fds=[lock],
        env=os.environ | {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1"},  # the log shows lines as they come
    )  # fmt: skip


class _Runner:
    """Runs the commands of a job from the position that its state names."""

    def __init__(self, folder: Path, lock: int) -> None:
        self._folder, self._lock = folder, lock
        self._asked = 0  # how often to stop
        self._unlogged = b""
        self._woken, wakes = socket.socketpair()
        for end in (self._woken, wakes):
            end.setblocking(False)
        self._wakes = wakes  # by signals: kept, for it would be closed
        signal.set_wakeup_fd(wakes.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # only to wake
        signal.signal(signal.SIGTERM, self._stop)
        self._own_lock = locked(folder / RUNNER_LOCK)
        os.write(self._own_lock, str(os.getpid()).encode())

    def _stop(self, *_: Any) -> None:
        self._asked += 1

    def run(self) -> None:
        try:
            self._run()
        except OSError as error:  # above all a full disk
            self._append(f"The job was interrupted: {error}; make room, then resume it\n".encode())
            self._fail_in_place()

    def _fail_in_place(self) -> None:
        """Where there is no room for another state file, in the room of this one; torn it would read as interrupted."""
        with suppress(OSError, ValueError), (self._folder / STATE).open("r+b") as file:
            state = json.loads(file.read())
            failed = json.dumps(state | {"status": "failed", "ended": now()}).encode()
            file.seek(0)
            file.write(failed)
            file.truncate()

    def _run(self) -> None:
        commands = json.loads((self._folder / JOB).read_text(encoding="utf-8"))["commands"]
        state = json.loads((self._folder / STATE).read_text(encoding="utf-8"))
        code: int | None = None
        for position in range(state["position"], len(commands)):
            if self._asked:
                break
            state |= {"position": position, "returncode": None}
            write_state(self._folder, state)
            code = self._command(position, commands[position])
            state["returncode"] = code
            if code != 0:
                break
        done = code == 0 and state["position"] == len(commands) - 1
        state |= {"status": "done" if done else "stopped" if self._asked else "failed", "ended": now()}
        write_state(self._folder, state)

    def _command(self, position: int, argv: list[str]) -> int | None:
        """Its exit code, as subprocess has it; None if it could not be started."""
        result(self._folder, position).unlink(missing_ok=True)
        try:
            child = subprocess.Popen(
                [sys.executable, *argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                start_new_session=True, pass_fds=[self._lock],
            )  # fmt: skip
        except (OSError, ValueError) as error:
            self._append(f"The command cannot be started: {error}\n".encode())
            return None
        with suppress(OSError):  # a full disk: only who ends what a killed runner leaves needs it
            os.pwrite(self._lock, str(child.pid).encode(), 0)
        last = self._follow(child)
        self._append(b"")
        os.ftruncate(self._lock, 0)
        with suppress(ValueError, RecursionError):
            if isinstance(json.loads(last), dict):
                atomic_write.write(result(self._folder, position), last.decode())
        return child.returncode

    def _follow(self, child: subprocess.Popen[bytes]) -> bytes:
        """Logs what a command prints until it ends, and returns the last line of its stdout that is not blank."""
        assert child.stdout and child.stderr
        lines, sent = _LastLine(), self._asked
        with selectors.DefaultSelector() as selector, child.stdout, child.stderr:
            selector.register(self._woken, selectors.EVENT_READ)
            for pipe in (child.stdout, child.stderr):
                selector.register(pipe, selectors.EVENT_READ)
            if sent:  # while it started
                os.killpg(child.pid, signal.SIGTERM)
            ended = False
            while True:
                ready = [key.fileobj for key, _ in selector.select(0 if ended else None)]
                read = False
                for pipe in (child.stdout, child.stderr):
                    if pipe not in ready:
                        continue
                    chunk = os.read(pipe.fileno(), _CHUNK)
                    if not chunk:
                        selector.unregister(pipe)
                        continue
                    read = True
                    self._append(chunk)
                    if pipe is child.stdout:
                        lines.add(chunk)
                if self._woken in ready:
                    self._woken.recv(_CHUNK)
                # Not at the end of its pipes: what it left running may hold them.
                if ended and not read:
                    return lines.last()
                ended = child.poll() is not None
                if self._asked > sent and not ended:
                    os.killpg(child.pid, signal.SIGKILL if sent else signal.SIGTERM)
                    sent = self._asked

    def _append(self, text: bytes) -> None:
        """To the log. The end of what a full disk has no room for waits until there is some: it says why a command failed."""
        path = self._folder / LOG
        self._unlogged = (self._unlogged + text)[-_CHUNK:]
        with suppress(OSError):
            with path.open("ab", buffering=0) as file:
                while self._unlogged:
                    self._unlogged = self._unlogged[file.write(self._unlogged) :]
                size = file.tell()
            if size > LOG_BYTES:
                os.replace(path, self._folder / OLDER_LOG)


class _LastLine:
    """The last line of a stream that is not blank; of one that is too long, nothing."""

    def __init__(self) -> None:
        self._complete, self._open = b"", b""

    def add(self, chunk: bytes) -> None:
        *complete, rest = (self._open + chunk).split(b"\n")
        self._complete = next((line for line in reversed(complete) if line.strip()), self._complete)
        self._open = rest if len(rest) <= _RESULT_BYTES else b"!"  # no JSON begins so

    def last(self) -> bytes:
        return self._open if self._open.strip() else self._complete


if __name__ == "__main__":
    _Runner(Path(sys.argv[1]), int(sys.argv[2])).run()

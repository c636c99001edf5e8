"""The queue of commands: real processes, killed, stopped and found again."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from space.errors import UserError
from training.runs import checkpoints
from training.studio import runner
from training.studio.jobs import FOLDER, Job, Queue

ROOT = Path(__file__).resolve().parents[3]
SLEEP = ["-c", "import time; print('begun'); time.sleep(60)"]


@pytest.fixture
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Queue]:
    """A queue that works; at the end nothing that it started is alive."""
    monkeypatch.setenv("TEST_OF_JOBS", str(tmp_path))
    queue = Queue(tmp_path)
    queue.start()
    yield queue
    queue.close()
    try:
        until(lambda: not alive(tmp_path), seconds=5)
    finally:
        for process in alive(tmp_path):
            process.kill()


def alive(folder: Path) -> list[psutil.Process]:
    """The processes that a test of this folder started."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("TEST_OF_JOBS") == str(folder) and process.pid != os.getpid():
                if process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def until(condition: Callable[[], Any], seconds: float = 20.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "this did not come"
        time.sleep(0.02)
    return value


def ended(queue: Queue, job: Job) -> Job:
    until(lambda: queue.get(job.id).status not in ("queued", "running"))
    return queue.get(job.id)


def begun(queue: Queue, job: Job, text: str = "begun") -> None:
    until(lambda: text in queue.log(job.id))


def folder_of(folder: Path, job: Job) -> Path:
    return folder / FOLDER / job.id


def process_in(folder: Path, name: str) -> int:
    return int((folder / name).read_text())


# ---- in order ----


def test_jobs_run_one_at_a_time_in_the_order_in_which_they_came(queue: Queue, tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    code = (
        "import sys, time\nmark = lambda text: print(sys.argv[1], text, file=open(sys.argv[2], 'a'))\n"
        "mark('begins'); time.sleep(0.1); mark('ends')"
    )
    jobs = [queue.add(name, [["-c", code, name, str(marks)]], folder=f"runs/{name}") for name in "abc"]
    assert [job.id for job in jobs] == ["0001", "0002", "0003"]
    assert [job.title for job in queue.jobs()] == ["c", "b", "a"]
    last = ended(queue, jobs[2])
    assert marks.read_text().split("\n") == [
        f"{name} {text}" for name in "abc" for text in ("begins", "ends")
    ] + [""]
    assert (last.status, last.position, last.returncode, last.folder) == ("done", 0, 0, "runs/c")
    assert last.created and last.started and last.ended and last.created < last.started < last.ended


def test_the_commands_of_a_job_follow_each_other_until_one_fails(queue: Queue) -> None:
    commands = [
        ["-c", "print('one')"],
        ["-c", "import sys; print('two'); sys.exit(3)"],
        ["-c", "print('three')"],
    ]
    job = ended(queue, queue.add("three", commands))
    assert (job.status, job.position, job.returncode) == ("failed", 1, 3)
    assert queue.log(job.id) == "one\ntwo\n"


def test_a_real_command_of_training_fails_with_its_line(queue: Queue) -> None:
    job = ended(queue, queue.add("sft", [["-m", "training", "sft"]]))
    assert (job.status, job.returncode) == ("failed", 2)
    assert re.fullmatch(r"--\w+ is missing: name a folder.*\n", queue.log(job.id))


def test_a_command_gets_its_words_as_they_were_given(queue: Queue) -> None:
    words = ["a b", "-x", "--", "it's", '"', "", "a\nb", "$(id)", "日本", "\udcff", "*"]
    code = "import json, os, sys; print(json.dumps({'words': [list(os.fsencode(w)) for w in sys.argv[1:]]}))"
    job = ended(queue, queue.add("words", [["-c", code, *words]]))
    assert queue.output(job.id) == {"words": [list(os.fsencode(word)) for word in words]}
    assert job.commands == (("-c", code, *words),)
    for word in ("a\0b", "\ud800"):
        with pytest.raises(UserError, match="holds a character that a command cannot be given"):
            queue.add("words", [["-c", word]])
    with pytest.raises(UserError, match="a job needs a command"):
        queue.add("none", [[]])


# ---- what they print ----


def test_the_result_is_the_last_line_of_stdout_of_each_command(queue: Queue) -> None:
    first = "import sys; print('{\"a\": 0}'); print('{\"a\": 1}\\n'); print('{\"a\": 2}', file=sys.stderr)"
    job = ended(
        queue, queue.add("results", [["-c", first], ["-c", "print('[1]')"], ["-c", "print('{}', end='')"]])
    )
    assert [queue.output(job.id, position) for position in range(3)] == [{"a": 1}, None, {}]
    assert queue.output(job.id) == {} and queue.output(job.id, -3) == {"a": 1}
    assert queue.output(job.id, 3) is None and queue.output(job.id, -4) is None


def test_the_log_has_stdout_and_stderr_and_of_progress_bars_what_is_seen(queue: Queue) -> None:
    code = (
        "import sys, time\nfor i in range(3):\n  print('out', i); time.sleep(0.05)\n"
        "  print('err', i, file=sys.stderr); time.sleep(0.05)\n"
        "sys.stderr.write('1%\\r50%\\r100%\\n'); print('ä' * 9)"
    )
    job = ended(queue, queue.add("log", [["-c", code]]))
    lines = [f"{kind} {i}" for i in range(3) for kind in ("out", "err")]
    assert sorted(queue.log(job.id).splitlines()[6:]) == ["100%", "ä" * 9]
    assert queue.log(job.id).splitlines()[:6] == lines
    assert queue.log(job.id, 5) == queue.log(job.id)[-5:]


def test_a_log_is_bounded_and_keeps_its_end(queue: Queue, tmp_path: Path) -> None:
    job = ended(queue, queue.add("long", [["-c", "for i in range(400): print('line', i, 'x' * 9900)"]]))
    assert job.status == "done"
    size = sum(path.stat().st_size for path in folder_of(tmp_path, job).glob("log*"))
    assert runner.LOG_BYTES / 2 < size < 2.2 * runner.LOG_BYTES
    lines = queue.log(job.id, 1_200_000).splitlines()[1:]
    assert [int(line.split()[1]) for line in lines] == list(range(400 - len(lines), 400))
    assert len(lines) > 100


def test_what_a_command_leaves_running_does_not_hold_its_job(queue: Queue, tmp_path: Path) -> None:
    code = "import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']).pid)"
    job = ended(queue, queue.add("daemon", [["-c", code]]))
    assert job.status == "done"
    os.kill(int(queue.log(job.id)), signal.SIGKILL)
    until(lambda: alive(tmp_path) == [])


# ---- stopped, and gone on with ----

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, lambda *_: print('asked')); print('begun')\nwhile True: time.sleep(1)"
POLITE = "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(143)); print('begun'); time.sleep(60)"


def test_a_job_is_stopped_by_sigterm_and_by_sigkill_if_asked_again(queue: Queue) -> None:
    job = queue.add("stubborn", [["-c", STUBBORN], ["-c", "print('never')"]])
    begun(queue, job)
    queue.stop(job.id)
    begun(queue, job, "asked")
    assert queue.get(job.id).status == "running"
    queue.stop(job.id)
    job = ended(queue, job)
    assert (job.status, job.returncode, queue.log(job.id)) == ("stopped", -signal.SIGKILL, "begun\nasked\n")
    with pytest.raises(UserError, match="job 0001 does not run: it is stopped"):
        queue.stop(job.id)


def test_a_job_is_stopped_with_all_that_its_command_started(queue: Queue, tmp_path: Path) -> None:
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; print(1); time.sleep(60)'])"
    job = queue.add("parent", [["-c", code]])
    begun(queue, job, "1")
    queue.stop(job.id)
    assert ended(queue, job).status == "stopped"
    until(lambda: alive(tmp_path) == [])


def test_a_job_that_is_just_starting_is_stopped(queue: Queue) -> None:
    job = queue.add("early", [SLEEP])
    until(lambda: queue.get(job.id).status == "running")
    queue.stop(job.id)
    assert ended(queue, job).status == "stopped"


def test_a_queued_job_is_taken_out_and_goes_on_when_asked_to(queue: Queue) -> None:
    first, second = queue.add("first", [SLEEP]), queue.add("second", [["-c", "print('second')"]])
    begun(queue, first)
    queue.stop(second.id)
    assert queue.get(second.id).status == "stopped"
    with pytest.raises(UserError, match="job 0001 cannot go on: it is running"):
        queue.resume(first.id)
    queue.stop(first.id)
    assert ended(queue, first).status == "stopped" and queue.get(second.id).status == "stopped"
    assert queue.resume(second.id).status in ("queued", "running")
    assert ended(queue, second).status == "done"
    with pytest.raises(UserError, match="job 0002 cannot go on: it is done"):
        queue.resume(second.id)


def test_a_job_goes_on_from_the_command_that_did_not_end_well(queue: Queue, tmp_path: Path) -> None:
    code = f"import pathlib, sys; print('second'); sys.exit(not pathlib.Path({str(tmp_path / 'there')!r}).exists())"
    job = ended(queue, queue.add("two", [["-c", "print('first')"], ["-c", code], ["-c", "print('third')"]]))
    assert (job.status, job.position) == ("failed", 1)
    (tmp_path / "there").touch()
    queue.resume(job.id)
    assert ended(queue, job).status == "done"
    assert queue.log(job.id) == "first\nsecond\nsecond\nthird\n"


@pytest.mark.parametrize("id", ["0009", "../0001", "", "x"])
def test_a_job_that_does_not_exist_is_one_line(queue: Queue, id: str) -> None:
    for call in (queue.get, queue.log, queue.output, queue.stop, queue.resume):
        with pytest.raises(UserError, match="^there is no job "):
            call(id)


# ---- killed ----


def studio(folder: Path, commands: list[list[list[str]]]) -> subprocess.Popen[str]:
    """Another process with a queue that works, to which these jobs were added."""
    code = (
        "import json, sys, time\nfrom pathlib import Path\nfrom training.studio.jobs import Queue\n"
        "queue = Queue(Path(sys.argv[1]))\n"
        "for each in json.loads(sys.argv[2]): queue.add('job', each)\n"
        "queue.start()\nprint('ready', flush=True)\ntime.sleep(60)"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code, str(folder), json.dumps(commands)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )  # fmt: skip


def test_a_job_outlives_its_studio_and_is_found_again(queue: Queue, tmp_path: Path) -> None:
    queue.close()
    gate = tmp_path / "gate"
    code = f"import pathlib, time\nprint('begun')\nwhile not pathlib.Path({str(gate)!r}).exists(): time.sleep(0.02)\nprint('{{}}')"
    with studio(tmp_path, [[["-c", code]], [["-c", "print('next')"]]]) as killed:
        until(lambda: queue.jobs() and "begun" in queue.log("0001"))
        killed.kill()
    found = Queue(tmp_path)
    assert [job.status for job in found.jobs()] == ["queued", "running"]
    found.start()
    gate.touch()
    try:
        until(lambda: [job.status for job in found.jobs()] == ["done", "done"])
        assert found.output("0001") == {} and found.log("0002") == "next\n"
    finally:
        found.close()


def test_a_job_whose_runner_was_killed_is_interrupted_and_goes_on(queue: Queue, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    code = f"import pathlib, sys; pathlib.Path({str(gate)!r}).exists() and sys.exit()\n{POLITE}"
    job = queue.add("killed", [["-c", "print('first')"], ["-c", code]])
    later = queue.add("later", [["-c", "print('later')"]])
    begun(queue, job)
    folder = folder_of(tmp_path, job)
    command = process_in(folder, runner.COMMAND_LOCK)
    os.kill(process_in(folder, runner.RUNNER_LOCK), signal.SIGKILL)
    job = ended(queue, job)
    assert (job.status, job.position, job.returncode) == ("interrupted", 1, None)
    assert command not in [
        process.pid for process in alive(tmp_path)
    ]  # one at a time: nothing of it goes on unseen
    assert ended(queue, later).status == "done"
    gate.touch()
    queue.resume(job.id)
    assert ended(queue, job).status == "done" and queue.log(job.id) == "first\nbegun\n"


def test_a_command_that_a_killed_runner_left_is_stopped_by_sigkill(queue: Queue, tmp_path: Path) -> None:
    begun, asked = tmp_path / "begun", tmp_path / "asked"  # files: nobody reads its output any more
    code = (
        "import signal, sys, time\nfrom pathlib import Path\n"
        "signal.signal(signal.SIGTERM, lambda *_: Path(sys.argv[2]).touch()); Path(sys.argv[1]).touch()\n"
        "while True: time.sleep(1)"
    )
    job = queue.add("stubborn", [["-c", code, str(begun), str(asked)]])
    until(begun.exists)
    os.kill(process_in(folder_of(tmp_path, job), runner.RUNNER_LOCK), signal.SIGKILL)
    until(asked.exists)
    assert queue.get(job.id).status == "running"
    queue.stop(job.id)
    assert ended(queue, job).status == "interrupted"


def test_a_process_id_that_is_another_process_now_says_nothing(queue: Queue, tmp_path: Path) -> None:
    job = ended(queue, queue.add("old", [["-c", "pass"]]))
    until(lambda: not alive(tmp_path))
    folder = folder_of(tmp_path, job)
    state = json.loads((folder / runner.STATE).read_text())
    (folder / runner.STATE).write_text(json.dumps(state | {"status": "running"}))
    for name in (runner.RUNNER_LOCK, runner.COMMAND_LOCK):
        (folder / name).write_text(str(os.getpid()))  # after the machine was started anew
    # Who is being started elsewhere in this process holds every lock for a moment.
    until(lambda: queue.get(job.id).status == "interrupted")
    with pytest.raises(UserError, match="job 0001 does not run: it is interrupted"):
        queue.stop(job.id)


def test_several_queues_on_a_folder_start_no_job_twice(queue: Queue, tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    code = f"import os, time; f = os.open({str(marks)!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND)\nos.write(f, b'x'); time.sleep(0.02); os.write(f, b'y')"
    others = [Queue(tmp_path) for _ in range(2)]
    with studio(tmp_path, []) as other:
        assert other.stdout and other.stdout.readline() == "ready\n"
        for each in others:
            each.start()
        jobs = [each.add("job", [["-c", code]]) for _ in range(2) for each in others]
        try:
            assert len({job.id for job in jobs}) == 4
            until(lambda: {job.status for job in queue.jobs()} == {"done"})
        finally:
            for each in others:
                each.close()
            other.kill()
    assert marks.read_text() == "xy" * 4


# ---- torn files, full disks ----


def test_a_torn_state_loses_no_job(queue: Queue, tmp_path: Path) -> None:
    first, second = (ended(queue, queue.add(name, [["-c", "print(1)"]])) for name in "ab")
    (folder_of(tmp_path, first) / runner.STATE).write_text('{"status": "do')
    (folder_of(tmp_path, second) / runner.JOB).write_text("")
    third = ended(queue, queue.add("c", [["-c", "print(3)"]]))
    assert [job.status for job in queue.jobs()] == ["done", "failed", "interrupted"]
    torn = queue.get(second.id)
    assert torn.title == f"{folder_of(tmp_path, second) / runner.JOB} is torn: give its commands again"
    with pytest.raises(UserError, match="job 0002 cannot go on: .* is torn"):
        queue.resume(second.id)
    assert queue.get(first.id).title == "a"
    queue.resume(first.id)
    assert ended(queue, first).status == "done" and third.status == "done"


def test_a_job_whose_folder_is_gone_cannot_be_started(queue: Queue, tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    queue.close()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path / "gone")
        job = queue.add("lost", [["-c", "pass"]])
    (tmp_path / "gone").rmdir()
    queue.start()
    assert ended(queue, job).status == "failed"
    assert queue.log(job.id).startswith("The job cannot be started: [Errno 2] No such file or directory")


def test_a_job_is_never_seen_as_interrupted_while_it_starts(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, seen = runner.write_state, []

    def looks(folder: Path, state: dict[str, Any]) -> None:
        write(folder, state)
        if state["status"] == "running":
            seen.append(queue.get(folder.name).status)

    monkeypatch.setattr(runner, "write_state", looks)
    assert ended(queue, queue.add("watched", [["-c", "pass"]])).status == "done"
    assert seen == ["running"]


def test_a_queued_job_that_is_torn_is_passed_over(queue: Queue, tmp_path: Path) -> None:
    queue.close()
    torn, job = queue.add("torn", [["-c", "pass"]]), queue.add("whole", [["-c", "pass"]])
    (folder_of(tmp_path, torn) / runner.JOB).write_text("{")
    queue.start()
    assert ended(queue, job).status == "done" and queue.get(torn.id).status == "failed"


def test_a_full_disk_is_one_line_and_the_queue_goes_on_when_there_is_room(
    queue: Queue, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    queue.close()
    waiting = queue.add("waiting", [["-c", "print(1)"]])
    before = sorted((tmp_path / FOLDER).rglob("*"))
    tried = []

    def full(*names: Any) -> None:
        tried.append(names)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "replace", full)
        with pytest.raises(UserError, match="cannot be written: No space left on device; free some space"):
            queue.add("no room", [["-c", "pass"]])
        assert sorted((tmp_path / FOLDER).rglob("*")) == before
        queue.start()
        until(lambda: queue.problem)
        assert queue.problem and "No space left on device" in queue.problem
        until(lambda: len(tried) > 3)  # it is tried again, and said once
        assert queue.get(waiting.id).status == "queued"
    assert ended(queue, waiting).status == "done"
    until(lambda: queue.problem is None)
    assert capsys.readouterr().err.count("\n") == 1


def test_a_log_that_cannot_be_written_ends_no_command(queue: Queue, tmp_path: Path) -> None:
    queue.close()
    job = queue.add("quiet", [["-c", "print('x' * 300_000); print('{\"a\": 1}')"]])
    (folder_of(tmp_path, job) / runner.LOG).symlink_to("/dev/full")
    queue.start()
    assert ended(queue, job).status == "done" and queue.output(job.id) == {"a": 1}


def test_what_a_log_had_no_room_for_is_logged_when_there_is_some(queue: Queue, tmp_path: Path) -> None:
    queue.close()
    wait = "import pathlib, time; path = pathlib.Path({!r})\nwhile not path.exists(): time.sleep(0.02)"
    go = tmp_path / "go"
    job = queue.add("noted", [["-c", f"print('early')\n{wait.format(str(go))}"]])
    log = folder_of(tmp_path, job) / runner.LOG
    log.symlink_to("/dev/full")
    queue.start()
    lock = folder_of(tmp_path, job) / runner.COMMAND_LOCK
    until(lambda: runner.is_locked(lock) and lock.read_bytes())
    time.sleep(0.3)  # it prints
    log.unlink()
    go.touch()
    assert ended(queue, job).status == "done" and queue.log(job.id) == "early\n"


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot be written: Not a directory"):
        Queue(tmp_path / "file")


# ---- a training ----


@pytest.mark.slow
def test_a_training_is_stopped_with_a_checkpoint_and_goes_on(
    queue: Queue, tmp_path: Path, tiny_llama: Path
) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text(
        "".join(json.dumps({"prompt": f"say {i}", "completion": f"{i}!"}) + "\n" for i in range(40))
    )
    run = tmp_path / "run"
    options = [
        "--task=chat",
        "--max_steps=400",
        "--per_device_train_batch_size=2",
        "--logging_steps=1",
        "--tracker=none",
    ]
    argv = [
        "-m",
        "training",
        "sft",
        f"--model={tiny_llama}",
        f"--dataset={rows}",
        f"--output_dir={run}",
        *options,
    ]
    job = queue.add("sft", [argv], folder=str(run))
    until(lambda: (run / "log.jsonl").exists() and (run / "log.jsonl").read_text(), seconds=120)
    queue.stop(job.id)
    until(lambda: queue.get(job.id).status != "running", seconds=60)
    stopped = queue.get(job.id)
    assert (stopped.status, stopped.returncode) == ("stopped", 143)
    assert checkpoints.newest(run)
    queue.resume(job.id)
    until(lambda: queue.get(job.id).status == "done", seconds=240)
    output = queue.output(job.id)
    assert output and output["steps"] == 400

"""The journal's way to the dataset, through the real client and a Hub on loopback that fails on demand."""

from __future__ import annotations

import json
import logging
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from huggingface_hub import close_session

from feedback import hub as feedback_hub
from feedback import hub_errors
from feedback.dataset import Dataset, HubError, Index, forget, rows
from feedback.errors import FeedbackError
from feedback.hub import Sync
from feedback.journal import Journal
from feedback.record import Change, Record, new_id
from tests.feedback.conftest import REPO, record
from tests.feedback.hub_server import CUT, DROP, HANG, Fault, HubServer

ROOT = Path(__file__).resolve().parents[2]
FAULTS: list[Fault] = [429, 500, 503, DROP, CUT]
QUICK = {"every_seconds": 0.02, "backoff_seconds": (0.01, 0.2)}


@pytest.fixture
def quick_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client's own retries without their seconds of wait; ours are set by the constructor."""
    from huggingface_hub.utils import _http

    # A clock for that one module: create_commit and its like cannot be given another wait.
    monkeypatch.setattr(_http, "time", SimpleNamespace(sleep=lambda seconds: None))


def test_a_quick_client_leaves_everybody_else_the_clock(quick_client: None) -> None:
    began = time.monotonic()
    time.sleep(0.05)
    assert time.monotonic() - began >= 0.05


def sync(folder: Path, dataset: Dataset | None) -> Sync:
    return Sync(folder, dataset, **QUICK)  # type: ignore[arg-type]


def add_flags(folder: Path, count: int = 1, **fields: Any) -> list[str]:
    """Ids of records that one process put into the journal."""
    journal = Journal(folder)
    added = [record(**fields) for _ in range(count)]
    for each in added:
        journal.append(each.to_dict())
    journal.close()
    return [each.id for each in added]


def ids(hub: HubServer) -> list[str]:
    return sorted(row["id"] for row in hub.rows(REPO))


def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.01)


def never(condition: Callable[[], bool], seconds: float = 0.3) -> None:
    """Fails as soon as the condition holds; what must not happen can only be watched for some time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert not condition()
        time.sleep(0.01)


# ---- what arrives ----


def test_records_arrive_in_a_private_dataset_with_card_and_index(
    hub: HubServer, dataset: Dataset, tmp_path: Path
) -> None:
    added = add_flags(tmp_path, 3, verdict="bad", reasons=("rude",)) + add_flags(tmp_path, 2)
    assert sync(tmp_path, dataset).step() == 5
    repo = hub.repos[REPO]
    assert repo.private and ids(hub) == sorted(added)
    index = json.loads(repo.files["index.json"])
    assert (
        index["records"] == 5
        and index["verdicts"] == {"bad": 3, "good": 2}
        and index["reasons"] == {"rude": 3}
    )
    text = repo.files["README.md"].decode()
    assert "5 records" in text and "| rude | 3 |" in text and "python -m feedback forget --id" in text
    assert "| `redactions.placeholder` |" in text and "license: other" in text


def test_the_card_and_the_shards_are_what_datasets_reads(
    hub: HubServer, dataset: Dataset, tmp_path: Path
) -> None:
    datasets = pytest.importorskip("datasets")
    from feedback.record import features, from_row

    added = [
        record(draft="helo \ud800"),
        record(
            verdict="bad",
            reasons=("too formal",),
            before={"sentiment": {"label": "neutral", "score": 0.5, "scores": {"neutral": 0.5}}},
            changes=(Change(0, 4, "helo", "Hello", "spelling", "tagger", 0.9, verdict="rejected"),),
        ),
    ]
    journal = Journal(tmp_path / "journal")
    for each in added:
        journal.append(each.to_dict())
    journal.append(added[0].to_dict() | {"id": new_id(), "v": 9, "mood": {"a": [1]}})
    sync(tmp_path / "journal", dataset).step()
    add_flags(tmp_path / "journal")
    sync(tmp_path / "journal", dataset).step()
    old = Path(__file__).with_name("records_v2_rows.jsonl").read_bytes()  # as a shard of the release before
    shards = {**hub.repos[REPO].files, "data/2026-11-01/old.jsonl": old}
    for path, content in shards.items():
        (tmp_path / "repo" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "repo" / path).write_bytes(content)
    loaded = datasets.load_dataset(str(tmp_path / "repo"), split="train", cache_dir=str(tmp_path / "cache"))
    count = len(old.splitlines())
    assert loaded.features == features() and len(loaded) == count + 4
    values = [from_row(row) for row in loaded]
    assert [value["id"] for value in values[:count]] == [json.loads(row)["id"] for row in old.splitlines()]
    assert Record.from_dict(values[1]) == Record.from_dict(from_row(json.loads(old.splitlines()[1])))
    values = values[count:]
    assert Record.from_dict(values[1]) == added[1]
    assert values[0]["draft"] == "helo \ufffd" and values[2]["mood"] == {"a": [1]}
    assert list(rows(dataset)) == values


def test_nothing_new_makes_no_call(hub: HubServer, dataset: Dataset, tmp_path: Path) -> None:
    add_flags(tmp_path)
    worker = sync(tmp_path, dataset)
    assert worker.step() == 1 and worker.step() == 0
    before = len(hub.calls)
    assert worker.step() == 0 and len(hub.calls) == before


def test_a_restart_goes_on_where_the_dataset_says(hub: HubServer, dataset: Dataset, tmp_path: Path) -> None:
    added = add_flags(tmp_path, 2)
    sync(tmp_path, dataset).step()
    assert sync(tmp_path, dataset).step() == 0
    added += add_flags(tmp_path, 2)
    assert sync(tmp_path, dataset).step() == 2
    assert ids(hub) == sorted(added)


def test_much_goes_in_several_commits(
    hub: HubServer, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feedback_hub, "MAX_COMMIT_BYTES", 3000)
    added = add_flags(tmp_path, 30) + add_flags(tmp_path, 5)
    worker = sync(tmp_path, dataset)
    counts = []
    while count := worker.step():
        counts.append(count)
    assert len(counts) > 3 and ids(hub) == sorted(added)
    assert len({path for path in hub.repos[REPO].files if path.startswith("data/")}) >= len(counts)


def test_the_card_says_where_the_shards_are(hub: HubServer, dataset: Dataset, tmp_path: Path) -> None:
    add_flags(tmp_path)
    sync(tmp_path, dataset).step()
    files = hub.repos[REPO].files
    (shard,) = [path for path in files if path.startswith("data/")]
    assert re.fullmatch(r"data/\d{4}-\d\d-\d\d/.*\.jsonl", shard)
    card = files["README.md"].decode()
    assert "One folder under `data/` a day" in card
    (pattern,) = re.findall(r"path: (\S+)", card)
    assert fnmatch(shard, pattern)


def test_damaged_and_foreign_lines_are_left_behind_and_logged_by_place(
    hub: HubServer, dataset: Dataset, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    added = add_flags(tmp_path, 2)
    Journal(tmp_path).append({"note": "my secret"})
    (file, _) = sorted(tmp_path.iterdir())
    with file.open("ab") as torn:
        torn.write(b'{"draft":"my secret')
    assert sync(tmp_path, dataset).step() == 2
    assert ids(hub) == sorted(added)
    assert "no feedback record" in caplog.text and "secret" not in caplog.text
    assert sync(tmp_path, dataset).step() == 0


def test_large_files_go_the_way_of_large_files(hub: HubServer, dataset: Dataset, tmp_path: Path) -> None:
    hub.lfs = True
    added = add_flags(tmp_path, 3)
    assert sync(tmp_path, dataset).step() == 3 and ids(hub) == sorted(added)
    assert len(hub.repos[REPO].lfs) == 1
    assert forget(dataset, [added[0]]) == {added[0]}
    (content,) = hub.repos[REPO].lfs.values()  # the old one is gone for good
    assert added[0].encode() not in content and ids(hub) == sorted(added[1:])


# ---- what may go wrong ----


@pytest.mark.parametrize(
    ("call", "fault"),
    [("/commit/", fault) for fault in (408, 429, 500, 503, HANG, DROP, CUT)]
    + [(call, fault) for call in ("repos/create", "preupload", "index.json") for fault in (500, CUT)],
)
def test_a_transient_fault_delays_and_doubles_nothing(
    hub: HubServer,
    tmp_path: Path,
    quick_client: None,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
    fault: int | str,
) -> None:
    if fault == HANG:
        monkeypatch.setattr(hub_errors, "TIMEOUT_SECONDS", 0.2)
        close_session()  # a new client takes it over
    left = 2  # calls that fail

    def faults(method: str, path: str) -> int | str | None:
        nonlocal left
        if call in path and left:
            left -= 1
            return fault
        return None

    hub.faults = faults
    added = add_flags(tmp_path, 2)
    worker = sync(tmp_path, Dataset(REPO, hub.token)).start()
    assert worker.flush(30) and worker.close(1)
    assert left < 2 and ids(hub) == sorted(added)
    close_session()


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_what_only_a_person_can_correct_stops_it_and_is_shown(
    hub: HubServer, dataset: Dataset, tmp_path: Path, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    hub.faults = lambda method, path: status if "/commit/" in path else None
    add_flags(tmp_path)
    worker = sync(tmp_path, dataset).start()
    assert not worker.flush(30)
    assert f"answered {status}" in worker.problem and "HF_TOKEN" in worker.problem
    assert worker.problem in worker.where
    assert str(tmp_path) in caplog.text
    assert worker._thread is not None
    worker._thread.join(30)
    assert not worker._thread.is_alive()  # and asks no more
    hub.faults = lambda method, path: None
    assert sync(tmp_path, dataset).step() == 1


def test_a_wrong_token_and_a_foreign_namespace_stop_it(hub: HubServer, tmp_path: Path) -> None:
    for repo_id, token in ((REPO, "hf_wrong"), ("somebody/else", hub.token)):
        with pytest.raises(HubError, match="answered 40[13]") as raised:
            Dataset(repo_id, token).head()
        assert not raised.value.retry


def test_nothing_is_written_to_a_public_dataset(hub: HubServer, dataset: Dataset, tmp_path: Path) -> None:
    dataset.head()
    hub.repos[REPO].private = False
    add_flags(tmp_path)
    with pytest.raises(HubError, match="is public") as raised:
        sync(tmp_path, dataset).step()
    assert not raised.value.retry and ids(hub) == []


def test_no_hub_at_all_is_waited_for(
    hub: HubServer, tmp_path: Path, quick_client: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")  # the discard port: nobody listens
    add_flags(tmp_path)
    worker = sync(tmp_path, Dataset(REPO, hub.token)).start()
    assert not worker.flush(0.5) and not worker.problem
    assert worker.dataset is not None
    worker.dataset._api.endpoint = hub.url
    until(lambda: len(ids(hub)) == 1)


def test_an_index_that_somebody_broke_stops_it(hub: HubServer, dataset: Dataset, tmp_path: Path) -> None:
    dataset.head()
    hub.repos[REPO].files["index.json"] = b"[]"
    add_flags(tmp_path)
    with pytest.raises(HubError, match="restore it"):
        sync(tmp_path, dataset).step()


def test_an_index_that_somebody_deleted_stops_it(hub: HubServer, dataset: Dataset, tmp_path: Path) -> None:
    add_flags(tmp_path)
    sync(tmp_path, dataset).step()
    del hub.repos[REPO].files["index.json"]
    add_flags(tmp_path)
    with pytest.raises(HubError, match="is gone"):
        sync(tmp_path, dataset).step()
    assert len(hub.rows(REPO)) == 1


def test_a_404_that_is_not_about_the_file_is_not_read_as_an_empty_dataset(
    hub: HubServer, dataset: Dataset, tmp_path: Path
) -> None:
    added = add_flags(tmp_path, 2)
    sync(tmp_path, dataset).step()
    forget(dataset, [added[0]])
    hub.faults = lambda method, path: 404 if "/resolve/" in path else None
    with pytest.raises(HubError, match="answered 404"):
        sync(tmp_path, dataset).step()
    for read in (lambda: list(rows(dataset)), lambda: forget(dataset, [added[1]])):
        with pytest.raises(HubError, match="404"):
            read()
    assert ids(hub) == [added[1]]
    assert json.loads(hub.repos[REPO].files["index.json"])["forgotten"] == [added[0]]


def test_forgetting_while_the_dataset_is_read_is_reported_and_truncates_nothing(
    hub: HubServer, dataset: Dataset, tmp_path: Path
) -> None:
    for _ in range(2):
        added = add_flags(tmp_path, 2)
        sync(tmp_path, dataset).step()
    reading = rows(dataset)
    next(reading)
    forget(dataset, [added[0]])
    with pytest.raises(HubError, match="changed while it was read") as raised:
        list(reading)
    assert raised.value.retry and len(list(rows(dataset))) == 3


def test_an_error_that_nobody_foresaw_ends_nothing_and_quotes_nobody(
    hub: HubServer,
    dataset: Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    real, left = feedback_hub.batch, [KeyError("my secret"), RuntimeError("my secret")]

    def batch(folder: Path, index: Index) -> tuple[dict[str, bytes], int]:
        if left:
            raise left.pop()
        return real(folder, index)

    monkeypatch.setattr(feedback_hub, "batch", batch)
    added = add_flags(tmp_path, 2)
    assert sync(tmp_path, dataset).start().flush(30)
    assert ids(hub) == sorted(added)
    assert "KeyError at test_hub.py:" in caplog.text and "secret" not in caplog.text


def test_what_a_later_release_wrote_is_sent_whatever_its_fields_hold(
    hub: HubServer, dataset: Dataset, tmp_path: Path
) -> None:
    later = record().to_dict() | {"v": 9, "verdict": "mixed", "reasons": [["nested"]], "options": None}
    Journal(tmp_path).append(later)
    assert sync(tmp_path, dataset).step() == 1
    (row,) = rows(dataset)
    assert row["reasons"] == [["nested"]] and row["verdict"] == "mixed"
    assert forget(dataset, [later["id"]]) == {later["id"]}


def test_commits_of_nothing_do_not_hide_what_comes_after(
    hub: HubServer, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forgotten records fill the first commits."""
    monkeypatch.setattr(feedback_hub, "MAX_COMMIT_BYTES", 2000)
    gone = add_flags(tmp_path, 20)
    dataset.head()
    forget(dataset, gone)
    added = add_flags(tmp_path, 3)
    worker = sync(tmp_path, dataset).start()
    assert worker.flush(30) and ids(hub) == sorted(added)


def test_a_steady_stream_is_sent_at_the_pace_of_the_clock(
    hub: HubServer, dataset: Dataset, tmp_path: Path
) -> None:
    """Records that come while others are sent wait for the next time: the Hub takes 128 commits an hour."""
    journal, commits = Journal(tmp_path), 0

    def faults(method: str, path: str) -> None:
        nonlocal commits
        if "/commit/" in path:
            commits += 1
            journal.append(record().to_dict())

    hub.faults = faults
    add_flags(tmp_path)
    worker = Sync(tmp_path, dataset, every_seconds=600).start()
    until(lambda: len(hub.rows(REPO)) == 1)
    never(lambda: commits > 1)
    assert worker.flush(30) and commits == 2


def test_the_first_record_after_a_quiet_time_does_not_wait_for_the_clock(
    hub: HubServer, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feedback_hub, "POLL_SECONDS", 0.05)
    worker = Sync(tmp_path, dataset, every_seconds=600).start()
    assert worker.flush(30)
    calls, looks, sizes = len(hub.calls), 0, feedback_hub.sizes

    def look(folder: Path) -> dict[str, int]:
        nonlocal looks
        looks += 1
        return sizes(folder)

    monkeypatch.setattr(feedback_hub, "sizes", look)
    until(lambda: looks > 6)
    assert len(hub.calls) == calls  # it looks at the journal, not at the Hub
    added = add_flags(tmp_path)
    until(lambda: ids(hub) == added)


def test_what_is_thanked_for_during_the_last_flush_is_sent_too(
    hub: HubServer, dataset: Dataset, tmp_path: Path
) -> None:
    journal, late = Journal(tmp_path), [record().to_dict()]
    dataset.head()

    def faults(method: str, path: str) -> None:
        if "/commit/" in path and late:
            journal.append(late.pop())

    worker = Sync(tmp_path, dataset, every_seconds=600).start()
    add_flags(tmp_path)
    hub.faults = faults
    assert worker.close(30) and len(ids(hub)) == 2


def test_the_waits_grow_and_vary(
    hub: HubServer, dataset: Dataset, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hub.faults = lambda method, path: 503
    add_flags(tmp_path)
    caplog.set_level(logging.WARNING, "feedback.hub")
    Sync(tmp_path, dataset, every_seconds=0.01, backoff_seconds=(0.001, 0.05)).start()
    until(lambda: sum("next try" in message for message in caplog.messages) >= 8)
    hub.faults = lambda method, path: None
    until(lambda: len(ids(hub)) == 1)


# ---- several at once ----


def test_replicas_and_processes_never_overwrite_each_other(
    hub: HubServer, tmp_path: Path, quick_client: None
) -> None:
    """Two workers on one journal and one on another, committing to one dataset at the same time."""
    workers = [sync(tmp_path / name, Dataset(REPO, hub.token)).start() for name in ("a", "a", "b")]
    added: list[str] = []
    for _ in range(6):
        added += add_flags(tmp_path / "a", 5) + add_flags(tmp_path / "b", 5)
    assert all([worker.flush(60) for worker in workers])
    assert ids(hub) == sorted(added)
    assert json.loads(hub.repos[REPO].files["index.json"])["records"] == len(added)


def stress(hub: HubServer, folder: Path, flags: int, threads: int, share: float) -> None:
    """Flags from many threads while a share of the calls fails; each is in the dataset once in the end."""
    chance = random.Random(11)
    hub.faults = lambda method, path: chance.choice(FAULTS) if chance.random() < share else None
    journal, added, lock = Journal(folder), [], threading.Lock()
    worker = sync(folder, Dataset(REPO, hub.token)).start()

    def send(count: int) -> None:
        for _ in range(count):
            each = record()
            journal.append(each.to_dict())
            with lock:
                added.append(each.id)

    senders = [threading.Thread(target=send, args=(flags // threads,)) for _ in range(threads)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert worker.flush(600), worker.problem
    found = Counter(row["id"] for row in hub.rows(REPO))
    assert set(found) == set(added) and len(added) == flags // threads * threads
    assert set(found.values()) == {1}


def test_flags_from_many_threads_arrive_once_while_calls_fail(
    hub: HubServer, tmp_path: Path, quick_client: None
) -> None:
    stress(hub, tmp_path, 400, 16, 0.5)


@pytest.mark.slow
def test_10_000_flags_from_16_threads_while_half_of_the_calls_fail(
    hub: HubServer, tmp_path: Path, quick_client: None
) -> None:
    stress(hub, tmp_path, 10_000, 16, 0.5)


# ---- processes that die ----

APP = """
import sys, time
from feedback.hub import Sync, flush_on_sigterm
from feedback.journal import Journal
from feedback.record import Record
sync = Sync.from_env(sys.argv[1])
sync.every_seconds, sync.backoff_seconds = float(sys.argv[2]), (0.05, 0.5)
sync.start()
flush_on_sigterm(sync)
journal = Journal(sys.argv[1])
for n in range(int(sys.argv[3])):
    record = Record(draft="my secret " + "x" * (n * 7919 % 3000), rewrite="y", verdict="good", consent="1")
    journal.append(record.to_dict())
    print(record.id, flush=True)
time.sleep(600)
"""


def app(folder: Path, every_seconds: float = 0.05, flags: int = 1_000_000) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", APP, str(folder), str(every_seconds), str(flags)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def acknowledged(process: subprocess.Popen[str]) -> list[str]:
    """The ids that a process had acknowledged, once it is gone."""
    out, _ = process.communicate(timeout=60)
    return [line for line in out.splitlines() if len(line) == 36]


def killed(hub: HubServer, folder: Path, times: int, processes: int) -> None:
    """Kills apps on one journal at random moments; afterwards one run brings every flag that was thanked for."""
    chance, thanked = random.Random(13), []
    hub.faults = lambda method, path: chance.choice(FAULTS) if chance.random() < 0.1 else None
    for _ in range(times):
        running = [app(folder) for _ in range(processes)]
        for process in running:
            assert process.stdout is not None
            thanked.append(process.stdout.readline().strip())
        time.sleep(chance.uniform(0, 0.6))
        for process in running:
            process.send_signal(signal.SIGKILL)
        for process in running:
            thanked += acknowledged(process)
    hub.faults = lambda method, path: None
    worker = sync(folder, Dataset(REPO, hub.token))
    while worker.step():
        pass
    found = Counter(ids(hub))
    assert set(thanked) <= set(found) and set(found.values()) == {1}
    assert len(set(thanked)) > times


def test_kill_9_loses_and_doubles_nothing(hub: HubServer, tmp_path: Path) -> None:
    killed(hub, tmp_path, times=2, processes=2)


@pytest.mark.slow
def test_kill_9_at_50_moments_loses_and_doubles_nothing(hub: HubServer, tmp_path: Path) -> None:
    killed(hub, tmp_path, times=50, processes=1)


@pytest.mark.slow
def test_two_processes_on_one_journal_killed_20_times(hub: HubServer, tmp_path: Path) -> None:
    killed(hub, tmp_path, times=20, processes=2)


def test_sigterm_flushes_and_an_empty_disk_loses_nothing(hub: HubServer, tmp_path: Path) -> None:
    thanked = []
    for _ in range(2):
        process = app(tmp_path / "journal", every_seconds=600, flags=20)
        assert process.stdout is not None
        for _ in range(20):
            thanked.append(process.stdout.readline().strip())
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        shutil.rmtree(tmp_path / "journal")  # what a Space's disk does on restart
    assert ids(hub) == sorted(thanked)


def test_no_token_draft_or_address_is_in_the_logs(hub: HubServer, tmp_path: Path) -> None:
    """A process with every logger at DEBUG, with faults of each kind on its way."""
    faults = iter([500, CUT, None, 429, DROP, None, 503])
    hub.faults = lambda method, path: next(faults, 403 if "/commit/" in path else None)
    code = (
        "import logging, sys, time; logging.basicConfig(level=logging.DEBUG)\n"
        "from feedback.hub import Sync; from feedback.journal import Journal; from feedback.record import Record\n"
        "from feedback.redact import ClientHash, redact_record\n"
        "r = Record(draft='my secret draft', rewrite='to jana@example.com', verdict='good', consent='1',"
        " client=ClientHash()('203.0.113.77'))\n"
        "Journal(sys.argv[1]).append(redact_record(r).to_dict())\n"
        "Journal(sys.argv[1]).append({'note': 'my secret draft'})\n"
        "s = Sync.from_env(sys.argv[1]); s.backoff_seconds = (0.01, 0.1); s.start(); s.flush(60); print(s.problem)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, capture_output=True, text=True
    )
    assert "answered 403" in ran.stdout, ran.stderr
    assert "DEBUG" in ran.stderr and "feedback.hub" in ran.stderr
    for secret in (hub.token, "secret draft", "jana@example.com", "203.0.113.77"):
        assert secret not in ran.stdout + ran.stderr
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"jana@example.com" not in stored and b"203.0.113.77" not in stored


# ---- forgetting ----


def test_forgetting_leaves_no_trace_but_the_id(hub: HubServer, dataset: Dataset, tmp_path: Path) -> None:
    added = add_flags(tmp_path, 3, draft="my secret", verdict="bad", reasons=("rude",))
    worker = sync(tmp_path, dataset)
    worker.step()
    (alone,) = add_flags(tmp_path, 1)
    worker.step()
    assert forget(dataset, [added[1], alone]) == {added[1], alone}
    repo = hub.repos[REPO]
    assert len(repo.history) == 1 and ids(hub) == sorted([added[0], added[2]])
    holding = [path for path, content in repo.files.items() if added[1].encode() in content]
    assert holding == ["index.json"]
    assert len([path for path in repo.files if path.startswith("data/")]) == 1  # no empty shard is left
    index = json.loads(repo.files["index.json"])
    assert index["records"] == 2 and index["verdicts"] == {"bad": 2} and index["reasons"] == {"rude": 2}
    assert forget(dataset, [added[1]]) == {added[1]}  # again, as after a crash between commit and squash
    assert forget(dataset, [new_id()]) == set()


def test_a_forgotten_record_is_not_sent_again(hub: HubServer, dataset: Dataset, tmp_path: Path) -> None:
    added = add_flags(tmp_path, 2)
    dataset.head()
    forget(dataset, [added[0]])
    assert sync(tmp_path, dataset).step() == 1
    assert ids(hub) == [added[1]]


def test_a_commit_in_between_makes_forgetting_start_again(
    hub: HubServer, dataset: Dataset, tmp_path: Path
) -> None:
    added = add_flags(tmp_path / "a", 2)
    sync(tmp_path / "a", dataset).step()
    late = add_flags(tmp_path / "b", 1)
    raced = False

    def faults(method: str, path: str) -> None:
        nonlocal raced
        if "/commit/" in path and not raced:
            raced = True
            thread = threading.Thread(target=lambda: hub.repos[REPO].add(dict(hub.repos[REPO].files)))
            hub.lock.release()  # let the other commit in first
            thread.start()
            thread.join()
            hub.lock.acquire()

    hub.faults = faults
    assert forget(dataset, [added[0]]) == {added[0]}
    assert raced and ids(hub) == [added[1]]
    assert sync(tmp_path / "b", dataset).step() == 1 and set(ids(hub)) == {added[1], *late}


# ---- settings ----


def test_without_a_dataset_it_stays_here_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FEEDBACK_DATASET", raising=False)
    worker = Sync.from_env(tmp_path).start()
    assert worker.where == "on the machine that runs this page, and nowhere else"
    assert worker.flush(1) and worker.close() and worker.step() == 0


def test_with_a_dataset_it_says_where(hub: HubServer, tmp_path: Path) -> None:
    assert f"private dataset {REPO}" in Sync.from_env(tmp_path).where


@pytest.mark.parametrize(
    ("repo_id", "token", "message"), [("feedback", "hf_x", "owner/name"), (REPO, "", "HF_TOKEN")]
)
def test_settings_that_cannot_work_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repo_id: str, token: str, message: str
) -> None:
    monkeypatch.setenv("FEEDBACK_DATASET", repo_id)
    monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(FeedbackError, match=message) as raised:
        Sync.from_env(tmp_path)
    assert "\n" not in str(raised.value)


def test_an_empty_index_reads_as_nothing(hub: HubServer, dataset: Dataset) -> None:
    assert Index.read(dataset, dataset.head()) == Index()
    assert os.environ["HF_ENDPOINT"] == hub.url

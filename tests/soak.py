"""python -m tests.soak [--minutes 30] [--users 20]: many users of the served app at once, and a Hub that fails.

Starts `python space/app.py` with its own models, of which a user takes another each minute. Users send drafts, bad input and
flags, or walk away. An error is a 500, a traceback or an unforeseen error in the log, a known mistake that comes back,
bad input that is taken, a /health that takes over two seconds, an app that ends. Afterwards the journal and the dataset hold
each flag that was answered once. One line of JSON; exit code 1 for an error, a flag lost or doubled, or memory that grew by
over 5 % between the first five minutes in which each model had been loaded and the last five (in a run that has both). That is
the app's own memory, without the pages of the model files, which the system takes back when it needs them: Linux tells them apart.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import httpx

from feedback import journal
from tests.feedback.hub_server import CUT, DROP, HANG, Fault, HubServer
from tests.soak_users import ANSWER_SECONDS, MARK, MODELS, Tally, User

ROOT = Path(__file__).resolve().parents[1]
REPO_ID = "owner/feedback"
SAMPLE_SECONDS = 10.0
HEALTH_SECONDS = 2.0  # for an answer
START_SECONDS = 600.0
END_SECONDS = 60.0  # after SIGTERM; the app gives the last flush 20
COMPARED = 5.0  # minutes after the start and at the end whose memory is compared
MAX_GROWTH = 5.0  # %
FAULTS: tuple[Fault, ...] = (429, 500, DROP, CUT, HANG)
FAULT_RATE = 0.04  # of each, of the Hub's answers


@contextmanager
def served(folder: Path, hub: HubServer, tally: Tally) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """The app, ready to answer; SIGTERM at the end, upon which it must end by itself."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    settings = {name: str(folder / name.lower()) for name in ("MODELS_DIR", "FEEDBACK_DIR", "GRADIO_TEMP_DIR", "HF_HOME")}  # fmt: skip
    settings |= {"PORT": str(port), "RATE_LIMIT": "0", "FEEDBACK_DATASET": REPO_ID, **hub.env}
    url = f"http://127.0.0.1:{port}"
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen([sys.executable, "space/app.py"], cwd=ROOT, env=os.environ | settings, stdout=subprocess.DEVNULL, stderr=log)  # fmt: skip
    try:
        until(lambda: process.poll() is not None or is_up(url), START_SECONDS)
        if not is_up(url):
            raise SystemExit(f"the app did not start: {(folder / 'log').read_text()[-2000:]}")
        yield process, url
    finally:
        process.terminate()
        try:
            if (code := process.wait(END_SECONDS)) != 0:
                tally.error(f"the app ended with {code}")
        except subprocess.TimeoutExpired:
            process.kill()
            tally.error(f"the app did not end within {END_SECONDS:.0f} s of SIGTERM")


def until(happened: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not (did := happened()) and time.monotonic() < end:
        time.sleep(0.2)
    return did


def is_up(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health").status_code == 200
    except httpx.HTTPError:
        return False


@dataclass(frozen=True)
class Sample:
    """The app at a moment: minutes since the start, MB of its own and with mapped files, emails that wait, switches so far."""

    minute: float
    own: float
    resident: float
    waiting: int
    switches: int


def watch(process: subprocess.Popen[bytes], url: str, seconds: float, tally: Tally) -> list[Sample]:
    """A sample every ten seconds; and does /health answer in time?"""
    samples, began = [], time.monotonic()
    while (now := time.monotonic() - began) < seconds:
        if process.poll() is not None:
            tally.error("the app ended by itself")
            break
        own, resident = megabytes(process.pid)
        asked = time.monotonic()
        try:
            health = httpx.get(f"{url}/health", timeout=30).raise_for_status().json()
            samples.append(Sample(now / 60, own, resident, health.get("waiting", 0), tally.calls["switch"]))
        except httpx.HTTPError as error:
            tally.error(f"/health: {type(error).__name__}: {error}")
        took = time.monotonic() - asked
        tally.slowest["health"] = max(tally.slowest.get("health", 0.0), took)
        if took > HEALTH_SECONDS:
            tally.error(f"/health took {took:.1f} s")
        time.sleep(SAMPLE_SECONDS)
    return samples


def megabytes(pid: int) -> tuple[float, float]:
    """What a process holds of its own (pages of no file), and with the files that it has mapped."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    kilobytes = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
    return kilobytes["Anonymous"] * 1024 / 1e6, kilobytes["Rss"] * 1024 / 1e6


def soak(folder: Path, minutes: float, users: int) -> dict[str, Any]:
    tally, chance, faults = Tally(), random.Random(1), Counter[str]()
    (folder / "models_dir").mkdir()
    for path in (ROOT / "space" / "models").iterdir():
        (folder / "models_dir" / path.name).symlink_to(path)
    for name in MODELS[1:]:
        (folder / "models_dir" / f"{name}.gguf").symlink_to(ROOT / "space" / "models" / f"{MODELS[0]}.gguf")

    def fault(method: str, path: str) -> Fault:
        found = chance.choice(FAULTS) if chance.random() < FAULT_RATE * len(FAULTS) else None
        faults.update([str(found)] if found else [])
        return found

    with HubServer() as hub:
        hub.faults = fault
        with served(folder, hub, tally) as (process, url):
            each = [User(url, tally, seed) for seed in range(users + 1)]
            threads = [threading.Thread(target=user.run, daemon=True) for user in each[1:]]
            threads.append(threading.Thread(target=each[0].switch_models, daemon=True))
            for thread in threads:
                thread.start()
            samples = watch(process, url, 60 * minutes, tally)
            tally.stop.set()  # and SIGTERM while they still wait for answers
        for thread in threads:
            thread.join(ANSWER_SECONDS)
        hub.faults = lambda method, path: None
        at_end = len(hub.rows(REPO_ID))
        with served(folder, hub, tally):  # sends what the end was too near for
            until(lambda: not missing(tally.flags, hub.rows(REPO_ID)), END_SECONDS)
        stored = hub.rows(REPO_ID)
    counts = [sample.waiting for sample in samples]
    kept = list(journal.records(folder / "feedback_dir"))
    log = (folder / "log").read_text()
    for line in re.findall(rf"Traceback.*|.*\w+ at \S+\.py:\d+.*|.*{MARK.pattern}.*", log):
        tally.error(f"log: {line}")
    if tally.errors:
        print(log[-10_000:], file=sys.stderr)
    lost = {mark for rows in (kept, stored) for mark in missing(tally.flags, rows)}
    return {
        "minutes": minutes,
        "users": users,
        "calls": dict(tally.calls),
        "waits": tally.waits,
        "waiting": {"median": median(counts), "most": max(counts)},
        "hub_faults": dict(faults),
        "errors": len(tally.errors),
        "flags": {
            "sent": len(tally.flags),
            "at_sigterm": at_end,
            "lost": len(lost),
            "doubled": max(surplus(kept), surplus(stored)),
        },
        "memory_mb": memory(samples, minutes),
        "slowest_seconds": {kind: round(value, 2) for kind, value in tally.slowest.items()},
    }


def missing(flags: Mapping[str, str], rows: Iterable[Mapping[str, Any]]) -> set[str]:
    """Marks whose flag is not there under the id that was answered."""
    return set(flags) - {mark for row in rows for mark in MARK.findall(row["draft"]) if flags.get(mark) == row["id"]}  # fmt: skip


def surplus(rows: Iterable[Mapping[str, Any]]) -> int:
    """Rows beyond one for each flag."""
    counts = Counter(row["draft"] for row in rows)
    return sum(count - 1 if MARK.search(draft) else count for draft, count in counts.items())


def memory(samples: Sequence[Sample], minutes: float) -> dict[str, Any]:
    """Medians once each model had been loaded and at the end, and the growth in %; nothing of a run that is too short."""
    loaded = next((sample.minute for sample in samples if sample.switches >= len(MODELS)), minutes)
    if minutes < loaded + 2 * COMPARED:
        return {}
    warm = [sample for sample in samples if loaded <= sample.minute < loaded + COMPARED]
    end = [sample for sample in samples if sample.minute >= minutes - COMPARED]
    own, resident = (
        [round(median(getattr(sample, name) for sample in each)) for each in (warm, end)]
        for name in ("own", "resident")
    )
    growth = round(100 * (own[1] / own[0] - 1), 2)
    return {"warm_at": round(loaded, 1), "own": own, "resident": resident, "growth_percent": growth}


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30, help="default: 30")
    parser.add_argument("--users", type=int, default=20, help="at the same time (default: 20)")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        found = soak(Path(folder), args.minutes, args.users)
    print(json.dumps(found))
    grew = found["memory_mb"].get("growth_percent", 0) > MAX_GROWTH
    return int(bool(found["errors"] or found["flags"]["lost"] or found["flags"]["doubled"] or grew))


if __name__ == "__main__":
    sys.exit(main())

"""Many records: export in constant memory; and how long a user waits for one."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from feedback.journal import encode, records
from feedback.record import REASONS, Record
from tests.feedback.latency import flag_seconds, percentile_99

ROOT = Path(__file__).resolve().parents[2]
PARTS = (
    "the report",
    "the invoice",
    "a new plan",
    "our offer",
    "the minutes",
    "your order",
    "the draft",
    "a reply",
)


def generate(folder: Path, count: int) -> None:
    """A journal of one dead process: good, corrected, rejected and repeated flags, none the same as another."""
    folder.mkdir()
    with (folder / "20261121T000000.000000Z-1-0.jsonl").open("wb") as file:
        for n in range(count):
            # Words of its own: drafts that differ in a number alone would be one.
            things = ", ".join(PARTS[n // 2 // 8**place % 8] for place in range(7))
            draft = f"Hello, I has sent you {things} and more, please check it. " * 2
            bad = n % 2
            record = Record(
                draft=draft,
                rewrite=draft.replace("has", "have"),
                verdict="bad" if bad else "good",
                reasons=(REASONS[n % len(REASONS)],) if bad else (),
                corrected=draft.replace("has", "had") if n % 6 == 1 else "",
                consent="1",
                id=f"{n:036d}",
                time="2026-11-21T07:42:00.000+00:00",
            )
            file.write(encode(record.to_dict()))


def exported(tmp_path: Path, count: int) -> tuple[float, float, int]:
    """Seconds, peak megabytes and rows of `python -m feedback export` over so many records."""
    folder = tmp_path / f"journal-{count}"
    generate(folder, count)
    out = tmp_path / f"rows-{count}"
    # The peak of the child alone: what wait4 reports counts the parent it was forked from.
    code = (
        "import sys; from feedback.__main__ import main; code = main(sys.argv[1:]); "
        "print(next(line for line in open('/proc/self/status') if line.startswith('VmHWM'))); sys.exit(code)"
    )
    command = [sys.executable, "-c", code, "export", "--folder", str(folder), "--output", str(out)]
    began = time.perf_counter()
    printed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    peak = int(re.findall(r"VmHWM:\s+(\d+) kB", printed)[0]) / 1000
    rows = sum(json.loads((out / "manifest.json").read_text()).values())
    return time.perf_counter() - began, peak, rows


@pytest.mark.slow
def test_ten_times_the_records_take_the_same_memory(tmp_path: Path) -> None:
    _, small, few = exported(tmp_path, 800)
    _, large, many = exported(tmp_path, 8_000)
    assert many > 9 * few > 0
    # The caches of the scratch files grow to their limits; 7,200 more records in memory would be over 20 MB.
    assert large - small < 15, (small, large)


@pytest.mark.slow
def test_a_million_records_are_exported_in_constant_memory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seconds, peak_mb, rows = exported(tmp_path, 1_000_000)
    with capsys.disabled():
        print(f"\n1,000,000 records: {rows} rows in {seconds:.0f} s, peak {peak_mb:.0f} MB")
    assert rows > 1_000_000 / 2 and peak_mb < 200


def test_every_flag_that_was_timed_is_kept(tmp_path: Path) -> None:
    seconds = flag_seconds(tmp_path, 20)
    assert len(seconds) == len(list(records(tmp_path))) == 20 and percentile_99(seconds) <= max(seconds)


@pytest.mark.slow
def test_the_thank_you_comes_within_50_ms(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On an idle machine; prints the figure."""
    slowest = percentile_99(flag_seconds(tmp_path, 1000))
    with capsys.disabled():
        print(f"\nflag to thank-you, 99th percentile: {slowest * 1000:.1f} ms")
    assert slowest <= 0.05

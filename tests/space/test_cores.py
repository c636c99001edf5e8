"""Threads are as many as compute: cores rather than their threads, and no more than the container's share."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from space.cores import cores

linux = pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity"), reason="only Linux says what a process may run on"
)


@pytest.fixture
def no_limit(tmp_path: Path) -> Path:
    return tmp_path / "none"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Eight threads on four cores of one processor, all of them allowed."""
    for cpu in range(8):
        folder = tmp_path / f"cpus/cpu{cpu}/topology"
        folder.mkdir(parents=True)
        (folder / "physical_package_id").write_text("0\n")
        (folder / "core_id").write_text(f"{cpu % 4}\n")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    return tmp_path / "cpus"


def test_threads_of_one_core_count_once(
    machine: Path, no_limit: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cores(no_limit, machine) == 4
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 4})
    assert cores(no_limit, machine) == 2
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {1, 5})  # both threads of one
    assert cores(no_limit, machine) == 2
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3})
    assert cores(no_limit, machine) == 1


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"cpu.max": "200000 100000\n"}, 2),
        ({"cpu.max": "150000 100000\n"}, 2),
        ({"cpu.max": "5000 100000\n"}, 1),
        ({"cpu.max": "max 100000\n"}, 4),
        ({"cpu.max": "torn"}, 4),
        ({"cpu/cpu.cfs_quota_us": "300000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 3),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 4),
        ({}, 4),
    ],
)
def test_a_container_has_its_share(
    machine: Path, tmp_path: Path, files: dict[str, str], expected: int
) -> None:
    for name, text in files.items():
        path = tmp_path / "cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert cores(tmp_path / "cgroup", machine) == expected


@linux
def test_a_process_that_is_bound_to_one_cpu_uses_one() -> None:
    code = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); from space.cores import cores; print(cores())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"

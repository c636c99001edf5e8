"""How many cores this process may keep busy: more threads than that wait for each other.

A container sees all cores of its machine, and is stopped for the rest of each tenth of a second once it has had its share.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")
_CPUS = Path("/sys/devices/system/cpu")


def cores(cgroup: Path = _CGROUP, cpus: Path = _CPUS) -> int:
    """Physical cores that the system lets this process run on, at most as many as its container may use at once."""
    if hasattr(os, "sched_getaffinity"):
        allowed = os.sched_getaffinity(0)
    else:  # not on macOS or Windows
        allowed = set(range(os.cpu_count() or 2))
    return max(1, math.ceil(min(_physical(allowed, cpus), _quota(cgroup))))


def _physical(allowed: set[int], cpus: Path) -> int:
    """Two threads of one core compute hardly more than one; of a single core both are used, for little is more than nothing."""
    try:
        found = {
            tuple(
                (cpus / f"cpu{n}/topology" / name).read_text() for name in ("physical_package_id", "core_id")
            )
            for n in allowed
        }
    except OSError:  # only Linux says
        return len(allowed)
    return max(len(found), min(len(allowed), 2))


def _quota(cgroup: Path) -> float:
    """Cores' worth of time that the container may take; infinite without a limit."""
    try:
        if (cgroup / "cpu.max").exists():
            quota, period = (cgroup / "cpu.max").read_text().split()
        else:  # version 1
            quota, period = ((cgroup / f"cpu/cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
        return int(quota) / int(period) if int(quota) > 0 else math.inf
    except (OSError, ValueError, ZeroDivisionError):  # none, or "max"
        return math.inf

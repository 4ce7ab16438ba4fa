"""How much CPU time processes have used: their own and all their children's, dead or alive."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

import psutil

Times = dict[str, float]


def used(processes: Mapping[str, int]) -> Times:
    """Seconds of user and system time since each process began, by the names of these pids.

    A dead child's time is its parent's once it was waited for, so every second is counted once.
    """
    return {name: _family(pid) for name, pid in processes.items()}


def spent(before: Times, after: Times) -> Times:
    return {name: after[name] - before[name] for name in after}


def _family(pid: int) -> float:
    parent = psutil.Process(pid)
    total = 0.0
    for process in (parent, *parent.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total

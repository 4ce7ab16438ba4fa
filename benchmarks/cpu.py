"""The CPU time of processes, including all their children, dead or alive."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

import psutil

Times = dict[str, float]


def read_times(processes: Mapping[str, int]) -> Times:
    """Return the seconds of user and system time of each process since its start, by its name.

    The time of a dead child belongs to its parent once the parent has waited for it, so every
    second is counted once.
    """
    return {name: _read_family_seconds(pid) for name, pid in processes.items()}


def subtract_times(before: Times, after: Times) -> Times:
    return {name: after[name] - before[name] for name in after}


def _read_family_seconds(pid: int) -> float:
    parent = psutil.Process(pid)
    total = 0.0
    for process in (parent, *parent.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total

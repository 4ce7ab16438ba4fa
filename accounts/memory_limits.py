"""Limits that one process counts in memory, in front of those that are counted in rows.

A flood is refused here before it causes a write. The rows decide what passed, for all processes
and restarts together (docs/decisions/0018).
"""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass, field

MAX_KNOWN_CLIENTS = 10_000
"""Known clients that one limiter counts. Further ones are accepted without a count."""
MAX_CLIENTS_PER_GROUP = 4
"""A group of known clients may send as many forms as this number of single ones."""
MAX_USED_UP_KEYS = 10_000
USED_UP_SECONDS = 1.0
"""Seconds for which a used-up row is not read again. Another process may have cleared it."""


@dataclass(slots=True)
class FormLimiter:
    """The forms of one kind in the present window, of each client and of all clients together.

    A refused form is not counted. So there are never more than `max_of_all` clients in memory, and
    a client beyond its own limit does not use up the others' limit. A known client has a count of
    its own, which strangers can neither use up nor fill.
    """

    max_per_client: int
    max_of_all: int
    window_seconds: float = 60.0
    _window_start: float = field(default=0.0, init=False)
    _total: int = field(default=0, init=False)
    _counts: dict[str, int] = field(default_factory=dict, init=False)
    _known_counts: dict[str, int] = field(default_factory=dict, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def try_consume(self, client: str, *, is_known: bool = False, group: str = "") -> int:
        """Count one more form. Return 0, or the seconds until the client may try again."""
        with self._lock:
            now = time.monotonic()
            if now - self._window_start >= self.window_seconds:
                self._start_window(now)
            if self._count_known(client) if is_known else self._count_stranger(client):
                if group:
                    self._known_counts[group] = self._known_counts.get(group, 0) + 1
                return 0
            return math.ceil(self.window_seconds - (now - self._window_start))

    def is_group_used_up(self, group: str) -> bool:
        """Several known clients of one account are a group."""
        with self._lock:
            is_current = time.monotonic() - self._window_start < self.window_seconds
            most = MAX_CLIENTS_PER_GROUP * self.max_per_client
            return is_current and self._known_counts.get(group, 0) >= most

    def clear(self) -> None:
        with self._lock:
            self._start_window(0.0)

    def _start_window(self, now: float) -> None:
        self._window_start, self._total = now, 0
        self._counts, self._known_counts = {}, {}

    def _count_stranger(self, client: str) -> bool:
        count = self._counts.get(client, 0)
        if count >= self.max_per_client or self._total >= self.max_of_all:
            return False
        self._counts[client], self._total = count + 1, self._total + 1
        return True

    def _count_known(self, client: str) -> bool:
        count = self._known_counts.get(client, 0)
        if count >= self.max_per_client:
            return False
        if count or len(self._known_counts) < MAX_KNOWN_CLIENTS:
            self._known_counts[client] = count + 1
        return True


class UsedUpKeys:
    """The counters in rows that were used up a moment ago. They need no query at all."""

    def __init__(self) -> None:
        self._deadlines: dict[str, float] = {}
        self._lock = threading.Lock()

    def add(self, key: str) -> None:
        with self._lock:
            if len(self._deadlines) >= MAX_USED_UP_KEYS:
                self._deadlines.clear()  # the rows are read again
            self._deadlines[key] = time.monotonic() + USED_UP_SECONDS

    def discard(self, key: str) -> None:
        with self._lock:
            self._deadlines.pop(key, None)

    def clear(self) -> None:
        with self._lock:
            self._deadlines.clear()

    def __contains__(self, key: str) -> bool:
        return time.monotonic() < self._deadlines.get(key, 0.0)


used_up_keys = UsedUpKeys()
"""Those of this process."""

"""Measures times and memory. It reads the database ten times a second, without the code under test,
and the memory of every process once a second."""

import asyncio
import os
import signal
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import psutil
import psycopg
from psycopg.rows import dict_row

from tools.services import Program
from tools.services.helper_process import Child
from tools.stack import Stack

POLL_SECONDS = 0.1
MEMORY_POLL_SECONDS = 1.0
STACK_DUMP_SECONDS = 2.5
"""A running stream without an owner for longer than this makes the workers write their stacks."""
CONNECT_TIMEOUT_SECONDS = 5
MAX_OUTAGE_SECONDS = 90.0
"""A longer outage of the database is a failure of the run."""

UNFINISHED_QUERY = """
SELECT s.id, s.uuid, s.state, s.worker_id, w.name AS worker
  FROM streaming_stream AS s LEFT JOIN streaming_worker AS w ON w.id = s.worker_id
 WHERE s.ended_at IS NULL
"""
NO_OWNER_NEEDED = UUID(int=0)
"""Stands for the owner of an ended stream."""

Row = dict[str, Any]


@dataclass(slots=True)
class DatabaseOutages:
    """Periods in which the database did not answer. All times are of the monotonic clock."""

    periods: list[tuple[float, float]] = field(default_factory=list)
    started_at: float | None = None

    def record_failure(self, asked_at: float) -> None:
        """A query at this time got no answer."""
        if self.started_at is None:
            self.started_at = asked_at

    def record_answer(self, at: float) -> None:
        if self.started_at is not None:
            self.periods.append((self.started_at, min(at, self.started_at + MAX_OUTAGE_SECONDS)))
            self.started_at = None

    def count_available_seconds(self, start: float, end: float) -> float:
        """Return the seconds between two times, without those of the outages."""
        started_at = self.started_at
        periods = [
            *self.periods,
            *([(started_at, started_at + MAX_OUTAGE_SECONDS)] if started_at is not None else []),
        ]
        outage_seconds = (min(end, last) - max(start, first) for first, last in periods)
        return end - start - sum(seconds for seconds in outage_seconds if seconds > 0)


@dataclass(slots=True)
class Takeover:
    """The streams of a worker that was killed or frozen. `remaining` have no new owner or
    ending."""

    kind: str
    at: float
    remaining: dict[int, UUID | None]
    max_seconds: float = 0.0
    slowest_stream: int = 0


@dataclass(slots=True)
class Times:
    """The longest time that a running stream had no owner, and the times of all takeovers."""

    max_ownerless_seconds: float = 0.0
    ownerless_stream: int = 0
    ownerless_at: str = ""
    takeovers: list[Takeover] = field(default_factory=list)

    def get_max_seconds(self, kind: str = "") -> float:
        return max(
            (each.max_seconds for each in self.takeovers if each.kind.startswith(kind)), default=0.0
        )


class Monitor:
    """A thread that measures. `unfinished_count` streams run or wait now."""

    def __init__(self, stack: Stack, other_processes: Sequence[Child] = ()) -> None:
        self.times = Times()
        self.outages = DatabaseOutages()
        self.memory: dict[str, int] = {}
        self.unfinished_count = 0
        self._stack = stack
        self._url = stack.environment["DATABASE_URL"]
        self._other_processes = other_processes
        self._has_dumped_stacks = False
        self._ownerless_since: dict[int, float] = {}
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="monitor")

    def __enter__(self) -> "Monitor":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._thread.join()

    # Queries for others

    async def wait_for_stream(self, request: UUID) -> str:
        """Return the UUID of a request's stream, as soon as the database answers."""
        sql = "SELECT uuid FROM streaming_stream WHERE request_id = %s"
        while True:
            try:
                [row] = await asyncio.to_thread(self.query, sql, request)
                return str(row["uuid"])
            except psycopg.OperationalError:
                await asyncio.sleep(POLL_SECONDS)

    def query(self, sql: str, *values: Any) -> list[Row]:
        with psycopg.connect(self._url, autocommit=True, row_factory=dict_row) as connection:
            return connection.execute(sql, values).fetchall()

    def track_takeover(self, kind: str, pid: int, at: float) -> Takeover:
        """Measure the time to the next owner of the streams of a worker that has just stopped
        working."""
        own_rows = [
            row for row in self._read_rows_with_retry() if (row["worker"] or "").endswith(f" {pid}")
        ]
        takeover = Takeover(kind, at, {row["id"]: row["worker_id"] for row in own_rows})
        with self._lock:
            self.times.takeovers.append(takeover)
        return takeover

    def _read_rows_with_retry(self) -> list[Row]:
        while True:
            try:
                return self.query(UNFINISHED_QUERY)
            except psycopg.OperationalError:
                time.sleep(POLL_SECONDS)

    # Observations

    def _run(self) -> None:
        measured_at = 0.0
        while not self._closing.is_set():
            asked_at = time.monotonic()
            try:
                with psycopg.connect(
                    self._url,
                    autocommit=True,
                    row_factory=dict_row,
                    connect_timeout=CONNECT_TIMEOUT_SECONDS,
                ) as connection:
                    self.outages.record_answer(time.monotonic())
                    while not self._closing.wait(POLL_SECONDS):
                        asked_at = time.monotonic()
                        rows = connection.execute(UNFINISHED_QUERY).fetchall()
                        self._update(rows, time.monotonic())
                        if time.monotonic() - measured_at > MEMORY_POLL_SECONDS:
                            measured_at = time.monotonic()
                            self._record_memory()
            except psycopg.OperationalError:
                self.outages.record_failure(asked_at)
                self._closing.wait(POLL_SECONDS)

    def _update(self, rows: list[Row], now: float) -> None:
        """Seconds without a database do not count: no worker could claim a stream in them."""
        self.unfinished_count = len(rows)
        ownerless = [
            row["id"] for row in rows if row["state"] == "running" and not row["worker_id"]
        ]
        self._ownerless_since = {
            stream: self._ownerless_since.get(stream, now) for stream in ownerless
        }
        for stream, started_at in self._ownerless_since.items():
            seconds = self.outages.count_available_seconds(started_at, now)
            if seconds > self.times.max_ownerless_seconds:
                self.times.max_ownerless_seconds, self.times.ownerless_stream = seconds, stream
                self.times.ownerless_at = time.strftime("%H:%M:%S")
                if seconds > STACK_DUMP_SECONDS and not self._has_dumped_stacks:
                    self._dump_worker_stacks()
        owners = {row["id"]: row["worker_id"] for row in rows}
        with self._lock:
            for takeover in self.times.takeovers:
                self._update_takeover(takeover, owners, now)

    def _dump_worker_stacks(self) -> None:
        """Let each worker write its stacks into its log, once in a run."""
        self._has_dumped_stacks = True
        for worker in self._stack.workers:
            with suppress(ProcessLookupError):
                os.kill(worker.pid, signal.SIGUSR1)

    def _update_takeover(self, takeover: Takeover, owners: dict[int, UUID], now: float) -> None:
        seconds = self.outages.count_available_seconds(takeover.at, now)
        for stream, dead in tuple(takeover.remaining.items()):
            if seconds > takeover.max_seconds:
                takeover.max_seconds, takeover.slowest_stream = seconds, stream
            if owners.get(stream, NO_OWNER_NEEDED) not in (dead, None):
                del takeover.remaining[stream]

    def _record_memory(self) -> None:
        for name, size in self.measure_memory().items():
            self.memory[name] = max(self.memory.get(name, 0), size)

    def measure_memory(self) -> dict[str, int]:
        """Return the current resident bytes of every process."""
        assert self._stack.redis is not None
        servers = [self._stack.postgres, self._stack.redis]
        processes: list[Program | Child] = [*self._stack.programs, *servers, *self._other_processes]
        return {process.name: measure_resident_bytes(process.pid) for process in processes}


def measure_resident_bytes(pid: int) -> int:
    """Return the bytes of a process; memory shared with its children counts once."""
    try:
        process = psutil.Process(pid)
        if not (children := process.children(recursive=True)):
            return int(process.memory_info().rss)
        return sum(p.memory_full_info().pss for p in [process, *children])
    except psutil.Error:
        return 0

"""Measures the times: reads the database ten times a second, without the code under test, and the
memory of every process."""

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

LOOK = 0.1
WEIGH = 1.0
TOO_LONG = 2.5  # seconds without an owner
ANSWER = 5  # seconds in which a database that is there lets somebody in
LONGEST_ABSENCE = 90.0  # of which no more is forgiven at a time

UNFINISHED = """
SELECT s.id, s.uuid, s.state, s.worker_id, w.name AS worker
  FROM streaming_stream AS s LEFT JOIN streaming_worker AS w ON w.id = s.worker_id
 WHERE s.ended_at IS NULL
"""
ENDED = UUID(int=0)
"""Stands for the owner of a stream that needs none any more."""

Row = dict[str, Any]


@dataclass(slots=True)
class Absences:
    """Periods in which the database did not answer constant queries. All times are of the monotonic
    clock."""

    spans: list[tuple[float, float]] = field(default_factory=list)
    since: float | None = None

    def refused(self, asked: float) -> None:
        """A query at this time got no answer."""
        if self.since is None:
            self.since = asked

    def answered(self, at: float) -> None:
        if self.since is not None:
            self.spans.append((self.since, min(at, self.since + LONGEST_ABSENCE)))
            self.since = None

    def present(self, start: float, end: float) -> float:
        """Return the seconds between two times in which the database answered."""
        since = self.since
        spans = [*self.spans, *([(since, since + LONGEST_ABSENCE)] if since is not None else [])]
        away = (min(end, last) - max(start, first) for first, last in spans)
        return end - start - sum(seconds for seconds in away if seconds > 0)


@dataclass(slots=True)
class Orphaning:
    """The streams of a worker that was killed or stopped, until each has an owner or an ending."""

    kind: str
    at: float
    left: dict[int, UUID | None]
    longest: float = 0.0
    who: int = 0


@dataclass(slots=True)
class Times:
    """The longest of each, in seconds, and its stream."""

    ownerless: float = 0.0
    ownerless_stream: int = 0
    ownerless_at: str = ""
    orphanings: list[Orphaning] = field(default_factory=list)

    def worst(self, kind: str = "") -> float:
        return max((o.longest for o in self.orphanings if o.kind.startswith(kind)), default=0.0)


class Watch:
    """A thread that measures. `unfinished` is the number of streams that run or wait now."""

    def __init__(self, stack: Stack, others: Sequence[Child] = ()) -> None:
        self.times = Times()
        self.absences = Absences()
        self.memory: dict[str, int] = {}
        self.unfinished = 0
        self._stack = stack
        self._url = stack.environment["DATABASE_URL"]
        self._others = others
        self._asked = False
        self._alone: dict[int, float] = {}
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="watch")

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._thread.join()

    # Queries for others

    async def stream_of(self, request: UUID) -> str:
        """Return the stream of a request, as soon as the database answers."""
        sql = "SELECT uuid FROM streaming_stream WHERE request_id = %s"
        while True:
            try:
                [row] = await asyncio.to_thread(self.query, sql, request)
                return str(row["uuid"])
            except psycopg.OperationalError:
                await asyncio.sleep(LOOK)

    def query(self, sql: str, *values: Any) -> list[Row]:
        with psycopg.connect(self._url, autocommit=True, row_factory=dict_row) as connection:
            return connection.execute(sql, values).fetchall()

    def orphaned(self, kind: str, pid: int, at: float) -> Orphaning:
        """The worker with this pid does nothing from now on: measure the time to its streams' next
        owner."""
        mine = [row for row in self._rows_for_sure() if (row["worker"] or "").endswith(f" {pid}")]
        orphaning = Orphaning(kind, at, {row["id"]: row["worker_id"] for row in mine})
        with self._lock:
            self.times.orphanings.append(orphaning)
        return orphaning

    def _rows_for_sure(self) -> list[Row]:
        while True:
            try:
                return self.query(UNFINISHED)
            except psycopg.OperationalError:
                time.sleep(LOOK)

    # Observations

    def _run(self) -> None:
        weighed = 0.0
        while not self._closing.is_set():
            asked = time.monotonic()
            try:
                with psycopg.connect(
                    self._url, autocommit=True, row_factory=dict_row, connect_timeout=ANSWER
                ) as looking:
                    self.absences.answered(time.monotonic())
                    while not self._closing.wait(LOOK):
                        asked = time.monotonic()
                        rows = looking.execute(UNFINISHED).fetchall()
                        self._see(rows, time.monotonic())
                        if time.monotonic() - weighed > WEIGH:
                            weighed = time.monotonic()
                            self._weigh()
            except psycopg.OperationalError:
                self.absences.refused(asked)
                self._closing.wait(LOOK)

    def _see(self, rows: list[Row], now: float) -> None:
        """Without a database no worker could claim a stream: these seconds do not count."""
        self.unfinished = len(rows)
        alone = [row["id"] for row in rows if row["state"] == "running" and not row["worker_id"]]
        self._alone = {stream: self._alone.get(stream, now) for stream in alone}
        for stream, since in self._alone.items():
            seconds = self.absences.present(since, now)
            if seconds > self.times.ownerless:
                self.times.ownerless, self.times.ownerless_stream = seconds, stream
                self.times.ownerless_at = time.strftime("%H:%M:%S")
                if seconds > TOO_LONG and not self._asked:
                    self._ask_workers_where_they_are()
        owners = {row["id"]: row["worker_id"] for row in rows}
        with self._lock:
            for orphaning in self.times.orphanings:
                self._follow_up(orphaning, owners, now)

    def _ask_workers_where_they_are(self) -> None:
        """Once in a run, let each process write its stacks into its log."""
        self._asked = True
        for worker in self._stack.workers:
            with suppress(ProcessLookupError):
                os.kill(worker.pid, signal.SIGUSR1)

    def _follow_up(self, orphaning: Orphaning, owners: dict[int, UUID], now: float) -> None:
        seconds = self.absences.present(orphaning.at, now)
        for stream, dead in tuple(orphaning.left.items()):
            if seconds > orphaning.longest:
                orphaning.longest, orphaning.who = seconds, stream
            if owners.get(stream, ENDED) not in (dead, None):
                del orphaning.left[stream]

    def _weigh(self) -> None:
        for name, size in self.weights().items():
            self.memory[name] = max(self.memory.get(name, 0), size)

    def weights(self) -> dict[str, int]:
        """Return the current resident bytes of every process."""
        assert self._stack.redis is not None
        servers = [self._stack.postgres, self._stack.redis]
        processes: list[Program | Child] = [*self._stack.programs, *servers, *self._others]
        return {process.name: resident(process.pid) for process in processes}


def resident(pid: int) -> int:
    """Return the bytes of a process; memory shared with its children counts once."""
    try:
        process = psutil.Process(pid)
        if not (children := process.children(recursive=True)):
            return int(process.memory_info().rss)
        return sum(p.memory_full_info().pss for p in [process, *children])
    except psutil.Error:
        return 0

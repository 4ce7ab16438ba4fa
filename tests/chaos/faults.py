"""The faults, kind by kind, in an order that the seed decides.

Four targets have faults at the same time: workers, web processes, Redis, PostgreSQL. Each recovers
before its next fault, so that the time of recovery can be measured. SIGTERM to a worker and a
restart of the database wait for each other: another worker within two seconds is promised for a
deploy, not for a deploy without a database.
"""

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from random import Random

import psycopg

from tests.chaos.monitor import Monitor, Takeover
from tools.services import Program
from tools.stack import Stack

LEASE_SECONDS = 12.0

TAKEOVER_TIMEOUT_SECONDS = 40.0
START_TIMEOUT_SECONDS = 60.0
EXIT_TIMEOUT_SECONDS = 30.0
POSTGRES_EXIT_TIMEOUT_SECONDS = 90.0  # its child processes may wait for a slow disk

Fault = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Pauses:
    """Seconds from the recovery of each target to its next fault: minimum and maximum."""

    worker: tuple[float, float] = (1, 3)
    web: tuple[float, float] = (2, 6)
    redis: tuple[float, float] = (2, 6)
    postgres: tuple[float, float] = (4, 10)


class RecoveryTimeout(Exception):
    """A process did not recover. This ends the run."""


class FaultInjector:
    """Injects faults into a stack: all kinds, or those in `only`. `log` has every fault with its
    time."""

    def __init__(
        self, stack: Stack, monitor: Monitor, seed: str, pauses: Pauses, only: Collection[str] = ()
    ) -> None:
        assert stack.redis is not None
        self.counts: Counter[str] = Counter()
        self.log: list[str] = []
        self._stack = stack
        self._redis = stack.redis
        self._monitor = monitor
        self._seed = seed
        self._pauses = pauses
        self._only = only
        self._deploy_lock = asyncio.Lock()
        self._started_at = time.monotonic()

    async def run(self, until: float) -> None:
        """Inject faults until this moment of the monotonic clock, then repair everything."""
        pauses = self._pauses
        targets = [
            self._inject_faults("worker", pauses.worker, until, self._list_worker_faults()),
            self._inject_faults("web", pauses.web, until, self._list_web_faults()),
            self._inject_faults("redis", pauses.redis, until, self._list_redis_faults()),
            self._inject_faults("postgres", pauses.postgres, until, self._list_postgres_faults()),
        ]
        try:
            await asyncio.gather(*targets)
        finally:
            await asyncio.to_thread(self._repair_all)

    async def _inject_faults(
        self, name: str, pause: tuple[float, float], until: float, faults: dict[str, Fault]
    ) -> None:
        random = self._create_random(name)
        kinds = [kind for kind in faults if not self._only or kind in self._only]
        remaining: list[str] = []
        if not kinds:
            return
        await asyncio.sleep(random.uniform(*pause))
        while time.monotonic() < until:
            remaining = remaining or random.sample(kinds, len(kinds))
            kind = remaining.pop()
            self._log(kind)
            await faults[kind]()
            self.counts[kind] += 1
            await asyncio.sleep(random.uniform(*pause))

    def _create_random(self, name: str) -> Random:
        return Random(f"{self._seed} {name}")

    def _log(self, event: str) -> None:
        self.log.append(f"{time.monotonic() - self._started_at:8.1f} s  {event}")

    def _repair_all(self) -> None:
        self._log("all is repaired")
        if not self._stack.postgres.running:
            self._stack.postgres.start()
        self._redis.resume()
        if not self._redis.running:
            self._redis.start()
        for program in self._stack.programs:
            program.resume()

    # Workers

    def _list_worker_faults(self) -> dict[str, Fault]:
        random = self._create_random("which worker")

        def on_random_worker(inject: Callable[[Program, Random], Awaitable[None]]) -> Fault:
            return lambda: inject(random.choice(self._stack.workers), random)

        return {
            "worker: kill -9": on_random_worker(self._kill_worker),
            "worker: SIGTERM": on_random_worker(self._terminate_worker),
            "worker: SIGSTOP past its lease": on_random_worker(self._freeze_worker),
            "worker: kill -9 without a database": on_random_worker(self._kill_worker_and_database),
        }

    async def _kill_worker(self, worker: Program, random: Random) -> None:
        pid, at = worker.pid, time.monotonic()
        os.kill(pid, signal.SIGKILL)
        await self._wait_for_takeover(
            await asyncio.to_thread(self._monitor.track_takeover, "kill", pid, at)
        )
        await self._wait_for_restart(worker, pid)

    async def _terminate_worker(self, worker: Program, random: Random) -> None:
        async with self._deploy_lock:
            pid = worker.pid
            os.kill(pid, signal.SIGTERM)
            await self._wait_for_restart(worker, pid)

    async def _freeze_worker(self, worker: Program, random: Random) -> None:
        pid, at = worker.pid, time.monotonic()
        os.kill(pid, signal.SIGSTOP)
        takeover = await asyncio.to_thread(self._monitor.track_takeover, "freeze", pid, at)
        await asyncio.sleep(LEASE_SECONDS + random.uniform(1, 3))
        await self._wait_for_takeover(takeover)
        os.kill(pid, signal.SIGCONT)

    async def _kill_worker_and_database(self, worker: Program, random: Random) -> None:
        """The worker's uncommitted text is lost: neither the worker nor the database has it."""
        async with self._deploy_lock:
            at = time.monotonic()
            await asyncio.to_thread(self._stop_postgres, signal.SIGQUIT)
            await asyncio.sleep(0.3)
            pid = worker.pid
            os.kill(pid, signal.SIGKILL)
            await asyncio.to_thread(self._stack.postgres.start)
        await self._wait_for_takeover(
            await asyncio.to_thread(self._monitor.track_takeover, "kill", pid, at)
        )
        await self._wait_for_restart(worker, pid)

    async def _wait_for_takeover(self, takeover: Takeover) -> None:
        what = f"streams {list(takeover.remaining)[:5]} to have an owner or an end"
        await self._wait_until(lambda: not takeover.remaining, TAKEOVER_TIMEOUT_SECONDS, what)

    # Web processes

    def _list_web_faults(self) -> dict[str, Fault]:
        random = self._create_random("which web")

        def on_random_web(signal_number: signal.Signals) -> Fault:
            return lambda: self._signal_web(random.choice(self._stack.webs), signal_number)

        return {
            "web: kill -9": on_random_web(signal.SIGKILL),
            "web: SIGTERM": on_random_web(signal.SIGTERM),
        }

    async def _signal_web(self, web: Program, signal_number: signal.Signals) -> None:
        pid = web.pid
        os.kill(pid, signal_number)
        await self._wait_for_restart(web, pid)

    async def _wait_for_restart(self, program: Program, pid: int) -> None:
        """Wait until the process with this id has ended and its successor is ready."""
        await self._wait_until(
            lambda: program.pid != pid, EXIT_TIMEOUT_SECONDS, f"{program.name} to exit"
        )
        what = f"{program.name} to be ready again"
        await self._wait_until(
            lambda: program.running and program.ready(), START_TIMEOUT_SECONDS, what
        )

    # Redis

    def _list_redis_faults(self) -> dict[str, Fault]:
        random = self._create_random("how long redis")
        return {
            "redis: kill -9": lambda: self._restart_redis(random.uniform(1, 5)),
            "redis: restarted empty": lambda: self._restart_redis(0),
            "redis: paused": lambda: self._pause_redis(random.uniform(1, 6)),
        }

    async def _restart_redis(self, seconds: float) -> None:
        await asyncio.to_thread(self._redis.kill)
        await asyncio.sleep(seconds)
        await asyncio.to_thread(self._redis.start)

    async def _pause_redis(self, seconds: float) -> None:
        self._redis.pause()
        await asyncio.sleep(seconds)
        self._redis.resume()

    # PostgreSQL

    def _list_postgres_faults(self) -> dict[str, Fault]:
        return {
            "postgres: restarted": self._restart_postgres,
            "postgres: connections cut": self._cut_connections,
        }

    async def _restart_postgres(self) -> None:
        async with self._deploy_lock:
            await asyncio.to_thread(self._stop_postgres, signal.SIGINT)
            await asyncio.to_thread(self._stack.postgres.start)

    def _stop_postgres(self, by: signal.Signals) -> None:
        self._stack.postgres.stop(by, within=POSTGRES_EXIT_TIMEOUT_SECONDS)

    async def _cut_connections(self) -> None:
        cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
        with suppress(psycopg.OperationalError):
            await asyncio.to_thread(self._monitor.query, f"{cut} AND datname IS NOT NULL")

    async def _wait_until(self, condition: Callable[[], bool], timeout: float, what: str) -> None:
        """Raises RecoveryTimeout. Seconds without a database do not count: nothing recovers in
        them."""
        started_at = time.monotonic()
        while not await asyncio.to_thread(condition):
            waited = self._monitor.outages.count_available_seconds(started_at, time.monotonic())
            if waited > timeout:
                await asyncio.to_thread(self._dump_stacks)
                raise RecoveryTimeout(f"waited {timeout:g} s for {what}")
            await asyncio.sleep(0.1)

    def _dump_stacks(self) -> None:
        """Let every process write its stacks into its log."""
        for program in self._stack.programs:
            with suppress(ProcessLookupError):  # dead, and not started again yet
                os.kill(program.pid, signal.SIGUSR1)
        time.sleep(0.5)

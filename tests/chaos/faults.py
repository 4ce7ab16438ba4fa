"""The worst, kind by kind, in an order that the seed decides.

Four lanes hurt at the same time: workers, web processes, Redis, PostgreSQL. Within a lane what
was hurt recovers before the next blow, so that the time this takes can be read. A worker that is
told to go and a database that restarts wait for each other: that a reply changes hands within
two seconds is promised for a deploy, not for a deploy while there is no database.
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

from tests.chaos.monitor import Orphaning, Watch
from tools.services import Program
from tools.stack import Stack

LEASE = 12.0

HANDED_OVER_WITHIN = 40.0
READY_WITHIN = 60.0
GOES_WITHIN = 30.0
POSTGRES_GOES_WITHIN = 90.0  # its children may be waiting for a slow disk

Blow = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Rests:
    """Seconds of recovery after a blow, from and to, in each lane."""

    worker: tuple[float, float] = (1, 3)
    web: tuple[float, float] = (2, 6)
    redis: tuple[float, float] = (2, 6)
    postgres: tuple[float, float] = (4, 10)


class Stuck(Exception):
    """Something did not recover at all; the run is over."""


class Faults:
    """Hurts a stack until told to stop, `only` with some kinds of blows if any are named. `log`
    has every blow with its second."""

    def __init__(
        self, stack: Stack, watch: Watch, seed: str, rests: Rests, only: Collection[str] = ()
    ) -> None:
        assert stack.redis is not None
        self.counts: Counter[str] = Counter()
        self.log: list[str] = []
        self._stack = stack
        self._redis = stack.redis
        self._watch = watch
        self._seed = seed
        self._rests = rests
        self._only = only
        self._steady = asyncio.Lock()
        self._began = time.monotonic()

    async def run(self, until: float) -> None:
        """All lanes, until this moment of the monotonic clock; then everything is healed."""
        rests = self._rests
        lanes = [
            self._lane("worker", rests.worker, until, self._worker_blows()),
            self._lane("web", rests.web, until, self._web_blows()),
            self._lane("redis", rests.redis, until, self._redis_blows()),
            self._lane("postgres", rests.postgres, until, self._postgres_blows()),
        ]
        try:
            await asyncio.gather(*lanes)
        finally:
            await asyncio.to_thread(self._heal)

    async def _lane(
        self, name: str, rest: tuple[float, float], until: float, blows: dict[str, Blow]
    ) -> None:
        random = self._random(name)
        kinds = [kind for kind in blows if not self._only or kind in self._only]
        bag: list[str] = []
        if not kinds:
            return
        await asyncio.sleep(random.uniform(*rest))
        while time.monotonic() < until:
            bag = bag or random.sample(kinds, len(kinds))
            kind = bag.pop()
            self._say(kind)
            await blows[kind]()
            self.counts[kind] += 1
            await asyncio.sleep(random.uniform(*rest))

    def _random(self, name: str) -> Random:
        return Random(f"{self._seed} {name}")

    def _say(self, what: str) -> None:
        self.log.append(f"{time.monotonic() - self._began:8.1f} s  {what}")

    def _heal(self) -> None:
        self._say("all is healed")
        if not self._stack.postgres.running:
            self._stack.postgres.start()
        self._redis.resume()
        if not self._redis.running:
            self._redis.start()
        for program in self._stack.programs:
            program.resume()

    # Workers

    def _worker_blows(self) -> dict[str, Blow]:
        random = self._random("which worker")

        def on_one(hurt: Callable[[Program, Random], Awaitable[None]]) -> Blow:
            return lambda: hurt(random.choice(self._stack.workers), random)

        return {
            "worker: kill -9": on_one(self._kill_worker),
            "worker: SIGTERM": on_one(self._end_worker),
            "worker: SIGSTOP past its lease": on_one(self._freeze_worker),
            "worker: kill -9 without a database": on_one(self._kill_worker_and_database),
        }

    async def _kill_worker(self, worker: Program, random: Random) -> None:
        pid, at = worker.pid, time.monotonic()
        os.kill(pid, signal.SIGKILL)
        await self._handed_over(await asyncio.to_thread(self._watch.orphaned, "kill", pid, at))
        await self._back(worker, pid)

    async def _end_worker(self, worker: Program, random: Random) -> None:
        async with self._steady:
            pid = worker.pid
            os.kill(pid, signal.SIGTERM)
            await self._back(worker, pid)

    async def _freeze_worker(self, worker: Program, random: Random) -> None:
        pid, at = worker.pid, time.monotonic()
        os.kill(pid, signal.SIGSTOP)
        orphaning = await asyncio.to_thread(self._watch.orphaned, "freeze", pid, at)
        await asyncio.sleep(LEASE + random.uniform(1, 3))
        await self._handed_over(orphaning)
        os.kill(pid, signal.SIGCONT)

    async def _kill_worker_and_database(self, worker: Program, random: Random) -> None:
        """What the worker was about to commit is nowhere: not with it, not in the database."""
        async with self._steady:
            at = time.monotonic()
            await asyncio.to_thread(self._stop_postgres, signal.SIGQUIT)
            await asyncio.sleep(0.3)
            pid = worker.pid
            os.kill(pid, signal.SIGKILL)
            await asyncio.to_thread(self._stack.postgres.start)
        await self._handed_over(await asyncio.to_thread(self._watch.orphaned, "kill", pid, at))
        await self._back(worker, pid)

    async def _handed_over(self, orphaning: Orphaning) -> None:
        what = f"streams {list(orphaning.left)[:5]} to have an owner or an end"
        await self._until(lambda: not orphaning.left, HANDED_OVER_WITHIN, what)

    # Web processes

    def _web_blows(self) -> dict[str, Blow]:
        random = self._random("which web")

        def send(number: signal.Signals) -> Blow:
            return lambda: self._end_web(random.choice(self._stack.webs), number)

        return {"web: kill -9": send(signal.SIGKILL), "web: SIGTERM": send(signal.SIGTERM)}

    async def _end_web(self, web: Program, number: signal.Signals) -> None:
        pid = web.pid
        os.kill(pid, number)
        await self._back(web, pid)

    async def _back(self, program: Program, pid: int) -> None:
        """The process with this id is gone, and another one is ready in its place."""
        await self._until(lambda: program.pid != pid, GOES_WITHIN, f"{program.name} to go")
        what = f"{program.name} to be ready again"
        await self._until(lambda: program.running and program.ready(), READY_WITHIN, what)

    # Redis

    def _redis_blows(self) -> dict[str, Blow]:
        random = self._random("how long redis")
        return {
            "redis: kill -9": lambda: self._redis_down(random.uniform(1, 5)),
            "redis: restarted empty": lambda: self._redis_down(0),
            "redis: paused": lambda: self._pause_redis(random.uniform(1, 6)),
        }

    async def _redis_down(self, seconds: float) -> None:
        await asyncio.to_thread(self._redis.kill)
        await asyncio.sleep(seconds)
        await asyncio.to_thread(self._redis.start)

    async def _pause_redis(self, seconds: float) -> None:
        self._redis.pause()
        await asyncio.sleep(seconds)
        self._redis.resume()

    # PostgreSQL

    def _postgres_blows(self) -> dict[str, Blow]:
        return {
            "postgres: restarted": self._restart_postgres,
            "postgres: connections cut": self._cut_connections,
        }

    async def _restart_postgres(self) -> None:
        async with self._steady:
            await asyncio.to_thread(self._stop_postgres, signal.SIGINT)
            await asyncio.to_thread(self._stack.postgres.start)

    def _stop_postgres(self, by: signal.Signals) -> None:
        self._stack.postgres.stop(by, within=POSTGRES_GOES_WITHIN)

    async def _cut_connections(self) -> None:
        cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
        with suppress(psycopg.OperationalError):
            await asyncio.to_thread(self._watch.query, f"{cut} AND datname IS NOT NULL")

    async def _until(self, condition: Callable[[], bool], within: float, what: str) -> None:
        """Seconds without a database do not count: nothing recovers in them."""
        began = time.monotonic()
        while not await asyncio.to_thread(condition):
            if self._watch.absences.present(began, time.monotonic()) > within:
                await asyncio.to_thread(self._ask_where_they_are)
                raise Stuck(f"waited {within:g} s for {what}")
            await asyncio.sleep(0.1)

    def _ask_where_they_are(self) -> None:
        """Every process writes its stacks into its log."""
        for program in self._stack.programs:
            with suppress(ProcessLookupError):  # dead, and not started again yet
                os.kill(program.pid, signal.SIGUSR1)
        time.sleep(0.5)

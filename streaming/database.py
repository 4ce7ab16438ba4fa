"""Where async code meets the database: a fixed number of threads, each call on a working
connection.

Django's own `sync_to_async` puts every call of a process on one thread. Here are a few. Those that
ask all the time keep their connection. The rest give theirs back after every call, so as not to
starve the pool, and pay for it: a connection that comes from the pool is asked first whether it
still works.

What every socket asks when it connects goes through a `BatchLoader`: a herd costs a few queries.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Hashable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier
from typing import Any, Generic, ParamSpec, TypeVar

from django.db import close_old_connections, connection
from django.db.utils import InterfaceError, InternalError, OperationalError

from streaming.outage import outage_monitor

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")
K = TypeVar("K", bound=Hashable)

READER_THREADS = 4
DB_RETRY_SECONDS = 0.2
"""Pause before the next try after the database gave no answer."""

CONNECTION_ERRORS = (OperationalError, InterfaceError, InternalError)
"""What is raised when the database went away. An internal error is how psycopg tells that the
server has ended a session which stood still for too long in the middle of a transaction."""


class DatabaseThreads:
    """Runs synchronous functions that use the database. `connection_policy` says what becomes of
    the thread's connection."""

    def __init__(
        self,
        name: str,
        count: int,
        connection_policy: Callable[[Callable[[], Any]], Any] | None = None,
    ) -> None:
        self._executor = ThreadPoolExecutor(count, thread_name_prefix=name)
        self._thread_count = count
        self._connection_policy = connection_policy or connection_per_call

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        call = partial(self._connection_policy, partial(function, *args, **kwargs))
        return await asyncio.get_running_loop().run_in_executor(self._executor, call)

    async def run_until_answered(
        self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Call until the database answers, however long that takes. Only for calls that may run
        twice."""
        while True:
            try:
                return await self.run(function, *args, **kwargs)
            except CONNECTION_ERRORS as error:
                if not outage_monitor.is_outage(error):
                    logger.warning("The database does not answer (%s); trying again", error)
                await asyncio.sleep(DB_RETRY_SECONDS)

    def close(self, *, wait: bool = False) -> None:
        """Let running calls finish, give the connections back, and end the threads."""
        all_here = Barrier(self._thread_count)  # so that each thread closes one, its own
        for _ in range(self._thread_count):
            self._executor.submit(_close_connection, all_here)
        self._executor.shutdown(wait=wait)


def _close_connection(barrier: Barrier) -> None:
    barrier.wait()
    connection.close()


def connection_per_call(call: Callable[[], T]) -> T:
    """With a connection from the pool, which gets it back."""
    close_old_connections()
    try:
        return call()
    finally:
        close_old_connections()


def persistent_connection(call: Callable[[], T]) -> T:
    """With the connection of the last call, unless that failed."""
    try:
        return call()
    except BaseException:
        connection.close()  # it may be broken; the next call gets a new one
        raise


def persistent_with_retry(call: Callable[[], T]) -> T:
    """With the connection of the last call; once more with a new one if it has died since. Only
    for what may be done twice."""
    kept = connection.connection is not None
    try:
        return call()
    except CONNECTION_ERRORS:
        connection.close()
        if not kept:
            raise
    return call()


_reader_threads: DatabaseThreads | None = None


async def run_in_db(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a short read, or a person's command that may be done twice; for what every follower and
    socket does."""
    return await _get_reader_threads().run(function, *args, **kwargs)


async def run_in_db_until_answered(
    function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """The same, but wait for a database that is away."""
    return await _get_reader_threads().run_until_answered(function, *args, **kwargs)


def _get_reader_threads() -> DatabaseThreads:
    global _reader_threads
    if _reader_threads is None:
        _reader_threads = DatabaseThreads("database", READER_THREADS, persistent_with_retry)
    return _reader_threads


class BatchLoader(Generic[K, T]):
    """A question that is asked for many at once: while one answer is under way, the keys of the
    next gather, up to `max_batch_size`. Who comes alone is asked for at once.

    A key that makes the question fail fails alone: the question is asked again for each half of
    the keys, and so on, in fewer than two questions a key. A database that is away fails it for
    all of them, and is not asked again.
    """

    def __init__(
        self, load_many: Callable[[Collection[K]], Mapping[K, T]], *, max_batch_size: int = 50
    ) -> None:
        self._load_many = load_many
        self._max_batch_size = max_batch_size
        self._pending: dict[K, asyncio.Future[T | None]] = {}
        self._load_task: asyncio.Task[None] | None = None

    async def load(self, key: K) -> T | None:
        """The answer for this key, from a question that was asked after this call; None if it has
        none."""
        loop = asyncio.get_running_loop()
        if (
            self._load_task is None
            or self._load_task.done()
            or self._load_task.get_loop() is not loop
        ):
            self._pending = {}
            self._load_task = loop.create_task(self._load_pending(), name="gathered question")
        answer = self._pending.setdefault(key, loop.create_future())
        return await asyncio.shield(answer)  # others may wait for the same

    async def _load_pending(self) -> None:
        while self._pending:
            asked = {
                key: self._pending.pop(key) for key in [*self._pending][: self._max_batch_size]
            }
            await self._load_batch(asked)

    async def _load_batch(self, futures: Mapping[K, asyncio.Future[T | None]]) -> None:
        try:
            answers = await run_in_db(self._load_many, [*futures])
        except Exception as error:
            if len(futures) > 1 and not isinstance(error, CONNECTION_ERRORS):
                keys = [*futures]
                for half in (keys[: len(keys) // 2], keys[len(keys) // 2 :]):
                    await self._load_batch({key: futures[key] for key in half})
                return
            for answer in futures.values():
                answer.set_exception(error)
                answer.exception()  # seen, even if everybody who asked has gone
        else:
            for key, answer in futures.items():
                answer.set_result(answers.get(key))


def close(*, wait: bool = False) -> None:
    """Give back what `run_in_db` keeps, which takes it anew when it is needed."""
    global _reader_threads
    if _reader_threads is not None:
        closing, _reader_threads = _reader_threads, None
        closing.close(wait=wait)

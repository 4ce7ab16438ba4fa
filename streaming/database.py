"""The place where async code calls the database: a fixed number of threads, each call on a working
connection.

Django's own `sync_to_async` runs every call of a process on one thread; here there are several.
Threads that query all the time keep their connection. The others return it after every call, so
that the pool does not run dry. That has a price: the pool tests each connection that it hands out.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier
from typing import Any, ParamSpec, TypeVar

from django.db import close_old_connections, connection
from django.db.utils import InterfaceError, InternalError, OperationalError

from streaming.outage import outage_monitor

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

READER_THREADS = 4
COMMAND_THREADS = 2
"""For commands that write, so that no reader waits behind their locks."""
DB_RETRY_SECONDS = 0.2
"""Pause before the next try after the database gave no answer."""

CONNECTION_ERRORS = (OperationalError, InterfaceError, InternalError)
"""These are raised when the database went away. psycopg raises an internal error when the server
has ended a session that was idle in a transaction for too long."""


class DatabaseThreads:
    """Runs synchronous functions that use the database. `connection_policy` decides what happens to
    the thread's connection after a call."""

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
        """Let running calls finish, return the connections, and end the threads."""
        # With the barrier, each thread closes its own connection.
        all_here = Barrier(self._thread_count)
        for _ in range(self._thread_count):
            self._executor.submit(_close_connection, all_here)
        self._executor.shutdown(wait=wait)


def _close_connection(barrier: Barrier) -> None:
    barrier.wait()
    connection.close()


def connection_per_call(call: Callable[[], T]) -> T:
    """Take a connection from the pool, and return it after the call."""
    close_old_connections()
    try:
        return call()
    finally:
        close_old_connections()


def persistent_connection(call: Callable[[], T]) -> T:
    """Use the connection of the previous call, unless that call failed."""
    try:
        return call()
    except BaseException:
        connection.close()  # it may be broken; the next call gets a new one
        raise


def persistent_with_retry(call: Callable[[], T]) -> T:
    """Use the connection of the previous call; if it has died since, call again with a new one.
    Only for calls that may run twice."""
    had_connection = connection.connection is not None
    try:
        return call()
    except CONNECTION_ERRORS:
        connection.close()
        if not had_connection:
            raise
    return call()


_reader_threads: DatabaseThreads | None = None


async def run_in_db(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a short read, or a person's command that may run twice. For followers and sockets."""
    return await _get_reader_threads().run(function, *args, **kwargs)


async def run_in_db_until_answered(
    function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """Like `run_in_db`, but wait for a database that is away."""
    return await _get_reader_threads().run_until_answered(function, *args, **kwargs)


def _get_reader_threads() -> DatabaseThreads:
    global _reader_threads
    if _reader_threads is None:
        _reader_threads = DatabaseThreads("database", READER_THREADS, persistent_with_retry)
    return _reader_threads


_command_threads: DatabaseThreads | None = None


async def run_command_in_db(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a person's command that writes."""
    global _command_threads
    if _command_threads is None:
        _command_threads = DatabaseThreads("commands", COMMAND_THREADS)
    return await _command_threads.run(function, *args, **kwargs)


def close(*, wait: bool = False) -> None:
    """End the threads of `run_in_db` and `run_command_in_db`. The next calls start new ones."""
    global _reader_threads, _command_threads
    closing = [threads for threads in (_reader_threads, _command_threads) if threads is not None]
    _reader_threads = _command_threads = None
    for threads in closing:
        threads.close(wait=wait)

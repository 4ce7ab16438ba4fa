"""Where async code meets the database: a fixed number of threads, each call on a working
connection.

Django's own `sync_to_async` puts every call of a process on one thread. Here are a few, of two
kinds. Most give back what they borrowed after every call, for a thread that keeps its connection
starves the pool, and pay for it: a connection that comes from the pool is asked first whether it
still works. Those that are busy for as long as the process lives keep theirs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier
from typing import Any, ParamSpec, TypeVar

from django.db import close_old_connections, connection
from django.db.utils import InterfaceError, InternalError, OperationalError

P = ParamSpec("P")
T = TypeVar("T")

READERS = 4

UNANSWERED = (OperationalError, InterfaceError, InternalError)
"""What is raised when the database went away. An internal error is how psycopg tells that the
server has ended a session which stood still for too long in the middle of a transaction."""


class Threads:
    """Runs synchronous functions that use the database. `around` says what becomes of the
    thread's connection."""

    def __init__(
        self, name: str, count: int, around: Callable[[Callable[[], Any]], Any] | None = None
    ) -> None:
        self._executor = ThreadPoolExecutor(count, thread_name_prefix=name)
        self._count = count
        self._around = around or borrowing

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        call = partial(self._around, partial(function, *args, **kwargs))
        return await asyncio.get_running_loop().run_in_executor(self._executor, call)

    def close(self, *, wait: bool = False) -> None:
        """Let running calls finish, give the connections back, and end the threads."""
        all_here = Barrier(self._count)  # so that each thread closes one, its own
        for _ in range(self._count):
            self._executor.submit(_close, all_here)
        self._executor.shutdown(wait=wait)


def _close(all_here: Barrier) -> None:
    all_here.wait()
    connection.close()


def borrowing(call: Callable[[], T]) -> T:
    """With a connection from the pool, which gets it back."""
    close_old_connections()
    try:
        return call()
    finally:
        close_old_connections()


def keeping(call: Callable[[], T]) -> T:
    """With the connection of the last call, unless that failed."""
    try:
        return call()
    except BaseException:
        connection.close()  # it may be broken; the next call gets a new one
        raise


def repeating(call: Callable[[], T]) -> T:
    """With the connection of the last call; once more with a new one if it has died since. Only
    for what may be done twice."""
    kept = connection.connection is not None
    try:
        return call()
    except UNANSWERED:
        connection.close()
        if not kept:
            raise
    return call()


_readers: Threads | None = None


async def in_db(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a short read, or a person's command that may be done twice; for what every follower and
    socket does."""
    global _readers
    if _readers is None:
        _readers = Threads("database", READERS, repeating)
    return await _readers.run(function, *args, **kwargs)


def close(*, wait: bool = False) -> None:
    """Give back what `in_db` keeps, which takes it anew when it is needed."""
    global _readers
    if _readers is not None:
        closing, _readers = _readers, None
        closing.close(wait=wait)

"""Where async code meets the database: a fixed number of threads, each call on a clean
connection.

Django's own `sync_to_async` puts every call of a process on one thread; and a thread that
keeps its connection starves the pool. So: few threads, and what was borrowed is given back
after every call, unless the thread is a writer that works without pause.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from django.db import close_old_connections, connection
from django.db.utils import InterfaceError, InternalError, OperationalError

P = ParamSpec("P")
T = TypeVar("T")

UNANSWERED = (OperationalError, InterfaceError, InternalError)
"""What is raised when the database went away. An internal error is how psycopg tells that the
server has ended a session which stood still for too long in the middle of a transaction."""


class Threads:
    """Runs synchronous functions that use the database."""

    def __init__(self, name: str, count: int, *, keep_connection: bool = False) -> None:
        self._executor = ThreadPoolExecutor(count, thread_name_prefix=name)
        self._around = _keeping if keep_connection else _borrowing

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        call = partial(self._around, partial(function, *args, **kwargs))
        return await asyncio.get_running_loop().run_in_executor(self._executor, call)

    def close(self) -> None:
        """Let running calls finish, give the connections back, and end the threads."""
        self._executor.submit(lambda: connection.close())  # that thread's, not this one's
        self._executor.shutdown(wait=False)


def _borrowing(call: Callable[[], T]) -> T:
    close_old_connections()
    try:
        return call()
    finally:
        close_old_connections()


def _keeping(call: Callable[[], T]) -> T:
    try:
        return call()
    except BaseException:
        connection.close()  # it may be broken; the next call gets a new one
        raise


_readers: Threads | None = None


async def in_db(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a short read or a person's command; for what every follower and socket does."""
    global _readers
    if _readers is None:
        _readers = Threads("database", 4)
    return await _readers.run(function, *args, **kwargs)

"""Where async code meets the database: a fixed number of threads, each call on a working
connection.

Django's own `sync_to_async` puts every call of a process on one thread. Here are a few. Those that
ask all the time keep their connection. The rest give theirs back after every call, so as not to
starve the pool, and pay for it: a connection that comes from the pool is asked first whether it
still works.

What every socket asks when it comes is `Gathered`: a herd that comes at once costs a few queries.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Hashable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier
from typing import Any, Generic, ParamSpec, TypeVar

from django.db import close_old_connections, connection
from django.db.utils import InterfaceError, InternalError, OperationalError

P = ParamSpec("P")
T = TypeVar("T")
K = TypeVar("K", bound=Hashable)

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


class Gathered(Generic[K, T]):
    """A question that is asked for many at once: while one answer is under way, the keys of the
    next gather, up to `at_once`. Who comes alone is asked for at once.

    A key that makes the question fail fails alone: the question is asked again for each half of
    the keys, and so on, in fewer than two questions a key. A database that is away fails it for
    all of them, and is not asked again.
    """

    def __init__(
        self, question: Callable[[Collection[K]], Mapping[K, T]], *, at_once: int = 50
    ) -> None:
        self._question = question
        self._at_once = at_once
        self._waiting: dict[K, asyncio.Future[T | None]] = {}
        self._asking: asyncio.Task[None] | None = None

    async def ask(self, key: K) -> T | None:
        """The answer for this key, from a question that was asked after this call; None if it has
        none."""
        loop = asyncio.get_running_loop()
        if self._asking is None or self._asking.done() or self._asking.get_loop() is not loop:
            self._waiting = {}
            self._asking = loop.create_task(self._ask_all(), name="gathered question")
        answer = self._waiting.setdefault(key, loop.create_future())
        return await asyncio.shield(answer)  # others may wait for the same

    async def _ask_all(self) -> None:
        while self._waiting:
            asked = {key: self._waiting.pop(key) for key in [*self._waiting][: self._at_once]}
            await self._answer(asked)

    async def _answer(self, asked: Mapping[K, asyncio.Future[T | None]]) -> None:
        try:
            answers = await in_db(self._question, [*asked])
        except Exception as error:
            if len(asked) > 1 and not isinstance(error, UNANSWERED):
                keys = [*asked]
                for half in (keys[: len(keys) // 2], keys[len(keys) // 2 :]):
                    await self._answer({key: asked[key] for key in half})
                return
            for answer in asked.values():
                answer.set_exception(error)
                answer.exception()  # seen, even if everybody who asked has gone
        else:
            for key, answer in asked.items():
                answer.set_result(answers.get(key))


def close(*, wait: bool = False) -> None:
    """Give back what `in_db` keeps, which takes it anew when it is needed."""
    global _readers
    if _readers is not None:
        closing, _readers = _readers, None
        closing.close(wait=wait)

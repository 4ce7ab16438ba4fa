"""Threads that use the database: connections are kept, returned and replaced."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Collection, Iterator

import pytest
from django.db import DataError, OperationalError, connection

from streaming import database
from streaming.batching import BatchLoader
from streaming.database import (
    READER_THREADS,
    DatabaseThreads,
    persistent_connection,
    persistent_with_retry,
    run_in_db,
)
from tests.streaming.conftest import on_postgresql
from tools.waiting import until

pytestmark = pytest.mark.django_db(transaction=True)


def read_backend_pid() -> int:
    """Return the id of the server's process for this connection."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def terminate_backend(pid: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])


@on_postgresql
async def test_a_busy_thread_keeps_its_connection_and_replaces_a_dead_one() -> None:
    reader, killer = (
        DatabaseThreads("reader", 1, persistent_with_retry),
        DatabaseThreads("killer", 1),
    )
    first = await reader.run(read_backend_pid)
    assert await reader.run(read_backend_pid) == first
    await killer.run(terminate_backend, first)
    assert await reader.run(read_backend_pid) != first
    for threads in (reader, killer):
        threads.close(wait=True)


@on_postgresql
async def test_a_call_that_may_not_repeat_fails_once_and_the_next_one_works() -> None:
    writer, killer = (
        DatabaseThreads("writer", 1, persistent_connection),
        DatabaseThreads("killer", 1),
    )
    first = await writer.run(read_backend_pid)
    await killer.run(terminate_backend, first)
    with pytest.raises(OperationalError):
        await writer.run(read_backend_pid)
    assert await writer.run(read_backend_pid) != first
    for threads in (writer, killer):
        threads.close(wait=True)


@on_postgresql
async def test_a_server_that_does_not_answer_is_not_retried_in_a_loop() -> None:
    reader, queries = DatabaseThreads("reader", 1, persistent_with_retry), []

    def fail() -> None:
        queries.append(read_backend_pid())
        raise OperationalError("the server is starting up")

    with pytest.raises(OperationalError):
        await reader.run(fail)
    assert len(queries) == 1
    reader.close(wait=True)


@on_postgresql
async def test_closing_returns_all_connections_and_later_calls_open_new_ones() -> None:
    await asyncio.gather(*(run_in_db(read_backend_pid) for _ in range(10 * READER_THREADS)))
    available = count_pooled_connections()
    database.close(wait=True)
    assert count_pooled_connections() > available
    assert await run_in_db(read_backend_pid)


def count_pooled_connections() -> int:
    """Connections that wait in the pool."""
    return connection.pool.get_stats()["pool_available"]  # type: ignore[attr-defined]


class SlowLoader:
    """A loader that waits until it may answer, and records its queries."""

    def __init__(self) -> None:
        self.queries: list[list[str]] = []
        self.may_answer = threading.Event()

    def __call__(self, keys: Collection[str]) -> dict[str, str]:
        self.queries.append(list(keys))
        assert self.may_answer.wait(5)
        if "away" in keys:
            raise OperationalError("the connection is lost")
        if "bad" in keys:
            raise DataError("this is no key")
        return {key: key.upper() for key in keys if key != "unknown"}


@pytest.fixture
def slow_loader() -> Iterator[SlowLoader]:
    slow_loader = SlowLoader()
    yield slow_loader
    slow_loader.may_answer.set()


async def test_keys_that_arrive_during_a_query_are_loaded_together(slow_loader: SlowLoader) -> None:
    loader = BatchLoader(slow_loader, max_batch_size=3)
    first = asyncio.create_task(loader.load("a"))
    await asyncio.to_thread(until, lambda: slow_loader.queries == [["a"]])
    others = [asyncio.create_task(loader.load(key)) for key in ("b", "a", "unknown", "b", "c")]
    await asyncio.sleep(0)
    slow_loader.may_answer.set()
    assert await asyncio.gather(first, *others) == ["A", "B", "A", None, "B", "C"]
    assert slow_loader.queries == [["a"], ["b", "a", "unknown"], ["c"]], (
        "“a” was loaded again, later"
    )
    assert await loader.load("d") == "D"


async def test_an_outage_fails_all_keys_of_the_batch_and_no_others(
    slow_loader: SlowLoader,
) -> None:
    loader = BatchLoader(slow_loader)
    slow_loader.may_answer.set()
    one, other = await asyncio.gather(
        loader.load("away"), loader.load("good"), return_exceptions=True
    )
    assert isinstance(one, OperationalError)
    assert isinstance(other, OperationalError)
    assert len(slow_loader.queries) <= 2, "one query, and one with a new connection"
    assert await loader.load("good") == "GOOD"


async def test_a_bad_key_fails_alone(slow_loader: SlowLoader) -> None:
    loader = BatchLoader(slow_loader)
    slow_loader.may_answer.set()
    keys = [f"key {number}" for number in range(50)]
    keys[20] = "bad"
    answers = await asyncio.gather(*map(loader.load, keys), return_exceptions=True)
    assert isinstance(answers.pop(20), DataError)
    assert answers == [f"KEY {number}" for number in range(50) if number != 20]
    assert len(slow_loader.queries) < 2 * len(keys)


async def test_a_batch_of_bad_keys_terminates() -> None:
    queries = []

    def refuse(keys: Collection[int]) -> dict[int, str]:
        queries.append(keys)
        raise DataError("these are no keys")

    loader = BatchLoader(refuse)
    answers = await asyncio.gather(*map(loader.load, range(50)), return_exceptions=True)
    assert all(isinstance(answer, DataError) for answer in answers)
    assert len(queries) < 2 * 50


async def test_a_cancelled_load_does_not_affect_others(slow_loader: SlowLoader) -> None:
    loader = BatchLoader(slow_loader)
    leaving, staying = (asyncio.create_task(loader.load("a")) for _ in range(2))
    await asyncio.to_thread(until, lambda: slow_loader.queries == [["a"]])
    leaving.cancel()
    slow_loader.may_answer.set()
    assert await staying == "A"
    assert leaving.cancelled()

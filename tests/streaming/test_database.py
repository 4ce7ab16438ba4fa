"""Threads that use the database: their connections are kept, given back, or made anew."""

from __future__ import annotations

import asyncio

import pytest
from django.db import OperationalError, connection

from streaming import database
from streaming.database import READERS, Threads, in_db, keeping, repeating
from tests.streaming.conftest import on_postgresql

pytestmark = pytest.mark.django_db(transaction=True)


def session() -> int:
    """Which of the server's sessions answers here."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def cut(pid: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])


@on_postgresql
async def test_who_reads_all_the_time_keeps_a_connection_and_gets_another_when_it_dies() -> None:
    reader, killer = Threads("reader", 1, repeating), Threads("killer", 1)
    first = await reader.run(session)
    assert await reader.run(session) == first
    await killer.run(cut, first)
    assert await reader.run(session) != first
    for threads in (reader, killer):
        threads.close(wait=True)


@on_postgresql
async def test_what_may_not_be_done_twice_fails_once_and_the_next_call_works() -> None:
    writer, killer = Threads("writer", 1, keeping), Threads("killer", 1)
    first = await writer.run(session)
    await killer.run(cut, first)
    with pytest.raises(OperationalError):
        await writer.run(session)
    assert await writer.run(session) != first
    for threads in (writer, killer):
        threads.close(wait=True)


@on_postgresql
async def test_a_server_that_answers_nobody_is_not_asked_again_and_again() -> None:
    reader, asked = Threads("reader", 1, repeating), []

    def refused() -> None:
        asked.append(session())
        raise OperationalError("the server is starting up")

    with pytest.raises(OperationalError):
        await reader.run(refused)
    assert len(asked) == 1
    reader.close(wait=True)


@on_postgresql
async def test_all_that_readers_keep_is_given_back_and_taken_anew() -> None:
    await asyncio.gather(*(in_db(session) for _ in range(10 * READERS)))
    lent = available()
    database.close(wait=True)
    assert available() > lent
    assert await in_db(session)


def available() -> int:
    """Connections that wait in the pool."""
    return connection.pool.get_stats()["pool_available"]  # type: ignore[attr-defined]

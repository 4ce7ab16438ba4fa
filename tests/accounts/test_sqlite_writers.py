"""Threads of a process write to SQLite in the order in which they came."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.db.utils import ConnectionHandler, OperationalError

from config.sqlite.base import DatabaseWrapper
from config.sqlite.fair_lock import FairLock
from tools.waiting import until

pytestmark = pytest.mark.django_db
WAITING = 5


@pytest.fixture
def database(tmp_path: Path) -> Iterator[ConnectionHandler]:
    """A database file of its own, with a connection for each thread."""
    options = {"timeout": 0.3, "transaction_mode": "IMMEDIATE"}
    handler = ConnectionHandler(
        {
            "default": {
                "ENGINE": "config.sqlite",
                "NAME": str(tmp_path / "notes.sqlite3"),
                "OPTIONS": options,
            }
        }
    )
    with handler["default"].cursor() as cursor:
        cursor.execute("CREATE TABLE notes (text)")
    yield handler
    handler.close_all()


def run_in_thread(function: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=function)
    thread.start()
    return thread


def test_waiting_threads_get_the_lock_in_their_order() -> None:
    lock, order = FairLock(), list[int]()
    assert lock.acquire(0)

    def wait(number: int) -> None:
        assert lock.acquire(30)
        order.append(number)
        lock.release()

    threads = []
    for number in range(WAITING):
        threads.append(run_in_thread(lambda number=number: wait(number)))  # type: ignore[misc]
        until(lambda: len(lock._waiting) == len(threads))
    lock.release()
    for thread in threads:
        thread.join()
    assert order == [*range(WAITING)]
    assert lock.acquire(0)


def test_a_thread_that_waited_in_vain_leaves_the_queue() -> None:
    lock = FairLock()
    assert lock.acquire(0)
    assert not lock.acquire(0.01)
    lock.release()
    assert lock.acquire(0)
    assert not lock._waiting


@pytest.mark.parametrize("in_transaction", [True, False])
def test_a_write_waits_for_the_transaction_of_another_thread(
    database: ConnectionHandler, in_transaction: bool
) -> None:
    """Much longer than SQLite would wait before it asks again, and gets its turn at once."""
    events: list[str] = []
    has_begun = threading.Event()

    def write() -> None:
        wrapper = database["default"]
        with closing(wrapper):
            has_begun.set()
            if in_transaction:
                wrapper.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)
            with wrapper.cursor() as cursor:
                cursor.execute("INSERT INTO notes VALUES ('second')")
                events.append("second")
            if in_transaction:
                wrapper.commit()

    mine = database["default"]
    mine.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)
    thread = run_in_thread(write)
    has_begun.wait()
    with mine.cursor() as cursor:
        cursor.execute("INSERT INTO notes VALUES ('first')")
        events.append("first")
    mine.commit()
    mine.set_autocommit(True)
    thread.join()
    assert events == ["first", "second"]
    with mine.cursor() as cursor:
        assert cursor.execute("SELECT text FROM notes").fetchall() == [("first",), ("second",)]


@pytest.mark.parametrize("end", ["commit", "rollback", "close", "failing statement"])
def test_every_end_of_a_transaction_passes_the_turn_on(
    database: ConnectionHandler, end: str
) -> None:
    wrapper: Any = database["default"]
    if end == "failing statement":
        with wrapper.cursor() as cursor, pytest.raises(OperationalError):
            cursor.execute("INSERT INTO nowhere VALUES (1)")
    else:
        wrapper.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)
        getattr(wrapper, end)()
    assert not wrapper._is_writing
    other = DatabaseWrapper(database.settings["default"], "default")
    with closing(other), other.cursor() as cursor:
        cursor.execute("INSERT INTO notes VALUES ('mine')")


def test_a_lock_that_is_never_released_is_the_error_that_callers_know(
    database: ConnectionHandler,
) -> None:
    mine: Any = database["default"]
    mine.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)
    other = DatabaseWrapper(database.settings["default"], "default")
    with closing(other), other.cursor() as cursor, pytest.raises(OperationalError, match="locked"):
        cursor.execute("INSERT INTO notes VALUES ('mine')")
    mine.rollback()

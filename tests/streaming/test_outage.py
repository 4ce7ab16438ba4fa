"""Outages of the database are distinguished from other errors, and logged once."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
from contextlib import closing
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.exceptions import SessionInterrupted
from django.db import (
    DataError,
    IntegrityError,
    OperationalError,
    ProgrammingError,
    connection,
)
from django.db.utils import DatabaseErrorWrapper
from psycopg import errors
from psycopg_pool import PoolTimeout

from streaming.outage import OutageMonitor, _probe_database, is_outage_error
from tools.services import free_port
from tools.waiting import until

CONNECTION_REFUSED = psycopg.OperationalError("connection refused")


def wrap_as_django(error: Exception) -> Exception:
    library = sqlite3 if isinstance(error, sqlite3.Error) else psycopg
    wrapper: Any = DatabaseErrorWrapper(SimpleNamespace(Database=library))
    try:
        with wrapper:
            raise error
    except Exception as raised:
        return raised


def build_locked_error(code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("database is locked")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    "error",
    [
        CONNECTION_REFUSED,
        PoolTimeout("couldn't get a connection after 2.00 sec"),
        psycopg.InterfaceError("the connection is closed"),
        errors.AdminShutdown("terminating connection due to administrator command"),
        errors.CrashShutdown("terminating connection because of crash"),
        errors.CannotConnectNow("the database system is starting up"),
        errors.TooManyConnections("sorry, too many clients already"),
        errors.ConnectionFailure("the connection broke"),
        errors.IdleInTransactionSessionTimeout("terminating connection"),
        build_locked_error(sqlite3.SQLITE_BUSY),
        build_locked_error(sqlite3.SQLITE_BUSY | 2 << 8),  # SQLITE_BUSY_SNAPSHOT
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_database_that_cannot_be_reached_counts_as_an_outage(error: Exception) -> None:
    assert is_outage_error(wrap_as_django(error))


@pytest.mark.parametrize(
    "error",
    [
        errors.DeadlockDetected("deadlock detected"),
        errors.QueryCanceled("canceling statement due to statement timeout"),
        errors.SerializationFailure("could not serialize access"),
        errors.UniqueViolation("duplicate key"),
        errors.UndefinedTable("no such relation"),
        psycopg.DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes"),
        psycopg.ProgrammingError("the query has 2 placeholders but 1 parameters were passed"),
        build_locked_error(sqlite3.SQLITE_ERROR),
        build_locked_error(sqlite3.SQLITE_CORRUPT),
        ZeroDivisionError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_refused_query_does_not_count_as_an_outage(error: Exception) -> None:
    assert not is_outage_error(wrap_as_django(error))


def test_an_error_caused_by_an_outage_counts_and_an_unrelated_one_does_not() -> None:
    def raise_during(error: Exception, raised: Exception) -> Exception:
        try:
            try:
                raise error
            except Exception:
                raise raised  # noqa: B904 as Django's sessions do
        except Exception as seen:
            return seen

    outage_error = wrap_as_django(CONNECTION_REFUSED)
    assert is_outage_error(
        raise_during(raise_during(outage_error, UpdateError()), SessionInterrupted())
    )
    assert not is_outage_error(SessionInterrupted())
    assert not is_outage_error(raise_during(outage_error, KeyError("a fault of our own")))
    assert not is_outage_error(OperationalError("without a cause"))
    for other in (DataError, IntegrityError, ProgrammingError):
        assert not is_outage_error(other())


class FakeDatabase:
    """A database that is unavailable until a test sets `is_available`."""

    def __init__(self) -> None:
        self.is_available = False
        self.query_count = 0

    def query(self) -> None:
        self.query_count += 1
        if not self.is_available:
            raise psycopg.OperationalError("connection failed:\n\tconnection refused")


def read_warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]


def test_an_outage_is_logged_when_it_begins_and_when_it_ends(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = FakeDatabase()
    outage = OutageMonitor(server.query)
    errors = [wrap_as_django(psycopg.OperationalError(f"fault {n}")) for n in range(8)]
    threads = [threading.Thread(target=outage.is_outage, args=[error]) for error in errors * 5]
    for thread in threads:
        thread.start()
    until(lambda: outage.is_database_away)
    assert outage.check_now(errors[0])
    server.is_available = True
    until(lambda: not outage.is_database_away)
    began, over = read_warnings(caplog)
    assert began == (
        "The database is away (connection failed: connection refused). Calls that need it wait"
    )
    assert over.startswith("The database is back after ")
    assert not any(record.exc_info for record in caplog.records)


def test_a_single_lost_connection_is_no_outage(caplog: pytest.LogCaptureFixture) -> None:
    server = FakeDatabase()
    server.is_available = True
    outage = OutageMonitor(server.query)
    assert outage.is_outage(wrap_as_django(errors.AdminShutdown("terminating connection")))
    assert not outage.check_now(wrap_as_django(CONNECTION_REFUSED))
    assert server.query_count in (1, 2)
    assert read_warnings(caplog) == []


def test_other_errors_are_left_to_the_caller() -> None:
    server = FakeDatabase()
    outage = OutageMonitor(server.query)
    assert not outage.is_outage(wrap_as_django(errors.DeadlockDetected("deadlock detected")))
    assert not outage.is_outage(asyncio.CancelledError())
    assert not server.query_count


@pytest.mark.django_db(transaction=True)
def test_the_probe_asks_the_database_itself_on_a_new_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _probe_database()
    if connection.vendor == "sqlite":
        monkeypatch.setattr("streaming.outage.PROBE_TIMEOUT_SECONDS", 0)
        with closing(sqlite3.connect(connection.settings_dict["NAME"])) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                _probe_database()
        _probe_database()
    else:
        monkeypatch.setitem(connection.settings_dict, "PORT", free_port())
        with pytest.raises(psycopg.OperationalError, match="refused"):
            _probe_database()

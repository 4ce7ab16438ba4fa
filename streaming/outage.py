"""Whether the database is away, as this process sees it. The log gets one line when an outage
begins and one when it is over, however many calls fail.

A failed call is no proof, because its connection may have died long ago, or alone. So the first
failure starts a thread that probes the database on connections of its own, until it answers again.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.exceptions import SessionInterrupted
from django.db import connection
from django.db.utils import Error, InterfaceError, OperationalError

logger = logging.getLogger(__name__)

PROBE_INTERVAL_SECONDS = 0.25
"""How often a database that is away is probed."""
PROBE_TIMEOUT_SECONDS = 2
"""How long it may take to answer a probe."""

OUTAGE_SQLSTATES = {
    "25P03",  # the server ended a session that was idle in a transaction,
    "25P04",  # or one whose transaction took too long
    "57P01",  # shut down
    "57P02",  # crashed
    "57P03",  # starting up, or shutting down
    "57P05",
    "53300",  # has no connection left
}
"""The codes of PostgreSQL for an outage. All codes of class 08 mean one, too."""
OUTAGE_SQLITE_CODES = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_CANTOPEN}


def is_outage_error(error: BaseException | None) -> bool:
    """Whether this error, or one that caused it, means that the database did not answer, rather
    than that it rejected a query."""
    while error is not None:
        if isinstance(error, Error) and _has_outage_code(error, error.__cause__):
            return True
        # Django's sessions name no cause. The context of other errors is no cause.
        hides_cause = isinstance(error, UpdateError | SessionInterrupted)
        error = error.__cause__ or (error.__context__ if hides_cause else None)
    return False


def _has_outage_code(error: Error, cause: BaseException | None) -> bool:
    code = getattr(cause, "sqlite_errorcode", None)
    if code is not None:
        return code & 0xFF in OUTAGE_SQLITE_CODES  # the other bits distinguish its kinds
    state = getattr(cause, "sqlstate", "")
    if state is None:  # it did not come from the server
        return isinstance(error, OperationalError | InterfaceError)
    return state in OUTAGE_SQLSTATES or state.startswith("08")


class OutageMonitor:
    """Watches one database for outages. `probe` queries it on a connection of its own, and raises
    if there is no answer."""

    def __init__(self, probe: Callable[[], None]) -> None:
        self.is_database_away = False
        self.reason = ""
        self._probe = probe
        self._lock = threading.Lock()
        self._first_probe_done: threading.Event | None = None

    def is_outage(self, error: BaseException) -> bool:
        """Whether this error comes from an outage. If so, the outage is watched and logged here."""
        if not is_outage_error(error):
            return False
        self._start_watching(error)
        return True

    def check_now(self, first_error: BaseException) -> bool:
        """Whether a probe now finds the database away. Returns within seconds."""
        self._start_watching(first_error).wait(2 * PROBE_TIMEOUT_SECONDS)
        return self.is_database_away

    def _start_watching(self, first_error: BaseException) -> threading.Event:
        """Start the thread that watches, unless there is one. The event is set after its first
        probe."""
        with self._lock:
            if self._first_probe_done is None:
                self._first_probe_done = threading.Event()
                arguments = (first_error, self._first_probe_done, time.monotonic())
                name = "database outage"
                threading.Thread(
                    target=self._watch_database, args=arguments, name=name, daemon=True
                ).start()
            return self._first_probe_done

    def _watch_database(
        self, first_error: BaseException, first_probe_done: threading.Event, began: float
    ) -> None:
        while error := self._find_failure():
            if not self.is_database_away:
                self.reason = _format_one_line(error)
                self.is_database_away = True
                logger.warning("The database is away (%s). Calls that need it wait", self.reason)
            first_probe_done.set()
            time.sleep(PROBE_INTERVAL_SECONDS)
        with self._lock:
            was_away, self.is_database_away, self._first_probe_done = (
                self.is_database_away,
                False,
                None,
            )
        first_probe_done.set()
        if was_away:
            logger.warning("The database is back after %.1f s", time.monotonic() - began)
        else:
            logger.info(
                "The database answers now, but a call has failed (%s)",
                _format_one_line(first_error),
            )

    def _find_failure(self) -> Exception | None:
        try:
            self._probe()
        except Exception as error:
            return error
        return None


def _format_one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _probe_database() -> None:
    """A SQLite database that can't be written counts as away."""
    wrapper: Any = connection
    params = wrapper.get_connection_params()
    if wrapper.vendor == "sqlite":
        file = Path(params["database"]).absolute().as_uri()
        probe = sqlite3.connect(
            f"{file}?mode=rw", PROBE_TIMEOUT_SECONDS, isolation_level=None, uri=True
        )
        statement = "BEGIN IMMEDIATE"
    else:
        params.pop("pool", None)
        probe = wrapper.Database.connect(**params | {"connect_timeout": PROBE_TIMEOUT_SECONDS})
        statement = "SELECT 1"
    try:
        probe.execute(statement)
    finally:
        probe.close()


outage_monitor = OutageMonitor(_probe_database)

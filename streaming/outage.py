"""Whether the database is away, as this process sees it: said once when an outage begins and once
when it is over, whoever runs into it and however often.

What fails is no proof, for a connection may have died long ago, or alone. So the first failure
starts a thread that asks the database past pools and connections, until it answers again.
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
"""How often a database that is away is asked whether it is back."""
PROBE_TIMEOUT_SECONDS = 2
"""How long it may take to answer that."""

OUTAGE_SQLSTATES = {
    "25P03",  # the server ended a session that stood still in the middle of a transaction,
    "25P04",  # or one whose transaction took too long
    "57P01",  # shut down
    "57P02",  # crashed
    "57P03",  # starting up, or shutting down
    "57P05",
    "53300",  # has no room for one more connection
}
"""What PostgreSQL says while it can't be asked; everything of class 08 besides."""
OUTAGE_SQLITE_CODES = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_CANTOPEN}


def is_outage_error(error: BaseException | None) -> bool:
    """Whether this error says that the database could not be asked, rather than that it refused
    what it was asked; or was raised because of one that does."""
    while error is not None:
        if isinstance(error, Error) and _has_outage_code(error, error.__cause__):
            return True
        # Django's sessions name no cause. What else was raised meanwhile is a fault of its own.
        hidden = isinstance(error, UpdateError | SessionInterrupted)
        error = error.__cause__ or (error.__context__ if hidden else None)
    return False


def _has_outage_code(error: Error, cause: BaseException | None) -> bool:
    code = getattr(cause, "sqlite_errorcode", None)
    if code is not None:
        return code & 0xFF in OUTAGE_SQLITE_CODES  # the rest of it tells kinds of the same apart
    state = getattr(cause, "sqlstate", "")
    if state is None:  # it did not come from the server
        return isinstance(error, OperationalError | InterfaceError)
    return state in OUTAGE_SQLSTATES or state.startswith("08")


class OutageMonitor:
    """Watches over outages of one database. `probe` asks it for anything, past all pools, and
    raises if there is no answer."""

    def __init__(self, probe: Callable[[], None]) -> None:
        self.is_database_away = False
        self.reason = ""
        self._probe = probe
        self._lock = threading.Lock()
        self._first_probe_done: threading.Event | None = None

    def is_outage(self, error: BaseException) -> bool:
        """Whether this error is the database's absence, of which the log is told here."""
        if not is_outage_error(error):
            return False
        self._start_watching(error)
        return True

    def check_now(self, first_error: BaseException) -> bool:
        """Whether the database is away, asked now. Returns within seconds."""
        self._start_watching(first_error).wait(2 * PROBE_TIMEOUT_SECONDS)
        return self.is_database_away

    def _start_watching(self, first_error: BaseException) -> threading.Event:
        """See to it that somebody watches; set once the database was asked for the first time."""
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
                logger.warning("The database is away (%s). Whatever needs it waits", self.reason)
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
                "The database answers, but did not just now (%s)", _format_one_line(first_error)
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
    """On a connection of its own. A SQLite that lets nobody write is as good as away."""
    wrapper: Any = connection
    params = wrapper.get_connection_params()
    if wrapper.vendor == "sqlite":
        file = Path(params["database"]).absolute().as_uri()
        asking = sqlite3.connect(
            f"{file}?mode=rw", PROBE_TIMEOUT_SECONDS, isolation_level=None, uri=True
        )
        question = "BEGIN IMMEDIATE"
    else:
        params.pop("pool", None)
        asking = wrapper.Database.connect(**params | {"connect_timeout": PROBE_TIMEOUT_SECONDS})
        question = "SELECT 1"
    try:
        asking.execute(question)
    finally:
        asking.close()


outage_monitor = OutageMonitor(_probe_database)
"""Of this process."""

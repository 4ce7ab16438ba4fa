"""A client's connection that lives as long as the session that opened it, through any door."""

from __future__ import annotations

import asyncio
import logging
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Coroutine
from typing import Any

from django.db.utils import Error as DatabaseFailure

from streaming.conf import engine_settings
from streaming.database import CONNECTION_ERRORS
from streaming.doors import frames
from streaming.doors.credentials import Access, Credential, load_access
from streaming.outage import outage_monitor

logger = logging.getLogger(__name__)

SESSION_RECHECK_SECONDS = 1.0
"""How often a session is checked again while the database is away."""
LOG_INTERVAL_SECONDS = 10.0
"""How often the log says that sessions can't be checked, however many clients come."""
SESSION_CHECK_SECONDS = 10.0
"""How often an open connection checks its session."""


class MissingRight(Exception):
    """The token is valid, and may not read streams."""


class TooManyRequests(Exception):
    """The token was used too often. It may be used again in so many seconds."""

    def __init__(self, seconds: int) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class SessionHolder(ABC):
    """Checks the session of one connection, and closes the connection when the session ends, or
    when one of its tasks fails."""

    _credential: Credential | None = None
    may_write = False
    """Whether the client may stop streams."""
    needs_read_right = True
    """Whether a token needs the right to read streams. Otherwise the connection has checked the
    right that it needs; the rights of a token never change."""
    _recheck_task: asyncio.Task[None] | None = None
    _owner_id: Any = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._tasks: set[asyncio.Task[Any]] = set()

    @abstractmethod
    def schedule_close(self, code: int) -> None:
        """Close from synchronous code, with one of the close codes."""

    @abstractmethod
    def send_bye(self, retry_ms: int) -> None:
        """Tell the client that this process ends, and when to reconnect; then close."""

    @abstractmethod
    def on_session_checked(self, user: Any) -> None:
        """Called with the user's present row, whenever the session proved valid."""

    def clean_up(self) -> None:
        open_connections.discard(self)
        if self._owner_id is not None:
            _connection_counts[self._owner_id] -= 1
            if not _connection_counts[self._owner_id]:
                del _connection_counts[self._owner_id]
            self._owner_id = None
        for task in self._tasks:
            task.cancel()

    def start_task(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """Run a part of what the connection does, until it closes. If the task fails, the
        connection closes: an open one would look as if nothing happened. The client comes back with
        its cursors."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._on_task_done)
        return task

    def _on_task_done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is None:
            return
        # Servers raise an OSError if the client went away.
        if not isinstance(error, OSError) and not outage_monitor.is_outage(error):
            logger.error(
                "A connection closes, because its %s failed", task.get_name(), exc_info=error
            )
        self.schedule_close(frames.CLOSE_INTERNAL_ERROR)

    def get_refusal_code(self, user_or_error: Any) -> int | None:
        """The code to close with; None for a valid session."""
        if isinstance(user_or_error, DatabaseFailure):
            _log_session_error(user_or_error)
            return frames.CLOSE_INTERNAL_ERROR
        if user_or_error is None:
            return frames.CLOSE_SIGNED_OUT
        if isinstance(user_or_error, MissingRight):
            return frames.CLOSE_MISSING_RIGHT
        if isinstance(user_or_error, TooManyRequests):
            return frames.CLOSE_TOO_MANY_REQUESTS
        return frames.CLOSE_TOO_MANY_SOCKETS if has_too_many_connections(user_or_error) else None

    def count_connection(self, user: Any) -> None:
        """Count before anything is awaited. Of many connections that open at once, the next one
        must see the count."""
        self._owner_id = user.pk
        _connection_counts[user.pk] += 1

    async def check_session(self) -> bool:
        """Return whether the session is still valid; if not, close the connection.

        While the database is away it stays open, and the session is checked every second.
        """
        return self._apply_check(await self.load_user_or_error())

    def _apply_check(self, user_or_error: Any) -> bool:
        if isinstance(user_or_error, CONNECTION_ERRORS):
            outage_monitor.is_outage(user_or_error)
            if self._recheck_task is None:
                self._recheck_task = self.start_task(self._recheck_session(), "session check")
            return True
        if isinstance(user_or_error, DatabaseFailure):
            # The session can't be checked: the client may reconnect.
            _log_session_error(user_or_error)
            self.schedule_close(frames.CLOSE_INTERNAL_ERROR)
            return False
        if user_or_error is None or isinstance(user_or_error, MissingRight):
            self.schedule_close(frames.CLOSE_SIGNED_OUT)
            return False
        self.on_session_checked(user_or_error)
        return True

    async def _recheck_session(self) -> None:
        """A session that ended while the database was away must not live until the next check."""
        user_or_error = await self.load_user_or_error()
        while isinstance(user_or_error, CONNECTION_ERRORS):
            await asyncio.sleep(SESSION_RECHECK_SECONDS)
            user_or_error = await self.load_user_or_error()
        self._recheck_task = None
        self._apply_check(user_or_error)

    async def open_session(self) -> Any:
        """The same for a connection that opens, which counts as a request of its token. Then the
        error may be TooManyRequests, too."""
        access = await self._load_access()
        if isinstance(access, Access) and (seconds := access.count_request()):
            return TooManyRequests(seconds)
        return self._find_user(access)

    async def load_user_or_error(self) -> Any:
        """The user of the session or token, None if it has none, or an error: of the database, or
        MissingRight if the token may not read."""
        return self._find_user(await self._load_access())

    async def _load_access(self) -> Access | DatabaseFailure | None:
        try:
            return await load_access(self._credential)
        except DatabaseFailure as error:
            return error

    def _find_user(self, access: Access | DatabaseFailure | None) -> Any:
        if not isinstance(access, Access):
            return access
        self.may_write = access.may_write
        is_allowed = access.may_read or not self.needs_read_right
        return access.user if is_allowed else MissingRight()


open_connections: set[SessionHolder] = set()
"""The open connections of this process, whichever door they came through."""


_bye_retry_ms: int | None = None


def send_bye_to_all(retry_ms: int) -> None:
    """This process ends. Connections that open from now on can ask `get_bye_retry_ms`."""
    global _bye_retry_ms
    _bye_retry_ms = retry_ms
    for connection in tuple(open_connections):
        connection.send_bye(retry_ms)


def get_bye_retry_ms() -> int | None:
    """When a client should reconnect, if this process ends; otherwise None."""
    return _bye_retry_ms


def seconds_until_check(now: float) -> float:
    """Connections that opened within the same second check their sessions at the same moment, so
    that one query checks all of them."""
    return SESSION_CHECK_SECONDS - now % 1


_connection_counts: Counter[Any] = Counter()
"""The number of connections of each user in this process."""


def has_too_many_connections(user: Any) -> bool:
    """Whether the user may open no further one in this process."""
    return _connection_counts[user.pk] >= engine_settings.MAX_SOCKETS_PER_USER


_last_logged_at = -LOG_INTERVAL_SECONDS


def _log_session_error(error: DatabaseFailure) -> None:
    """Log a line without a traceback, and not for every client. An outage has a line of its own."""
    global _last_logged_at
    if outage_monitor.is_outage(error):
        return
    now = time.monotonic()
    if now - _last_logged_at >= LOG_INTERVAL_SECONDS:
        _last_logged_at = now
        logger.warning("Sessions of open connections can't be checked (%s)", type(error).__name__)

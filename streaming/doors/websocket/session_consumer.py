"""A consumer whose socket lives as long as the session that opened it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from typing import Any

from django.db.utils import Error as DatabaseFailure

from streaming.conf import engine_settings
from streaming.database import CONNECTION_ERRORS
from streaming.doors.client_identity import get_rate_limit_address, get_session_key
from streaming.doors.websocket import protocol
from streaming.doors.websocket.direct import DirectConsumer
from streaming.doors.websocket.sessions import load_session_user
from streaming.doors.websocket.unverified import unverified_sockets
from streaming.outage import outage_monitor

logger = logging.getLogger(__name__)

SESSION_RECHECK_SECONDS = 1.0
"""How often a session is checked again while the database is away."""
LOG_INTERVAL_SECONDS = 10.0
"""How often the log says that sessions can't be checked, however many sockets come."""


class SessionConsumer(DirectConsumer):
    """Opens for a user with a valid session, and closes when the session ends."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._recheck_task: asyncio.Task[None] | None = None
        self._owner_id: Any = None

    async def on_session_opened(self, user: Any) -> None:
        """Called once the socket is accepted and its session is valid."""

    def on_session_checked(self, user: Any) -> None:
        """Called with the user's present row, whenever the session proved valid."""

    def clean_up(self) -> None:
        if self._owner_id is not None:
            _socket_counts[self._owner_id] -= 1
            if not _socket_counts[self._owner_id]:
                del _socket_counts[self._owner_id]
            self._owner_id = None
        if self._recheck_task is not None:
            self._recheck_task.cancel()

    async def connect(self) -> None:
        self._session_key = get_session_key(self.scope["headers"])
        address = get_rate_limit_address(self.scope)
        if unverified_sockets.is_overloaded() or not unverified_sockets.reserve_slot(address):
            await self._connect_after_check()
        else:
            await self._connect_at_once(address)

    async def _connect_after_check(self) -> None:
        """Check the session before the handshake: no data of a refused client is read."""
        user_or_error = await self._load_user_or_error()
        if (code := self._get_refusal_code(user_or_error)) is not None:
            await unverified_sockets.wait_to_refuse(code)
            await self.close()
            return
        self._count_socket(user_or_error)
        await self.accept()
        await self.on_session_opened(user_or_error)

    async def _connect_at_once(self, address: str) -> None:
        """Check the session while the handshake is on its way. This takes a slot of `address`."""
        code: int | None = protocol.CLOSE_INTERNAL_ERROR
        try:
            user_or_error, _ = await asyncio.gather(self._load_user_or_error(), self.accept())
            code = self._get_refusal_code(user_or_error)
        finally:
            unverified_sockets.release_slot(address, is_closing=code is not None)
        if code is not None:
            unverified_sockets.reserve_refusal(code)
            await self.close(code)
            return
        self._count_socket(user_or_error)
        await self.on_session_opened(user_or_error)

    def _get_refusal_code(self, user_or_error: Any) -> int | None:
        """The code to close with; None for a valid session."""
        if isinstance(user_or_error, DatabaseFailure):
            _log_session_error(user_or_error)
            return protocol.CLOSE_INTERNAL_ERROR
        if user_or_error is None:
            return protocol.CLOSE_SIGNED_OUT
        return protocol.CLOSE_TOO_MANY_SOCKETS if _has_too_many_sockets(user_or_error) else None

    def _count_socket(self, user: Any) -> None:
        """Count before anything is awaited. Of many sockets that open at once, the next one must
        see the count."""
        self._owner_id = user.pk
        _socket_counts[user.pk] += 1

    async def check_session(self) -> bool:
        """Return whether the session of this socket is still valid; if not, close the socket.

        While the database is away the socket stays open, and the session is checked every second.
        """
        return self._apply_check(await self._load_user_or_error())

    def _apply_check(self, user_or_error: Any) -> bool:
        if isinstance(user_or_error, CONNECTION_ERRORS):
            outage_monitor.is_outage(user_or_error)
            if self._recheck_task is None:
                self._recheck_task = asyncio.create_task(
                    self._recheck_session(), name="socket recheck"
                )
            return True
        if isinstance(user_or_error, DatabaseFailure):
            # The session can't be checked: the client may reconnect.
            _log_session_error(user_or_error)
            self.schedule_close(protocol.CLOSE_INTERNAL_ERROR)
            return False
        if user_or_error is None:
            self.schedule_close(protocol.CLOSE_SIGNED_OUT)
            return False
        self.on_session_checked(user_or_error)
        return True

    async def _recheck_session(self) -> None:
        """A session that ended while the database was away must not live until the next
        heartbeat."""
        user_or_error = await self._load_user_or_error()
        while isinstance(user_or_error, CONNECTION_ERRORS):
            await asyncio.sleep(SESSION_RECHECK_SECONDS)
            user_or_error = await self._load_user_or_error()
        self._recheck_task = None
        self._apply_check(user_or_error)

    async def _load_user_or_error(self) -> Any:
        """The user of the session, None if it has none, or the error of the database."""
        try:
            return await load_session_user(self._session_key)
        except DatabaseFailure as error:
            return error


_socket_counts: Counter[Any] = Counter()
"""The number of sockets of each user in this process."""


def _has_too_many_sockets(user: Any) -> bool:
    return _socket_counts[user.pk] >= engine_settings.MAX_SOCKETS_PER_USER


_last_logged_at = -LOG_INTERVAL_SECONDS


def _log_session_error(error: DatabaseFailure) -> None:
    """Log a line without a traceback, and not for every socket. An outage has a line of its own."""
    global _last_logged_at
    if outage_monitor.is_outage(error):
        return
    now = time.monotonic()
    if now - _last_logged_at >= LOG_INTERVAL_SECONDS:
        _last_logged_at = now
        logger.warning("Sessions of sockets can't be checked (%s)", type(error).__name__)

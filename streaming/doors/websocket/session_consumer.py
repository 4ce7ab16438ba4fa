"""A consumer whose socket lives as long as the session that opened it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from streaming.doors import frames
from streaming.doors.client_identity import get_rate_limit_address
from streaming.doors.credentials import get_credential
from streaming.doors.session_holder import SessionHolder
from streaming.doors.unverified import unverified_sockets
from streaming.doors.websocket.direct import DirectConsumer
from streaming.doors.websocket.pace import CommandPace


class SessionConsumer(SessionHolder, DirectConsumer):
    """Opens for a user with a valid session, and closes when the session ends."""

    # Of the two bases, one says when to close and the other does it.
    schedule_close = DirectConsumer.schedule_close

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._pace = CommandPace()

    async def on_session_opened(self, user: Any) -> None:
        """Called once the socket is accepted and its session is valid."""

    async def connect(self) -> None:
        self._credential = get_credential(self.scope["headers"])
        address = get_rate_limit_address(self.scope)
        if unverified_sockets.is_overloaded() or not unverified_sockets.reserve_slot(address):
            await self._connect_after_check()
        else:
            await self._connect_at_once(address)

    async def _connect_after_check(self) -> None:
        """Check the session before the handshake: no data of a refused client is read."""
        user_or_error = await self.open_session()
        if (code := self.get_refusal_code(user_or_error)) is not None:
            await unverified_sockets.wait_to_refuse(code)
            await self.close()
            return
        self.count_connection(user_or_error)
        await self.accept()
        await self.on_session_opened(user_or_error)

    async def _connect_at_once(self, address: str) -> None:
        """Check the session while the handshake is on its way. This takes a slot of `address`."""
        code: int | None = frames.CLOSE_INTERNAL_ERROR
        try:
            user_or_error, _ = await asyncio.gather(self.open_session(), self.accept())
            code = self.get_refusal_code(user_or_error)
        finally:
            unverified_sockets.release_slot(address, is_closing=code is not None)
        if code is not None:
            unverified_sockets.reserve_refusal(code)
            await self.close(code)
            return
        self.count_connection(user_or_error)
        await self.on_session_opened(user_or_error)

    # Frames of a client

    async def wait_for_turn(self, cost: int = 1) -> bool:
        """Wait for the turn of so many commands of this user, or until the client has left. Return
        whether it is still there."""
        if not self.has_client_left and (delay := self._pace.reserve_turn(cost)) > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(delay):
                    await self._client_left.wait()
        return not self.has_client_left

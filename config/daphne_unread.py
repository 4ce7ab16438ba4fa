"""Tells one-way doors how much of an answer a client has not read, on Daphne: its `send` waits for
nothing, and Twisted keeps everything in memory."""

from __future__ import annotations

import asyncio
from typing import Any

from twisted.web import http


class WatchedHTTPChannel(http.HTTPChannel):
    """A connection that knows whether its client keeps up."""

    def __init__(self) -> None:
        super().__init__()
        self._has_room = asyncio.Event()
        self._has_room.set()

    # Twisted calls these two when it holds more than 64 KB, and when it holds nothing any more.

    def pauseProducing(self) -> None:
        super().pauseProducing()
        self._has_room.clear()

    def resumeProducing(self) -> None:
        super().resumeProducing()
        self._has_room.set()

    def connectionLost(self, *reason: Any) -> None:
        super().connectionLost(*reason)
        self._has_room.set()

    # streaming.doors.unread.ClientConnection

    def is_writable(self) -> bool:
        return self._has_room.is_set()

    async def wait_until_writable(self) -> None:
        await self._has_room.wait()

    def count_unread_bytes(self) -> int:
        transport: Any = self.transport
        while not hasattr(transport, "dataBuffer"):  # TLS, around the connection
            transport = transport.transport
        if not transport.connected:
            return 0
        # Twisted has no public name for them.
        return len(transport.dataBuffer) - transport.offset + transport._tempDataLen

    def abort(self) -> None:
        transport: Any = self.transport
        transport.abortConnection()

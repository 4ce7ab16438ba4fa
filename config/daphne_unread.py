"""Tells one-way doors how much of an answer a client has not read, on Daphne: its `send` waits for
nothing, and Twisted keeps everything in memory. For the same reason the next request of a
connection waits until its client has read the answers before it."""

from __future__ import annotations

import asyncio
from typing import Any

from twisted.web import http


class WatchedHTTPChannel(http.HTTPChannel):
    """A connection that knows whether its client keeps up."""

    _answered_request: Any = None
    """The request whose answer the client has to read before the next request."""

    def __init__(self) -> None:
        super().__init__()
        self._has_room = asyncio.Event()
        self._has_room.set()

    def requestDone(self, request: Any) -> None:
        """Twisted would go on with the requests that it has read already, a thousand of a few
        bytes each, and keep all their answers. Its time for an idle connection runs meanwhile."""
        if self.is_writable() or not self.persistent:
            super().requestDone(request)
            return
        self._answered_request = request
        self.setTimeout(self._savedTimeOut)

    # Twisted calls these two when it holds more than 64 KB, and when it holds nothing any more.

    def pauseProducing(self) -> None:
        super().pauseProducing()
        self._has_room.clear()

    def resumeProducing(self) -> None:
        super().resumeProducing()
        self._has_room.set()
        if (request := self._answered_request) is not None:
            self._answered_request = None
            super().requestDone(request)

    def connectionLost(self, *reason: Any) -> None:
        if self._answered_request is not None:
            self.requests.remove(self._answered_request)  # it has ended, and needs no notice
            self._answered_request = None
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

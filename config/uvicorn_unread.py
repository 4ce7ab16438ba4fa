"""Tells one-way doors how much of an answer a client has not read, on Uvicorn. Its `send` waits by
itself, but for ever, and a connection that it closes keeps its bytes until they are read."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any

from streaming.doors.unread import use_connection


class WatchedUvicornProtocol(asyncio.Protocol):
    """A connection that knows whether its client keeps up."""

    transport: asyncio.Transport
    flow: Any

    def data_received(self, data: bytes) -> None:
        with use_connection(self):
            super().data_received(data)

    # streaming.doors.unread.ClientConnection

    def is_writable(self) -> bool:
        return not self.flow.write_paused

    async def wait_until_writable(self) -> None:
        await self.flow.drain()

    def count_unread_bytes(self) -> int:
        # A transport of uvloop that was aborted still reports its last number.
        return 0 if self.transport.is_closing() else self.transport.get_write_buffer_size()

    def abort(self) -> None:
        connection = self.transport.get_extra_info("socket")
        # Otherwise the system would keep what it holds itself, and the client would notice nothing.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

"""Reads the requests of a connection no faster than they are answered, on Uvicorn with httptools.

The parser turns all that arrived into requests, nine thousand of 27 bytes each at once, and Uvicorn
keeps an object for each and reads on after each answer. So one client could fill the memory and
hold up the event loop. Here the parser gets small pieces, and none while a request waits for its
turn. h11 does so itself.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

PIECE_BYTES = 1024
"""The parser gets so many bytes at once, which are about fifty requests at most. It also gets the
rest of a body whose length is known, because no request begins there."""


class PipeliningProtocol(HttpToolsProtocol):
    """A connection whose client may send requests before it has the answers to earlier ones."""

    _held_data = memoryview(b"")
    """Bytes that arrived and are not parsed."""
    _body_bytes_left = 0
    _running_cycle: Any = None

    def data_received(self, data: bytes) -> None:
        self._held_data = memoryview(bytes(self._held_data) + data if self._held_data else data)
        self._parse_held_data()

    def parse(self, data: memoryview) -> None:
        super().data_received(data)  # type: ignore[arg-type]

    def _parse_held_data(self) -> None:
        while self._held_data and not self.pipeline:
            if self.transport.is_closing() or self.transport.get_protocol() is not self:
                self._held_data = memoryview(b"")  # refused, or a socket now
                return
            size = max(PIECE_BYTES, self._body_bytes_left)
            piece, self._held_data = self._held_data[:size], self._held_data[size:]
            self.parse(piece)
        if self.pipeline:
            self.flow.pause_reading()

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        headers = dict(self.headers)
        length = headers.get(b"content-length", b"")
        is_known = b"transfer-encoding" not in headers and length.isdigit()
        self._body_bytes_left = int(length[:20]) if is_known else 0

    def on_body(self, body: bytes) -> None:
        self._body_bytes_left = max(0, self._body_bytes_left - len(body))
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._body_bytes_left = 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Uvicorn goes on to read, whatever waits here."""
        super().on_response_complete()
        if self._held_data or self.pipeline:
            self.flow.pause_reading()
            asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        if not self.pipeline:
            self.flow.resume_reading()
        self._parse_held_data()

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        self._running_cycle = cycle
        super()._start_asgi_task(cycle, app)

    def connection_lost(self, exc: Exception | None) -> None:
        """Uvicorn tells only the last request, which may still wait. The one that runs would go on
        to write, which is a traceback in the log."""
        self._held_data = memoryview(b"")
        self.pipeline.clear()
        running = self._running_cycle
        if running is not None and not running.response_complete:
            running.disconnected = True
            running.message_event.set()
        super().connection_lost(exc)

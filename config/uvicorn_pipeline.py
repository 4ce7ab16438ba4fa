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

from config.chunk_limits import PIECE_BYTES, TOO_MANY_CHUNKS_MESSAGE, ChunkCounter
from config.uvicorn_chunks import PacedBodyProtocol


class PipeliningProtocol(PacedBodyProtocol, HttpToolsProtocol):
    """A connection whose client may send requests before it has the answers to earlier ones."""

    _body_bytes_left = 0
    running_cycle: Any = None
    """The request that is answered now. `cycle` is the last one that was read."""
    _is_upgrade_waiting = False
    """Whether a socket begins once the running request is answered."""

    def may_parse(self) -> bool:
        return not self._is_waiting and super().may_parse()

    def find_piece_size(self) -> int:
        """No request begins in the rest of a body whose length is known."""
        return max(PIECE_BYTES, self._body_bytes_left)

    def _parse_held_data(self) -> None:
        super()._parse_held_data()
        if self._is_waiting:
            self.flow.pause_reading()

    @property
    def _is_waiting(self) -> bool:
        return bool(self.pipeline) or self._is_upgrade_waiting

    def handle_websocket_upgrade(self) -> None:
        """Uvicorn would write the start of the socket into the answer to an earlier request."""
        running = self.running_cycle
        self._is_upgrade_waiting = running is not None and not running.response_complete
        if self._is_upgrade_waiting:
            self.flow.pause_reading()
        else:
            super().handle_websocket_upgrade()

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        headers = dict(self.headers)
        length = headers.get(b"content-length", b"")
        is_known = b"transfer-encoding" not in headers and length.isdigit()
        self._body_bytes_left = int(length[:20]) if is_known else 0
        self.chunk_counter = None if is_known else ChunkCounter()

    def on_body(self, body: bytes) -> None:
        if self.chunk_counter and not self.chunk_counter.add(len(body)):
            raise ValueError(TOO_MANY_CHUNKS_MESSAGE)  # answered with 400
        self._body_bytes_left = max(0, self._body_bytes_left - len(body))
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._body_bytes_left = 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Uvicorn goes on to read, whatever waits here."""
        super().on_response_complete()
        if self._held_data or self._is_waiting:
            self.flow.pause_reading()
            asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        if self._is_upgrade_waiting and not self.transport.is_closing():
            self._held_data = memoryview(b"")  # nothing may follow before the socket is accepted
            self._unset_keepalive_if_required()  # Uvicorn would close the socket after that time
            self.handle_websocket_upgrade()
        if not self._is_waiting:
            self.flow.resume_reading()
        self._parse_held_data()

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        self.running_cycle = cycle
        super()._start_asgi_task(cycle, app)

    def connection_lost(self, exc: Exception | None) -> None:
        """Uvicorn tells only the last request, which may still wait. The one that runs would go on
        to write, which is a traceback in the log."""
        self.pipeline.clear()
        running = self.running_cycle
        if running is not None and not running.response_complete:
            running.disconnected = True
            running.message_event.set()
        super().connection_lost(exc)

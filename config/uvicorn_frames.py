"""Reads the frames of a socket at a limited pace on Uvicorn, which would parse all bytes that have
arrived before anybody else has a turn."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from chat.doors.registry import find_max_frame_bytes
from config.frame_pace import CONTROL_FRAME_COST, MAX_READ_BYTES, FrameCounter
from streaming.doors.websocket.leaving import use_leaving_event

UNREADABLE_MESSAGE = "The headers of this request are too long, or it has a body.\n"


class PacedUvicornProtocol(WebSocketsSansIOProtocol):
    """A socket that parses a few kilobytes at a time, and waits when its client is too fast. While
    `read_paused` is true, Uvicorn itself waits for the application."""

    _unread = b""
    _is_held = False
    _new_cost = 0

    conn: Any

    def connection_made(self, transport: Any) -> None:
        self._frame_counter = FrameCounter()
        self._client_left = asyncio.Event()
        super().connection_made(transport)

    def handle_connect(self, event: Any) -> None:
        path = unquote(event.path.partition("?")[0])
        if most := find_max_frame_bytes(path):
            self.conn.max_message_size = most
        with use_leaving_event(self._client_left):
            super().handle_connect(event)

    def handle_close(self, event: Any) -> None:
        self._client_left.set()
        super().handle_close(event)

    def connection_lost(self, *error: Any) -> None:
        self._client_left.set()
        super().connection_lost(*error)

    def handle_parser_exception(self) -> None:
        """Before a socket is accepted, and after a close frame, the library sends no other one.
        Uvicorn takes one for granted, and a wrong frame was a traceback in the log."""
        if self.conn.close_sent is not None:
            super().handle_parser_exception()
        elif not self.transport.is_closing():
            self._unread = b""
            self.queue.put_nowait({"type": "websocket.disconnect", "code": 1002})
            self.transport.close()

    def data_received(self, data: bytes) -> None:
        self._unread += data
        self._read_pieces()

    def _read_pieces(self) -> None:
        while self._unread and not self._is_held and not self.read_paused:
            piece, self._unread = self._unread[:MAX_READ_BYTES], self._unread[MAX_READ_BYTES:]
            super().data_received(piece)
            if self.conn.handshake_exc is not None and not self.handshake_initiated:
                self._refuse_handshake()
            delay = self._frame_counter.add(self._new_cost)
            self._new_cost = 0
            if delay > 0:
                self._is_held = True
                self.loop.call_later(delay, self._resume)
        if self._unread and not self.transport.is_closing():
            self.transport.pause_reading()

    def _refuse_handshake(self) -> None:
        """The library takes fewer and shorter headers than a page's request may have, and no body.
        Uvicorn would answer nothing, and hold the connection as long as its client does."""
        self.handshake_initiated = self.handshake_complete = self.close_sent = True
        self.transport.write(self.conn.encode_refusal(HTTPStatus.BAD_REQUEST, UNREADABLE_MESSAGE))
        self.transport.close()

    def _resume(self) -> None:
        self._is_held = False
        if self.transport.is_closing():
            return
        self._read_pieces()
        if not self._unread and not self.read_paused:
            self.transport.resume_reading()

    async def receive(self) -> Any:
        message = await super().receive()
        if not self.read_paused and self._unread:
            self._read_pieces()
        return message

    def handle_ping(self) -> None:
        self._new_cost += CONTROL_FRAME_COST
        super().handle_ping()

    def handle_pong(self, event: Any) -> None:
        self._new_cost += CONTROL_FRAME_COST
        super().handle_pong(event)

    def handle_cont(self, event: Any) -> None:
        self._new_cost += 1
        super().handle_cont(event)

    def handle_text(self, event: Any) -> None:
        self._new_cost += 1
        super().handle_text(event)

    def handle_bytes(self, event: Any) -> None:
        self._new_cost += 1
        super().handle_bytes(event)

"""Reads small chunks of bodies at a limited pace on Uvicorn, with httptools and with h11."""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.h11_impl import H11Protocol

from config.chunk_limits import PIECE_BYTES, TOO_MANY_CHUNKS_MESSAGE, ChunkCounter


class HoldableFlowControl(FlowControl):
    """The application may not go on to read a connection that waits."""

    is_held = False

    def hold(self) -> None:
        self.is_held = True
        self.pause_reading()

    def resume_reading(self) -> None:
        if not self.is_held:
            super().resume_reading()


class PacedBodyProtocol(asyncio.Protocol):
    """A connection that parses a piece at a time, and waits when its client sends small chunks."""

    transport: Any
    flow: Any
    loop: asyncio.AbstractEventLoop
    _held_data = memoryview(b"")
    """Bytes that arrived and are not parsed."""
    chunk_counter: ChunkCounter | None = None
    """None for a body whose length is known."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.flow = HoldableFlowControl(transport)

    def data_received(self, data: bytes) -> None:
        self._held_data = memoryview(bytes(self._held_data) + data if self._held_data else data)
        self._parse_held_data()

    def parse(self, data: memoryview) -> None:
        super().data_received(data)  # type: ignore[arg-type]

    def may_parse(self) -> bool:
        return not self.flow.is_held

    def find_piece_size(self) -> int:
        return PIECE_BYTES

    def _parse_held_data(self) -> None:
        while self._held_data and self.may_parse():
            size = self.find_piece_size()
            piece, self._held_data = self._held_data[:size], self._held_data[size:]
            self.parse(piece)
            if self.transport.is_closing() or self.transport.get_protocol() is not self:
                self._held_data = memoryview(b"")  # refused, or a socket now
                return
            delay = self.chunk_counter.pay() if self.chunk_counter else 0
            if delay > 0:
                self.flow.hold()
                self.loop.call_later(delay, self._end_wait)

    def _end_wait(self) -> None:
        self.flow.is_held = False
        if self.transport.is_closing():
            return
        self._parse_held_data()
        if self.may_parse():
            self.flow.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._held_data = memoryview(b"")
        super().connection_lost(exc)


class CountingConnection(h11.Connection):
    """Counts the chunks of a body."""

    counter: ChunkCounter | None = None

    def next_event(self) -> Any:
        event = super().next_event()
        if isinstance(event, h11.Request):
            is_chunked = any(name == b"transfer-encoding" for name, _ in event.headers)
            self.counter = ChunkCounter() if is_chunked else None
        elif self.counter and isinstance(event, h11.Data) and not self.counter.add(len(event.data)):
            raise h11.RemoteProtocolError(TOO_MANY_CHUNKS_MESSAGE)  # answered with 400
        return event


class PacedH11Protocol(PacedBodyProtocol, H11Protocol):
    conn: CountingConnection

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.conn = CountingConnection(h11.SERVER, self.conn._max_incomplete_event_size)

    @property
    def running_cycle(self) -> Any:
        """h11 reads no request before the earlier one is answered."""
        return self.cycle

    def parse(self, data: memoryview) -> None:
        super().parse(data)
        self.chunk_counter = self.conn.counter

    def find_piece_size(self) -> int:
        is_known = self.conn.their_state is h11.SEND_BODY and self.conn.counter is None
        return len(self._held_data) if is_known else PIECE_BYTES

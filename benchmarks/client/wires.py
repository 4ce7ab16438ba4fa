"""The client side of every measured wire, with as little work as Python allows.

A connection counts the bytes it gets, and passes on their text and their end. HTTP is HTTP/1.0,
whose bodies arrive without the frames of chunked encoding.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import struct
import time
import zlib
from collections.abc import Callable
from typing import Any

Spec = dict[str, Any]
"""`wire` (a key of WIRES), `host`, `port`, `path`; `headers`, lines for the request; `first_frame`,
the text that the client sends first; `deflate`, whether it accepts compressed frames."""


class Connection(asyncio.Protocol):
    """One reader. It calls `on_text(connection, text, now)` with all text that arrives."""

    def __init__(self, spec: Spec, on_text: Callable[[Any, str, float], None]) -> None:
        self.spec = spec
        self.bytes = 0
        self.frames = 0
        self.subscribed_at: float | None = None
        self.ready = asyncio.Event()
        self.ended = asyncio.Event()
        self.error = ""
        self._on_text = on_text
        self._buffer = b""
        self._has_response_head = False
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.write("\r\n".join([*self._build_request(), "", ""]).encode())

    def data_received(self, data: bytes) -> None:
        now = time.monotonic()
        self.bytes += len(data)
        self._buffer += data
        if not self._has_response_head:
            head, mark, rest = self._buffer.partition(b"\r\n\r\n")
            if not mark:
                return
            self._buffer = rest
            self._has_response_head = True
            self._read_response_head(head, now)
        self._parse_buffer(now)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.ended.is_set() and not self.error:
            self.error = f"the connection ended before the stream ({error!r})"
        self.ready.set()
        self.ended.set()

    def _mark_subscribed(self, now: float) -> None:
        if self.subscribed_at is None:
            self.subscribed_at = now
            self.ready.set()

    def _abort(self, error: str) -> None:
        self.error = error
        self.transport.abort()

    # Implemented by each wire

    def _build_request(self) -> list[str]:
        return [
            f"GET {self.spec['path']} HTTP/1.0",
            f"Host: {self.spec['host']}:{self.spec['port']}",
            *self.spec.get("headers", ()),
        ]

    def _read_response_head(self, head: bytes, now: float) -> None:
        raise NotImplementedError

    def _parse_buffer(self, now: float) -> None:
        raise NotImplementedError


class Events(Connection):
    """Server-sent events in the format of the AI SDK: `data: {…,"delta":"…"}`, and finally
    `[DONE]`.

    With `only_count` it counts the events and calls back once it has enough: reading a thousand of
    them one by one would take this client longer than the server takes to send them.
    """

    MARK = b'"delta":"'

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._events_left = 0
        self._on_complete: Callable[[], None] | None = None
        self._parts: list[bytes] = []
        self._last_bytes = b""

    def count_only(self, events: int, on_complete: Callable[[], None]) -> None:
        self._events_left, self._on_complete = events, on_complete

    def get_counted_text(self) -> str:
        """Return the text of the counted events."""
        events = b"".join(self._parts).split(b"\n\n")
        return "".join([self._parse_event(event) for event in events])

    def _count_events(self) -> None:
        self._parts.append(self._buffer)
        tail = self._last_bytes + self._buffer  # a marker may be split in two
        self._events_left -= tail.count(self.MARK)
        self._last_bytes = tail[1 - len(self.MARK) :]
        self._buffer = b""
        has_whole_event = b"\n\n" in tail[tail.rfind(self.MARK) + 1 :]
        if self._events_left <= 0 and has_whole_event and self._on_complete:
            self._on_complete()
            self._on_complete = None

    def _read_response_head(self, head: bytes, now: float) -> None:
        if b" 200 " not in head.partition(b"\r\n")[0]:
            self._abort(head.decode(errors="replace"))
        self._mark_subscribed(now)

    def _parse_buffer(self, now: float) -> None:
        if self._on_complete:
            self._count_events()
            return
        *events, self._buffer = self._buffer.split(b"\n\n")
        self.frames += len(events)
        if text := "".join([self._parse_event(event) for event in events]):
            self._on_text(self, text, now)

    def _parse_event(self, event: bytes) -> str:
        at = event.find(b'"delta":"')
        if at >= 0:  # a token contains no character that JSON escapes
            return event[at + 9 : event.index(b'"', at + 9)].decode()
        if event == b"data: [DONE]":
            self.ended.set()
        return ""


class HoldfastEvents(Events):
    """Holdfast's event streams. It checks indexes; the receiver of the text checks tokens. Uvicorn
    sends even HTTP/1.0 in chunks, whose sizes stand between events and are passed over."""

    FIRST = re.compile(rb'"first":(\d+),"index":(\d+)')

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._cursor = -1

    def _parse_event(self, event: bytes) -> str:
        if b"event: end\n" in event:
            self.ended.set()
        elif found := self.FIRST.search(event):
            first, index = int(found[1]), int(found[2])
            if first != self._cursor + 1:
                self.error = f"index {first} came after {self._cursor}"
            self._cursor = index
        return super()._parse_event(event)


class Gateway(Events):
    """The events of a response. It checks their numbers; the receiver of the text checks tokens."""

    NUMBER = re.compile(rb'"sequence_number": (\d+)}$')
    DELTA = re.compile(rb'"delta": "([^"]*)"')

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._number = -1

    def _parse_event(self, event: bytes) -> str:
        found = self.NUMBER.search(event)
        if not found:
            return ""
        number = int(found[1])
        if number <= self._number:
            self.error = f"event {number} came after {self._number}"
        self._number = number
        if b"event: response.completed\n" in event:
            self.ended.set()
        delta = self.DELTA.search(event)
        return delta[1].decode() if delta else ""


class Durable(Events):
    """The events of a durable stream: `data` with the text, and `control`."""

    MARK = b"event: data"

    def _parse_event(self, event: bytes) -> str:
        kind, _, data = event.partition(b"\ndata:")
        if kind == b"event: data":
            return data.decode().strip("\n ")
        if b'"streamClosed":true' in data:
            self.ended.set()
        return ""


class WebSocket(Connection):
    """Reads frames, which a server does not mask; a client must mask its own."""

    def _build_request(self) -> list[str]:
        offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"
        return [
            f"GET {self.spec['path']} HTTP/1.1",
            f"Host: {self.spec['host']}:{self.spec['port']}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
            *([offer] if self.spec.get("deflate") else []),
            *self.spec.get("headers", ()),
        ]

    def _read_response_head(self, head: bytes, now: float) -> None:
        if b" 101 " not in head.partition(b"\r\n")[0]:
            self._abort(head.decode(errors="replace"))
            return
        self._inflate = zlib.decompressobj(-15)
        if first_frame := self.spec.get("first_frame"):
            self.send_text(first_frame)

    def send_text(self, text: str) -> None:
        data, mask = text.encode(), b"\0\0\0\0"  # a mask of zeros is one, and costs no work
        size = bytes([0x80 | len(data)]) if len(data) < 126 else struct.pack("!BH", 0xFE, len(data))
        self.transport.write(b"\x81" + size + mask + data)

    def _parse_buffer(self, now: float) -> None:
        buffer, at = self._buffer, 0
        while (frame := _find_frame(buffer, at)) is not None:
            first, start, end = frame
            at = end
            payload = buffer[start:end]
            if first & 0x0F == 1:
                self.frames += 1
                if first & 0x40:
                    payload = self._inflate.decompress(payload + b"\0\0\xff\xff")
                self._handle_frame(json.loads(payload), now)
            elif first & 0x0F == 8:
                code = struct.unpack("!H", payload[:2])[0] if payload else 1005
                self.error = self.error or f"closed with {code}"
                self.transport.close()
        self._buffer = buffer[at:]

    def _handle_frame(self, frame: dict[str, Any], now: float) -> None:
        raise NotImplementedError


def _find_frame(buffer: bytes, at: int) -> tuple[int, int, int] | None:
    """Return the first byte of the frame at this position, where its payload begins, and where it
    ends; None if it is incomplete."""
    if len(buffer) < at + 2:
        return None
    size, start = buffer[at + 1], at + 2
    if size == 126:
        size, start = int.from_bytes(buffer[start : start + 2], "big"), start + 2
    elif size == 127:
        size, start = int.from_bytes(buffer[start : start + 8], "big"), start + 8
    return (buffer[at], start, start + size) if start + size <= len(buffer) else None


class Holdfast(WebSocket):
    """Follows docs/protocol.md. It checks indexes; the receiver of the text checks tokens."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._cursor = -1

    def _handle_frame(self, frame: dict[str, Any], now: float) -> None:
        match frame["type"]:
            case "chunk":
                if frame["first"] != self._cursor + 1:
                    self.error = f"index {frame['first']} came after {self._cursor}"
                self._cursor = frame["index"]
                self._mark_subscribed(now)
                self._on_text(self, frame["delta"], now)
            case "state":
                self._mark_subscribed(now)
            case "ping":
                self.send_text(json.dumps({"type": "pong", "n": frame["n"]}))
            case "end":
                self.ended.set()
            case "error":
                self._abort(frame["message"])


class Usual(WebSocket):
    """Reads the usual consumer: `ready`, then a frame for each token, then `end`."""

    def _handle_frame(self, frame: dict[str, Any], now: float) -> None:
        match frame["type"]:
            case "chunk":
                self._on_text(self, frame["delta"], now)
            case "ready":
                self._mark_subscribed(now)
            case "end":
                self.ended.set()


WIRES: dict[str, type[Connection]] = {
    "events": Events,
    "durable": Durable,
    "holdfast": Holdfast,
    "holdfast events": HoldfastEvents,
    "gateway": Gateway,
    "usual": Usual,
}

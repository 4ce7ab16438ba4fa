"""The client side of every measured wire, with as little work as Python allows.

A connection counts the bytes it gets, and passes on their text and their end. HTTP is HTTP/1.0,
whose bodies arrive without the frames of chunked encoding.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import struct
import time
import zlib
from collections.abc import Callable
from typing import Any

Spec = dict[str, Any]
"""`wire` (a key of WIRES), `host`, `port`, `path`; `headers`, lines for the request; `say`, the
first frame of the client; `deflate`, whether the client accepts compressed frames."""


class Connection(asyncio.Protocol):
    """One reader. It calls `on_text(connection, text, now)` with all text that arrives."""

    def __init__(self, spec: Spec, on_text: Callable[[Any, str, float], None]) -> None:
        self.spec = spec
        self.bytes = 0
        self.frames = 0
        self.subscribed: float | None = None
        self.ready = asyncio.Event()
        self.over = asyncio.Event()
        self.trouble = ""
        self._on_text = on_text
        self._buffer = b""
        self._open = False
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.write("\r\n".join([*self._request(), "", ""]).encode())

    def data_received(self, data: bytes) -> None:
        now = time.monotonic()
        self.bytes += len(data)
        self._buffer += data
        if not self._open:
            head, mark, rest = self._buffer.partition(b"\r\n\r\n")
            if not mark:
                return
            self._buffer = rest
            self._open = True
            self._opened(head, now)
        self._read(now)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.over.is_set() and not self.trouble:
            self.trouble = f"the connection ended before the stream ({error!r})"
        self.ready.set()
        self.over.set()

    def _subscribed(self, now: float) -> None:
        if self.subscribed is None:
            self.subscribed = now
            self.ready.set()

    def _refused(self, why: str) -> None:
        self.trouble = why
        self.transport.abort()

    # Implemented by each wire

    def _request(self) -> list[str]:
        return [
            f"GET {self.spec['path']} HTTP/1.0",
            f"Host: {self.spec['host']}:{self.spec['port']}",
            *self.spec.get("headers", ()),
        ]

    def _opened(self, head: bytes, now: float) -> None:
        raise NotImplementedError

    def _read(self, now: float) -> None:
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
        self._wanted = 0
        self._on_all: Callable[[], None] | None = None
        self._parts: list[bytes] = []
        self._end = b""

    def only_count(self, events: int, on_all: Callable[[], None]) -> None:
        self._wanted, self._on_all = events, on_all

    def counted_text(self) -> str:
        """Return the text of the counted events."""
        events = b"".join(self._parts).split(b"\n\n")
        return "".join([self._text(event) for event in events])

    def _count(self) -> None:
        self._parts.append(self._buffer)
        tail = self._end + self._buffer  # a marker may be split in two
        self._wanted -= tail.count(self.MARK)
        self._end = tail[1 - len(self.MARK) :]
        self._buffer = b""
        if self._wanted <= 0 and tail.endswith(b"\n\n") and self._on_all:
            self._on_all()
            self._on_all = None

    def _opened(self, head: bytes, now: float) -> None:
        if b" 200 " not in head.partition(b"\r\n")[0]:
            self._refused(head.decode(errors="replace"))
        self._subscribed(now)

    def _read(self, now: float) -> None:
        if self._on_all:
            self._count()
            return
        *events, self._buffer = self._buffer.split(b"\n\n")
        self.frames += len(events)
        if text := "".join([self._text(event) for event in events]):
            self._on_text(self, text, now)

    def _text(self, event: bytes) -> str:
        at = event.find(b'"delta":"')
        if at >= 0:  # a token contains no character that JSON escapes
            return event[at + 9 : event.index(b'"', at + 9)].decode()
        if event == b"data: [DONE]":
            self.over.set()
        return ""


class Durable(Events):
    """The events of a durable stream: `data` with the text, and `control`."""

    MARK = b"event: data"

    def _text(self, event: bytes) -> str:
        kind, _, data = event.partition(b"\ndata:")
        if kind == b"event: data":
            return data.decode().strip("\n ")
        if b'"streamClosed":true' in data:
            self.over.set()
        return ""


class WebSocket(Connection):
    """Frames from a server, which are not masked; ours are, because the standard demands it."""

    def _request(self) -> list[str]:
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

    def _opened(self, head: bytes, now: float) -> None:
        if b" 101 " not in head.partition(b"\r\n")[0]:
            self._refused(head.decode(errors="replace"))
            return
        self._inflate = zlib.decompressobj(-15)
        if say := self.spec.get("say"):
            self.send(say)

    def send(self, text: str) -> None:
        data, mask = text.encode(), b"\0\0\0\0"  # a mask of zeros is one, and costs no work
        size = bytes([0x80 | len(data)]) if len(data) < 126 else struct.pack("!BH", 0xFE, len(data))
        self.transport.write(b"\x81" + size + mask + data)

    def _read(self, now: float) -> None:
        buffer, at = self._buffer, 0
        while (frame := _frame(buffer, at)) is not None:
            first, start, end = frame
            at = end
            payload = buffer[start:end]
            if first & 0x0F == 1:
                self.frames += 1
                if first & 0x40:
                    payload = self._inflate.decompress(payload + b"\0\0\xff\xff")
                self._understand(json.loads(payload), now)
            elif first & 0x0F == 8:
                code = struct.unpack("!H", payload[:2])[0] if payload else 1005
                self.trouble = self.trouble or f"closed with {code}"
                self.transport.close()
        self._buffer = buffer[at:]

    def _understand(self, frame: dict[str, Any], now: float) -> None:
        raise NotImplementedError


def _frame(buffer: bytes, at: int) -> tuple[int, int, int] | None:
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
    """docs/protocol.md. Indexes are checked here, tokens by the receiver of the text."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._cursor = -1

    def _understand(self, frame: dict[str, Any], now: float) -> None:
        match frame["type"]:
            case "chunk":
                if frame["first"] != self._cursor + 1:
                    self.trouble = f"index {frame['first']} came after {self._cursor}"
                self._cursor = frame["index"]
                self._subscribed(now)
                self._on_text(self, frame["delta"], now)
            case "state":
                self._subscribed(now)
            case "ping":
                self.send(json.dumps({"type": "pong", "n": frame["n"]}))
            case "end":
                self.over.set()
            case "error":
                self._refused(frame["message"])


class Usual(WebSocket):
    """The usual consumer: `ready`, then a frame for each token, then `end`."""

    def _understand(self, frame: dict[str, Any], now: float) -> None:
        match frame["type"]:
            case "chunk":
                self._on_text(self, frame["delta"], now)
            case "ready":
                self._subscribed(now)
            case "end":
                self.over.set()


WIRES: dict[str, type[Connection]] = {
    "events": Events,
    "durable": Durable,
    "holdfast": Holdfast,
    "usual": Usual,
}

"""The clients of the benchmark read the data of servers in pieces of any size."""

import json
import struct
import time
import zlib
from typing import Any

import pytest

from benchmarks.client.wires import WIRES, Connection, Events

UPGRADE = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\n\r\n"


class Transport:
    """Records the data that a client sends."""

    def __init__(self) -> None:
        self.said = b""

    def write(self, data: bytes) -> None:
        self.said += data

    def abort(self) -> None:
        self.said += b"<aborted>"


class Reader:
    """A client that gets its data by hand, and its text."""

    def __init__(self, wire: str, **spec: Any) -> None:
        self.text = ""
        place = {"wire": wire, "host": "127.0.0.1", "port": 1, "path": "/"}
        self.connection = WIRES[wire](place | spec, self._take)
        self.transport = Transport()
        self.connection.connection_made(self.transport)

    def _take(self, connection: Connection, text: str, now: float) -> None:
        assert now <= time.monotonic()
        self.text += text

    def feed(self, data: bytes, piece: int = 10_000) -> None:
        for at in range(0, len(data), piece):
            self.connection.data_received(data[at : at + piece])


def frame(payload: bytes, first: int = 0x81) -> bytes:
    size = len(payload)
    if size < 126:
        return bytes([first, size]) + payload
    if size < 65_536:
        return struct.pack("!BBH", first, 126, size) + payload
    return struct.pack("!BBQ", first, 127, size) + payload


def chunk(first: int, index: int, delta: str) -> bytes:
    return json.dumps({"type": "chunk", "first": first, "index": index, "delta": delta}).encode()


PING = frame(b'{"type":"ping","n":3}')
END = frame(b'{"type":"end"}')


@pytest.mark.parametrize("piece", [1, 2, 7, 1_000_000])
@pytest.mark.parametrize("size", [5, 200, 70_000])
def test_frames_of_every_size_in_pieces_of_every_size(size: int, piece: int) -> None:
    if size > 200 and piece < 7:
        piece *= 997  # byte by byte it would take a minute
    reader = Reader("holdfast", say="follow me")
    reader.feed(
        UPGRADE + PING + frame(chunk(0, 3, "x" * size)) + frame(chunk(4, 4, "y")) + END, piece
    )
    assert reader.text == "x" * size + "y"
    assert b"follow me" in reader.transport.said
    assert b'{"type": "pong", "n": 3}' in reader.transport.said
    assert reader.connection.over.is_set()
    assert not reader.connection.trouble


def test_a_hole_in_the_indexes_is_trouble() -> None:
    reader = Reader("holdfast")
    reader.feed(UPGRADE + frame(chunk(0, 3, "x")) + frame(chunk(5, 5, "y")))
    assert reader.connection.trouble == "index 5 came after 3"


def test_compressed_frames_are_read_with_the_memory_of_those_before() -> None:
    deflate = zlib.compressobj(wbits=-15)
    reader = Reader("holdfast", deflate=True)
    reader.feed(UPGRADE)
    for n in range(3):
        payload = deflate.compress(chunk(n, n, "kelp ")) + deflate.flush(zlib.Z_SYNC_FLUSH)
        reader.feed(frame(payload[:-4], 0xC1))
    assert reader.text == "kelp " * 3
    assert b"permessage-deflate" in reader.transport.said


EVENTS = {
    "events": b'data: {"type":"text-delta","id":"0","delta":"kelp "}\n\n' * 3 + b"data: [DONE]\n\n",
    "durable": b"event: data\ndata:kelp \n\nevent: control\ndata:{}\n\n" * 3
    + b'event: control\ndata:{"streamClosed":true}\n\n',
}


@pytest.mark.parametrize("piece", [1, 9, 10_000])
@pytest.mark.parametrize("wire", EVENTS)
def test_events_in_pieces_of_every_size(wire: str, piece: int) -> None:
    reader = Reader(wire)
    reader.feed(OK + EVENTS[wire], piece)
    assert reader.text == "kelp " * 3 if wire == "events" else "kelp" * 3
    assert reader.connection.over.is_set()


@pytest.mark.parametrize("piece", [1, 9, 10_000])
@pytest.mark.parametrize("wire", EVENTS)
def test_events_that_are_only_counted_have_the_same_text(wire: str, piece: int) -> None:
    told = []
    reader = Reader(wire)
    assert isinstance(reader.connection, Events)
    reader.connection.only_count(3, lambda: told.append(True))
    reader.feed(OK + EVENTS[wire], piece)
    assert told
    assert reader.connection.counted_text().startswith("kelp")


def test_who_is_refused_says_so() -> None:
    reader = Reader("holdfast")
    reader.feed(b"HTTP/1.1 403 Forbidden\r\n\r\n")
    assert "403" in reader.connection.trouble
    assert reader.transport.said.endswith(b"<aborted>")

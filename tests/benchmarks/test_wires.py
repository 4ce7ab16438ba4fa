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
        self.sent = b""

    def write(self, data: bytes) -> None:
        self.sent += data

    def abort(self) -> None:
        self.sent += b"<aborted>"


class Reader:
    """A client that gets its data by hand, and its text."""

    def __init__(self, wire: str, **spec: Any) -> None:
        self.text = ""
        address = {"wire": wire, "host": "127.0.0.1", "port": 1, "path": "/"}
        self.connection = WIRES[wire](address | spec, self.add_text)
        self.transport = Transport()
        self.connection.connection_made(self.transport)

    def add_text(self, connection: Connection, text: str, now: float) -> None:
        assert now <= time.monotonic()
        self.text += text

    def feed(self, data: bytes, piece: int = 10_000) -> None:
        for at in range(0, len(data), piece):
            self.connection.data_received(data[at : at + piece])


def encode_frame(payload: bytes, first: int = 0x81) -> bytes:
    size = len(payload)
    if size < 126:
        return bytes([first, size]) + payload
    if size < 65_536:
        return struct.pack("!BBH", first, 126, size) + payload
    return struct.pack("!BBQ", first, 127, size) + payload


def encode_chunk(first: int, index: int, delta: str) -> bytes:
    return json.dumps({"type": "chunk", "first": first, "index": index, "delta": delta}).encode()


PING = encode_frame(b'{"type":"ping","n":3}')
END = encode_frame(b'{"type":"end"}')


@pytest.mark.parametrize("piece", [1, 2, 7, 1_000_000])
@pytest.mark.parametrize("size", [5, 200, 70_000])
def test_frames_of_every_size_are_read_in_pieces_of_every_size(size: int, piece: int) -> None:
    if size > 200 and piece < 7:
        piece *= 997  # byte by byte it would take a minute
    reader = Reader("holdfast", first_frame="follow me")
    reader.feed(
        UPGRADE
        + PING
        + encode_frame(encode_chunk(0, 3, "x" * size))
        + encode_frame(encode_chunk(4, 4, "y"))
        + END,
        piece,
    )
    assert reader.text == "x" * size + "y"
    assert b"follow me" in reader.transport.sent
    assert b'{"type": "pong", "n": 3}' in reader.transport.sent
    assert reader.connection.ended.is_set()
    assert not reader.connection.error


def test_a_hole_in_the_indexes_is_an_error() -> None:
    reader = Reader("holdfast")
    reader.feed(
        UPGRADE + encode_frame(encode_chunk(0, 3, "x")) + encode_frame(encode_chunk(5, 5, "y"))
    )
    assert reader.connection.error == "index 5 came after 3"
    reader = Reader("holdfast events")
    reader.feed(OK + encode_event(0, 3, "x") + encode_event(5, 5, "y"))
    assert reader.connection.error == "index 5 came after 3"


def test_compressed_frames_are_read_with_a_shared_context() -> None:
    deflate = zlib.compressobj(wbits=-15)
    reader = Reader("holdfast", deflate=True)
    reader.feed(UPGRADE)
    for n in range(3):
        payload = deflate.compress(encode_chunk(n, n, "kelp ")) + deflate.flush(zlib.Z_SYNC_FLUSH)
        reader.feed(encode_frame(payload[:-4], 0xC1))
    assert reader.text == "kelp " * 3
    assert b"permessage-deflate" in reader.transport.sent


def encode_event(first: int, index: int, delta: str) -> bytes:
    block = b"event: chunk\nid: %d\ndata: %b\n\n" % (
        index,
        encode_compact_chunk(first, index, delta),
    )
    return encode_part(block)


def encode_compact_chunk(first: int, index: int, delta: str) -> bytes:
    frame = {"type": "chunk", "first": first, "index": index, "delta": delta}
    return json.dumps(frame, separators=(",", ":")).encode()


def encode_part(part: bytes) -> bytes:
    """As in a chunked body."""
    return b"%x\r\n%b\r\n" % (len(part), part)


EVENTS = {
    "holdfast events": encode_part(b"retry: 1000\n\nevent: hello\ndata: {}\n\n")
    + b"".join(encode_event(n, n, "kelp ") for n in range(3))
    + encode_part(b":\n\n")
    + encode_part(b'event: end\nid: 2\ndata: {"type":"end"}\n\n'),
    "events": b'data: {"type":"text-delta","id":"0","delta":"kelp "}\n\n' * 3 + b"data: [DONE]\n\n",
    "durable": b"event: data\ndata:kelp \n\nevent: control\ndata:{}\n\n" * 3
    + b'event: control\ndata:{"streamClosed":true}\n\n',
}


@pytest.mark.parametrize("piece", [1, 9, 10_000])
@pytest.mark.parametrize("wire", EVENTS)
def test_events_are_read_in_pieces_of_every_size(wire: str, piece: int) -> None:
    reader = Reader(wire)
    reader.feed(OK + EVENTS[wire], piece)
    assert reader.text == ("kelp" if wire == "durable" else "kelp ") * 3
    assert not reader.connection.error
    assert reader.connection.ended.is_set()


@pytest.mark.parametrize("piece", [1, 9, 10_000])
@pytest.mark.parametrize("wire", EVENTS)
def test_counted_events_have_the_same_text(wire: str, piece: int) -> None:
    calls = []
    reader = Reader(wire)
    assert isinstance(reader.connection, Events)
    reader.connection.count_only(3, lambda: calls.append(True))
    reader.feed(OK + EVENTS[wire], piece)
    assert calls
    assert reader.connection.get_counted_text().startswith("kelp")


def test_a_refused_reader_reports_it() -> None:
    reader = Reader("holdfast")
    reader.feed(b"HTTP/1.1 403 Forbidden\r\n\r\n")
    assert "403" in reader.connection.error
    assert reader.transport.sent.endswith(b"<aborted>")

"""A client of the door of server-sent events, with no code of the server."""

from __future__ import annotations

import json
import select
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from typing import Any

TIMEOUT_SECONDS = 15.0
SEGMENT_BYTES = 1_400
"""As in most networks. With the 64 KB of loopback, the server's system would hold 2.6 MB of each
response, and the server itself nothing."""


@dataclass
class Event:
    """`name` is empty for a comment."""

    name: str
    id: str | None
    frame: dict[str, Any]


class EventResponse:
    """An open response. Its events are read one by one."""

    def __init__(self, response: HTTPResponse) -> None:
        self._response = response
        self.status = response.status
        self.headers = response.headers
        self.retry_ms: int | None = None
        self.last_event_id = ""

    def read_body(self) -> bytes:
        return self._response.read()

    def read_blocks(self) -> Iterator[Event]:
        """All events and comments until the body ends."""
        fields: dict[str, str] = {}
        while line := self._response.readline().decode():
            assert line.endswith("\n")
            name, _, value = line[:-1].partition(":")
            if line == "\n":
                if "retry" in fields:
                    self.retry_ms = int(fields["retry"])
                if "id" in fields:
                    self.last_event_id = fields["id"]
                if "data" in fields:
                    yield Event(fields["event"], fields.get("id"), json.loads(fields["data"]))
                elif "" in fields:
                    yield Event("", None, {})
                fields = {}
            else:
                fields[name] = value.removeprefix(" ")
        assert fields == {}, "the body ends after a whole event"

    def read_events(self) -> Iterator[Event]:
        return (event for event in self.read_blocks() if event.name)

    def read_frame(self) -> dict[str, Any]:
        """The next frame. Its type is that of its event."""
        event = next(self.read_events())
        assert event.frame["type"] == event.name
        return event.frame

    def read_until(self, kind: str) -> list[dict[str, Any]]:
        frames = [self.read_frame()]
        while frames[-1]["type"] != kind:
            frames.append(self.read_frame())
        return frames

    def read_rest(self) -> list[dict[str, Any]]:
        return [event.frame for event in self.read_events()]


@contextmanager
def request_events(
    port: int, path: str, session: str = "", *, method: str = "GET", **headers: str
) -> Iterator[EventResponse]:
    connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
    cookies = {"Cookie": f"sessionid={session}"} if session else {}
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        connection.request(method, path, headers=cookies | names)
        yield EventResponse(connection.getresponse())
    finally:
        if connection.sock is not None:
            connection.sock.shutdown(socket.SHUT_RDWR)
        connection.close()


def request_without_reading(
    port: int, path: str, *, method: str = "GET", body: bytes = b"", **headers: str
) -> socket.socket:
    """Ask for a response on a connection that takes as little as possible of it."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, SEGMENT_BYTES)
    connection.connect(("127.0.0.1", port))
    lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{port}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)
    return connection


def wait_for_status(connection: socket.socket) -> int:
    """The status of the response, whose bytes stay unread."""
    assert poll(connection, select.POLLIN, TIMEOUT_SECONDS), "no answer"
    return int(connection.recv(12, socket.MSG_PEEK).split()[1])


def is_broken_off(connection: socket.socket) -> bool:
    """Whether the server has reset a connection of which nothing was read."""
    return bool(poll(connection, 0, 0))


def poll(connection: socket.socket, events: int, seconds: float) -> list[tuple[int, int]]:
    polled = select.poll()
    polled.register(connection, events)
    return polled.poll(1_000 * seconds)

"""A client of doors that answer with server-sent events; it has no code of the server."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any

TIMEOUT_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class SentEvent:
    """`name` is empty for events without one, and `id` is that of this event only."""

    name: str
    id: str
    data: Any


class StreamedAnswer:
    """An open answer. `is_broken` tells after the last event whether the body broke off."""

    def __init__(self, response: HTTPResponse) -> None:
        self._response = response
        self.status, self.headers = response.status, response.headers
        self.is_broken = False

    def read_json(self) -> Any:
        return json.loads(self._response.read())

    def read_events(self) -> Iterator[SentEvent]:
        """Until the body ends, in whatever way."""
        fields: dict[str, str] = {}
        try:
            while line := self._response.readline().decode():
                name, _, value = line.rstrip("\n").partition(":")
                before = f"{fields[name]}\n" if name == "data" and name in fields else ""
                fields[name] = before + value.removeprefix(" ")
                if line == "\n":
                    if "data" in fields:
                        data = json.loads(fields["data"])
                        yield SentEvent(fields.get("event", ""), fields.get("id", ""), data)
                    fields = {}
        except (HTTPException, OSError):
            self.is_broken = True


@contextmanager
def send(
    port: int, method: str, path: str, token: str, body: Any = None, **headers: str
) -> Iterator[StreamedAnswer]:
    connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    names |= {"Authorization": f"Bearer {token}"}
    if body is not None:
        names["Content-Type"] = "application/json"
    try:
        connection.request(method, path, json.dumps(body) if body is not None else None, names)
        yield StreamedAnswer(connection.getresponse())
    finally:
        if connection.sock is not None:
            connection.sock.shutdown(socket.SHUT_RDWR)
        connection.close()

"""How readers come in to Holdfast, by the name of the door. A further door is one more function."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import NamedTuple
from uuid import UUID

from benchmarks.client.wires import Spec

SOCKET, EVENTS, GATEWAY = "socket", "events", "gateway"


class Reader(NamedTuple):
    """A user of the product, who reads their own streams."""

    owner: int
    session: str
    token: str


def build_socket_spec(url: str, reader: Reader, stream: str) -> Spec:
    return {
        "wire": "holdfast",
        "path": "/ws/",
        "headers": [f"Origin: {url}", f"Cookie: sessionid={reader.session}"],
        "first_frame": json.dumps({"type": "follow", "stream": stream, "after": -1}),
    }


def build_events_spec(url: str, reader: Reader, stream: str) -> Spec:
    return {
        "wire": "holdfast events",
        "path": f"/api/streams/{stream}/events",
        "headers": [f"Cookie: sessionid={reader.session}"],
    }


def build_gateway_spec(url: str, reader: Reader, stream: str) -> Spec:
    return {
        "wire": "gateway",
        "path": f"/v1/responses/resp_{UUID(stream).hex}?stream=true",
        "headers": [f"Authorization: Bearer {reader.token}"],
    }


DOORS: dict[str, Callable[[str, Reader, str], Spec]] = {
    SOCKET: build_socket_spec,
    EVENTS: build_events_spec,
    GATEWAY: build_gateway_spec,
}
"""Called with the address of a web process, a user and a stream."""

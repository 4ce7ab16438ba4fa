"""How readers come in to Holdfast, by the name of the door. A further door is one more function."""

from __future__ import annotations

import json
from collections.abc import Callable

from benchmarks.client.wires import Spec

SOCKET, EVENTS = "socket", "events"


def build_socket_spec(url: str, session: str, stream: str) -> Spec:
    return {
        "wire": "holdfast",
        "path": "/ws/",
        "headers": [f"Origin: {url}", f"Cookie: sessionid={session}"],
        "first_frame": json.dumps({"type": "follow", "stream": stream, "after": -1}),
    }


def build_events_spec(url: str, session: str, stream: str) -> Spec:
    return {
        "wire": "holdfast events",
        "path": f"/api/streams/{stream}/events",
        "headers": [f"Cookie: sessionid={session}"],
    }


DOORS: dict[str, Callable[[str, str, str], Spec]] = {
    SOCKET: build_socket_spec,
    EVENTS: build_events_spec,
}
"""Called with the address of a web process, a session and a stream."""

"""A client that sends frames without a pause delays nobody, on both servers."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.chaos.attack_modes.client import build_frame
from tools.deployment.deployment import Deployment

pytestmark = pytest.mark.death

FLOOD_FRAMES = 20_000
MAX_FRAMES_BEFORE_OTHERS = 2_000
"""A tenth of what arrives in one piece, and many times what is read in a turn."""
CONTROL_PONG = b"\x8a\x00"


@contextmanager
def open_raw_socket(deployment: Deployment) -> Iterator[socket.socket]:
    port = deployment.web.port
    person = deployment.person("owner")
    lines = [
        "GET /ws/ HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        f"Origin: http://127.0.0.1:{port}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Cookie: " + "; ".join(f"{name}={value}" for name, value in person.cookies.items()),
    ]
    with socket.create_connection(("127.0.0.1", port), timeout=30) as line:
        line.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        read_until(line, b'"hello"')
        yield line


def read_until(line: socket.socket, expected: bytes) -> bytes:
    read = b""
    while expected not in read:
        piece = line.recv(65_536)
        assert piece, read
        read += piece
    return read


@pytest.mark.parametrize(
    ("frame", "answer"),
    [
        (build_frame(b"", 9), CONTROL_PONG),
        (build_frame(b'{"type":"ping","n":7}'), b'"pong"'),
        (build_frame(b"?"), b'"error"'),
    ],
    ids=["pings of the protocol", "pings", "errors"],
)
def test_a_flood_of_frames_is_read_in_turns_with_others(
    server_deployment: Deployment, frame: bytes, answer: bytes
) -> None:
    with open_raw_socket(server_deployment) as flooded, open_raw_socket(server_deployment) as other:
        flooded.setblocking(False)
        sent = flooded.send(frame * FLOOD_FRAMES)
        assert sent > MAX_FRAMES_BEFORE_OTHERS * len(frame) * 2
        flooded.setblocking(True)
        first = read_until(flooded, answer)
        other.sendall(build_frame(b"", 9))
        read_until(other, CONTROL_PONG)
        flooded.setblocking(False)
        assert (first + read_available(flooded)).count(answer) < MAX_FRAMES_BEFORE_OTHERS


def read_available(line: socket.socket) -> bytes:
    read = b""
    try:
        while piece := line.recv(1_000_000):
            read += piece
    except BlockingIOError:
        pass
    return read


def test_all_commands_of_a_page_that_reconnects_are_answered(
    server_deployment: Deployment,
) -> None:
    with open_raw_socket(server_deployment) as line:
        for number in range(150):
            line.sendall(build_frame(b'{"type":"ping","n":%d}' % number))
        read = read_until(line, b'"n":149')
        assert read.count(b'"pong"') == 150

"""A client sends requests before it has the answers to earlier ones."""

from __future__ import annotations

import json
import socket
import time
from contextlib import ExitStack, suppress

import psutil
import pytest

from tools.deployment.deployment import Deployment

MB = 2**20
SMALL_REQUEST = b"GET /healthz HTTP/1.1\r\nH:x\r\n\r\n"


def test_a_flood_of_small_requests_takes_no_memory(
    server_deployment: Deployment,
) -> None:
    colleague = server_deployment.person("colleague")
    process = psutil.Process(server_deployment.web.pid)
    before = process.memory_info().rss
    where = ("127.0.0.1", server_deployment.web.port)
    with ExitStack() as stack:
        for _ in range(8):
            line = stack.enter_context(socket.create_connection(where, 10))
            line.settimeout(0.1)
            with suppress(OSError):
                line.sendall(SMALL_REQUEST * (MB // len(SMALL_REQUEST)))
        colleague.get("/")
        assert process.memory_info().rss - before < 48 * MB


def test_a_body_between_small_requests_is_read(server_deployment: Deployment) -> None:
    """With and without its length."""
    head, body = b"POST /nowhere/ HTTP/1.1\r\nHost: 127.0.0.1\r\n", b"x" * 100_000
    with_length = head + b"Content-Length: 100000\r\n\r\n" + body
    chunked = head + b"Transfer-Encoding: chunked\r\n\r\n"
    chunked += b"186a0\r\n" + body + b"\r\n0\r\n\r\n"
    sent = (SMALL_REQUEST * 3 + with_length + SMALL_REQUEST * 2 + chunked) * 3
    last = b"GET /healthz HTTP/1.1\r\nH:x\r\nConnection: close\r\n\r\n"
    where = ("127.0.0.1", server_deployment.web.port)
    with socket.create_connection(where, 20) as line:
        line.sendall(sent + last)
        answer = b"".join(iter(lambda: line.recv(MB), b""))
    assert answer.count(b"HTTP/1.1 200") == 16
    assert answer.count(b"HTTP/1.1 403") + answer.count(b"HTTP/1.1 404") == 6


def test_a_client_that_leaves_with_open_requests_causes_no_traceback(
    server_deployment: Deployment,
) -> None:
    where = ("127.0.0.1", server_deployment.web.port)
    for _ in range(20):
        with socket.create_connection(where, 10) as line, suppress(OSError):
            line.settimeout(0.3)
            line.sendall(b"GET /accounts/login/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 3_000)
    server_deployment.person().get("/")
    assert "Traceback" not in server_deployment.web.output()


def exchange(deployment: Deployment, *parts: bytes, until: bytes = b"") -> bytes:
    """Send the parts one after the other. Return all that comes until the server closes the
    connection, or until these bytes come."""
    answer = b""
    with socket.create_connection(("127.0.0.1", deployment.web.port), 10) as line:
        for part in parts:
            line.sendall(part)
            time.sleep(0.02)
        with suppress(ConnectionResetError):
            while (not until or until not in answer) and (received := line.recv(MB)):
                answer += received
    return answer


@pytest.mark.parametrize("size", [20, 100_000], ids=["whole", "pieces"])
def test_a_request_that_offers_another_protocol_keeps_its_body(
    server_deployment: Deployment, size: int
) -> None:
    """Java's HTTP client offers HTTP/2 so, with each request."""
    token = server_deployment.person().create_token("gateway")
    value = "tide" * 100
    body = json.dumps({"metadata": {"name": value}}).encode()
    head = (
        "POST /v1/conversations HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade, HTTP2-Settings"
        f"\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAA\r\nAuthorization: Bearer {token}\r\n"
        "Content-Type: application/json\r\n"
    ).encode()
    with_length = head + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
    chunked = head + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    last = b"GET /healthz HTTP/1.1\r\nH:x\r\nConnection: close\r\n\r\n"
    sent = with_length + chunked + last
    parts = [sent[at : at + size] for at in range(0, len(sent), size)]
    answer = exchange(server_deployment, *parts)
    assert answer.count(b"HTTP/1.1 200") == 3, answer
    assert answer.count(value.encode()) == 2


HANDSHAKE = (
    b"GET /ws/ HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
)


def test_a_socket_begins_after_the_answer_to_an_earlier_request(
    server_deployment: Deployment,
) -> None:
    token = server_deployment.person().create_token("read")
    earlier = b"GET /accounts/login/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    handshake = HANDSHAKE + f"Authorization: Bearer {token}\r\n\r\n".encode()
    answer = exchange(server_deployment, earlier + handshake, until=b'"hello"')
    page, _, socket_start = answer.partition(b"HTTP/1.1 101")
    assert page.startswith(b"HTTP/1.1 200")
    assert b"</html>" in page
    assert b'"hello"' in socket_start
    assert "Traceback" not in server_deployment.web.output()


@pytest.mark.parametrize(
    "odd",
    [
        b"X-Long: " + b"x" * 9_000 + b"\r\n\r\n",
        b"".join(b"X-%d: y\r\n" % number for number in range(150)) + b"\r\n",
        b"Content-Length: 5\r\n\r\nhello",
    ],
    ids=["long", "many", "body"],
)
def test_a_handshake_that_the_server_cannot_read_is_answered(
    server_deployment: Deployment, odd: bytes
) -> None:
    """Daphne reads long headers, and breaks the connection for a body."""
    answer = exchange(server_deployment, HANDSHAKE + odd, until=b"\r\n\r\n")
    if server_deployment.server == "uvicorn":
        assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
        assert b"X-Frame-Options: DENY" in answer

"""A client sends requests before it has the answers to earlier ones."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack, suppress

import psutil

from tools.deployment.deployment import Deployment

MB = 2**20
SMALL_REQUEST = b"GET /healthz HTTP/1.1\r\nH:x\r\n\r\n"


def test_a_flood_of_small_requests_holds_no_memory_and_delays_nobody(
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
        began = time.monotonic()
        colleague.get("/")
        assert time.monotonic() - began < 3
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

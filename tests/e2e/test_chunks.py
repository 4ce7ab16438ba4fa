"""A client sends a body in chunks of few bytes, on both servers."""

from __future__ import annotations

import socket
from contextlib import suppress

import pytest

from config.chunk_limits import BYTES_PER_CHUNK, MAX_SMALL_CHUNKS
from tools.deployment.deployment import Deployment

MB = 2**20
HEAD = b"POST /c/ HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n"
SMALL_CHUNK = b"1\r\nx\r\n"
END = b"0\r\n\r\n"
CLOSE = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"


def send(deployment: Deployment, *pieces: bytes) -> bytes:
    """Return all that the server sends before it closes the connection."""
    answer = b""
    with socket.create_connection(("127.0.0.1", deployment.web.port), 20) as line:
        with suppress(ConnectionError):
            for piece in pieces:
                line.sendall(piece)
        with suppress(ConnectionError):
            while data := line.recv(MB):
                answer += data
    return answer


def test_a_body_of_too_many_small_chunks_is_refused_before_its_end(
    server_deployment: Deployment,
) -> None:
    answer = send(server_deployment, HEAD, SMALL_CHUNK * (MAX_SMALL_CHUNKS + 100))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize(
    "chunks",
    [
        SMALL_CHUNK * (MAX_SMALL_CHUNKS - 96),
        (b"%x\r\n" % BYTES_PER_CHUNK + b"x" * BYTES_PER_CHUNK + b"\r\n") * 2 * MAX_SMALL_CHUNKS,
        (b"80000\r\n" + b"x" * 0x80000 + b"\r\n") * 3 + SMALL_CHUNK * 2_000,
    ],
    ids=["as many as allowed", "longer ones", "large ones and small ones"],
)
def test_a_body_of_chunks_is_read_and_the_next_request_is_answered(
    server_deployment: Deployment, chunks: bytes
) -> None:
    cookies = server_deployment.person().cookies
    head = HEAD[:-2] + f"Cookie: sessionid={cookies['sessionid']}\r\n\r\n".encode()
    answer = send(server_deployment, (head + chunks + END) * 2, CLOSE)
    assert answer.count(b"HTTP/1.1 403 ") == 2  # the form has no token
    assert answer.count(b"HTTP/1.1 200 ") == 1


def test_a_refused_body_gets_no_second_answer(server_deployment: Deployment) -> None:
    answer = send(server_deployment, HEAD + b"80000\r\n" + b"x" * 0x80000 + b"\r\n", b"wrong\r\n")
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert answer.count(b"HTTP/1.1 ") == 1


def test_the_server_leaves_forms_to_the_application(server_deployment: Deployment) -> None:
    """Twisted would parse a form on the event loop, and refuse this one without the application."""
    form = b"POST /c/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data\r\n"
    answer = send(server_deployment, form + b"Content-Length: 5\r\n\r\nwrong", CLOSE)
    assert answer.count(b"HTTP/1.1 ") == 2
    assert answer.count(b"HTTP/1.1 200 ") == 1


def test_clients_that_leave_during_small_chunks_cause_no_traceback(
    server_deployment: Deployment,
) -> None:
    for _ in range(10):
        with socket.create_connection(("127.0.0.1", server_deployment.web.port), 10) as line:
            line.sendall(HEAD + SMALL_CHUNK * 3_000)
    assert send(server_deployment, CLOSE).startswith(b"HTTP/1.1 200 ")
    assert "Traceback" not in server_deployment.web.output()

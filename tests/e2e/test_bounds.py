"""What a client may send is bounded, whoever it is and on either server."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator

import pytest

from tests.e2e.deployment import Deployment, Server
from tests.waiting import until

COOKIE = f"Cookie: sessionid={'a' * 32}\r\n"
MB = 2**20


@pytest.fixture(scope="module", params=["daphne", "uvicorn"])
def served(request: pytest.FixtureRequest) -> Iterator[Deployment]:
    server: Server = request.param
    with Deployment("embedded", server=server) as deployment:
        yield deployment


def post(
    deployment: Deployment, path: str, headers: str, pieces: Iterable[bytes], method: str = "POST"
) -> str:
    """The first line of the answer."""
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}\r\n".encode()
    with socket.create_connection(("127.0.0.1", deployment.web.port), timeout=30) as line:
        line.sendall(head)
        for piece in pieces:
            try:
                line.sendall(piece)
            except OSError:
                break
        try:
            answer = line.recv(4000)
        except OSError:
            answer = b""
    return answer.split(b"\r\n")[0].decode()


def chunked(megabytes: int) -> Iterator[bytes]:
    for _ in range(16 * megabytes):
        yield b"10000\r\n" + b"x" * 65536 + b"\r\n"
    yield b"0\r\n\r\n"


CHUNKED = "Transfer-Encoding: chunked\r\n"


@pytest.mark.parametrize("path", ["/healthz", "/c/", "/accounts/login/"])
@pytest.mark.parametrize(
    ("headers", "megabytes"),
    [(CHUNKED, 1), (CHUNKED + COOKIE, 9), (CHUNKED + "Cookie: sessionid=x\r\n", 1)],
)
def test_a_body_that_grows_too_large_is_refused(
    served: Deployment, path: str, headers: str, megabytes: int
) -> None:
    answer = post(served, path, headers, chunked(megabytes))
    assert answer.startswith("HTTP/1.1 413 ")


@pytest.mark.parametrize("headers", ["", COOKIE])
def test_a_body_that_says_that_it_is_too_large_is_refused_before_it_comes(
    served: Deployment, headers: str
) -> None:
    answer = post(served, "/c/", f"Content-Length: {300 * MB}\r\n{headers}", [])
    assert answer.startswith("HTTP/1.1 413 ")


def test_who_only_asks_for_a_page_has_nothing_to_send(served: Deployment) -> None:
    body = [b"x" * 100_000]
    answer = post(served, "/healthz", "Content-Length: 100000\r\n", body, method="GET")
    assert answer.startswith("HTTP/1.1 413 ")


@pytest.mark.prove
def test_the_longest_message_arrives_as_it_was_written(served: Deployment) -> None:
    """Four bytes a character, twelve letters each as a form has it: 4.8 MB."""
    owner = served.person()
    stream = served.send(owner, "🌊" * 399_990)
    assert served.rows.one("streaming_stream", uuid=stream)["owner_id"]


@pytest.mark.prove
@pytest.mark.timeout(120)
@pytest.mark.parametrize("beginning", [b"GET", b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "])
def test_headers_that_drip_hold_no_connection_of_daphne(beginning: bytes) -> None:
    with Deployment("embedded") as deployment:
        lines = [socket.create_connection(("127.0.0.1", deployment.web.port)) for _ in range(20)]
        for line in lines:
            line.sendall(beginning)
            line.setblocking(False)

        def all_closed() -> bool:
            return all(is_closed(line) for line in lines)

        until(all_closed, within=60, every=1.0, what="every connection is closed")


def is_closed(line: socket.socket) -> bool:
    """Whether the server has hung up on a client that sends a byte now and then."""
    try:
        line.send(b"x")
        return line.recv(4000) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True

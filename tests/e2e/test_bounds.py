"""What a client may send is bounded, whoever it is and on either server."""

from __future__ import annotations

import json
import socket
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from config.header_limits import MAX_FRAME_BYTES
from streaming.doors.websocket.protocol import MAX_FRAME_CHARS
from tools.deployment.deployment import Deployment, Server
from tools.waiting import until

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


@pytest.mark.parametrize("served", ["daphne"], indirect=True)
def test_bodies_of_handshakes_are_not_counted_for_ever(served: Deployment) -> None:
    """A connection that becomes a socket never finishes its request."""
    body = b"x" * 7 * MB
    length = f"Content-Length: {len(body)}\r\n"
    upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    for _ in range(3):
        post(served, "/ws/", COOKIE + length + upgrade, [body])
    head = f"POST /c/ HTTP/1.1\r\nHost: x\r\n{COOKIE}{length}\r\n".encode()
    with socket.create_connection(("127.0.0.1", served.web.port), timeout=10) as line:
        line.sendall(head + body[1:])
        line.settimeout(1)
        with pytest.raises(TimeoutError):
            line.recv(4000)


def test_made_up_sessions_keep_few_long_bodies_under_way(served: Deployment) -> None:
    """Seven megabytes each, of which the last byte never comes."""
    head = f"POST /c/ HTTP/1.1\r\nHost: x\r\n{COOKIE}Content-Length: {7 * MB + 1}\r\n\r\n".encode()
    where = ("127.0.0.1", served.web.port)
    with ExitStack() as stack:
        lines = [stack.enter_context(socket.create_connection(where, 10)) for _ in range(3)]
        answers: list[bytes] = []
        for line in lines:
            with suppress(OSError):
                line.sendall(head + b"x" * 7 * MB)
            line.settimeout(1 if len(answers) < 2 and served.server == "daphne" else 10)
            try:
                answers.append(line.recv(4000)[:13])
            except OSError:
                answers.append(b"")
    assert answers[2].startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize("headers", [b"X-Many: x\r\n" * 100_000, b"X-Long: " + b"x" * MB])
def test_a_client_that_sends_headers_without_end_is_hung_up_on(
    served: Deployment, headers: bytes
) -> None:
    with socket.create_connection(("127.0.0.1", served.web.port), timeout=10) as line:
        with suppress(ConnectionError):
            line.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + headers)
        with suppress(ConnectionError):
            while answer := line.recv(4000):
                assert answer.startswith(b"HTTP/1.1 400 ")


@pytest.mark.prove
def test_the_longest_message_arrives_as_it_was_written(served: Deployment) -> None:
    """Four bytes a character, twelve letters each as a form has it: 4.8 MB."""
    owner = served.person()
    stream = served.send(owner, "🌊" * 399_990)
    assert served.rows.one("streaming_stream", uuid=stream)["owner_id"]


@pytest.mark.prove
@pytest.mark.timeout(120)
@pytest.mark.parametrize("beginning", [b"", b"GET", b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "])
def test_headers_that_drip_hold_no_connection(served: Deployment, beginning: bytes) -> None:
    lines = [socket.create_connection(("127.0.0.1", served.web.port)) for _ in range(20)]
    for line in lines:
        line.sendall(beginning)
        line.setblocking(False)

    def all_closed() -> bool:
        return all(is_closed(line, drips=bool(beginning)) for line in lines)

    until(all_closed, within=40, what="every connection is closed")
    for line in lines:
        line.close()


def is_closed(line: socket.socket, *, drips: bool) -> bool:
    """Whether the server has hung up on a client that sends a byte now and then, or none."""
    try:
        if drips:
            line.send(b"x")
        return line.recv(4000) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


# What the access log has of it


def logged(deployment: Deployment, *requests: bytes) -> str:
    """What the server's log has of them."""
    before = len(deployment.web.output())
    for request in (*requests, b"GET /the-last-one"):
        head = request + b" HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
        with socket.create_connection(("127.0.0.1", deployment.web.port), timeout=10) as line:
            line.sendall(head)
            while line.recv(4000):
                pass
    until(lambda: "/the-last-one" in deployment.web.output()[before:])
    return deployment.web.output()[before:]


def test_the_access_log_can_not_be_filled_and_tells_no_secrets(served: Deployment) -> None:
    log = logged(
        served,
        b"GET /no/such/page?text=my-secret",
        b"GET /accounts/password/reset/key/1-my-secret/",
        b"GET /accounts/confirm-email/my-secret/",
        b"GET /accounts/confirm%2Demail/my-secret/",
        b"POST /accounts/confirm-email/my-secret/",  # without a token, so Django tells of it too
        b"GET /healthz?a=b",
        b"GET /" + b"x" * 8000,
        b"X" * 8000 + b" /",
        b"GET /%1b%5b31m",
    )
    assert "/no/such/page" in log
    assert "/accounts/password/reset/key/" in log
    assert "my-secret" not in log
    assert "healthz" not in log
    assert "\x1b" not in log
    assert max(map(len, log.splitlines())) < 600


def test_a_socket_is_logged_without_its_query(served: Deployment) -> None:
    before = len(served.web.output())
    where = f"{served.base_url.replace('http', 'ws')}/ws/?token=my-secret&{'x' * 4000}"
    with suppress(InvalidStatus), connect(where, proxy=None):
        pass
    until(lambda: "/ws/" in served.web.output()[before:])
    log = served.web.output()[before:]
    assert "my-secret" not in log
    assert max(map(len, log.splitlines())) < 600


# Sockets


def knock(deployment: Deployment, cookie: str = "", **more: str) -> ClientConnection:
    """A socket that is not read; raises InvalidStatus when it is refused."""
    url = deployment.base_url
    headers = {"Cookie": f"sessionid={cookie}"} if cookie else {}
    headers |= {name.replace("_", "-"): value for name, value in more.items()}
    where = f"{url.replace('http', 'ws')}/ws/"
    return connect(where, origin=Origin(url), additional_headers=headers, proxy=None)


@pytest.mark.parametrize("cookies", ["none", "made up"])
def test_sockets_of_nobody_are_few_and_keep_nobody_else_out(
    served: Deployment, cookies: str
) -> None:
    owner = served.person()
    codes: Counter[int] = Counter()
    with ExitStack() as stack:
        for number in range(35):
            try:
                line = stack.enter_context(
                    knock(
                        served,
                        f"{number:032}" if cookies == "made up" else "",
                        X_Forwarded_For=f"203.0.113.{number}",  # PROXIES is 0
                    )
                )
            except InvalidStatus as refused:
                codes[refused.response.status_code] += 1
            else:
                with suppress(ConnectionClosed):
                    line.recv(10)
                assert line.close_code is not None
                codes[line.close_code] += 1
        assert codes.keys() <= {4401, 403}
        assert codes[403] >= 35 - 20, "no more than twenty in ten seconds were let in"
        with knock(served, owner.cookies["sessionid"]) as own:
            assert json.loads(own.recv(10))["type"] == "hello"


def test_what_comes_before_a_socket_is_let_in_is_not_taken(served: Deployment) -> None:
    def come_and_go(_: int) -> None:
        with suppress(InvalidStatus, OSError, EOFError), knock(served):
            pass

    head = (
        f"GET /ws/ HTTP/1.1\r\nHost: 127.0.0.1:{served.web.port}\r\nOrigin: {served.base_url}\r\n"
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    sent = 0
    with ThreadPoolExecutor(60) as crowd:
        coming = [crowd.submit(come_and_go, number) for number in range(60)]
        until(lambda: any(task.done() for task in coming), what="the crowd is there")
        with socket.create_connection(("127.0.0.1", served.web.port), timeout=1) as line:
            line.sendall(head.encode())
            with pytest.raises(TimeoutError):
                line.recv(1)  # it waits to be told to go
            with suppress(OSError):
                while sent < 40 * MB:
                    sent += line.send(b"x" * MB)
    assert sent < 10 * MB, "more than what the system keeps on the way"


@pytest.mark.parametrize("server", ["daphne", "uvicorn"])
def test_one_socket_too_many_is_told_so_and_gets_in_when_another_goes(server: Server) -> None:
    few = {"SOCKETS_PER_USER": "3"}
    with Deployment("embedded", server=server, environment=few) as deployment, ExitStack() as stack:
        owner, colleague = deployment.person(), deployment.person("colleague")
        cookie = owner.cookies["sessionid"]
        tabs = [stack.enter_context(knock(deployment, cookie)) for _ in range(3)]
        for tab in (*tabs, stack.enter_context(knock(deployment, colleague.cookies["sessionid"]))):
            assert json.loads(tab.recv(10))["type"] == "hello"
        with knock(deployment, cookie) as fourth, pytest.raises(ConnectionClosed):
            fourth.recv(10)
        assert fourth.close_code == 4029
        tabs[0].close()

        def let_in() -> bool:
            with knock(deployment, cookie) as tab, suppress(ConnectionClosed):
                return bool(json.loads(tab.recv(10))["type"] == "hello")
            return False

        until(let_in)


@pytest.mark.parametrize(
    "message", ["x" * (MAX_FRAME_BYTES + 1), ["x" * 1_024] * 17], ids=["whole", "in parts"]
)
def test_a_message_that_is_too_long_ends_its_socket(
    served: Deployment, message: str | list[str]
) -> None:
    with knock(served, served.person().cookies["sessionid"]) as line:
        assert json.loads(line.recv(10))["type"] == "hello"
        with suppress(ConnectionClosed):
            line.send(message)
        with suppress(ConnectionClosed):
            while line.recv(10):
                pass
    assert line.close_code in (1006, 1009)


def test_all_characters_of_the_longest_frame_are_read(served: Deployment) -> None:
    assert MAX_FRAME_BYTES == 4 * MAX_FRAME_CHARS
    with knock(served, served.person().cookies["sessionid"]) as line:
        line.recv(10)
        line.send("🌊" * MAX_FRAME_CHARS)
        assert json.loads(line.recv(10))["code"] == "bad_json"


@pytest.mark.parametrize("kind", ["websockets", "websockets-sansio"])
def test_uvicorn_takes_no_longer_frames_than_it_has_to(kind: str) -> None:
    with Deployment("embedded", server="uvicorn", environment={"UVICORN_WS": kind}) as deployment:
        with knock(deployment, deployment.person().cookies["sessionid"]) as line:
            assert json.loads(line.recv(10))["type"] == "hello"
            line.send("x" * (MAX_FRAME_BYTES + 1))
            with pytest.raises(ConnectionClosed):
                line.recv(10)
        assert line.close_code == 1009

"""The data of a client is limited, for every client and on both servers."""

from __future__ import annotations

import json
import select
import socket
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from threading import Thread

import psutil
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


def post(
    deployment: Deployment, path: str, headers: str, pieces: Iterable[bytes], method: str = "POST"
) -> str:
    """Return the first line of the response."""
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


def send_chunks(megabytes: int) -> Iterator[bytes]:
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
    server_deployment: Deployment, path: str, headers: str, megabytes: int
) -> None:
    answer = post(server_deployment, path, headers, send_chunks(megabytes))
    assert answer.startswith("HTTP/1.1 413 ")


@pytest.mark.parametrize("headers", ["", COOKIE])
def test_a_body_that_announces_too_much_is_refused_before_it_arrives(
    server_deployment: Deployment, headers: str
) -> None:
    answer = post(server_deployment, "/c/", f"Content-Length: {300 * MB}\r\n{headers}", [])
    assert answer.startswith("HTTP/1.1 413 ")


def test_a_get_request_may_have_no_large_body(server_deployment: Deployment) -> None:
    body = [b"x" * 100_000]
    answer = post(server_deployment, "/healthz", "Content-Length: 100000\r\n", body, method="GET")
    assert answer.startswith("HTTP/1.1 413 ")


@pytest.mark.parametrize("server_deployment", ["daphne"], indirect=True)
def test_bodies_of_handshakes_are_released_from_the_limit(server_deployment: Deployment) -> None:
    """A connection that becomes a socket never finishes its request."""
    body = b"x" * 7 * MB
    length = f"Content-Length: {len(body)}\r\n"
    upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    for _ in range(3):
        post(server_deployment, "/ws/", COOKIE + length + upgrade, [body])
    head = f"POST /c/ HTTP/1.1\r\nHost: x\r\n{COOKIE}{length}\r\n".encode()
    with socket.create_connection(("127.0.0.1", server_deployment.web.port), timeout=10) as line:
        line.sendall(head + body[1:])
        line.settimeout(1)
        with pytest.raises(TimeoutError):
            line.recv(4000)


def test_forged_sessions_hold_few_long_bodies(server_deployment: Deployment) -> None:
    """Seven megabytes each, of which the last byte never arrives."""
    head = f"POST /c/ HTTP/1.1\r\nHost: x\r\n{COOKIE}Content-Length: {7 * MB + 1}\r\n\r\n".encode()
    where = ("127.0.0.1", server_deployment.web.port)
    with ExitStack() as stack:
        lines = [stack.enter_context(socket.create_connection(where, 10)) for _ in range(3)]
        answers: list[bytes] = []
        for line in lines:
            with suppress(OSError):
                line.sendall(head + b"x" * 7 * MB)
            line.settimeout(1 if len(answers) < 2 and server_deployment.server == "daphne" else 10)
            try:
                answers.append(line.recv(4000)[:13])
            except OSError:
                answers.append(b"")
    # Daphne can't look the session up before the body is complete.
    status = {"daphne": b"429", "uvicorn": b"413"}[server_deployment.server]
    assert answers[2].startswith(b"HTTP/1.1 " + status)


@pytest.mark.parametrize(("who", "count", "size"), [("", 80, 255 * 1024), ("owner", 6, 7 * MB)])
def test_many_bodies_that_never_end_hold_little(
    server_deployment: Deployment, who: str, count: int, size: int
) -> None:
    """Of a visitor, and of a person whose session the process knows. They hold up nobody else."""
    cookies = ""
    if who:
        person = server_deployment.person(who)
        person.get("/")
        pairs = "; ".join(f"{name}={value}" for name, value in person.cookies.items())
        cookies = f"Cookie: {pairs}\r\n"
    head = f"POST /c/ HTTP/1.1\r\nHost: x\r\n{cookies}Content-Length: {size + 1}\r\n\r\n"
    where = ("127.0.0.1", server_deployment.web.port)
    with ExitStack() as stack:
        lines = [stack.enter_context(socket.create_connection(where, 10)) for _ in range(count)]
        for line in lines:
            with suppress(OSError):
                line.sendall(head.encode() + b"x" * size)
        answers = [receive_at_once(line) for line in lines]
        colleague = server_deployment.person("colleague")
        stream = server_deployment.send(colleague, "🌊" * 20_000)
        assert server_deployment.rows.one("streaming_stream", uuid=stream)["owner_id"]
    refused = [answer for answer in answers if answer.startswith(b"HTTP/1.1 429")]
    assert all(b"retry-after: 5\r\n" in answer.lower() for answer in refused)
    assert len(refused) >= count / 8


def test_a_person_waits_for_no_bodies_of_visitors(server_deployment: Deployment) -> None:
    """Also if this process does not know the session yet, and they have the same address."""
    size, owner = 255 * 1024, server_deployment.person()
    cookies = "; ".join(f"{name}={value}" for name, value in owner.cookies.items())
    server_deployment.web.restart()
    where = ("127.0.0.1", server_deployment.web.port)
    head = f"POST /c/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {size}\r\n"
    statuses = []
    with ExitStack() as stack:
        lines = [stack.enter_context(socket.create_connection(where, 10)) for _ in range(80)]
        for line in lines:
            with suppress(OSError):
                line.sendall(f"{head}\r\n".encode() + b"x" * (size - 1))
        assert select.select(lines, [], [], 10)[0], "none is refused"
        for cookie in (cookies, f"sessionid={'a' * 32}"):
            line = stack.enter_context(socket.create_connection(where, 10))
            line.sendall(f"{head}Cookie: {cookie}\r\n\r\n".encode() + b"x" * size)
            statuses.append(line.recv(12))
    assert statuses == [b"HTTP/1.1 403", b"HTTP/1.1 429"]  # the form has no token


def test_requests_without_a_reader_hold_one_answer(server_deployment: Deployment) -> None:
    """A client sends many requests at once and reads nothing. All are answered once it reads."""
    file, count = "/static/admin/js/vendor/xregexp/xregexp.js", 200
    size = len(server_deployment.person().get(file).content)
    process = psutil.Process(server_deployment.web.pid)
    before = process.memory_info().rss
    with socket.socket() as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.connect(("127.0.0.1", server_deployment.web.port))
        line.sendall(f"GET {file} HTTP/1.1\r\nHost: x\r\n\r\n".encode() * count)
        memory = []
        for _ in range(30):
            time.sleep(0.1)
            memory.append(process.memory_info().rss)
        assert max(memory) - before < 32 * MB
        line.settimeout(10)
        received = 0
        while received < count * size:
            received += len(line.recv(MB))


def receive_at_once(line: socket.socket) -> bytes:
    line.settimeout(0.3)
    try:
        return line.recv(4000)
    except OSError:
        return b""


@pytest.mark.parametrize("headers", [b"X-Many: x\r\n" * 100_000, b"X-Long: " + b"x" * MB])
def test_a_client_with_endless_headers_is_disconnected(
    server_deployment: Deployment, headers: bytes
) -> None:
    with socket.create_connection(("127.0.0.1", server_deployment.web.port), timeout=10) as line:
        with suppress(ConnectionError):
            line.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + headers)
        with suppress(ConnectionError):
            while answer := line.recv(4000):
                assert answer.startswith(b"HTTP/1.1 400 ")


@pytest.mark.prove
def test_the_longest_message_arrives_as_it_was_written(server_deployment: Deployment) -> None:
    """Four bytes a character, twelve letters each in a form: 4.8 MB."""
    owner = server_deployment.person()
    stream = server_deployment.send(owner, "🌊" * 399_990)
    assert server_deployment.rows.one("streaming_stream", uuid=stream)["owner_id"]


@pytest.mark.prove
@pytest.mark.timeout(120)
@pytest.mark.parametrize("beginning", [b"", b"GET", b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "])
def test_slow_headers_hold_no_connection(server_deployment: Deployment, beginning: bytes) -> None:
    lines = [socket.create_connection(("127.0.0.1", server_deployment.web.port)) for _ in range(20)]
    for line in lines:
        line.sendall(beginning)
        line.setblocking(False)

    def all_closed() -> bool:
        return all(is_closed(line, drips=bool(beginning)) for line in lines)

    until(all_closed, within=40, what="every connection is closed")
    for line in lines:
        line.close()


def is_closed(line: socket.socket, *, drips: bool) -> bool:
    """Return whether the server has closed the connection of a client that sends a byte now and
    then, or none."""
    try:
        if drips:
            line.send(b"x")
        return line.recv(4000) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


# Return the lines of the access log about it.


def send_and_read_log(deployment: Deployment, *requests: bytes) -> str:
    """Send the requests, and return the lines of the server's log about them."""
    before = len(deployment.web.output())
    for request in (*requests, b"GET /accounts/inactive/"):
        head = request + b" HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
        with socket.create_connection(("127.0.0.1", deployment.web.port), timeout=10) as line:
            line.sendall(head)
            while line.recv(4000):
                pass
    until(lambda: "/accounts/inactive/" in deployment.web.output()[before:])
    return deployment.web.output()[before:]


def test_the_access_log_is_bounded_and_contains_no_secrets(server_deployment: Deployment) -> None:
    log = send_and_read_log(
        server_deployment,
        b"GET /no/such/page?text=my-secret",
        b"GET /accounts/password/reset/key/1-my-secret/",
        b"GET /accounts/confirm-email/my-secret/",
        b"GET /accounts/confirm%2Demail/my-secret/",
        b"POST /accounts/confirm-email/my-secret/",  # without a token, so Django logs it too
        b"GET /healthz?a=b",
        b"GET /" + b"x" * 8000,
        b"X" * 8000 + b" /",
        b"GET /%1b%5b31m",
    )
    assert "/…/…/…" in log
    assert "such" not in log
    assert "/accounts/password/reset/key/" in log
    assert "my-secret" not in log
    assert "healthz" not in log
    assert "\x1b" not in log
    assert max(map(len, log.splitlines())) < 600


def test_a_socket_is_logged_without_its_query(server_deployment: Deployment) -> None:
    before = len(server_deployment.web.output())
    where = f"{server_deployment.base_url.replace('http', 'ws')}/ws/?token=my-secret&{'x' * 4000}"
    with suppress(InvalidStatus), connect(where, proxy=None):
        pass
    until(lambda: "/ws/" in server_deployment.web.output()[before:])
    log = server_deployment.web.output()[before:]
    assert "my-secret" not in log
    assert max(map(len, log.splitlines())) < 600


# Sockets


def open_websocket(deployment: Deployment, cookie: str = "", **more: str) -> ClientConnection:
    """Open a socket that is not read. Raises InvalidStatus if it is refused."""
    url = deployment.base_url
    headers = {"Cookie": f"sessionid={cookie}"} if cookie else {}
    headers |= {name.replace("_", "-"): value for name, value in more.items()}
    where = f"{url.replace('http', 'ws')}/ws/"
    return connect(where, origin=Origin(url), additional_headers=headers, proxy=None)


@pytest.mark.parametrize("cookies", ["none", "made up"])
def test_anonymous_sockets_are_limited_and_do_not_block_users(
    server_deployment: Deployment, cookies: str
) -> None:
    owner = server_deployment.person()
    codes: Counter[int] = Counter()
    with ExitStack() as stack:
        for number in range(35):
            try:
                line = stack.enter_context(
                    open_websocket(
                        server_deployment,
                        f"{number:032}" if cookies == "made up" else "",
                        X_Forwarded_For=f"203.0.113.{number}",  # TRUSTED_PROXY_COUNT is 0
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
        with open_websocket(server_deployment, owner.cookies["sessionid"]) as own:
            assert json.loads(own.recv(10))["type"] == "hello"


def test_data_sent_before_a_socket_is_accepted_is_not_read(server_deployment: Deployment) -> None:
    def connect_briefly(_: int) -> None:
        with suppress(InvalidStatus, OSError, EOFError), open_websocket(server_deployment):
            pass

    head = (
        f"GET /ws/ HTTP/1.1\r\nHost: 127.0.0.1:{server_deployment.web.port}\r\n"
        f"Origin: {server_deployment.base_url}\r\n"
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    sent = 0
    with ThreadPoolExecutor(60) as crowd:
        coming = [crowd.submit(connect_briefly, number) for number in range(60)]
        until(lambda: any(task.done() for task in coming), what="the crowd is there")
        with socket.create_connection(("127.0.0.1", server_deployment.web.port), timeout=1) as line:
            line.sendall(head.encode())
            with pytest.raises(TimeoutError):
                line.recv(1)  # it waits to be closed
            with suppress(OSError):
                while sent < 40 * MB:
                    sent += line.send(b"x" * MB)
    assert sent < 10 * MB, "more than what the system keeps on the way"


def test_wrong_frames_before_a_socket_is_accepted_cause_no_traceback(
    server_deployment: Deployment,
) -> None:
    head = (
        f"GET /ws/ HTTP/1.1\r\nHost: 127.0.0.1:{server_deployment.web.port}\r\n"
        f"Origin: {server_deployment.base_url}\r\n"
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    unmasked, unknown, unfinished = b"\x81\x01x", b"\x8b\x81\0\0\0\0x", b"\x01\x81\0\0\0\0x" * 2
    for frames in (unmasked, unknown, unfinished):
        for pause in (0, 0.2):
            with socket.create_connection(("127.0.0.1", server_deployment.web.port), 10) as line:
                line.sendall(head.encode() + (b"" if pause else frames))
                time.sleep(pause)
                line.settimeout(0.5)
                with suppress(OSError):
                    line.sendall(frames)
                    while line.recv(4000):
                        pass
    with open_websocket(server_deployment, server_deployment.person().cookies["sessionid"]) as own:
        assert json.loads(own.recv(10))["type"] == "hello"
    assert "Traceback" not in server_deployment.web.output()


@pytest.mark.parametrize("server", ["daphne", "uvicorn"])
def test_a_socket_beyond_the_limit_is_refused_until_another_closes(server: Server) -> None:
    few = {"MAX_SOCKETS_PER_USER": "3", "MAX_FRAMES_PER_SECOND": "2"}
    with Deployment("embedded", server=server, environment=few) as deployment, ExitStack() as stack:
        owner, colleague = deployment.person(), deployment.person("colleague")
        cookie = owner.cookies["sessionid"]
        tabs = [stack.enter_context(open_websocket(deployment, cookie)) for _ in range(3)]
        for tab in (
            *tabs,
            stack.enter_context(open_websocket(deployment, colleague.cookies["sessionid"])),
        ):
            assert json.loads(tab.recv(10))["type"] == "hello"
        with open_websocket(deployment, cookie) as fourth, pytest.raises(ConnectionClosed):
            fourth.recv(10)
        assert fourth.close_code == 4029
        tabs[0].close()

        def is_accepted() -> bool:
            with open_websocket(deployment, cookie) as tab, suppress(ConnectionClosed):
                return bool(json.loads(tab.recv(10))["type"] == "hello")
            return False

        until(is_accepted)
        check_frames_are_limited(tabs[1], tabs[2])


def check_frames_are_limited(flooding: ClientConnection, other: ClientConnection) -> None:
    def send_many() -> None:
        with suppress(ConnectionClosed):
            for number in range(1_000):
                flooding.send(json.dumps({"type": "ping", "n": number}))

    # Read at the same time. The server drops the connection soon after its close frame, and unread
    # frames are lost.
    sending = Thread(target=send_many)
    sending.start()
    with suppress(ConnectionClosed):
        while flooding.recv(10):
            pass
    sending.join()
    assert flooding.close_code == 4030
    other.send(json.dumps({"type": "ping", "n": 7}))
    assert any(json.loads(other.recv(10)) == {"type": "pong", "n": 7} for _ in range(5))


@pytest.mark.parametrize(
    "message", ["x" * (MAX_FRAME_BYTES + 1), ["x" * 1_024] * 17], ids=["whole", "in parts"]
)
def test_a_message_that_is_too_long_ends_its_socket(
    server_deployment: Deployment, message: str | list[str]
) -> None:
    with open_websocket(server_deployment, server_deployment.person().cookies["sessionid"]) as line:
        assert json.loads(line.recv(10))["type"] == "hello"
        with suppress(ConnectionClosed):
            line.send(message)
        with suppress(ConnectionClosed):
            while line.recv(10):
                pass
    assert line.close_code in (1006, 1009)


def test_all_characters_of_the_longest_frame_are_read(server_deployment: Deployment) -> None:
    assert MAX_FRAME_BYTES == 4 * MAX_FRAME_CHARS
    with open_websocket(server_deployment, server_deployment.person().cookies["sessionid"]) as line:
        line.recv(10)
        line.send("🌊" * MAX_FRAME_CHARS)
        assert json.loads(line.recv(10))["code"] == "bad_json"


@pytest.mark.parametrize("kind", ["websockets", "websockets-sansio"])
def test_uvicorn_reads_no_longer_frames_than_necessary(kind: str) -> None:
    with Deployment("embedded", server="uvicorn", environment={"UVICORN_WS": kind}) as deployment:
        with open_websocket(deployment, deployment.person().cookies["sessionid"]) as line:
            assert json.loads(line.recv(10))["type"] == "hello"
            line.send("x" * (MAX_FRAME_BYTES + 1))
            with pytest.raises(ConnectionClosed):
                line.recv(10)
        assert line.close_code == 1009

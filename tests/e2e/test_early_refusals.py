"""A body that is refused before Django sees it gets the answer of its address, on both servers."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPResponse

import pytest

from chat.doors.registry import load_doors
from config.security import SECURITY_HEADERS
from tools.deployment.deployment import Deployment

SITE = "https://app.example"
ADDRESSES = {
    "chat completions": "/v1/chat/completions",
    "responses": "/v1/responses",
    "Durable Streams": "/v1/stream/log",
    "AI SDK": "/api/chat",
    "AG-UI": "/api/ag-ui",
    "LangGraph": "/api/langgraph/threads",
    "JSON API": "/api/conversations",
    "pages": "/c/",
}
CODES = {400: "bad_request", 408: "too_slow", 413: "too_large", 429: "too_many"}


@pytest.fixture(scope="module", params=["daphne", "uvicorn"])
def site(request: pytest.FixtureRequest) -> Iterator[Deployment]:
    with Deployment(
        "embedded", server=request.param, environment={"API_ORIGINS": SITE}
    ) as deployment:
        yield deployment


@pytest.fixture(scope="module", params=["daphne", "uvicorn"])
def strict_site(request: pytest.FixtureRequest) -> Iterator[Deployment]:
    """It waits one second for a body, and takes its free beginning alone."""
    environment = {
        "API_ORIGINS": SITE,
        "DJANGO_SETTINGS_MODULE": "tests.config.strict_site.settings",
    }
    with Deployment("embedded", server=request.param, environment=environment) as deployment:
        yield deployment


def open_request(
    site: Deployment, address: str, lines: str, *, method: str = "POST", origin: str = SITE
) -> socket.socket:
    line = socket.create_connection(("127.0.0.1", site.web.port), timeout=20)
    head = f"{method} {address} HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: {origin}\r\n"
    line.sendall(f"{head}{lines}\r\n".encode())
    return line


def read_answer(line: socket.socket) -> tuple[int, dict[str, str], bytes]:
    with line, HTTPResponse(line) as answer:
        answer.begin()
        names = [name.lower() for name, _ in answer.getheaders()]
        assert len(names) == len(set(names)), names
        headers = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, headers, answer.read(int(headers["content-length"]))


def check_answer(
    name: str, expected: int, status: int, headers: dict[str, str], body: bytes
) -> None:
    assert status == expected
    assert headers["connection"] == "close"
    assert headers.get("retry-after") == ("5" if status == 429 else None)
    for header, value in SECURITY_HEADERS.items():
        assert headers[header.lower()] == value or header == "Cache-Control"
    assert "no-store" in headers["cache-control"]
    if name == "pages":
        assert headers["content-type"] == "text/plain; charset=utf-8"
        assert "access-control-allow-origin" not in headers
        return
    assert headers["access-control-allow-origin"] == SITE
    assert headers["vary"] == "Origin"
    assert "Retry-After" in headers["access-control-expose-headers"]
    door = next((d for d in load_doors() if d.has_path(ADDRESSES[name])), None)
    if door is None:
        problem = json.loads(body)
        assert headers["content-type"] == "application/problem+json"
        assert (problem["status"], problem["code"]) == (status, CODES[status])
    else:
        assert (body, headers["content-type"]) == door.encode_error(status)


def test_the_table_has_each_door() -> None:
    named = {
        door.path for door in load_doors() for path in ADDRESSES.values() if door.has_path(path)
    }
    assert named == {door.path for door in load_doors()}


@pytest.mark.parametrize(
    "lines", ["Content-Length: 999999999\r\n", "Transfer-Encoding: chunked\r\n"]
)
@pytest.mark.parametrize("name", ADDRESSES)
def test_a_body_that_is_too_long(site: Deployment, name: str, lines: str) -> None:
    line = open_request(site, ADDRESSES[name], lines)
    if "chunked" in lines:
        with suppress(OSError):
            line.sendall(b"50000\r\n" + b"x" * 0x50000 + b"\r\n")
    check_answer(name, 413, *read_answer(line))


@pytest.mark.parametrize("name", ["JSON API", "pages"])
def test_another_site_may_not_read_the_answer(site: Deployment, name: str) -> None:
    line = open_request(
        site, ADDRESSES[name], "Content-Length: 999999999\r\n", origin="https://other.example"
    )
    status, headers, _ = read_answer(line)
    assert status == 413
    assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize("name", ["JSON API", "pages"])
def test_an_answer_to_head_has_no_body(site: Deployment, name: str) -> None:
    line = open_request(site, ADDRESSES[name], "Content-Length: 999999999\r\n", method="HEAD")
    answer = b""
    with line, suppress(OSError):
        while part := line.recv(65_536):
            answer += part
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("is_person", [True, False], ids=["person", "visitor"])
def test_a_client_that_sends_too_much_at_once(strict_site: Deployment, is_person: bool) -> None:
    token = strict_site.person().create_token("read", "write", "gateway") if is_person else ""
    lines = f"Authorization: Bearer {token}\r\n" if is_person else ""
    for name, address in ADDRESSES.items():
        line = open_request(strict_site, address, f"{lines}Content-Length: 200000\r\n")
        with suppress(OSError):
            line.sendall(b"x" * 200_000)
        check_answer(name, 429, *read_answer(line))


@pytest.mark.parametrize("name", ADDRESSES)
def test_a_body_that_never_ends(strict_site: Deployment, name: str) -> None:
    line = open_request(strict_site, ADDRESSES[name], "Content-Length: 2\r\n")
    line.sendall(b"x")
    check_answer(name, 408, *read_answer(line))


def test_a_connection_is_closed_after_its_refusal(strict_site: Deployment) -> None:
    with open_request(strict_site, "/api/conversations", "Content-Length: 2\r\n") as line:
        answer = b""
        while part := line.recv(65_536):
            answer += part
    assert answer.count(b"HTTP/1.1 ") == 1


def test_a_connection_that_waits_for_its_next_request_is_not_refused(
    strict_site: Deployment,
) -> None:
    with open_request(strict_site, "/healthz", "Content-Length: 1\r\n\r\nx", method="GET") as line:
        line.settimeout(3)
        answer = b""
        with suppress(TimeoutError):
            while part := line.recv(65_536):
                answer += part
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b" 408 " not in answer


@pytest.mark.parametrize("site", ["daphne"], indirect=True)
@pytest.mark.parametrize("name", ADDRESSES)
def test_a_header_that_daphne_can_not_read(site: Deployment, name: str) -> None:
    """Uvicorn reads it."""
    line = open_request(site, ADDRESSES[name], "Content-Length: 0\r\nX-Forwarded-For: \u00e9\r\n")
    status, headers, body = read_answer(line)
    headers |= {"connection": "close"}
    check_answer(name, 400, status, headers, body)

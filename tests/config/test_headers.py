"""Every response has the security headers, whichever part answers. The exceptions stand in
`config.security.HEADER_EXCEPTIONS` and nowhere else."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain

import pytest

from config.security import (
    ADMIN_CONTENT_SECURITY_POLICY,
    CONTENT_SECURITY_POLICY,
    HEADER_EXCEPTIONS,
    SECURITY_HEADERS,
)
from tests.config.https_site import (
    CLIENT_ADDRESS,
    ENVIRONMENT,
    HOST,
    ORIGIN,
    ProxiedBrowser,
    parse_head,
    send_raw,
    sign_up_administrator,
)
from tests.fuzz.site import Address, list_addresses
from tools.deployment.deployment import Deployment

HSTS = "Strict-Transport-Security"
UNKNOWN_ID = "00000000-0000-0000-0000-000000000000"
VALUES = {"id": UNKNOWN_ID, "uuid": UNKNOWN_ID, "language": "en-gb", "provider": "openai"}
PROXY = f"Host: {HOST}\r\nX-Forwarded-For: {CLIENT_ADDRESS}\r\nX-Forwarded-Proto: https\r\n"
UPGRADE = f"{PROXY}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
HANDSHAKE = f"{UPGRADE}Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: {ORIGIN}\r\n"
TOO_LONG = "Content-Length: 99999999\r\n"

ANSWERED_BEFORE_DJANGO = {
    "the health check": ("GET", "/healthz", PROXY, 200),
    "a body that is too long": ("POST", "/c/", PROXY + TOO_LONG, 413),
    "a body to an address without one": ("GET", "/c/", PROXY + TOO_LONG, 413),
    "events without a session": ("GET", "/api/streams/events", PROXY, 401),
    "events with another method": ("PUT", "/api/streams/events", PROXY, 405),
    "events of a foreign page": ("GET", "/api/streams/events", PROXY + "Origin: null\r\n", 403),
}
ANSWERED_TO_SOCKETS = {
    "a socket": ("/ws/", HANDSHAKE, {101}),
    "a socket of another origin": ("/ws/", HANDSHAKE + "X-No: 1\r\n", {101}),
    "a socket of a foreign page": (
        "/ws/",
        HANDSHAKE.replace(ORIGIN, "https://elsewhere.example"),
        {403},
    ),
    "a socket of plain http": ("/ws/", HANDSHAKE.replace("https:", "http:"), {403}),
    "a socket at a wrong address": ("/nowhere", HANDSHAKE, {403, 404}),
    "a socket without a key": ("/ws/", UPGRADE, {400}),
    "a socket of an old version": ("/ws/", HANDSHAKE.replace(": 13", ": 7"), {400, 426}),
}
MALFORMED = {
    "a request line without a version": b"GET /\r\n\r\n",
    "a request line of nothing": b"\0\0\0\r\n\r\n",
    "a header without a name": b"GET / HTTP/1.1\r\nHost: x\r\n: x\r\n\r\n",
    "a length that is no number": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    "an unknown transfer": b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: x\r\n\r\n",
    "a path that is not ASCII": b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
    "a query that is not ASCII": b"GET /?\xff HTTP/1.1\r\nHost: x\r\n\r\n",
    "a header that is not ASCII": b"GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: \xff\r\n\r\n",
}
"""Requests that a server refuses by itself, or the application for their unknown host."""
ANSWERED_OVER_HTTP = {
    "a body that is too long": f"POST /c/ HTTP/1.1\r\n{PROXY}{TOO_LONG}\r\n",
    "a socket of an old version": f"GET /ws/ HTTP/1.1\r\n{HANDSHAKE.replace(': 13', ': 7')}\r\n",
    "a socket without a key": f"GET /ws/ HTTP/1.1\r\n{UPGRADE}\r\n",
}


@pytest.fixture(scope="module")
def openid_visitor() -> Iterator[ProxiedBrowser]:
    """A visitor of an installation with a server for sign-in."""
    row = {"id": "work", "url": "https://id.example.org", "client_id": "holdfast"}
    environment = ENVIRONMENT | {"OPENID_SERVERS": json.dumps([row])}
    with Deployment("embedded", environment=environment) as deployment:
        sign_up_administrator(deployment, "administrator@holdfast.test").close()
        visitor = ProxiedBrowser(deployment)
        yield visitor
        visitor.close()


def find_faults(path: str, status: int, headers: Mapping[str, str]) -> list[str]:
    """Return what an answer over HTTPS lacks or has of another value, and has no exception."""
    excused = {
        name
        for exception in HEADER_EXCEPTIONS
        if re.fullmatch(exception.path, path) and status in (exception.statuses or (status,))
        for name in exception.headers
    }
    faults = [
        f"{path} ({status}): {name} is {headers.get(name.lower())!r}"
        for name, value in SECURITY_HEADERS.items()
        if name not in excused and headers.get(name.lower()) != value and name != "Cache-Control"
    ]
    if "Cache-Control" not in excused and "no-store" not in headers.get("cache-control", ""):
        faults.append(f"{path} ({status}): may be stored, {headers.get('cache-control')!r}")
    if HSTS not in excused and "max-age=31536000" not in headers.get(HSTS.lower(), ""):
        faults.append(f"{path} ({status}): has no {HSTS}")
    return faults


def fill_path(address: Address) -> str:
    return address.template % {name: VALUES.get(name, "1") for name in address.names}


def list_paths() -> Iterator[str]:
    yield from sorted({fill_path(address) for address in list_addresses()})
    yield from ("/nowhere/", "/static/nowhere.css", "/static/css/base.css", "/c/%00", "//a/b")


def check(browser: ProxiedBrowser, method: str, path: str) -> list[str]:
    headers = {"HX-Request": "true"} if method == "POST" else {}
    response = browser.request(method, path, headers=headers)
    assert response.status_code < 500, path
    pairs = [name.lower() for name, _ in response.headers.multi_items() if name != "set-cookie"]
    doubled = {name for name in pairs if pairs.count(name) > 1}
    assert not doubled, f"{path}: {doubled}"
    return find_faults(path, response.status_code, dict(response.headers))


def check_as_visitor(visitor: ProxiedBrowser, method: str) -> list[str]:
    """Many at once, because some forms are answered at full seconds. Each page of the admin asks a
    visitor to sign in."""
    paths = [path for path in list_paths() if not path.startswith("/admin/")]
    with ThreadPoolExecutor(max_workers=20) as pool:
        return [*chain.from_iterable(pool.map(partial(check, visitor, method), paths))]


def test_every_address_has_the_headers_for_an_administrator(
    administrator: ProxiedBrowser,
) -> None:
    cookies = dict(administrator.cookies)
    faults = []
    for path in list_paths():
        administrator.cookies = dict(cookies)
        faults += check(administrator, "GET", path)
    administrator.cookies = cookies
    assert faults == []


def test_the_admin_has_a_policy_of_its_own(administrator: ProxiedBrowser) -> None:
    """That of the other pages, but for what jQuery needs."""
    policy = administrator.get("/admin/").headers["content-security-policy"]
    assert policy == ADMIN_CONTENT_SECURITY_POLICY
    assert policy.removesuffix(" default") == CONTENT_SECURITY_POLICY


def test_every_address_has_the_headers_for_a_visitor(
    open_browser: Callable[..., ProxiedBrowser],
) -> None:
    assert check_as_visitor(open_browser(), "POST") == []


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_every_address_has_the_headers_where_people_sign_in_with_other_servers(
    openid_visitor: ProxiedBrowser, method: str
) -> None:
    assert check_as_visitor(openid_visitor, method) == []
    policy = openid_visitor.get("/accounts/login/").headers["content-security-policy"]
    assert "form-action 'self' https://id.example.org;" in policy


@pytest.mark.parametrize("name", ANSWERED_BEFORE_DJANGO)
def test_an_answer_before_django_has_the_headers(https_deployment: Deployment, name: str) -> None:
    method, path, headers, expected = ANSWERED_BEFORE_DJANGO[name]
    sent = f"{method} {path} HTTP/1.1\r\n{headers}\r\n".encode()
    status, received = parse_head(send_raw(https_deployment.web.port, sent))
    assert status == expected
    assert find_faults(path, status, received) == []


@pytest.mark.parametrize("name", ANSWERED_TO_SOCKETS)
def test_a_handshake_has_the_headers(https_deployment: Deployment, name: str) -> None:
    path, headers, expected = ANSWERED_TO_SOCKETS[name]
    sent = f"GET {path} HTTP/1.1\r\n{headers}\r\n".encode()
    status, received = parse_head(send_raw(https_deployment.web.port, sent))
    assert status in expected
    assert find_faults(path, status, received) == []


@pytest.mark.parametrize("name", MALFORMED)
def test_a_refusal_of_the_server_has_the_headers(https_deployment: Deployment, name: str) -> None:
    status, received = parse_head(send_raw(https_deployment.web.port, MALFORMED[name]))
    assert status == 400
    assert find_faults("", status, received) == []


@pytest.mark.parametrize("name", ANSWERED_OVER_HTTP)
def test_an_answer_over_plain_http_has_no_hsts(https_deployment: Deployment, name: str) -> None:
    """RFC 6797, section 7.2. The other headers are there."""
    sent = ANSWERED_OVER_HTTP[name].replace("Proto: https", "Proto: http")
    status, received = parse_head(send_raw(https_deployment.web.port, sent.encode()))
    assert status >= 400
    assert HSTS.lower() not in received
    assert find_faults("", status, received) == [f" ({status}): has no {HSTS}"]


def test_a_refusal_of_long_headers_has_the_headers(https_deployment: Deployment) -> None:
    # Both servers have just read all of it. With more, closing would reset the connection.
    count = 17 if https_deployment.server == "daphne" else 66
    sent = b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: %s\r\n" % (b"x" * 1_000) * count + b"\r\n"
    status, received = parse_head(send_raw(https_deployment.web.port, sent))
    assert status == 400
    assert find_faults("", status, received) == []


def test_each_exception_has_a_reason() -> None:
    names = {*SECURITY_HEADERS, HSTS}
    assert all(
        exception.reason and set(exception.headers) <= names for exception in HEADER_EXCEPTIONS
    )

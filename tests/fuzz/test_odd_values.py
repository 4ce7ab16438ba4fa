"""No odd method, id, query or field makes an answer a server error, adds a header, or leads to
another site. Every address of the URL conf, and every fourth of the admin, is tried with some of
them. `make prove` has 52 such rounds, each with other values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from urllib.parse import quote, quote_from_bytes, urljoin, urlsplit

import pytest
from django.core.cache import cache
from django.test import Client
from pytest_django import Settings

from tests.fuzz.people import People
from tests.fuzz.post_routes import COMMON_FIELDS, Route, find_fields, list_routes

pytestmark = [pytest.mark.prove, pytest.mark.django_db(transaction=True)]

PROVE_ROUNDS = 52
URLENCODED = "application/x-www-form-urlencoded"
METHODS = ("GET", "HEAD", "OPTIONS", "TRACE", "PUT", "PATCH", "DELETE", "CONNECT", "BREW")
LOCATION_HEADERS = ("Location", "HX-Location", "HX-Redirect", "HX-Push-Url", "HX-Replace-Url")
TARGETS: tuple[bytes, ...] = (
    *(b"abc", b"?x", b"#", b"a b", b"//evil.example", b"\\\\evil.example", b"/\\evil.example"),
    *(b"/\t/evil.example", b"\x01//evil.example", b"https:evil.example", b"http:///evil.example"),
    *(b"https://evil.example", b"//evil.example@127.0.0.1", b"javascript:alert(1)", b"http://["),
    *(b"/\r\nX-Odd: evil", b"/%0d%0aX-Odd:%20evil", b"/\0", b"/\xff\xfe", b"\xc0\xaf/evil.example"),
    *("/\u202eevil".encode(), "//evil。example".encode(), b"/\xed\xa0\x80", b"x" * 10_000),
)
"""Addresses to go to next, as bytes: some are no text."""
TEXTS: tuple[bytes, ...] = (
    *(b"a\0b", b"\xed\xa0\x80", b"\xff", "\u202eevil\u2066".encode(), b"a\r\nX-Odd: evil"),
    *(b"", b" ", b"-1", b"9" * 400, b"NaN", b"[]", b"x" * 10_000, "\ufeff\u200b".encode()),
)
IDS: tuple[str, ...] = (
    *("0", "-1", "1.5", "9" * 30, "9" * 400, "x", "%00", "%0d%0aX-Odd:evil", "%ff", "%ed%a0%80"),
    *("..", "%2e%2e", "a%2fb", "%e2%80%ae", "%5c%5cevil.example", "_", "_3A", "_0", "%20", "~"),
    *("00000000-0000-0000-0000-000000000000", "{0}", "urn:uuid:0", "%F0%9F%90%99", "x" * 3000),
)


@dataclass
class Visitor:
    """Sends requests in the session of a role, and keeps a list of the faults of answers."""

    role: str
    people: People
    faults: list[str] = field(default_factory=list)
    requests: int = 0

    def send(self, method: str, path: str, body: bytes = b"", *, htmx: bool = False) -> None:
        if self.requests % 50 == 0:
            self.people.restore()  # a request may have signed out, or have deleted something
        self.requests += 1
        client = Client(raise_request_exception=False)
        if session := self.people.sessions[self.role]:
            client.cookies["sessionid"] = session
        headers = {"HX-Request": "true"} if htmx else {}
        answer = client.generic(method, path, body, URLENCODED, headers=headers)
        self.faults += [
            f"{self.role}: {method} {path[:200]} {body[:200]!r}: {fault}"
            for fault in find_faults(answer)
        ]

    def fill(self, route: Route, odd: str | None = None) -> str:
        ids = self.people.ids["administrator"]
        values = {name: ids.get(name, ["1"])[0] for name in route.names}
        return route.template % {name: odd or value for name, value in values.items()}


def find_faults(answer: Any) -> Iterator[str]:
    if answer.status_code >= 500:
        yield f"answered {answer.status_code}"
    for name, value in [*answer.headers.items(), ("Set-Cookie", str(answer.cookies.output()))]:
        if name.lower() == "x-odd" or "\nx-odd" in value.lower():
            yield f"{name} is {value!r}"
    for name in LOCATION_HEADERS:
        if name in answer.headers and not is_own(answer.headers[name]):
            yield f"{name} leads to {answer.headers[name]!r}"


def is_own(location: str) -> bool:
    """As a browser reads it: control characters at the ends, tabs and line ends count for nothing,
    and a backslash is a slash."""
    read = location.strip("".join(map(chr, range(33))))
    for char in "\t\r\n":
        read = read.replace(char, "")
    url = urlsplit(urljoin("http://testserver/here/", read.replace("\\", "/")))
    return (url.scheme, url.netloc) == ("http", "testserver")


@pytest.fixture(autouse=True)
def disable_limits(settings: Settings) -> Iterator[None]:
    """Switch off the limits that would soon refuse so many requests, and the providers."""
    settings.ACCOUNT_RATE_LIMITS = False
    settings.MAX_MESSAGES_PER_MINUTE = settings.MAX_UNFINISHED_REPLIES_PER_USER = 10**6
    for name in ("OPENAI", "ANTHROPIC", "GOOGLE_GEMINI"):
        setattr(settings, f"{name}_BASE_URL", "http://127.0.0.1:9/v1")
    yield
    cache.clear()


@pytest.fixture
def visitors() -> list[Visitor]:
    people = People()
    people.restore()
    return [Visitor(role, people) for role in ("anonymous", "administrator")]


def list_sent(routes: list[Route], round: int) -> Iterator[tuple[Route, str, bytes | str, str]]:
    """The route, the method, the odd value, and the name of a field. Each round has other ones."""
    turns = count(round)

    def choose(values: tuple[Any, ...], number: int = 1) -> list[Any]:
        turn = next(turns)
        return [values[(turn + at) % len(values)] for at in range(number)]

    for route in routes:
        fields = find_fields(route) or ()
        is_admin = route.template.startswith("/admin/")
        if is_admin and next(turns) % 4:
            continue
        yield from ((route, method, "", "") for method in choose(METHODS))
        if route.names:
            yield from ((route, "GET", odd, "") for odd in choose(IDS))
            yield from ((route, "POST", odd, "") for odd in choose(IDS))
        if not is_admin:
            yield from ((route, "GET", target, "next") for target in choose(TARGETS))
        if "next" in fields:
            yield from ((route, "POST", target, "next") for target in choose(TARGETS, 2))
        for name in choose((*fields, *COMMON_FIELDS)):
            yield from ((route, "POST", text, name) for text in choose(TEXTS))


def try_round(visitors: list[Visitor], round: int) -> None:
    for number, (route, method, odd, name) in enumerate(list_sent(list_routes(), round), round):
        visitor = visitors[number % 2]
        path, body = visitor.fill(route, odd if isinstance(odd, str) else None), b""
        if isinstance(odd, bytes):
            body = f"{quote(name)}={quote_from_bytes(odd, safe='')}".encode()
        if method == "GET" and body:
            path, body = f"{path}?{body.decode()}", b""
        visitor.send(method, path, body, htmx=number % 3 == 0)


def test_no_odd_value_is_a_server_error_or_leads_away(visitors: list[Visitor]) -> None:
    try_round(visitors, 1)
    assert [fault for visitor in visitors for fault in visitor.faults] == []


def test_an_odd_next_address_leads_nowhere_else(visitors: list[Visitor]) -> None:
    paths = ("/theme/", "/type/", "/accounts/login/", "/accounts/logout/")
    for number, target in enumerate(TARGETS):
        body = b"next=" + quote_from_bytes(target, safe="").encode()
        for path in paths:
            visitors[number % 2].send("POST", path, body)
    assert [fault for visitor in visitors for fault in visitor.faults] == []


@pytest.mark.prove
@pytest.mark.timeout(1800)
def test_every_odd_value_at_every_address(visitors: list[Visitor]) -> None:
    for round in range(PROVE_ROUNDS):
        try_round(visitors, round)
    print(sum(visitor.requests for visitor in visitors), "requests")
    assert [fault for visitor in visitors for fault in visitor.faults] == []


@pytest.mark.parametrize(
    "location", ["//evil.example", "/\\evil.example", "\t//evil.example", "https:/evil.example/"]
)
def test_a_location_of_another_site_is_noticed(location: str) -> None:
    """The check itself could fail."""
    assert not is_own(location)
    assert is_own("/settings/?next=//evil.example")

"""Which client a request or a socket comes from: one answer, whatever a proxy or a cookie says."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from django.test import RequestFactory

from accounts.adapter import AccountAdapter
from streaming import protocol
from streaming.addresses import address_of, session_of
from streaming.consumers import (
    MAX_UNTOLD_SECONDS,
    UNWELCOME,
    UNWELCOME_ADDRESSES,
    UNWELCOME_PER_SECOND,
    Unwelcome,
)

KEY, OTHER = "a" * 32, "b" * 32


@pytest.mark.parametrize(
    ("proxies", "forwarded", "client"),
    [
        (0, "203.0.113.9", "192.0.2.1"),
        (1, None, "192.0.2.1"),
        (2, "203.0.113.9", "192.0.2.1"),
        (1, "10.0.0.1, 203.0.113.9", "203.0.113.9"),
        (1, "203.0.113.9:5678", "203.0.113.9"),
        (1, "[2001:db8::1]:443", "2001:db8::/64"),
        (1, "::ffff:203.0.113.9", "203.0.113.9"),
        (1, "unknown", "192.0.2.1"),
        (1, "[", "192.0.2.1"),
    ],
)
def test_pages_and_sockets_count_the_same_client(
    settings: Any, proxies: int, forwarded: str | None, client: str
) -> None:
    settings.PROXIES = settings.ALLAUTH_TRUSTED_PROXY_COUNT = proxies
    headers = {} if forwarded is None else {"HTTP_X_FORWARDED_FOR": forwarded}
    request = RequestFactory().get("/")
    request.META |= {"REMOTE_ADDR": "192.0.2.1", **headers}
    assert AccountAdapter().get_client(request).removesuffix("/32") == client
    raw = [] if forwarded is None else [(b"x-forwarded-for", forwarded.encode())]
    assert address_of({"client": ("192.0.2.1", 1), "headers": raw}) == client


@pytest.mark.parametrize(
    "cookies",
    [f"sessionid={OTHER}; sessionid={KEY}", f'sessionid="{KEY}"', f"a=b; sessionid = {KEY}"],
)
def test_the_session_is_the_one_that_django_reads(cookies: str) -> None:
    assert session_of([(b"cookie", cookies.encode())]) == KEY
    assert RequestFactory(HTTP_COOKIE=cookies).get("/").COOKIES["sessionid"] == KEY


def test_the_last_session_counts_even_if_it_is_none() -> None:
    assert session_of([(b"cookie", f"sessionid={KEY}; sessionid=x".encode())]) is None


async def test_places_are_taken_before_it_is_known_who_comes() -> None:
    doors = Unwelcome()
    assert sum(doors.reserve("a") for _ in range(300)) == UNWELCOME
    doors.settle("a", leaves=False)
    assert doors.reserve("a"), "one was welcome"
    for _ in range(UNWELCOME):
        doors.settle("a", leaves=True)
    assert not doors.reserve("a")
    assert doors.reserve("b")


async def test_a_crowd_of_unwelcome_sockets_is_told_to_go_at_a_pace() -> None:
    doors = Unwelcome()
    waits = [doors.take_pace(protocol.SIGNED_OUT) for _ in range(5)]
    assert not doors.is_crowd()
    waits += [doors.take_pace(protocol.SIGNED_OUT) for _ in range(500)]
    assert doors.is_crowd()
    assert waits[0] == 0
    assert waits[50] == pytest.approx(50 / UNWELCOME_PER_SECOND, abs=0.5)
    assert max(waits) <= MAX_UNTOLD_SECONDS
    assert doors.take_pace(protocol.BROKEN) == 0, "without a database nobody is known"


async def test_a_flood_from_many_addresses_is_not_remembered_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    doors = Unwelcome()
    reserved = [str(n) for n in range(2 * UNWELCOME_ADDRESSES) if doors.reserve(str(n))]
    assert len(reserved) == UNWELCOME_ADDRESSES
    monkeypatch.setattr("streaming.consumers.LEAVING_SECONDS", 0.0)
    for address in reserved:
        doors.settle(address, leaves=True)
    await asyncio.sleep(0)
    assert doors.reserve("another")
    assert (len(doors._held), len(doors._leaving)) == (1, 0)

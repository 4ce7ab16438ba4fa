"""Requests and sockets identify their client in the same way, also behind proxies."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from django.test import RequestFactory

from accounts.adapter import AccountAdapter
from streaming.doors import frames
from streaming.doors.client_identity import get_rate_limit_address, get_session_key
from streaming.doors.unverified import (
    MAX_REFUSAL_DELAY_SECONDS,
    MAX_REFUSALS_PER_SECOND,
    MAX_UNVERIFIED_ADDRESSES,
    MAX_UNVERIFIED_PER_ADDRESS,
    UnverifiedSockets,
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
def test_pages_and_sockets_identify_the_same_client(
    settings: Any, proxies: int, forwarded: str | None, client: str
) -> None:
    settings.STREAMING_TRUSTED_PROXY_COUNT = settings.ALLAUTH_TRUSTED_PROXY_COUNT = proxies
    headers = {} if forwarded is None else {"HTTP_X_FORWARDED_FOR": forwarded}
    request = RequestFactory().get("/")
    request.META |= {"REMOTE_ADDR": "192.0.2.1", **headers}
    assert AccountAdapter().get_client_network(request).removesuffix("/32") == client
    raw = [] if forwarded is None else [(b"x-forwarded-for", forwarded.encode())]
    assert get_rate_limit_address({"client": ("192.0.2.1", 1), "headers": raw}) == client


@pytest.mark.parametrize(
    "cookies",
    [f"sessionid={OTHER}; sessionid={KEY}", f'sessionid="{KEY}"', f"a=b; sessionid = {KEY}"],
)
def test_the_session_cookie_is_the_one_that_django_reads(cookies: str) -> None:
    assert get_session_key([(b"cookie", cookies.encode())]) == KEY
    assert RequestFactory(HTTP_COOKIE=cookies).get("/").COOKIES["sessionid"] == KEY


def test_the_last_session_cookie_counts_even_if_it_is_empty() -> None:
    assert get_session_key([(b"cookie", f"sessionid={KEY}; sessionid=x".encode())]) is None


async def test_slots_are_reserved_before_the_client_is_identified() -> None:
    sockets = UnverifiedSockets()
    assert sum(sockets.reserve_slot("a") for _ in range(300)) == MAX_UNVERIFIED_PER_ADDRESS
    sockets.release_slot("a", is_closing=False)
    assert sockets.reserve_slot("a"), "a released slot is free"
    for _ in range(MAX_UNVERIFIED_PER_ADDRESS):
        sockets.release_slot("a", is_closing=True)
    assert not sockets.reserve_slot("a")
    assert sockets.reserve_slot("b")


async def test_many_refused_sockets_are_closed_at_a_limited_rate() -> None:
    sockets = UnverifiedSockets()
    waits = [sockets.reserve_refusal(frames.CLOSE_SIGNED_OUT) for _ in range(5)]
    assert not sockets.is_overloaded()
    waits += [sockets.reserve_refusal(frames.CLOSE_SIGNED_OUT) for _ in range(500)]
    assert sockets.is_overloaded()
    assert waits[0] == 0
    assert waits[50] == pytest.approx(50 / MAX_REFUSALS_PER_SECOND, abs=0.5)
    assert max(waits) <= MAX_REFUSAL_DELAY_SECONDS
    assert sockets.reserve_refusal(frames.CLOSE_INTERNAL_ERROR) == 0, (
        "a socket without a database is not refused"
    )


async def test_a_flood_from_many_addresses_is_forgotten_in_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sockets = UnverifiedSockets()
    reserved = [str(n) for n in range(2 * MAX_UNVERIFIED_ADDRESSES) if sockets.reserve_slot(str(n))]
    assert len(reserved) == MAX_UNVERIFIED_ADDRESSES
    monkeypatch.setattr("streaming.doors.unverified.CLOSE_HANDSHAKE_SECONDS", 0.0)
    for address in reserved:
        sockets.release_slot(address, is_closing=True)
    await asyncio.sleep(0)
    assert sockets.reserve_slot("another")
    assert (len(sockets._counts), len(sockets._closing)) == (1, 0)

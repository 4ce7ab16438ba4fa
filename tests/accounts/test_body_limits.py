"""A long body is accepted from signed-in users; a forged cookie is not enough."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db.utils import OperationalError
from django.test import AsyncClient, Client

from accounts.models import User
from config import body_budget, body_limits
from config.body_budget import MAX_BODY_BYTES_PER_USER, BodyReservation
from config.body_limits import MAX_ANONYMOUS_BYTES
from config.credential_owners import CACHE_SECONDS, CredentialOwnerCache
from config.request_queue import USER_ID_KEY
from streaming.doors.credentials import Credential
from tests.factories import sign_in

pytestmark = pytest.mark.django_db(transaction=True)
LONG_BODY_BYTES = 2**20
LONG_BODY = b"x" * LONG_BODY_BYTES


async def send_long_body(session: str, *, with_length: bool, body: bytes = LONG_BODY) -> list[Any]:
    """Return that the application gets the body, or the status of a refusal."""
    results: list[Any] = []
    messages = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive() -> dict[str, Any]:
        return next(messages, {"type": "http.disconnect"})

    async def send(message: dict[str, Any]) -> None:
        if "status" in message:
            results.append(message["status"])

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass
        results.append("accepted")

    headers = [(b"cookie", f"sessionid={session}".encode())]
    if with_length:
        headers.append((b"content-length", str(len(body)).encode()))
    scope = {"type": "http", "method": "POST", "path": "/c/", "headers": headers}
    await body_limits.limit_body(app)(scope, receive, send)
    return results


@pytest.fixture
def session(owner: User) -> str:
    client = Client()
    sign_in(client, owner)
    return client.cookies["sessionid"].value


@pytest.mark.parametrize("with_length", [True, False])
async def test_a_long_body_needs_a_signed_in_session(
    owner: User, session: str, monkeypatch: pytest.MonkeyPatch, with_length: bool
) -> None:
    cache = CredentialOwnerCache()
    monkeypatch.setattr(body_limits, "credential_owners", cache)
    assert await send_long_body("a" * 32, with_length=with_length) == [413]
    assert await send_long_body(session, with_length=with_length) == ["accepted"]
    assert cache.get_cached_owner(Credential(session, is_token=False)) == owner.pk
    assert await send_long_body("b" * 32, with_length=with_length) == [413]


async def test_a_long_body_waits_for_no_visitor_if_its_session_is_valid(
    session: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The visitors have used up what they may hold. A later visitor is refused, and a person who
    this process does not know yet is looked up."""
    cache = CredentialOwnerCache()
    monkeypatch.setattr(body_limits, "credential_owners", cache)
    monkeypatch.setattr(body_budget, "credential_owners", cache)
    monkeypatch.setattr(body_budget, "MAX_BODY_BYTES_OF_VISITORS", body_budget.FREE_BODY_BYTES)
    body = LONG_BODY[: MAX_ANONYMOUS_BYTES // 2]
    assert await send_long_body("a" * 32, with_length=False, body=body) == [429]
    assert await send_long_body(session, with_length=False, body=body) == ["accepted"]
    short = LONG_BODY[: body_budget.FREE_BODY_BYTES]
    assert await send_long_body("a" * 32, with_length=False, body=short) == ["accepted"]


def test_a_person_can_send_again_once_a_body_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cache = CredentialOwnerCache()
    monkeypatch.setattr(body_budget, "credential_owners", cache)
    cache.set_owner(Credential("a" * 32, is_token=False), 1)
    headers = [(b"cookie", b"sessionid=" + b"a" * 32)]
    first, second = (BodyReservation(headers, "192.0.2.1") for _ in range(2))
    assert first.try_add(MAX_BODY_BYTES_PER_USER)
    assert not second.try_add(body_budget.FREE_BODY_BYTES * 2 + 1)
    with BodyReservation([], "192.0.2.1") as visitor:
        assert visitor.try_add(LONG_BODY_BYTES)
    first.release()
    first.release()
    assert second.try_add(LONG_BODY_BYTES)
    second.release()


def test_a_body_in_pieces_of_one_byte_needs_no_memory_for_each() -> None:
    """A chunked body may be cut so, at six bytes on the line for each."""
    reservation, count = BodyReservation([], "192.0.2.1"), 200_000
    tracemalloc.start()
    try:
        assert all(reservation.try_add(1) for _ in range(count))
        assert tracemalloc.get_traced_memory()[0] < count / 10
    finally:
        tracemalloc.stop()
        reservation.release()


def test_a_piece_is_counted_without_adding_up_all_addresses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Unsummed(Counter[str]):
        def total(self) -> int:
            raise AssertionError("it took time for each address")

    sums = Unsummed()
    monkeypatch.setattr(body_budget, "_bytes_by_address", sums)
    monkeypatch.setattr(body_budget, "MAX_BODY_BYTES_OF_VISITORS", 5_000)
    bodies = [BodyReservation([], f"192.0.2.{number}") for number in range(6)]
    sizes = [body_budget.FREE_BODY_BYTES + 1_000] * 6
    assert [*map(BodyReservation.try_add, bodies, sizes)] == [True] * 5 + [False]
    bodies[0].release()
    assert bodies[5].try_add(sizes[5])
    for body in bodies:
        body.release()
    assert not sums


async def test_a_long_body_gets_503_during_an_outage(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def fail(credential: Credential) -> Any:
        raise OperationalError

    monkeypatch.setattr(body_limits, "credential_owners", CredentialOwnerCache(fail))
    assert await send_long_body("a" * 32, with_length=True) == [503]


def test_an_ended_session_has_no_owner(owner: User) -> None:
    client = AsyncClient()
    sign_in(client, owner)
    page = async_to_sync(client.get)("/")
    assert page.asgi_request.scope[USER_ID_KEY] == owner.pk
    signed_out = async_to_sync(client.post)("/accounts/logout/")
    assert signed_out.asgi_request.scope[USER_ID_KEY] is None


def test_the_cached_owner_of_a_session_is_valid_for_a_minute(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 1_000.0
    monkeypatch.setattr("config.credential_owners.time.monotonic", lambda: now)
    cache = CredentialOwnerCache()
    session = Credential("a" * 32, is_token=False)
    cache.set_owner(session, 1)
    now += CACHE_SECONDS - 1
    assert cache.get_cached_owner(session) == 1
    now += 2
    assert cache.get_cached_owner(session) is None

"""A long body is accepted from signed-in users; a forged cookie is not enough."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db.utils import OperationalError
from django.test import AsyncClient, Client

from accounts.models import User
from config import body_limits
from config.request_queue import USER_ID_KEY
from config.session_owners import CACHE_SECONDS, SessionOwnerCache
from tests.factories import sign_in

pytestmark = pytest.mark.django_db(transaction=True)
LONG = b"x" * 2**20


async def post(session: str, *, says_length: bool) -> list[Any]:
    """Return the body that the application gets, or the status of a refusal."""
    got: list[Any] = []
    sent = iter([{"type": "http.request", "body": LONG, "more_body": False}])

    async def receive() -> dict[str, Any]:
        return next(sent, {"type": "http.disconnect"})

    async def send(message: dict[str, Any]) -> None:
        if "status" in message:
            got.append(message["status"])

    async def app(scope: Any, receive: Any, send: Any) -> None:
        got.append("taken")

    headers = [(b"cookie", f"sessionid={session}".encode())]
    if says_length:
        headers.append((b"content-length", str(len(LONG)).encode()))
    scope = {"type": "http", "method": "POST", "path": "/c/", "headers": headers}
    await body_limits.limit_body(app)(scope, receive, send)
    return got


@pytest.fixture
def session(owner: User) -> str:
    client = Client()
    sign_in(client, owner)
    return client.cookies["sessionid"].value


@pytest.mark.parametrize("says_length", [True, False])
async def test_a_long_body_needs_a_signed_in_session(
    owner: User, session: str, monkeypatch: pytest.MonkeyPatch, says_length: bool
) -> None:
    known = SessionOwnerCache()
    monkeypatch.setattr(body_limits, "session_owners", known)
    assert await post("a" * 32, says_length=says_length) == [413]
    assert await post(session, says_length=says_length) == ["taken"]
    assert known.get_cached_owner(session) == owner.pk
    assert await post("b" * 32, says_length=says_length) == [413]


async def test_a_long_body_gets_503_during_an_outage(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def is_away(session: str) -> Any:
        raise OperationalError

    monkeypatch.setattr(body_limits, "session_owners", SessionOwnerCache(is_away))
    assert await post("a" * 32, says_length=True) == [503]


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
    monkeypatch.setattr("config.session_owners.time.monotonic", lambda: now)
    known = SessionOwnerCache()
    known.set_owner("a" * 32, 1)
    now += CACHE_SECONDS - 1
    assert known.get_cached_owner("a" * 32) == 1
    now += 2
    assert known.get_cached_owner("a" * 32) is None

"""A long body is taken from people who are signed in; a cookie alone makes nobody one of them."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from config import bodies
from config.known_sessions import KnownSessions

pytestmark = pytest.mark.django_db(transaction=True)
LONG = b"x" * 2**20


async def post(session: str, *, says_length: bool) -> list[Any]:
    """What the application gets, or the status of a refusal."""
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
    await bodies.bounded(app)(scope, receive, send)
    return got


@pytest.fixture
def session(owner: User) -> str:
    client = Client()
    client.force_login(owner, backend="django.contrib.auth.backends.ModelBackend")
    return client.cookies["sessionid"].value


@pytest.mark.parametrize("says_length", [True, False])
async def test_a_long_body_needs_a_session_that_signs_in(
    owner: User, session: str, monkeypatch: pytest.MonkeyPatch, says_length: bool
) -> None:
    known = KnownSessions()
    monkeypatch.setattr(bodies, "known_sessions", known)
    assert await post("a" * 32, says_length=says_length) == [413]
    assert await post(session, says_length=says_length) == ["taken"]
    assert known.owner(session) == owner.pk
    assert await post("b" * 32, says_length=says_length) == [413]

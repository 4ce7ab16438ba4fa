"""An account is deleted while one of its requests runs: the request is no server error, and nothing
that it writes outlives the account."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, connections
from django.db.models import F, Q
from django.http import HttpRequest
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from accounts.deletion import erasure
from accounts.deletion.erasure import request_deletion
from accounts.middleware import GetResponse
from accounts.models import AccountDeletion, AuditEvent, User
from accounts.tokens.models import Scope
from accounts.tokens.tokens import find_tokens
from chat.api import auth
from chat.models import Conversation, Draft
from tests.access.conftest import OwnedThings
from tests.access.table import ROUTES
from tests.access.test_addresses import send
from tests.conftest import PASSWORD
from tests.doors.gateway.program import Program
from tests.factories import create_signed_in_client
from tests.table_scan import find_traces

pytestmark = pytest.mark.django_db(transaction=True)

GRACE = timedelta(minutes=1)
NEW_PASSWORD = "a-longer-tide-8-rises"
WRITES = ("INSERT", "UPDATE", "DELETE")
MAX_WAIT_SECONDS = 0.5
"""The deletion may wait for a lock of the request."""


class Eraser:
    """Deletes an account once, at a moment of its request."""

    def __init__(self, user: User, moment: str) -> None:
        self.user, self.moment = user, moment
        self.thread: threading.Thread | None = None

    def erase(self, moment: str) -> None:
        if moment != self.moment or self.thread:
            return
        self.thread = threading.Thread(target=self._run)
        self.thread.start()
        self.thread.join(MAX_WAIT_SECONDS)

    def _run(self) -> None:
        try:
            request_deletion(self.user, actor=self.user)
            erasure.erase_accounts()
        finally:
            connections.close_all()

    def find_tokens(self, tokens: Any) -> Any:
        """The token is checked in the view, after the middleware."""
        found = find_tokens(tokens)
        self.erase("account known")
        return found

    def watch_writes(self, execute: Callable[..., Any], sql: str, *args: Any) -> Any:
        if is_in_view and sql.lstrip().startswith(WRITES):
            self.erase("first write")
        return execute(sql, *args)


eraser: Eraser | None = None
is_in_view = False


class ErasingMiddleware:
    """Comes last, after the request has found its account."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> Any:
        global is_in_view
        try:
            return self.get_response(request)
        finally:
            is_in_view = False

    def process_view(self, request: HttpRequest, *args: Any) -> None:
        global is_in_view
        is_in_view = True
        if eraser and request.user.is_authenticated:
            eraser.erase("account known")


Attempt = Callable[[Client, OwnedThings], Any]


def post(name: str, form: dict[str, Any], **kwargs: str) -> Attempt:
    return lambda client, _things: client.post(reverse(name, kwargs=kwargs), form)


def sign_in(client: Client, things: OwnedThings) -> Any:
    form = {"login": things.token.user.email, "password": PASSWORD}
    return Client(raise_request_exception=False).post("/accounts/login/", form)


def write_durable_stream(client: Client, things: OwnedThings) -> Any:
    path = reverse("durable-stream", kwargs={"name": "tide"})
    headers = client.program_headers  # type: ignore[attr-defined]
    return client.put(path, "text", "text/plain", headers=headers)


def send_to(name: str) -> Attempt:
    thing = ROUTES[name].thing
    return lambda client, things: send(
        client, name, uuid4() if name == "draft" else thing and things.get_id(thing)
    )


CREATING = {
    "start",
    "draft",
    "send",
    "title",
    "session-end",
    "webhook-secret",
    "webhook-resending",
    "api:start_conversation",
    "gateway:responses",
    "gateway:conversations",
    "langgraph:threads",
    "socialaccount_connections",
}
"""The others run with `make prove`, and these with it at the other moment."""
ATTEMPTS: dict[str, Attempt] = {
    "sign-in": sign_in,
    "durable stream": write_durable_stream,
    "new webhook": post("webhooks", {"address": "https://example.org/tide"}),
    "new token": post("tokens", {"name": "Tide", "scopes": ["read"], "days": "30"}),
    "new key": post("key", {"key": "sk-tide-0123456789-abcdef"}, provider="openai"),
    "new password": post(
        "account_change_password",
        {"oldpassword": PASSWORD, "password1": NEW_PASSWORD, "password2": NEW_PASSWORD},
    ),
} | {
    name: send_to(name)
    for name, route in ROUTES.items()
    if route.audience == "signed in" and route.method != "GET"
}


def mark(name: str) -> Any:
    is_short = name in CREATING or name not in ROUTES
    return pytest.param(name, marks=() if is_short else pytest.mark.prove)


@pytest.fixture
def client(
    owner: User, things: OwnedThings, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Client:
    """A browser of the owner who has just confirmed the password, and whose program has a token."""
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"{__name__}.ErasingMiddleware"]
    monkeypatch.setattr(erasure, "REQUEST_GRACE", GRACE)
    client = create_signed_in_client(owner)
    client.raise_request_exception = False
    headers = Program.of(owner, Scope.WRITE, Scope.GATEWAY).headers
    client.program_headers = headers  # type: ignore[attr-defined]
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    return client


@pytest.mark.parametrize("name", [mark(name) for name in ATTEMPTS])
@pytest.mark.parametrize(
    "moment", ["first write", pytest.param("account known", marks=pytest.mark.prove)]
)
def test_a_request_of_an_account_that_is_deleted_meanwhile_leaves_nothing(
    owner: User,
    things: OwnedThings,
    client: Client,
    name: str,
    moment: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    eraser = Eraser(owner, moment)
    monkeypatch.setitem(globals(), "eraser", eraser)
    monkeypatch.setattr(auth, "find_tokens", eraser.find_tokens)
    with connection.execute_wrapper(eraser.watch_writes):
        answer = ATTEMPTS[name](client, things)
    assert answer.status_code < 500, answer
    if eraser.thread is None:
        assert moment == "first write" or name == "sign-in", "each request has this moment"
        return  # it writes nothing
    eraser.thread.join(10)
    pass_time()
    erasure.erase_accounts()
    assert not User.objects.filter(pk=owner.pk).exists()
    assert {table for table, _, _ in find_traces([owner.email], owner.pk)} == {
        AuditEvent._meta.db_table
    }
    named = Q(account_id=owner.pk) & (Q(ip__isnull=False) | ~Q(facts={}))
    by_owner = Q(actor_id=owner.pk, ip__isnull=False)
    assert not AuditEvent.objects.filter(named | by_owner).exists()


def pass_time() -> None:
    AccountDeletion.objects.update(requested_at=F("requested_at") - GRACE, claimed_until=None)


def test_the_account_stays_until_its_requests_are_over(
    owner: User, things: OwnedThings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its data is gone at once, and no other worker takes the deletion up in vain."""
    monkeypatch.setattr(erasure, "REQUEST_GRACE", GRACE)
    request_deletion(owner, actor=owner)
    erasure.erase_accounts()
    assert User.objects.filter(pk=owner.pk, is_active=False).exists()
    assert not Conversation.objects.filter(user=owner).exists()
    assert not erasure._try_claim(owner.pk)
    pass_time()
    erasure.erase_accounts()
    assert not User.objects.filter(pk=owner.pk).exists()


def test_a_large_account_needs_no_second_turn(
    owner: User, things: OwnedThings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its requests are over when its data is deleted, so what came meanwhile goes at once."""
    monkeypatch.setattr(erasure, "REQUEST_GRACE", GRACE)
    request_deletion(owner, actor=owner)
    late: list[Draft] = []

    def write_late(seconds: float) -> None:
        if not late:
            late.append(Draft.objects.create(id=uuid4(), user=owner, version=1, writer="w"))
            pass_time()

    monkeypatch.setattr(erasure, "pause", write_late)
    erasure.erase_accounts()
    assert late
    assert not Draft.objects.filter(pk=late[0].pk).exists()
    assert not User.objects.filter(pk=owner.pk).exists()

"""Every address, tried by nobody, a stranger, its owner, and staff without the permission."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from allauth.usersessions.models import UserSession
from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.db import transaction
from django.test import Client
from django.urls import NoReverseMatch, reverse

from accounts import form_limits
from accounts.models import AccessToken, ApiKey, User
from accounts.tokens.models import Scope
from accounts.tokens.paths import API_PATH
from chat.api.api import api
from chat.api.event_paths import EVENT_PATHS
from chat.models import Conversation, Draft, Message, Webhook, WebhookDelivery
from streaming.models import Stream
from tests.access.conftest import CANARY, OwnedThings
from tests.access.table import ROUTES, Route, list_addresses
from tests.doors.gateway.program import Program
from tests.factories import create_session_key
from tools.deployment.deployment import bare_environment, manage

pytestmark = pytest.mark.django_db

UNSTABLE = re.compile(
    rb"[0-9a-f]{32}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    rb'|name="csrfmiddlewaretoken" value="\w+"|"revision": \d+'
)
"""Ids, tokens and counters, which differ between two answers that are otherwise the same."""

EVERY_OPTION = {
    "EMAIL_URL": "smtp://mail.example.org:25",
    "EMAIL_VERIFICATION": "mandatory",
    "OPENID_SERVERS": '[{"id": "work", "url": "https://id.example.org", "client_id": "x"}]',
    "GITHUB_CLIENT_ID": "x",
    "GITHUB_CLIENT_SECRET": "x",
}
NO_ID = "00000000-0000-4000-8000-000000000000"
ONLY_WITH_OPTIONS = {"mfa_signup_webauthn"}
"""Addresses that exist only with these options. They name no object."""


def is_admin(route: str) -> bool:
    return route.startswith("admin/")


def is_api(name: str) -> bool:
    return name.startswith("api:")


def build_path(name: str, route: Route, id: Any) -> str:
    if not route.thing or route.id_field:
        return reverse(name, kwargs=route.kwargs)
    if route.thing == "item":
        conversation, _, item = str(id).split("/")
        return reverse(name, kwargs={"id": conversation, "item_id": item})
    for argument in ("id", "uuid"):
        with suppress(NoReverseMatch):
            return reverse(name, kwargs={**route.kwargs, argument: id})
    return reverse(name, kwargs={"pk": id})


def send(client: Client, name: str, id: Any = None, *, htmx: bool = False) -> Any:
    route = ROUTES[name]
    path = build_path(name, route, id)
    headers = {"HX-Request": "true"} if htmx else {}
    if name.startswith(("gateway:", "durable-")):
        headers |= getattr(client, "program_headers", {})
        body = json.dumps(route.form) if route.method != "GET" else ""
        return client.generic(route.method, path, body, "application/json", headers=headers)
    if path.startswith(API_PATH):
        headers |= {"Origin": "http://testserver", "Host": "testserver"}
        body = json.dumps(route.form) if route.method != "GET" else ""
        return client.generic(route.method, path, body, "application/json", headers=headers)
    if route.method == "POST":
        form = dict(route.form) | ({route.id_field: str(id)} if route.id_field else {})
        return client.post(path, form, headers=headers)
    return client.get(path, headers=headers)


def describe(response: Any) -> tuple[int, str, bytes]:
    """The answer as the client reads it, without ids, tokens and the address."""
    path = re.escape(response.request["PATH_INFO"])
    unstable = re.compile(UNSTABLE.pattern + b"|" + path.encode())
    where = unstable.sub(b"-", response.headers.get("Location", "").encode())
    return response.status_code, where.decode(), unstable.sub(b"-", read_body(response))


def read_body(response: Any) -> bytes:
    """Empty for an answer that is sent later (FollowResponse)."""
    return b"" if response.streaming else response.content


def build_missing_id(id: Any) -> Any:
    """An id that nothing has."""
    if isinstance(id, str):
        return id[:-32] + uuid4().hex
    return 10**9 if isinstance(id, int) else uuid4()


def read_rows(owner: User) -> dict[str, list[dict[str, Any]]]:
    """Everything that the owner has."""
    found = {
        Conversation: Conversation.objects.filter(user=owner),
        Message: Message.objects.filter(conversation__user=owner),
        Stream: Stream.objects.filter(owner=owner),
        Draft: Draft.objects.filter(user=owner),
        ApiKey: ApiKey.objects.filter(user=owner),
        User: User.objects.filter(pk=owner.pk),
        Authenticator: Authenticator.objects.filter(user=owner),
        UserSession: UserSession.objects.filter(user=owner),
        SocialAccount: SocialAccount.objects.filter(user=owner),
        AccessToken: AccessToken.objects.filter(user=owner),
        Webhook: Webhook.objects.filter(user=owner),
        WebhookDelivery: WebhookDelivery.objects.filter(webhook__user=owner),
    }
    return {
        model.__name__: [
            {k: bytes(v) if isinstance(v, memoryview) else v for k, v in row.items()}
            for row in rows.order_by("pk").values()
        ]
        for model, rows in found.items()
    }


def list_names(addresses: Iterable[tuple[str, str]]) -> list[str]:
    return [name or route for route, name in addresses if not is_admin(route)]


def test_every_address_is_in_the_table() -> None:
    names = list_names(list_addresses())
    assert set(names) - ROUTES.keys() == set(), "add these to tests/access/table.py"
    assert ROUTES.keys() - set(names) == set(), "these are gone"
    assert len(set(names)) == len(names), "only one of two addresses with a name is tried"


def test_every_method_of_the_api_is_in_the_table() -> None:
    tried = {
        (re.sub(r"\{\w+\}|" + NO_ID, "-", build_path(name, route, NO_ID)), route.method)
        for name, route in ROUTES.items()
        if is_api(name)
    }
    paths = api.get_openapi_schema()["paths"]
    listed = {
        (re.sub(r"\{\w+\}", "-", path), method.upper())
        for path, methods in paths.items()
        for method in methods
        if path not in EVENT_PATHS  # tests/access/test_event_streams.py tries these
    }
    assert listed - tried == set()


def test_every_address_of_an_installation_with_all_options_is_in_the_table() -> None:
    environment = bare_environment("sqlite:///:memory:") | EVERY_OPTION
    code = "from tests.access.table import list_addresses; print('addresses', list_addresses())"
    output = manage(environment, "shell", "-v", "0", "-c", code)
    names = list_names(ast.literal_eval(output.partition("addresses ")[2]))
    assert set(names) - ROUTES.keys() == ONLY_WITH_OPTIONS
    assert len(set(names)) == len(names)


def test_others_get_the_same_answer_for_a_foreign_object_and_for_none(
    things: OwnedThings, tries: dict[str, Client], owner: User
) -> None:
    before = read_rows(owner)
    different = []
    for name, route in ROUTES.items():
        if not route.thing:
            continue
        id = things.get_id(route.thing)
        for who, client in tries.items():
            for htmx in (False, True):
                foreign = describe(send(client, name, id, htmx=htmx))
                missing = describe(send(client, name, build_missing_id(id), htmx=htmx))
                if foreign != missing:
                    different.append((name, who, foreign, missing))
    assert different == []
    assert read_rows(owner) == before


def test_no_answer_to_others_has_a_text_of_the_owner(
    things: OwnedThings, tries: dict[str, Client]
) -> None:
    for name, route in ROUTES.items():
        id = things.get_id(route.thing) if route.thing else None
        for who, client in tries.items():
            opened = client.get(build_path(name, route, id))
            for response in (opened, send(client, name, id)):
                told = f"{response.headers} {read_body(response).decode()}"
                assert CANARY not in told, (name, who)


def test_what_is_for_signed_in_people_refuses_anonymous_visitors(
    things: OwnedThings, tries: dict[str, Client]
) -> None:
    for name, route in ROUTES.items():
        id = things.get_id(route.thing) if route.thing else None
        response = send(tries["nobody"], name, id)
        if route.audience == "everybody":
            assert response.status_code in {route.owner_status, 200, 302, 404}, name
            assert "/accounts/login/?" not in response.headers.get("Location", ""), name
        else:
            is_refused = response.status_code in {204, 401, 403, 404} or (
                response.status_code == 302 and "/accounts/login/" in response.headers["Location"]
            )
            assert is_refused, (name, response)


def test_the_owner_gets_what_the_table_says(things: OwnedThings, owner: User) -> None:
    wrong = []
    session_key = create_session_key(owner)
    headers = Program.of(owner, Scope.WRITE, Scope.GATEWAY).headers
    for name, route in ROUTES.items():
        client = Client()
        client.cookies[settings.SESSION_COOKIE_NAME] = session_key
        client.program_headers = headers  # type: ignore[attr-defined]
        id = uuid4() if name == "draft" else route.thing and things.get_id(route.thing)
        form_limits.clear_limiters()
        before = transaction.savepoint()
        response = send(client, name, id)
        if response.status_code != route.owner_status:
            wrong.append((name, response.status_code))
        transaction.savepoint_rollback(before)
    assert wrong == [], wrong


# The administration


def list_admin_paths() -> Iterator[str]:
    """One path for each address of the admin, with an object that exists if there is one."""
    for route, _ in list_addresses():
        if not is_admin(route):
            continue
        match = re.match(r"admin/(\w+)/(\w+)/", route)
        model = None
        if match and match[1] in apps.app_configs:
            model = apps.get_model(match[1], match[2])
        pk = str(model._default_manager.values_list("pk", flat=True).first() or 1) if model else "1"
        path = re.sub(r"\(\?P<app_label>[^)]*\)", "chat", route)
        path = re.sub(r"\(\?P<url>[^)]*\)", "x/", path)
        path = re.sub(r"<(?:\w+:)?(?:object_id|id)>", pk, path)
        path = re.sub(r"<(?:\w+:)?\w+>", "1", path)
        yield "/" + re.sub(r"[\^$\\]", "", path)


ADMIN_FOR_ALL_STAFF = {
    "/admin/",
    "/admin/jsi18n/",
    "/admin/login/",
    "/admin/logout/",
    "/admin/password_change/",
    "/admin/password_change/done/",
    "/admin/autocomplete/",
}
"""Pages that every member of staff may open; they show no row."""


REFUSALS = {"/admin/", "/admin/login/"}
"""Where the admin sends staff without a permission, or without the row. A question for the password
is no refusal."""


def test_the_admin_shows_nothing_to_anybody_without_a_permission(
    things: OwnedThings, tries: dict[str, Client], owner: User
) -> None:
    before = read_rows(owner)
    for path in list_admin_paths():
        for who, client in tries.items():
            for response in (client.get(path), client.post(path, {"post": "yes"})):
                assert CANARY not in f"{response.headers} {response.content.decode()}", (path, who)
                if who == "staff" and path in ADMIN_FOR_ALL_STAFF:
                    continue
                assert response.status_code in {302, 403, 404, 405}, (path, who, response)
                if who == "staff" and response.status_code == 302:
                    where = urlsplit(response.headers["Location"]).path
                    assert where in REFUSALS, (path, response.headers["Location"])
    assert read_rows(owner) == before


def test_every_model_of_the_admin_has_its_pages_tried(things: OwnedThings) -> None:
    paths = set(list_admin_paths())
    for model in admin.site._registry:
        assert f"/admin/{model._meta.app_label}/{model._meta.model_name}/" in paths

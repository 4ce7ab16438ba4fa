"""Passkeys: whatever a client sends, only the right one signs in, and nobody locks themselves
out."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.core import mail
from django.core.cache import cache
from django.test import Client
from pytest_django import Settings

from accounts.audit.models import AuditEvent
from accounts.factors import passkeys
from accounts.form_limits import clear_limiters
from accounts.models import User
from tests.accounts.software_passkey import SoftwarePasskey
from tests.factories import run_at_once, sign_in

ADD, SIGN_IN = "/accounts/2fa/passkeys/add/", "/accounts/2fa/passkeys/sign-in/"
STEP, CONFIRM = "/accounts/2fa/sign-in/", "/accounts/2fa/passkeys/confirm/"
INDEX = "/accounts/2fa/"


def create_client() -> Client:
    """A browser at http://localhost, where passkeys are allowed."""
    return Client(SERVER_NAME="localhost")


@pytest.fixture
def confirmed(owner: User, password: str) -> Client:
    """A browser in which the owner has just entered the password."""
    client = create_client()
    sign_in(client, owner)
    client.post("/accounts/reauthenticate/", {"password": password})
    return client


@pytest.fixture
def passkey(confirmed: Client) -> SoftwarePasskey:
    passkey = SoftwarePasskey()
    assert add_passkey(confirmed, passkey).status_code == 200
    mail.outbox.clear()
    return passkey


def read_options(client: Client, path: str) -> dict[str, Any]:
    html = client.get(path).content.decode()
    [text] = re.findall(r'<script id="passkey-options"[^>]*>(.*?)</script>', html)
    return dict(json.loads(text))


def add_passkey(client: Client, passkey: SoftwarePasskey) -> Any:
    credential = passkey.create(read_options(client, ADD))
    return client.post(ADD, {"name": "Key", "credential": credential})


def ask_to_sign_in(client: Client) -> dict[str, Any]:
    return dict(client.get(SIGN_IN, headers={"Accept": "application/json"}).json())


def try_sign_in(passkey: SoftwarePasskey) -> bool:
    client = create_client()
    client.post(SIGN_IN, {"credential": passkey.use(ask_to_sign_in(client))})
    return is_signed_in(client)


def is_signed_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def test_a_passkey_signs_in_without_a_password(
    confirmed: Client, owner: User, passkey: SoftwarePasskey
) -> None:
    assert try_sign_in(passkey)
    event = AuditEvent.objects.get(kind="passkey.added")
    assert (event.account_id, event.actor_id) == (owner.pk, owner.pk)


def test_a_new_passkey_is_reported_and_brings_recovery_codes(confirmed: Client) -> None:
    answer = add_passkey(confirmed, SoftwarePasskey())
    assert len(re.findall(r"<li><code>", answer.content.decode())) == 10
    assert [one.subject for one in mail.outbox] == ["[Holdfast] A passkey was added"]
    answer = add_passkey(confirmed, SoftwarePasskey())
    assert answer.headers["Location"] == INDEX


LIES: list[dict[str, Any]] = [
    {"origin": "http://localhost:9999"},  # another program of this machine
    {"origin": "http://chat.localhost"},
    {"origin": "https://evil.example"},
    {"is_framed": True},
    {"is_verified": False},
]


def test_a_passkey_with_a_lie_does_not_sign_in(passkey: SoftwarePasskey) -> None:
    assert try_sign_in(replace(passkey))
    for lie in [*LIES, {"user_handle": "MQ-nobody"}, {"id": b"another passkey"}]:
        assert not try_sign_in(replace(passkey, **lie)), lie


def test_a_passkey_with_a_lie_is_not_added(confirmed: Client) -> None:
    for lie in LIES:
        assert add_passkey(confirmed, SoftwarePasskey(**lie)).status_code == 422, lie
    assert not Authenticator.objects.exists()


def test_a_passkey_does_not_sign_in_to_another_account(
    passkey: SoftwarePasskey, stranger: User, password: str
) -> None:
    client = create_client()
    sign_in(client, stranger)
    client.post("/accounts/reauthenticate/", {"password": password})
    other = SoftwarePasskey()
    add_passkey(client, other)
    passkey.user_handle = other.user_handle
    assert not try_sign_in(passkey)


def test_an_answer_of_a_passkey_works_once(passkey: SoftwarePasskey) -> None:
    client = create_client()
    answer = passkey.use(ask_to_sign_in(client))
    client.post(SIGN_IN, {"credential": answer})
    assert is_signed_in(client)
    client.post("/accounts/logout/")
    client.post(SIGN_IN, {"credential": answer})
    ask_to_sign_in(client)
    client.post(SIGN_IN, {"credential": answer})
    assert not is_signed_in(client)


def test_requests_at_once_use_an_answer_once(
    owner: User, password: str, commit_for_real: None
) -> None:
    client = create_client()
    sign_in(client, owner)
    client.post("/accounts/reauthenticate/", {"password": password})
    passkey = SoftwarePasskey()
    add_passkey(client, passkey)
    asked = create_client()
    answer = passkey.use(ask_to_sign_in(asked))
    tabs = [create_client() for _ in range(4)]
    for tab in tabs:
        tab.cookies.update(asked.cookies)
    run_at_once(*[partial(tab.post, SIGN_IN, {"credential": answer}) for tab in tabs])
    assert sum(map(is_signed_in, tabs)) == 1


def test_a_deactivated_account_is_not_signed_in(passkey: SoftwarePasskey, owner: User) -> None:
    owner.is_active = False
    owner.save()
    assert not try_sign_in(passkey)


def test_a_passkey_is_the_step_after_the_password(
    passkey: SoftwarePasskey, owner: User, password: str
) -> None:
    client = create_client()
    client.post("/accounts/login/", {"login": owner.email, "password": password})
    assert not is_signed_in(client)
    client.post(STEP, {"credential": passkey.use(read_options(client, STEP))})
    assert is_signed_in(client)


def test_a_passkey_confirms_an_account_without_a_password(
    passkey: SoftwarePasskey, owner: User
) -> None:
    owner.set_unusable_password()
    owner.save()
    client = create_client()
    client.post(SIGN_IN, {"credential": passkey.use(ask_to_sign_in(client))})
    page = client.get(ADD, follow=True)
    assert page.redirect_chain[-1][0] == f"{CONFIRM}?next=%2Faccounts%2F2fa%2Fpasskeys%2Fadd%2F"
    answer = passkey.use(read_options(client, CONFIRM))
    page = client.post(CONFIRM, {"credential": answer, "next": ADD})
    assert page.headers["Location"] == ADD
    assert client.get(ADD).status_code == 200
    assert (
        client.post("/accounts/email/", {"email": "x@y.test", "action_add": ""})
        .headers["Location"]
        .startswith("/accounts/email/")
    )


POISONED = [
    "",
    "[",
    "[" * 30_000,
    "5",
    "null",
    "[]",
    "{}",
    '{"id": 1}',
    '{"id": "AA", "rawId": "AA", "type": "public-key", "response": []}',
    '{"id": "AA", "rawId": "AA", "type": "public-key", "response": {"clientDataJSON": "e30"}}',
    '{"id": "\\ud800", "rawId": "AA", "response": {"clientDataJSON": "bnVsbA"}}',
    "\0",
    "x" * 40_000,
]


def test_a_malformed_passkey_is_refused_with_a_sentence(confirmed: Client) -> None:
    visitor = create_client()
    ask_to_sign_in(visitor)
    read_options(confirmed, ADD)
    for text in POISONED:
        form = {"credential": text}
        assert visitor.post(SIGN_IN, form).headers["Location"] == "/accounts/login/"
        assert "did not work" in visitor.get("/accounts/login/").content.decode(), text[:50]
        answer = confirmed.post(ADD, form)
        assert answer.status_code == 422
        assert "could not be created" in answer.content.decode(), text[:50]


MALFORMED_PARTS: list[object] = [None, 5, [], "", "AA", "!", "A" * 20_000]


def test_a_malformed_part_of_a_passkey_is_refused(passkey: SoftwarePasskey) -> None:
    client = create_client()
    options = ask_to_sign_in(client)
    for part in ("clientDataJSON", "authenticatorData", "signature", "userHandle"):
        for value in MALFORMED_PARTS:
            credential = json.loads(passkey.use(options))
            credential["response"][part] = value
            clear_limiters()
            cache.clear()
            answer = client.post(SIGN_IN, {"credential": json.dumps(credential)})
            assert answer.status_code == 302, (part, value)
            assert not is_signed_in(client), (part, value)


def test_the_only_way_to_sign_in_is_not_removed(
    confirmed: Client, passkey: SoftwarePasskey, owner: User, password: str
) -> None:
    path = f"{INDEX}passkeys/{Authenticator.objects.get(type='webauthn').pk}/remove/"
    assert "Your password alone will be enough" in confirmed.get(path).content.decode()
    owner.set_unusable_password()
    owner.save()
    client = create_client()
    client.post(SIGN_IN, {"credential": passkey.use(ask_to_sign_in(client))})
    client.post(CONFIRM, {"credential": passkey.use(read_options(client, CONFIRM))})
    assert "is your only way to sign in" in client.get(path).content.decode()
    client.post(path)
    assert try_sign_in(passkey)
    add_passkey(client, SoftwarePasskey())
    client.post(path)
    assert not try_sign_in(passkey)


def test_the_last_passkey_is_removed_with_the_recovery_codes(
    confirmed: Client, passkey: SoftwarePasskey, owner: User
) -> None:
    path = f"{INDEX}passkeys/{Authenticator.objects.get(type='webauthn').pk}/remove/"
    confirmed.post(path)
    assert not Authenticator.objects.exists()
    assert [one.subject for one in mail.outbox] == ["[Holdfast] A passkey was removed"]


def test_a_passkey_of_another_person_is_not_found(
    confirmed: Client, passkey: SoftwarePasskey, stranger: User, password: str
) -> None:
    pk = Authenticator.objects.get(type="webauthn").pk
    client = create_client()
    sign_in(client, stranger)
    client.post("/accounts/reauthenticate/", {"password": password})
    for action in ("rename", "remove"):
        for id in (pk, pk + 1_000):
            answer = client.post(f"{INDEX}passkeys/{id}/{action}/", {"name": "Mine"})
            assert answer.status_code == 404
    assert Authenticator.objects.get(pk=pk).data["name"] == "Key"


def test_the_number_of_passkeys_is_limited(
    confirmed: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passkeys, "MAX_PASSKEYS", 1)
    add_passkey(confirmed, SoftwarePasskey())
    assert confirmed.get(ADD).headers["Location"] == INDEX


@pytest.mark.parametrize(
    ("host", "sentence"),
    [
        ("127.0.0.1", "http://localhost/accounts/2fa/"),
        ("[::1]", "http://localhost/accounts/2fa/"),
        ("192.0.2.7", "Open this site by its name"),
        ("chat.example.org", "only over https"),
    ],
)
def test_a_page_without_passkeys_says_why(
    owner: User, settings: Settings, host: str, sentence: str
) -> None:
    settings.ALLOWED_HOSTS = [host]
    client = Client(SERVER_NAME=host)
    sign_in(client, owner)
    html = client.get(INDEX).content.decode()
    assert sentence in html
    assert "Add passkey" not in html
    assert "data-passkey" not in Client(SERVER_NAME=host).get("/accounts/login/").content.decode()


def test_a_page_over_https_has_passkeys(owner: User, settings: Settings) -> None:
    """Behind a proxy that ends TLS."""
    settings.ALLOWED_HOSTS = ["chat.example.org"]
    settings.TRUSTED_ORIGINS = ["https://chat.example.org"]
    client = Client(SERVER_NAME="chat.example.org")
    sign_in(client, owner)
    assert "Add passkey" in client.get(INDEX).content.decode()

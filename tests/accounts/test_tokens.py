"""Access tokens: their page, their ends, and what is stored of them."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.core import mail
from django.http import HttpRequest
from django.test import Client
from django.utils import timezone

from accounts.models import AccessToken, AuditEvent, User
from accounts.password_change import store_password
from accounts.people.activation import activate
from accounts.sessions.ending import end_all_sessions
from accounts.tokens import tokens
from accounts.tokens.models import Scope
from accounts.tokens.tokens import (
    TOKEN_PATTERN,
    TooManyTokens,
    create_token,
    delete_expired_tokens,
    find_tokens,
    hash_token,
    record_use,
    revoke_tokens,
)
from tests.factories import create_signed_in_client

pytestmark = pytest.mark.django_db
PAGE, REVOKE = "/settings/tokens/", "/settings/tokens/revoke/"
PASSWORD = "kelp-holds-fast-7"
FORM = {"name": "Backup script", "scopes": ["read", "write"], "days": "90"}


@pytest.fixture
def client(owner: User) -> Client:
    """A browser in which the owner has just given the password."""
    client = create_signed_in_client(owner)
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    return client


def create(user: User, lifetime: timedelta | None = None) -> tuple[AccessToken, str]:
    return create_token(user, "Script", [Scope.READ], lifetime)


def test_only_creating_a_token_asks_for_the_password_first(owner: User) -> None:
    client = create_signed_in_client(owner)
    assert client.post(PAGE, FORM)["Location"].startswith("/accounts/reauthenticate/")
    assert not AccessToken.objects.exists()
    row, _ = create(owner)
    assert client.get(PAGE).status_code == 200
    client.post(REVOKE, {"token": str(row.pk)})
    assert not AccessToken.objects.exists()


def test_a_new_token_is_shown_once_and_stored_as_a_hash(client: Client, owner: User) -> None:
    mail.outbox.clear()
    page = client.post(PAGE, FORM).content.decode()
    [token] = TOKEN_PATTERN.findall(page)
    row = AccessToken.objects.get()
    assert (row.user, row.name, row.scopes) == (owner, "Backup script", ["read", "write"])
    assert (row.token_hash, row.last_four) == (hash_token(token), token[-4:])
    assert row.expires_at is not None
    assert timedelta(days=89) < row.expires_at - timezone.now() <= timedelta(days=90)
    again = client.get(PAGE).content.decode()
    assert token not in again
    assert f"hft_…{token[-4:]}" in again
    assert "never used" in again
    assert "Backup script" in str(mail.outbox[0].body)
    assert token not in str(mail.outbox[0].body)
    assert AuditEvent.objects.get(kind="token.created").facts == {"token": row.pk}


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""},
        {"scopes": []},
        {"scopes": ["admin"]},
        {"days": "36500"},
    ],
)
def test_a_wrong_form_creates_nothing(client: Client, change: dict[str, object]) -> None:
    answer = client.post(PAGE, FORM | change)
    assert answer.status_code == 422
    assert 'class="errorlist"' in answer.content.decode()
    assert not AccessToken.objects.exists()


def test_a_person_has_a_bounded_number_of_tokens(
    client: Client, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "MAX_TOKENS_PER_USER", 1)
    create(owner)
    with pytest.raises(TooManyTokens):
        create(owner)
    answer = client.post(PAGE, FORM)
    assert answer.status_code == 422
    assert "Revoke one first" in answer.content.decode()


def test_a_revoked_token_is_deleted(client: Client, owner: User, colleague: User) -> None:
    mine, token = create(owner)
    theirs, _ = create(colleague)
    for wrong in ("", "x", "²", "9" * 30, str(theirs.pk)):
        client.post(REVOKE, {"token": wrong})
    assert AccessToken.objects.count() == 2
    client.post(REVOKE, {"token": str(mine.pk)})
    assert not find_tokens([token])
    assert list(AccessToken.objects.all()) == [theirs]
    assert AuditEvent.objects.get(kind="token.revoked").facts == {"token": mine.pk}
    assert revoke_tokens(owner, [mine.pk]) == 0


def test_only_valid_tokens_of_active_people_are_found(owner: User, colleague: User) -> None:
    row, good = create(owner)
    _, late = create(owner, timedelta(seconds=-1))
    _, inactive = create(colleague)
    User.objects.filter(pk=colleague.pk).update(is_active=False)
    wrong = ["", "hft_", "hft_" + "a" * 43, good + "\n", good.upper(), "hft_" + "\0" * 43]
    assert find_tokens([good, late, inactive, *wrong]) == {good: row}


def test_a_use_is_written_at_most_once_a_minute(owner: User) -> None:
    _, token = create(owner)
    record_use(find_tokens([token]).values())
    first = AccessToken.objects.get().last_used_at
    assert first is not None
    record_use(find_tokens([token]).values())
    assert AccessToken.objects.get().last_used_at == first
    AccessToken.objects.update(last_used_at=first - timedelta(minutes=2))
    record_use(find_tokens([token]).values())
    last = AccessToken.objects.get().last_used_at
    assert last is not None
    assert last >= first


def test_an_expired_token_is_shown_for_a_month_and_then_deleted(
    client: Client, owner: User
) -> None:
    row, _ = create(owner, timedelta(days=-1))
    delete_expired_tokens()
    assert re.search(r"expired \d", client.get(PAGE).content.decode())
    AccessToken.objects.filter(pk=row.pk).update(expires_at=timezone.now() - timedelta(days=31))
    delete_expired_tokens()
    assert not AccessToken.objects.exists()


@pytest.mark.parametrize(
    "change", ["own", "administrator's", "shell's", "sessions ended", "reactivation"]
)
def test_a_new_password_or_the_end_of_all_sessions_revokes_all_tokens(
    owner: User, colleague: User, change: str
) -> None:
    """A thief of the account may have created them."""
    create(owner)
    create(colleague)
    if change == "sessions ended":
        end_all_sessions([owner])
    elif change == "reactivation":
        User.objects.filter(pk=owner.pk).update(is_active=False)
        activate(User.objects.get(pk=owner.pk), HttpRequest())
    elif change == "shell's":
        owner.set_password("another-kelp-8")
        owner.save()
    else:
        store_password(owner, "another-kelp-8", inactive=change != "own")
    assert [row.user for row in AccessToken.objects.all()] == [colleague]


def test_an_administrator_sees_and_revokes_tokens_and_creates_none(
    as_administrator: Client, owner: User
) -> None:
    row, token = create(owner)
    listed = as_administrator.get("/admin/accounts/accesstoken/").content.decode()
    assert "Script" in listed
    assert token not in listed
    assert row.token_hash not in listed
    assert as_administrator.get("/admin/accounts/accesstoken/add/").status_code == 403
    as_administrator.post(f"/admin/accounts/accesstoken/{row.pk}/delete/", {"post": "yes"})
    assert not AccessToken.objects.exists()

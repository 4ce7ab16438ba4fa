"""Without a mail server, pages say how else things work, and promise no mail."""

from __future__ import annotations

import re
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.test import Client
from pytest_django import Settings

from accounts.mails.console import TRANSPORT
from accounts.models import User

RESET, EMAIL = "/accounts/password/reset/", "/accounts/email/"
OTHER = "other@holdfast.test"
PROMISES = re.compile(r"sent (it|you) a|sent an email|send it a|Check your email|Send \w+ email")

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def use_console(settings: Settings) -> None:
    settings.MAIL_TRANSPORT = TRANSPORT


def read(client: Client, path: str) -> str:
    return client.get(path).content.decode()


@pytest.fixture
def confirmed(as_owner: Client, password: str) -> Client:
    as_owner.post("/accounts/reauthenticate/", {"password": password})
    return as_owner


@pytest.mark.parametrize("path", [RESET, f"{RESET}done/", "/accounts/confirm-email/"])
def test_a_visitor_is_told_to_ask_the_administrator(
    client: Client, path: str, settings: Settings
) -> None:
    page = read(client, path)
    assert "administrator" in page
    assert not PROMISES.search(page)
    settings.HAS_MAIL_SERVER = True
    assert PROMISES.search(read(client, path))


def test_at_this_machine_the_link_for_a_new_password_is_in_the_terminal(
    owner: User, client: Client
) -> None:
    """Which the mails of tests stand for."""
    assert "terminal of the server" in read(client, RESET)
    page = client.post(RESET, {"email": owner.email}, follow=True).content.decode()
    assert "terminal of the server" in page
    assert "/accounts/password/reset/key/" in str(mail.outbox[0].body)


PUBLIC = [{"ALLOWED_HOSTS": ["chat.example.org", "testserver"]}, {"TRUSTED_PROXY_COUNT": 1}]


@pytest.mark.parametrize("changes", [{}, *PUBLIC], ids=str)
def test_mails_are_printed_for_a_person_at_this_machine_only(
    changes: dict[str, Any], settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in changes.items():
        setattr(settings, name, value)
    letter = mail.EmailMessage("A subject", "A link", to=["ann@example.org"])
    mail.get_connection(settings.MAIL_TRANSPORT).send_messages([letter])
    assert ("A link" in capsys.readouterr().out) == (not changes)


@pytest.mark.parametrize("changes", PUBLIC, ids=str)
def test_where_others_reach_it_pages_promise_no_print(
    changes: dict[str, Any], settings: Settings, client: Client
) -> None:
    for name, value in changes.items():
        setattr(settings, name, value)
    for path in (RESET, f"{RESET}done/", "/accounts/confirm-email/"):
        page = read(client, path)
        assert "administrator" in page
        assert "terminal" not in page
        assert 'type="submit"' not in page or path != RESET


def test_an_added_address_is_confirmed_by_the_administrator(confirmed: Client, owner: User) -> None:
    page = confirmed.post(EMAIL, {"email": OTHER, "action_add": ""}, follow=True).content.decode()
    assert f"A link that confirms {OTHER} is in the terminal of the server." in page
    assert not PROMISES.search(page)
    form = {"email": OTHER, "action_primary": ""}
    page = confirmed.post(EMAIL, form, follow=True).content.decode()
    assert "Your administrator has to confirm this address first." in page
    assert EmailAddress.objects.filter(user=owner, email=OTHER, verified=False).exists()

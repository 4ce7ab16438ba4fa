"""Codes in mails: they sign in and confirm addresses, can't be guessed, and lock nobody out."""

from __future__ import annotations

import re

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts import code_mails
from accounts.models import User
from accounts.rate_limits import RateLimit

LOGIN, SIGN_UP, EMAIL = "/accounts/login/", "/accounts/signup/", "/accounts/email/"
REQUEST, ENTER = "/accounts/login/code/", "/accounts/login/code/confirm/"
CONFIRM = "/accounts/confirm-email/"
PASSWORD = "kelp-holds-fast-7"
CODE = re.compile(r"^[B-Z]{4}-[B-Z]{4}$", re.MULTILINE)
WRONG = "ZZZZ-ZZZZ"


@pytest.fixture(autouse=True)
def with_mail_server(settings: Settings) -> None:
    """The settings that a mail server brings."""
    settings.HAS_MAIL_SERVER = True
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    settings.ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = True
    settings.ACCOUNT_LOGIN_BY_CODE_ENABLED = True
    settings.SIGNUP = "open"


def find_code() -> str:
    [code] = CODE.findall(str(mail.outbox[-1].body))
    return str(code)


def is_signed_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def test_a_code_signs_in_once(owner: User, client: Client) -> None:
    assert 'href="/accounts/login/code/"' in client.get(LOGIN).content.decode()
    page = client.post(REQUEST, {"email": "Owner@holdfast.test"}, follow=True).content.decode()
    assert "Enter the code" in page
    code = find_code()
    assert client.post(ENTER, {"code": code.lower()}).headers["Location"] == "/"
    assert is_signed_in(client)
    stranger = Client()
    stranger.post(REQUEST, {"email": owner.email})
    stranger.post(ENTER, {"code": code})
    assert not is_signed_in(stranger)


def test_a_code_leads_to_the_requested_page(owner: User, client: Client) -> None:
    client.post(REQUEST, {"email": owner.email, "next": "/settings/keys/"})
    form = {"code": find_code(), "next": "/settings/keys/"}
    assert client.post(ENTER, form).headers["Location"] == "/settings/keys/"


def test_a_code_takes_three_attempts(owner: User, client: Client) -> None:
    client.post(REQUEST, {"email": owner.email})
    for _ in range(3):
        client.post(ENTER, {"code": WRONG})
    client.post(ENTER, {"code": find_code()})
    assert not is_signed_in(client)


def test_a_code_expires(owner: User, client: Client, settings: Settings) -> None:
    client.post(REQUEST, {"email": owner.email})
    settings.ACCOUNT_LOGIN_BY_CODE_TIMEOUT = -1
    client.post(ENTER, {"code": find_code()})
    assert not is_signed_in(client)


def test_another_code_can_be_requested_twice(owner: User, client: Client) -> None:
    client.post(REQUEST, {"email": owner.email})
    first = find_code()
    for _ in range(4):
        client.post(ENTER, {"action": "resend"})
    assert len(mail.outbox) <= 3
    assert find_code() != first


def test_an_unconfirmed_added_address_gets_no_code(owner: User, client: Client) -> None:
    EmailAddress.objects.create(user=owner, email="thief@example.org")
    client.post(REQUEST, {"email": "thief@example.org"})
    assert not mail.outbox


def test_a_deactivated_account_gets_no_code(owner: User, client: Client) -> None:
    User.objects.update(is_active=False)
    client.post(REQUEST, {"email": owner.email})
    assert not mail.outbox


def test_strangers_cannot_use_up_the_codes_of_a_browser_that_the_owner_has_used(
    owner: User, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.post(LOGIN, {"login": owner.email, "password": PASSWORD})
    client.post("/accounts/logout/")
    mail.outbox.clear()  # the report of a new browser
    monkeypatch.setattr(code_mails, "ADDRESS_CODES_LIMIT", RateLimit("few", 2, 3600))
    for number in range(4):
        Client(REMOTE_ADDR=f"198.51.100.{number}").post(REQUEST, {"email": owner.email})
    assert len(mail.outbox) == 2
    client.post(REQUEST, {"email": owner.email})
    client.post(ENTER, {"code": find_code()})
    assert is_signed_in(client)


def test_without_a_mail_server_there_is_no_sign_in_by_code(
    owner: User, client: Client, settings: Settings
) -> None:
    settings.ACCOUNT_LOGIN_BY_CODE_ENABLED = False
    assert REQUEST not in client.get(LOGIN).content.decode()
    assert client.post(REQUEST, {"email": owner.email}).status_code == 404


def test_a_new_account_is_confirmed_by_a_code(owner: User, client: Client) -> None:
    form = {"email": "ann@example.org", "password1": PASSWORD}
    page = client.post(SIGN_UP, form, follow=True).content.decode()
    assert "Confirm your email address" in page
    assert not is_signed_in(client)
    client.post(CONFIRM, {"code": WRONG})
    assert client.post(CONFIRM, {"code": find_code()}).headers["Location"] == "/"
    assert is_signed_in(client)
    assert EmailAddress.objects.get(email="ann@example.org").verified


def test_a_sign_up_that_was_not_confirmed_can_be_finished_later(client: Client, db: None) -> None:
    client.post(SIGN_UP, {"email": "ann@example.org", "password1": PASSWORD})
    later = Client()
    form = {"login": "ann@example.org", "password": PASSWORD}
    assert later.post(LOGIN, form).headers["Location"] == CONFIRM
    later.post(CONFIRM, {"code": find_code()})
    assert is_signed_in(later)


@pytest.mark.parametrize("kind", ["signed up", "made by a command"])
def test_accounts_from_before_the_mail_server_are_not_asked(
    owner: User, client: Client, kind: str
) -> None:
    """Their addresses were never confirmed, and may get no mail."""
    if kind == "signed up":
        EmailAddress.objects.create(user=owner, email=owner.email, primary=True)
        User.objects.update(last_login=timezone.now())
    form = {"login": owner.email, "password": PASSWORD}
    assert client.post(LOGIN, form).headers["Location"] == "/"
    client.post("/accounts/logout/")
    assert client.post(LOGIN, form).headers["Location"] == "/"
    assert not [letter for letter in mail.outbox if "onfirm" in letter.subject]


def test_a_code_adds_an_address_to_an_account(as_owner: Client, owner: User) -> None:
    as_owner.post("/accounts/reauthenticate/", {"password": PASSWORD})
    as_owner.post(EMAIL, {"action_add": "", "email": "second@example.org"})
    assert mail.outbox[-1].to == ["second@example.org"]
    assert not EmailAddress.objects.filter(email="second@example.org").exists()
    as_owner.post(CONFIRM, {"code": find_code()})
    assert EmailAddress.objects.get(email="second@example.org").verified
    assert mail.outbox[-1].to == [owner.email]
    assert "second@example.org of your account was confirmed" in str(mail.outbox[-1].body)


def test_an_address_gets_ten_mails_with_codes_an_hour(
    as_owner: Client, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    settings.ACCOUNT_RATE_LIMITS = False
    as_owner.post("/accounts/reauthenticate/", {"password": PASSWORD})
    for _ in range(12):
        as_owner.post(EMAIL, {"action_add": "", "email": "victim@example.org"})
    assert len([letter for letter in mail.outbox if letter.to == ["victim@example.org"]]) == 10


def test_a_command_prints_a_link_for_a_new_password(
    owner: User, client: Client, capsys: pytest.CaptureFixture[str], settings: Settings
) -> None:
    settings.TRUSTED_ORIGINS = ["http://testserver"]
    call_command("password_link", "Owner@holdfast.test")
    page = client.get(capsys.readouterr().out.strip(), follow=True)
    form = {"password1": "stipe-and-frond-8", "password2": "stipe-and-frond-8"}
    client.post(page.redirect_chain[-1][0], form)
    owner.refresh_from_db()
    assert owner.check_password("stipe-and-frond-8")
    with pytest.raises(CommandError, match="no active account"):
        call_command("password_link", "nobody@example.org")

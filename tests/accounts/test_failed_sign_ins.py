"""A sign-in that fails leaves a line in the log, with the account's id and without its address."""

from __future__ import annotations

import re

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth as totp_auth
from django.test import Client
from pytest_django import Settings

from accounts.factors import totp
from accounts.models import User

LOGIN, STEP = "/accounts/login/", "/accounts/2fa/sign-in/"
REQUEST, ENTER = "/accounts/login/code/", "/accounts/login/code/confirm/"
LOGGER = "accounts.failed_sign_ins"


def read_lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == LOGGER]


@pytest.mark.parametrize(
    ("address", "whose"),
    [("owner@holdfast.test", "account [0-9]+"), ("nobody@holdfast.test", "no account")],
)
def test_a_wrong_password_is_logged(
    owner: User, client: Client, caplog: pytest.LogCaptureFixture, address: str, whose: str
) -> None:
    for _ in range(6):
        client.post(LOGIN, {"login": address, "password": "a guess"})
    lines = read_lines(caplog)
    wrong, refused = lines[0], lines[-1]
    assert re.fullmatch(f"A sign-in with a password failed: wrong password, {whose}", wrong)
    assert re.fullmatch(f"A sign-in with a password failed: too many attempts, {whose}", refused)
    assert "@" not in "".join(lines)
    assert "a guess" not in "".join(lines)


def test_a_right_password_is_not_logged(
    owner: User, password: str, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    client.post(LOGIN, {"login": owner.email, "password": password})
    assert read_lines(caplog) == []


def test_a_deactivated_account_is_logged(
    owner: User, password: str, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    User.objects.filter(pk=owner.pk).update(is_active=False)
    client.post(LOGIN, {"login": owner.email, "password": password})
    [line] = read_lines(caplog)
    assert line.endswith(f"failed: deactivated, account {owner.pk}")


def test_a_wrong_code_of_an_app_is_logged(
    owner: User, password: str, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    data = totp.build_data(owner.pk, totp_auth.generate_totp_secret(), 0)
    Authenticator.objects.create(user=owner, type=Authenticator.Type.TOTP, data=data)
    client.post(LOGIN, {"login": owner.email, "password": password})
    client.post(STEP, {"code": "no code"})
    assert read_lines(caplog) == [
        f"A sign-in with a code failed: wrong code, account {owner.pk}",
    ]


def test_a_refused_passkey_is_logged(
    db: None, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    client.post("/accounts/2fa/passkeys/sign-in/", {"credential": "{}"})
    assert read_lines(caplog) == ["A sign-in with a passkey failed: not accepted, no account"]


def test_a_wrong_mailed_code_is_logged(
    owner: User, caplog: pytest.LogCaptureFixture, settings: Settings
) -> None:
    settings.HAS_MAIL_SERVER = settings.ACCOUNT_LOGIN_BY_CODE_ENABLED = True
    for address, whose in ((owner.email, f"account {owner.pk}"), ("x@y.test", "no account")):
        caplog.clear()
        client = Client()
        client.post(REQUEST, {"email": address})
        client.post(ENTER, {"code": "ZZZZ-ZZZZ"})
        expected = f"A sign-in with a mailed code failed: wrong code, {whose}"
        assert read_lines(caplog) == [expected]

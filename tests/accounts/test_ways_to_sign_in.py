"""Every way to sign in asks for the second factor of an account that has one."""

from __future__ import annotations

import re

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth as totp_auth
from django.core import mail
from django.test import Client
from pytest_django import Settings

from accounts.factors import totp
from accounts.models import User

LOGIN, STEP = "/accounts/login/", "/accounts/2fa/sign-in/"
NEW_PASSWORD = "stipe-and-frond-8"


@pytest.fixture(autouse=True)
def with_mail_server(settings: Settings) -> None:
    settings.HAS_MAIL_SERVER = settings.ACCOUNT_LOGIN_BY_CODE_ENABLED = True


@pytest.fixture
def owner_of_app(owner: User) -> User:
    EmailAddress.objects.create(user=owner, email=owner.email, primary=True, verified=True)
    data = totp.build_data(owner.pk, totp_auth.generate_totp_secret(), 0)
    Authenticator.objects.create(user=owner, type=Authenticator.Type.TOTP, data=data)
    return owner


def test_a_new_password_by_mail_skips_no_second_factor(owner_of_app: User, client: Client) -> None:
    client.post("/accounts/password/reset/", {"email": owner_of_app.email})
    link = next(word for word in str(mail.outbox[-1].body).split() if "/reset/key/" in word)
    form = client.get(link, follow=True).redirect_chain[-1][0]
    client.post(form, {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD})
    assert "_auth_user_id" not in client.session
    answer = client.post(LOGIN, {"login": owner_of_app.email, "password": NEW_PASSWORD})
    assert answer.headers["Location"] == STEP
    assert "_auth_user_id" not in client.session


def test_a_mailed_code_skips_no_second_factor(owner_of_app: User, client: Client) -> None:
    client.post("/accounts/login/code/", {"email": owner_of_app.email})
    [code] = re.findall(r"^[B-Z]{4}-[B-Z]{4}$", str(mail.outbox[-1].body), re.MULTILINE)
    answer = client.post("/accounts/login/code/confirm/", {"code": code})
    assert answer.headers["Location"] == STEP
    assert "_auth_user_id" not in client.session

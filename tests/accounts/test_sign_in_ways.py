"""Nobody removes the last way to sign in to an account."""

from __future__ import annotations

import time

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from accounts.social.configuration import SignInServer
from streaming.providers.redaction import Secret
from tests.factories import create_signed_in_client

pytestmark = pytest.mark.django_db

LAST_WAY = "You could not sign in any more. Set a password or add a passkey first."
WORKING_WAYS = ("password", "other passkey", "other linked account", "code by mail")
OTHER_WAYS = ("nothing", "account of a server that is gone", "unconfirmed address", "app")


@pytest.fixture
def owner(owner: User) -> User:
    """Without a password."""
    owner.set_unusable_password()
    owner.save()
    return owner


def confirm(user: User) -> Client:
    """A browser in which this person has just used a passkey."""
    client = create_signed_in_client(user)
    session = client.session
    record = {"method": "mfa", "type": "webauthn", "at": time.time(), "reauthenticated": True}
    session["account_authentication_methods"] = [record]
    session["account_authentication_methods_user"] = str(user.pk)
    session.save()
    return client


@pytest.fixture
def work(settings: Settings) -> None:
    server = SignInServer("work", "Work", "https://id.example", "client", Secret("secret"))
    settings.SIGN_IN_SERVERS = [server]


def add_passkey(user: User) -> Authenticator:
    data = {"name": "Key", "passwordless": True, "credential": {}}
    return Authenticator.objects.create(user=user, type=Authenticator.Type.WEBAUTHN, data=data)


def link_account(user: User, uid: str, provider: str = "work") -> SocialAccount:
    return SocialAccount.objects.create(user=user, provider=provider, uid=uid)


def add_address(user: User, *, is_confirmed: bool) -> EmailAddress:
    values = {"email": user.email, "primary": True, "verified": is_confirmed}
    return EmailAddress.objects.create(user=user, **values)


def add_way(user: User, way: str) -> None:
    match way:
        case "password":
            user.set_password("kelp-holds-fast-7")
            user.save(update_fields=["password"])
        case "other passkey":
            add_passkey(user)
        case "other linked account":
            link_account(user, "other")
        case "code by mail":
            add_address(user, is_confirmed=True)
        case "account of a server that is gone":
            link_account(user, "other", "gone")
        case "unconfirmed address":
            add_address(user, is_confirmed=False)
        case "app":
            Authenticator.objects.create(
                user=user, type=Authenticator.Type.TOTP, data={"secret": ""}
            )


def try_remove_passkey(client: Client, passkey: Authenticator) -> str:
    path = f"/accounts/2fa/passkeys/{passkey.pk}/remove/"
    client.get(path)
    return client.post(path, follow=True).content.decode()


def try_unlink(client: Client, linked: SocialAccount) -> str:
    path = "/settings/linked-accounts/"
    return client.post(path, {"linked": linked.pk}, follow=True).content.decode()


@pytest.mark.parametrize("way", [*WORKING_WAYS, *OTHER_WAYS])
def test_a_passkey_and_a_linked_account_are_removed_only_beside_another_way(
    owner: User, work: None, settings: Settings, way: str
) -> None:
    settings.ACCOUNT_LOGIN_BY_CODE_ENABLED = True
    add_way(owner, way)
    client = confirm(owner)
    is_removed = way in WORKING_WAYS
    passkey = add_passkey(owner)
    assert (LAST_WAY not in try_remove_passkey(client, passkey)) is is_removed
    assert Authenticator.objects.filter(pk=passkey.pk).exists() is not is_removed
    Authenticator.objects.filter(pk=passkey.pk).delete()
    linked = link_account(owner, "first")
    assert (LAST_WAY not in try_unlink(client, linked)) is is_removed
    assert SocialAccount.objects.filter(pk=linked.pk).exists() is not is_removed


def test_a_passkey_and_a_linked_account_stand_in_for_each_other(owner: User, work: None) -> None:
    passkey, linked = add_passkey(owner), link_account(owner, "first")
    client = confirm(owner)
    assert LAST_WAY not in try_unlink(client, linked)
    assert LAST_WAY in try_remove_passkey(client, passkey)


def test_without_a_mail_server_an_address_is_no_way_to_sign_in(
    owner: User, settings: Settings
) -> None:
    settings.ACCOUNT_LOGIN_BY_CODE_ENABLED = False
    add_address(owner, is_confirmed=True)
    assert LAST_WAY in try_remove_passkey(confirm(owner), add_passkey(owner))


def test_the_last_confirmed_address_of_an_account_without_a_password_stays(
    owner: User, settings: Settings
) -> None:
    settings.ACCOUNT_LOGIN_BY_CODE_ENABLED = True
    add_address(owner, is_confirmed=False)
    address = EmailAddress.objects.create(user=owner, email="new@holdfast.test", verified=True)
    client = confirm(owner)
    form = {"email": address.email, "action_remove": ""}
    assert LAST_WAY in client.post("/accounts/email/", form, follow=True).content.decode()
    add_passkey(owner)
    client.post("/accounts/email/", form)
    assert not EmailAddress.objects.filter(pk=address.pk).exists()

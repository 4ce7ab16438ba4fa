"""A half-finished sign-in ends when the account gets a new password, loses the address of the
sign-in, or has all its sessions ended."""

from __future__ import annotations

import pytest
from allauth.account.models import EmailAddress
from django.test import Client

from accounts.models import User
from accounts.sessions.ending import end_all_sessions
from tests.accounts.test_codes import (
    STEP,
    add_app,
    compute_code,
    enter_password,
    is_signed_in,
    stop_clock,
)
from tests.accounts.test_mail_codes import ENTER, REQUEST, find_code, with_mail_server

__all__ = ["stop_clock", "with_mail_server"]
OLD = "old@mail.test"


def change_password(user: User) -> None:
    changed = User.objects.get(pk=user.pk)
    changed.set_password("another long sentence")
    changed.save()


def request_code(user: User, client: Client) -> str:
    EmailAddress.objects.create(user=user, email=OLD, verified=True)
    client.post(REQUEST, {"email": OLD})
    return find_code()


@pytest.mark.parametrize("has_changed", [False, True])
def test_a_new_password_ends_a_sign_in_that_waits_for_a_code_of_the_app(
    owner: User, password: str, has_changed: bool
) -> None:
    add_app(owner)
    browser = enter_password(owner, password)
    if has_changed:
        change_password(owner)
    browser.post(STEP, {"code": compute_code()})
    assert is_signed_in(browser) != has_changed


def test_a_new_password_ends_a_sign_in_that_waits_for_a_mailed_code(
    owner: User, client: Client
) -> None:
    code = request_code(owner, client)
    change_password(owner)
    page = client.post(ENTER, {"code": code}, follow=True)
    assert not is_signed_in(client)
    assert "Your account has changed meanwhile" in page.content.decode()


@pytest.mark.parametrize("has_changed", [False, True])
def test_a_code_to_an_address_that_was_removed_signs_in_nobody(
    owner: User, client: Client, has_changed: bool
) -> None:
    code = request_code(owner, client)
    if has_changed:
        EmailAddress.objects.filter(email=OLD).delete()
    client.post(ENTER, {"code": code})
    assert is_signed_in(client) != has_changed


def test_the_code_of_the_app_after_a_mailed_one_needs_the_address_too(
    owner: User, client: Client
) -> None:
    add_app(owner)
    code = request_code(owner, client)
    assert client.post(ENTER, {"code": code}).headers["Location"] == STEP
    EmailAddress.objects.filter(email=OLD).delete()
    client.post(STEP, {"code": compute_code()})
    assert not is_signed_in(client)


def test_ending_all_sessions_ends_half_finished_sign_ins(owner: User, password: str) -> None:
    add_app(owner)
    browser = enter_password(owner, password)
    end_all_sessions([owner])
    browser.post(STEP, {"code": compute_code()})
    assert not is_signed_in(browser)


def test_a_new_password_makes_a_code_void_that_was_sent_again(owner: User, client: Client) -> None:
    request_code(owner, client)
    client.post(ENTER, {"action": "resend"})
    change_password(owner)
    client.post(ENTER, {"code": find_code()})
    assert not is_signed_in(client)

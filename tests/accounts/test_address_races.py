"""One address that two accounts get at the same moment."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from threading import Barrier, BrokenBarrierError

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client

from accounts import adapter, forms
from accounts.email_addresses import is_email_taken
from accounts.models import User
from accounts.people import addresses
from accounts.people import forms as people_forms
from tests.accounts.test_mail_codes import (
    CONFIRM,
    EMAIL,
    PASSWORD,
    SIGN_UP,
    find_code,
    with_mail_server,
)
from tests.factories import create_signed_in_client, run_at_once

__all__ = ["with_mail_server"]  # a fixture of all tests here
SHARED = "shared@holdfast.test"


def test_of_two_accounts_that_confirm_an_address_at_once_one_gets_it(
    owner: User, colleague: User, commit_for_real: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = Barrier(2)

    def find_and_wait(address: str, *, exclude: User | None = None) -> bool:
        is_taken = is_email_taken(address, exclude=exclude)
        with suppress(BrokenBarrierError):
            both.wait(1)
        return is_taken

    requests = [ask_for_address(user) for user in (owner, colleague)]
    monkeypatch.setattr(adapter, "is_email_taken", find_and_wait)
    answers = run_at_once(
        *[partial(client.post, CONFIRM, {"code": code}) for client, code in requests]
    )
    # The form of the later one is wrong if it was checked after the other had ended.
    statuses = [str(getattr(answer, "status_code", answer)) for answer in answers]
    assert sorted(statuses) in (["302", "302"], ["200", "302"])
    assert EmailAddress.objects.filter(email=SHARED, verified=True).count() == 1


def ask_for_address(user: User) -> tuple[Client, str]:
    """Return a browser that waits for the code, and the code."""
    client = create_signed_in_client(user)
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    mail.outbox.clear()
    client.post(EMAIL, {"action_add": "1", "email": SHARED})
    return client, find_code()


def test_an_address_that_was_confirmed_during_a_sign_up_makes_no_second_account(
    owner: User, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The form found the address free. Otherwise the newer account would have it at each
    sign-in."""
    EmailAddress.objects.create(user=owner, email=SHARED, verified=True)
    monkeypatch.setattr(forms, "is_email_taken", lambda email: False)
    answer = client.post(SIGN_UP, {"email": SHARED, "password1": PASSWORD})
    assert answer.headers["Location"] == "/accounts/login/"
    assert not User.objects.filter(email=SHARED).exists()


USERS, ADDRESSES = "/admin/accounts/user/", "/admin/account/emailaddress/"
NEW_PERSON = {"usable_password": "true", "password1": PASSWORD, "password2": PASSWORD}
TAKEN = "already an account with this address"


def test_a_person_whom_an_administrator_adds_gets_no_address_that_was_taken_meanwhile(
    owner: User, as_administrator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The form found the address free."""
    EmailAddress.objects.create(user=owner, email=SHARED, verified=True)
    monkeypatch.setattr(people_forms, "is_email_taken", lambda email: False)
    page = as_administrator.post(f"{USERS}add/", NEW_PERSON | {"email": SHARED}, follow=True)
    assert TAKEN in page.content.decode()
    assert not User.objects.filter(email=SHARED).exists()


@pytest.mark.skipif(
    connection.vendor == "sqlite", reason="a sign-up waits until the form of the admin is saved"
)
def test_a_person_who_is_added_and_signs_up_at_once_gets_one_account(
    commit_for_real: None, as_administrator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sign-up is complete before the form saves, and after it found the address free."""
    sign_up = partial(Client().post, SIGN_UP, {"email": SHARED, "password1": PASSWORD})

    def find_and_wait(email: str) -> bool:
        is_taken = is_email_taken(email)
        monkeypatch.setattr(people_forms, "is_email_taken", is_email_taken)
        run_at_once(sign_up)
        return is_taken

    monkeypatch.setattr(people_forms, "is_email_taken", find_and_wait)
    # Django compares with the stored addresses after that, so somebody signs up later still.
    monkeypatch.setattr(people_forms.NewPersonForm, "validate_unique", lambda self: None)
    page = as_administrator.post(f"{USERS}add/", NEW_PERSON | {"email": SHARED}, follow=True)
    assert TAKEN in page.content.decode()
    assert User.objects.filter(email=SHARED).count() == 1


@pytest.mark.parametrize("form", [{}, {"verified": "on"}])
def test_an_administrator_confirms_no_address_of_another_account(
    owner: User, colleague: User, as_administrator: Client, form: dict[str, str]
) -> None:
    """An account of a command has no row of its address until its first sign-in."""
    form |= {"user": str(owner.pk), "email": colleague.email.upper()}
    page = as_administrator.post(f"{ADDRESSES}add/", form, follow=True)
    assert (TAKEN in page.content.decode()) == ("verified" in form)
    row = EmailAddress.objects.filter(user=owner).first()
    if row:
        action = {"action": "make_verified", "_selected_action": str(row.pk)}
        page = as_administrator.post(ADDRESSES, action, follow=True)
        assert TAKEN in page.content.decode()
    assert not EmailAddress.objects.filter(user=owner, verified=True).exists()


def test_an_address_that_was_taken_while_an_administrator_confirms_it_is_refused(
    owner: User, colleague: User, as_administrator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(addresses, "is_email_taken", lambda email, exclude=None: False)
    form = {"user": str(owner.pk), "email": colleague.email, "verified": "on"}
    page = as_administrator.post(f"{ADDRESSES}add/", form, follow=True)
    assert TAKEN in page.content.decode()
    assert not EmailAddress.objects.filter(user=owner).exists()


def test_a_command_makes_no_administrator_with_the_confirmed_address_of_another_account(
    owner: User,
) -> None:
    EmailAddress.objects.create(user=owner, email=SHARED, verified=True)
    with pytest.raises(CommandError, match="Another account has confirmed this address"):
        call_command("createsuperuser", email=SHARED, interactive=False)
    assert not User.objects.filter(email=SHARED).exists()

"""One address that two accounts get at the same moment."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from threading import Barrier, BrokenBarrierError

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.test import Client

from accounts import adapter, forms
from accounts.email_addresses import is_email_taken
from accounts.models import User
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
    assert [getattr(answer, "status_code", answer) for answer in answers] == [302, 302]
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

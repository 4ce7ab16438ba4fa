"""Codes in mails that several requests enter at the same moment, with one session."""

from __future__ import annotations

from functools import partial

from django.contrib.sessions.models import Session
from django.test import Client

from accounts.models import User
from tests.accounts.test_mail_codes import (
    CONFIRM,
    ENTER,
    PASSWORD,
    REQUEST,
    SIGN_UP,
    WRONG,
    find_code,
    is_signed_in,
    with_mail_server,
)
from tests.factories import run_at_once

__all__ = ["with_mail_server"]  # a fixture of all tests here


def enter_at_once(client: Client, path: str, code: str, count: int) -> int:
    """Return how many of the requests signed in."""
    tabs = [Client() for _ in range(count)]
    for tab in tabs:
        tab.cookies.update(client.cookies)
    run_at_once(*[partial(tab.post, path, {"code": code}) for tab in tabs])
    return sum(map(is_signed_in, tabs))


def test_of_eight_guesses_at_once_three_are_checked(
    owner: User, client: Client, commit_for_real: None
) -> None:
    client.post(REQUEST, {"email": owner.email})
    code = find_code()
    enter_at_once(client, ENTER, WRONG, 8)
    client.post(ENTER, {"code": code})
    assert not is_signed_in(client)


def test_of_eight_guesses_of_a_new_address_at_once_three_are_checked(
    client: Client, owner: User, commit_for_real: None
) -> None:
    client.post(SIGN_UP, {"email": "ann@example.org", "password1": PASSWORD})
    code = find_code()
    enter_at_once(client, CONFIRM, WRONG, 8)
    client.post(CONFIRM, {"code": code})
    assert not is_signed_in(client)


def test_a_session_with_a_new_key_gets_no_new_attempts(owner: User, client: Client) -> None:
    """Two requests that renew the key at once make two sessions of one."""
    client.post(REQUEST, {"email": owner.email})
    code, before = find_code(), Session.objects.get()
    copies = []
    for letter in "abc":
        Session.objects.create(
            session_key=letter * 32,
            session_data=before.session_data,
            expire_date=before.expire_date,
        )
        copies.append(Client())
        copies[-1].cookies["sessionid"] = letter * 32
    for copy in copies:
        copy.post(ENTER, {"code": WRONG})
    client.post(ENTER, {"code": code})
    assert not is_signed_in(client)


def test_requests_at_once_use_a_code_once(
    owner: User, client: Client, commit_for_real: None
) -> None:
    client.post(REQUEST, {"email": owner.email})
    assert enter_at_once(client, ENTER, find_code(), 3) == 1

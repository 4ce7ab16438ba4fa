"""A reader of somebody's mail can set new passwords, but gets no further guesses of the second
factor by it."""

from __future__ import annotations

import re

from django.core import mail
from django.test import Client

from accounts.models import User
from tests.accounts.test_codes import (
    STEP,
    add_app,
    compute_code,
    enter_password,
    guess_from_many_addresses,
    is_signed_in,
    stop_clock,
)

__all__ = ["stop_clock"]
RESET = "/accounts/password/reset/"


def reset_password(client: Client, user: User, password: str) -> Client:
    mail.outbox.clear()
    client.post(RESET, {"email": user.email})
    link = re.search(rf"{RESET}key/\S+", str(mail.outbox[-1].body))
    assert link
    page = client.get(link.group(), follow=True)
    form = {"password1": password, "password2": password}
    client.post(page.redirect_chain[-1][0], form)
    user.refresh_from_db()
    assert user.check_password(password)
    return enter_password(user, password, client)


def count_checked_codes(client: Client) -> int:
    for tried in range(12):
        answer = client.post(STEP, {"code": "000000"})
        if "Too many wrong codes" in answer.content.decode():
            return tried
    return 12


def test_new_passwords_and_new_cookies_do_not_renew_the_count_of_codes(owner: User) -> None:
    add_app(owner)
    tried = [
        count_checked_codes(reset_password(Client(), owner, f"a long new sentence {n}"))
        for n in range(3)
    ]
    assert tried == [5, 0, 0]


def test_a_browser_that_only_set_a_password_counts_among_strangers(owner: User) -> None:
    add_app(owner)
    browser = reset_password(Client(), owner, "a long new sentence")
    guess_from_many_addresses(owner)
    browser.post(STEP, {"code": compute_code()}, REMOTE_ADDR="198.51.100.9")
    assert not is_signed_in(browser)


def test_a_browser_that_signed_in_before_a_reset_keeps_its_own_count(
    owner: User, password: str
) -> None:
    add_app(owner)
    browser = enter_password(owner, password)
    browser.post(STEP, {"code": compute_code(seconds_off=-30)})
    assert is_signed_in(browser)
    browser.post("/accounts/logout/")
    reset_password(browser, owner, "a long new sentence")
    guess_from_many_addresses(owner)
    browser.post(STEP, {"code": compute_code()}, REMOTE_ADDR="198.51.100.9")
    assert is_signed_in(browser)


def test_a_browser_that_completes_its_sign_in_after_a_reset_is_known(owner: User) -> None:
    add_app(owner)
    browser = reset_password(Client(), owner, "a long new sentence")
    browser.post(STEP, {"code": compute_code(seconds_off=-30)})
    browser.post("/accounts/logout/")
    enter_password(owner, "a long new sentence", browser)
    guess_from_many_addresses(owner)
    browser.post(STEP, {"code": compute_code()}, REMOTE_ADDR="198.51.100.9")
    assert is_signed_in(browser)


def test_a_new_password_does_not_renew_the_count_of_mails(owner: User) -> None:
    for number in range(5):
        Client().post(RESET, {"email": owner.email})
        owner.set_password(f"a long new sentence {number}")
        owner.save()
    assert len(mail.outbox) == 3

"""Wrong passwords are limited, whatever a guesser varies, and bar no known browser."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from smtplib import SMTPServerDisconnected
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.db import connections
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts import adapter, login_attempts, password_check, rate_limits
from accounts.adapter import UNREQUESTED_MAIL_LIMIT
from accounts.devices import COOKIE_NAME
from accounts.models import CacheEntry, User
from accounts.rate_limits import RateLimit

LOGIN = "/accounts/login/"
RESET = "/accounts/password/reset/"
NEW_PASSWORD = "stipe-and-frond-8"
TOO_MANY = "Too many failed login attempts"


@pytest.fixture
def compared_passwords(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Record the passwords that are compared with an account's."""
    passwords: list[str] = []
    check = password_check.check_password

    def check_and_record(user: User | None, password: str, *, renew: bool) -> bool:
        if user is not None:
            passwords.append(password)
        return check(user, password, renew=renew)

    monkeypatch.setattr(adapter, "check_password", check_and_record)
    return passwords


def try_login(client: Client, password: str = "a guess", address: str = "", **extra: Any) -> str:
    form = {"login": address or "owner@holdfast.test", "password": password}
    return client.post(LOGIN, form, **extra).content.decode()


STRANGER_LIMIT = 6


@pytest.fixture
def lower_stranger_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lower the limit of strangers, so that a test needs fewer."""
    monkeypatch.setattr(
        login_attempts, "UNKNOWN_DEVICES_LIMIT", RateLimit("few", STRANGER_LIMIT, 3600)
    )


def list_addresses() -> list[str]:
    """Return more addresses of clients than attempts that strangers have."""
    return [f"198.51.100.{number}" for number in range(1, STRANGER_LIMIT + 3)]


HEADERS_BY_PART: dict[str, Callable[[int], dict[str, str]]] = {
    "port": lambda n: {"HTTP_HOST": f"127.0.0.1:{1000 + n}"},
    "name": lambda n: {"HTTP_HOST": ["localhost", "127.0.0.1", "[::1]", "testserver"][n % 4]},
    "case": lambda n: {"HTTP_HOST": ["localhost", "LOCALHOST", "LocalHost", "lOcalhost"][n % 4]},
    "dot": lambda n: {"HTTP_HOST": "localhost" + "." * (n % 2)},
    "server": lambda n: {"SERVER_PORT": str(8000 + n)},
    "forwarded": lambda n: {"HTTP_X_FORWARDED_FOR": f"203.0.113.{n}"},
    "forwarded host": lambda n: {"HTTP_X_FORWARDED_HOST": f"a{n}.example.org"},
    "browser": lambda n: {"HTTP_USER_AGENT": f"Browser {n}"},
    "network": lambda n: {"REMOTE_ADDR": f"2001:db8::{n + 1:x}"},
    "cookie": lambda n: {"HTTP_COOKIE": f"{COOKIE_NAME}=made-up-{n}"},
}


@pytest.mark.parametrize("part", HEADERS_BY_PART)
def test_no_header_gives_a_guesser_more_attempts(
    owner: User, compared_passwords: list[str], part: str
) -> None:
    for number in range(7):
        try_login(Client(), **HEADERS_BY_PART[part](number))
    assert len(compared_passwords) == login_attempts.CLIENT_ADDRESS_LIMIT.max_count


SPELLINGS = ["owner@holdfast.test", "OWNER@holdfast.test", "Owner@HoldFast.Test"]
SPELLINGS += [" owner@holdfast.test", "owner@holdfast.test\t", "\u3000owner@holdfast.test "]


def test_all_spellings_of_an_address_share_one_limit(
    owner: User, compared_passwords: list[str]
) -> None:
    for number in range(7):
        try_login(Client(), address=SPELLINGS[number % len(SPELLINGS)])
    assert len(compared_passwords) == login_attempts.CLIENT_ADDRESS_LIMIT.max_count


def test_an_unknown_address_is_limited_in_the_same_way(
    owner: User, compared_passwords: list[str]
) -> None:
    for address in ["owner@holdfast.test", "nobody@holdfast.test", "x" * 5_000 + "@example.org"]:
        client = Client(REMOTE_ADDR=f"198.51.100.{len(address) % 250}")
        answers = [TOO_MANY in try_login(client, address=address) for _ in range(7)]
        assert answers in ([False] * 5 + [True] * 2, [False] * 7)  # the last one is no address
    assert len(compared_passwords) == login_attempts.CLIENT_ADDRESS_LIMIT.max_count


def test_of_thirty_guesses_at_once_exactly_the_limit_is_checked(
    commit_for_real: None, compared_passwords: list[str]
) -> None:
    User.objects.create_user("owner@holdfast.test", "kelp-holds-fast-7")

    def log_in(_: int) -> None:
        try:
            try_login(Client())
        finally:
            connections.close_all()

    with ThreadPoolExecutor(10) as threads:
        list(threads.map(log_in, range(30)))
    assert len(compared_passwords) == login_attempts.CLIENT_ADDRESS_LIMIT.max_count


def test_a_wrong_password_costs_one_hash(owner: User, compared_passwords: list[str]) -> None:
    try_login(Client())
    assert compared_passwords == ["a guess"]


def test_twenty_guessers_from_twenty_addresses_are_limited_in_total(
    owner: User, compared_passwords: list[str], lower_stranger_limit: None
) -> None:
    for client in list_addresses():
        try_login(Client(REMOTE_ADDR=client))
    assert len(compared_passwords) == STRANGER_LIMIT


def test_one_guesser_cannot_use_up_the_limit_of_all_strangers() -> None:
    hourly_limit = login_attempts.CLIENT_ADDRESS_HOURLY_LIMIT
    assert hourly_limit.window_seconds == login_attempts.UNKNOWN_DEVICES_LIMIT.window_seconds
    assert hourly_limit.max_count * 5 < login_attempts.UNKNOWN_DEVICES_LIMIT.max_count


def test_a_guesser_elsewhere_does_not_lock_out_the_owner(owner: User, password: str) -> None:
    for _ in range(7):
        try_login(Client(REMOTE_ADDR="198.51.100.7"))
    assert try_login(Client(REMOTE_ADDR="198.51.100.8"), password) == ""


@pytest.mark.parametrize("sender", ["everywhere", "the same address"])
def test_guessers_do_not_bar_a_known_browser(
    owner: User, password: str, lower_stranger_limit: None, sender: str
) -> None:
    browser = Client()
    try_login(browser, password)
    browser.post("/accounts/logout/")
    for client in list_addresses() if sender == "everywhere" else ["127.0.0.1"] * 12:
        try_login(Client(REMOTE_ADDR=client))
    assert Client().post(LOGIN, {"login": owner.email, "password": password}).status_code != 302
    try_login(browser, password)
    assert browser.session["_auth_user_id"] == str(owner.pk)


class FullCache:
    """A table of limits that accepts no further row."""

    def get(self, key: str) -> None:
        return None

    def add(self, *_: Any) -> bool:
        return False

    def incr(self, key: str) -> int:
        raise ValueError(key)

    decr = incr


def test_a_full_table_bars_strangers_and_no_known_browser(
    owner: User, password: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = Client()
    try_login(browser, password)
    browser.post("/accounts/logout/")
    monkeypatch.setattr(rate_limits, "cache", FullCache())
    assert Client().post(LOGIN, {"login": owner.email, "password": password}).status_code != 302
    try_login(browser, password)
    assert browser.session["_auth_user_id"] == str(owner.pk)


def test_a_client_without_attempts_left_adds_no_rows(owner: User) -> None:
    rows = []
    for number in range(login_attempts.CLIENT_LIMIT.max_count + 5):
        try_login(Client(), address=f"nobody-{number}@holdfast.test")
        rows.append(CacheEntry.objects.filter(key__contains="login-from").count())
    assert len(set(rows[login_attempts.CLIENT_LIMIT.max_count - 1 :])) == 1


def test_a_known_browser_has_a_limit_of_its_own(
    owner: User, password: str, compared_passwords: list[str]
) -> None:
    thief = Client()
    try_login(thief, password)
    thief.post("/accounts/logout/")
    compared_passwords.clear()
    for number in range(13):
        try_login(thief, REMOTE_ADDR=f"198.51.100.{number}")
    assert len(compared_passwords) == login_attempts.KNOWN_DEVICE_LIMIT.max_count


def test_the_device_cookie_allows_no_sign_in_and_is_hidden_from_scripts(
    owner: User, password: str
) -> None:
    client = Client()
    client.post(LOGIN, {"login": owner.email, "password": password})
    cookie = client.cookies[COOKIE_NAME]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", "/accounts/")
    other = Client()
    other.cookies[COOKIE_NAME] = cookie.value
    assert other.get("/settings/keys/").status_code == 302
    assert password not in cookie.value
    assert owner.password not in cookie.value


def test_the_device_cookie_is_void_for_another_account_or_after_a_new_password(
    owner: User, colleague: User, password: str, compared_passwords: list[str]
) -> None:
    client = Client()
    try_login(client, password)
    client.post("/accounts/logout/")
    compared_passwords.clear()
    for _ in range(7):
        try_login(client, address=colleague.email)
    assert len(compared_passwords) == login_attempts.CLIENT_ADDRESS_LIMIT.max_count
    owner.set_password(NEW_PASSWORD)
    owner.save()
    compared_passwords.clear()
    for _ in range(7):
        try_login(client, REMOTE_ADDR="198.51.100.9")
    assert len(compared_passwords) == login_attempts.CLIENT_ADDRESS_LIMIT.max_count


def test_a_reset_password_lets_its_owner_in_while_strangers_guess(
    owner: User, lower_stranger_limit: None
) -> None:
    for client in list_addresses():
        try_login(Client(REMOTE_ADDR=client))
    browser = Client()
    browser.post(RESET, {"email": owner.email})
    link = next(word for word in mail.outbox[-1].body.split() if "/password/reset/key/" in word)
    form = browser.get(link, follow=True).redirect_chain[-1][0]
    browser.post(form, {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD})
    for client in list_addresses():
        try_login(Client(REMOTE_ADDR=client))
    try_login(browser, NEW_PASSWORD)
    assert browser.session["_auth_user_id"] == str(owner.pk)


def test_strangers_who_request_links_lock_out_no_owner_and_fill_no_inbox(owner: User) -> None:
    """The links that strangers requested go to their owner."""
    form = {"email": owner.email}
    answers = {Client().post(RESET, form).status_code for _ in range(30)}
    answers |= {
        Client(REMOTE_ADDR=client).post(RESET, form).status_code for client in list_addresses()
    }
    assert answers == {302}
    assert len(mail.outbox) == UNREQUESTED_MAIL_LIMIT.max_count
    owner.last_login = timezone.now()  # this makes the links void
    owner.save()
    Client().post(RESET, form)
    assert len(mail.outbox) == UNREQUESTED_MAIL_LIMIT.max_count + 1


def test_a_link_that_could_not_be_sent_does_not_count(
    owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> int:
        raise SMTPServerDisconnected

    with monkeypatch.context() as without_server:
        without_server.setattr(EmailBackend, "send_messages", fail)
        for _ in range(2 * UNREQUESTED_MAIL_LIMIT.max_count):
            Client(raise_request_exception=False).post(RESET, {"email": owner.email})
    Client().post(RESET, {"email": owner.email})
    assert len(mail.outbox) == 1


def test_a_link_is_sent_to_the_stored_address_however_it_is_typed(owner: User) -> None:
    owner.email = "mike@holdfast.test"
    owner.save()
    Client().post(RESET, {"email": "mi\u212ae@holdfast.test"})  # the sign for Kelvin
    assert [letter.to for letter in mail.outbox] == [[owner.email]]


def test_the_other_addresses_of_an_account_are_counted_with_it(
    owner: User, compared_passwords: list[str], lower_stranger_limit: None
) -> None:
    EmailAddress.objects.create(user=owner, email="second@holdfast.test", verified=True)
    for client in list_addresses():
        try_login(Client(REMOTE_ADDR=client))
        try_login(Client(REMOTE_ADDR=client), address="second@holdfast.test")
    assert len(compared_passwords) == STRANGER_LIMIT


@pytest.mark.parametrize("page", ["reauthenticate", "password/change"])
def test_a_session_has_no_more_attempts_than_a_stranger(
    as_owner: Client, compared_passwords: list[str], page: str
) -> None:
    form = {"password": "a guess", "oldpassword": "a guess"}
    form |= {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    for _ in range(7):
        as_owner.post(f"/accounts/{page}/", form)
    assert len(compared_passwords) == login_attempts.CLIENT_ADDRESS_LIMIT.max_count


def test_the_admins_password_pages_check_no_password(
    as_administrator: Client, compared_passwords: list[str]
) -> None:
    compared_passwords.clear()
    form = {"username": "owner@holdfast.test", "password": "a guess", "old_password": "a guess"}
    for page in ["/admin/login/", "/admin/password_change/"]:
        assert as_administrator.post(page, form).status_code == 302
    assert compared_passwords == []


def test_a_link_in_a_mail_has_no_forged_port(owner: User, settings: Settings) -> None:
    for host in ["127.0.0.1:6666", "localhost:1"]:
        Client().post(RESET, {"email": owner.email}, HTTP_HOST=host, SERVER_PORT="8000")
        assert f"http://{host.partition(':')[0]}:8000/accounts/" in mail.outbox[-1].body
        assert host not in mail.outbox[-1].body
    settings.TRUSTED_ORIGINS = ["https://chat.example.org"]
    Client().post(RESET, {"email": owner.email}, HTTP_HOST="127.0.0.1:6666")
    assert "https://chat.example.org/accounts/password/reset/key/" in mail.outbox[-1].body

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

from accounts import login_attempts, rate_limits
from accounts.adapter import UNREQUESTED_MAIL_LIMIT
from accounts.devices import COOKIE_NAME
from accounts.models import CacheEntry, User
from accounts.rate_limits import RateLimit

LOGIN = "/accounts/login/"
RESET = "/accounts/password/reset/"
NEW_PASSWORD = "stipe-and-frond-8"
TOO_MANY = "Too many failed login attempts"


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The passwords that were compared with an account's."""
    seen: list[str] = []
    check = User.check_password

    def check_and_note(user: User, typed: str) -> bool:
        seen.append(typed)
        return check(user, typed)

    monkeypatch.setattr(User, "check_password", check_and_note)
    return seen


def guess(client: Client, password: str = "a guess", address: str = "", **extra: Any) -> str:
    typed = {"login": address or "owner@holdfast.test", "password": password}
    return client.post(LOGIN, typed, **extra).content.decode()


FEW = 6


@pytest.fixture
def few_strangers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lower the limit of strangers, so that a test needs fewer."""
    monkeypatch.setattr(login_attempts, "UNKNOWN_DEVICES_LIMIT", RateLimit("few", FEW, 3600))


def addresses() -> list[str]:
    """More clients than the attempts of all strangers."""
    return [f"198.51.100.{number}" for number in range(1, FEW + 3)]


HOSTS: dict[str, Callable[[int], dict[str, str]]] = {
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


@pytest.mark.parametrize("varied", HOSTS)
def test_no_header_gives_a_guesser_more_attempts(
    owner: User, checked: list[str], varied: str
) -> None:
    for number in range(7):
        guess(Client(), **HOSTS[varied](number))
    assert len(checked) == login_attempts.CLIENT_ADDRESS_LIMIT.max_count


SPELLINGS = ["owner@holdfast.test", "OWNER@holdfast.test", "Owner@HoldFast.Test"]
SPELLINGS += [" owner@holdfast.test", "owner@holdfast.test\t", "\u3000owner@holdfast.test "]


def test_all_spellings_of_an_address_share_one_limit(owner: User, checked: list[str]) -> None:
    for number in range(7):
        guess(Client(), address=SPELLINGS[number % len(SPELLINGS)])
    assert len(checked) == login_attempts.CLIENT_ADDRESS_LIMIT.max_count


def test_an_unknown_address_is_limited_in_the_same_way(owner: User, checked: list[str]) -> None:
    for address in ["owner@holdfast.test", "nobody@holdfast.test", "x" * 5_000 + "@example.org"]:
        client = Client(REMOTE_ADDR=f"198.51.100.{len(address) % 250}")
        answers = [TOO_MANY in guess(client, address=address) for _ in range(7)]
        assert answers in ([False] * 5 + [True] * 2, [False] * 7)  # the last one is no address
    assert len(checked) == login_attempts.CLIENT_ADDRESS_LIMIT.max_count


def test_of_thirty_guesses_at_once_exactly_the_limit_is_checked(
    committed: None, checked: list[str]
) -> None:
    User.objects.create_user("owner@holdfast.test", "kelp-holds-fast-7")

    def try_one(_: int) -> None:
        try:
            guess(Client())
        finally:
            connections.close_all()

    with ThreadPoolExecutor(10) as threads:
        list(threads.map(try_one, range(30)))
    assert len(checked) == login_attempts.CLIENT_ADDRESS_LIMIT.max_count


def test_a_wrong_password_costs_one_hash(owner: User, checked: list[str]) -> None:
    guess(Client())
    assert checked == ["a guess"]


def test_twenty_guessers_from_twenty_addresses_are_limited_in_total(
    owner: User, checked: list[str], few_strangers: None
) -> None:
    for client in addresses():
        guess(Client(REMOTE_ADDR=client))
    assert len(checked) == FEW


def test_one_guesser_cannot_use_up_the_limit_of_all_strangers() -> None:
    from_one = login_attempts.CLIENT_ADDRESS_HOURLY_LIMIT
    assert from_one.window_seconds == login_attempts.UNKNOWN_DEVICES_LIMIT.window_seconds
    assert from_one.max_count * 5 < login_attempts.UNKNOWN_DEVICES_LIMIT.max_count


def test_a_guesser_elsewhere_does_not_lock_out_the_owner(owner: User, password: str) -> None:
    for _ in range(7):
        guess(Client(REMOTE_ADDR="198.51.100.7"))
    assert guess(Client(REMOTE_ADDR="198.51.100.8"), password) == ""


@pytest.mark.parametrize("from_where", ["everywhere", "the same address"])
def test_guessers_do_not_bar_a_known_browser(
    owner: User, password: str, few_strangers: None, from_where: str
) -> None:
    mine = Client()
    guess(mine, password)
    mine.post("/accounts/logout/")
    for client in addresses() if from_where == "everywhere" else ["127.0.0.1"] * 12:
        guess(Client(REMOTE_ADDR=client))
    assert Client().post(LOGIN, {"login": owner.email, "password": password}).status_code != 302
    guess(mine, password)
    assert mine.session["_auth_user_id"] == str(owner.pk)


class Full:
    """A table of limits that accepts no further row."""

    def add(self, *_: Any) -> bool:
        return False

    def incr(self, key: str) -> int:
        raise ValueError(key)

    decr = incr


def test_a_full_table_bars_strangers_and_no_known_browser(
    owner: User, password: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = Client()
    guess(mine, password)
    mine.post("/accounts/logout/")
    monkeypatch.setattr(rate_limits, "cache", Full())
    assert Client().post(LOGIN, {"login": owner.email, "password": password}).status_code != 302
    guess(mine, password)
    assert mine.session["_auth_user_id"] == str(owner.pk)


def test_a_client_without_attempts_left_adds_no_rows(owner: User) -> None:
    rows = []
    for number in range(login_attempts.CLIENT_LIMIT.max_count + 5):
        guess(Client(), address=f"nobody-{number}@holdfast.test")
        rows.append(CacheEntry.objects.filter(key__contains="login-from").count())
    assert len(set(rows[login_attempts.CLIENT_LIMIT.max_count - 1 :])) == 1


def test_a_known_browser_has_a_limit_of_its_own(
    owner: User, password: str, checked: list[str]
) -> None:
    thief = Client()
    guess(thief, password)
    thief.post("/accounts/logout/")
    checked.clear()
    for number in range(13):
        guess(thief, REMOTE_ADDR=f"198.51.100.{number}")
    assert len(checked) == login_attempts.KNOWN_DEVICE_LIMIT.max_count


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
    owner: User, colleague: User, password: str, checked: list[str]
) -> None:
    client = Client()
    guess(client, password)
    client.post("/accounts/logout/")
    checked.clear()
    for _ in range(7):
        guess(client, address=colleague.email)
    assert len(checked) == login_attempts.CLIENT_ADDRESS_LIMIT.max_count
    owner.set_password(NEW_PASSWORD)
    owner.save()
    checked.clear()
    for _ in range(7):
        guess(client, REMOTE_ADDR="198.51.100.9")
    assert len(checked) == login_attempts.CLIENT_ADDRESS_LIMIT.max_count


def test_a_reset_password_lets_its_owner_in_while_strangers_guess(
    owner: User, few_strangers: None
) -> None:
    for client in addresses():
        guess(Client(REMOTE_ADDR=client))
    mine = Client()
    mine.post(RESET, {"email": owner.email})
    link = next(word for word in mail.outbox[-1].body.split() if "/password/reset/key/" in word)
    form = mine.get(link, follow=True).redirect_chain[-1][0]
    mine.post(form, {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD})
    for client in addresses():
        guess(Client(REMOTE_ADDR=client))
    guess(mine, NEW_PASSWORD)
    assert mine.session["_auth_user_id"] == str(owner.pk)


def test_strangers_who_request_links_lock_out_no_owner_and_fill_no_inbox(owner: User) -> None:
    """The links that strangers requested go to their owner."""
    asked = {"email": owner.email}
    answers = {Client().post(RESET, asked).status_code for _ in range(30)}
    answers |= {Client(REMOTE_ADDR=client).post(RESET, asked).status_code for client in addresses()}
    assert answers == {302}
    assert len(mail.outbox) == UNREQUESTED_MAIL_LIMIT.max_count
    owner.last_login = timezone.now()  # this makes the links void
    owner.save()
    Client().post(RESET, asked)
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
    owner: User, checked: list[str], few_strangers: None
) -> None:
    EmailAddress.objects.create(user=owner, email="second@holdfast.test", verified=True)
    for client in addresses():
        guess(Client(REMOTE_ADDR=client))
        guess(Client(REMOTE_ADDR=client), address="second@holdfast.test")
    assert len(checked) == FEW


@pytest.mark.parametrize("page", ["reauthenticate", "password/change"])
def test_a_session_has_no_more_attempts_than_a_stranger(
    as_owner: Client, checked: list[str], page: str
) -> None:
    typed = {"password": "a guess", "oldpassword": "a guess"}
    typed |= {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    for _ in range(7):
        as_owner.post(f"/accounts/{page}/", typed)
    assert len(checked) == login_attempts.CLIENT_ADDRESS_LIMIT.max_count


def test_the_admins_password_pages_check_no_password(
    as_administrator: Client, checked: list[str]
) -> None:
    checked.clear()
    typed = {"username": "owner@holdfast.test", "password": "a guess", "old_password": "a guess"}
    for page in ["/admin/login/", "/admin/password_change/"]:
        assert as_administrator.post(page, typed).status_code == 302
    assert checked == []


def test_a_link_in_a_mail_has_no_forged_port(owner: User, settings: Settings) -> None:
    for host in ["127.0.0.1:6666", "localhost:1"]:
        Client().post(RESET, {"email": owner.email}, HTTP_HOST=host, SERVER_PORT="8000")
        assert f"http://{host.partition(':')[0]}:8000/accounts/" in mail.outbox[-1].body
        assert host not in mail.outbox[-1].body
    settings.ORIGINS = ["https://chat.example.org"]
    Client().post(RESET, {"email": owner.email}, HTTP_HOST="127.0.0.1:6666")
    assert "https://chat.example.org/accounts/password/reset/key/" in mail.outbox[-1].body

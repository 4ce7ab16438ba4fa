"""A flood of anonymous clients causes a small, constant number of writes."""

import os
from collections.abc import Callable

import pytest
from allauth.account.utils import user_pk_to_url_str
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from accounts import form_limits
from accounts.memory_limits import FormLimiter
from accounts.models import User
from streaming.doors import sessions

LOGIN = "/accounts/login/"
SIGN_UP = "/accounts/signup/"
RESET = "/accounts/password/reset/"
FEW, MANY = 35, 200
"""More requests than any limit of one client, for the quick test and for the long one."""
WRITES = ("INSERT", "UPDATE", "DELETE")


def count_writes(send: Callable[[int], object], times: int) -> int:
    with CaptureQueriesContext(connection) as queries:
        for number in range(times):
            send(number)
    return sum(query["sql"].startswith(WRITES) for query in queries)


def sign_up(number: int) -> None:
    form = {"email": f"new-{number}@holdfast.test", "password1": "kelp-holds-fast-7"}
    Client().post(SIGN_UP, form | {"setup_code": "a guess"})


def send_bad_cookie(number: int) -> None:
    client = Client()
    client.cookies["sessionid"] = ["\0" * 32, "a" * 32, "é" * 32, "'; --"][number % 4]
    client.cookies["device"] = client.cookies["messages"] = "a:b:c"
    client.get("/")
    client.get("/c/")


def name_owner() -> str:
    """As a link for a new password names an account."""
    return user_pk_to_url_str(User.objects.get(email="owner@holdfast.test"))


FLOODS: dict[str, tuple[Callable[[int], object], int]] = {
    "pages": (
        lambda n: [Client().get(path) for path in ("/", LOGIN, SIGN_UP, RESET, "/settings/keys/")],
        0,
    ),
    "missing pages": (lambda n: Client().get(f"/nothing/{n}"), 0),
    "wrong passwords of one account": (
        lambda n: Client().post(LOGIN, {"login": "owner@holdfast.test", "password": "a guess"}),
        50,
    ),
    "wrong passwords of unknown addresses": (
        lambda n: Client().post(LOGIN, {"login": f"nobody-{n}@holdfast.test", "password": "x"}),
        100,
    ),
    "empty sign-in forms": (lambda n: Client().post(LOGIN, {}), 0),
    "sign-ups while it is closed": (sign_up, 120),
    "links for the same account": (
        lambda n: Client().post(RESET, {"email": "owner@holdfast.test"}),
        20,
    ),
    "links for unknown addresses": (
        lambda n: Client().post(RESET, {"email": f"nobody-{n}@holdfast.test"}),
        0,
    ),
    "drafts": (lambda n: Client().post("/c/", {"text": f"wave {n}", "model": ""}), 100),
    "bad cookies": (send_bad_cookie, 0),
    "made-up links of mails": (
        lambda n: [
            Client().get(f"/accounts/password/reset/key/{name_owner()}-abcdef-{'0' * 32}/"),
            Client().get(f"/accounts/confirm-email/{n}:a:b/"),
            Client().post(f"/accounts/confirm-email/{n}:a:b/"),
        ],
        0,
    ),
    "buttons of signed-in people": (
        lambda n: [
            Client().post(path)
            for path in ("/accounts/logout/", "/accounts/email/", "/accounts/password/change/")
        ],
        0,
    ),
}


@pytest.mark.parametrize("kind", FLOODS)
def test_a_flood_of_one_client_causes_few_writes(
    owner: User, settings: Settings, kind: str
) -> None:
    settings.SIGNUP = "closed"
    send, allowed = FLOODS[kind]
    assert count_writes(send, FEW if allowed else 4) <= allowed


@pytest.mark.prove
@pytest.mark.parametrize("kind", FLOODS)
def test_a_long_flood_of_one_client_causes_no_more_writes(
    owner: User, settings: Settings, kind: str
) -> None:
    settings.SIGNUP = "closed"
    send, allowed = FLOODS[kind]
    assert count_writes(send, MANY) <= allowed


def test_a_handshake_of_a_socket_writes_nothing(db: None) -> None:
    keys = [f"{number:032}" for number in range(50)]
    with CaptureQueriesContext(connection) as queries:
        assert sessions._load_session_users(keys) == {}
    assert all("SELECT" in query["sql"] for query in queries)
    assert len(queries) == 1


def test_a_client_that_used_up_its_limit_causes_no_write(owner: User) -> None:
    send = FLOODS["wrong passwords of one account"][0]
    count_writes(send, 10)
    assert count_writes(send, 10) == 0


def test_sign_ups_of_one_client_are_limited_before_they_write(
    owner: User, settings: Settings
) -> None:
    settings.SIGNUP = "open"
    count_writes(sign_up, form_limits.FORM_LIMITERS[SIGN_UP].max_per_client)
    assert count_writes(sign_up, 20) == 0


def test_wrong_setup_codes_are_limited_before_they_write(db: None, settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["chat.example.org", "testserver"]
    count_writes(sign_up, form_limits.FORM_LIMITERS[SIGN_UP].max_per_client)
    assert count_writes(sign_up, 20) == 0


def test_clients_of_many_addresses_are_limited_together(
    owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(form_limits.FORM_LIMITERS, LOGIN, FormLimiter(30, max_of_all=5))

    def guess(number: int) -> int:
        client = Client(REMOTE_ADDR=f"2001:db8:{number:x}::1")
        return client.post(LOGIN, {"login": "owner@holdfast.test", "password": "x"}).status_code

    assert [guess(number) for number in range(7)] == [200] * 5 + [429] * 2
    assert count_writes(guess, 20) == 0


def test_a_flood_bars_no_browser_that_has_signed_in_before(
    owner: User, password: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    limiter = FormLimiter(max_per_client=4, max_of_all=4)
    monkeypatch.setitem(form_limits.FORM_LIMITERS, LOGIN, limiter)
    form = {"login": owner.email, "password": password}
    browser = Client()
    browser.post(LOGIN, form)
    browser.post("/accounts/logout/")
    while not limiter.try_consume("2001:db8::/64"):
        pass
    assert Client().post(LOGIN, form).status_code == 429
    assert browser.post(LOGIN, form).status_code == 302


def test_an_outdated_device_cookie_does_not_use_up_the_forms_of_other_browsers(
    owner: User, password: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(form_limits.FORM_LIMITERS, LOGIN, FormLimiter(4, max_of_all=40))
    thief, browser = Client(REMOTE_ADDR="203.0.113.9"), Client(REMOTE_ADDR="198.51.100.7")
    thief.post(LOGIN, {"login": owner.email, "password": password})
    thief.post("/accounts/logout/")
    owner.set_password("a long new sentence")
    owner.save()
    form = {"login": owner.email, "password": "a long new sentence"}
    browser.post(LOGIN, form)
    browser.post("/accounts/logout/")
    answers = [thief.post(LOGIN, {}).status_code for _ in range(6)]
    assert answers == [200] * 4 + [429] * 2
    assert browser.post(LOGIN, form).status_code == 302


def test_many_known_browsers_of_an_account_count_as_strangers_after_a_while() -> None:
    limiter = FormLimiter(max_per_client=2, max_of_all=40)
    for number in range(8):
        limiter.try_consume(f"device {number // 2}", is_known=True, group="devices")
        assert limiter.is_group_used_up("devices") == (number == 7)


def test_a_forged_device_cookie_gives_no_further_forms(
    owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(form_limits.FORM_LIMITERS, LOGIN, FormLimiter(3, 3))
    codes = []
    for number in range(5):
        client = Client()
        client.cookies["device"] = f"eyIxIjpb{number}:1abc:{os.urandom(16).hex()}"
        codes.append(client.post(LOGIN, {}).status_code)
    assert codes == [200] * 3 + [429] * 2


@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}])
def test_a_refused_form_gets_a_sentence_and_the_time_to_wait(
    owner: User, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str]
) -> None:
    monkeypatch.setitem(form_limits.FORM_LIMITERS, LOGIN, FormLimiter(0, 0))
    answer = Client(headers=headers).post(LOGIN, {})
    assert answer.status_code == 429
    assert "Wait a few minutes and try again." in answer.content.decode()
    assert 0 < int(answer.headers["Retry-After"]) <= 60


def test_the_memory_holds_no_more_clients_than_may_send_forms() -> None:
    limiter = FormLimiter(max_per_client=2, max_of_all=10)
    for number in range(1_000):
        limiter.try_consume(f"client {number}")
    assert len(limiter._counts) == 10


def test_another_window_begins_after_the_first() -> None:
    limiter = FormLimiter(max_per_client=1, max_of_all=1, window_seconds=0.0)
    assert [limiter.try_consume("client") for _ in range(3)] == [0, 0, 0]

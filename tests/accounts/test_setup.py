"""A fresh installation that others can reach belongs to the person who can read its log."""

import logging
from io import BytesIO
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.core.handlers.asgi import ASGIRequest
from django.core.management import call_command
from django.db import OperationalError, connections
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts import setup
from accounts.models import User

SIGN_UP = "/accounts/signup/"
PASSWORD = "kelp-holds-fast-7"
HOST = "chat.example.org"


def build_form(email: str, code: str = "") -> dict[str, str]:
    return {"email": email, "password1": PASSWORD, "setup_code": code}


@pytest.fixture
def use_public_host(db: None, settings: Settings) -> Settings:
    settings.ALLOWED_HOSTS = ["127.0.0.1", HOST]
    return settings


def sign_up(email: str, code: str = "", address: str = "127.0.0.1") -> str:
    client = Client(HTTP_HOST=HOST, REMOTE_ADDR=address)
    return client.post(SIGN_UP, build_form(email, code), follow=True).content.decode()


def list_accounts() -> dict[str, bool]:
    return {user.email: user.is_superuser for user in User.objects.all()}


@pytest.mark.parametrize(
    ("hosts", "origins", "is_public"),
    [
        (["localhost", "127.0.0.1", "[::1]"], [], False),
        (["127.0.0.2", "LOCALHOST.", ".localhost"], ["http://localhost:8000"], False),
        (["localhost"], ["https://chat.example.org"], True),
        (["localhost", "192.168.1.5"], [], True),
        ([".example.org"], [], True),
        (["*"], [], True),
        (["localhost.example.org"], [], True),
    ],
)
def test_an_installation_detects_whether_others_can_reach_it(
    settings: Settings, hosts: list[str], origins: list[str], is_public: bool
) -> None:
    settings.ALLOWED_HOSTS, settings.TRUSTED_ORIGINS = hosts, origins
    assert setup.has_public_hosts() == is_public


def test_the_first_sign_up_without_the_code_is_refused(use_public_host: Settings) -> None:
    assert "Setup code" in Client(HTTP_HOST=HOST).get(SIGN_UP).content.decode()
    for code in ["", "AAAAA-AAAAA-AAAAA-AAAAA", setup.compute_setup_code()[:-1]]:
        sign_up("first@example.org", code)
    assert list_accounts() == {}


@pytest.mark.parametrize("typed", ["{}", " {} ", "lower", "without dashes"])
def test_the_code_makes_an_administrator_once(use_public_host: Settings, typed: str) -> None:
    code = setup.compute_setup_code()
    spellings = {"lower": code.lower(), "without dashes": code.replace("-", "")}
    sign_up("owner@example.org", spellings.get(typed, typed.format(code)))
    assert list_accounts() == {"owner@example.org": True}
    assert "Sign-up is by invitation" in sign_up("second@example.org", code)
    assert list_accounts() == {"owner@example.org": True}


def test_the_code_has_ten_attempts(use_public_host: Settings) -> None:
    for _ in range(10):
        assert "not the setup code" in sign_up("first@example.org", "A" * 20)
    assert "Too many wrong codes" in sign_up("first@example.org", setup.compute_setup_code())
    assert list_accounts() == {}
    sign_up("owner@example.org", setup.compute_setup_code(), "198.51.100.7")
    assert list_accounts() == {"owner@example.org": True}


def test_the_code_depends_on_the_secret_and_the_database(
    use_public_host: Settings, settings: Settings
) -> None:
    codes = {setup.compute_setup_code(), setup.compute_setup_code()}
    settings.SECRET_KEY = "another secret of fifty characters that nobody knows"
    codes.add(setup.compute_setup_code())
    MigrationRecorder.Migration.objects.filter(app="accounts").update(applied=timezone.now())
    codes.add(setup.compute_setup_code())
    assert len(codes) == 3


def test_the_log_shows_the_code_while_there_is_no_account(
    use_public_host: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "accounts.setup"):
        setup.log_setup_code()
        assert setup.compute_setup_code() in caplog.text
        caplog.clear()
        use_public_host.ALLOWED_HOSTS = ["localhost"]
        setup.log_setup_code()
        assert f"only needed from another machine: {setup.compute_setup_code()}" in caplog.text
        caplog.clear()
        User.objects.create_superuser("owner@example.org", PASSWORD)
        setup.log_setup_code()
    assert caplog.text == ""


def test_the_code_is_logged_once_the_database_answers(
    db: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    outages = iter([True, True])
    pauses: list[float] = []

    def is_claimed() -> bool:
        if next(outages, False):
            raise OperationalError("starting up")
        return False

    monkeypatch.setattr(setup, "has_any_account", is_claimed)
    monkeypatch.setattr("time.sleep", pauses.append)
    monkeypatch.setattr(connections, "close_all", lambda: None)
    setup.log_setup_code_when_possible()
    assert len(pauses) == 2
    assert setup.compute_setup_code() in caplog.text


def test_there_is_a_code_without_a_recorded_time_of_installation(use_public_host: Settings) -> None:
    MigrationRecorder.Migration.objects.filter(app="accounts").delete()
    sign_up("owner@example.org", setup.compute_setup_code())
    assert list_accounts() == {"owner@example.org": True}


LOCAL_HOSTS = ["localhost", "127.0.0.1", "[::1]"]
REMOTE_CLIENTS: dict[str, dict[str, Any]] = {
    "the network": {"REMOTE_ADDR": "192.0.2.7"},
    "a home": {"REMOTE_ADDR": "192.168.1.5"},
    "IPv6": {"REMOTE_ADDR": "2001:db8::1"},
    "IPv6 for IPv4": {"REMOTE_ADDR": "::ffff:192.0.2.7"},
    "a proxy here": {"HTTP_X_FORWARDED_FOR": "127.0.0.1"},
    "one for TLS": {"HTTP_X_FORWARDED_PROTO": "https"},
    "the standard": {"HTTP_FORWARDED": "for=127.0.0.1"},
    "a cache": {"HTTP_VIA": "1.1 cache"},
    "nginx": {"HTTP_X_REAL_IP": "127.0.0.1"},
    "a tunnel": {"HTTP_CF_CONNECTING_IP": "127.0.0.1"},
}


@pytest.mark.parametrize("origin", REMOTE_CLIENTS)
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8000"])
def test_a_remote_client_with_host_localhost_needs_the_code(
    db: None, settings: Settings, origin: str, host: str
) -> None:
    settings.ALLOWED_HOSTS = LOCAL_HOSTS
    client = Client(HTTP_HOST=host, **REMOTE_CLIENTS[origin])
    assert "Setup code" in client.post(SIGN_UP, build_form("first@example.org")).content.decode()
    assert list_accounts() == {}
    User.objects.create_user("owner@example.org")
    assert SIGN_UP not in client.get("/").content.decode()
    assert (
        "Sign-up is by invitation"
        in client.post(SIGN_UP, build_form("second@example.org")).content.decode()
    )
    assert list_accounts() == {"owner@example.org": False}


def test_behind_a_configured_proxy_every_client_is_remote(db: None, settings: Settings) -> None:
    settings.ALLOWED_HOSTS, settings.TRUSTED_PROXY_COUNT = LOCAL_HOSTS, 1
    Client(HTTP_HOST="localhost").post(SIGN_UP, build_form("first@example.org"))
    assert list_accounts() == {}


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.0.0.77", "::1", "::ffff:127.0.0.1"])
def test_a_person_at_this_machine_needs_no_code(db: None, settings: Settings, peer: str) -> None:
    settings.ALLOWED_HOSTS = LOCAL_HOSTS
    client = Client(HTTP_HOST="localhost", REMOTE_ADDR=peer)
    for name in ["first", "second"]:
        client.post(SIGN_UP, build_form(f"{name}@example.org"))
        client.post("/accounts/logout/")
    assert list_accounts() == {"first@example.org": True, "second@example.org": False}


@pytest.mark.parametrize(("version", "local"), [("1.0", False), ("1.1", True), ("2", True)])
def test_http_1_0_counts_as_a_proxy(version: str, local: bool) -> None:
    scope = {"path": "/", "method": "GET", "headers": [], "client": ["127.0.0.1", 5]}
    request = ASGIRequest(scope | {"http_version": version}, BytesIO())
    assert setup.is_local_request(request) == local
    request.META["REMOTE_ADDR"] = ""  # unknown, as over a Unix socket
    assert not setup.is_local_request(request)


def test_the_command_prints_the_code(
    use_public_host: Settings, capsys: pytest.CaptureFixture[str], settings: Settings
) -> None:
    call_command("setup_code")
    assert capsys.readouterr().out.strip() == setup.compute_setup_code()
    settings.ALLOWED_HOSTS = ["localhost"]
    call_command("setup_code")
    assert capsys.readouterr().out.strip() == setup.compute_setup_code()
    User.objects.create_user("owner@example.org")
    call_command("setup_code")
    assert capsys.readouterr().out == ""


def test_an_account_made_by_a_command_closes_sign_up(use_public_host: Settings) -> None:
    User.objects.create_superuser("owner@example.org", PASSWORD)
    use_public_host.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    client = Client(HTTP_HOST=HOST)
    client.post("/accounts/login/", {"login": "owner@example.org", "password": PASSWORD})
    assert setup.has_any_account()
    assert "Sign-up is by invitation" in sign_up("second@example.org", setup.compute_setup_code())


def test_an_unconfirmed_address_does_not_stay_administrator(
    use_public_host: Settings,
) -> None:
    use_public_host.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    code = setup.compute_setup_code()
    sign_up("typo@nowhere.invalid", code)
    assert list_accounts() == {"typo@nowhere.invalid": True}
    sign_up("owner@example.org", code)
    assert list_accounts() == {"typo@nowhere.invalid": False, "owner@example.org": True}
    EmailAddress.objects.filter(email="owner@example.org").update(verified=True)
    assert "Sign-up is by invitation" in sign_up("third@example.org", code)


@pytest.mark.parametrize(
    ("signup", "host", "refusal"),
    [
        ("", "localhost", ""),
        ("closed", "localhost", "Sign-up is closed"),
        ("invite", "localhost", "Sign-up is by invitation"),
        ("", HOST, "Sign-up is by invitation"),
        ("open", HOST, ""),
    ],
)
def test_sign_up_is_open_or_closed_or_by_invitation(
    owner: User, settings: Settings, signup: str, host: str, refusal: str
) -> None:
    is_open = not refusal
    settings.SIGNUP, settings.ALLOWED_HOSTS = signup, [host]
    client = Client(HTTP_HOST=host)
    for page in ["/", "/accounts/login/", "/accounts/password/reset/"]:
        assert ('href="/accounts/signup/"' in client.get(page).content.decode()) == is_open
    answer = client.post(SIGN_UP, build_form("new@example.org"))
    assert (answer.status_code == 302) == is_open
    assert refusal in answer.content.decode()
    assert User.objects.filter(email="new@example.org").exists() == is_open


def test_the_first_account_can_be_made_where_sign_up_is_closed(
    db: None, settings: Settings
) -> None:
    settings.SIGNUP = "closed"
    Client().post(SIGN_UP, build_form("first@example.org"))
    Client().post(SIGN_UP, build_form("second@example.org"))
    assert list_accounts() == {"first@example.org": True}

"""Nothing starts with a wrong value, or outside DEBUG with a missing or sample secret. The error
names the variable and says what to do."""

import base64
import os
import re
import runpy
import secrets
import traceback
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import CheckMessage, run_checks
from django.core.exceptions import ImproperlyConfigured
from django.core.management.utils import get_random_secret_key

from config.environment import OLD_NAMES
from config.secret_rules import is_guessable_secret
from tools.configuration import read_variables

SETTINGS = Path(__file__).parents[2] / "config" / "settings.py"
MASTER_KEY = f"1:{base64.b64encode(os.urandom(32)).decode()}"
VALID_ENVIRONMENT = {
    "DEBUG": "off",
    "SECRET_KEY": base64.b64encode(os.urandom(48)).decode(),
    "MASTER_KEYS": MASTER_KEY,
    "DATABASE_URL": "sqlite:///holdfast.sqlite3",
    "REDIS_URL": "",
    "TRUSTED_ORIGINS": "",
    "TRUSTED_PROXY_COUNT": "0",
    "EMAIL_VERIFICATION": "none",
    "EMAIL_URL": "consolemail://",
}
MINIMUMS = {
    variable.name: variable.minimum
    for variable in read_variables(SETTINGS.read_text())
    if variable.minimum is not None
}
WRONG_AND_RIGHT = {
    "GENERATE_TITLES": ("maybe", "off"),
    "TRUSTED_ORIGINS": ("chat.example.org", "https://chat.example.org"),
}
"""Values of the variables that are no numbers."""
DEFAULTED_NAMES = ["ALLOWED_HOSTS", "EMBEDDED_WORKER", "DRAIN_SECONDS", "FOLD_AFTER_SECONDS"]


@pytest.fixture
def read_settings(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Import the settings again in an environment."""

    def settings(**environment: str) -> dict[str, Any]:
        for name in (*DEFAULTED_NAMES, *OLD_NAMES, *OLD_NAMES.values()):
            monkeypatch.delenv(name, raising=False)
        for name, value in (VALID_ENVIRONMENT | environment).items():
            monkeypatch.setenv(name, value)
        for old in OLD_NAMES.keys() & environment.keys():
            if OLD_NAMES[old] not in environment:
                monkeypatch.delenv(OLD_NAMES[old], raising=False)
        monkeypatch.setattr("environ.Env.read_env", lambda *_: None)
        return runpy.run_path(str(SETTINGS))

    return settings


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "change-me",
        "secret" * 10,
        "short-but-random-Ld83",
        "django-insecure-0123456789-abcdefgh-xyz",
        "The quick brown fox jumps over 13 lazy dogs",
        "correct-horse-battery-staple-and-a-few-more",
        "PleaseChangeThisSecretBeforeYouGoLive",
        "0123456789" * 4,
        "Ld83kfQ0xz" * 4,
        "abcdefghijklmnopqrstuvwxyz0123456789",
    ],
)
def test_a_missing_or_sample_secret_key_is_refused(read_settings: Any, secret: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"SECRET_KEY .*Set it to .*python -c"):
        read_settings(SECRET_KEY=secret)


@pytest.mark.parametrize(
    "master_keys",
    [
        "",
        "change-me",
        "1:change-me",
        f"1:{base64.b64encode(bytes(32)).decode()}",
        "debug:aG9sZGZhc3QgZGVidWcga2V5LCBub3QgYSBzZWNyZXQ=",
        "x:aG9sZGZhc3QgZGVidWcga2V5LCBub3QgYSBzZWNyZXQ=",
        f"{MASTER_KEY},old:aG9sZGZhc3QgZGVidWcga2V5LCBub3QgYSBzZWNyZXQ=",
        f"1:{base64.b64encode(bytes(range(32))).decode()}",
        f"1:{base64.b64encode(bytes(range(64, 0, -2))).decode()}",
        f"1:{base64.b64encode(b'0123456789abcdef' * 2).decode()}",
        f"1:{base64.b64encode(b'abcdefghijklmnopqrstuvwxyzABCDEF').decode()}",
        f"{MASTER_KEY},{MASTER_KEY}",
    ],
)
def test_missing_or_sample_master_keys_are_refused(read_settings: Any, master_keys: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"MASTER_KEYS: .*python -c"):
        read_settings(MASTER_KEYS=master_keys)


@pytest.mark.parametrize("secret", [MASTER_KEY, MASTER_KEY.removeprefix("1:")])
def test_one_key_for_two_purposes_is_refused(read_settings: Any, secret: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^SECRET_KEY and MASTER_KEYS contain the same"):
        read_settings(SECRET_KEY=secret)


@pytest.mark.parametrize("make", [secrets.token_urlsafe, secrets.token_hex, get_random_secret_key])
def test_random_secret_keys_are_accepted(read_settings: Any, make: Any) -> None:
    assert not any(is_guessable_secret(make()) for _ in range(2_000))
    read_settings(SECRET_KEY=make())


def test_a_secret_that_is_nearly_a_sentence_is_judged_in_one_pass() -> None:
    """With an expression that tries all divisions of the words this would not end."""
    assert not is_guessable_secret(
        "the-key-of-last-year-long-and-random-enough-0123456789" * 2 + "x"
    )


def test_debugging_needs_no_secrets(read_settings: Any) -> None:
    settings = read_settings(DEBUG="on", SECRET_KEY="", MASTER_KEYS="")
    assert settings["SECRET_KEY"]


def test_debugging_uses_a_random_secret_if_there_is_one(read_settings: Any) -> None:
    assert list(read_settings(DEBUG="on")["MASTER_KEYS"]) == ["1"]


def test_a_wildcard_for_hosts_is_refused(read_settings: Any) -> None:
    with pytest.raises(ImproperlyConfigured, match="Name the hosts"):
        read_settings(ALLOWED_HOSTS="chat.example.org,*")


@pytest.mark.parametrize(
    "origin",
    [
        "chat.example.org",
        "https://chat.example.org/path",
        "ftp://x",
        "https://*",
        "https://*.org",
        "https://*.example.org",
        "https://chat.*",
        "https://someone@chat.example.org",
        "null",
    ],
)
def test_an_invalid_origin_is_refused(read_settings: Any, origin: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"TRUSTED_ORIGINS must be .*scheme://host"):
        read_settings(TRUSTED_ORIGINS=origin)


def test_cookies_are_secure_if_the_site_is_https_only(read_settings: Any) -> None:
    settings = read_settings(TRUSTED_ORIGINS="https://chat.example.org/")
    assert settings["CSRF_TRUSTED_ORIGINS"] == ["https://chat.example.org"]
    assert settings["SESSION_COOKIE_SECURE"]
    assert settings["CSRF_COOKIE_SECURE"]
    assert not read_settings(TRUSTED_ORIGINS="https://a.example,http://b.example")[
        "SESSION_COOKIE_SECURE"
    ]
    assert not read_settings()["SESSION_COOKIE_SECURE"]


def test_plain_http_is_redirected_only_where_a_proxy_tells_it(read_settings: Any) -> None:
    origin = "https://chat.example.org"
    assert not read_settings(TRUSTED_ORIGINS=origin)["SECURE_SSL_REDIRECT"]
    assert not read_settings(TRUSTED_PROXY_COUNT="1")["SECURE_SSL_REDIRECT"]
    settings = read_settings(TRUSTED_ORIGINS=origin, TRUSTED_PROXY_COUNT="1")
    assert settings["SECURE_SSL_REDIRECT"]
    mixed = f"{origin},http://10.0.0.7:8000"
    assert not read_settings(TRUSTED_ORIGINS=mixed, TRUSTED_PROXY_COUNT="1")["SECURE_SSL_REDIRECT"]


def test_browsers_are_told_to_use_https_if_all_origins_are_https(read_settings: Any) -> None:
    settings = read_settings(TRUSTED_ORIGINS="https://chat.example.org")
    assert settings["SECURE_HSTS_SECONDS"] == 31_536_000
    assert not settings["SECURE_HSTS_INCLUDE_SUBDOMAINS"]
    assert read_settings(HSTS_SUBDOMAINS="on")["SECURE_HSTS_INCLUDE_SUBDOMAINS"]
    assert read_settings()["SECURE_HSTS_SECONDS"] == 0


def test_the_default_is_one_process_on_sqlite(read_settings: Any) -> None:
    settings = read_settings()
    database = settings["DATABASES"]["default"]
    assert database["NAME"] == str(SETTINGS.parents[1] / "holdfast.sqlite3")
    assert database["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    assert "InMemory" in settings["CHANNEL_LAYERS"]["default"]["BACKEND"]
    assert settings["EMBEDDED_WORKER"] is True
    assert settings["DRAIN_SECONDS"] == 5


def test_with_redis_the_workers_are_separate_processes(read_settings: Any) -> None:
    settings = read_settings(REDIS_URL="redis://127.0.0.1:1/0")
    [host] = settings["CHANNEL_LAYERS"]["default"]["CONFIG"]["hosts"]
    assert host["socket_timeout"] is None
    assert settings["EMBEDDED_WORKER"] is False
    assert settings["DRAIN_SECONDS"] == 30


def test_postgresql_has_a_pool_and_keeps_the_urls_options(read_settings: Any) -> None:
    url = "postgresql://someone:secret@db.example:5433/holdfast?sslmode=require"
    database = read_settings(DATABASE_URL=url)["DATABASES"]["default"]
    assert database["ENGINE"] == "config.postgresql"
    pool = {"min_size": 1, "max_size": 16, "max_idle": 3, "timeout": 2, "reconnect_timeout": 1}
    assert database["OPTIONS"]["pool"] == pool
    assert database["OPTIONS"]["sslmode"] == "require"
    assert database["CONN_MAX_AGE"] == 0


def test_forwarded_headers_are_believed_only_behind_a_proxy(read_settings: Any) -> None:
    assert read_settings()["SECURE_PROXY_SSL_HEADER"] is None
    assert read_settings(TRUSTED_PROXY_COUNT="1")["ALLAUTH_TRUSTED_PROXY_COUNT"] == 1
    assert read_settings(TRUSTED_PROXY_COUNT="1")["SECURE_PROXY_SSL_HEADER"] == (
        "HTTP_X_FORWARDED_PROTO",
        "https",
    )


def test_an_unknown_mode_of_verification_is_refused(read_settings: Any) -> None:
    with pytest.raises(ImproperlyConfigured, match="none, optional or mandatory"):
        read_settings(EMAIL_VERIFICATION="sometimes")


def test_every_number_has_a_minimum() -> None:
    assert {
        "DRAIN_SECONDS",
        "TRUSTED_PROXY_COUNT",
        "MAX_STREAMS_PER_USER",
        "MAX_CHARS_PER_DAY",
    } <= {*MINIMUMS}


@pytest.mark.parametrize("name", MINIMUMS)
@pytest.mark.parametrize("text", ["x", "10 minutes", "", "nan", "inf"])
def test_a_number_that_is_none_is_refused(read_settings: Any, name: str, text: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=rf"^{name} must be an?.*, not {text!r}\.$"):
        read_settings(**{name: text})


@pytest.mark.parametrize(("name", "minimum"), MINIMUMS.items())
def test_a_number_below_its_minimum_is_refused(read_settings: Any, name: str, minimum: int) -> None:
    requirement = rf"^{name} must be an? .* of at least {minimum}, not '{minimum - 1}'\.$"
    with pytest.raises(ImproperlyConfigured, match=requirement):
        read_settings(**{name: str(minimum - 1)})
    read_settings(**{name: str(minimum)})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DEBUG", "always"),
        ("GENERATE_TITLES", "maybe"),
        ("EMBEDDED_WORKER", "2"),
        ("ALLOWED_HOSTS", ""),
        ("ALLOWED_HOSTS", "https://chat.example.org"),
        ("ALLOWED_HOSTS", "chat.example.org:8000"),
        ("ALLOWED_HOSTS", ".org"),
        ("ALLOWED_HOSTS", "chat.example.org,.museum."),
        ("ALLOWED_HOSTS", "*.org"),
        ("TRUSTED_ORIGINS", "https://chat.example.org:port"),
        ("SIGNUP", "yes"),
        ("EMAIL_VERIFICATION", ""),
        ("FROM_EMAIL", ""),
        ("FROM_EMAIL", "Holdfast"),
        ("LOG_LEVEL", "LOUD"),
    ],
)
def test_a_wrong_value_is_named_and_shown(read_settings: Any, name: str, value: str) -> None:
    with pytest.raises(
        ImproperlyConfigured, match=rf"^{name} must be .*, not {re.escape(repr(value))}\.$"
    ):
        read_settings(**{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "s3cret"),
        ("DATABASE_URL", ""),
        ("DATABASE_URL", "sqlite://"),
        ("DATABASE_URL", "//someone:s3cret@db.example/holdfast"),
        ("DATABASE_URL", "mysql://someone:s3cret@db.example/holdfast"),
        ("DATABASE_URL", "postgres://someone:s3cret@db.example"),
        ("DATABASE_URL", "postgres://someone:s3cret@db.example:port/holdfast"),
        ("REDIS_URL", "s3cret"),
        ("REDIS_URL", "redis://"),
        ("REDIS_URL", "http://:s3cret@redis.example"),
        ("REDIS_URL", "unix://"),
        ("EMAIL_URL", "s3cret"),
        ("EMAIL_URL", "smtp+tls://"),
        ("EMAIL_URL", "imap://someone:s3cret@mail.example"),
        ("OPENAI_BASE_URL", "s3cret"),
        ("OPENAI_BASE_URL", "https://"),
        ("ANTHROPIC_BASE_URL", "proxy.example.org/s3cret"),
        ("GOOGLE_GEMINI_BASE_URL", "ftp://s3cret@proxy.example.org"),
        ("COMPATIBLE_PROVIDERS", "{}"),
        ("COMPATIBLE_PROVIDERS", '["s3cret"]'),
        ("COMPATIBLE_PROVIDERS", "s3cret"),
    ],
)
def test_a_wrong_value_that_may_hold_a_secret_is_named_and_hidden(
    read_settings: Any, name: str, value: str
) -> None:
    with pytest.raises(ImproperlyConfigured, match=rf"^{name} must be ") as error:
        read_settings(**{name: value})
    assert "s3cret" not in "".join(traceback.format_exception(error.value))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALLOWED_HOSTS", ".example.org, [::1],chat_1.example.org"),
        ("ALLOWED_HOSTS", ".localhost,intranet"),
        ("TRUSTED_ORIGINS", "https://chat.example.org:8443,http://[::1]:8000,http://intranet/"),
        ("DATABASE_URL", "sqlite:////var/lib/holdfast.sqlite3"),
        ("DATABASE_URL", "postgres:///holdfast"),
        ("DATABASE_URL", "postgres://someone:s3c%23ret@[::1]:5432/holdfast"),
        ("REDIS_URL", "rediss://:s3cret@redis.example:6380/1"),
        ("REDIS_URL", "unix:///run/redis.sock"),
        ("EMAIL_URL", "smtp+tls://someone:s3cret@mail.example:587"),
        ("EMAIL_URL", "filemail:///var/mail"),
        ("OPENAI_BASE_URL", "http://127.0.0.1:8900/v1"),
        ("FROM_EMAIL", "chat@intranet"),
        ("LOG_LEVEL", "WARN"),
        ("DEBUG", "No"),
        ("DRAIN_SECONDS", "0.5"),
    ],
)
def test_a_right_value_is_accepted(read_settings: Any, name: str, value: str) -> None:
    read_settings(**{name: value})


def test_blanks_between_entries_are_ignored(read_settings: Any) -> None:
    assert read_settings(ALLOWED_HOSTS="a.example , b.example,")["ALLOWED_HOSTS"] == [
        "a.example",
        "b.example",
    ]


@pytest.mark.parametrize(("old", "new"), OLD_NAMES.items())
def test_an_old_name_works_and_the_new_one_counts(read_settings: Any, old: str, new: str) -> None:
    wrong, right = WRONG_AND_RIGHT.get(new, ("x", "7"))
    with pytest.raises(ImproperlyConfigured, match=rf"^{old} must be "):
        read_settings(**{old: wrong})
    assert (
        read_settings(**{old: right})[new]
        == read_settings(**{new: right})[new]
        != read_settings()[new]
    )
    assert read_settings(**{old: wrong, new: right})[new] == read_settings(**{new: right})[new]


def test_an_old_name_is_of_no_variable_and_stands_for_one() -> None:
    names = {variable.name for variable in read_variables(SETTINGS.read_text())}
    assert {*OLD_NAMES.values()} <= names
    assert not names & OLD_NAMES.keys()


def test_a_warning_tells_the_new_name(read_settings: Any) -> None:
    read_settings(PROXIES="1")
    [warning] = find_old_names()
    assert (warning.msg, warning.hint) == (
        "PROXIES has another name now: TRUSTED_PROXY_COUNT.",
        "Set TRUSTED_PROXY_COUNT instead of PROXIES.",
    )


def test_a_warning_tells_that_an_old_name_does_not_count(read_settings: Any) -> None:
    read_settings(PROXIES="1", TRUSTED_PROXY_COUNT="2")
    [warning] = find_old_names()
    assert warning.msg == "PROXIES is set, and so is TRUSTED_PROXY_COUNT, which counts."
    read_settings()
    assert find_old_names() == []


def find_old_names() -> list[CheckMessage]:
    return [message for message in run_checks() if message.id == "config.W001"]


@pytest.mark.parametrize("old", ["short", "a" * 50, "django-insecure-0123456789abcdefghijklmnop"])
def test_a_guessable_old_secret_key_is_refused(read_settings: Any, old: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="SECRET_KEY_FALLBACKS") as error:
        read_settings(SECRET_KEY_FALLBACKS=f"{VALID_ENVIRONMENT['SECRET_KEY']},{old}")
    assert old not in str(error.value) or old == "short"


def test_old_secret_keys_are_separated_by_commas(read_settings: Any) -> None:
    keys = [secrets.token_urlsafe(40) for _ in range(2)]
    assert read_settings(SECRET_KEY_FALLBACKS=", ".join(keys))["SECRET_KEY_FALLBACKS"] == keys

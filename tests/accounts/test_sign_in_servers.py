"""The configuration of servers to sign in with, and GitHub, which is no OpenID server."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from django.views.debug import SafeExceptionReporterFilter
from pytest_django import Settings

from accounts.models import User
from accounts.social.configuration import (
    GITHUB_ORIGIN,
    NO_SECRET,
    SignInServer,
    build_sign_in_servers,
    hide_client_secrets,
    hide_secret,
)
from accounts.social.github import GitHubAdapter
from tests.accounts.openid_browser import sign_in
from tools.fake_openid import server
from tools.fake_openid.server import CLIENT_ID, CLIENT_SECRET, FakeOpenID

ROW = {"id": "work", "name": "Work", "url": "https://id.example.org/", "client_id": "holdfast"}
GITHUB_LOGIN = "/accounts/github/login/"


def test_rows_come_first_and_google_is_an_openid_server() -> None:
    secret = hide_secret("kelp")
    servers = build_sign_in_servers([ROW], google=("g", secret), github=("h", secret))
    assert [(server.id, server.kind, server.url) for server in servers] == [
        ("work", "openid_connect", "https://id.example.org"),
        ("google", "openid_connect", "https://accounts.google.com"),
        ("github", "github", GITHUB_ORIGIN),
    ]


def test_no_secret_is_in_settings_that_an_error_page_may_show() -> None:
    rows = hide_client_secrets([ROW | {"client_secret": "kelp-secret"}])
    built = build_sign_in_servers(rows, github=("h", hide_secret("kelp-secret")))
    shown = SafeExceptionReporterFilter().cleanse_setting("SIGN_IN_SERVERS", built)
    assert "kelp-secret" not in f"{rows} {built} {shown}"
    assert built[0].client_secret.reveal() == "kelp-secret"


@pytest.mark.parametrize(
    "change",
    [
        {"id": ""},
        {"id": "Work"},
        {"id": "github"},
        {"id": "google"},
        {"id": "a/b"},
        {"url": ""},
        {"url": "id.example.org"},
        {"url": "ftp://id.example.org"},
        {"url": "https://id.example.org/; script-src *"},
        {"url": "https://user@id.example.org"},
        {"client_id": ""},
        {"client_id": 7},
        {"scopes": ["email"]},
        {"scopes": "openid"},
        {"origins": ["https://a.example 'unsafe-inline'"]},
        {"origins": ["https://a.example/path"]},
        {"origins": "https://a.example"},
        {"secret": "typo"},
        {"name": None},
    ],
)
def test_a_wrong_row_stops_the_start_and_is_named(change: dict[str, Any]) -> None:
    with pytest.raises(ImproperlyConfigured, match="OPENID_SERVERS: row 2"):
        build_sign_in_servers([ROW | {"id": "first"}, ROW | change])


def test_two_rows_with_the_same_id_and_half_a_client_stop_the_start() -> None:
    with pytest.raises(ImproperlyConfigured, match="twice"):
        build_sign_in_servers([ROW, ROW])
    with pytest.raises(ImproperlyConfigured, match="GITHUB_CLIENT_SECRET"):
        build_sign_in_servers([], github=("h", NO_SECRET))


# GitHub


@pytest.fixture
def github(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeOpenID]:
    """The fake server at the addresses of GitHub."""
    with server.serve() as fake:
        fake.person = {"sub": "unused"}
        monkeypatch.setattr(GitHubAdapter, "authorize_url", f"{fake.url}/authorize")
        monkeypatch.setattr(GitHubAdapter, "access_token_url", f"{fake.url}/token")
        monkeypatch.setattr(GitHubAdapter, "profile_url", f"{fake.url}/user")
        monkeypatch.setattr(GitHubAdapter, "emails_url", f"{fake.url}/user/emails")
        fake.overrides["/user"] = {
            "id": 583231,
            "login": "ann",
            "name": "Ann Other",
            "email": "public@example.org",
            "bio": "kelp",
        }
        set_emails(fake, ("ann@example.org", True, True), ("old@example.org", False, True))
        settings.SIGN_IN_SERVERS = [
            SignInServer("github", "GitHub", fake.url, CLIENT_ID, hide_secret(CLIENT_SECRET))
        ]
        settings.SIGNUP = "open"
        yield fake


def set_emails(fake: FakeOpenID, *rows: tuple[str, bool, bool]) -> None:
    names = ("email", "primary", "verified")
    fake.overrides["/user/emails"] = json.dumps(
        [dict(zip(names, row, strict=True)) for row in rows]
    ).encode()


@pytest.mark.django_db
def test_github_signs_up_with_the_confirmed_primary_address_alone(
    github: FakeOpenID, owner: User, client: Client
) -> None:
    sign_in(client, GITHUB_LOGIN)
    linked = SocialAccount.objects.get()
    assert (linked.provider, linked.uid) == ("github", "583231")
    assert linked.extra_data == {"username": "ann", "name": "Ann Other"}
    addresses = EmailAddress.objects.filter(user=linked.user).values_list("email", "verified")
    assert list(addresses) == [("ann@example.org", True)]
    assert linked.user.email == "ann@example.org"


@pytest.mark.django_db
def test_an_unconfirmed_address_of_github_stays_unconfirmed(
    github: FakeOpenID, owner: User, client: Client
) -> None:
    set_emails(github, ("ann@example.org", True, False))
    sign_in(client, GITHUB_LOGIN)
    assert not EmailAddress.objects.get(email="ann@example.org").verified


@pytest.mark.django_db
@pytest.mark.parametrize("profile", [{}, {"id": None}, [], b"<html>", {"id": {"a": "b"}}])
def test_a_malformed_profile_signs_nobody_in(
    github: FakeOpenID, owner: User, client: Client, profile: Any
) -> None:
    github.overrides["/user"] = profile
    assert sign_in(client, GITHUB_LOGIN).status_code == 401
    assert User.objects.count() == 1

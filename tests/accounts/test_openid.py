"""Signing in and up with an OpenID server on loopback, and everything that it may do wrong."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from django.contrib.sessions.models import Session
from django.test import Client
from pytest_django import Settings
from requests import RequestException

from accounts import anonymous_limits
from accounts.invitations.links import create_invitation
from accounts.invitations.models import InvitationUse
from accounts.models import User
from accounts.outbound import requests_session
from accounts.outbound.client import Limits
from accounts.rate_limits import RateLimit
from accounts.social import id_tokens, openid_documents, views
from tests.accounts.openid_browser import (
    LOGIN,
    authorize,
    build_server,
    return_to,
    sign_in,
    start,
)
from tools.fake_openid import server, tokens
from tools.fake_openid.server import FakeOpenID

pytestmark = pytest.mark.django_db

ANN = {"sub": "ann-1", "email": "ann@example.org", "email_verified": True, "name": "Ann Other"}
CONFIGURATION = "/.well-known/openid-configuration"


@pytest.fixture(scope="module")
def running_server() -> Iterator[FakeOpenID]:
    with server.serve() as fake:
        yield fake


@pytest.fixture
def work(running_server: FakeOpenID, settings: Settings) -> FakeOpenID:
    """The server, as it was at its start, and configured."""
    fresh = FakeOpenID(running_server.url, person=dict(ANN))
    running_server.__dict__.update(fresh.__dict__)
    openid_documents.forget_documents()
    settings.SIGN_IN_SERVERS = [build_server(running_server)]
    settings.SIGNUP = "open"
    return running_server


def get_user(client: Client) -> User | None:
    return User.objects.filter(pk=client.session.get("_auth_user_id", 0)).first()


# Signing up


def test_signing_up_makes_an_account_with_the_confirmed_address(
    work: FakeOpenID, owner: User, client: Client
) -> None:
    response = sign_in(client, next="/settings/keys/")
    assert response.headers["Location"] == "/settings/keys/"
    ann = get_user(client)
    assert ann is not None
    assert (ann.email, ann.name, ann.is_superuser) == ("ann@example.org", "Ann Other", False)
    assert not ann.has_usable_password()
    address = EmailAddress.objects.get(user=ann)
    assert (address.email, address.verified, address.primary) == ("ann@example.org", True, True)
    linked = SocialAccount.objects.get(user=ann)
    assert (linked.provider, linked.uid) == ("work", "ann-1")
    assert linked.extra_data == {"name": "Ann Other", "email": "ann@example.org"}


def test_the_first_account_is_the_administrators_also_with_another_server(
    work: FakeOpenID, client: Client
) -> None:
    sign_in(client)
    work.person |= {"sub": "bob-1", "email": "bob@example.org"}
    sign_in(Client())
    rights = dict(User.objects.values_list("email", "is_superuser"))
    assert rights == {"ann@example.org": True, "bob@example.org": False}


def test_the_first_account_needs_the_setup_code_from_elsewhere(
    work: FakeOpenID, settings: Settings, client: Client
) -> None:
    settings.ALLOWED_HOSTS = ["chat.example.org", "testserver"]
    settings.PRIVATE_ADDRESSES = "allow"
    response = sign_in(client)
    assert response.headers["Location"] == "/accounts/signup/"
    assert not User.objects.exists()


@pytest.mark.parametrize("mode", ["closed", ""])
def test_nobody_signs_up_where_sign_up_is_closed(
    work: FakeOpenID, owner: User, settings: Settings, client: Client, mode: str
) -> None:
    settings.SIGNUP, settings.ALLOWED_HOSTS = mode, ["chat.example.org", "testserver"]
    settings.PRIVATE_ADDRESSES = "allow"
    sign_in(client)
    assert list(User.objects.all()) == [owner]
    assert get_user(client) is None


def test_an_address_that_has_an_account_is_not_signed_in(
    work: FakeOpenID, owner: User, client: Client
) -> None:
    work.person["email"] = owner.email.upper()
    response = sign_in(client)
    assert response.status_code == 409
    assert "link Work in the settings" in response.content.decode()
    assert get_user(client) is None
    assert not SocialAccount.objects.exists()
    assert User.objects.count() == 1


def test_a_confirmed_second_address_of_an_account_counts_too(
    work: FakeOpenID, owner: User, client: Client
) -> None:
    EmailAddress.objects.create(user=owner, email="ann@example.org", verified=True)
    assert sign_in(client).status_code == 409
    assert get_user(client) is None


def test_an_address_that_somebody_added_and_never_confirmed_can_sign_up(
    work: FakeOpenID, owner: User, client: Client
) -> None:
    EmailAddress.objects.create(user=owner, email="ann@example.org", verified=False)
    sign_in(client)
    assert get_user(client) == User.objects.get(email="ann@example.org")


@pytest.mark.parametrize("answer", [False, None, "false", "False", 0, 1, "yes", []])
def test_an_address_that_the_server_has_not_confirmed_stays_unconfirmed(
    work: FakeOpenID, owner: User, client: Client, answer: Any
) -> None:
    work.person["email_verified"] = answer
    sign_in(client)
    assert not EmailAddress.objects.get(email="ann@example.org").verified


def test_an_unconfirmed_address_does_not_tell_who_has_an_account(
    work: FakeOpenID, owner: User, settings: Settings
) -> None:
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    work.person["email_verified"] = False
    unknown = sign_in(Client())
    work.person |= {"sub": "eve-1", "email": owner.email}
    known = sign_in(Client())
    assert known.headers["Location"] == unknown.headers["Location"]
    assert known.status_code == unknown.status_code == 302
    assert not SocialAccount.objects.filter(user=owner).exists()


def test_a_person_without_an_address_is_asked_for_one(
    work: FakeOpenID, owner: User, client: Client
) -> None:
    del work.person["email"]
    response = sign_in(client)
    assert response.headers["Location"] == "/accounts/3rdparty/signup/"
    assert "Enter one for your account" in client.get("/accounts/3rdparty/signup/").content.decode()
    taken = client.post("/accounts/3rdparty/signup/", {"email": owner.email})
    assert taken.status_code == 200
    client.post("/accounts/3rdparty/signup/", {"email": "ann@example.com"})
    assert get_user(client) == User.objects.get(email="ann@example.com")
    assert not EmailAddress.objects.get(email="ann@example.com").verified


def test_a_waiting_sign_up_ends_when_its_server_is_gone(
    work: FakeOpenID, owner: User, settings: Settings, client: Client
) -> None:
    del work.person["email"]
    sign_in(client)
    settings.SIGN_IN_SERVERS = []
    response = client.get("/accounts/3rdparty/signup/")
    assert response.headers["Location"] == "/accounts/login/"


def test_the_address_may_come_from_the_user_information(
    work: FakeOpenID, owner: User, client: Client
) -> None:
    work.in_userinfo = dict(ANN)
    work.person = {"sub": "ann-1"}
    sign_in(client)
    assert EmailAddress.objects.get(email="ann@example.org").verified


# Signing in


def test_signing_in_again_finds_the_account_whatever_its_address_is_now(
    work: FakeOpenID, owner: User, client: Client
) -> None:
    sign_in(client)
    ann = get_user(client)
    work.person["email"] = owner.email
    again = Client()
    sign_in(again)
    assert get_user(again) == ann
    assert User.objects.count() == 2


def test_a_deactivated_account_is_not_signed_in(
    work: FakeOpenID, owner: User, client: Client
) -> None:
    SocialAccount.objects.create(user=owner, provider="work", uid="ann-1")
    User.objects.filter(pk=owner.pk).update(is_active=False)
    response = sign_in(client)
    assert response.headers["Location"] == "/accounts/inactive/"
    assert get_user(client) is None


def test_a_second_factor_is_asked_for_too(work: FakeOpenID, owner: User, client: Client) -> None:
    SocialAccount.objects.create(user=owner, provider="work", uid="ann-1")
    Authenticator.objects.create(user=owner, type=Authenticator.Type.TOTP, data={"secret": ""})
    response = sign_in(client)
    assert response.headers["Location"].startswith("/accounts/2fa/")
    assert get_user(client) is None


def test_the_same_id_at_another_server_is_another_person(
    work: FakeOpenID, owner: User, settings: Settings, client: Client
) -> None:
    SocialAccount.objects.create(user=owner, provider="home", uid="ann-1")
    sign_in(client)
    assert get_user(client) != owner


def test_nothing_of_the_tokens_is_stored(
    work: FakeOpenID, owner: User, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    issued: list[dict[str, Any]] = []
    issue = work.issue_token

    def remember(params: dict[str, str]) -> dict[str, Any]:
        issued.append(issue(params))
        return issued[-1]

    work.issue_token = remember  # type: ignore[method-assign]
    del work.person["email"]  # this sign-up waits in the session
    sign_in(client)
    work.person["email"] = "bob@example.org"
    work.person["sub"] = "bob-1"
    sign_in(Client())
    assert len(issued) == 2
    kept = [str(row.get_decoded()) for row in Session.objects.all()]
    kept += [str(row) for row in SocialAccount.objects.values()] + [caplog.text]
    for answer in issued:
        for secret in ("access_token", "refresh_token", "id_token"):
            assert not any(answer[secret] in text for text in kept)
    assert not SocialToken.objects.exists()
    assert not SocialApp.objects.exists()


def test_a_link_signs_nobody_in_and_its_options_are_ignored(
    work: FakeOpenID, client: Client
) -> None:
    page = client.get(LOGIN)
    assert page.status_code == 200
    assert not work.requests
    options = "?auth_params=redirect_uri%3Dhttps%3A%2F%2Fevil.example&scope=admin&action=rerequest"
    address = start(client, LOGIN + options)
    assert "evil.example" not in address
    assert "admin" not in address


def test_the_page_after_the_sign_in_is_one_of_this_site(
    work: FakeOpenID, owner: User, client: Client
) -> None:
    assert sign_in(client, next="https://evil.example/").headers["Location"] == "/"


def test_a_server_that_is_not_configured_does_not_exist(work: FakeOpenID, client: Client) -> None:
    for name in ("oidc/home", "oidc/openid_connect", "oidc/github", "github"):
        for path in ("login/", "login/callback/"):
            assert client.get(f"/accounts/{name}/{path}").status_code == 404


def test_sessions_of_visitors_who_start_a_sign_in_are_limited(
    work: FakeOpenID, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = RateLimit("few-sessions", 2, 600)
    monkeypatch.setattr(anonymous_limits, "SESSION_LIMIT", limit)
    answers = [Client().post(LOGIN).status_code for _ in range(3)]
    assert answers == [302, 302, 429]
    assert Session.objects.count() == 2


def test_an_invitation_lets_a_person_sign_up_with_another_server(
    work: FakeOpenID, owner: User, settings: Settings, client: Client
) -> None:
    settings.SIGNUP = "invite"
    invitation, path = create_invitation()
    client.get(path)
    sign_in(client)
    ann = User.objects.get(email="ann@example.org")
    assert get_user(client) == ann
    assert InvitationUse.objects.get(invitation=invitation).user == ann
    work.person |= {"sub": "bob-1", "email": "bob@example.org"}
    sign_in(Client())
    assert User.objects.count() == 2


def test_an_invitation_for_one_address_is_for_no_other(
    work: FakeOpenID, owner: User, settings: Settings, client: Client
) -> None:
    settings.SIGNUP = "invite"
    _, path = create_invitation(email="bob@example.org")
    client.get(path)
    assert sign_in(client).headers["Location"] == "/accounts/signup/"
    assert User.objects.count() == 1
    del work.person["email"]
    sign_in(client)
    client.post("/accounts/3rdparty/signup/", {"email": "ann@example.org"})
    assert User.objects.count() == 1
    client.post("/accounts/3rdparty/signup/", {"email": "bob@example.org"})
    assert get_user(client) == User.objects.get(email="bob@example.org")


# Servers that misbehave


def set_claim(**claims: Any) -> Callable[[FakeOpenID], None]:
    return lambda fake: fake.person.update(claims)


def set_token(make: Callable[[dict[str, Any]], str]) -> Callable[[FakeOpenID], None]:
    return lambda fake: setattr(fake, "make_token", make)


def answer(path: str, document: Any) -> Callable[[FakeOpenID], None]:
    return lambda fake: fake.overrides.update({path: document})


def sign_with_another_key(fake: FakeOpenID) -> None:
    fake.signing_key = "other"


def sign_with_the_public_key(fake: FakeOpenID) -> None:
    """The oldest trick: the public key, which everybody has, as a shared secret."""
    modulus = tokens.publish_key("first")["n"].encode()
    fake.make_token = lambda claims: tokens.sign_with_secret(claims, modulus, "first")


def tell_about_somebody_else(fake: FakeOpenID) -> None:
    fake.person = {"sub": "ann-1"}
    fake.in_userinfo = {"sub": "eve-1", "email": "eve@example.org", "email_verified": True}


def change_subject(claims: dict[str, Any]) -> str:
    token = tokens.sign_claims(claims, "first", "first")
    return tokens.tamper(token, sub="somebody-else")


def redirect_to_metadata(handler: Any) -> None:
    handler.redirect("http://169.254.169.254/latest/meta-data/")


def close_connection(handler: Any) -> None:
    handler.close_connection = True


@pytest.mark.parametrize(
    "misbehave",
    [
        pytest.param(set_claim(nonce="of-another-sign-in"), id="wrong nonce"),
        pytest.param(set_claim(nonce=None), id="no nonce"),
        pytest.param(set_claim(nonce=""), id="empty nonce"),
        pytest.param(set_claim(iss="https://other.example"), id="wrong issuer"),
        pytest.param(set_claim(iss=None), id="no issuer"),
        pytest.param(set_claim(aud="another-client"), id="wrong audience"),
        pytest.param(set_claim(aud=None), id="no audience"),
        pytest.param(set_claim(aud=["holdfast", "x"]), id="shared audience"),
        pytest.param(set_claim(azp="another-client"), id="wrong party"),
        pytest.param(set_claim(exp=int(time.time()) - 100), id="expired"),
        pytest.param(set_claim(exp=None), id="no expiry"),
        pytest.param(set_claim(iat=int(time.time()) - 3600), id="old"),
        pytest.param(set_claim(iat=int(time.time()) + 3600), id="of the future"),
        pytest.param(set_claim(sub=None), id="no person"),
        pytest.param(set_claim(sub=7), id="person without a name"),
        pytest.param(set_claim(sub="a" * 192), id="long id"),
        pytest.param(set_claim(sub="ann\0"), id="id with NUL"),
        pytest.param(set_token(tokens.leave_unsigned), id="unsigned"),
        pytest.param(set_token(change_subject), id="wrong signature"),
        pytest.param(set_token(lambda claims: "not.a.token"), id="no token at all"),
        pytest.param(set_token(lambda claims: None), id="null"),  # type: ignore[arg-type, return-value]
        pytest.param(sign_with_another_key, id="another key"),
        pytest.param(sign_with_the_public_key, id="public key as secret"),
        pytest.param(tell_about_somebody_else, id="information about somebody else"),
        pytest.param(answer("/keys", {"keys": []}), id="no keys"),
        pytest.param(answer("/keys", {"keys": [{"kty": "RSA", "kid": "first"}]}), id="broken key"),
        pytest.param(answer("/keys", [1]), id="keys are a list"),
        pytest.param(answer("/keys", redirect_to_metadata), id="keys redirect"),
        pytest.param(answer("/token", {"access_token": "a"}), id="no ID token"),
        pytest.param(answer("/token", {"error": "invalid_grant"}), id="refused code"),
        pytest.param(answer("/token", ["access_token"]), id="token is a list"),
        pytest.param(answer("/token", b"access_token=a"), id="token is a form"),
        pytest.param(answer("/token", b"[" * 100_000), id="deep token"),
        pytest.param(answer("/token", b"\xff\xfe"), id="token is no text"),
        pytest.param(answer("/token", redirect_to_metadata), id="token redirects"),
        pytest.param(answer("/token", close_connection), id="token is away"),
    ],
)
def test_a_server_that_misbehaves_signs_nobody_in(
    work: FakeOpenID,
    owner: User,
    client: Client,
    misbehave: Callable[[FakeOpenID], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    misbehave(work)
    response = sign_in(client)
    assert response.status_code == 401
    assert "The sign-in did not work" in response.content.decode()
    assert get_user(client) is None
    assert list(User.objects.all()) == [owner]


@pytest.mark.parametrize(
    "misbehave",
    [
        pytest.param(answer(CONFIGURATION, redirect_to_metadata), id="redirect"),
        pytest.param(answer(CONFIGURATION, close_connection), id="away"),
        pytest.param(answer(CONFIGURATION, b"<html>"), id="a page"),
        pytest.param(answer(CONFIGURATION, []), id="a list"),
        pytest.param(answer(CONFIGURATION, {}), id="empty"),
        pytest.param(
            lambda fake: fake.configuration.update(issuer="https://other.example"), id="issuer"
        ),
        pytest.param(
            lambda fake: fake.configuration.update(
                authorization_endpoint="https://evil.example/authorize"
            ),
            id="another sign-in page",
        ),
        pytest.param(
            lambda fake: fake.configuration.update(authorization_endpoint="javascript:alert(1)"),
            id="a script",
        ),
        pytest.param(
            lambda fake: fake.configuration.update(token_endpoint="file:///etc/passwd"), id="file"
        ),
        pytest.param(lambda fake: fake.configuration.update(jwks_uri=None), id="no keys"),
    ],
)
def test_nobody_is_sent_to_a_server_with_a_wrong_configuration(
    work: FakeOpenID, client: Client, misbehave: Callable[[FakeOpenID], None]
) -> None:
    misbehave(work)
    response = client.post(LOGIN)
    assert response.status_code == 401
    assert "Location" not in response.headers


@pytest.mark.parametrize("path", [CONFIGURATION, "/token"])
def test_a_slow_server_signs_nobody_in(
    work: FakeOpenID, client: Client, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    is_over = threading.Event()

    def answer_late(handler: Any) -> None:
        is_over.wait(60)
        close_connection(handler)

    work.overrides[path] = answer_late
    monkeypatch.setattr(requests_session, "LIMITS", Limits(seconds=0.3))
    try:
        response = client.post(LOGIN)
        if path == "/token":
            response = return_to(client, authorize(response.headers["Location"]))
    finally:
        is_over.set()
    assert response.status_code == 401
    assert get_user(client) is None


def load_suppressed(url: str) -> None:
    with suppress(RequestException):
        openid_documents.load_document(url, 0)


def test_one_sign_in_at_a_time_waits_for_a_hanging_server(
    work: FakeOpenID, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others fail at once, and so do later ones, for some seconds."""
    is_asked, is_over = threading.Event(), threading.Event()
    asked = []

    def hang(handler: Any) -> None:
        asked.append(handler.path)
        is_asked.set()
        is_over.wait(60)
        close_connection(handler)

    work.overrides[CONFIGURATION] = hang
    monkeypatch.setattr(requests_session, "LIMITS", Limits(seconds=60))
    monkeypatch.setattr(openid_documents, "KEEP_FAILURE_SECONDS", 600)
    first = threading.Thread(target=load_suppressed, args=[work.url + CONFIGURATION])
    first.start()
    try:
        assert is_asked.wait(30)
        assert Client().post(LOGIN).status_code == 401
        assert first.is_alive()
    finally:
        is_over.set()
        first.join(30)
    assert Client().post(LOGIN).status_code == 401
    assert len(asked) == 1
    del work.overrides[CONFIGURATION]
    monkeypatch.setattr(openid_documents, "KEEP_FAILURE_SECONDS", 0)
    assert Client().post(LOGIN).status_code == 302


def test_the_requests_of_a_sign_in_have_a_time_together(
    work: FakeOpenID, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "MAX_REQUEST_SECONDS", 0)
    assert client.post(LOGIN).status_code == 401
    assert not work.requests


def test_the_token_endpoint_passes_the_guard_too(
    work: FakeOpenID, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    work.configuration["token_endpoint"] = "http://169.254.169.254/token"
    assert sign_in(client).status_code == 401
    assert "This address is reserved" in caplog.text


def test_a_private_server_is_refused_on_a_public_installation(
    work: FakeOpenID, settings: Settings, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    settings.ALLOWED_HOSTS = ["chat.example.org", "testserver"]
    assert client.post(LOGIN).status_code == 401
    assert "PRIVATE_ADDRESSES=allow" in caplog.text
    assert not work.requests


def test_a_state_is_good_once_and_in_one_browser_only(
    work: FakeOpenID, owner: User, client: Client
) -> None:
    back = authorize(start(client))
    assert return_to(Client(), back).status_code == 401
    assert return_to(client, back, state="another").status_code == 401
    assert return_to(client, back).status_code == 302
    client.logout()
    assert return_to(client, back).status_code == 401


def test_a_code_is_good_for_the_browser_that_asked_for_it(
    work: FakeOpenID, owner: User, client: Client
) -> None:
    """PKCE: the code of another sign-in needs a verifier that this browser does not have."""
    stolen = authorize(start(Client()))
    code = stolen.partition("code=")[2].partition("&")[0]
    own = authorize(start(client))
    assert return_to(client, own, code=code).status_code == 401
    assert get_user(client) is None


def test_an_answer_of_another_issuer_is_refused(
    work: FakeOpenID, owner: User, client: Client
) -> None:
    back = authorize(start(client))
    assert return_to(client, back, iss="https://other.example").status_code == 401
    back = authorize(start(client))
    assert return_to(client, back, iss=work.url).status_code == 302


def test_cancelling_at_the_other_server_says_so(work: FakeOpenID, client: Client) -> None:
    state = start(client).partition("&state=")[2].partition("&")[0]
    address = f"{LOGIN}callback/?error=access_denied&state={state}"
    response = client.get(address, follow=True)
    assert "You cancelled" in response.content.decode()


def test_a_new_key_of_the_server_is_found(
    work: FakeOpenID, owner: User, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in(Client())
    work.published_key = work.signing_key = "second"
    monkeypatch.setattr(openid_documents, "RELOAD_AFTER_SECONDS", 0)
    sign_in(client)
    assert get_user(client) is not None


def test_only_public_keys_verify() -> None:
    assert not [name for name in id_tokens.ALGORITHMS if name.startswith(("HS", "none"))]

"""Signing in and out, and resetting a forgotten password."""

import pytest
from django.core import mail
from django.test import Client
from pytest_django import Settings

from accounts.models import CacheEntry, User

LOGIN = "/accounts/login/"
RESET = "/accounts/password/reset/"
NEW_PASSWORD = "stipe-and-frond-8"
FOREIGN_URLS = [
    "https://elsewhere.example/",
    "//elsewhere.example/",
    "/\\elsewhere.example/",
    "https:elsewhere.example",
    "javascript:alert(1)",
]


def build_credentials(password: str) -> dict[str, str]:
    return {"login": "Owner@Holdfast.test", "password": password}


def test_signing_in_redirects_to_the_requested_page(
    owner: User, password: str, client: Client
) -> None:
    answer = client.get("/settings/keys/", follow=True)
    assert 'name="next" value="/settings/keys/"' in answer.content.decode()
    answer = client.post(LOGIN, build_credentials(password) | {"next": "/settings/keys/"})
    assert answer.headers["Location"] == "/settings/keys/"


@pytest.mark.parametrize("target", FOREIGN_URLS)
@pytest.mark.parametrize("page", [LOGIN, "/accounts/signup/"])
def test_signing_in_never_redirects_to_another_site(
    owner: User, password: str, client: Client, page: str, target: str
) -> None:
    sign_up_form = {
        "email": "ann@example.org",
        "password1": NEW_PASSWORD,
        "password2": NEW_PASSWORD,
    }
    form = {LOGIN: build_credentials(password)}.get(page, sign_up_form)
    assert client.post(page, form | {"next": target}).headers["Location"] == "/"


def test_a_wrong_password_and_an_unknown_address_look_the_same(owner: User, client: Client) -> None:
    wrong = client.post(LOGIN, build_credentials("not this one")).content.decode()
    unknown = client.post(LOGIN, {"login": "nobody@example.org", "password": "x"}).content.decode()
    sentence = "That email and password don’t match."
    assert sentence in wrong
    assert sentence in unknown
    assert 'role="alert"' in wrong


def test_a_deactivated_user_cannot_sign_in(owner: User, password: str, client: Client) -> None:
    User.objects.update(is_active=False)
    answer = client.post(LOGIN, build_credentials(password), follow=True)
    assert "This account is deactivated" in answer.content.decode()
    assert "_auth_user_id" not in client.session


def test_after_some_wrong_attempts_the_right_password_must_wait(
    owner: User, password: str, client: Client
) -> None:
    for _ in range(6):
        client.post(LOGIN, build_credentials("not this one"))
    answer = client.post(LOGIN, build_credentials(password))
    assert "Too many attempts" in answer.content.decode()
    assert "_auth_user_id" not in client.session


def test_rate_limits_are_stored_in_the_database(owner: User, client: Client) -> None:
    client.post(LOGIN, build_credentials("not this one"))
    assert CacheEntry.objects.filter(key__contains="login").exists()


def test_too_many_forms_get_a_page_that_says_so(owner: User, client: Client) -> None:
    codes = [client.post(LOGIN, {}).status_code for _ in range(31)]
    assert codes == [200] * 30 + [429]
    assert "Too many attempts" in client.post(LOGIN, {}).content.decode()


def test_signing_out_needs_a_post(as_owner: Client) -> None:
    assert "Running replies will continue" in as_owner.get("/accounts/logout/").content.decode()
    assert "_auth_user_id" in as_owner.session
    assert as_owner.post("/accounts/logout/").headers["Location"] == "/"
    assert "_auth_user_id" not in as_owner.session


def find_link_in_mail() -> str:
    return next(word for word in mail.outbox[-1].body.split() if "/password/reset/key/" in word)


def test_a_forgotten_password_is_replaced_by_a_link_that_works_once(
    owner: User, client: Client, settings: Settings
) -> None:
    settings.HAS_MAIL_SERVER = True
    answer = client.post(RESET, {"email": "Owner@Holdfast.test"}, follow=True)
    assert "Check your email" in answer.content.decode()
    link = find_link_in_mail()
    page = client.get(link, follow=True)
    typed = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    done = client.post(page.redirect_chain[-1][0], typed, follow=True)
    assert "Password changed" in done.content.decode()
    assert client.post(LOGIN, build_credentials(NEW_PASSWORD)).headers["Location"] == "/"
    assert "no longer works" in Client().get(link, follow=True).content.decode()


def test_requesting_a_link_does_not_reveal_who_has_an_account(owner: User, client: Client) -> None:
    known = client.post(RESET, {"email": owner.email}, follow=True)
    unknown = client.post(RESET, {"email": "nobody@example.org"}, follow=True)
    assert known.redirect_chain == unknown.redirect_chain
    assert [letter.to for letter in mail.outbox] == [[owner.email]]


def test_changing_the_password_needs_the_old_one(
    as_owner: Client, password: str, client: Client
) -> None:
    form = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    change = "/accounts/password/change/"
    assert as_owner.post(change, form | {"oldpassword": "a guess"}).status_code == 200
    assert as_owner.post(change, form | {"oldpassword": password}).status_code == 302
    assert client.post(LOGIN, build_credentials(NEW_PASSWORD)).headers["Location"] == "/"

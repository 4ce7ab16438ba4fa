"""The first person to sign up administers the installation, and only one person is the first."""

from contextlib import suppress
from threading import Barrier, BrokenBarrierError

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.http import HttpRequest
from django.test import Client
from pytest_django import Settings

from accounts import adapter
from accounts.models import User
from accounts.sign_up import save_under_sign_up_lock
from tests.factories import run_at_once

SIGN_UP = "/accounts/signup/"
PASSWORD = "kelp-holds-fast-7"


def build_form(email: str, password: str = PASSWORD) -> dict[str, str]:
    return {"email": email, "password1": password}


def test_signing_up_signs_in_and_redirects_to_the_requested_page(db: None, client: Client) -> None:
    answer = client.post(SIGN_UP, build_form("Ann@Example.org") | {"next": "/settings/keys/"})
    assert answer.headers["Location"] == "/settings/keys/"
    ann = User.objects.get(email="ann@example.org")
    assert client.session["_auth_user_id"] == str(ann.pk)


def test_the_first_account_is_the_administrator_and_the_second_is_not(db: None) -> None:
    Client().post(SIGN_UP, build_form("first@example.org"))
    Client().post(SIGN_UP, build_form("second@example.org"))
    assert powers() == {"first@example.org": (True, True), "second@example.org": (False, False)}


def test_the_page_tells_only_the_first_visitor_about_administration(
    db: None, client: Client
) -> None:
    sentence = "This account will be the administrator."
    assert sentence in client.get(SIGN_UP).content.decode()
    User.objects.create_user("first@example.org")
    assert sentence not in client.get(SIGN_UP).content.decode()


def test_a_sign_up_after_createsuperuser_is_no_administrator(owner: User, client: Client) -> None:
    client.post(SIGN_UP, build_form("second@example.org"))
    assert powers()["second@example.org"] == (False, False)


def powers() -> dict[str, tuple[bool, bool]]:
    return {user.email: (user.is_staff, user.is_superuser) for user in User.objects.all()}


def test_two_simultaneous_sign_ups_make_one_administrator(
    commit_for_real: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each sign-up that has found no account waits for the other one to find the same before it
    saves, for as long as the other could take. Only with the lock does the other never arrive."""
    both_have_looked = Barrier(2)
    save = User.save

    def save_late(user: User, *args: object, **kwargs: object) -> None:
        if user._state.adding:
            meet(both_have_looked, seconds=1)
        save(user, *args, **kwargs)

    monkeypatch.setattr(User, "save", save_late)
    meet_before_saving(monkeypatch)
    codes = run_at_once(
        lambda: Client().post(SIGN_UP, build_form("ann@example.org")).status_code,
        lambda: Client().post(SIGN_UP, build_form("ben@example.org")).status_code,
    )
    assert codes == [302, 302]
    assert sorted(powers().values()) == [(False, False), (True, True)]


def test_a_double_post_of_the_sign_up_makes_one_account(
    commit_for_real: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    meet_before_saving(monkeypatch)
    places = run_at_once(
        *[lambda: Client().post(SIGN_UP, build_form("ann@example.org")).headers["Location"]] * 2
    )
    assert sorted(map(str, places)) == ["/", "/accounts/login/"]
    assert powers() == {"ann@example.org": (True, True)}


def meet_before_saving(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both have a valid form, with a free address, before either is saved."""
    both_are_there = Barrier(2)
    save = save_under_sign_up_lock

    def save_together(request: HttpRequest, user: User) -> None:
        both_are_there.wait(timeout=20)
        save(request, user)

    monkeypatch.setattr(adapter, "save_under_sign_up_lock", save_together)


def meet(barrier: Barrier, *, seconds: float) -> None:
    with suppress(BrokenBarrierError):
        barrier.wait(timeout=seconds)


def test_a_taken_address_is_refused_in_upper_and_lower_case(owner: User, client: Client) -> None:
    answer = client.post(SIGN_UP, build_form("Owner@Holdfast.TEST"))
    assert "already registered" in answer.content.decode()
    assert User.objects.count() == 1


@pytest.mark.parametrize("weak", ["short", "password", "1234567890", "ann@example.org"])
def test_a_weak_password_is_refused_beside_its_field(db: None, client: Client, weak: str) -> None:
    html = client.post(SIGN_UP, build_form("ann@example.org", weak)).content.decode()
    field = html.split('name="password1"')[1].split(">")[0]
    assert "id_password1_error" in field
    assert 'id="id_password1_error"' in html
    assert not User.objects.exists()


def test_the_link_in_the_mail_confirms_an_address(
    db: None, client: Client, settings: Settings
) -> None:
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    settings.HAS_MAIL_SERVER = True
    answer = client.post(SIGN_UP, build_form("ann@example.org"), follow=True)
    assert "Check your email" in answer.content.decode()
    assert "_auth_user_id" not in client.session
    link = next(word for word in mail.outbox[0].body.split() if "/confirm-email/" in word)
    assert "Is ann@example.org your address?" in client.get(link).content.decode()
    client.post(link)
    assert EmailAddress.objects.get(email="ann@example.org").verified
    signed_in = client.post("/accounts/login/", {"login": "ann@example.org", "password": PASSWORD})
    assert signed_in.headers["Location"] == "/"


def test_an_invalid_confirmation_link_says_so(db: None, client: Client) -> None:
    assert "no longer works" in client.get("/accounts/confirm-email/nothing/").content.decode()

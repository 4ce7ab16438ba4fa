"""Invitations: a link makes as many accounts as it may, for the right address, until it ends."""

from __future__ import annotations

import re
from datetime import timedelta
from io import StringIO
from threading import Barrier

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.core.management import CommandError, call_command
from django.http import HttpRequest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts import adapter
from accounts.audit.models import AuditEvent
from accounts.invitations.links import create_invitation, revoke_invitation
from accounts.models import Invitation, User
from accounts.rate_limits import RateLimit
from accounts.sign_up import save_under_sign_up_lock
from config.logs import path_for_log
from tests.factories import create_signed_in_client, run_at_once

SIGN_UP = "/accounts/signup/"
PASSWORD = "kelp-holds-fast-7"


@pytest.fixture(autouse=True)
def sign_up_by_invitation(owner: User, settings: Settings) -> None:
    """There is a first account, and others need an invitation."""
    settings.SIGNUP = "invite"


def build_form(email: str) -> dict[str, str]:
    return {"email": email, "password1": PASSWORD}


def sign_up(path: str, email: str) -> str:
    """Return the page after the sign-up."""
    client = Client()
    client.get(path)
    return client.post(SIGN_UP, build_form(email), follow=True).content.decode()


def list_people() -> list[str]:
    return sorted(User.objects.exclude(email="owner@holdfast.test").values_list("email", flat=True))


def test_a_link_opens_the_sign_up_page_and_makes_one_account(client: Client) -> None:
    invitation, path = create_invitation()
    assert client.get(path).headers["Location"] == SIGN_UP
    assert client.post(SIGN_UP, build_form("ann@example.org")).headers["Location"] == "/"
    assert list_people() == ["ann@example.org"]
    assert invitation.uses.get().user.email == "ann@example.org"
    assert "has been used already" in Client().get(path).content.decode()
    sign_up(path, "ben@example.org")
    assert list_people() == ["ann@example.org"]


def test_a_link_survives_a_rejected_form(client: Client) -> None:
    _, path = create_invitation()
    client.get(path)
    assert (
        "too short"
        in client.post(SIGN_UP, {"email": "ann@example.org", "password1": "x"}).content.decode()
    )
    client.post(SIGN_UP, build_form("ann@example.org"))
    assert list_people() == ["ann@example.org"]


def test_a_link_makes_as_many_accounts_as_it_says() -> None:
    _, path = create_invitation(uses=2)
    for name in ("ann", "ben", "cem"):
        sign_up(path, f"{name}@example.org")
    assert list_people() == ["ann@example.org", "ben@example.org"]


def test_one_account_results_from_two_simultaneous_sign_ups_with_a_single_link(
    commit_for_real: None, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have a valid form before either is saved."""
    both_are_there, save = Barrier(2), save_under_sign_up_lock

    def save_together(request: HttpRequest, user: User) -> None:
        both_are_there.wait(timeout=20)
        save(request, user)

    monkeypatch.setattr(adapter, "save_under_sign_up_lock", save_together)
    _, path = create_invitation()
    pages = run_at_once(
        lambda: sign_up(path, "ann@example.org"), lambda: sign_up(path, "ben@example.org")
    )
    assert len(list_people()) == 1
    assert sum("has been used already" in str(page) for page in pages) == 1


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"expires_at": timezone.now() - timedelta(seconds=1)}, "has expired"),
        ({"revoked_at": timezone.now()}, "was revoked"),
        ({"use_count": 1}, "has been used already"),
    ],
)
def test_a_link_that_no_longer_works_says_why(
    client: Client, change: dict[str, object], sentence: str
) -> None:
    invitation, path = create_invitation()
    client.get(path)  # it was opened while it still worked
    Invitation.objects.filter(pk=invitation.pk).update(**change)
    assert sentence in Client().get(path).content.decode()
    assert sentence in client.post(SIGN_UP, build_form("ann@example.org")).content.decode()
    assert list_people() == []


def test_an_unknown_link_says_so(client: Client) -> None:
    answer = client.get("/accounts/invitation/nothing/")
    assert answer.status_code == 404
    assert "no such invitation" in answer.content.decode()


def test_closed_sign_up_refuses_earlier_invitations(client: Client, settings: Settings) -> None:
    _, path = create_invitation()
    settings.SIGNUP = "closed"
    assert "Sign-up is closed" in sign_up(path, "ann@example.org")
    assert list_people() == []


def test_an_invitation_for_one_address_is_for_no_other(client: Client) -> None:
    invitation, path = create_invitation(email="Ann@example.org", uses=5)
    page = client.get(path, follow=True).content.decode()
    assert 'value="ann@example.org"' in page
    answer = client.post(SIGN_UP, build_form("eve@example.org")).content.decode()
    assert "for another address" in answer
    client.post(SIGN_UP, build_form("ann@example.org"))
    assert list_people() == ["ann@example.org"]
    assert not EmailAddress.objects.get(email="ann@example.org").verified
    invitation.refresh_from_db()
    assert (invitation.email, invitation.max_uses) == ("", 1)


def test_a_mailed_invitation_confirms_its_address(client: Client, settings: Settings) -> None:
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    _, path = create_invitation(email="ann@example.org", is_mailed=True)
    client.get(path)
    client.post(SIGN_UP, build_form("ann@example.org"))
    assert EmailAddress.objects.get(email="ann@example.org").verified
    assert "_auth_user_id" in client.session
    assert not mail.outbox


def test_the_link_is_stored_nowhere_and_gets_into_no_log(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    _, path = create_invitation()
    token = path.split("/")[-2]
    client.get(path)
    stored = [str(row) for row in Invitation.objects.values()] + [str(dict(client.session))]
    assert token not in "".join(stored)
    assert token not in path_for_log(path)
    Client().get(path[:-3] + "/")
    assert token[:20] not in caplog.text


def test_the_page_of_a_refused_link_sends_no_referrer(client: Client) -> None:
    invitation, path = create_invitation()
    revoke_invitation(invitation, HttpRequest())
    assert client.get(path).headers["Referrer-Policy"] == "no-referrer"


def test_a_valid_link_is_not_refused_because_of_many_visitors(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    from accounts import anonymous_limits

    monkeypatch.setattr(anonymous_limits, "SESSION_LIMIT", RateLimit("none", 0, 60))
    _, path = create_invitation()
    assert client.get(path).status_code == 302


ADMIN = "/admin/accounts/invitation/"


def test_an_administrator_sees_the_link_once(as_administrator: Client) -> None:
    form = {"email": "", "days": "3", "max_uses": "1"}
    page = as_administrator.post(f"{ADMIN}add/", form).content.decode()
    [path] = re.findall(r"http://testserver(/accounts/invitation/[\w-]+/)", page)
    sign_up(path, "ann@example.org")
    assert "ann@example.org" in list_people()
    invitation = Invitation.objects.get()
    assert str(invitation.made_by) == "administrator@holdfast.test"
    assert path.split("/")[-2] not in as_administrator.get(ADMIN).content.decode()


def test_an_administrator_sends_an_invitation_by_mail(
    as_administrator: Client, settings: Settings
) -> None:
    settings.HAS_MAIL_SERVER = True
    form = {"email": "", "days": "3", "max_uses": "1", "by_mail": "on"}
    assert "Enter the address" in as_administrator.post(f"{ADMIN}add/", form).content.decode()
    form["email"] = "ann@example.org"
    page = as_administrator.post(f"{ADMIN}add/", form).content.decode()
    [letter] = mail.outbox
    [path] = re.findall(r"http://testserver(/accounts/invitation/[\w-]+/)", str(letter.body))
    assert path not in page
    sign_up(path, "ann@example.org")
    assert EmailAddress.objects.get(email="ann@example.org").verified


def test_an_administrator_revokes_an_invitation(as_administrator: Client) -> None:
    invitation, path = create_invitation(email="ann@example.org")
    as_administrator.post(ADMIN, {"action": "revoke", "_selected_action": [invitation.pk]})
    assert "was revoked" in Client().get(path).content.decode()
    invitation.refresh_from_db()
    assert invitation.email == ""


def test_other_people_can_make_no_invitations(owner: User) -> None:
    client = create_signed_in_client(owner)
    client.post(f"{ADMIN}add/", {"email": "", "days": "3", "max_uses": "1"})
    assert not Invitation.objects.exists()


def test_the_trail_names_invitations_and_sign_ups_without_addresses(client: Client) -> None:
    invitation, path = create_invitation(email="ann@example.org")
    sign_up(path, "ann@example.org")
    created, signed_up, signed_in = AuditEvent.objects.order_by("id")
    assert (created.kind, created.facts["invitation"]) == ("invitation.created", invitation.pk)
    assert (signed_up.kind, signed_up.facts) == (
        "account.signed_up",
        {"invitation": invitation.pk},
    )
    assert signed_up.account_id == User.objects.get(email="ann@example.org").pk
    assert "ann@" not in f"{signed_in.kind} {signed_in.facts}"


def run_invite(*arguments: str) -> str:
    out = StringIO()
    call_command("invite", *arguments, stdout=out, stderr=StringIO())
    return out.getvalue().strip()


def test_the_command_prints_a_link(settings: Settings) -> None:
    settings.TRUSTED_ORIGINS = ["https://chat.example.org"]
    link = run_invite("--uses", "2")
    assert link.startswith("https://chat.example.org/accounts/invitation/")
    sign_up(link.removeprefix("https://chat.example.org"), "ann@example.org")
    assert list_people() == ["ann@example.org"]


def test_the_command_sends_the_link_and_does_not_print_it(settings: Settings) -> None:
    settings.HAS_MAIL_SERVER = True
    settings.MAIL_TRANSPORT = settings.EMAIL_BACKEND
    assert run_invite("--email", "ann@example.org", "--send") == ""
    assert mail.outbox[0].to == ["ann@example.org"]


@pytest.mark.parametrize(
    "arguments",
    [["--send"], ["--email", "nonsense"], ["--days", "0"], ["--uses", "0"], ["--days", "9999"]],
)
def test_the_command_refuses_impossible_arguments(arguments: list[str]) -> None:
    with pytest.raises(CommandError):
        run_invite(*arguments)
    assert not Invitation.objects.exists()


def test_a_request_that_is_refused_before_its_session_is_read_gets_an_error_page(
    client: Client, settings: Settings
) -> None:
    settings.SIGNUP = "invite"
    client.raise_request_exception = False
    User.objects.create_user("first@example.org")
    assert client.get("/?a=%00").status_code == 400

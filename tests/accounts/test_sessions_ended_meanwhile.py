"""A session that is ended while one of its requests gives it a new key stays ended. Otherwise a
thief, whose program asks for new keys all the time, would outlive the end of the session."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.core.mail import EmailMessage
from django.test import Client

from accounts.models import AuditEvent, User
from accounts.session_store import SessionStore
from accounts.sessions import ending, tracking
from accounts.sessions.ending import end_all_sessions
from tests.factories import create_signed_in_client

pytestmark = pytest.mark.django_db

PAGE, END = "/settings/sessions/", "/settings/sessions/end/"
RENEWALS = {
    "/accounts/reauthenticate/": {"password": "kelp-holds-fast-7"},
    END: {"session": "0"},
    "/accounts/password/change/": {
        "oldpassword": "kelp-holds-fast-7",
        "password1": "another long sentence",
        "password2": "another long sentence",
    },
}
"""Requests that give their session a new key."""


@pytest.fixture
def thief(owner: User) -> Client:
    """A second browser of the owner, with a copied cookie."""
    tracking.seen_sessions.clear()
    client = create_signed_in_client(owner)
    assert client.get(PAGE).status_code == 200
    return client


def find_record(client: Client) -> UserSession:
    return UserSession.objects.get(session_key=client.session.session_key)


def end_during_renewal(patch: pytest.MonkeyPatch, end: Callable[[], object]) -> None:
    """End sessions when a request has read its session, and has no new key yet."""
    renew = SessionStore.cycle_key

    def renew_later(store: SessionStore) -> None:
        patch.setattr(SessionStore, "cycle_key", renew)
        end()
        renew(store)

    patch.setattr(SessionStore, "cycle_key", renew_later)


def assert_is_ended(client: Client) -> None:
    assert client.get(PAGE).status_code == 302
    assert not Session.objects.filter(session_key=client.cookies["sessionid"].value).exists()
    assert not UserSession.objects.exists()


@pytest.mark.parametrize("path", RENEWALS)
def test_an_ended_session_gets_no_new_key(
    path: str, thief: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = find_record(thief)
    end_during_renewal(
        monkeypatch, lambda: ending.delete_sessions(UserSession.objects.filter(pk=record.pk))
    )
    assert thief.post(path, RENEWALS[path]).status_code == 400
    assert_is_ended(thief)


def test_a_password_that_an_ended_session_changes_is_reported(
    owner: User, thief: Client, monkeypatch: pytest.MonkeyPatch, mailoutbox: list[EmailMessage]
) -> None:
    """A thief with two requests at once would hide the change otherwise."""
    path = "/accounts/password/change/"
    end_during_renewal(monkeypatch, Session.objects.all().delete)
    assert thief.post(path, RENEWALS[path]).status_code == 400
    owner.refresh_from_db()
    assert owner.check_password(RENEWALS[path]["password1"])
    assert AuditEvent.objects.filter(kind="password.changed").count() == 1
    assert len(mailoutbox) == 1


def test_sessions_that_an_ended_session_ends_are_reported(
    owner: User, thief: Client, monkeypatch: pytest.MonkeyPatch, mailoutbox: list[EmailMessage]
) -> None:
    other = create_signed_in_client(owner)
    assert other.get(PAGE).status_code == 200
    mailoutbox.clear()
    end_during_renewal(monkeypatch, Session.objects.all().delete)
    assert thief.post(END, {"session": "others"}).status_code == 400
    assert AuditEvent.objects.filter(kind="sessions.ended").count() == 1
    assert len(mailoutbox) == 1


def test_a_session_with_a_new_key_does_not_become_two(
    thief: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two browsers have the same cookie. One of them gets the new key."""
    other = Client()
    other.cookies = thief.cookies.copy()  # type: ignore[assignment]
    end_during_renewal(monkeypatch, lambda: other.post(END, {"session": "0"}))
    assert thief.post(END, {"session": "0"}).status_code == 400
    assert thief.get(PAGE).status_code == 302
    assert other.get(PAGE).status_code == 200


@pytest.mark.parametrize("path", ["/accounts/reauthenticate/", END])
def test_two_tabs_that_ask_for_a_new_key_at_once_stay_signed_in(
    path: str, thief: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tabs have one cookie. The answer to the second one may arrive last, and must not delete
    what the first one got."""
    other = Client()
    other.cookies = thief.cookies.copy()  # type: ignore[assignment]
    end_during_renewal(monkeypatch, lambda: other.post(END, {"session": "0"}))
    tracking.seen_sessions.clear()  # as in another process
    late = thief.post(path, RENEWALS[path])
    assert late.status_code == 400
    other.cookies.update(late.cookies)
    assert other.get(PAGE).status_code == 200
    assert find_record(other) == UserSession.objects.get()


def test_a_session_that_got_a_new_key_since_its_record_was_read_ends(thief: Client) -> None:
    record = find_record(thief)
    records = UserSession.objects.filter(pk=record.pk)
    assert list(records) == [record]  # the queryset keeps this result
    thief.post(END, {"session": "0"})
    assert thief.session.session_key != record.session_key
    ending.delete_sessions(records)
    assert_is_ended(thief)


def test_an_administrator_ends_a_session_that_gets_a_new_key_meanwhile(
    owner: User, thief: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = ending._find_owners

    def find_before(ids: set[int]) -> dict[str, int]:
        found = find(ids)
        thief.post(END, {"session": "0"})
        return found

    monkeypatch.setattr(ending, "_find_owners", find_before)
    end_all_sessions([owner])
    assert thief.get(PAGE).status_code == 302

"""The page of signed-in devices: it shows each session, ends them, and costs few writes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.core import mail
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from accounts import form_limits, password_check
from accounts.audit.models import AuditEvent
from accounts.models import User
from accounts.rate_limits import RateLimit
from accounts.sessions import tracking
from accounts.sessions.user_agents import describe_user_agent
from streaming.doors import sessions
from tests.factories import create_signed_in_client

LOGIN, PAGE, END = "/accounts/login/", "/settings/sessions/", "/settings/sessions/end/"
PASSWORD = "kelp-holds-fast-7"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
SAFARI = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1"
)
EDGE = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0"
)


@pytest.fixture(autouse=True)
def forget_seen_sessions(db: None) -> Iterator[None]:
    tracking.seen_sessions.clear()
    yield
    tracking.seen_sessions.clear()


def sign_in(user: User, agent: str = FIREFOX, address: str = "198.51.100.7") -> Client:
    client = Client(HTTP_USER_AGENT=agent, REMOTE_ADDR=address)
    client.post(LOGIN, {"login": user.email, "password": PASSWORD})
    return client


def is_signed_in(client: Client) -> bool:
    return client.get(PAGE).status_code == 200


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        (FIREFOX, "Firefox on Linux"),
        (SAFARI, "Safari on iPhone"),
        (EDGE, "Edge on Windows"),
        ("curl/8.0", "Unknown browser"),
        ("", "Unknown browser"),
    ],
)
def test_a_browser_is_named_in_words(agent: str, words: str) -> None:
    assert describe_user_agent(agent) == words


def test_the_page_shows_all_sessions_and_marks_this_one(owner: User) -> None:
    sign_in(owner, SAFARI, "2001:db8::7")
    page = sign_in(owner).get(PAGE).content.decode()
    assert "Firefox on Linux <small>This device</small>" in page
    assert "Safari on iPhone" in page
    assert "2001:db8::7" in page
    assert page.count('name="session"') == 2  # one device, and all others


def test_a_session_from_before_the_upgrade_appears_at_its_next_request(owner: User) -> None:
    client = create_signed_in_client(owner)
    assert not UserSession.objects.exists()
    client.get("/settings/account/")
    assert UserSession.objects.get().session_key == client.session.session_key


def test_another_session_is_ended(owner: User) -> None:
    phone, desk = sign_in(owner, SAFARI), sign_in(owner)
    [id] = re.findall(r'name="session" value="(\d+)"', desk.get(PAGE).content.decode())
    mail.outbox.clear()
    desk.post(END, {"session": id})
    assert not is_signed_in(phone)
    assert is_signed_in(desk)
    assert UserSession.objects.count() == 1
    assert "1 device was signed out" in str(mail.outbox[0].body)
    assert AuditEvent.objects.get(kind="sessions.ended").facts == {"count": 1}


def test_all_other_sessions_are_ended(owner: User, colleague: User) -> None:
    other_person = sign_in(colleague)
    phones, desk = [sign_in(owner, SAFARI) for _ in range(3)], sign_in(owner)
    desk.post(END, {"session": "others"})
    assert [is_signed_in(client) for client in (*phones, desk, other_person)] == [
        *[False] * 3,
        *[True] * 2,
    ]


def test_a_session_without_a_record_is_ended_with_the_others(owner: User) -> None:
    """A thief who only opens sockets and event streams leaves no record."""
    thief, desk = create_signed_in_client(owner), sign_in(owner)
    keys = [str(client.session.session_key) for client in (thief, desk)]
    assert UserSession.objects.count() == 1
    assert sessions._load_session_users(keys).keys() == {*keys}
    assert 'value="others"' in desk.get(PAGE).content.decode()
    for _ in range(2):
        desk.post(END, {"session": "others"})
    assert sessions._load_session_users(keys).keys() == set()
    renewed = str(desk.session.session_key)
    assert sessions._load_session_users([renewed]).keys() == {renewed}
    assert [is_signed_in(client) for client in (thief, desk)] == [False, True]
    assert AuditEvent.objects.filter(kind="sessions.ended").count() == 2


def test_ending_the_others_outlives_a_renewed_hash_and_another_secret_key(
    owner: User, settings: Settings
) -> None:
    thief, desk = create_signed_in_client(owner), sign_in(owner)
    stale = User.objects.get(pk=owner.pk)
    desk.post(END, {"session": "others"})
    assert password_check._renew_hash(stale, PASSWORD)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "the-key-of-this-year-long-and-random-enough-9876543210"
    assert not sessions._load_session_users([str(thief.session.session_key)])
    assert not is_signed_in(thief)


@pytest.mark.parametrize("named", ["foreign", "mine", "", "-1", "nonsense", "9" * 30])
def test_no_foreign_session_and_not_this_one_can_be_named(
    owner: User, colleague: User, named: str
) -> None:
    other_person, mine = sign_in(colleague), sign_in(owner)
    ids = {"foreign": UserSession.objects.get(user=colleague).pk}
    ids["mine"] = UserSession.objects.get(user=owner).pk
    assert mine.post(END, {"session": str(ids.get(named, named))}).status_code == 302
    assert is_signed_in(other_person)
    assert is_signed_in(mine)


def test_a_session_is_written_once_in_ten_minutes(owner: User) -> None:
    client = sign_in(owner)
    tracking.seen_sessions.clear()  # as in another process
    with CaptureQueriesContext(connection) as queries:
        for _ in range(3):
            client.get("/settings/account/")
    writes = [q for q in queries if q["sql"].startswith(("INSERT", "UPDATE", "DELETE"))]
    assert len(writes) == 1  # an UPDATE that finds no older row
    seen = UserSession.objects.get().last_seen_at
    old = timezone.now() - timedelta(minutes=11)
    UserSession.objects.update(last_seen_at=old)
    tracking.seen_sessions.clear()
    client.get("/settings/account/")
    assert UserSession.objects.get().last_seen_at > seen


def test_a_new_key_of_a_session_keeps_its_row(owner: User) -> None:
    client = sign_in(owner)
    before = UserSession.objects.get()
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    after = UserSession.objects.get()
    assert (after.pk, after.created_at) == (before.pk, before.created_at)
    assert after.session_key == client.session.session_key != before.session_key


def test_signing_out_deletes_the_row(owner: User) -> None:
    sign_in(owner).post("/accounts/logout/")
    assert not UserSession.objects.exists()


def test_workers_delete_the_rows_of_expired_sessions(owner: User) -> None:
    sign_in(owner)
    desk = sign_in(owner)
    Session.objects.exclude(session_key=desk.session.session_key)._raw_delete("default")
    UserSession.objects.update(last_seen_at=timezone.now() - timedelta(hours=2))
    tracking.delete_records_of_ended_sessions()
    assert UserSession.objects.get().session_key == desk.session.session_key


def test_a_session_from_before_a_new_password_is_not_shown(owner: User) -> None:
    sign_in(owner, SAFARI)
    owner.set_password("stipe-and-frond-8")
    owner.save()
    assert "Safari" not in create_signed_in_client(owner).get(PAGE).content.decode()


def test_the_sessions_of_a_person_are_limited(
    owner: User, colleague: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracking, "MAX_SESSIONS_PER_USER", 3)
    foreign = sign_in(colleague)
    clients = [sign_in(owner) for _ in range(3)]
    UserSession.objects.filter(session_key=clients[0].session.session_key).update(
        last_seen_at=timezone.now() + timedelta(minutes=1)
    )
    clients += [sign_in(owner) for _ in range(2)]
    assert [is_signed_in(client) for client in clients] == [True, False, False, True, True]
    assert is_signed_in(foreign)
    assert Session.objects.count() == UserSession.objects.count() == 4


def test_a_client_without_an_address_can_sign_in(owner: User) -> None:
    client = sign_in(owner, address="")
    assert is_signed_in(client)
    assert "0.0.0.0" not in client.get(PAGE).content.decode()


def test_a_sign_in_from_an_unknown_browser_is_reported_once(owner: User) -> None:
    client = sign_in(owner, SAFARI)
    [letter] = mail.outbox
    assert letter.to == [owner.email]
    assert "Safari on iPhone" in str(letter.body)
    client.post("/accounts/logout/")
    client.post(LOGIN, {"login": owner.email, "password": PASSWORD})
    assert len(mail.outbox) == 1


def test_a_sign_up_is_not_reported_as_a_new_sign_in(owner: User) -> None:
    Client().post("/accounts/signup/", {"email": "ann@example.org", "password1": PASSWORD})
    assert not mail.outbox


def test_signing_out_elsewhere_ends_a_copied_cookie_of_this_session(owner: User) -> None:
    browser, thief = sign_in(owner), Client()
    thief.cookies["sessionid"] = browser.cookies["sessionid"].value
    assert is_signed_in(thief)
    browser.post(END, {"session": "others"})
    assert not is_signed_in(thief)
    assert is_signed_in(browser)
    assert UserSession.objects.filter(user=owner).count() == 1


def test_forms_of_the_settings_are_limited_for_each_person(
    owner: User, colleague: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each writes an audit event."""
    monkeypatch.setattr(form_limits, "SETTINGS_LIMIT", RateLimit("settings", 3, 3600))
    client, other = create_signed_in_client(owner), create_signed_in_client(colleague)
    statuses = [client.post("/settings/account/", {"name": "N"}).status_code for _ in range(5)]
    assert statuses == [302, 302, 302, 429, 429]
    refused = client.post(END, {"session": "others"})
    assert (refused.status_code, refused["Retry-After"]) == (429, "3600")
    assert client.get(PAGE).status_code == 200
    assert other.post("/settings/account/", {"name": "N"}).status_code == 302

"""Sessions in the database: look-ups, lifetimes, deletion."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from allauth.account.forms import default_token_generator
from allauth.account.utils import user_pk_to_url_str
from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts import anonymous_limits, periodic_tasks
from accounts.models import User
from accounts.rate_limits import RateLimit
from accounts.session_store import (
    MAX_ANONYMOUS_SESSION_SECONDS,
    MAX_SESSION_SECONDS,
    SIGNED_IN_AT_KEY,
    SessionStore,
)
from streaming.sources import get_periodic_tasks

DAY = timedelta(seconds=MAX_ANONYMOUS_SESSION_SECONDS)

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("path", ["/", "/accounts/login/", "/settings/keys/", "/sidebar/"])
def test_a_page_ignores_an_invalid_session_cookie(
    path: str, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    normal_client, malformed_client = (
        Client(),
        Client(headers={"Cookie": f'sessionid="\\000{"a" * 31}"'}),
    )
    with django_assert_num_queries(0):
        answer = malformed_client.get(path)
    assert answer.status_code == normal_client.get(path).status_code


def test_an_anonymous_session_lasts_a_day() -> None:
    session = SessionStore()
    session["draft"] = "half a thought"
    session.set_expiry(365 * 24 * 60 * 60)
    session.save()
    row = Session.objects.get()
    assert row.expire_date <= timezone.now() + DAY
    assert session.get_expiry_age() <= MAX_ANONYMOUS_SESSION_SECONDS


def test_signing_in_extends_an_anonymous_session_to_weeks(owner: User) -> None:
    session = SessionStore()
    session["draft"] = "half a thought"
    session.save()
    session[SESSION_KEY] = str(owner.pk)
    session.save()
    assert Session.objects.get().expire_date > timezone.now() + 10 * DAY


def create_expired_sessions(count: int) -> None:
    past = timezone.now() - timedelta(seconds=1)
    Session.objects.bulk_create(
        Session(session_key=f"{n:032}", session_data="x", expire_date=past) for n in range(count)
    )


def test_a_session_ends_a_month_after_the_sign_in_however_much_it_is_used(
    owner: User, client: Client
) -> None:
    client.force_login(owner)
    signed_in_at = int(time.time()) - MAX_SESSION_SECONDS + 60
    for _ in range(2):
        session = client.session
        session[SIGNED_IN_AT_KEY] = signed_in_at
        session.set_expiry(365 * 24 * 60 * 60)
        session.cycle_key()  # as a confirmation with the password does
        session.save()
        [row] = Session.objects.all()
        assert row.expire_date <= timezone.now() + timedelta(seconds=60)
        assert session.get_expiry_age() <= 60
        assert session.session_key
        client.cookies[settings.SESSION_COOKIE_NAME] = session.session_key
    session[SIGNED_IN_AT_KEY] = signed_in_at - 60
    session.save()
    assert client.get("/settings/keys/").status_code == 302


def test_a_session_of_an_earlier_version_counts_from_its_next_change(
    owner: User, client: Client
) -> None:
    client.force_login(owner)
    session = client.session
    del session[SIGNED_IN_AT_KEY]
    session.save()
    assert time.time() - SessionStore(session.session_key)[SIGNED_IN_AT_KEY] < 60


def test_workers_delete_expired_sessions_and_no_others(as_owner: Client) -> None:
    create_expired_sessions(3)
    assert periodic_tasks.delete_expired_sessions in get_periodic_tasks()
    periodic_tasks.delete_expired_sessions()
    [remaining] = Session.objects.all()
    assert remaining.session_key == as_owner.session.session_key


def test_expired_sessions_are_deleted_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(periodic_tasks, "SESSIONS_PER_BATCH", 10)
    monkeypatch.setattr(periodic_tasks, "MAX_BATCHES", 2)
    create_expired_sessions(25)
    for remaining in (5, 0):
        with CaptureQueriesContext(connection) as queries:
            periodic_tasks.delete_expired_sessions()
        assert Session.objects.count() == remaining
        deletions = [query for query in queries if query["sql"].startswith("DELETE")]
        assert len(deletions) <= 2


def test_a_link_in_a_mail_creates_few_sessions_for_clients_without_cookies(
    owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    # This limit bars no owner of a link.
    monkeypatch.setattr(anonymous_limits, "SESSION_LIMIT", RateLimit("one", 1, 60))
    monkeypatch.setattr(anonymous_limits, "RESET_LINK_SESSION_LIMIT", RateLimit("few", 3, 60))
    key = default_token_generator.make_token(owner)
    link = f"/accounts/password/reset/key/{user_pk_to_url_str(owner)}-{key}/"
    assert [Client().get(link).status_code for _ in range(5)] == [302, 302, 302, 429, 429]
    assert Session.objects.count() == 3
    assert Client(REMOTE_ADDR="192.0.2.7").get(link).status_code == 302


def test_signing_in_does_not_count_as_a_visitor(
    owner: User, password: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(anonymous_limits, "SESSION_LIMIT", RateLimit("one", 1, 60))
    for _ in range(3):
        form = {"login": owner.email, "password": password}
        assert Client().post("/accounts/login/", form).status_code == 302
    assert Session.objects.count() == 3

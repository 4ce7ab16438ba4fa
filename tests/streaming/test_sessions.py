"""The users of many sessions, loaded in one query, are those that Django finds for each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from types import NoneType
from typing import Any

import pytest
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.db import DatabaseError, connection
from django.http import HttpRequest
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts import session_store as our_store
from accounts.models import User
from streaming.batching import BatchLoader
from streaming.database import run_in_db
from streaming.doors import sessions
from streaming.doors.sessions import _load_session_users, load_session_user
from tests.factories import create_session_key

pytestmark = pytest.mark.django_db(transaction=True)


def create_user_with_session(number: int) -> tuple[User, str]:
    user = User.objects.create_user(f"{number}@holdfast.test", "drift-wood-9")
    return user, create_session_key(user)


def load_user_with_django(session_key: str) -> User | None:
    request = HttpRequest()
    request.session = SessionStore(session_key)
    user = get_user(request)
    return user if isinstance(user, User) else None


def change_session(key: str, name: str, value: object) -> None:
    session = SessionStore(key)
    session[name] = value
    session.save()


def expire_session(user: User, key: str) -> None:
    Session.objects.filter(session_key=key).update(expire_date=timezone.now() - timedelta(1))


def change_password(user: User, key: str) -> None:
    user.set_password("other-wood-9")
    user.save()


def deactivate(user: User, key: str) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)


def forge_session_hash(user: User, key: str) -> None:
    change_session(key, HASH_SESSION_KEY, "0" * 64)


CHANGES: dict[str, Callable[[User, str], object]] = {
    "nothing": lambda user, key: None,
    "it expired": expire_session,
    "it was deleted": lambda user, key: Session.objects.filter(session_key=key).delete(),
    "it is not one": lambda user, key: Session.objects.filter(session_key=key).update(
        session_data="not signed"
    ),
    "its password was changed": change_password,
    "its hash is another": forge_session_hash,
    "it has no hash": lambda user, key: change_session(key, HASH_SESSION_KEY, ""),
    "its backend is gone": lambda user, key: change_session(
        key, BACKEND_SESSION_KEY, "old.Backend"
    ),
    "its user is gone": lambda user, key: user.delete(),
    "its user is deactivated": deactivate,
    "it is of nobody": lambda user, key: change_session(key, SESSION_KEY, ""),
}
VALID = {"nothing"}


def test_many_sessions_are_validated_as_django_validates_each() -> None:
    people = [create_user_with_session(number) for number in range(len(CHANGES))]
    assert len(_load_session_users([key for _, key in people])) == len(people)
    for (user, key), apply_change in zip(people, CHANGES.values(), strict=True):
        apply_change(user, key)
    found = _load_session_users([key for _, key in people])
    for (user, key), what in zip(people, CHANGES, strict=True):
        assert found.get(key) == (user if what in VALID else None), what
        if what != "it is of nobody":  # for which Django raises an error
            assert found.get(key) == load_user_with_django(key), what


def test_a_session_from_before_a_change_of_the_secret_key_is_valid(
    settings: Any,
) -> None:
    user, key = create_user_with_session(1)
    old = settings.SECRET_KEY
    settings.SECRET_KEY = "the new one"
    assert _load_session_users([key]) == {}
    settings.SECRET_KEY_FALLBACKS = [old]
    assert _load_session_users([key]) == {key: user}
    assert load_user_with_django(key) == user


def test_a_newer_version_may_add_a_column_while_this_one_runs() -> None:
    user, key = create_user_with_session(1)
    for _ in range(10):  # then PostgreSQL has prepared the statement
        assert _load_session_users([key]) == {key: user}
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("ALTER TABLE accounts_user ADD COLUMN newer integer")
        assert _load_session_users([key]) == {key: user}
    finally:
        with other.cursor() as cursor:
            cursor.execute("ALTER TABLE accounts_user DROP COLUMN newer")
        other.close()


def test_a_session_without_a_user_stays_without_one() -> None:
    _, key = create_user_with_session(1)
    change_session(key, SESSION_KEY, "")
    assert [_load_session_users([key]), _load_session_users([key])] == [{}, {}]


def test_a_known_session_costs_one_query_and_is_validated_again() -> None:
    user, key = create_user_with_session(1)
    other, _ = create_user_with_session(2)
    with CaptureQueriesContext(connection) as first:
        assert _load_session_users([key]) == {key: user}
    with CaptureQueriesContext(connection) as again:
        assert _load_session_users([key]) == {key: user}
    assert (len(first), len(again)) == (2, 1)
    change_session(key, SESSION_KEY, str(other.pk))
    change_session(key, HASH_SESSION_KEY, other.get_session_auth_hash())
    assert _load_session_users([key]) == {key: other}
    assert _load_session_users([key]) == {key: other}
    deactivate(other, key)
    assert _load_session_users([key]) == {}


async def test_a_missing_session_has_no_user() -> None:
    user, key = await run_in_db(create_user_with_session, 1)
    assert await load_session_user(key) == user
    assert await load_session_user(None) is None
    assert await load_session_user("") is None


INVALID_KEYS = {
    "a NUL": "\0" + "a" * 31,
    "a NUL at the end": "a" * 31 + "\0",
    "too short": "a" * 31,
    "too long": "a" * 33,
    "much too long": "a" * 100_000,
    "capitals": "A" * 32,
    "other digits": "٣" * 32,
    "other letters": "ä" * 32,
    "half a pair": "\ud800" * 32,
    "a line end": "a" * 32 + "\n",
    "a quote": "a" * 31 + "'",
}


@pytest.mark.parametrize("key", INVALID_KEYS.values(), ids=INVALID_KEYS.keys())
async def test_an_impossible_session_key_is_not_looked_up(
    key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail_if_called(keys: object) -> Any:
        raise AssertionError("the key was looked up")

    monkeypatch.setattr(sessions, "_user_loader", BatchLoader(fail_if_called))
    assert await load_session_user(key) is None
    assert our_store.SessionStore(key).session_key is None


async def test_an_error_of_one_session_does_not_affect_the_others_of_its_query(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    user, key = await run_in_db(create_user_with_session, 1)
    monkeypatch.setattr(sessions, "is_session_key", lambda key: True)
    poisoned = [f"\0{number:031}" for number in range(3)]
    results = [
        load_session_user(key),
        *(load_session_user(poison) for poison in poisoned),
        load_session_user("c" * 32),
    ]
    good, *bad, none = await asyncio.gather(*results, return_exceptions=True)
    assert (good, none) == (user, None)
    expected = DatabaseError if connection.vendor == "postgresql" else NoneType
    assert [type(answer) for answer in bad if not isinstance(answer, expected)] == []


def test_a_session_of_djangos_store_works_under_ours() -> None:
    _, key = create_user_with_session(1)
    theirs = SessionStore(key)
    assert dict(our_store.SessionStore(key).items()) == dict(theirs.items())

"""No request computes the hash of a password twice. A change of the password checks the old one
and then hashes the new one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import argon2
import pytest
from django.test import Client
from pytest_django import Settings

from accounts import password_check
from accounts.hashers import LimitedArgon2PasswordHasher
from accounts.models import User
from config import settings as product
from tests.accounts.test_password_races import NEW, reset_password
from tests.factories import create_signed_in_client

pytestmark = pytest.mark.django_db

GUESS = "not what it was"
CHANGE = "/accounts/password/change/"
Work = list[tuple[str, str]]


@pytest.fixture
def work(
    owner: User, password: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Work]:
    """The computations, each with its password. Two computations at once fail."""
    settings.PASSWORD_HASHERS = product.PASSWORD_HASHERS
    monkeypatch.setattr(password_check, "_next_check_at", 0.0)
    monkeypatch.setattr(LimitedArgon2PasswordHasher, "memory_cost", 64)
    owner.set_password(password)
    owner.save(update_fields=["password"])
    done: Work = []
    turn = threading.Lock()

    def record(name: str, function: Callable[..., Any], position: int) -> Callable[..., Any]:
        def recorded(*args: Any, **kwargs: Any) -> Any:
            secret = kwargs["secret"] if "secret" in kwargs else args[position]
            done.append((name, secret.decode() if isinstance(secret, bytes) else secret))
            assert turn.acquire(blocking=False)
            try:
                return function(*args, **kwargs)
            finally:
                turn.release()

        return recorded

    hash_secret, verify = argon2.low_level.hash_secret, argon2.PasswordHasher.verify
    monkeypatch.setattr(argon2.low_level, "hash_secret", record("hash", hash_secret, 0))
    monkeypatch.setattr(argon2.PasswordHasher, "verify", record("check", verify, 2))
    yield done
    password_check._next_check_at = 0.0


def change_password(person: User, old: str, new: str = NEW) -> None:
    form = {"oldpassword": old, "password1": new, "password2": new}
    create_signed_in_client(person).post(CHANGE, form)


def test_a_change_checks_the_old_password_and_hashes_the_new_one(
    owner: User, password: str, work: Work
) -> None:
    change_password(owner, password)
    assert work == [("check", password), ("hash", NEW)]


def test_a_change_to_the_same_password_is_no_exception(
    owner: User, password: str, work: Work
) -> None:
    change_password(owner, password, password)
    assert work == [("check", password), ("hash", password)]


def test_a_change_with_a_wrong_password_hashes_no_new_one(owner: User, work: Work) -> None:
    change_password(owner, GUESS)
    assert work == [("check", GUESS)]


def test_a_new_password_by_a_link_is_hashed_once(owner: User, work: Work) -> None:
    reset_password(owner, work.clear)
    assert work == [("hash", NEW)]


def test_a_new_password_of_the_admin_is_hashed_once(
    owner: User, as_administrator: Client, work: Work
) -> None:
    form = {"password1": NEW, "password2": NEW}
    as_administrator.post(f"/admin/accounts/user/{owner.pk}/password/", form)
    assert work == [("hash", NEW)]


def test_a_sign_up_hashes_once(owner: User, settings: Settings, work: Work) -> None:
    settings.SIGNUP = "open"
    form = {"email": "new@holdfast.test", "password1": NEW, "password2": NEW}
    assert Client().post("/accounts/signup/", form).status_code == 302
    assert work == [("hash", NEW)]


@pytest.mark.parametrize("typed", ["right", "wrong"])
@pytest.mark.parametrize("address", ["owner@holdfast.test", "nobody@holdfast.test"])
def test_a_sign_in_computes_once(password: str, work: Work, address: str, typed: str) -> None:
    secret = password if typed == "right" else GUESS
    Client().post("/accounts/login/", {"login": address, "password": secret})
    assert [done for _, done in work] == [secret]


@pytest.mark.parametrize("typed", ["right", "wrong"])
def test_a_confirmation_computes_once(owner: User, password: str, work: Work, typed: str) -> None:
    secret = password if typed == "right" else GUESS
    create_signed_in_client(owner).post("/accounts/reauthenticate/", {"password": secret})
    assert work == [("check", secret)]

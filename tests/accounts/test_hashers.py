"""Hashing a password leaves CPU for others, old hashes stay valid, and a failed attempt costs the
same for every account and for none."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import argon2
import pytest
from django.contrib.auth import hashers as django_hashers
from django.contrib.auth.hashers import PBKDF2PasswordHasher, check_password, make_password
from django.test import Client
from django.utils.module_loading import import_string
from pytest_django import Settings

from accounts import hashers, password_check
from accounts.login_attempts import LoginAttempt
from accounts.models import User
from config import settings as product
from streaming.doors import sessions
from tests.factories import create_signed_in_client
from tools.waiting import until

LOGIN = "/accounts/login/"
PASSWORD = "kelp-holds-fast-7"
ADDRESSES = {
    "no account": "nobody@holdfast.test",
    "a new hash": "new@holdfast.test",
    "an old hash": "old@holdfast.test",
    "no password": "none@holdfast.test",
}


@pytest.fixture
def real_hashers(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    settings.PASSWORD_HASHERS = product.PASSWORD_HASHERS
    monkeypatch.setattr(password_check, "_next_check_at", 0.0)
    yield
    password_check._next_check_at = 0.0


@pytest.fixture
def cheap_hashers(real_hashers: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashers.LimitedArgon2PasswordHasher, "memory_cost", 64)
    monkeypatch.setattr(hashers.LimitedPBKDF2PasswordHasher, "iterations", 1_000)


def test_new_hashes_are_argon2_with_the_recommended_cost(real_hashers: None) -> None:
    made = make_password(PASSWORD)
    assert made.startswith("argon2$argon2id$v=19$m=19456,t=2,p=1$")
    assert check_password(PASSWORD, made)
    assert not check_password("kelp-holds-on", made)


def test_hashes_of_earlier_versions_are_accepted(real_hashers: None) -> None:
    before = PBKDF2PasswordHasher().encode(PASSWORD, "salt", 1_000)
    assert check_password(PASSWORD, before)
    assert not check_password("kelp-holds-on", before)


def test_two_passwords_are_hashed_at_a_time(
    real_hashers: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, running, most = threading.Lock(), 0, 0
    two_run = threading.Barrier(2)

    def hash_slowly(*_: Any, **__: Any) -> bytes:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        two_run.wait(20)  # until another one runs at the same time
        with lock:
            running -= 1
        return b"hash"

    monkeypatch.setattr("argon2.low_level.hash_secret", hash_slowly)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(make_password, ["kelp"] * 24))
    assert most == 2


@pytest.mark.parametrize("path", product.PASSWORD_HASHERS)
def test_every_hasher_waits_for_its_turn(
    real_hashers: None, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """Encoding and verifying, whichever of them calls the other."""
    hasher = import_string(path)()
    encoded = hasher.encode(PASSWORD, "saltsaltsaltsalt")
    turns = threading.Semaphore(0)
    running = threading.Barrier(3)

    def take_a_turn() -> None:
        running.wait(20)
        turns.acquire(timeout=20)

    for _ in range(2):
        hashers._hash_executor.submit(take_a_turn)
    running.wait(20)
    with ThreadPoolExecutor(2) as threads:
        made = [
            threads.submit(hasher.encode, PASSWORD, "saltsaltsaltsalt"),
            threads.submit(hasher.verify, PASSWORD, encoded),
        ]
        until(lambda: hashers._hash_executor._work_queue.qsize() == 2, within=20)
        assert not any(future.done() for future in made)
        turns.release(2)
        assert all(future.result(20) for future in made)


def create_accounts() -> None:
    old = PBKDF2PasswordHasher().encode(PASSWORD, "saltsaltsaltsaltsaltsalt", 1_000)
    User.objects.create(email=ADDRESSES["an old hash"], password=old)
    User.objects.create_user(ADDRESSES["a new hash"], PASSWORD)
    User.objects.create_user(ADDRESSES["no password"])


def read_old_hash() -> str:
    return User.objects.get(email=ADDRESSES["an old hash"]).password


def sign_in(address: str, password: str) -> Client:
    client = Client()
    client.post(LOGIN, {"login": address, "password": password})
    return client


def test_an_old_hash_is_renewed_by_a_sign_in(db: None, cheap_hashers: None) -> None:
    create_accounts()
    sign_in(ADDRESSES["an old hash"], "a guess")
    assert read_old_hash().startswith("pbkdf2_sha256$")
    client = sign_in(ADDRESSES["an old hash"], PASSWORD)
    assert read_old_hash().startswith("argon2$")
    assert client.get("/settings/account/").status_code == 200
    assert "_auth_user_id" in sign_in(ADDRESSES["an old hash"], PASSWORD).session


def test_a_renewed_hash_signs_no_browser_out_and_a_new_password_does(
    db: None, cheap_hashers: None
) -> None:
    create_accounts()
    user = User.objects.get(email=ADDRESSES["an old hash"])
    used, idle = create_signed_in_client(user), create_signed_in_client(user)
    key = str(used.session.session_key)
    anew = sign_in(user.email, PASSWORD)
    assert read_old_hash().startswith("argon2$")
    assert key in sessions._load_session_users([key])
    assert used.get("/settings/account/").status_code == 200
    assert used.session.session_key == key
    assert key in sessions._load_session_users([key])
    keys = [str(client.session.session_key) for client in (used, idle, anew)]
    assert sessions._load_session_users(keys).keys() == {*keys}
    # A process of an earlier version does not know of the renewal.
    user.set_password("stipe-and-frond-8")
    user.save(update_fields=["password"])
    assert not sessions._load_session_users(keys)
    assert all(c.get("/settings/account/").status_code == 302 for c in (used, idle, anew))


def test_confirming_the_password_renews_no_hash_and_keeps_the_session(
    db: None, cheap_hashers: None
) -> None:
    create_accounts()
    client = Client()
    user = User.objects.get(email=ADDRESSES["an old hash"])
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    assert read_old_hash().startswith("pbkdf2_sha256$")
    assert client.get("/settings/account/").status_code == 200


def test_renewing_a_hash_does_not_undo_a_new_password(db: None, cheap_hashers: None) -> None:
    create_accounts()
    stale = User.objects.get(email=ADDRESSES["an old hash"])
    changed = User.objects.get(pk=stale.pk)
    changed.set_password("stipe-and-frond-8")
    changed.save()
    assert not password_check.check_password(stale, PASSWORD, renew=True)
    assert User.objects.get(pk=stale.pk).check_password("stipe-and-frond-8")


@pytest.fixture
def hashed(cheap_hashers: None, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The algorithms of the hashes that were computed."""
    computed: list[str] = []

    def record(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def recorded(*args: Any, **kwargs: Any) -> Any:
            computed.append(name)
            return function(*args, **kwargs)

        return recorded

    for name, owner, attribute in (
        ("argon2", argon2.low_level, "hash_secret"),
        ("argon2", argon2.PasswordHasher, "verify"),
        ("pbkdf2", django_hashers, "pbkdf2"),
    ):
        monkeypatch.setattr(owner, attribute, record(name, getattr(owner, attribute)))
    return computed


@pytest.mark.parametrize("address", ADDRESSES.values(), ids=ADDRESSES)
def test_every_failed_attempt_does_the_same_work(db: None, hashed: list[str], address: str) -> None:
    create_accounts()
    hashed.clear()
    sign_in(address, "a guess")
    assert sorted(hashed) == ["argon2", "pbkdf2"]
    User.objects.filter(password__startswith="pbkdf2").delete()
    password_check._next_check_at = 0.0
    hashed.clear()
    sign_in(address, "a guess")
    assert hashed == ["argon2"]


def test_a_sign_in_with_a_new_hash_computes_one(db: None, hashed: list[str]) -> None:
    create_accounts()
    hashed.clear()
    sign_in(ADDRESSES["a new hash"], PASSWORD)
    assert hashed == ["argon2"]


def test_old_hashes_are_looked_for_once_a_minute(
    db: None, cheap_hashers: None, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(1):
        assert not password_check.has_old_hashes()
        assert not password_check.has_old_hashes()


@pytest.mark.prove
def test_failed_attempts_take_equally_long_with_old_and_new_hashes(
    db: None, real_hashers: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = PBKDF2PasswordHasher().encode(PASSWORD, "saltsaltsaltsaltsaltsalt")
    User.objects.create(email=ADDRESSES["an old hash"], password=old)
    User.objects.create_user(ADDRESSES["a new hash"], PASSWORD)
    monkeypatch.setattr(LoginAttempt, "try_consume", lambda attempt: True)
    durations: dict[str, list[float]] = {name: [] for name in ADDRESSES if name != "no password"}
    for _ in range(15):
        for name, taken in durations.items():
            # CPU time of all threads: on a busy machine, elapsed time is mostly that of others.
            start = time.process_time()
            sign_in(ADDRESSES[name], "a guess")
            taken.append(time.process_time() - start)
    medians = {name: statistics.median(taken) for name, taken in durations.items()}
    print(medians)
    assert max(medians.values()) < 1.05 * min(medians.values())

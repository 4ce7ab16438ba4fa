"""Hashing a password leaves CPU for others, and existing hashes stay valid."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher, check_password, make_password
from django.test import override_settings

from config import settings

HASHERS = settings.PASSWORD_HASHERS


def test_a_hash_that_django_made_is_read_and_a_new_one_is_read_by_django() -> None:
    before = PBKDF2PasswordHasher().encode("kelp-holds-fast", "salt", 1_000)
    with override_settings(PASSWORD_HASHERS=HASHERS):
        assert check_password("kelp-holds-fast", before)
        assert not check_password("kelp-holds-on", before)
        made = make_password("kelp-holds-fast")
    assert PBKDF2PasswordHasher().verify("kelp-holds-fast", made)


def test_one_is_hashed_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    lock, running, most = threading.Lock(), 0, 0

    def hash_slowly(*_: Any, **__: Any) -> bytes:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.01)
        with lock:
            running -= 1
        return b"hash"

    monkeypatch.setattr("django.contrib.auth.hashers.pbkdf2", hash_slowly)
    with override_settings(PASSWORD_HASHERS=HASHERS), ThreadPoolExecutor(8) as threads:
        list(threads.map(make_password, ["kelp"] * 24))
    assert most == 1

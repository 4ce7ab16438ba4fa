"""Rate limits are rows of JSON: counted exactly, never evicted, and never unpickled."""

import base64
import os
import pickle
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import connection, connections
from django.test import Client

from accounts.cache import JSONDatabaseCache, delete_expired_entries
from accounts.models import CacheEntry

LOGIN = "/accounts/login/"


class Bomb:
    """Runs a command when it is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"touch {self.file}",)


def create_small_cache(entries: int) -> JSONDatabaseCache:
    return JSONDatabaseCache("", {"OPTIONS": {"MAX_ENTRIES": entries}})


def test_a_stored_value_is_available_until_it_expires(db: None) -> None:
    cache.set("tide", [1.5, "high"], 60)
    assert cache.get("tide") == [1.5, "high"]
    assert not cache.add("tide", "low", 60)
    CacheEntry.objects.update(expires_at=time.time() - 1)
    assert cache.get("tide") is None
    assert not cache.has_key("tide")
    assert cache.add("tide", "low", 60)
    assert cache.get("tide") == "low"
    assert cache.delete("tide")
    assert cache.get("tide", "gone") == "gone"


def test_a_pickle_in_the_table_is_never_executed(db: None, tmp_path: Path) -> None:
    """A writer to the database could otherwise run code in the web process."""
    file = tmp_path / "executed"
    bomb = pickle.dumps(Bomb(file), 0).decode("latin-1")
    Client().post(LOGIN, {"login": "ann@example.org", "password": "x"})
    assert CacheEntry.objects.update(value=bomb) >= 1
    with connection.cursor() as cursor:
        for key in CacheEntry.objects.values_list("key", flat=True):
            cursor.execute("DELETE FROM holdfast_cache WHERE cache_key = %s", [key])
            cursor.execute(
                "INSERT INTO holdfast_cache (cache_key, value, expires) VALUES (%s, %s, %s)",
                [key, encode_pickle(Bomb(file)), "2099-01-01 00:00:00"],
            )
    answer = Client().post(LOGIN, {"login": "ann@example.org", "password": "x"})
    # An attempt that can't be counted counts as one too many.
    assert "Too many attempts" in answer.content.decode()
    assert not file.exists()


def encode_pickle(value: object) -> str:
    return base64.b64encode(pickle.dumps(value)).decode()


def test_nothing_that_comes_from_a_client_or_the_database_is_a_pickle() -> None:
    assert settings.SESSION_SERIALIZER == "django.contrib.sessions.serializers.JSONSerializer"
    assert {config["BACKEND"] for config in settings.CACHES.values()} == {
        "accounts.cache.JSONDatabaseCache"
    }
    with pytest.raises(TypeError):
        cache.set("tide", object(), 60)


def test_a_text_that_is_no_json_counts_as_absent(db: None) -> None:
    cache.set("tide", "high", 60)
    CacheEntry.objects.update(value="(dp0\n.")
    assert cache.get("tide") is None
    with pytest.raises(ValueError, match="tide"):
        cache.incr("tide")


@pytest.mark.parametrize("key", ["k" * 5_000, "nul \0 here", "\ud800", "ключ"])
def test_every_key_can_be_stored(db: None, key: str) -> None:
    cache.set(key, 1, 60)
    assert cache.get(key) == 1
    assert cache.get(key + "!") is None


def test_thirty_simultaneous_increments_count_thirty(commit_for_real: None) -> None:
    cache.add("tries", 0, 60)

    def count(_: int) -> int:
        try:
            return cache.incr("tries")
        finally:
            connections.close_all()

    with ThreadPoolExecutor(10) as threads:
        sums = list(threads.map(count, range(30)))
    assert sorted(sums) == list(range(1, 31))


def test_one_of_thirty_simultaneous_adds_succeeds(commit_for_real: None) -> None:
    def add(number: int) -> bool:
        try:
            return cache.add("lock", number, 60)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(10) as threads:
        assert sum(threads.map(add, range(30))) == 1


def test_three_thousand_other_keys_evict_nothing(db: None) -> None:
    cache.set("allauth:a limit of wrong passwords", [1.0], 300)
    CacheEntry.objects.bulk_create(
        CacheEntry(key=f"z{number}", value="1", expires_at=time.time() + 300)
        for number in range(3_000)
    )
    cache.set("another", 1, 300)
    assert cache.get("allauth:a limit of wrong passwords") == [1.0]


def test_a_full_table_refuses_new_keys_and_keeps_existing_ones(db: None) -> None:
    bounded = create_small_cache(50)
    bounded.set("mine", 1, 300)
    for number in range(70):
        bounded.add(f"fresh {number}", 1, 300)
    assert CacheEntry.objects.count() == 50
    assert bounded.incr("mine") == 2
    assert not bounded.add("one more", 1, 300)


def test_a_full_table_reuses_expired_rows(db: None) -> None:
    bounded = create_small_cache(50)
    for number in range(50):
        bounded.add(f"old {number}", 1, 300)
    CacheEntry.objects.filter(key__contains="old 4").update(expires_at=time.time() - 1)
    assert bounded.add("fresh", 1, 300)
    assert bounded.get("old 3") == 1


def test_housekeeping_deletes_only_expired_rows(db: None) -> None:
    now = time.time()
    CacheEntry.objects.bulk_create(
        CacheEntry(key=f"k{number}", value="1", expires_at=now + (300 if number % 2 else -1))
        for number in range(2_500)
    )
    delete_expired_entries()
    assert CacheEntry.objects.count() == 1_250
    assert not CacheEntry.objects.filter(expires_at__lte=now).exists()

"""The cache for rate limits: JSON in the rows of a table. No row is lost before it expires."""

from __future__ import annotations

import hashlib
import json
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache
from django.db import connection, transaction

from accounts.models import CacheEntry

logger = logging.getLogger(__name__)

MAX_ENTRIES = 200_000
"""Rows of the table, about 50 MB. A busy site has far fewer limits at once."""
MAX_CACHE_KEY_CHARS = 200
"""Longer keys are stored as their hash."""
PURGE_BATCH_ROWS = 1_000
"""Expired rows that one statement deletes."""
MAX_PURGE_BATCHES = 20
"""Batches that one run of the periodic task deletes."""
FULL_RECHECK_SECONDS = 1.0
"""Seconds for which a full table counts as full."""
NEVER_EXPIRES = 1e12
"""Seconds since 1970: the expiry of a value that has none."""


class JSONDatabaseCache(BaseCache):
    """A cache in the database, shared by all processes and restarts.

    - Values are JSON. Django's DatabaseCache unpickles its rows, so that a writer to the database
      could run code here. A value that is no JSON counts as absent.
    - `add` and `incr` are atomic, also between processes.
    - A valid entry is never evicted. DatabaseCache deletes a third of its rows, in the order of
      their keys, as soon as there are 300, which removed limits of wrong passwords. When this table
      is full, expired rows are deleted first; if that is not enough, new keys are refused until
      others expire. So an attacker's new keys don't evict others. A limit that can't be counted
      counts as reached (see accounts/rate_limits.py).
    """

    def __init__(self, location: str, params: dict[str, Any]) -> None:
        super().__init__(params)
        options = params.get("OPTIONS", {})
        self._max_entries = int(options.get("MAX_ENTRIES", MAX_ENTRIES))
        # Counting many rows takes milliseconds, so only every hundredth new key counts them.
        self._count_every = max(1, min(100, self._max_entries // 100))
        self._add_count = 0
        self._was_full = False
        self._next_count_at = 0.0
        self._lock = threading.Lock()

    def get(self, key: str, default: Any = None, version: int | None = None) -> Any:
        rows = CacheEntry.objects.filter(
            key=self._storage_key(key, version), expires_at__gt=time.time()
        )
        value = rows.values_list("value", flat=True).first()
        return default if value is None else _decode_value(value, default)

    def set(
        self,
        key: str,
        value: Any,
        timeout: float | None = DEFAULT_TIMEOUT,
        version: int | None = None,
    ) -> None:
        """Store a value that JSON can hold. Raises TypeError for any other."""
        entry = self._build_entry(key, value, timeout, version)
        changes = {"value": entry.value, "expires_at": entry.expires_at}
        if not CacheEntry.objects.filter(key=entry.key).update(**changes) and self._has_room():
            CacheEntry.objects.bulk_create(
                [entry],
                update_conflicts=True,
                unique_fields=["key"],
                update_fields=["value", "expires_at"],
            )

    def add(
        self,
        key: str,
        value: Any,
        timeout: float | None = DEFAULT_TIMEOUT,
        version: int | None = None,
    ) -> bool:
        """Store the value unless there is a valid one. Return False if there is, or if the table is
        full."""
        entry = self._build_entry(key, value, timeout, version)
        changes = {"value": entry.value, "expires_at": entry.expires_at}
        expired = CacheEntry.objects.filter(key=entry.key, expires_at__lte=time.time())
        if expired.update(**changes):
            return True
        if CacheEntry.objects.filter(key=entry.key).exists() or not self._has_room():
            return False
        table = connection.ops.quote_name(CacheEntry._meta.db_table)
        with connection.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO {table} (key, value, expires_at) VALUES (%s, %s, %s) "  # noqa: S608 our name # nosec B608
                "ON CONFLICT (key) DO NOTHING",
                [entry.key, entry.value, entry.expires_at],
            )
            return cursor.rowcount == 1

    def incr(self, key: str, delta: int = 1, version: int | None = None) -> int:
        """Add to an integer and return the sum. Raises ValueError if there is no valid one."""
        return int(self._update_live_value(key, version, lambda value: int(value) + delta))

    def touch(
        self,
        key: str,
        timeout: float | None = DEFAULT_TIMEOUT,
        version: int | None = None,
    ) -> bool:
        live = CacheEntry.objects.filter(
            key=self._storage_key(key, version), expires_at__gt=time.time()
        )
        return bool(live.update(expires_at=self._expiry_time(timeout)))

    def delete(self, key: str, version: int | None = None) -> bool:
        return bool(CacheEntry.objects.filter(key=self._storage_key(key, version)).delete()[0])

    def has_key(self, key: str, version: int | None = None) -> bool:
        live = CacheEntry.objects.filter(
            key=self._storage_key(key, version), expires_at__gt=time.time()
        )
        return live.exists()

    def clear(self) -> None:
        CacheEntry.objects.all().delete()

    def _update_live_value(
        self, key: str, version: int | None, compute: Callable[[Any], Any]
    ) -> Any:
        """Replace a valid value by the result of `compute`, atomically."""
        with transaction.atomic():
            rows = CacheEntry.objects.select_for_update()
            entry = rows.filter(
                key=self._storage_key(key, version), expires_at__gt=time.time()
            ).first()
            value = None if entry is None else _decode_value(entry.value, None)
            if entry is None or value is None:
                raise ValueError(f"Key {key!r} not found")
            value = compute(value)
            entry.value = json.dumps(value)
            entry.save(update_fields=["value"])
        return value

    def _build_entry(
        self, key: str, value: Any, timeout: float | None, version: int | None
    ) -> CacheEntry:
        return CacheEntry(
            key=self._storage_key(key, version),
            value=json.dumps(value),
            expires_at=self._expiry_time(timeout),
        )

    def _storage_key(self, key: str, version: int | None) -> str:
        full_key = self.make_key(key, version=version)
        if len(full_key) <= MAX_CACHE_KEY_CHARS and full_key.isprintable():
            return full_key
        return hashlib.sha256(full_key.encode("utf-8", "surrogatepass")).hexdigest()

    def _expiry_time(self, timeout: float | None) -> float:
        expiry = self.get_backend_timeout(timeout)
        return NEVER_EXPIRES if expiry is None else expiry

    def _has_room(self) -> bool:
        """Return whether another key may be added. Counts the rows for every hundredth key, and
        once a second while the table is full."""
        now = time.monotonic()
        with self._lock:
            self._add_count += 1
            count = self._add_count % self._count_every == 0
            if self._was_full:
                count = now >= self._next_count_at
            if count:
                self._next_count_at = now + FULL_RECHECK_SECONDS
        if count:
            self._was_full = self._is_full()
        return not self._was_full

    def _is_full(self) -> bool:
        if CacheEntry.objects.count() < self._max_entries:
            return False
        delete_expired_entries()
        if CacheEntry.objects.count() < self._max_entries:
            return False
        logger.warning("The table of rate limits is full: new ones count as reached.")
        return True


def delete_expired_entries() -> None:
    """Delete expired rows, in batches so that no statement holds locks for long. Workers call this
    about once a minute."""
    for _ in range(MAX_PURGE_BATCHES):
        expired = CacheEntry.objects.filter(expires_at__lte=time.time())
        keys = list(expired.order_by("expires_at").values_list("key", flat=True)[:PURGE_BATCH_ROWS])
        # A row that was renewed after it was read has not expired.
        CacheEntry.objects.filter(key__in=keys, expires_at__lte=time.time()).delete()
        if len(keys) < PURGE_BATCH_ROWS:
            return


def _decode_value(value: str, default: Any) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return default

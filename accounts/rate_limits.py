"""Rate limits, counted in the cache for all processes together. A counter that is used up is only
read: further attempts write nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from django.core.cache import cache

from accounts.memory_limits import used_up_keys


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most `max_count` attempts in `window_seconds`, counted from the first of them."""

    name: str
    max_count: int
    window_seconds: int

    def counter_for(self, *identity: object) -> RateCounter:
        parts = "\0".join(str(part) for part in identity)
        digest = hashlib.sha256(parts.encode("utf-8", "surrogatepass")).hexdigest()
        return RateCounter(self, f"limit:{self.name}:{digest}")


@dataclass(frozen=True, slots=True)
class RateCounter:
    """The attempts of one person, address or device."""

    limit: RateLimit
    key: str

    def is_used_up(self) -> bool:
        """Needs one query, and none for a second after it was found used up."""
        if self.key in used_up_keys:
            return True
        if _to_count(cache.get(self.key)) < self.limit.max_count:
            return False
        used_up_keys.add(self.key)
        return True

    def try_consume(self, *, allow_if_full: bool = False) -> bool:
        """Count an attempt before it is made, so that simultaneous attempts can't exceed the limit.
        Return False if it is one too many, and `allow_if_full` if the cache is full and can't count
        it."""
        return not self.is_used_up() and self.count_attempt(allow_if_full=allow_if_full)

    def count_attempt(self, *, allow_if_full: bool = False) -> bool:
        """Like `try_consume`, for a counter that was not used up when it was read."""
        for _ in range(2):  # the count may expire, or another process may begin it
            try:
                return cache.incr(self.key) <= self.limit.max_count
            except ValueError:
                if cache.add(self.key, 1, self.limit.window_seconds):
                    return self.limit.max_count > 0
        return allow_if_full

    def give_back(self) -> None:
        used_up_keys.discard(self.key)
        with suppress(ValueError):
            cache.decr(self.key)

    def clear(self) -> None:
        used_up_keys.discard(self.key)
        cache.delete(self.key)


def consume_all(counters: Sequence[RateCounter]) -> bool:
    """Count an attempt in all of them, in this order. If one of them is used up, return False and
    count in none, so that an attempt that is refused anyway writes nothing."""
    if any(counter.is_used_up() for counter in counters):
        return False
    return all(counter.count_attempt() for counter in counters)


def _to_count(value: object) -> int:
    return value if isinstance(value, int) else 0

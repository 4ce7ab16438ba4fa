"""Rate limits, counted in the cache for all processes together."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from django.core.cache import cache


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

    def try_consume(self, *, allow_if_full: bool = False) -> bool:
        """Count an attempt before it is made, so that simultaneous attempts can't exceed the limit.
        Return False if it is one too many, and `allow_if_full` if the cache is full and can't count
        it."""
        for _ in range(2):  # the count may expire between the two calls
            cache.add(self.key, 0, self.limit.window_seconds)
            try:
                return cache.incr(self.key) <= self.limit.max_count
            except ValueError:
                continue
        return allow_if_full

    def give_back(self) -> None:
        with suppress(ValueError):
            cache.decr(self.key)

    def clear(self) -> None:
        cache.delete(self.key)


def consume_all(counters: Sequence[RateCounter]) -> bool:
    """Count an attempt in all of them, in this order. Return False at the first one that is used
    up, without counting in those after it."""
    return all(count.try_consume() for count in counters)

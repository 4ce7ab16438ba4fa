"""How often something may be tried: counted in the cache, in all processes together."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from django.core.cache import cache


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most `max_count` tries in `window_seconds`, counted from the first of them."""

    name: str
    max_count: int
    window_seconds: int

    def counter_for(self, *identity: object) -> RateCounter:
        """The count for one person, address or device."""
        parts = "\0".join(str(part) for part in identity)
        digest = hashlib.sha256(parts.encode("utf-8", "surrogatepass")).hexdigest()
        return RateCounter(self, f"limit:{self.name}:{digest}")


@dataclass(frozen=True, slots=True)
class RateCounter:
    """The tries of one person, address or device."""

    limit: RateLimit
    key: str

    def try_consume(self, *, allow_if_full: bool = False) -> bool:
        """Count a try before it is made, so that tries at the same time can't exceed the limit.
        False if it is one too many; `allow_if_full` if it can't be counted because the cache is
        full."""
        for _ in range(2):  # the count may expire between the two
            cache.add(self.key, 0, self.limit.window_seconds)
            try:
                return cache.incr(self.key) <= self.limit.max_count
            except ValueError:
                continue
        return allow_if_full

    def give_back(self) -> None:
        """The try does not count after all."""
        with suppress(ValueError):
            cache.decr(self.key)

    def clear(self) -> None:
        """Begin anew."""
        cache.delete(self.key)


def consume_all(counters: Sequence[RateCounter]) -> bool:
    """Count a try in all of them, in this order. False at the first one that is used up; those
    after it are not touched."""
    return all(count.try_consume() for count in counters)

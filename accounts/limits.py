"""How often something may be tried: counted in the cache, in all processes together."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from django.core.cache import cache


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `most` tries in `seconds`, counted from the first of them."""

    name: str
    most: int
    seconds: int

    def of(self, *who: object) -> Count:
        """The count for one person, address or device."""
        parts = "\0".join(str(part) for part in who)
        digest = hashlib.sha256(parts.encode("utf-8", "surrogatepass")).hexdigest()
        return Count(self, f"limit:{self.name}:{digest}")


@dataclass(frozen=True, slots=True)
class Count:
    """The tries of one person, address or device."""

    limit: Limit
    key: str

    def take(self, *, if_full: bool = False) -> bool:
        """Count a try before it is made, so that tries at the same time can't exceed the limit.
        False if it is one too many; `if_full` if it can't be counted because the cache is full."""
        for _ in range(2):  # the count may expire between the two
            cache.add(self.key, 0, self.limit.seconds)
            try:
                return cache.incr(self.key) <= self.limit.most
            except ValueError:
                continue
        return if_full

    def give_back(self) -> None:
        """The try does not count after all."""
        with suppress(ValueError):
            cache.decr(self.key)

    def clear(self) -> None:
        """Begin anew."""
        cache.delete(self.key)


def take_all(counts: Sequence[Count]) -> bool:
    """Count a try in all of them, in this order. False at the first one that is used up; those
    after it are not touched."""
    return all(count.take() for count in counts)

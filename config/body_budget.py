"""Limits the bodies that a process holds for one client: those that are not complete, and those
that wait for their turn. Otherwise many connections, each with a body that never ends, would fill
the memory or the disk.

A person counts as one client, and so does an address of visitors. The beginning of each body is
free, so that forms get through whatever others send.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, Self

from config.credential_owners import credential_owners
from streaming.doors.credentials import get_credential

FREE_BODY_BYTES = 16 * 1024
"""Bytes of each body that count for nobody."""
MAX_BODY_BYTES_PER_USER = 32 * 2**20
MAX_BODY_BYTES_PER_ADDRESS = 16 * 2**20
MAX_BODY_BYTES_OF_VISITORS = 64 * 2**20
"""Of all visitors together, and of sessions and tokens that this process does not know."""

_bytes_by_user: Counter[Any] = Counter()
_bytes_by_address: Counter[str] = Counter()
_ALL_ADDRESSES = ""
"""Has the sum of all addresses, so that nobody has to add them up for each piece of a body."""


class BodyReservation:
    """The bytes of one body, from the first one until the application has read it."""

    def __init__(self, headers: Iterable[tuple[bytes, bytes]], address: str) -> None:
        self.credential = get_credential(headers)
        self._address = address
        self._free_bytes = FREE_BODY_BYTES
        # Sums, because a client may send a body in pieces of one byte.
        self._of_users: Counter[Any] = Counter()
        self._of_addresses: Counter[str] = Counter()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def try_add(self, count: int) -> bool:
        """Return whether the client may send so many more bytes now. Until its owner is known, the
        address counts."""
        free = min(count, self._free_bytes)
        if count > free and not self._try_count(count - free):
            return False
        self._free_bytes -= free
        return True

    def _try_count(self, count: int) -> bool:
        owner = credential_owners.get_cached_owner(self.credential)
        if owner is not None:
            if _bytes_by_user[owner] + count > MAX_BODY_BYTES_PER_USER:
                return False
            _bytes_by_user[owner] += count
            self._of_users[owner] += count
            return True
        if _bytes_by_address[_ALL_ADDRESSES] + count > MAX_BODY_BYTES_OF_VISITORS:
            return False
        if _bytes_by_address[self._address] + count > MAX_BODY_BYTES_PER_ADDRESS:
            return False
        for name in (self._address, _ALL_ADDRESSES):
            _bytes_by_address[name] += count
            self._of_addresses[name] += count
        return True

    def release(self) -> None:
        """A second call has no effect."""
        _subtract(_bytes_by_user, self._of_users)
        _subtract(_bytes_by_address, self._of_addresses)


def _subtract(counts: Counter[Any], released: Counter[Any]) -> None:
    while released:
        client, count = released.popitem()
        counts[client] -= count
        if not counts[client]:
            del counts[client]

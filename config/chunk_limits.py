"""Limits the small chunks of a request's body in chunked encoding, the same on both servers. A
chunk of one byte takes the event loop as long as one of a kilobyte, so a client could hold up
everybody with few bytes.

A body has a chunk for each `BYTES_PER_CHUNK` of it at no cost. All beyond that are small chunks:
they are read at a limited pace, and a body that has too many of them is refused.
"""

from __future__ import annotations

import time

BYTES_PER_CHUNK = 64
MAX_SMALL_CHUNKS = 4_096
"""Small chunks of one body."""
FREE_SMALL_CHUNKS = 64
"""Small chunks of a body that wait for nobody."""
SMALL_CHUNKS_PER_SECOND = 20_000
"""Small chunks of all bodies that a process reads in a second. They take a tenth of its time."""
PIECE_BYTES = 1024
"""A parser gets so many bytes at once, which are about 170 chunks at most."""
TOO_MANY_CHUNKS_MESSAGE = "This body has too many small chunks."


class _Pace:
    """The time at which all small chunks that were read are paid for."""

    paid_at = 0.0


class ChunkCounter:
    """The chunks of one body."""

    def __init__(self) -> None:
        self._chunks = self._bytes = 0
        self._paid = FREE_SMALL_CHUNKS

    def add(self, size: int) -> bool:
        """Count a chunk, or a part of one. Return whether the body may have it."""
        self._chunks += 1
        self._bytes += size
        return self._count_small() <= MAX_SMALL_CHUNKS

    def pay(self) -> float:
        """Return the seconds until more of this body may be read. Bodies wait one after the
        other."""
        new = self._count_small() - self._paid
        if new <= 0:
            return 0.0
        self._paid += new
        now = time.monotonic()
        _Pace.paid_at = max(now, _Pace.paid_at) + new / SMALL_CHUNKS_PER_SECOND
        return _Pace.paid_at - now

    def _count_small(self) -> int:
        return self._chunks - self._bytes // BYTES_PER_CHUNK

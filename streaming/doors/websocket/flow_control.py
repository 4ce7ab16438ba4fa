"""Flow control: limits the bytes that are on their way to a client, and the frames that it sends.

Daphne buffers without limit what a client does not read, so the limit has to be ours.
"""

from __future__ import annotations

import asyncio
import time

from streaming.conf import engine_settings

MAX_UNACKED_BYTES = 512 * 1024
"""How many bytes may be on their way to a client that has not acknowledged them."""
PING_EVERY_BYTES = 64 * 1024
"""After so many bytes a ping asks the client whether it keeps up."""

BURST_SECONDS = 20
"""A client may send the frames of so many seconds at once, such as when it follows all streams of a
page."""


class FrameBudget:
    """A token bucket for the frames of one client."""

    def __init__(self) -> None:
        self._per_second = engine_settings.MAX_FRAMES_PER_SECOND
        self._max = self._per_second * BURST_SECONDS
        self._left: float = self._max
        self._updated_at = time.monotonic()

    def try_consume(self) -> bool:
        """Count one more frame. Return False if that is too many."""
        now = time.monotonic()
        gained = (now - self._updated_at) * self._per_second
        self._left, self._updated_at = min(self._left + gained, self._max), now
        if self._left < 1:
            return False
        self._left -= 1
        return True

    def give_back(self) -> None:
        self._left += 1


class SendWindow:
    """Counts the bytes that were sent to a client and those that it acknowledged with a pong."""

    def __init__(self) -> None:
        self.sent_bytes = 0
        self.limit_bytes = MAX_UNACKED_BYTES
        self.next_ping_at = PING_EVERY_BYTES
        self._sent_at_ping: dict[int, int] = {}
        self._space_freed = asyncio.Event()
        self._last_ping = 0

    def record_ping(self) -> int:
        """The number of a new ping. Its pong acknowledges everything that was sent before it."""
        self._last_ping += 1
        self._sent_at_ping[self._last_ping] = self.sent_bytes
        self.next_ping_at = self.sent_bytes + PING_EVERY_BYTES
        return self._last_ping

    def record_pong(self, n: int) -> bool:
        """Return False for a pong to a ping that was never sent, or that was answered."""
        is_expected = n in self._sent_at_ping
        if is_expected:
            self.limit_bytes = self._sent_at_ping[n] + MAX_UNACKED_BYTES
            self._sent_at_ping = {k: sent for k, sent in self._sent_at_ping.items() if k > n}
            self._space_freed.set()
        return is_expected

    @property
    def is_full(self) -> bool:
        return self.sent_bytes >= self.limit_bytes

    async def wait_for_space(self) -> None:
        """Wait until something may be sent. All waiters wake at once, and the first may take all
        the space."""
        while self.is_full:
            self._space_freed.clear()
            await self._space_freed.wait()

    @property
    def has_unacked_ping(self) -> bool:
        return bool(self._sent_at_ping)

"""Limits for sockets that were accepted before their session was checked, and for those that the
server closes.

Until such a connection is down, this process may buffer the data that its client sends. So an
address that has used up its share is accepted only after its session was checked.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque

from streaming.doors import frames

MAX_UNVERIFIED_PER_ADDRESS = 20
"""Sockets of one address that may be accepted at once before their sessions are checked."""
MAX_UNVERIFIED_ADDRESSES = 1_000
MAX_REFUSALS_PER_SECOND = 10
"""Sockets without a valid session, or of a user who has too many, that this process closes. Each
costs the event loop milliseconds, and many come back at once."""
OVERLOAD_BACKLOG_SECONDS = 1.0
"""How far refusals may be ahead of that pace before they have to wait."""
MAX_REFUSAL_DELAY_SECONDS = 10.0
"""The longest wait. Daphne ends a handshake after five seconds."""
MAX_WAITING_REFUSALS = 200
"""Sockets that wait at once. Further ones are closed at once."""
CLOSE_HANDSHAKE_SECONDS = 10.0
"""How long a server waits for the close frame of a client. Uvicorn waits exactly as long."""


class UnverifiedSockets:
    """The counts of one process."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._closing: deque[tuple[float, str]] = deque()
        self._last_refusal_at = 0.0
        self._waiting_refusals = 0

    def is_overloaded(self) -> bool:
        """Whether there are so many refusals that sessions are checked before the handshake."""
        return self._last_refusal_at > asyncio.get_running_loop().time() + OVERLOAD_BACKLOG_SECONDS

    async def wait_to_refuse(self, code: int) -> None:
        """Wait until one more socket may be closed, unless too many wait already."""
        if self._waiting_refusals >= MAX_WAITING_REFUSALS:
            return
        self._waiting_refusals += 1
        try:
            await asyncio.sleep(self.reserve_refusal(code))
        finally:
            self._waiting_refusals -= 1

    def reserve_refusal(self, code: int) -> float:
        """Seconds until one more socket may be closed. Without a database no session can be
        checked, and all sockets may be closed at once."""
        if code == frames.CLOSE_INTERNAL_ERROR:
            return 0.0
        now = asyncio.get_running_loop().time()
        soonest = max(now, self._last_refusal_at + 1 / MAX_REFUSALS_PER_SECOND)
        self._last_refusal_at = min(soonest, now + MAX_REFUSAL_DELAY_SECONDS)
        return self._last_refusal_at - now

    def reserve_slot(self, address: str) -> bool:
        """Take a slot before a socket is accepted. A caller that gets one has to call
        `release_slot`."""
        now = asyncio.get_running_loop().time()
        while self._closing and self._closing[0][0] <= now:
            self._decrement_count(self._closing.popleft()[1])
        count = self._counts.get(address, 0)
        if count >= MAX_UNVERIFIED_PER_ADDRESS or (
            not count and len(self._counts) >= MAX_UNVERIFIED_ADDRESSES
        ):
            return False
        self._counts[address] += 1
        return True

    def release_slot(self, address: str, *, is_closing: bool) -> None:
        """Free the slot. For a closing socket, free it only when its connection must be down."""
        if is_closing:
            due = asyncio.get_running_loop().time() + CLOSE_HANDSHAKE_SECONDS
            self._closing.append((due, address))
        else:
            self._decrement_count(address)

    def _decrement_count(self, address: str) -> None:
        self._counts[address] -= 1
        if not self._counts[address]:
            del self._counts[address]


unverified_sockets = UnverifiedSockets()

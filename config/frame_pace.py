"""How fast a server reads the frames of one socket. Both servers parse all that a client has sent,
and answer the pings of the protocol themselves, before anybody else has a turn. The engine limits
the commands among the frames (`MAX_FRAMES_PER_SECOND`), once they arrive there."""

from __future__ import annotations

import time

MAX_COST_PER_TURN = 100
"""Frames that are read in one turn, such as those of a page that reconnects and follows its
streams."""
CONTROL_FRAME_COST = 10
"""Pages send no control frames but a close, and browsers answer pings of the server only."""
TURN_SECONDS = 0.1
"""The shortest time between two turns of one socket in which so much is read."""
MAX_WAITING_FRAMES = 32
"""Frames that may wait for the application. Until it has handled some, no more are read."""
MAX_READ_BYTES = 4_096
"""Bytes that Uvicorn parses at once: as many frames as they hold are read, whatever they cost."""


class FrameCounter:
    """The cost of the frames that one socket has sent in this turn."""

    def __init__(self) -> None:
        self._cost = 0
        self._started_at = time.monotonic()

    def add(self, cost: int) -> float:
        """Count frames. Return the seconds until more may be read."""
        now = time.monotonic()
        if now - self._started_at >= TURN_SECONDS:
            self._cost, self._started_at = 0, now
        self._cost += cost
        if self._cost < MAX_COST_PER_TURN:
            return 0.0
        return self._started_at + TURN_SECONDS * self._cost / MAX_COST_PER_TURN - now

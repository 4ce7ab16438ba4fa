"""How fast a server reads the frames of one socket. Both servers read as much as a client has sent,
and answer the pings of the protocol themselves, before anybody else has a turn."""

from __future__ import annotations

import time

MAX_FRAMES_PER_TURN = 100
"""Frames that are read at once, such as those of a page that reconnects and follows its streams."""
TURN_SECONDS = 0.4
"""The shortest time between two such turns of one socket."""
MAX_WAITING_FRAMES = 32
"""Frames that may wait for the application. Until it has handled some, no more are read."""
MAX_READ_BYTES = 4_096
"""Bytes that are parsed at once: so many frames as this holds are read even beyond their number."""


class FrameCounter:
    """The frames that one socket has sent in this turn."""

    def __init__(self) -> None:
        self._count = 0
        self._started_at = time.monotonic()

    def add(self, frames: int) -> float:
        """Count frames. Return the seconds until more may be read."""
        now = time.monotonic()
        if now - self._started_at >= TURN_SECONDS:
            self._count, self._started_at = 0, now
        self._count += frames
        if self._count < MAX_FRAMES_PER_TURN:
            return 0.0
        return self._started_at + TURN_SECONDS * self._count / MAX_FRAMES_PER_TURN - now

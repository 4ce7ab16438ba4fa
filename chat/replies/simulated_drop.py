"""The demo model that shows that nobody notices a lost connection."""

from __future__ import annotations

from streaming.models import Stream
from streaming.providers.demo.adapter import STORM_MODEL

DROP_DELAY_SECONDS = 2.0


def get_drop_delay(stream: Stream) -> float | None:
    """After how many seconds a socket that follows this reply is closed."""
    return DROP_DELAY_SECONDS if stream.arguments.get("model") == STORM_MODEL else None

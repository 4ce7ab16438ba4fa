"""Drops the sockets that follow one demo model, to show that readers do not notice it."""

from __future__ import annotations

from streaming.models import Stream
from streaming.providers.demo.adapter import STORM_MODEL

DROP_DELAY_SECONDS = 2.0


def get_drop_delay(stream: Stream) -> float | None:
    """Seconds until a socket that follows this reply is closed; None for other models."""
    return DROP_DELAY_SECONDS if stream.arguments.get("model") == STORM_MODEL else None

"""Drops the connections that follow one demo model, to show that readers do not notice it."""

from __future__ import annotations

from streaming.models import Stream
from streaming.providers.catalog import DEMO_PROVIDER
from streaming.providers.demo.adapter import STORM_MODEL

DROP_DELAY_SECONDS = 2.0


def get_drop_delay(stream: Stream) -> float | None:
    """Seconds until a connection that follows this reply is closed; None for other models."""
    model, provider = (stream.arguments.get(name, "") for name in ("model", "provider"))
    is_storm = model == STORM_MODEL and provider in ("", DEMO_PROVIDER)
    return DROP_DELAY_SECONDS if is_storm else None

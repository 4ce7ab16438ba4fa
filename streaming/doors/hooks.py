"""Functions with which an application extends the doors, named in its settings."""

from __future__ import annotations

from typing import Any

from django.utils.module_loading import import_string

from streaming.conf import engine_settings
from streaming.models import Stream


def get_revision(user: Any) -> int:
    """The number that tells clients whether something besides streams has changed."""
    field = engine_settings.USER_REVISION_FIELD
    return int(getattr(user, field)) if field else 0


def get_simulated_drop(stream: Stream) -> float | None:
    """Seconds after which a connection that follows this stream is closed; None means never."""
    path = engine_settings.SIMULATED_DROP
    if not path or stream.ended_at is not None:
        return None
    delay: float | None = import_string(path)(stream)
    return delay

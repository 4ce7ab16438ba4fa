"""A connection to Redis for a channel layer that would otherwise poll ten times a second."""

from __future__ import annotations

from typing import Any

from redis.asyncio import Connection

MIN_READ_TIMEOUT_SECONDS = 5.0
"""The minimum time that a subscriber waits for a message before it checks the connection."""


class LongPollConnection(Connection):
    """Only the reads of a subscription have a timeout, and the layer's is a tenth of a second. A
    message ends the wait in any case; each wait without a message costs an idle process most of a
    millisecond."""

    async def read_response(
        self, disable_decoding: bool = False, timeout: float | None = None, **options: Any
    ) -> Any:
        if timeout is not None:
            timeout = max(timeout, MIN_READ_TIMEOUT_SECONDS)
        return await super().read_response(disable_decoding, timeout, **options)

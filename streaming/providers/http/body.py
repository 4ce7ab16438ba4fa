"""The bytes of a provider's answer, with a limit on those that make no event."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import httpx2

from streaming.providers import errors

LENGTH_HEADERS = {"transfer-encoding", "content-length"}
"""Without one of these, a cut looks like an end."""


class LimitedBody(httpx2.AsyncByteStream):
    """A response's bytes, refused when too many of them make no event.

    The caller sets `unparsed_bytes` to 0 for each event. `is_complete`: the body ended where its
    headers say that it does.
    """

    def __init__(self, response: httpx2.Response, max_event_bytes: int) -> None:
        self.unparsed_bytes = 0
        self.is_complete = False
        self._stream: Any = response.stream
        self._max_event_bytes = max_event_bytes
        self._has_declared_length = not response.headers.keys().isdisjoint(LENGTH_HEADERS)

    async def __aiter__(self) -> AsyncGenerator[bytes, None]:
        async with aclosing(aiter(self._stream)) as parts:
            async for part in parts:
                self.unparsed_bytes += len(part)
                if self.unparsed_bytes > self._max_event_bytes:
                    raise errors.ProviderError(errors.EVENT_TOO_LARGE)
                yield part
        self.is_complete = self._has_declared_length

    async def aclose(self) -> None:
        await self._stream.aclose()

"""The bytes of a provider's answer, with a limit on those that make no event."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import httpx2

from streaming.providers import errors
from streaming.providers.http.document import is_json_start
from streaming.providers.http.inflate import ENCODINGS, GZIP_MAGIC, Inflater, TooLarge

LENGTH_HEADERS = {"transfer-encoding", "content-length"}
"""Without one of these, a cut looks like an end."""


class UnknownEncoding(Exception):
    """The answer is compressed in a way that we can't read."""


class LimitedBody(httpx2.AsyncByteStream):
    """A response's bytes, decompressed, and refused when too many of them make no event, or if the
    answer is one document in place of a stream, when that is too large.

    The caller sets `unparsed_bytes` to 0 for each event. `is_complete`: the body ended where its
    headers say that it does. Takes the header of the encoding away, so that nothing else
    decompresses the bytes. Raises UnknownEncoding.
    """

    def __init__(
        self, response: httpx2.Response, max_event_bytes: int, max_document_bytes: int
    ) -> None:
        self.unparsed_bytes = 0
        self.is_complete = False
        self._stream: Any = response.stream
        self._max_unparsed_bytes = max_event_bytes
        self._max_document_bytes = max_document_bytes
        self._has_declared_length = not response.headers.keys().isdisjoint(LENGTH_HEADERS)
        self._has_started = False
        self._is_error = response.is_error
        self._inflater = _create_inflater(response.headers)

    async def __aiter__(self) -> AsyncGenerator[bytes, None]:
        async with aclosing(aiter(self._stream)) as parts:
            async for part in parts:
                if not self._has_started and part.startswith(GZIP_MAGIC):
                    self._inflater = self._inflater or Inflater()  # not every server says so
                if self._inflater is None:
                    self._count_bytes(part)
                    yield part
                    continue
                async with aclosing(self._inflate(self._inflater, part)) as pieces:
                    async for piece in pieces:
                        yield piece
        is_inflated = self._inflater is None or self._inflater.is_complete
        self.is_complete = self._has_declared_length and is_inflated

    async def _inflate(self, inflater: Inflater, part: bytes) -> AsyncGenerator[bytes, None]:
        try:
            for piece in inflater.inflate_part(part):
                self._count_bytes(piece)
                yield piece
                await asyncio.sleep(0)  # many pieces may come of one part
        except TooLarge:
            raise errors.ProviderError(errors.EVENT_TOO_LARGE) from None
        except zlib.error:
            if not self._is_error:  # of an error, the status tells enough
                raise

    def _count_bytes(self, part: bytes) -> None:
        if not self._has_started and part.strip():
            self._has_started = True
            if is_json_start(part):
                self._max_unparsed_bytes = self._max_document_bytes
        self.unparsed_bytes += len(part)
        if self.unparsed_bytes > self._max_unparsed_bytes:
            raise errors.ProviderError(errors.EVENT_TOO_LARGE)

    async def aclose(self) -> None:
        await self._stream.aclose()


def _create_inflater(headers: httpx2.Headers) -> Inflater | None:
    encoding = headers.get("content-encoding", "").strip().lower()
    if encoding in {"", "identity", "none"}:
        return None
    if encoding not in ENCODINGS:
        raise UnknownEncoding(encoding)
    del headers["content-encoding"]
    return Inflater()

"""The interface that each provider over HTTP implements: its wire.

Pure converters, but for `send`: our request becomes their body, their event becomes ours.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Iterator
from typing import Any, ClassVar

import httpx2

from streaming.providers.catalog.options import AddressCheck
from streaming.providers.http import sse
from streaming.providers.http.client import load_ssl_context
from streaming.providers.http.ending import EndMarker
from streaming.providers.http.parsed import ErrorResponse, ParsedEvent
from streaming.providers.http.tagged_reasoning import TaggedReasoningSplitter
from streaming.providers.redaction import Secret, list_address_secrets
from streaming.providers.types import ModelInfo, Request, Timeouts

MAX_EVENT_BYTES = 1 << 20
"""Bytes a provider may send without completing one event."""


class HttpWire(ABC):
    """One provider's client, requests, events and errors.

    Making one loads the certificates and the SDK's parts, some 0.1 s: do it in a thread.
    """

    default_name: ClassVar[str] = "the provider"
    end_marker: ClassVar[EndMarker] = "event"
    request_id_header: ClassVar[str] = "x-request-id"
    max_event_bytes: ClassVar[int] = MAX_EVENT_BYTES
    is_keyless: ClassVar[bool] = False
    is_official = True
    """Whether the provider itself is called, and no other server that imitates it."""
    secrets: tuple[Secret, ...] = ()
    """Beside the key, what no error may show."""
    check_addresses: AddressCheck | None = None
    retries_silence = True
    """Whether a silent server is asked again: a slow one would begin anew with each request."""

    def __init__(
        self, *, base_url: str = "", timeouts: Timeouts | None = None, name: str = ""
    ) -> None:
        self.base_url = base_url
        self.secrets = list_address_secrets(base_url)
        self.timeouts = timeouts or Timeouts()
        self.name = name or self.default_name
        load_ssl_context()

    @abstractmethod
    def create_client(self, key: Secret, http: httpx2.AsyncClient) -> Any:
        """The SDK's client for one call, over this HTTP client and without its retries. The key of
        a server that needs none is empty."""

    @abstractmethod
    async def send(self, client: Any, request: Request) -> None:
        """Put the request, and raise what the provider answers instead of a reply. The body of a
        good answer is read from the HTTP client, past the SDK."""

    def list_hints(self, request: Request) -> frozenset[str]:
        """The names of the hints in the body of this request: parts that nobody chose and that a
        server may refuse (`optional_parts`). `send` leaves out those of `request.omitted`."""
        return frozenset()

    def decode(self, body: AsyncGenerator[bytes, None]) -> AsyncGenerator[Any, None]:
        """The events of an answer's bytes, as plain objects; {} for a sign of life."""
        return sse.decode_events(body)

    @abstractmethod
    def parse_event(self, event: dict[str, Any]) -> Iterator[ParsedEvent]:
        """The meaning of one event. An event of an unknown shape may raise any exception."""

    def create_splitter(self, request: Request) -> TaggedReasoningSplitter | None:
        """For servers that may leave reasoning in the text, with tags around it: all but the
        providers themselves. A copy that the provider keeps has positions, which a splitter would
        lose."""
        if self.is_official or request.background or request.upstream:
            return None
        return TaggedReasoningSplitter((self.base_url, request.model, request.reasoning_effort))

    def get_reply_id(self, event: dict[str, Any]) -> str:
        """The provider's id of the reply, if it is in this event. Only asked for while unknown."""
        return ""

    def get_cursor(self, event: dict[str, Any]) -> str:
        """The position of an event in the provider's copy of the reply, if it keeps one."""
        return ""

    def build_call_state(self, request: Request, thoughts: list[dict[str, str]]) -> str:
        """The state (`ToolCall.state`) that this provider wants back with the calls of a reply. The
        reply has these blocks of reasoning."""
        return ""

    @abstractmethod
    def error_response(self, error: Exception) -> ErrorResponse | None:
        """The provider's own words, if this is how the client raises them."""

    @abstractmethod
    async def fetch_models(self, client: Any) -> list[ModelInfo]:
        """The provider's list of models."""

"""Collects the events of adapters."""

from __future__ import annotations

from collections.abc import Iterable

from streaming.events import Delta, DeltaKind
from streaming.providers.adapter import Adapter, ReplyEvent
from streaming.providers.errors import ProviderError
from streaming.providers.redaction import Secret
from streaming.providers.types import Request

KEY = "sk-canary-0123456789abcdefghijklmnop"


async def collect_events(adapter: Adapter, request: Request, key: str = KEY) -> list[ReplyEvent]:
    return [event async for event in adapter.stream(request, Secret(key))]


async def collect_until_error(
    adapter: Adapter, request: Request, key: str = KEY
) -> tuple[list[ReplyEvent], ProviderError | None]:
    """Return all events, and the error that ended them."""
    events: list[ReplyEvent] = []
    try:
        async for event in adapter.stream(request, Secret(key)):
            events.append(event)
    except ProviderError as error:
        return events, error
    return events, None


def join_text(events: Iterable[ReplyEvent], kind: DeltaKind = "text") -> str:
    return "".join(e.text for e in events if isinstance(e, Delta) and e.kind == kind)


def join_all_text(events: Iterable[ReplyEvent]) -> str:
    """Return the text of all deltas, of whatever kind."""
    return "".join(event.text for event in events if isinstance(event, Delta))

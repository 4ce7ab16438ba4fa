"""Collects the events of adapters."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from streaming.events import Delta, DeltaKind, SourceError, SourceEvent, StreamText
from streaming.providers.adapter import Adapter, ReplyEvent
from streaming.providers.errors import ProviderError
from streaming.providers.redaction import Secret
from streaming.providers.reply_source import ReplySource
from streaming.providers.types import CONTINUE_PROMPT, Request, Turn

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


async def collect_from_source(
    adapter: Adapter, request: Request, so_far: StreamText | None = None
) -> tuple[list[SourceEvent], SourceError | None]:
    """Return all events of the source of a reply, and the error that ended them. `so_far` is the
    text that it continues."""
    if so_far and so_far.content:
        partial = (Turn("assistant", so_far.content), Turn("user", CONTINUE_PROMPT))
        request = replace(request, turns=request.turns + partial)
    events: list[SourceEvent] = []
    try:
        async for event in ReplySource(adapter, request, Secret(KEY)).events(
            so_far or StreamText(), ""
        ):
            events.append(event)
    except SourceError as error:
        return events, error
    return events, None


def join_text(events: Iterable[ReplyEvent], kind: DeltaKind = "text") -> str:
    return "".join(e.text for e in events if isinstance(e, Delta) and e.kind == kind)


def join_all_text(events: Iterable[ReplyEvent]) -> str:
    """Return the text of all deltas, of whatever kind."""
    return "".join(event.text for event in events if isinstance(event, Delta))

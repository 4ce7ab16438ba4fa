"""The boundary to every provider: turns and a key come in, deltas and one finish come out.

A reply that ends without `Finish` was cut short, whatever else it looks like: adapters yield
`Finish` exactly once, last, and only when they saw the provider's own end marker.
"""

import re
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, replace
from typing import Literal, Protocol

Role = Literal["user", "assistant"]
Kind = Literal["text", "reasoning"]
Reason = Literal["stop", "length", "content_filter", "refusal", "tool_calls", "other"]

# The user's turn that follows a partial reply. Most current models refuse a conversation that
# ends with the assistant, so going on is asked for in words.
CARRY_ON = (
    "Your reply above was cut off by a technical fault. Continue it from exactly where it stops, "
    "beginning with the very next character: do not repeat anything, do not apologise, do not "
    "comment on the interruption. If the reply was already complete, answer with nothing at all."
)

CONNECT_TIMEOUT = 10.0
FIRST_TIMEOUT = 180.0
IDLE_TIMEOUT = 120.0


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds to wait for a connection, for the first delta, and between two signs of life."""

    connect: float = CONNECT_TIMEOUT
    first: float = FIRST_TIMEOUT
    idle: float = IDLE_TIMEOUT


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of the conversation as the model is to see it."""

    role: Role
    text: str


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where a reply stands at a provider that keeps its own copy: its id there and the cursor."""

    id: str
    cursor: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """What a reply is made from. What is None is not sent; `upstream` asks to re-attach."""

    model: str
    turns: tuple[Turn, ...]
    system: str = ""
    max_tokens: int | None = None
    temperature: float | None = None
    upstream: Upstream | None = None


@dataclass(frozen=True, slots=True)
class Delta:
    """Some more of the reply. After `clean` its text is never empty and fits any database.

    `upstream` is where to re-attach after this delta; to be committed together with it.
    """

    text: str
    kind: Kind = "text"
    upstream: Upstream | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the provider counted them; None is unknown, never zero."""

    input: int | None = None
    output: int | None = None
    reasoning: int | None = None
    cached: int | None = None


@dataclass(frozen=True, slots=True)
class Finish:
    """The provider's own end marker, in our one vocabulary."""

    reason: Reason
    usage: Usage | None = None
    request_id: str = ""


Event = Delta | Finish


class Adapter(Protocol):
    """A provider, reduced to the one thing it does."""

    def stream(self, request: Request, key: str) -> AsyncGenerator[Event, None]:
        """Stream one reply. Raises `errors.ProviderError`; cancelling closes the connection."""
        ...


def adapter(provider: str, *, base_url: str = "", timeouts: Timeouts | None = None) -> Adapter:
    """The adapter for a provider of the catalog.

    Loads the provider's SDK, which takes a second the first time: call it in a thread.
    """
    match provider:
        case "demo":
            from .demo import Demo

            return Demo()
        case "openai":
            from .openai import OpenAI

            return OpenAI(base_url=base_url, timeouts=timeouts or Timeouts())
    raise LookupError(f"No adapter for the provider {provider!r}.")


_DIRTY = re.compile("[\0\ud800-\udfff]")
_HALF_AT_END = re.compile("[\ud800-\udbff]\\Z")


async def clean(events: AsyncIterator[Event]) -> AsyncGenerator[Event, None]:
    """The same events with text that is whole: the contract of every `Delta` that leaves here.

    Providers that cut by UTF-16 units split an emoji's halves over two deltas: a delta that ends
    in a half waits for the next of its kind. A half that stays alone and NUL, which PostgreSQL
    can't store, become U+FFFD; empty deltas vanish. Closing this closes `events`.
    """
    held: dict[Kind, str] = {}
    try:
        async for event in events:
            if isinstance(event, Finish):
                for delta in _released(held):
                    yield delta
                yield event
            elif not held and event.text and not _DIRTY.search(event.text):
                yield event
            elif (text := _joined(held, event.kind, event.text)) is not None:
                # With a half still waiting, re-attaching after this delta would lose it.
                yield replace(event, text=text, upstream=None if held else event.upstream)
        for delta in _released(held):
            yield delta
    finally:
        if isinstance(events, AsyncGenerator):
            await events.aclose()


def _joined(held: dict[Kind, str], kind: Kind, text: str) -> str | None:
    """The text with what was held before it; None if there is nothing to show yet.

    The whole delta is held, so that its place at the provider is too; but never more than one.
    """
    before = held.pop(kind, "")
    text = before + text
    if _HALF_AT_END.search(text):
        held[kind] = text[-1] if before else text
        text = text[:-1] if before else ""
    return _whole(text) or None


def _released(held: dict[Kind, str]) -> list[Delta]:
    deltas = [Delta(_whole(text), kind) for kind, text in held.items()]
    held.clear()
    return deltas


def _whole(text: str) -> str:
    units = text.encode("utf-16-le", "surrogatepass")
    return units.decode("utf-16-le", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")

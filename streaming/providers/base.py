"""The boundary to every provider: turns and a key come in, deltas and one finish come out.

A reply that ends without `Finish` was cut short, whatever else it looks like: adapters yield
`Finish` exactly once, last, and only when they saw the provider's own end marker.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import asdict, dataclass
from datetime import date
from typing import Literal, Protocol, runtime_checkable

from streaming.events import Delta as Delta
from streaming.events import DeltaKind as DeltaKind
from streaming.events import Finish as Finish

Role = Literal["user", "assistant"]
FinishReason = Literal[
    "stop", "length", "content_filter", "refusal", "tool_calls", "other", "unknown"
]
"""Why a reply ended; `unknown` where the provider marked the end and gave no reason."""

# The user's turn that follows a partial reply. Most current models refuse a conversation that
# ends with the assistant, so going on is asked for in words.
CONTINUE_PROMPT = (
    "Your reply above was cut off by a technical fault. Continue it from exactly where it stops, "
    "beginning with the very next character: do not repeat anything, do not apologise, do not "
    "comment on the interruption. If the reply was already complete, answer with nothing at all."
)

CONNECT_TIMEOUT = 10.0
FIRST_DELTA_TIMEOUT = 180.0
IDLE_TIMEOUT = 120.0
REASONING_TIMEOUT = 1800.0


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds to wait for a connection, for the first delta, and between two signs of life.

    A provider that shows signs of life, be it no more than a comment, has until `reasoning` for its
    first delta and for every next one.
    """

    connect: float = CONNECT_TIMEOUT
    first_delta: float = FIRST_DELTA_TIMEOUT
    idle: float = IDLE_TIMEOUT
    reasoning: float = REASONING_TIMEOUT


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

    @classmethod
    def from_checkpoint(cls, checkpoint: str) -> "Upstream":
        upstream_id, _, cursor = checkpoint.partition(" ")
        return cls(upstream_id, cursor)

    def to_checkpoint(self) -> str:
        return f"{self.id} {self.cursor}".rstrip(" ")


@dataclass(frozen=True, slots=True)
class Request:
    """What a reply is made from. What is None is not sent.

    `reasoning_effort` is in the provider's own words (low, medium, high, …). `background` asks a
    provider that can to keep a copy of the reply, which its deltas then name in `checkpoint`; a
    request with `upstream` goes on from there instead of asking anew.
    """

    model: str
    turns: tuple[Turn, ...]
    system: str = ""
    max_tokens: int | None = None
    temperature: float | None = None
    upstream: Upstream | None = None
    reasoning_effort: str | None = None
    background: bool = False

    @property
    def is_continuation(self) -> bool:
        """Whether it asks for the rest of a reply, which may have been complete already."""
        return bool(self.turns) and self.turns[-1].text == CONTINUE_PROMPT


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the provider counted them; None is unknown, never zero.

    Counted alike for all: `input` includes what was `cached`, `output` includes `reasoning`.
    """

    input: int | None = None
    output: int | None = None
    reasoning: int | None = None
    cached: int | None = None

    def to_counts(self) -> dict[str, int]:
        """The counts that are known, by name."""
        return {name: count for name, count in asdict(self).items() if count is not None}


ReplyEvent = Delta | Finish


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A model as the provider's own list tells it; what the provider does not tell is None.

    `lifecycle` is the provider's word (active, deprecated, retired, …); windows are in tokens.
    """

    id: str
    label: str = ""
    context_window: int | None = None
    max_output: int | None = None
    lifecycle: str = ""
    shutdown: date | None = None


class Adapter(Protocol):
    """A provider, reduced to the one thing it does."""

    def stream(self, request: Request, key: str) -> AsyncGenerator[ReplyEvent, None]:
        """Stream one reply. Raises `errors.ProviderError`; cancelling closes the connection."""
        ...


class ModelLister(Adapter, Protocol):
    """A provider that can be asked for its models: every one of the catalog."""

    async def list_models(self, key: str) -> tuple[ModelInfo, ...]:
        """The models that the provider lists for this key. Raises `errors.ProviderError`."""
        ...


@runtime_checkable
class BackgroundAdapter(Protocol):
    """A provider that keeps a copy of the replies it is asked for with `background`."""

    async def cancel(self, upstream: Upstream, key: str) -> None:
        """Stop a reply at the provider. Raises `errors.ProviderError`."""
        ...


def get_adapter(
    provider: str, *, base_url: str = "", timeouts: Timeouts | None = None, name: str = ""
) -> ModelLister:
    """The adapter for a provider of the catalog; any other one that has a base URL is taken for
    a server that speaks OpenAI's Chat Completions, `name` being what people call it.

    Loads the provider's SDK, which takes a second the first time: call it in a thread.
    """
    match provider:
        case "demo":
            from .demo import DemoAdapter

            return DemoAdapter()
        case "openai":
            from .openai import OpenAIAdapter

            return OpenAIAdapter(base_url=base_url, timeouts=timeouts)
        case "anthropic":
            from .anthropic import AnthropicAdapter

            return AnthropicAdapter(base_url=base_url, timeouts=timeouts)
        case "google":
            from .google import GoogleAdapter

            return GoogleAdapter(base_url=base_url, timeouts=timeouts)
    if base_url:
        from .openai_chat import CompatibleAdapter

        return CompatibleAdapter(base_url=base_url, timeouts=timeouts, name=name)
    raise LookupError(f"No adapter for the provider {provider!r}.")


async def list_models(provider: str, key: str, *, base_url: str = "") -> tuple[ModelInfo, ...]:
    """What the provider serves to this key, in its own order. Raises `ProviderError`."""
    listing = await asyncio.to_thread(get_adapter, provider, base_url=base_url)
    return await listing.list_models(key)


_NUL_OR_SURROGATE = re.compile("[\0\ud800-\udfff]")
_HIGH_SURROGATE_AT_END = re.compile("[\ud800-\udbff]\\Z")


async def sanitize_events(events: AsyncIterator[ReplyEvent]) -> AsyncGenerator[ReplyEvent, None]:
    """The same events with text that is whole: the contract of every `Delta` that leaves here.

    Providers that cut by UTF-16 units split an emoji's halves over two deltas: a delta that ends
    in a half waits for the next of its kind. A half that stays alone and NUL, which PostgreSQL
    can't store, become U+FFFD; empty deltas vanish, unless they say where to re-attach. Closing
    this closes `events`.
    """
    held: dict[DeltaKind, str] = {}
    try:
        async for event in events:
            if isinstance(event, Finish):
                for delta in _release_held_text(held):
                    yield delta
                yield event
            elif (
                not held
                and (event.text or event.checkpoint)
                and not _NUL_OR_SURROGATE.search(event.text)
            ):
                yield event
            elif (text := _join_held_text(held, event.kind, event.text)) is not None:
                # With a half still waiting, re-attaching after this delta would lose it.
                yield event._replace(text=text, checkpoint="" if held else event.checkpoint)
        for delta in _release_held_text(held):
            yield delta
    finally:
        if isinstance(events, AsyncGenerator):
            await events.aclose()


def _join_held_text(held: dict[DeltaKind, str], kind: DeltaKind, text: str) -> str | None:
    """The text with what was held before it; None if there is nothing to show yet.

    The whole delta is held, so that its place at the provider is too; but never more than one.
    """
    before = held.pop(kind, "")
    text = before + text
    if _HIGH_SURROGATE_AT_END.search(text):
        held[kind] = text[-1] if before else text
        text = text[:-1] if before else ""
    return _replace_unstorable(text) or None


def _release_held_text(held: dict[DeltaKind, str]) -> list[Delta]:
    deltas = [Delta(_replace_unstorable(text), kind) for kind, text in held.items()]
    held.clear()
    return deltas


def _replace_unstorable(text: str) -> str:
    units = text.encode("utf-16-le", "surrogatepass")
    return units.decode("utf-16-le", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")

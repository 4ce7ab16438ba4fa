"""Plain values: requests to a provider, and facts about its models and answers."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import date
from typing import Literal

from streaming.providers.tools import ToolCall, ToolOutput, Tools

Role = Literal["user", "assistant"]
FinishReason = Literal[
    "stop", "length", "content_filter", "refusal", "tool_calls", "other", "unknown"
]
"""Why a reply ended; `unknown` where the provider marked the end and gave no reason."""

CONTINUE_PROMPT = (
    "Your reply above was cut off by a technical fault. Continue it from exactly where it stops, "
    "beginning with the very next character: do not repeat anything, do not apologise, do not "
    "comment on the interruption. If the reply was already complete, answer with nothing at all."
)
"""The user's turn that follows a partial reply. Most current models refuse a conversation that ends
with the assistant, so the continuation is asked for in words."""

CONNECT_TIMEOUT_SECONDS = 10.0
FIRST_DELTA_TIMEOUT_SECONDS = 180.0
IDLE_TIMEOUT_SECONDS = 120.0
REASONING_TIMEOUT_SECONDS = 1800.0


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds to wait for a connection, for the first delta, and between two signs of life.

    While a provider shows signs of life, even if only comments, each delta may take `reasoning`
    seconds.
    """

    connect: float = CONNECT_TIMEOUT_SECONDS
    first_delta: float = FIRST_DELTA_TIMEOUT_SECONDS
    idle: float = IDLE_TIMEOUT_SECONDS
    reasoning: float = REASONING_TIMEOUT_SECONDS


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of the conversation, as it is sent to the model.

    `hint` is an instruction for this answer alone. It follows the text, so that later requests,
    which are without it, begin with the same text. `calls` follow the text of an assistant's turn,
    `outputs` stand before that of a user's turn, which may have no text then.
    """

    role: Role
    text: str
    hint: str = ""
    calls: tuple[ToolCall, ...] = ()
    outputs: tuple[ToolOutput, ...] = ()

    @property
    def is_empty(self) -> bool:
        return not (self.text.strip() or self.calls or self.outputs)

    @property
    def length(self) -> int:
        """All characters that are stored of it."""
        parts: list[ToolCall | ToolOutput] = [*self.calls, *self.outputs]
        return len(self.text) + sum(part.length for part in parts)

    @property
    def full_text(self) -> str:
        """The text and the hint, for a provider that takes one string."""
        return f"{self.text}\n\n{self.hint}" if self.hint else self.text


@dataclass(frozen=True, slots=True)
class Upstream:
    """A position in the copy of a reply that its provider keeps: the copy's id there, and a cursor.

    As a checkpoint it is one string. Without a cursor the copy can be cancelled, but not continued.
    """

    id: str
    cursor: str = ""

    @classmethod
    def from_checkpoint(cls, checkpoint: str) -> Upstream:
        upstream_id, _, cursor = checkpoint.partition(" ")
        return cls(upstream_id, cursor)


@dataclass(frozen=True, slots=True)
class Request:
    """The request for a reply. Fields that are None are not sent.

    `reasoning_effort` is the provider's own word (low, medium, high, …), and `verbosity` is one of
    OpenAI's alone. `background` asks the
    provider to keep a copy of the reply, if it can; deltas then have a checkpoint. A request with
    `upstream` continues from there instead of asking anew. `cache_key` is the same for all requests
    that begin alike, such as those of a conversation; without one, none of the text is sent again.
    `omitted` names the hints of ours that the server refuses (`optional_parts`). Each output in the
    turns answers a call of the turn before it, and each call that is not in the last turn is
    answered.
    """

    model: str
    turns: tuple[Turn, ...]
    system: str = ""
    max_tokens: int | None = None
    temperature: float | None = None
    upstream: Upstream | None = None
    reasoning_effort: str | None = None
    verbosity: str | None = None
    background: bool = False
    cache_key: str = ""
    omitted: frozenset[str] = frozenset()
    tools: Tools | None = None

    @property
    def is_continuation(self) -> bool:
        """Whether it asks for the rest of a reply, which may have been complete already."""
        return bool(self.turns) and self.turns[-1].text == CONTINUE_PROMPT


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the provider counted them; None is unknown, never zero.

    All providers' counts mean the same: `input` includes `cached` and `cache_written`, `output`
    includes `reasoning`. `cached` tokens were read from the provider's cache of prompts,
    `cache_written` ones were added to it, which can cost more; none added is None, too.
    """

    input: int | None = None
    output: int | None = None
    reasoning: int | None = None
    cached: int | None = None
    cache_written: int | None = None

    def to_counts(self) -> dict[str, int]:
        """Unknown counts are left out."""
        counts = ((field.name, getattr(self, field.name)) for field in fields(self))
        return {name: count for name, count in counts if count is not None}

    def updated_by(self, newer: Usage) -> Usage:
        """Known counts of `newer` replace the others. Some servers send them in every event."""
        return self if newer == self else replace(self, **newer.to_counts())


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A model as the provider's own list describes it; None is unknown.

    `availability` is the provider's word (active, deprecated, retired, …); windows are in tokens.
    `writes_text` is known where the list says what its models are for.
    """

    id: str
    label: str = ""
    context_window: int | None = None
    max_output: int | None = None
    availability: str = ""
    shutdown: date | None = None
    writes_text: bool | None = None

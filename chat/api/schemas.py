"""The bodies of requests and answers of the API. Times are in UTC, ISO 8601."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from ninja import Schema
from pydantic import BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from chat.messages.forms import MAX_MESSAGE_CHARS
from chat.models import MAX_TITLE_CHARS
from chat.replies.settings import MAX_SYSTEM_PROMPT_CHARS
from streaming.doors.sse.request import parse_cursor
from streaming.follow import MAX_CURSOR, START_CURSOR
from streaming.providers.catalog.naming import MAX_FORM_VALUE_CHARS

ModelName = Annotated[str, Field(max_length=MAX_FORM_VALUE_CHARS, pattern=r"^[^\x00]*$")]
"""No URL may contain NUL."""
Text = Annotated[str, Field(max_length=MAX_MESSAGE_CHARS)]


def _check_cursor(text: object) -> object:
    """The text of an address; the same rule as at the other doors."""
    if isinstance(text, str) and parse_cursor(text) is None:
        raise ValueError("It must be a whole number from -1 on.")
    return text


def _check_true(value: object) -> object:
    """To Python, 1 is the same."""
    if value is not True:
        raise ValueError("It can only be true.")
    return value


Cursor = Annotated[int, Field(ge=START_CURSOR, le=MAX_CURSOR), BeforeValidator(_check_cursor)]
PagePosition = Annotated[
    str,
    Field(
        json_schema_extra={
            "pattern": r"^[01]_20\d\d(0[1-9]|1[0-2])(0[1-9]|1\d|2[0-8])"
            r"T([01]\d|2[0-3])[0-5]\d[0-5]\d\d{6}_[0-9a-f]{32}$"
        }
    ),
]
"""The pattern is for clients that make values up; RowPosition decides."""
Limit = Annotated[int, Field(ge=1, le=200)]
DEFAULT_LIMIT = 50
State = Literal["queued", "running", "completed", "stopped", "failed", "interrupted"]


class ApiSchema(Schema):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid")


# In


class SettingsIn(ApiSchema):
    """Settings of a reply. The chat keeps its value of a setting that is left out; a new chat
    leaves it to the model."""

    # Strict, because JSON has numbers and booleans of its own.
    max_tokens: int | None = Field(None, ge=1, le=10_000_000, strict=True)
    temperature: float | None = Field(None, ge=0, le=2, strict=True)
    reasoning_effort: str | None = Field(None, max_length=20)
    system_prompt: str | None = Field(None, max_length=MAX_SYSTEM_PROMPT_CHARS)


class ConversationIn(SettingsIn):
    text: Text
    model: ModelName
    title: str | None = Field(None, min_length=1, max_length=MAX_TITLE_CHARS)


class MessageIn(SettingsIn):
    """Without a model, the chat goes on with its last one. Without a parent, the message follows
    the newest one of the branch that is shown."""

    text: Text
    model: ModelName | None = None
    parent_id: UUID | None = None


class VersionIn(ApiSchema):
    """A new text of a question; of an answer a model, or nothing for the same one."""

    text: Text | None = None
    model: ModelName | None = None


class ConversationChange(ApiSchema):
    """Nothing marks a conversation as unread but a new reply."""

    title: str | None = Field(None, min_length=1, max_length=MAX_TITLE_CHARS)
    pinned: bool | None = Field(None, strict=True)
    read: Annotated[Literal[True], BeforeValidator(_check_true)] | None = None


class NoFields(ApiSchema):
    """The body of a request whose address says it all. It may be left out."""


# Out


class StreamOut(ApiSchema):
    """A run of a reply. `nextIndex` is the number of chunks so far; the events of the stream are
    at `/api/streams/<id>/events`."""

    id: UUID
    state: State
    next_index: int
    note: str
    finish_reason: str
    error: str


class ToolCallOut(ApiSchema):
    """A call of a function that a program has declared. `arguments` is JSON as the model wrote it,
    which may be invalid."""

    id: str
    name: str
    arguments: str


class ToolOutputOut(ApiSchema):
    call_id: str
    output: str


class MessageOut(ApiSchema):
    """`index` is that of the last chunk in the text, -1 without one. A follower continues after
    it. The tool calls of an answer come when it ends."""

    id: UUID
    conversation_id: UUID
    parent_id: UUID | None
    role: Literal["user", "assistant"]
    content: str
    reasoning: str
    seams: list[int]
    is_complete: bool
    created_at: datetime
    model: str
    provider: str
    input_tokens: int | None
    output_tokens: int | None
    cost: Decimal | None
    finish_reason: str
    index: int
    stream: StreamOut | None
    versions: list[UUID]
    tool_calls: list[ToolCallOut]
    tool_outputs: list[ToolOutputOut]


class ConversationOut(ApiSchema):
    id: UUID
    title: str
    status: Literal["idle", "streaming", "completed", "error"]
    model: str
    provider: str
    pinned: bool
    read: bool
    created_at: datetime
    updated_at: datetime
    current_leaf_id: UUID | None


class ConversationPage(ApiSchema):
    """`next` is the value of `after` for the next page; null at the end."""

    conversations: list[ConversationOut]
    next: str | None


class MessageList(ApiSchema):
    """Messages of one branch, oldest first. `earlier` is the value of `before` for those before
    them; null at the start."""

    messages: list[MessageOut]
    earlier: UUID | None


class ConversationWithMessages(ConversationOut, MessageList):
    pass


class ReplyOut(ApiSchema):
    """A question, and its answer, whose text comes from its stream."""

    conversation: ConversationOut
    question: MessageOut
    answer: MessageOut


class ChunkOut(ApiSchema):
    first: int
    index: int
    kind: str
    delta: str
    offset: int


class ChunkPage(ApiSchema):
    """Chunks after the cursor. A cursor that does not fit is answered by all of the text: then
    `isSnapshot` is true, and the client drops what it had."""

    chunks: list[ChunkOut]
    is_snapshot: bool
    stream: StreamOut


class ModelOut(ApiSchema):
    """A model that the provider has shut down is listed as not supported."""

    id: str
    provider: str
    label: str
    context_window: int | None
    max_output: int | None
    supported: bool
    has_api_key: bool
    required_provider: str


class ModelList(ApiSchema):
    models: list[ModelOut]


class ModelSupport(ApiSchema):
    """`requiredProvider` is null, and `error` says why, for a model that is not supported."""

    supported: bool
    has_api_key: bool
    required_provider: str | None
    error: str | None


class KeyOut(ApiSchema):
    """A key without the key."""

    id: int
    provider: str
    last_four: str
    created_at: datetime
    last_used_at: datetime | None
    last_checked_at: datetime | None
    check_result: str


class KeyList(ApiSchema):
    keys: list[KeyOut]

"""The frames of the socket with their fields, for the AsyncAPI document."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from chat.api.schemas import ModelName, SettingsIn, Text
from chat.models import MAX_TITLE_CHARS
from streaming.doors.commands import MAX_REQUEST_CHARS
from streaming.follow import MAX_CURSOR, START_CURSOR

Id = str
"""A UUID."""
RunningState = Literal["queued", "running"]
EndState = Literal["completed", "stopped", "failed", "interrupted"]


class Frame(BaseModel):
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


# Of the client


class HelloCommand(Frame):
    """Ask for the greeting again."""

    type: Literal["hello"]


class FollowCommand(Frame):
    """Get everything after an index, then live text until the end. Again: move the cursor."""

    type: Literal["follow"]
    stream: Id
    after: int = Field(START_CURSOR, ge=START_CURSOR, le=MAX_CURSOR)


class UnfollowCommand(Frame):
    """Get nothing more of the stream."""

    type: Literal["unfollow"]
    stream: Id


class StopCommand(Frame):
    """Stop the reply, wherever it runs. Needs the right “write”."""

    type: Literal["stop"]
    stream: Id


class PingCommand(Frame):
    """Ask for a pong."""

    type: Literal["ping"]
    n: int = Field(0, ge=0, le=MAX_CURSOR)


class PongCommand(Frame):
    """Answer the server's ping of this number."""

    type: Literal["pong"]
    n: int = Field(ge=0, le=MAX_CURSOR)


class SendCommand(SettingsIn):
    """Ask a question, in a conversation or in a new one. Needs the right “write”. The same request
    again has no second effect."""

    type: Literal["send"]
    request: str = Field(min_length=1, max_length=MAX_REQUEST_CHARS)
    text: Text
    conversation: Id | None = None
    model: ModelName | None = None
    """A new conversation needs one."""
    title: str | None = Field(None, min_length=1, max_length=MAX_TITLE_CHARS)
    parent_id: Id | None = None


class ContinueCommand(Frame):
    """Continue an answer that was stopped, interrupted or cut. Needs the right “write”."""

    type: Literal["continue"]
    request: str = Field(min_length=1, max_length=MAX_REQUEST_CHARS)
    message: Id


# Of the server


class HelloFrame(Frame):
    """The greeting. `revision` counts the changes of the person's conversations."""

    type: Literal["hello"]
    version: int
    revision: int


class ChunkFrame(Frame):
    """The chunks `first` to `index` as one piece. `offset` counts code points of the same kind."""

    type: Literal["chunk"]
    stream: Id
    first: int
    index: int
    kind: str
    """text, reasoning or seam; a later version may have others."""
    delta: str
    offset: int


class SnapshotFrame(Frame):
    """Replace everything that is held of the stream, and continue after the index."""

    type: Literal["snapshot"]
    stream: Id
    index: int
    text: str
    reasoning: str
    seams: list[int]


class StateFrame(Frame):
    type: Literal["state"]
    stream: Id
    state: RunningState
    note: str


class StreamProblem(Frame):
    code: str
    message: str


class EndFrame(Frame):
    """The stream has ended. Comes after all chunks before the index `next`."""

    type: Literal["end"]
    stream: Id
    state: EndState
    next: int
    finish_reason: str
    error: StreamProblem | None


class ReplyFrame(Frame):
    """Answers a `send` or a `continue`. Follow the stream."""

    type: Literal["reply"]
    request: str
    conversation: Id
    question: Id
    message: Id
    stream: Id


class ChangedFrame(Frame):
    """Something of the person besides streams has changed."""

    type: Literal["changed"]
    revision: int
    topic: str | None = None


class PingFrame(Frame):
    """Answer with a pong of the same number, once everything before it is read."""

    type: Literal["ping"]
    n: int
    revision: int


class PongFrame(Frame):
    type: Literal["pong"]
    n: int


class FieldError(Frame):
    field: str
    message: str


class ErrorFrame(Frame):
    """About one frame; the socket stays open."""

    type: Literal["error"]
    code: str
    message: str
    stream: Id | None = None
    request: str | None = None
    errors: list[FieldError] | None = None
    retry_after: int | None = None
    """Seconds."""


class ByeFrame(Frame):
    """The server restarts. Reconnect after this time."""

    type: Literal["bye"]
    retry_ms: int

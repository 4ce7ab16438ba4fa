"""The events of a run as AG-UI's clients read them.

A run begins with RUN_STARTED. Only RUN_FINISHED and RUN_ERROR end it, with nothing left open; a
client that gets neither comes back with the same runId, and gets the text so far as a snapshot.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from chat.api.schemas import MessageOut
from chat.doors.ag_ui.protocol import PROTOCOL_VERSION
from chat.doors.marks import has_marks, remove_marks
from chat.replies.usage import read_usage
from streaming.doors.answers import AnswerEncoder
from streaming.events import StreamText
from streaming.follow import Snapshot, StateChanged
from streaming.journal import Chunk
from streaming.models import Kind, State, Stream

CUSTOM_NAME = "holdfast"
"""The event that names the run for the JSON API."""
USAGE_NAMES = {"input": "inputTokens", "output": "outputTokens", "reasoning": "reasoningTokens"}

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class AgentRun:
    """A run for one client. `had` is the text that a snapshot tells, and all of it if `is_whole`. A
    new run has no snapshot."""

    thread_id: str
    run_id: str
    stream_id: UUID
    conversation_id: UUID
    answer_id: UUID
    model: str
    provider: str
    history: Sequence[MessageOut] | None
    had: StreamText
    is_whole: bool

    def name_run(self) -> Json:
        return {"threadId": self.thread_id, "runId": self.run_id}


def build_messages(answer_id: UUID, history: Iterable[MessageOut], text: StreamText) -> list[Json]:
    """All messages of the thread up to the answer, with this text of it."""
    messages = []
    for message in history:
        messages += _build_message(message.id, message.role, message.content, message.reasoning)
    content, reasoning = remove_marks(text.content), remove_marks(text.reasoning)
    return messages + _build_message(answer_id, "assistant", content, reasoning)


def _build_message(id: UUID, role: str, content: str, reasoning: str) -> list[Json]:
    thought = {"id": _name_reasoning(id), "role": "reasoning", "content": reasoning}
    message = {"id": str(id), "role": role, "content": content}
    return [*([thought] if reasoning else []), *([message] if content else [])]


def _name_reasoning(id: UUID) -> str:
    return f"{id}-reasoning"


class AgentRunEncoder(AnswerEncoder):
    """Opens a message when its text begins, and closes it when other text or the end comes.
    `load_messages` reads all messages of an ended run from the database."""

    def __init__(self, run: AgentRun, load_messages: Callable[[Stream], list[Json]]) -> None:
        self._run, self._load_messages = run, load_messages
        self._lengths = {Kind.TEXT: len(run.had.content), Kind.REASONING: len(run.had.reasoning)}
        self._open: Kind | None = None
        self._is_marked = has_marks(run.had.content)

    def encode_start(self) -> bytes:
        run = self._run
        start = _encode("RUN_STARTED", run.name_run() | {"protocolVersion": PROTOCOL_VERSION})
        value = {
            "streamId": str(run.stream_id),
            "conversationId": str(run.conversation_id),
            "messageId": str(run.answer_id),
        }
        start += _encode("CUSTOM", {"name": CUSTOM_NAME, "value": value})
        if run.history is not None:
            messages = build_messages(run.answer_id, run.history, run.had)
            start += _encode("MESSAGES_SNAPSHOT", {"messages": messages})
        if run.had.content and not run.is_whole:
            start += self._begin(Kind.TEXT)
        self._run = replace(run, history=None, had=StreamText())  # a client may read it for long
        return start

    def encode_event(self, event: Chunk | Snapshot | StateChanged) -> bytes:
        match event:
            case Chunk(kind=Kind.TEXT | Kind.REASONING):
                kind = Kind(event.kind)
                return self._encode_rest(kind, event.delta, event.offset)
            case Snapshot():
                reasoning = self._encode_rest(Kind.REASONING, event.reasoning, 0)
                return reasoning + self._encode_rest(Kind.TEXT, event.text, 0)
        return b""

    def _encode_rest(self, kind: Kind, text: str, offset: int) -> bytes:
        """The part of a text at an offset that the client does not have yet."""
        had = self._lengths[kind]
        rest = text[max(had - offset, 0) :]
        self._lengths[kind] = max(had, offset + len(text))
        self._is_marked = self._is_marked or has_marks(rest)
        delta = remove_marks(rest)
        return self._encode_delta(kind, delta) if delta else b""

    def _encode_delta(self, kind: Kind, delta: str) -> bytes:
        name = "TEXT_MESSAGE" if kind == Kind.TEXT else "REASONING_MESSAGE"
        id = self._get_message_id(kind)
        content = _encode(f"{name}_CONTENT", {"messageId": id, "delta": delta})
        return self._begin(kind) + content

    def _get_message_id(self, kind: Kind) -> str:
        id = self._run.answer_id
        return str(id) if kind == Kind.TEXT else _name_reasoning(id)

    def _begin(self, kind: Kind) -> bytes:
        if self._open == kind:
            return b""
        before, self._open = self._close(), kind
        id = {"messageId": self._get_message_id(kind)}
        if kind == Kind.TEXT:
            return before + _encode("TEXT_MESSAGE_START", id | {"role": "assistant"})
        start = _encode("REASONING_MESSAGE_START", id | {"role": "reasoning"})
        return before + _encode("REASONING_START", id) + start

    def _close(self) -> bytes:
        if self._open is None:
            return b""
        kind, self._open = self._open, None
        id = {"messageId": self._get_message_id(kind)}
        if kind == Kind.TEXT:
            return _encode("TEXT_MESSAGE_END", id)
        return _encode("REASONING_MESSAGE_END", id) + _encode("REASONING_END", id)

    def encode_end(self, stream: Stream) -> bytes:
        end = self._close()
        if self._is_marked:  # some of the text turned out to be reasoning
            end += _encode("MESSAGES_SNAPSHOT", {"messages": self._load_messages(stream)})
        usage = _build_usage(self._run, stream)
        if State(stream.state) in (State.FAILED, State.INTERRUPTED):
            error = {"message": stream.error, "code": stream.error_class}
            return end + _encode("RUN_ERROR", error | usage)
        outcome = "cancelled" if stream.state == State.STOPPED else "success"
        finish = self._run.name_run() | {"outcome": {"type": outcome}} | usage
        return end + _encode("RUN_FINISHED", finish)


def _build_usage(run: AgentRun, stream: Stream) -> Json:
    counted = read_usage(stream)
    counts = {
        name: count
        for field, name in USAGE_NAMES.items()
        if (count := getattr(counted, field)) is not None
    }
    model = {"provider": run.provider, "model": run.model}
    return {"usage": [model | counts]} if counts else {}


def _encode(kind: str, fields: Json) -> bytes:
    event = json.dumps({"type": kind} | fields, ensure_ascii=False)
    return f"data: {event}\n\n".encode()

"""The events of a run as LangGraph's clients read them.

The id of an event is the index in the journal up to which the client then has the text. The end of
the body means that the run is over.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from chat.api.schemas import MessageOut
from chat.doors.langgraph.protocol import STATUS_BY_STATE
from chat.doors.marks import remove_marks
from chat.replies import load_text
from chat.replies.usage import read_usage
from streaming.access import StreamNotFound
from streaming.doors.answers import AnswerEncoder
from streaming.events import StreamText
from streaming.follow import START_CURSOR, Snapshot, StateChanged
from streaming.journal import Chunk
from streaming.models import Kind, State, Stream

NODE = "model"
"""The one node of the graph that a client sees."""

Json = dict[str, Any]
LoadHistory = Callable[[], Sequence[MessageOut]]


@dataclass(frozen=True, slots=True)
class RunFacts:
    """The names that all events of a run carry."""

    thread_id: UUID
    run_id: UUID
    answer_id: UUID
    model: str
    provider: str


def build_message(message: MessageOut) -> Json:
    """A message of the thread, in LangChain's form."""
    if message.role == "user":
        return _build_base("human", message.id, message.content)
    return _build_ai_message(message.id, message.content, message.reasoning)


def build_answer(facts: RunFacts, stream: Stream, text: StreamText) -> Json:
    usage = read_usage(stream)
    message = _build_ai_message(facts.answer_id, text.content, text.reasoning)
    message["response_metadata"] = {
        "model_name": facts.model,
        "model_provider": facts.provider,
        "finish_reason": stream.finish_reason,
    }
    if usage.input is not None and usage.output is not None:
        total = usage.input + usage.output
        message["usage_metadata"] = {
            "input_tokens": usage.input,
            "output_tokens": usage.output,
            "total_tokens": total,
        }
    return message


def build_values(history: Iterable[MessageOut], *more: Json) -> Json:
    return {"messages": [*map(build_message, history), *more]}


def build_final_values(facts: RunFacts, stream: Stream, history: Iterable[MessageOut]) -> Json:
    """The state of the thread after the run. Calls the database."""
    values = build_values(history, build_answer(facts, stream, _load_text(stream)))
    if error := build_error(stream):
        values["__error__"] = error
    return values


def build_error(stream: Stream) -> Json | None:
    if STATUS_BY_STATE[State(stream.state)] != "error":
        return None
    return {"error": stream.error_class, "message": stream.error}


class ValuesEncoder(AnswerEncoder):
    """Writes the state of the thread at the end of the run. The heartbeat is white space, which
    means nothing before JSON."""

    heartbeat = b"\n"

    def __init__(self, facts: RunFacts, load_history: LoadHistory) -> None:
        self._facts, self._load_history = facts, load_history

    def encode_start(self) -> bytes:
        """The body begins at once, so that the client has the `Location` of the head if its
        connection breaks."""
        return self.heartbeat

    def encode_event(self, event: Chunk | Snapshot | StateChanged) -> bytes:
        return b""

    def encode_end(self, stream: Stream) -> bytes:
        return json.dumps(build_final_values(self._facts, stream, self._load_history())).encode()


class RunEncoder(AnswerEncoder):
    """Writes the events after an index. `load_history` reads the messages before the answer from
    the database; `history` has them at the start, and is kept no longer."""

    def __init__(
        self,
        facts: RunFacts,
        modes: Sequence[str],
        after: int,
        history: Sequence[MessageOut],
        load_history: LoadHistory,
    ) -> None:
        self._facts, self._modes, self._after = facts, modes, after
        self._history, self._load_history = history, load_history
        self._lengths: dict[str, int] = {}
        """Characters of each kind that the client has, once they are known."""
        if after == START_CURSOR:
            self._lengths = {Kind.TEXT: 0, Kind.REASONING: 0}

    def encode_start(self) -> bytes:
        if self._after > START_CURSOR:
            return self.heartbeat
        run = {"run_id": str(self._facts.run_id), "attempt": 1}
        start = encode_block("metadata", run, START_CURSOR)
        if "values" in self._modes:
            start += encode_block("values", build_values(self._history))
        self._history = ()
        return start

    def encode_event(self, event: Chunk | Snapshot | StateChanged) -> bytes:
        if not isinstance(event, StateChanged) and event.index <= self._after:
            return b""  # a snapshot of a folded run; the client has it
        match event:
            case Chunk(kind=Kind.TEXT | Kind.REASONING):
                self._lengths[event.kind] = event.offset + len(event.delta)
                is_text = event.kind == Kind.TEXT
                text, reasoning = (event.delta, "") if is_text else ("", event.delta)
                return self._encode_message(text, reasoning, event.index)
            case Snapshot():
                return self._encode_snapshot(event)
        return b""

    def _encode_snapshot(self, snapshot: Snapshot) -> bytes:
        """An older version folded the text, or it was folded while it was read."""
        if not {Kind.TEXT, Kind.REASONING} <= self._lengths.keys():
            raise StreamNotFound  # the next request of the client is answered with `folded`
        text = snapshot.text[self._lengths[Kind.TEXT] :]
        reasoning = snapshot.reasoning[self._lengths[Kind.REASONING] :]
        self._lengths[Kind.TEXT] += len(text)
        self._lengths[Kind.REASONING] += len(reasoning)
        return self._encode_message(text, reasoning, snapshot.index)

    def _encode_message(self, text: str, reasoning: str, index: int) -> bytes:
        """One event, because a client that is cut after its id has all of the text up to there."""
        text, reasoning = remove_marks(text), remove_marks(reasoning)
        if "messages-tuple" not in self._modes or not (text or reasoning):
            return b""
        chunk = _build_ai_message(self._facts.answer_id, text, reasoning)
        place = {
            "langgraph_node": NODE,
            "run_id": str(self._facts.run_id),
            "thread_id": str(self._facts.thread_id),
        }
        return encode_block("messages", [chunk | {"type": "AIMessageChunk"}, place], index)

    def encode_end(self, stream: Stream) -> bytes:
        if error := build_error(stream):
            return encode_block("error", error)
        encoded = b""
        if "updates" in self._modes or "values" in self._modes:
            answer = build_answer(self._facts, stream, _load_text(stream))
            if "updates" in self._modes:
                encoded += encode_block("updates", {NODE: {"messages": [answer]}})
            if "values" in self._modes:
                encoded += encode_block("values", build_values(self._load_history(), answer))
        status = STATUS_BY_STATE[State(stream.state)]
        return encoded + encode_block("end", {"run_id": str(self._facts.run_id), "status": status})


def _load_text(stream: Stream) -> StreamText:
    return load_text(stream) or StreamText()


def _build_ai_message(id: UUID, text: str, reasoning: str) -> Json:
    message = _build_base("ai", id, text) | {"tool_calls": [], "invalid_tool_calls": []}
    if reasoning:
        message["additional_kwargs"] = {"reasoning_content": reasoning}
    return message


def _build_base(kind: str, id: UUID, text: str) -> Json:
    return {
        "type": kind,
        "id": str(id),
        "content": text,
        "additional_kwargs": {},
        "response_metadata": {},
    }


def encode_block(
    name: str, data: Mapping[str, Any] | Sequence[Any], index: int | None = None
) -> bytes:
    """The last character of the JSON stands behind the name and the id. If a connection ends inside
    an event, LangGraph's clients read the part as an event. Without the character that is an error,
    after which they come back with the id of the event before."""
    text = json.dumps(data, ensure_ascii=False)
    id = "" if index is None else f"id: {index}\n"
    return f"data: {text[:-1]}\nevent: {name}\n{id}data: {text[-1]}\n\n".encode()

"""The requests of LangGraph's clients. docs/doors-langgraph.md has the parts that are there.

A thread has the id that the client or we gave it. A run is a stream of a reply. Fields that ask
for something else are refused, never ignored.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from chat.api.problems import Problem
from chat.doors.bodies import (
    build_invalid,
    build_unsupported,
    join_parts,
    parse_id,
    read_text,
    refuse_others,
)
from chat.doors.threads import Question, build_unknown_history
from streaming.doors.sse.request import parse_cursor
from streaming.follow import START_CURSOR
from streaming.models import State, Stream
from streaming.providers.catalog.naming import MAX_FORM_VALUE_CHARS

DOOR_NAME = "langgraph"
DEFAULT_MODE = "values"
MODES = ("values", "updates", "messages-tuple", "custom")
"""Nothing here sends `custom` events; clients list the mode nevertheless."""
DEFAULT_ASSISTANT = "default"
MAX_INPUT_MESSAGES = 2_000
"""More than the state of a thread has, which clients send again."""
HARMLESS: Mapping[str, Collection[Any]] = {
    "stream_resumable": (True,),  # every run is
    "stream_subgraphs": (True,),  # there are none
    "on_disconnect": ("continue",),  # a lost connection never stops a run
    "on_completion": ("keep",),
    "multitask_strategy": ("enqueue",),
    "if_not_exists": ("create", "reject"),
    "durability": ("sync", "async", "exit"),
    "checkpoint_during": (True,),
}
"""The values of fields of a run that change nothing, or that are read below."""
HARMLESS_CONFIG = {"recursion_limit", "tags"}
MESSAGE_FIELDS = ("type", "role", "content", "id")
ROLES = {"human": "human", "user": "human", "system": "system", "ai": "ai", "assistant": "ai"}
STATUS_BY_STATE = {
    State.QUEUED: "pending",
    State.RUNNING: "running",
    State.COMPLETED: "success",
    State.STOPPED: "interrupted",
    State.FAILED: "error",
    State.INTERRUPTED: "error",
}


@dataclass(frozen=True, slots=True)
class SentMessage:
    """`role` is “human”, “ai” or “system”. Without an `id`, it has none of ours."""

    role: str
    text: str
    id: UUID | None


@dataclass(frozen=True, slots=True)
class RunRequest:
    question: Question
    modes: tuple[str, ...]
    earlier: tuple[SentMessage, ...]
    """The messages before the new one, which must be those of the thread."""
    creates_thread: bool


def parse_run(body: Mapping[str, Any]) -> RunRequest:
    """Raises Problem."""
    known = {"assistant_id", "input", "stream_mode", "config", *HARMLESS}
    refuse_others(body, known)
    for name, values in HARMLESS.items():
        if body.get(name) not in (None, False, *values):
            raise build_unsupported(name)
    config = body.get("config") or {}
    if not isinstance(config, dict):
        raise build_invalid("config")
    refuse_others(config, HARMLESS_CONFIG, "config.")
    assistant_id = body.get("assistant_id")
    if not isinstance(assistant_id, str) or not 0 < len(assistant_id) <= MAX_FORM_VALUE_CHARS:
        raise build_invalid("assistant_id")
    model = "" if assistant_id == DEFAULT_ASSISTANT else assistant_id
    text, system_prompt, earlier = _parse_input(body.get("input"))
    return RunRequest(
        Question(text, model, system_prompt),
        parse_modes(body.get("stream_mode") or [DEFAULT_MODE]),
        earlier,
        creates_thread=body.get("if_not_exists") == "create",
    )


def parse_modes(value: object) -> tuple[str, ...]:
    """Raises Problem."""
    modes = [value] if isinstance(value, str) else value
    if not isinstance(modes, list):
        raise build_invalid("stream_mode")
    for mode in modes:
        if mode not in MODES:
            text = _("The stream modes here are %(modes)s.")
            raise Problem(400, "unsupported", text % {"modes": ", ".join(MODES)})
    return tuple(dict.fromkeys(modes))


def _parse_input(value: object) -> tuple[str, str, tuple[SentMessage, ...]]:
    """The text of the new message, which is the last one; that of system messages before it; and
    the others, which are in the thread already."""
    given = value.get("messages") if isinstance(value, dict) else None
    messages = [given] if isinstance(given, dict | str) else given
    if not isinstance(value, dict) or not isinstance(messages, list) or not messages:
        raise build_invalid("input.messages")
    refuse_others(value, {"messages"}, "input.")
    if len(messages) > MAX_INPUT_MESSAGES:
        raise build_invalid("input.messages")
    parsed = [_parse_message(message) for message in messages]
    question = parsed.pop()
    if question.role != "human":
        raise build_invalid("input.messages")
    system = [message.text for message in parsed if message.role == "system"]
    earlier = tuple(message for message in parsed if message.role != "system")
    if any(message.id is None for message in earlier):
        raise build_unknown_history()
    return question.text, read_text("\n\n".join(system), "input.messages"), earlier


def _parse_message(message: object) -> SentMessage:
    if isinstance(message, str):
        return SentMessage("human", read_text(message, "input.messages"), None)
    if not isinstance(message, dict):
        raise build_invalid("input.messages")
    role = message.get("type") or message.get("role")
    if not isinstance(role, str) or role not in ROLES:
        raise build_unsupported("input.messages")
    if ROLES[role] != "ai":  # clients send answers back with the fields that the thread has
        refuse_others(message, MESSAGE_FIELDS, "input.messages.")
    text = join_parts(message.get("content"), "input.messages")
    return SentMessage(ROLES[role], text, parse_id(message.get("id")))


def parse_thread(body: Mapping[str, Any]) -> tuple[UUID | None, bool]:
    """The id that the client wants, and whether a thread with it may be there already. Raises
    Problem."""
    refuse_others(body, {"thread_id", "if_exists", "metadata"})
    metadata = body.get("metadata") or {}
    if not isinstance(metadata, dict):
        raise build_invalid("metadata")
    refuse_others(metadata, {"graph_id"}, "metadata.")
    if body.get("if_exists") not in (None, "raise", "do_nothing"):
        raise build_invalid("if_exists")
    id = parse_id(body.get("thread_id"))
    if body.get("thread_id") and id is None:
        raise build_invalid("thread_id")
    return id, body.get("if_exists") == "do_nothing"


def parse_last_event_id(text: str, stream: Stream) -> int:
    """The cursor of a client that comes back; without one, everything is sent. Raises Problem for
    one that is not ours, because the client would have text twice."""
    cursor = parse_cursor(text) if text else START_CURSOR
    if cursor is None or cursor >= stream.next_index:
        raise Problem(422, "bad_cursor", _("“Last-Event-ID” must be an id of this run, or -1."))
    return cursor


def build_location(thread_id: UUID, run_id: UUID, modes: Sequence[str]) -> str:
    """Where a client continues. Its path is that below the client's base address: both SDKs put
    theirs in front."""
    query = "&".join(f"stream_mode={mode}" for mode in modes)
    return f"/threads/{thread_id}/runs/{run_id}/stream?{query}"

"""The one request of AG-UI: the input of a run.

The server has the messages of a thread, so only the last one counts, and system messages before
it. Fields and roles that ask for something else are refused, never ignored.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from chat.doors.bodies import (
    build_invalid,
    build_unsupported,
    join_parts,
    parse_id,
    read_name,
    read_text,
    refuse_others,
)
from chat.doors.models import MAX_CLIENT_NAME_CHARS
from chat.doors.threads import Question
from streaming.providers.catalog.naming import MAX_FORM_VALUE_CHARS

DOOR_NAME = "ag-ui"
PROTOCOL_VERSION = "1.0"
KNOWN_VERSIONS = re.compile(r"1\.\d+")
MAX_RUN_ID_CHARS = 200
KNOWN = ("threadId", "runId", "messages", "forwardedProps", "protocolVersion")
"""All others, such as `tools`, ask for nothing only if they are empty."""
FORWARDED = ("model", "stop")
INSTRUCTIONS = ("system", "developer")
TYPED = ("user", *INSTRUCTIONS)
MEANINGFUL = ("name", "encryptedValue", "subagentRunId")
"""Fields of typed messages that models or agents read. Clients keep others for themselves."""
MADE_BY_SERVER = ("reasoning", "activity")
"""Roles of messages that clients send back, and that nobody has typed."""
ROLES = ("user", "assistant", *INSTRUCTIONS, *MADE_BY_SERVER)


@dataclass(frozen=True, slots=True)
class AgentInput:
    """Without a message of a person (`has_message`) it only asks to see a run. `stops` asks to stop
    it. `answer_ids` has one for each answer that the client knows, None if it is none of ours."""

    thread_id: str
    run_id: str
    question: Question
    has_message: bool
    answer_ids: tuple[UUID | None, ...]
    stops: bool


def parse_input(body: Mapping[str, Any]) -> AgentInput:
    """Raises Problem."""
    refuse_others(body, KNOWN)
    version = body.get("protocolVersion", PROTOCOL_VERSION)
    if not isinstance(version, str) or not KNOWN_VERSIONS.fullmatch(version):
        raise build_unsupported("protocolVersion")
    forwarded = body.get("forwardedProps") or {}
    if not isinstance(forwarded, dict):
        raise build_invalid("forwardedProps")
    refuse_others(forwarded, FORWARDED, "forwardedProps.")
    messages = body.get("messages") or []
    if not isinstance(messages, list) or not all(isinstance(one, dict) for one in messages):
        raise build_invalid("messages")
    if any(message.get("role") not in ROLES for message in messages):
        raise build_unsupported("messages.role")
    for message in messages:
        if message["role"] in TYPED:
            _refuse_meaningful(message)
    return AgentInput(
        read_name(body.get("threadId"), "threadId", MAX_CLIENT_NAME_CHARS),
        read_name(body.get("runId"), "runId", MAX_RUN_ID_CHARS),
        _find_question(messages, _read_model(forwarded)),
        any(message["role"] == "user" for message in messages),
        tuple(parse_id(one.get("id")) for one in messages if one.get("role") == "assistant"),
        _read_stop(forwarded),
    )


def _refuse_meaningful(message: Mapping[str, Any]) -> None:
    for name in MEANINGFUL:
        if message.get(name):
            raise build_unsupported(f"messages.{name}")


def _find_question(messages: list[dict[str, Any]], model: str) -> Question:
    """The last message that a person has typed; without a text if there is none."""
    texts = [message for message in messages if message.get("role") == "user"]
    system = [
        join_parts(message.get("content"), "messages")
        for message in messages
        if message.get("role") in INSTRUCTIONS
    ]
    text = join_parts(texts[-1].get("content"), "messages") if texts else ""
    return Question(text, model, read_text("\n\n".join(system), "messages"))


def require_new_question(body: Mapping[str, Any], asked: AgentInput) -> Question:
    """The question of a run that is not there yet; it must be the last message. Raises Problem."""
    roles = [message.get("role") for message in body.get("messages") or []]
    roles = [role for role in roles if role not in MADE_BY_SERVER]
    if not asked.has_message or roles[-1] != "user":
        raise build_invalid("messages")
    return asked.question


def _read_model(forwarded: Mapping[str, Any]) -> str:
    model = forwarded.get("model") or ""
    return read_name(model, "forwardedProps.model", MAX_FORM_VALUE_CHARS) if model else ""


def _read_stop(forwarded: Mapping[str, Any]) -> bool:
    stops = forwarded.get("stop") or False
    if not isinstance(stops, bool):
        raise build_invalid("forwardedProps.stop")
    return stops

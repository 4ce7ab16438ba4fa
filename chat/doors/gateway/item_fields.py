"""The fields that items of a request may have: those that count, and those that clients send back
from earlier answers without an effect. A model must not miss what any other one means."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

from chat.doors.gateway.parameters import build_unsupported

_IDENTITY = frozenset({"type", "id", "status", "created_by"})
_MESSAGE = _IDENTITY | {"role", "content", "phase", "refusal"}
_REASONING = frozenset({"reasoning", "reasoning_content", "reasoning_details"})
MESSAGE_FIELDS: Mapping[str, Set[str]] = {
    "assistant": _MESSAGE | _REASONING | {"tool_calls", "annotations", "logprobs", "parsed"},
    "tool": _MESSAGE | {"tool_call_id", "name"},
}
"""By roles. The name of a tool is known from its call; of a person, it is text that models read."""
REFERENCE_FIELDS = frozenset({"type", "id"})
CALL_FIELDS = _IDENTITY | {"call_id", "name", "arguments", "parsed_arguments"}
OUTPUT_FIELDS = _IDENTITY | {"call_id", "output", "name"}
CHAT_CALL_FIELDS = frozenset({"id", "type", "function", "index"})
CHAT_FUNCTION_FIELDS = frozenset({"name", "arguments", "parsed_arguments"})
PART_FIELDS: Mapping[str, Set[str]] = {
    "input_text": frozenset({"type", "text"}),
    "text": frozenset({"type", "text"}),
    "output_text": frozenset({"type", "text", "annotations", "logprobs", "parsed"}),
    "refusal": frozenset({"type", "refusal"}),
}


def check_fields(param: str, given: Mapping[str, Any], known: Set[str]) -> None:
    """Raises Problem. An empty value means nothing."""
    for name, value in given.items():
        if name not in known and value is not None and value not in ([], {}):
            raise build_unsupported(f"{param}.{name[:100]}")


def check_message_fields(param: str, message: Mapping[str, Any]) -> None:
    """Raises Problem."""
    role = message.get("role")
    known = MESSAGE_FIELDS.get(role, _MESSAGE) if isinstance(role, str) else _MESSAGE
    check_fields(param, message, known)

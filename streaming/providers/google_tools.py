"""Tools in Google's API: in a request, in the turns, and in the parts of a reply.

The signature of the reasoning before a call has to come back with the call
(https://ai.google.dev/gemini-api/docs/thought-signatures). It is the state of the call: “google ”
and the signature.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from streaming.providers.http.call_arguments import format_arguments, read_arguments
from streaming.providers.http.parse import to_dict, to_id, to_str
from streaming.providers.http.parsed import CallPart
from streaming.providers.tools import ToolCall, Tools
from streaming.providers.types import Turn

STATE_PREFIX = "google "
ROLES = {"user": "user", "assistant": "model"}
MODES = {"auto": "AUTO", "none": "NONE"}
UNSIGNED_MODELS = re.compile(r"(models/)?(gemini-(1|2)\b|gemma|learnlm)")
"""The others refuse a call without a signature."""
NO_SIGNATURE = "skip_thought_signature_validator"
"""The documented value for a call that another model has made."""

Parts = list[dict[str, Any]]


# The request


def build_tool_fields(tools: Tools | None) -> dict[str, Any]:
    """The fields of a request about tools."""
    if tools is None or not tools.functions:
        return {}
    declared = []
    for function in tools.functions:
        tool: dict[str, Any] = {"name": function.name, "description": function.description}
        if function.parameters:
            tool["parametersJsonSchema"] = dict(function.parameters)
        declared.append(tool)
    fields: dict[str, Any] = {"tools": [{"functionDeclarations": declared}]}
    config: dict[str, Any] = {"mode": MODES.get(tools.choice, "ANY")}
    if tools.forced_name:
        config["allowedFunctionNames"] = [tools.forced_name]
    if tools.choice != "auto":
        fields["toolConfig"] = {"functionCallingConfig": config}
    return fields


def build_contents(turns: tuple[Turn, ...], model: str) -> list[dict[str, Any]]:
    names: dict[str, str] = {}
    contents = []
    for turn in turns:
        names |= {call.id: call.name for call in turn.calls}
        contents.append({"role": ROLES[turn.role], "parts": _build_parts(turn, names, model)})
    return contents


def _build_parts(turn: Turn, names: Mapping[str, str], model: str) -> Parts:
    """`names` has the names of the functions that were called before, by the id of the call."""
    parts: Parts = [
        {
            "functionResponse": {
                "id": output.call_id,
                "name": names.get(output.call_id, output.call_id),
                "response": {"output": output.text},
            }
        }
        for output in turn.outputs
    ]
    if turn.full_text.strip() or not (turn.calls or turn.outputs):
        parts.append({"text": turn.full_text})
    return parts + _build_calls(turn.calls, model)


def _build_calls(calls: tuple[ToolCall, ...], model: str) -> Parts:
    """Of parallel calls only the first one is signed."""
    parts: Parts = []
    is_signed = any(call.state.startswith(STATE_PREFIX) for call in calls)
    for at, call in enumerate(calls):
        called = {"id": call.id, "name": call.name, "args": read_arguments(call.arguments)}
        part: dict[str, Any] = {"functionCall": called}
        if call.state.startswith(STATE_PREFIX):
            part["thoughtSignature"] = call.state.removeprefix(STATE_PREFIX)
        elif at == 0 and not is_signed and not UNSIGNED_MODELS.match(model):
            part["thoughtSignature"] = NO_SIGNATURE
        parts.append(part)
    return parts


# The reply


def parse_call(part: Mapping[str, Any]) -> CallPart | None:
    """The call in a part of a reply, also as a proxy spells it that prints the SDK's objects."""
    call = to_dict(part.get("functionCall") or part.get("function_call"))
    name = to_str(call.get("name"))
    if not name:
        return None
    signature = to_str(part.get("thoughtSignature") or part.get("thought_signature"))
    arguments = format_arguments(call.get("args"))
    return CallPart(
        id=to_id(call.get("id")),
        name=name,
        arguments=arguments,
        state=STATE_PREFIX + signature if signature else "",
        is_whole=True,
        is_closed=True,
    )

"""Tools in OpenAI's two APIs: in a request, in the turns, and in the events of a reply."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from streaming.providers.http.call_arguments import format_arguments, parse_object
from streaming.providers.http.parse import to_count, to_dict, to_dicts, to_id, to_str
from streaming.providers.http.parsed import CallPart
from streaming.providers.tools import FunctionTool, ToolCall, Tools
from streaming.providers.types import Turn

CHAT_STATE_PREFIX = "chat "
"""Of a state that is an object in JSON with the fields that a server wants back: the
`extra_content` of a call, in which Google's signature is, or the `reasoning_content` of a message
of this `model`."""
UNFINISHED = {"incomplete", "in_progress"}

Item = dict[str, Any]


def _declare(function: FunctionTool) -> Item:
    declared: Item = {"name": function.name}
    if function.description:
        declared["description"] = function.description
    declared["parameters"] = dict(function.parameters or {"type": "object", "properties": {}})
    if function.strict is not None:
        declared["strict"] = function.strict
    return declared


def _build_fields(tools: Tools, declared: list[Item], forced: Item) -> Item:
    fields: Item = {"tools": declared}
    if tools.choice != "auto":
        fields["tool_choice"] = forced if tools.forced_name else tools.choice
    if tools.parallel is not None:
        fields["parallel_tool_calls"] = tools.parallel
    return fields


# Chat Completions


def build_chat_fields(tools: Tools | None) -> Item:
    """The fields of a request about tools."""
    if tools is None or not tools.functions:
        return {}
    declared = [{"type": "function", "function": _declare(each)} for each in tools.functions]
    forced = {"type": "function", "function": {"name": tools.forced_name}}
    return _build_fields(tools, declared, forced)


def build_chat_messages(turn: Turn, echoes_to: str) -> list[Item]:
    """The messages of a turn. `echoes_to` is the model that gets back what its server sent beside
    the calls; OpenAI itself refuses other fields than its own, so it is empty then."""
    messages: list[Item] = [
        {"role": "tool", "tool_call_id": output.call_id, "content": output.text}
        for output in turn.outputs
    ]
    if turn.calls:
        content = turn.full_text if turn.full_text.strip() else None
        message: Item = {"role": turn.role, "content": content}
        state = _read_state(turn.calls[0]) if echoes_to else {}
        if state.get("model") == echoes_to and "reasoning_content" in state:
            message["reasoning_content"] = state["reasoning_content"]
        calls = [_build_chat_call(call, has_extra=bool(echoes_to)) for call in turn.calls]
        messages.append(message | {"tool_calls": calls})
    elif turn.full_text.strip() or not turn.outputs:
        messages.append({"role": turn.role, "content": turn.full_text})
    return messages


def _build_chat_call(call: ToolCall, *, has_extra: bool) -> Item:
    function = {"name": call.name, "arguments": call.arguments}
    built: Item = {"id": call.id, "type": "function", "function": function}
    if has_extra and (extra := _read_state(call).get("extra_content")):
        built["extra_content"] = extra
    return built


def _read_state(call: ToolCall) -> Item:
    if not call.state.startswith(CHAT_STATE_PREFIX):
        return {}
    return parse_object(call.state.removeprefix(CHAT_STATE_PREFIX)) or {}


def format_chat_state(fields: Mapping[str, Any]) -> str:
    return CHAT_STATE_PREFIX + json.dumps(fields, ensure_ascii=False)


def parse_chat_calls(event: Item, choice: Item, delta: Item) -> Iterator[CallPart]:
    """The calls in a delta or a message. In the messages of Ollama's own API each call comes once,
    and without an id."""
    is_message = "delta" not in choice and "done" not in event
    calls = delta.get("tool_calls")
    if not calls and "message" in choice and "delta" in choice:
        calls, is_message = to_dict(choice.get("message")).get("tool_calls"), True
    for at, call in enumerate(to_dicts(calls)):
        yield _parse_chat_call(call, str(at) if is_message else "", is_message=is_message)
    if function := to_dict(delta.get("function_call")):  # of the API before tools
        yield _parse_chat_call({"function": function}, "function_call", is_message=is_message)


def _parse_chat_call(call: Item, place: str, *, is_message: bool) -> CallPart:
    function = to_dict(call.get("function")) or call
    index = to_count(call.get("index"))
    if index is None:
        index = to_count(function.get("index"))
    key = place if index is None else str(index)
    arguments = function.get("arguments")
    extra = call.get("extra_content")
    return CallPart(
        keys=(key,) if key else (),
        id=to_id(call.get("id")),
        name=to_str(function.get("name")),
        arguments=format_arguments(arguments),
        state=format_chat_state({"extra_content": extra}) if extra else "",
        is_whole=is_message or isinstance(arguments, dict),
        is_closed=is_message or isinstance(arguments, dict),
    )


# Responses


def build_response_fields(tools: Tools | None) -> Item:
    """The fields of a request about tools."""
    if tools is None or not tools.functions:
        return {}
    declared = [{"type": "function"} | _declare(each) for each in tools.functions]
    return _build_fields(tools, declared, {"type": "function", "name": tools.forced_name})


def build_response_items(turn: Turn) -> list[Item]:
    items: list[Item] = [
        {"type": "function_call_output", "call_id": output.call_id, "output": output.text}
        for output in turn.outputs
    ]
    if turn.full_text.strip() or not (turn.calls or turn.outputs):
        items.append({"role": turn.role, "content": turn.full_text})
    return items + [
        {
            "type": "function_call",
            "call_id": call.id,
            "name": call.name,
            "arguments": call.arguments,
        }
        for call in turn.calls
    ]


def parse_response_part(kind: str, event: Item) -> Iterator[CallPart]:
    """The parts of calls in an event before the end. Its `kind` is without “response.”."""
    item = to_dict(event.get("item"))
    place = to_count(event.get("output_index"))
    keys = _list_keys(event.get("item_id") or item.get("id"), place)
    match kind:
        case "function_call_arguments.delta":
            yield CallPart(keys, arguments=to_str(event.get("delta")))
        case "function_call_arguments.done":
            arguments, name = format_arguments(event.get("arguments")), to_str(event.get("name"))
            yield CallPart(keys, name=name, arguments=arguments, is_whole=True, is_closed=True)
        case "output_item.added":
            yield from _parse_item(item, keys, place, is_closed=False)
        case "output_item.done":
            yield from _parse_item(item, keys, place, is_closed=True)


def parse_response_calls(response: Item) -> Iterator[CallPart]:
    """The calls in the whole of a response."""
    for at, item in enumerate(to_dicts(response.get("output"))):
        yield from _parse_item(item, _list_keys(item.get("id"), at), at, is_closed=True)


def _parse_item(
    item: Item, keys: tuple[str, ...], place: int | None, *, is_closed: bool
) -> Iterator[CallPart]:
    if item.get("type") == "function_call":
        yield CallPart(
            keys,
            id=to_id(item.get("call_id")) or to_id(item.get("id")),
            name=to_str(item.get("name")),
            arguments=format_arguments(item.get("arguments")),
            is_whole=True,
            is_closed=is_closed and to_str(item.get("status")) not in UNFINISHED,
            place=place,
        )


def _list_keys(item_id: object, index: int | None) -> tuple[str, ...]:
    """Some servers give the item another id in each event, some all items the same index."""
    keys = (f"item {to_id(item_id)}", f"index {index}")
    return tuple(key for key in keys if key not in {"item ", "index None"})

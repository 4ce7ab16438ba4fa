"""Tools in Anthropic's Messages API: in a request, in the turns, and in the events of a reply.

The reasoning before a call has to come back with the call, unchanged and signed
(https://platform.claude.com/docs/en/build-with-claude/thinking-tool-workflows). So its blocks are
the state of the reply's first call: “anthropic ” and a list in JSON.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from typing import Any

from streaming.providers.http.call_arguments import format_arguments, read_arguments
from streaming.providers.http.parse import to_count, to_dict, to_dicts, to_id, to_str
from streaming.providers.http.parsed import CallPart, ThoughtPart
from streaming.providers.tools import ToolCall, Tools
from streaming.providers.types import Turn

STATE_PREFIX = "anthropic "
CHOICES = {"auto": "auto", "required": "any", "none": "none"}
THOUGHT_TYPES = {"thinking", "redacted_thinking"}
THOUGHT_FIELDS = ("thinking", "signature", "data")
_VALID_ID = re.compile(r"[a-zA-Z0-9_-]{1,128}")

Blocks = list[dict[str, Any]]


# The request


def build_tool_fields(tools: Tools | None) -> dict[str, Any]:
    """The fields of a request about tools."""
    if tools is None or not tools.functions:
        return {}
    declared = []
    for function in tools.functions:
        tool: dict[str, Any] = {"name": function.name}
        if function.description:
            tool["description"] = function.description
        tool["input_schema"] = dict(function.parameters or {"type": "object", "properties": {}})
        if function.strict:
            tool["strict"] = True
        declared.append(tool)
    choice = {"type": CHOICES.get(tools.choice, "tool")}
    if tools.forced_name:
        choice["name"] = tools.forced_name
    is_serial = tools.parallel is False and tools.choice != "none"
    limit = {"disable_parallel_tool_use": True} if is_serial else {}
    is_default = tools.choice == "auto" and not limit
    return {"tools": declared} | ({} if is_default else {"tool_choice": choice | limit})


def is_call_forced(tools: Tools | None) -> bool:
    """Whether the reply must begin with a call, so that there can be no reasoning."""
    return tools is not None and tools.choice not in {"auto", "none"}


def find_open_exchange(turns: tuple[Turn, ...]) -> int:
    """The position of the first turn after the last question. The calls from there on belong to the
    answer that is being written."""
    questions = (at for at, turn in enumerate(turns) if turn.role == "user" and not turn.outputs)
    return max(questions, default=-1) + 1


def has_all_thoughts(turns: tuple[Turn, ...]) -> bool:
    """Whether the reasoning before each call of the open exchange is known. The API refuses to go
    on reasoning without it."""
    open_turns = turns[find_open_exchange(turns) :]
    return all(turn.calls[0].state.startswith(STATE_PREFIX) for turn in open_turns if turn.calls)


def build_blocks(turn: Turn, *, has_thoughts: bool) -> Blocks:
    """The content of a turn, without its hint."""
    blocks: Blocks = read_thoughts(turn.calls[0]) if has_thoughts and turn.calls else []
    blocks += [
        {
            "type": "tool_result",
            "tool_use_id": convert_id(output.call_id),
            "content": output.text,
        }
        for output in turn.outputs
    ]
    if turn.text.strip():  # the API refuses a blank block
        blocks.append({"type": "text", "text": turn.text})
    return blocks + [
        {
            "type": "tool_use",
            "id": convert_id(call.id),
            "name": call.name,
            "input": read_arguments(call.arguments),
        }
        for call in turn.calls
    ]


def convert_id(call_id: str) -> str:
    """The API takes only some characters in an id. The id of a call and that of its output, which
    may be another provider's, are changed alike."""
    if _VALID_ID.fullmatch(call_id):
        return call_id
    return f"call_{hashlib.sha256(call_id.encode(errors='replace')).hexdigest()[:24]}"


def format_state(thoughts: list[dict[str, str]]) -> str:
    empty = {"type": "thinking", "thinking": ""}  # a block may have a signature alone
    blocks = [each if each.get("data") else empty | each for each in thoughts]
    return STATE_PREFIX + json.dumps(blocks, ensure_ascii=False)


def read_thoughts(call: ToolCall) -> Blocks:
    """The blocks of reasoning before the call; none if another provider wrote its state."""
    if not call.state.startswith(STATE_PREFIX):
        return []
    try:
        return to_dicts(json.loads(call.state.removeprefix(STATE_PREFIX)))
    except (ValueError, RecursionError):
        return []


# The reply


def parse_block(event: dict[str, Any]) -> Iterator[CallPart | ThoughtPart]:
    """The parts of calls in the beginning of a block, in a delta or in the end of a block."""
    match event.get("type"):
        case "content_block_delta":
            delta = to_dict(event.get("delta"))
            kind = to_str(delta.get("type"))
            if kind == "input_json_delta":
                yield CallPart(_find_keys(event), arguments=to_str(delta.get("partial_json")))
            elif kind in {"thinking_delta", "signature_delta"}:
                yield ThoughtPart(_find_key(event), _pick_thoughts(delta))
        case "content_block_start":
            yield from _parse_whole(to_dict(event.get("content_block")), event, is_closed=False)
        case "content_block_stop":
            yield CallPart(_find_keys(event), is_closed=True)


def parse_whole_blocks(content: object) -> Iterator[CallPart | ThoughtPart]:
    """The calls of a reply in one piece."""
    for at, block in enumerate(to_dicts(content)):
        yield from _parse_whole(block, {"index": at}, is_closed=True)


def _parse_whole(
    block: dict[str, Any], event: dict[str, Any], *, is_closed: bool
) -> Iterator[CallPart | ThoughtPart]:
    kind = to_str(block.get("type"))
    if kind == "tool_use":
        given = block.get("input")
        arguments = format_arguments(given) if given else ""  # mostly {}, and deltas follow
        yield CallPart(
            _find_keys(event),
            id=to_id(block.get("id")),
            name=to_str(block.get("name")),
            arguments=arguments,
            is_whole=bool(arguments),
            is_closed=is_closed,
        )
    elif kind in THOUGHT_TYPES:
        fields = {"type": kind} | _pick_thoughts(block)
        yield ThoughtPart(_find_key(event), fields, is_new=True)


def _pick_thoughts(fields: dict[str, Any]) -> dict[str, str]:
    return {name: to_str(fields[name]) for name in THOUGHT_FIELDS if fields.get(name)}


def _find_key(event: dict[str, Any]) -> str:
    index = to_count(event.get("index"))
    return "" if index is None else str(index)


def _find_keys(event: dict[str, Any]) -> tuple[str, ...]:
    key = _find_key(event)
    return (key,) if key else ()

"""Replies with calls of tools, as the bytes of each wire."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from streaming.events import Delta, Finish
from streaming.providers.adapter import ReplyEvent
from streaming.providers.tools import FunctionTool, ToolCall, Tools, parse_calls
from streaming.providers.types import Request, Turn
from tests.providers.wires import WIRES
from tools.fake_provider import Behaviour

WIRES_BY_NAME = {wire.name: wire for wire in WIRES}
COMPATIBLE = WIRES_BY_NAME["compatible"]
SCHEMA = {"type": "object", "properties": {"at": {"type": "string"}}, "required": ["at"]}
TIDE = FunctionTool("find_tide", "When the tide comes in.", SCHEMA)
WIND = FunctionTool("find_wind")
TOOLS = Tools((TIDE, WIND))
QUESTION = Turn("user", "When does the tide come in?")
TIDE_CALL = ToolCall("call_1", "find_tide", '{"at": "Brèst"}')
WIND_CALL = ToolCall("call_2", "find_wind", '{"at": "Oban", "hours": [1, 2]}')


@dataclass(frozen=True)
class ToolReply:
    """A reply: text, then calls whose arguments come in pieces of `piece` characters. `thought`
    comes before both, with a signature where the wire has one."""

    calls: tuple[ToolCall, ...] = (TIDE_CALL,)
    text: str = ""
    thought: str = ""
    finish: str = ""
    piece: int = 3
    signature: str = field(default="c2lnbmVk")


def build_request(model: str, *turns: Turn, tools: Tools | None = TOOLS, **more: Any) -> Request:
    return Request(model, turns or (QUESTION,), tools=tools, **more)


def script_body(body: bytes, **fields: Any) -> Behaviour:
    """A behaviour whose body is these bytes alone."""
    return Behaviour(extra=body, **({"end_after": 0} | fields))


def encode_events(events: Iterable[dict[str, Any]], *, is_done: bool = False) -> bytes:
    lines = [json.dumps(event) for event in events] + (["[DONE]"] if is_done else [])
    return "".join(f"data: {line}\n\n" for line in lines).encode()


def encode_reply(wire: str, reply: ToolReply) -> bytes:
    build = {
        "openai": build_response,
        "compatible": build_chat,
        "anthropic": build_message,
        "google": build_candidates,
    }[wire]
    return encode_events(build(reply), is_done=wire == "compatible")


def split_arguments(call: ToolCall, piece: int) -> list[str]:
    return [call.arguments[at : at + piece] for at in range(0, len(call.arguments), piece)]


def build_chat(reply: ToolReply) -> list[dict[str, Any]]:
    """The pieces of parallel calls alternate."""
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": None}]
    deltas += [{"reasoning_content": reply.thought}] if reply.thought else []
    deltas += [{"content": reply.text}] if reply.text else []
    deltas += [
        {
            "tool_calls": [
                {
                    "index": at,
                    "id": call.id,
                    "type": "function",
                    "function": {"name": call.name, "arguments": ""},
                }
            ]
        }
        for at, call in enumerate(reply.calls)
    ]
    rows = [split_arguments(call, reply.piece) for call in reply.calls]
    for number in range(max(map(len, rows), default=0)):
        deltas += [
            {"tool_calls": [{"index": at, "function": {"arguments": row[number]}}]}
            for at, row in enumerate(rows)
            if number < len(row)
        ]
    chunks: list[dict[str, Any]] = [{"choices": [{"index": 0, "delta": d}]} for d in deltas]
    last = {"index": 0, "delta": {}, "finish_reason": reply.finish or "tool_calls"}
    return [*chunks, {"choices": [last]}]


def build_response(reply: ToolReply) -> list[dict[str, Any]]:
    items = [build_item(call, at) for at, call in enumerate(reply.calls)]
    events: list[dict[str, Any]] = [{"type": "response.created", "response": {"id": "resp_1"}}]
    if reply.thought:
        events += [{"type": "response.reasoning_summary_text.delta", "delta": reply.thought}]
    if reply.text:
        events += [{"type": "response.output_text.delta", "delta": reply.text}]
    for at, (call, item) in enumerate(zip(reply.calls, items, strict=True)):
        place = {"output_index": at, "item_id": item["id"]}
        added = item | {"arguments": "", "status": "in_progress"}
        events += [{"type": "response.output_item.added", "output_index": at, "item": added}]
        events += [
            {"type": "response.function_call_arguments.delta", "delta": piece, **place}
            for piece in split_arguments(call, reply.piece)
        ]
        done = {"type": "response.function_call_arguments.done", "arguments": call.arguments}
        events += [done | place]
        events += [{"type": "response.output_item.done", "output_index": at, "item": item}]
    response: dict[str, Any] = {
        "id": "resp_1",
        "object": "response",
        "status": "completed",
        "output": items,
    }
    kind = "response.completed"
    if reply.finish:
        response |= {"status": "incomplete", "incomplete_details": {"reason": reply.finish}}
        kind = "response.incomplete"
    events += [{"type": kind, "response": response}]
    return [event | {"sequence_number": at} for at, event in enumerate(events)]


def build_item(call: ToolCall, at: int) -> dict[str, Any]:
    return {
        "type": "function_call",
        "id": f"fc_{at}",
        "call_id": call.id,
        "name": call.name,
        "arguments": call.arguments,
        "status": "completed",
    }


def build_message(reply: ToolReply) -> list[dict[str, Any]]:
    blocks: list[tuple[dict[str, Any], list[dict[str, Any]]]] = []
    if reply.thought:
        deltas = [{"type": "thinking_delta", "thinking": char} for char in reply.thought]
        signed = {"type": "signature_delta", "signature": reply.signature}
        blocks += [({"type": "thinking", "thinking": "", "signature": ""}, [*deltas, signed])]
    if reply.text:
        blocks += [({"type": "text", "text": ""}, [{"type": "text_delta", "text": reply.text}])]
    for call in reply.calls:
        start = {"type": "tool_use", "id": call.id, "name": call.name, "input": {}}
        pieces = split_arguments(call, reply.piece)
        blocks += [(start, [{"type": "input_json_delta", "partial_json": p} for p in pieces])]
    events: list[dict[str, Any]] = [{"type": "message_start", "message": {"id": "msg_1"}}]
    for at, (start, deltas) in enumerate(blocks):
        events += [{"type": "content_block_start", "index": at, "content_block": start}]
        events += [{"type": "content_block_delta", "index": at, "delta": delta} for delta in deltas]
        events += [{"type": "content_block_stop", "index": at}]
    end = {"type": "message_delta", "delta": {"stop_reason": reply.finish or "tool_use"}}
    return [*events, end, {"type": "message_stop"}]


def build_candidates(reply: ToolReply) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = []
    parts += [{"text": reply.thought, "thought": True}] if reply.thought else []
    parts += [{"text": reply.text}] if reply.text else []
    for at, call in enumerate(reply.calls):
        called = {"name": call.name, "args": json.loads(call.arguments)}
        signed = {"thoughtSignature": reply.signature} if reply.thought and not at else {}
        named = {"id": call.id} if call.id else {}
        parts += [{"functionCall": called | named, **signed}]
    chunks = [{"content": {"role": "model", "parts": [part]}, "index": 0} for part in parts]
    ended = {"content": {"role": "model"}, "index": 0, "finishReason": reply.finish or "STOP"}
    return [{"candidates": [candidate]} for candidate in [*chunks, ended]]


def read_calls(events: Iterable[object]) -> list[ToolCall]:
    """The calls in the events of a reply."""
    lines = "".join(e.text for e in events if isinstance(e, Delta) and e.kind == "tool_call")
    return list(parse_calls(lines))


def read_shapes(calls: Iterable[ToolCall]) -> list[tuple[str, str, Any]]:
    """The ids, names and values of calls, without their spelling."""
    return [(call.id, call.name, json.loads(call.arguments)) for call in calls]


def find_reason(events: list[ReplyEvent]) -> str:
    """The reason of the reply's end, which is its last event."""
    assert isinstance(events[-1], Finish)
    return events[-1].reason

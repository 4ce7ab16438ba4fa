"""Tools, calls and outputs as objects of both APIs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from streaming.providers.tools import FunctionTool, ToolCall, ToolOutput, Tools


def describe_tools(tools: Tools) -> dict[str, Any]:
    """The fields of a response that repeat its tools."""
    forced = {"type": "function", "name": tools.forced_name}
    parallel = True if tools.parallel is None else tools.parallel
    return {
        "tools": [_describe_function(function) for function in tools.functions],
        "tool_choice": forced if tools.forced_name else tools.choice,
        "parallel_tool_calls": parallel,
    }


def _describe_function(function: FunctionTool) -> dict[str, Any]:
    return {
        "type": "function",
        "name": function.name,
        "description": function.description or None,
        "parameters": function.parameters,
        "strict": function.strict,
    }


def build_call_item(id: str, call: ToolCall, status: str = "completed") -> dict[str, Any]:
    return {
        "id": id,
        "type": "function_call",
        "status": status,
        "call_id": call.id,
        "name": call.name,
        "arguments": call.arguments,
    }


def build_call_events(id: str, output_index: int, call: ToolCall) -> list[dict[str, Any]]:
    """The four events of a call, without their numbers."""
    opened = build_call_item(id, replace(call, arguments=""), "in_progress")
    place = {"item_id": id, "output_index": output_index}
    name = "response.function_call_arguments"
    return [
        {"type": "response.output_item.added", "output_index": output_index, "item": opened},
        {"type": f"{name}.delta", **place, "delta": call.arguments},
        {"type": f"{name}.done", **place, "name": call.name, "arguments": call.arguments},
        {
            "type": "response.output_item.done",
            "output_index": output_index,
            "item": build_call_item(id, call),
        },
    ]


def build_output_item(id: str, output: ToolOutput) -> dict[str, Any]:
    return {
        "id": id,
        "type": "function_call_output",
        "status": "completed",
        "call_id": output.call_id,
        "output": output.text,
    }


def build_chat_call(call: ToolCall) -> dict[str, Any]:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": call.id, "type": "function", "function": function}

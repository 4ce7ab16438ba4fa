"""The object of a response, as it is now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chat.doors.gateway import ids
from chat.doors.gateway.models import GatewayResponse
from chat.doors.gateway.output import Output, build_items
from chat.doors.gateway.tool_objects import describe_tools
from chat.replies.handler import VERBOSITY, read_tools
from chat.replies.usage import read_usage
from streaming.models import State, Stream

DEFAULTS: Mapping[str, Any] = {
    "instructions": None,
    "previous_response_id": None,
    "conversation": None,
    "metadata": {},
    "temperature": 1.0,
    "top_p": 1.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    "top_logprobs": 0,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "tools": [],
    "tool_choice": "auto",
    "parallel_tool_calls": True,
    "truncation": "disabled",
    "text": {"format": {"type": "text"}, "verbosity": "medium"},
    "reasoning": {"effort": None, "summary": None},
    "service_tier": "default",
    "safety_identifier": None,
    "prompt_cache_key": None,
    "store": True,
    "background": False,
}
REASONS = {"length": "max_output_tokens", "content_filter": "content_filter"}
"""Finish reasons after which a reply is not complete, in OpenAI's words."""
RATE_LIMIT_ERRORS = frozenset({"rate_limited", "exceeds_rate_limit", "no_credit", "limit_reached"})
PROMPT_ERRORS = frozenset({"context_too_long", "bad_request", "refused"})


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a response stands: its status, that of its last item, and the type of the event with
    which it ends, if it has ended."""

    status: str
    item_status: str
    event_type: str = ""


def find_outcome(stream: Stream) -> Outcome:
    match State(stream.state):
        case State.QUEUED:
            return Outcome("queued", "in_progress")
        case State.RUNNING:
            return Outcome("in_progress", "in_progress")
        case State.STOPPED:
            return Outcome("cancelled", "incomplete", "response.incomplete")
        case State.COMPLETED if stream.finish_reason in REASONS:
            return Outcome("incomplete", "incomplete", "response.incomplete")
        case State.COMPLETED:
            return Outcome("completed", "completed", "response.completed")
        case _:
            return Outcome("failed", "incomplete", "response.failed")


def build_response(row: GatewayResponse, stream: Stream, output: Output) -> dict[str, Any]:
    outcome = find_outcome(stream)
    return build_beginning(row, stream) | {
        "status": outcome.status,
        "completed_at": _to_timestamp(stream.ended_at) if outcome.status == "completed" else None,
        "output": build_items(output.runs, outcome.item_status),
        "usage": build_usage(stream),
        "error": build_error(stream) if outcome.status == "failed" else None,
        "incomplete_details": build_incomplete_details(stream),
    }


def build_beginning(row: GatewayResponse, stream: Stream) -> dict[str, Any]:
    """The object before anything has happened. Nothing in it depends on the time."""
    parameters = dict(row.parameters)
    if tools := read_tools(stream):
        parameters |= describe_tools(tools)
    if named := parameters.get("conversation"):
        parameters["conversation"] = {"id": named}
    verbosity = {"verbosity": stream.arguments[VERBOSITY]} if VERBOSITY in stream.arguments else {}
    reasoning = dict.fromkeys(("effort", "summary")) | parameters.pop("reasoning", {})
    temperature = stream.arguments.get("temperature")
    return {
        **DEFAULTS,
        "id": ids.build_id(ids.RESPONSE, stream.uuid),
        "object": "response",
        "created_at": _to_timestamp(stream.created_at),
        "completed_at": None,
        **parameters,
        "reasoning": reasoning,
        "text": DEFAULTS["text"] | verbosity,
        "temperature": 1.0 if temperature is None else temperature,
        "max_output_tokens": stream.arguments.get("max_tokens"),
        "status": "queued" if parameters.get("background") else "in_progress",
        "output": [],
        "usage": None,
        "error": None,
        "incomplete_details": None,
    }


def build_usage(stream: Stream) -> dict[str, Any] | None:
    """Null if the provider did not count."""
    counted = read_usage(stream)
    if counted.input is None or counted.output is None:
        return None
    return {
        "input_tokens": counted.input,
        "input_tokens_details": {
            "cached_tokens": counted.cached or 0,
            "cache_write_tokens": counted.cache_written or 0,
        },
        "output_tokens": counted.output,
        "output_tokens_details": {"reasoning_tokens": counted.reasoning or 0},
        "total_tokens": counted.input + counted.output,
    }


def build_error(stream: Stream) -> dict[str, str]:
    code = "server_error"
    if stream.error_class in RATE_LIMIT_ERRORS:
        code = "rate_limit_exceeded"
    elif stream.error_class in PROMPT_ERRORS:
        code = "invalid_prompt"
    return {"code": code, "message": stream.error}


def build_incomplete_details(stream: Stream) -> dict[str, str] | None:
    if stream.state != State.COMPLETED or stream.finish_reason not in REASONS:
        return None
    return {"reason": REASONS[stream.finish_reason]}


def _to_timestamp(at: datetime | None) -> int | None:
    return int(at.timestamp()) if at else None

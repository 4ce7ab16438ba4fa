"""Chat completions: the object, and the chunks of a streamed one."""

from __future__ import annotations

import json
from typing import Any

from django.utils.translation import gettext as _

from chat.doors.gateway import ids
from chat.doors.gateway.models import GatewayResponse
from chat.doors.gateway.objects import build_error, build_usage, find_outcome
from chat.doors.gateway.output import Output, ends_call
from chat.doors.gateway.reading import mark_read
from chat.doors.gateway.tool_objects import build_chat_call
from chat.doors.marks import has_marks, remove_marks
from streaming.access import StreamNotFound
from streaming.doors.answers import AnswerEncoder
from streaming.follow import Snapshot, StateChanged
from streaming.journal import Chunk
from streaming.models import Kind, Stream
from streaming.providers.tools import parse_calls

FINISH_REASONS = {"length": "length", "content_filter": "content_filter"}
FIELDS = {Kind.TEXT: "content", Kind.REASONING: "reasoning_content"}
CANCELLED = "cancelled"
STATUS_BY_CODE = {"rate_limit_exceeded": 429, "invalid_prompt": 400, CANCELLED: 409}
ERROR_TYPES = {
    400: "invalid_request_error",
    409: "invalid_request_error",
    429: "rate_limit_error",
}


def build_completion(row: GatewayResponse, stream: Stream, output: Output) -> dict[str, Any]:
    message: dict[str, Any] = {
        "role": "assistant",
        "content": output.text if output.text or not output.calls else None,
        "refusal": None,
        "annotations": [],
    }
    if output.calls:
        message["tool_calls"] = [build_chat_call(call) for call in output.calls]
    if output.reasoning:
        message["reasoning_content"] = output.reasoning
    choice = {
        "index": 0,
        "message": message,
        "logprobs": None,
        "finish_reason": find_finish_reason(stream, has_calls=bool(output.calls)),
    }
    usage = build_chat_usage(stream)
    counted = {} if usage is None else {"usage": usage}  # the schema knows no null here
    return _build_frame(row, stream, "chat.completion") | {"choices": [choice]} | counted


def find_finish_reason(stream: Stream, *, has_calls: bool) -> str:
    """The calls of a reply that may have none are left out, whatever its provider says."""
    return FINISH_REASONS.get(stream.finish_reason, "tool_calls" if has_calls else "stop")


def build_chat_usage(stream: Stream) -> dict[str, Any] | None:
    counted = build_usage(stream)
    if counted is None:
        return None
    return {
        "prompt_tokens": counted["input_tokens"],
        "completion_tokens": counted["output_tokens"],
        "total_tokens": counted["total_tokens"],
        "prompt_tokens_details": counted["input_tokens_details"],
        "completion_tokens_details": counted["output_tokens_details"],
    }


def find_failure(stream: Stream) -> tuple[dict[str, Any], int] | None:
    """The error of a reply that failed or was stopped, and its status: no finish reason would say
    that half of the text is missing. None for any other reply."""
    match find_outcome(stream).status:
        case "failed":
            error = build_error(stream)
        case "cancelled":
            sentence = _("The reply was stopped. Read its text as a response, if it was stored.")
            error = {"code": CANCELLED, "message": str(sentence)}
        case _:
            return None
    status = STATUS_BY_CODE.get(error["code"], 500)
    kind = ERROR_TYPES.get(status, "server_error")
    return {"error": {**error, "type": kind, "param": None}}, status


def _build_frame(row: GatewayResponse, stream: Stream, kind: str) -> dict[str, Any]:
    return {
        "id": ids.build_id(ids.CHAT_COMPLETION, stream.uuid),
        "object": kind,
        "created": int(stream.created_at.timestamp()),
        "model": row.parameters["model"],
        "service_tier": "default",
    }


class ChatEncoder(AnswerEncoder):
    """Encodes a stream as the chunks of a chat completion."""

    def __init__(self, row: GatewayResponse, stream: Stream, *, includes_usage: bool) -> None:
        self._conversation_id, self._includes_usage = row.conversation_id, includes_usage
        self._frame = _build_frame(row, stream, "chat.completion.chunk")
        if includes_usage:
            self._frame["usage"] = None
        self._call_line, self._call_count = "", 0
        self._has_text = False

    def encode_start(self) -> bytes:
        return self._encode_delta({"role": "assistant", "content": ""})

    def encode_event(self, event: Chunk | Snapshot | StateChanged) -> bytes:
        if isinstance(event, StateChanged):
            return b""
        if isinstance(event, Snapshot) and self._has_text:
            raise StreamNotFound  # the client has a part of it, and its rows were lost meanwhile
        self._has_text = True
        match event:
            case Snapshot(text=text, reasoning=reasoning):
                fields = {"reasoning_content": reasoning, "content": text}
                return self._encode_delta({name: remove_marks(fields[name]) for name in fields})
            case Chunk(kind=Kind.TOOL_CALL, delta=delta):
                return self._encode_call(delta)
            case Chunk(kind=kind, delta=delta) if kind in FIELDS:
                return self._encode_text(FIELDS[Kind(kind)], delta)
        return b""

    def encode_end(self, stream: Stream) -> bytes:
        mark_read(self._conversation_id)
        if failure := find_failure(stream):
            return _encode(failure[0])
        end = self._encode_delta({}, find_finish_reason(stream, has_calls=self._call_count > 0))
        if self._includes_usage:
            end += _encode(self._frame | {"choices": [], "usage": build_chat_usage(stream)})
        return end + b"data: [DONE]\n\n"

    def _encode_text(self, field: str, delta: str) -> bytes:
        if has_marks(delta) and not remove_marks(delta):
            return b""
        return self._encode_delta({field: remove_marks(delta)})

    def _encode_call(self, delta: str) -> bytes:
        """A tool call of several rows is sent with the last of them."""
        self._call_line += delta
        if not ends_call(Kind.TOOL_CALL, delta):
            return b""
        call = build_chat_call(parse_calls(self._call_line)[0])
        number, self._call_line = self._call_count, ""
        self._call_count += 1
        return self._encode_delta({"tool_calls": [{"index": number, **call}]})

    def _encode_delta(self, delta: dict[str, Any], finish_reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return _encode(self._frame | {"choices": [choice]})


def _encode(data: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(data)}\n\n".encode()

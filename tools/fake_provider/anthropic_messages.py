"""Anthropic's Messages."""

import json
import re
from typing import Any

from tools.fake_provider.behaviour import ErrorAnswer, Piece, Usage
from tools.fake_provider.prompt_cache import MAX_MARKS, Block, PromptCache
from tools.fake_provider.wire import HttpRequest, Reply, error_message, format_event

ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}
FINISH_REASONS = {"stop": "end_turn", "length": "max_tokens"}
FIRST_VERSION_WITHOUT_SAMPLING = "2026-10-21"  # From this version of the API on.
MODELS_WITHOUT_THINKING = re.compile(r"claude-(\d|(haiku|opus|sonnet)-4-[0-5]\b)")
TOOL_ID = re.compile("[a-zA-Z0-9_-]+")


class AnthropicMessages:
    """The wire. Every block of text or thinking is opened and closed."""

    name = "anthropic.messages"

    def is_reply_request(self, request: HttpRequest) -> bool:
        """Return whether a request is for a reply over this wire."""
        return request.method == "POST" and request.path.endswith("/messages")

    def is_model_list_request(self, request: HttpRequest) -> bool:
        """Return whether it is Anthropic's: OpenAI has the same path, but no version header."""
        is_list = request.method == "GET" and request.path.endswith("/models")
        return is_list and "anthropic-version" in request.headers

    def build_model_list(self) -> Any:
        """Return the list of models, with windows and lifecycles."""
        entries = [
            _build_model("claude-opus-5-5", "Claude Opus 5.5", "active", None),
            _build_model("claude-sonnet-5-5", "Claude Sonnet 5.5", "active", None),
            _build_model("claude-sonnet-4-5", "Claude Sonnet 4.5", "deprecated", "2026-11-30"),
        ]
        ends = {"first_id": entries[0]["id"], "last_id": entries[-1]["id"], "has_more": False}
        return {"data": entries, **ends}

    def get_key(self, headers: dict[str, str]) -> str:
        """Return the key of a request, from the newer header or the older one."""
        return headers.get("x-api-key") or headers.get("authorization", "").removeprefix("Bearer ")

    def get_model(self, request: HttpRequest) -> str:
        """Return the requested model."""
        return str(request.json().get("model", ""))

    def get_prompt(self, body: dict[str, Any]) -> str:
        """Return the last message of the person, with the outputs of tools in it."""
        prompts = [_join_text(turn) for turn in body["messages"] if turn["role"] == "user"]
        return prompts[-1] if prompts else ""

    def find_error(self, request: HttpRequest) -> ErrorAnswer | None:
        """Return an error for parameters that today's API, or single models, refuse."""
        body, turns = request.json(), request.json().get("messages") or [{}]
        version = request.headers.get("anthropic-version", "")
        for word in ("temperature", "top_p", "top_k"):
            if word in body and version >= FIRST_VERSION_WITHOUT_SAMPLING:
                return self._build_bad_request(f"{word}: Extra inputs are not permitted")
        if "max_tokens" not in body:
            return self._build_bad_request("max_tokens: Field required")
        if turns[0].get("role") != "user":
            return self._build_bad_request("messages: first message must use the user role")
        if turns[-1].get("role") == "assistant":
            return self._build_bad_request(
                "This model does not support assistant message prefill. The conversation must"
                " end with a user message."
            )
        if fault := _find_tool_fault(body):
            return self._build_bad_request(fault)
        blocks = _list_blocks(body)
        if not all(block.text.strip() for block in blocks):
            return self._build_bad_request("messages: text content blocks must be non-empty")
        if (marks := sum(block.is_marked for block in blocks)) > MAX_MARKS:
            return self._build_bad_request(
                f"A maximum of {MAX_MARKS} blocks with cache_control may be provided."
                f" Found {marks}."
            )
        if body.get("thinking") and MODELS_WITHOUT_THINKING.match(body.get("model", "")):
            return self._build_bad_request(
                "thinking.type: adaptive thinking is not supported on this model"
            )
        return None

    def _build_bad_request(self, message: str) -> ErrorAnswer:
        error = {"type": "invalid_request_error", "message": message}
        return ErrorAnswer(400, {"type": "error", "error": error})

    def count_prompt(self, request: HttpRequest, cache: PromptCache) -> Usage:
        """Return the tokens of a request, after the cache has read it."""
        body, key = request.json(), self.get_key(request.headers)
        scope = f"{key} {body['model']} {body.get('thinking')}"
        return cache.read_marked(scope, _list_blocks(body), body["model"])

    def format_start(self, reply: Reply) -> bytes:
        """Return the events before the first delta."""
        message: dict[str, Any] = {
            "id": "msg_fake",
            "type": "message",
            "role": "assistant",
            "content": [],
            "model": reply.model,
            "stop_reason": None,
            "stop_sequence": None,
        }
        if reply.behaviour.usage:
            message["usage"] = _format_first_usage(reply.behaviour.usage)
        return self._format_event("message_start", message=message) + self._format_event("ping")

    def format_delta(self, reply: Reply, piece: Piece) -> bytes:
        """Return one delta, in a block of its kind."""
        kind = "thinking" if piece.kind == "reasoning" else "text"
        events = b""
        if reply.block != kind:
            events = self._close_block(reply)
            reply.block = kind
            block = {"type": kind, kind: "", **({"signature": ""} if kind == "thinking" else {})}
            events += self._format_event(
                "content_block_start", index=reply.events, content_block=block
            )
        delta = {"type": f"{kind}_delta", kind: piece.text}
        events += self._format_event("content_block_delta", index=reply.events, delta=delta)
        if reply.behaviour.stamp:
            reason = FINISH_REASONS.get(reply.behaviour.finish, reply.behaviour.finish)
            events += self._format_event("message_delta", delta={"stop_reason": reason})
        return events

    def _close_block(self, reply: Reply) -> bytes:
        if not reply.block:
            return b""
        events = b""
        if reply.block == "thinking":
            signature = {"type": "signature_delta", "signature": "c2lnbmVk"}
            events = self._format_event("content_block_delta", index=reply.events, delta=signature)
        events += self._format_event("content_block_stop", index=reply.events)
        reply.events += 1
        return events

    def format_end(self, reply: Reply, finish: str, usage: Usage | None) -> bytes:
        """Return the stop reason with the usage, and the end marker."""
        refused = any(piece.kind == "refusal" for piece in reply.behaviour.pieces)
        reason = "refusal" if refused and finish == "stop" else FINISH_REASONS.get(finish, finish)
        delta = {"stop_reason": reason, "stop_sequence": None}
        usage_fields = {"usage": _format_final_usage(usage)} if usage else {}
        return (
            self._close_block(reply)
            + self._format_event("message_delta", delta=delta, **usage_fields)
            + self._format_event("message_stop")
        )

    def build_error(self, status: int) -> dict[str, Any]:
        """Return the usual error body for a status."""
        error = {
            "type": ERROR_TYPES.get(status, "overloaded_error"),
            "message": error_message(status),
        }
        return {"type": "error", "error": error, "request_id": "req_fake"}

    def format_error(self, reply: Reply, error: Any) -> bytes:
        """Return an error as an event of the stream."""
        return format_event(error or self.build_error(0), "error")

    def get_id_header(self) -> str:
        """Return the name of the header that carries the request's id."""
        return "request-id"

    def _format_event(self, kind: str, **more: Any) -> bytes:
        return format_event({"type": kind, **more}, kind)


def _build_model(id: str, name: str, lifecycle: str, ends: str | None) -> dict[str, Any]:
    return {
        "id": id,
        "type": "model",
        "display_name": name,
        "created_at": "2026-02-04T00:00:00Z",
        "lifecycle": lifecycle,
        "retires_at": ends and f"{ends}T00:00:00Z",
        "max_input_tokens": 1_000_000,
        "max_tokens": 128_000,
    }


def _join_text(turn: dict[str, Any]) -> str:
    content = turn["content"]
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") or part.get("content", "") for part in content)


def _list_blocks(body: dict[str, Any]) -> list[Block]:
    """The blocks of the system prompt and of the messages, in the order of the cache."""
    contents = [body.get("system") or [], *(turn["content"] for turn in body["messages"])]
    return [block for content in contents for block in _list_content(content)]


def _list_content(content: Any) -> list[Block]:
    """A string is one block."""
    if isinstance(content, str):
        return [Block(content)]
    return [Block(_format_part(part), "cache_control" in part) for part in content]


def _format_part(part: dict[str, Any]) -> str:
    """Blocks about tools count as the JSON that they are."""
    if part.get("type") == "text":
        return str(part["text"])
    return json.dumps({name: part[name] for name in part if name != "cache_control"})


def _find_tool_fault(body: dict[str, Any]) -> str:
    """The fault for which the API refuses tools; empty for none."""
    if body.get("thinking") and body.get("tool_choice", {}).get("type") in {"any", "tool"}:
        return "Thinking may not be enabled when tool_choice forces tool use."
    called: set[str] = set()
    for at, turn in enumerate(body["messages"]):
        parts = turn["content"] if isinstance(turn["content"], list) else []
        answered = {part["tool_use_id"] for part in parts if part["type"] == "tool_result"}
        if answered != called:
            return f"messages.{at}: `tool_use` ids were found without `tool_result` blocks"
        called = {part["id"] for part in parts if part["type"] == "tool_use"}
        if not all(TOOL_ID.fullmatch(call_id) for call_id in called):
            return f"messages.{at}.tool_use.id: String should match pattern '{TOOL_ID.pattern}'"
    return ""


def _format_first_usage(usage: Usage) -> dict[str, Any]:
    written = usage.cache_written
    return {
        "input_tokens": usage.input - usage.cached - written,
        "cache_read_input_tokens": usage.cached,
        "cache_creation_input_tokens": written,
        "cache_creation": {"ephemeral_5m_input_tokens": written, "ephemeral_1h_input_tokens": 0},
        "output_tokens": 1,
    }


def _format_final_usage(usage: Usage) -> dict[str, Any]:
    details = {"thinking_tokens": usage.reasoning}
    return {"output_tokens": usage.output, "output_tokens_details": details}

"""Anthropic's Messages."""

import re
from typing import Any

from tools.fake_provider.behaviour import ErrorAnswer, Piece, Usage
from tools.fake_provider.wire import Call, Reply, asked, event

TYPES = {
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
FINISHES = {"stop": "end_turn", "length": "max_tokens"}
WITHOUT_SAMPLING = "2026-10-21"  # From this version of the API on.
UNTHINKING = re.compile(r"claude-(\d|(haiku|opus|sonnet)-4-[0-5]\b)")


class AnthropicMessages:
    """The wire. Every block of text or thinking is opened and closed."""

    name = "anthropic.messages"

    def serves(self, call: Call) -> bool:
        """Return whether a request is for a reply over this wire."""
        return call.method == "POST" and call.path.endswith("/messages")

    def lists(self, call: Call) -> bool:
        """The path is OpenAI's as well; the version header is not."""
        listed = call.method == "GET" and call.path.endswith("/models")
        return listed and "anthropic-version" in call.headers

    def models(self) -> Any:
        """The list of models, with windows and lifecycles."""
        entries = [
            _model("claude-opus-5-5", "Claude Opus 5.5", "active", None),
            _model("claude-sonnet-5-5", "Claude Sonnet 5.5", "active", None),
            _model("claude-sonnet-4-5", "Claude Sonnet 4.5", "deprecated", "2026-11-30"),
        ]
        ends = {"first_id": entries[0]["id"], "last_id": entries[-1]["id"], "has_more": False}
        return {"data": entries, **ends}

    def key(self, headers: dict[str, str]) -> str:
        """Return the key of a request, from the newer header or the older one."""
        return headers.get("x-api-key") or headers.get("authorization", "").removeprefix("Bearer ")

    def model(self, call: Call) -> str:
        """Return the requested model."""
        return str(call.json().get("model", ""))

    def prompt(self, body: dict[str, Any]) -> str:
        """Return the last message of the person."""
        said = [turn["content"] for turn in body["messages"] if turn["role"] == "user"]
        return said[-1] if said else ""

    def forbids(self, call: Call) -> ErrorAnswer | None:
        """Return an error for parameters that today's API, or single models, refuse."""
        body, turns = call.json(), call.json().get("messages") or [{}]
        version = call.headers.get("anthropic-version", "")
        for word in ("temperature", "top_p", "top_k"):
            if word in body and version >= WITHOUT_SAMPLING:
                return self._bad(f"{word}: Extra inputs are not permitted")
        if "max_tokens" not in body:
            return self._bad("max_tokens: Field required")
        if turns[0].get("role") != "user":
            return self._bad("messages: first message must use the user role")
        if turns[-1].get("role") == "assistant":
            return self._bad(
                "This model does not support assistant message prefill. The conversation must"
                " end with a user message."
            )
        if not all(turn["content"].strip() for turn in turns):
            return self._bad("messages: text content blocks must be non-empty")
        if body.get("thinking") and UNTHINKING.match(body.get("model", "")):
            return self._bad("thinking.type: adaptive thinking is not supported on this model")
        return None

    def _bad(self, message: str) -> ErrorAnswer:
        told = {"type": "invalid_request_error", "message": message}
        return ErrorAnswer(400, {"type": "error", "error": told})

    def start(self, reply: Reply) -> bytes:
        """The events before the first delta."""
        message: dict[str, Any] = {
            "id": "msg_fake",
            "type": "message",
            "role": "assistant",
            "content": [],
            "model": reply.model,
            "stop_reason": None,
            "stop_sequence": None,
        }
        if reply.how.usage:
            message["usage"] = _asked(reply.how.usage)
        return self._event("message_start", message=message) + self._event("ping")

    def delta(self, reply: Reply, piece: Piece) -> bytes:
        """One delta, in a block of its kind."""
        kind = "thinking" if piece.kind == "reasoning" else "text"
        opened = b""
        if reply.block != kind:
            opened = self._closed(reply)
            reply.block = kind
            block = {"type": kind, kind: "", **({"signature": ""} if kind == "thinking" else {})}
            opened += self._event("content_block_start", index=reply.events, content_block=block)
        added = {"type": f"{kind}_delta", kind: piece.text}
        said = opened + self._event("content_block_delta", index=reply.events, delta=added)
        if reply.how.stamp:
            why = FINISHES.get(reply.how.finish, reply.how.finish)
            said += self._event("message_delta", delta={"stop_reason": why})
        return said

    def _closed(self, reply: Reply) -> bytes:
        if not reply.block:
            return b""
        signed = b""
        if reply.block == "thinking":
            signature = {"type": "signature_delta", "signature": "c2lnbmVk"}
            signed = self._event("content_block_delta", index=reply.events, delta=signature)
        closed = self._event("content_block_stop", index=reply.events)
        reply.events += 1
        return signed + closed

    def end(self, reply: Reply, finish: str, usage: Usage | None) -> bytes:
        """The stop reason with the usage, and the end marker."""
        refused = any(piece.kind == "refusal" for piece in reply.how.pieces)
        why = "refusal" if refused and finish == "stop" else FINISHES.get(finish, finish)
        delta = {"stop_reason": why, "stop_sequence": None}
        counted = {"usage": _said(usage)} if usage else {}
        return (
            self._closed(reply)
            + self._event("message_delta", delta=delta, **counted)
            + self._event("message_stop")
        )

    def error(self, status: int) -> dict[str, Any]:
        """The usual error body for a status."""
        told = {"type": TYPES.get(status, "overloaded_error"), "message": asked(status)}
        return {"type": "error", "error": told, "request_id": "req_fake"}

    def broken(self, reply: Reply, error: Any) -> bytes:
        """An error as an event of the stream."""
        return event(error or self.error(0), "error")

    def id_header(self) -> str:
        """The name of the header that carries the request's id."""
        return "request-id"

    def _event(self, kind: str, **more: Any) -> bytes:
        return event({"type": kind, **more}, kind)


def _model(id: str, name: str, lifecycle: str, ends: str | None) -> dict[str, Any]:
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


def _asked(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.input - usage.cached,
        "cache_read_input_tokens": usage.cached,
        "cache_creation_input_tokens": 0,
        "output_tokens": 1,
    }


def _said(usage: Usage) -> dict[str, Any]:
    details = {"thinking_tokens": usage.reasoning}
    return {"output_tokens": usage.output, "output_tokens_details": details}

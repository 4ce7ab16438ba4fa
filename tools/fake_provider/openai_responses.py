"""OpenAI's Responses; the server stores the replies that were requested in the background."""

from typing import Any

from tools.fake_provider.behaviour import ErrorAnswer, Piece, Usage
from tools.fake_provider.openai_chat import REASONING_MODELS, OpenAIWire, build_unsupported
from tools.fake_provider.wire import HttpRequest, Reply, error_message, format_event

EVENTS = {
    "text": "response.output_text.delta",
    "reasoning": "response.reasoning_summary_text.delta",
    "refusal": "response.refusal.delta",
}
FINISH_REASONS = {"length": "max_output_tokens"}


class OpenAIResponses(OpenAIWire):
    """The wire. Every event has a number, counted from 0."""

    name = "openai.responses"
    path = "/responses"
    turns_field = "input"

    def find_error(self, request: HttpRequest) -> ErrorAnswer | None:
        """Return an error for parameters that some models refuse, or that exclude each other."""
        body = request.json()
        for word in ("messages", "max_tokens", "max_completion_tokens"):
            if word in body:
                return build_unsupported(word)
        reasons = REASONING_MODELS.match(body.get("model", ""))
        if reasons and body.get("temperature", 1) != 1:
            return build_unsupported("temperature")
        if body.get("reasoning") and body.get("model", "").startswith("gpt-4"):
            return build_unsupported(f"reasoning.{next(iter(body['reasoning']))}")
        if body.get("max_output_tokens", 16) < 16:
            return build_unsupported("max_output_tokens", "Expected a value >= 16.")
        if body.get("background") and not body.get("store", True):
            return build_unsupported("background", "It requires 'store'.")
        return None

    def format_start(self, reply: Reply) -> bytes:
        """Return the events before the first delta."""
        queued = [("queued", "queued")] if reply.body.get("background") else []
        states = [("created", "in_progress"), *queued, ("in_progress", "in_progress")]
        return b"".join(self._format_state(reply, name, status) for name, status in states)

    def format_delta(self, reply: Reply, piece: Piece) -> bytes:
        """Return one delta, with the events for items and parts around it."""
        item_events = self._open_item(reply, piece.kind)
        if piece.kind == "reasoning":
            reply.reasoning += piece.text
        else:
            reply.text += piece.text
        return item_events + self._format_event(
            reply, EVENTS[piece.kind], delta=piece.text, **_locate_item(piece)
        )

    def _open_item(self, reply: Reply, kind: str) -> bytes:
        if reply.block == kind:
            return b""
        reply.block = kind
        item = {"id": f"item_{kind}", "type": "reasoning" if kind == "reasoning" else "message"}
        item_event = self._format_event(
            reply, "response.output_item.added", item=item, output_index=0
        )
        if kind == "reasoning":
            part = {"type": "summary_text", "text": ""}
            part_event = self._format_event(
                reply,
                "response.reasoning_summary_part.added",
                item_id="item_reasoning",
                output_index=0,
                summary_index=0,
                part=part,
            )
            return item_event + part_event
        part = {"type": "output_text", "text": ""}
        return item_event + self._format_event(
            reply,
            "response.content_part.added",
            item_id=item["id"],
            output_index=0,
            content_index=0,
            part=part,
        )

    def format_end(self, reply: Reply, finish: str, usage: Usage | None) -> bytes:
        """Return the complete text again, and the end marker with the usage."""
        done = self._format_event(
            reply,
            "response.output_text.done",
            text=reply.text,
            item_id="item_text",
            output_index=0,
            content_index=0,
            logprobs=[],
        )
        usage_fields = {"usage": _format_usage(usage)} if usage else {}
        if finish == "stop":
            return done + self._format_state(reply, "completed", "completed", **usage_fields)
        details = {"incomplete_details": {"reason": FINISH_REASONS.get(finish, finish)}}
        return done + self._format_state(
            reply, "incomplete", "incomplete", **usage_fields, **details
        )

    def format_error(self, reply: Reply, error: Any) -> bytes:
        """Return an error as an event of the stream; the usual one fails the response."""
        if error:
            return format_event(error)
        error = {"code": "server_error", "message": error_message(0)}
        return self._format_state(reply, "failed", "failed", error=error)

    def build_cancelled_response(self, reply: Reply) -> dict[str, Any]:
        """Return the response to a cancellation."""
        return self._build_response(reply, "cancelled")

    def _format_state(self, reply: Reply, name: str, status: str, **more: Any) -> bytes:
        return self._format_event(
            reply, f"response.{name}", response=self._build_response(reply, status) | more
        )

    def _build_response(self, reply: Reply, status: str) -> dict[str, Any]:
        part = {"type": "output_text", "text": reply.text, "annotations": []}
        message = {
            "id": "item_text",
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [part],
        }
        return {
            "id": reply.id,
            "object": "response",
            "created_at": 1_790_000_000,
            "status": status,
            "background": bool(reply.body.get("background")),
            "error": None,
            "incomplete_details": None,
            "model": reply.model,
            "output": [message] if status in {"completed", "incomplete"} else [],
            "usage": None,
        }

    def _format_event(self, reply: Reply, kind: str, **more: Any) -> bytes:
        encoded = format_event({"type": kind, "sequence_number": reply.events} | more, kind)
        reply.events += 1
        return encoded


def _locate_item(piece: Piece) -> dict[str, Any]:
    index_name = "summary_index" if piece.kind == "reasoning" else "content_index"
    return {"item_id": f"item_{piece.kind}", "output_index": 0, index_name: 0}


def _format_usage(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.input,
        "input_tokens_details": {
            "cached_tokens": usage.cached,
            "cache_write_tokens": usage.cache_written,
        },
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.input + usage.output,
    }

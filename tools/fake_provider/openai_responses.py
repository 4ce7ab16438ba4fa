"""OpenAI's Responses; the server stores the replies that were requested in the background."""

from typing import Any

from tools.fake_provider.behaviour import ErrorAnswer, Piece, Usage
from tools.fake_provider.openai_chat import REASONING_MODELS, OpenAIWire, unsupported
from tools.fake_provider.wire import Call, Reply, asked, event

EVENTS = {
    "text": "response.output_text.delta",
    "reasoning": "response.reasoning_summary_text.delta",
    "refusal": "response.refusal.delta",
}
FINISHES = {"length": "max_output_tokens"}


class OpenAIResponses(OpenAIWire):
    """The wire. Every event has a number, counted from 0."""

    name = "openai.responses"

    def serves(self, call: Call) -> bool:
        """Return whether a request is for a reply over this wire."""
        return call.method == "POST" and call.path.endswith("/responses")

    def prompt(self, body: dict[str, Any]) -> str:
        """Return the last message of the person."""
        said = [turn["content"] for turn in body["input"] if turn["role"] == "user"]
        return said[-1] if said else ""

    def forbids(self, call: Call) -> ErrorAnswer | None:
        """Return an error for parameters that some models refuse, or that exclude each other."""
        body = call.json()
        for word in ("messages", "max_tokens", "max_completion_tokens"):
            if word in body:
                return unsupported(word)
        reasons = REASONING_MODELS.match(body.get("model", ""))
        if reasons and body.get("temperature", 1) != 1:
            return unsupported("temperature")
        if body.get("reasoning") and body.get("model", "").startswith("gpt-4"):
            return unsupported(f"reasoning.{next(iter(body['reasoning']))}")
        if body.get("max_output_tokens", 16) < 16:
            return unsupported("max_output_tokens", "Expected a value >= 16.")
        if body.get("background") and not body.get("store", True):
            return unsupported("background", "It requires 'store'.")
        return None

    def start(self, reply: Reply) -> bytes:
        """The events before the first delta."""
        queued = [("queued", "queued")] if reply.body.get("background") else []
        said = [("created", "in_progress"), *queued, ("in_progress", "in_progress")]
        return b"".join(self._about(reply, name, status) for name, status in said)

    def delta(self, reply: Reply, piece: Piece) -> bytes:
        """One delta, with the events for items and parts that the real provider sends around it."""
        opened = self._opened(reply, piece.kind)
        if piece.kind == "reasoning":
            reply.reasoning += piece.text
        else:
            reply.text += piece.text
        return opened + self._event(reply, EVENTS[piece.kind], delta=piece.text, **_place(piece))

    def _opened(self, reply: Reply, kind: str) -> bytes:
        if reply.block == kind:
            return b""
        reply.block = kind
        item = {"id": f"item_{kind}", "type": "reasoning" if kind == "reasoning" else "message"}
        said = self._event(reply, "response.output_item.added", item=item, output_index=0)
        if kind == "reasoning":
            part = {"type": "summary_text", "text": ""}
            more = self._event(
                reply,
                "response.reasoning_summary_part.added",
                item_id="item_reasoning",
                output_index=0,
                summary_index=0,
                part=part,
            )
            return said + more
        part = {"type": "output_text", "text": ""}
        return said + self._event(
            reply,
            "response.content_part.added",
            item_id=item["id"],
            output_index=0,
            content_index=0,
            part=part,
        )

    def end(self, reply: Reply, finish: str, usage: Usage | None) -> bytes:
        """The complete text again, and the end marker with the usage."""
        done = self._event(
            reply,
            "response.output_text.done",
            text=reply.text,
            item_id="item_text",
            output_index=0,
            content_index=0,
            logprobs=[],
        )
        counted = {"usage": _usage(usage)} if usage else {}
        if finish == "stop":
            return done + self._about(reply, "completed", "completed", **counted)
        why = {"incomplete_details": {"reason": FINISHES.get(finish, finish)}}
        return done + self._about(reply, "incomplete", "incomplete", **counted, **why)

    def broken(self, reply: Reply, error: Any) -> bytes:
        """An error as an event of the stream; the usual one fails the response."""
        if error:
            return event(error)
        told = {"code": "server_error", "message": asked(0)}
        return self._about(reply, "failed", "failed", error=told)

    def cancelled(self, reply: Reply) -> dict[str, Any]:
        """The response to a cancellation."""
        return self._response(reply, "cancelled")

    def _about(self, reply: Reply, name: str, status: str, **more: Any) -> bytes:
        return self._event(reply, f"response.{name}", response=self._response(reply, status) | more)

    def _response(self, reply: Reply, status: str) -> dict[str, Any]:
        said = {"type": "output_text", "text": reply.text, "annotations": []}
        message = {
            "id": "item_text",
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [said],
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

    def _event(self, reply: Reply, kind: str, **more: Any) -> bytes:
        numbered = event({"type": kind, "sequence_number": reply.events} | more, kind)
        reply.events += 1
        return numbered


def _place(piece: Piece) -> dict[str, Any]:
    where = "summary_index" if piece.kind == "reasoning" else "content_index"
    return {"item_id": f"item_{piece.kind}", "output_index": 0, where: 0}


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.input,
        "input_tokens_details": {"cached_tokens": usage.cached, "cache_write_tokens": 0},
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.input + usage.output,
    }

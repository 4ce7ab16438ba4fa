"""Gemini's streamGenerateContent."""

import re
from typing import Any

from tools.fake_provider.behaviour import ErrorAnswer, Piece, Usage
from tools.fake_provider.wire import Call, Reply, asked, event

STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
FINISHES = {"stop": "STOP", "length": "MAX_TOKENS"}
PATH = re.compile(r"/v1(?:beta)?/models/([^/:]+):streamGenerateContent")
UNTHINKING = re.compile(r"gemini-(1|2\.0)")
FIELDS = {"contents", "systemInstruction", "generationConfig", "safetySettings"}


class GoogleGenerate:
    """The wire. Every chunk is a complete response."""

    name = "google.generate"

    def serves(self, call: Call) -> bool:
        """Return whether a request is for a reply over this wire."""
        return call.method == "POST" and bool(PATH.fullmatch(call.path))

    def lists(self, call: Call) -> bool:
        """The path may be OpenAI's as well; the header is not."""
        listed = call.method == "GET" and call.path.endswith("/models")
        return listed and "x-goog-api-key" in call.headers

    def models(self) -> Any:
        """The list of models, with windows, and with models that produce no text."""
        return {
            "models": [
                _model("gemini-3.8-flash", "Gemini 3.8 Flash", "generateContent"),
                _model("gemini-2.5-pro", "Gemini 2.5 Pro", "generateContent"),
                _model("gemini-embedding-2", "Gemini Embedding 2", "embedContent"),
            ]
        }

    def key(self, headers: dict[str, str]) -> str:
        """Return the key of a request."""
        return headers.get("x-goog-api-key", "")

    def model(self, call: Call) -> str:
        """Return the requested model, which is in the path."""
        found = PATH.fullmatch(call.path)
        return found.group(1) if found else ""

    def prompt(self, body: dict[str, Any]) -> str:
        """Return the last message of the person."""
        said = [turn["parts"] for turn in body["contents"] if turn["role"] == "user"]
        return "".join(part["text"] for part in said[-1]) if said else ""

    def forbids(self, call: Call) -> ErrorAnswer | None:
        """Return an error for parameters that single models, or all of them, refuse."""
        body = call.json()
        thinking = {  # The SDK writes these in one way, people in the other; both are accepted.
            name.replace("_", "").lower()
            for name in body.get("generationConfig", {}).get("thinkingConfig", {})
        }
        if unknown := set(body) - FIELDS:
            return self._bad(f'Invalid JSON payload received. Unknown name "{min(unknown)}"')
        if not body.get("contents") or body["contents"][-1]["role"] != "user":
            return self._bad("Please ensure that a single turn ends with a user role.")
        if thinking and UNTHINKING.match(self.model(call)):
            return self._bad("thinking is not supported by this model.")
        if {"thinkingbudget", "thinkinglevel"} <= thinking:
            return self._bad("You can only set only one of thinking budget and thinking level.")
        if "thinkinglevel" in thinking and self.model(call).startswith("gemini-2.5"):
            return self._bad("thinking_level is not supported by this model.")
        return None

    def _bad(self, message: str) -> ErrorAnswer:
        told = {"code": 400, "message": message, "status": "INVALID_ARGUMENT"}
        return ErrorAnswer(400, {"error": told})

    def start(self, reply: Reply) -> bytes:
        """A chunk without content."""
        return self._chunk(reply, {"content": {"role": "model", "parts": []}, "index": 0})

    def delta(self, reply: Reply, piece: Piece) -> bytes:
        """One delta."""
        part: dict[str, Any] = {"text": piece.text}
        if piece.kind == "reasoning":
            part["thought"] = True
        candidate: dict[str, Any] = {"content": {"role": "model", "parts": [part]}, "index": 0}
        if reply.how.stamp:
            candidate["finishReason"] = FINISHES.get(reply.how.finish, reply.how.finish)
        return self._chunk(reply, candidate)

    def end(self, reply: Reply, finish: str, usage: Usage | None) -> bytes:
        """The finish reason with the usage."""
        refused = any(piece.kind == "refusal" for piece in reply.how.pieces)
        why = "SAFETY" if refused and finish == "stop" else FINISHES.get(finish, finish)
        counted = {"usageMetadata": _usage(usage)} if usage else {}
        content = {"role": "model", "parts": [{"text": ""}]}
        return self._chunk(reply, {"content": content, "finishReason": why, "index": 0}, **counted)

    def error(self, status: int) -> dict[str, Any]:
        """The usual error body for a status."""
        code = status or 503
        told: dict[str, Any] = {"code": code, "message": asked(status)}
        told["status"] = STATUSES.get(code, "UNKNOWN")
        return {"error": told}

    def broken(self, reply: Reply, error: Any) -> bytes:
        """An error as an event of the stream."""
        return event(error or self.error(0))

    def id_header(self) -> str:
        """The name of the header that carries the request's id; the real one sends none."""
        return "x-request-id"

    def _chunk(self, reply: Reply, candidate: dict[str, Any], **more: Any) -> bytes:
        response = {"candidates": [candidate], "modelVersion": reply.model, "responseId": "fake"}
        return event(response | more)


def _model(id: str, name: str, action: str) -> dict[str, Any]:
    return {
        "name": f"models/{id}",
        "displayName": name,
        "inputTokenLimit": 1_048_576,
        "outputTokenLimit": 65_536,
        "supportedGenerationMethods": [action],
    }


def _usage(usage: Usage) -> dict[str, Any]:
    counted = {
        "promptTokenCount": usage.input,
        "candidatesTokenCount": usage.output - usage.reasoning,
        "totalTokenCount": usage.input + usage.output,
    }
    if usage.reasoning:
        counted["thoughtsTokenCount"] = usage.reasoning
    if usage.cached:
        counted["cachedContentTokenCount"] = usage.cached
    return counted

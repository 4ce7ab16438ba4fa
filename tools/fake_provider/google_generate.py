"""Gemini's streamGenerateContent."""

import re
from typing import Any

from tools.fake_provider.behaviour import ErrorAnswer, Piece, Usage
from tools.fake_provider.prompt_cache import PromptCache, encode_parts
from tools.fake_provider.wire import HttpRequest, Reply, error_message, format_event

ERROR_STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
FINISH_REASONS = {"stop": "STOP", "length": "MAX_TOKENS"}
REPLY_PATH = re.compile(r"/v1(?:beta)?/models/([^/:]+):streamGenerateContent")
MODELS_WITHOUT_THINKING = re.compile(r"gemini-(1|2\.0)")
FIELDS = {
    *("contents", "systemInstruction", "generationConfig", "safetySettings"),
    *("tools", "toolConfig"),
}
"""The API accepts each with underscores, too."""


class GoogleGenerate:
    """The wire. Every chunk is a complete response."""

    name = "google.generate"

    def is_reply_request(self, request: HttpRequest) -> bool:
        """Return whether a request is for a reply over this wire."""
        return request.method == "POST" and bool(REPLY_PATH.fullmatch(request.path))

    def is_model_list_request(self, request: HttpRequest) -> bool:
        """Return whether it is Google's: OpenAI may have the same path, but not this header."""
        is_list = request.method == "GET" and request.path.endswith("/models")
        return is_list and "x-goog-api-key" in request.headers

    def build_model_list(self) -> Any:
        """Return the list of models, with windows, and with models that produce no text."""
        return {
            "models": [
                _build_model("gemini-3.8-flash", "Gemini 3.8 Flash", "generateContent"),
                _build_model("gemini-2.5-pro", "Gemini 2.5 Pro", "generateContent"),
                _build_model("gemini-embedding-2", "Gemini Embedding 2", "embedContent"),
            ]
        }

    def get_key(self, headers: dict[str, str]) -> str:
        """Return the key of a request."""
        return headers.get("x-goog-api-key", "")

    def get_model(self, request: HttpRequest) -> str:
        """Return the requested model, which is in the path."""
        found = REPLY_PATH.fullmatch(request.path)
        return found.group(1) if found else ""

    def get_prompt(self, body: dict[str, Any]) -> str:
        """Return the last message of the person, with the outputs of tools in it."""
        messages = [turn["parts"] for turn in body["contents"] if turn["role"] == "user"]
        return "".join(map(_read_part, messages[-1])) if messages else ""

    def find_error(self, request: HttpRequest) -> ErrorAnswer | None:
        """Return an error for parameters that single models, or all of them, refuse."""
        body = request.json()
        thinking = {  # The SDK writes these in one way, people in the other; both are accepted.
            name.replace("_", "").lower()
            for name in body.get("generationConfig", {}).get("thinkingConfig", {})
        }
        if unknown := {_to_camel_case(name) for name in body} - FIELDS:
            return self._build_bad_request(
                f'Invalid JSON payload received. Unknown name "{min(unknown)}"'
            )
        if not body.get("contents") or body["contents"][-1]["role"] != "user":
            return self._build_bad_request(
                "Please ensure that a single turn ends with a user role."
            )
        if thinking and MODELS_WITHOUT_THINKING.match(self.get_model(request)):
            return self._build_bad_request("thinking is not supported by this model.")
        if {"thinkingbudget", "thinkinglevel"} <= thinking:
            return self._build_bad_request(
                "You can only set only one of thinking budget and thinking level."
            )
        if "thinkinglevel" in thinking and self.get_model(request).startswith("gemini-2.5"):
            return self._build_bad_request("thinking_level is not supported by this model.")
        return None

    def _build_bad_request(self, message: str) -> ErrorAnswer:
        error = {"code": 400, "message": message, "status": "INVALID_ARGUMENT"}
        return ErrorAnswer(400, {"error": error})

    def count_prompt(self, request: HttpRequest, cache: PromptCache) -> Usage:
        """Return the tokens of a request, after the cache has read it."""
        body, key = request.json(), self.get_key(request.headers)
        parts = [body.get("systemInstruction"), *body["contents"]]
        return cache.read_automatic(f"{key} {request.path}", encode_parts(parts))

    def format_start(self, reply: Reply) -> bytes:
        """Return a chunk without content."""
        return self._format_chunk(reply, {"content": {"role": "model", "parts": []}, "index": 0})

    def format_delta(self, reply: Reply, piece: Piece) -> bytes:
        """Return one delta."""
        part: dict[str, Any] = {"text": piece.text}
        if piece.kind == "reasoning":
            part["thought"] = True
        candidate: dict[str, Any] = {"content": {"role": "model", "parts": [part]}, "index": 0}
        if reply.behaviour.stamp:
            candidate["finishReason"] = FINISH_REASONS.get(
                reply.behaviour.finish, reply.behaviour.finish
            )
        return self._format_chunk(reply, candidate)

    def format_end(self, reply: Reply, finish: str, usage: Usage | None) -> bytes:
        """Return the finish reason with the usage."""
        refused = any(piece.kind == "refusal" for piece in reply.behaviour.pieces)
        reason = "SAFETY" if refused and finish == "stop" else FINISH_REASONS.get(finish, finish)
        usage_fields = {"usageMetadata": _format_usage(usage)} if usage else {}
        content = {"role": "model", "parts": [{"text": ""}]}
        return self._format_chunk(
            reply, {"content": content, "finishReason": reason, "index": 0}, **usage_fields
        )

    def build_error(self, status: int) -> dict[str, Any]:
        """Return the usual error body for a status."""
        code = status or 503
        error: dict[str, Any] = {"code": code, "message": error_message(status)}
        error["status"] = ERROR_STATUSES.get(code, "UNKNOWN")
        return {"error": error}

    def format_error(self, reply: Reply, error: Any) -> bytes:
        """Return an error as an event of the stream."""
        return format_event(error or self.build_error(0))

    def get_id_header(self) -> str:
        """Return the name of the header that carries the request's id; the real one sends none."""
        return "x-request-id"

    def _format_chunk(self, reply: Reply, candidate: dict[str, Any], **more: Any) -> bytes:
        response = {"candidates": [candidate], "modelVersion": reply.model, "responseId": "fake"}
        return format_event(response | more)


def _to_camel_case(name: str) -> str:
    return re.sub("_([a-z])", lambda match: match[1].upper(), name)


def _read_part(part: dict[str, Any]) -> str:
    answered = part.get("functionResponse", {}).get("response", {})
    return part.get("text", "") + str(answered.get("output", ""))


def _build_model(id: str, name: str, action: str) -> dict[str, Any]:
    return {
        "name": f"models/{id}",
        "displayName": name,
        "inputTokenLimit": 1_048_576,
        "outputTokenLimit": 65_536,
        "supportedGenerationMethods": [action],
    }


def _format_usage(usage: Usage) -> dict[str, Any]:
    usage_fields = {
        "promptTokenCount": usage.input,
        "candidatesTokenCount": usage.output - usage.reasoning,
        "totalTokenCount": usage.input + usage.output,
    }
    if usage.reasoning:
        usage_fields["thoughtsTokenCount"] = usage.reasoning
    if usage.cached:
        usage_fields["cachedContentTokenCount"] = usage.cached
    return usage_fields

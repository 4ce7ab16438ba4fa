"""Chat Completions as OpenAI and compatible servers speak them."""

import re
from typing import Any

from tools.fake_provider.behaviour import ErrorAnswer, Piece, Usage
from tools.fake_provider.prompt_cache import PromptCache, encode_parts
from tools.fake_provider.wire import HttpRequest, Reply, error_message, format_event

FIELDS = {"text": "content", "reasoning": "reasoning_content", "refusal": "refusal"}
ERROR_TYPES = {
    400: ("invalid_request_error", None),
    401: ("invalid_request_error", "invalid_api_key"),
    403: ("permission_error", None),
    404: ("invalid_request_error", "model_not_found"),
    429: ("requests", "rate_limit_exceeded"),
    500: ("server_error", None),
    503: ("server_error", None),
}
REASONING_MODELS = re.compile(r"o\d|gpt-([5-9]|\d\d)")
MODELS = {
    "gpt-6.2-astra": None,
    "gpt-6.2-sol": None,
    "gpt-4.1": "2027-01-14",
    "gpt-4o-mini": "2027-01-14",
}


class OpenAIWire:
    """The common parts of OpenAI's two wires. `path` ends the address of a reply, and `turns_field`
    is the field of its body with the conversation."""

    path: str
    turns_field: str

    def is_reply_request(self, request: HttpRequest) -> bool:
        """Return whether a request is for a reply over this wire."""
        return request.method == "POST" and request.path.endswith(self.path)

    def get_prompt(self, body: dict[str, Any]) -> str:
        """Return the last message of the person, with the outputs of tools before it."""
        texts: list[str] = []
        for turn in reversed(body[self.turns_field]):
            if turn.get("role") in ("user", "tool"):
                texts.append(turn["content"])
            elif turn.get("type") == "function_call_output":
                texts.append(turn["output"])
            elif texts:
                break
        return "".join(reversed(texts))

    def is_model_list_request(self, request: HttpRequest) -> bool:
        """Return whether the path fits. Other providers have it too, but also headers of theirs."""
        return request.method == "GET" and request.path.endswith("/models")

    def build_model_list(self) -> Any:
        """Return the list of models, with dates of shutdown."""
        fields = {"object": "model", "created": 1_790_000_000, "owned_by": "fake"}
        entries = [fields | {"id": model, "shutdown_date": end} for model, end in MODELS.items()]
        return {"object": "list", "data": entries}

    def get_key(self, headers: dict[str, str]) -> str:
        """Return the key of a request."""
        return headers.get("authorization", "").removeprefix("Bearer ")

    def get_model(self, request: HttpRequest) -> str:
        """Return the requested model."""
        return str(request.json().get("model", ""))

    def count_prompt(self, request: HttpRequest, cache: PromptCache) -> Usage:
        """Return the tokens of a request, after the cache has read it."""
        body, key = request.json(), self.get_key(request.headers)
        parts = [body.get("instructions"), *body[self.turns_field]]
        return cache.read_automatic(f"{key} {body['model']}", encode_parts(parts))

    def build_error(self, status: int) -> dict[str, Any]:
        """Return the usual error body for a status."""
        kind, code = ERROR_TYPES.get(status, ("server_error", None))
        return {
            "error": {"message": error_message(status), "type": kind, "param": None, "code": code}
        }

    def get_id_header(self) -> str:
        """Return the name of the header that carries the request's id."""
        return "x-request-id"


class OpenAIChat(OpenAIWire):
    """The wire."""

    name = "openai.chat"
    path = "/chat/completions"
    turns_field = "messages"

    def find_error(self, request: HttpRequest) -> ErrorAnswer | None:
        """Return an error for parameters that reasoning models, or the others, refuse."""
        body = request.json()
        if REASONING_MODELS.match(body.get("model", "")):
            if "max_tokens" in body:
                return build_unsupported("max_tokens", "Use 'max_completion_tokens' instead.")
            if body.get("temperature", 1) != 1:
                return build_unsupported("temperature", "Only the default (1) value is supported.")
        elif body.get("model", "").startswith("gpt-4") and "reasoning_effort" in body:
            return build_unsupported("reasoning_effort")
        return None

    def format_start(self, reply: Reply) -> bytes:
        """Return the events before the first delta."""
        return self._format_chunk(
            reply,
            [self._build_choice({"role": "assistant", "content": ""}, get_repeated_finish(reply))],
        )

    def format_delta(self, reply: Reply, piece: Piece) -> bytes:
        """Return one delta."""
        return self._format_chunk(
            reply,
            [self._build_choice({FIELDS[piece.kind]: piece.text}, get_repeated_finish(reply))],
        )

    def format_end(self, reply: Reply, finish: str, usage: Usage | None) -> bytes:
        """Return the end marker, and the usage if it was requested."""
        events = self._format_chunk(reply, [self._build_choice({}, finish)])
        if usage and reply.body.get("stream_options", {}).get("include_usage"):
            events += self._format_chunk(reply, [], usage=_format_usage(usage))
        return events + b"data: [DONE]\n\n"

    def format_error(self, reply: Reply, error: Any) -> bytes:
        """Return an error as an event of the stream."""
        return format_event(error or self.build_error(0))

    def _build_choice(self, delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        return {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}

    def _format_chunk(self, reply: Reply, choices: list[Any], **more: Any) -> bytes:
        chunk = {
            "id": "chatcmpl-fake",
            "object": "chat.completion.chunk",
            "created": 1_790_000_000,
            "model": reply.model,
            "choices": choices,
        }
        return format_event(chunk | more)


def get_repeated_finish(reply: Reply) -> str | None:
    """Return the finish reason of a chunk that ends nothing."""
    return reply.behaviour.finish if reply.behaviour.stamp else None


def build_unsupported(param: str, more: str = "") -> ErrorAnswer:
    """Return OpenAI's message for a parameter that a model does not take."""
    value = "value" if more.startswith("Only") else "parameter"
    message = f"Unsupported {value}: '{param}' is not supported with this model. {more}".strip()
    body = {
        "message": message,
        "type": "invalid_request_error",
        "param": param,
        "code": f"unsupported_{value}",
    }
    return ErrorAnswer(400, {"error": body})


def _format_usage(usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.input + usage.output,
        "prompt_tokens_details": {
            "cached_tokens": usage.cached,
            "cache_write_tokens": usage.cache_written,
        },
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
    }

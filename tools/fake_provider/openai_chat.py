"""Chat Completions as OpenAI and compatible servers speak them."""

import re
from typing import Any

from tools.fake_provider.behaviour import ErrorAnswer, Piece, Usage
from tools.fake_provider.wire import Call, Reply, asked, event

FIELDS = {"text": "content", "reasoning": "reasoning_content", "refusal": "refusal"}
STATUS_TYPES = {
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
    """The common parts of OpenAI's two wires."""

    def lists(self, call: Call) -> bool:
        """All providers have this path: the others are recognised by their headers."""
        return call.method == "GET" and call.path.endswith("/models")

    def models(self) -> Any:
        """The list of models, with dates of shutdown."""
        made = {"object": "model", "created": 1_790_000_000, "owned_by": "fake"}
        entries = [made | {"id": model, "shutdown_date": end} for model, end in MODELS.items()]
        return {"object": "list", "data": entries}

    def key(self, headers: dict[str, str]) -> str:
        """Return the key of a request."""
        return headers.get("authorization", "").removeprefix("Bearer ")

    def model(self, call: Call) -> str:
        """Return the requested model."""
        return str(call.json().get("model", ""))

    def error(self, status: int) -> dict[str, Any]:
        """The usual error body for a status."""
        kind, code = STATUS_TYPES.get(status, ("server_error", None))
        return {"error": {"message": asked(status), "type": kind, "param": None, "code": code}}

    def id_header(self) -> str:
        """The name of the header that carries the request's id."""
        return "x-request-id"


class OpenAIChat(OpenAIWire):
    """The wire."""

    name = "openai.chat"

    def serves(self, call: Call) -> bool:
        """Return whether a request is for a reply over this wire."""
        return call.method == "POST" and call.path.endswith("/chat/completions")

    def prompt(self, body: dict[str, Any]) -> str:
        """Return the last message of the person."""
        said = [turn["content"] for turn in body["messages"] if turn["role"] == "user"]
        return said[-1] if said else ""

    def forbids(self, call: Call) -> ErrorAnswer | None:
        """Return an error for parameters that reasoning models, or the others, refuse."""
        body = call.json()
        if REASONING_MODELS.match(body.get("model", "")):
            if "max_tokens" in body:
                return unsupported("max_tokens", "Use 'max_completion_tokens' instead.")
            if body.get("temperature", 1) != 1:
                return unsupported("temperature", "Only the default (1) value is supported.")
        elif body.get("model", "").startswith("gpt-4") and "reasoning_effort" in body:
            return unsupported("reasoning_effort")
        return None

    def start(self, reply: Reply) -> bytes:
        """The events before the first delta."""
        return self._chunk(
            reply, [self._choice({"role": "assistant", "content": ""}, stamp(reply))]
        )

    def delta(self, reply: Reply, piece: Piece) -> bytes:
        """One delta."""
        return self._chunk(reply, [self._choice({FIELDS[piece.kind]: piece.text}, stamp(reply))])

    def end(self, reply: Reply, finish: str, usage: Usage | None) -> bytes:
        """The end marker, and the usage if it was requested."""
        said = self._chunk(reply, [self._choice({}, finish)])
        if usage and reply.body.get("stream_options", {}).get("include_usage"):
            said += self._chunk(reply, [], usage=_usage(usage))
        return said + b"data: [DONE]\n\n"

    def broken(self, reply: Reply, error: Any) -> bytes:
        """An error as an event of the stream."""
        return event(error or self.error(0))

    def _choice(self, delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        return {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}

    def _chunk(self, reply: Reply, choices: list[Any], **more: Any) -> bytes:
        chunk = {
            "id": "chatcmpl-fake",
            "object": "chat.completion.chunk",
            "created": 1_790_000_000,
            "model": reply.model,
            "choices": choices,
        }
        return event(chunk | more)


def stamp(reply: Reply) -> str | None:
    """The finish reason of a chunk that ends nothing."""
    return reply.how.finish if reply.how.stamp else None


def unsupported(param: str, more: str = "") -> ErrorAnswer:
    """OpenAI's message for a parameter that a model does not take."""
    value = "value" if more.startswith("Only") else "parameter"
    message = f"Unsupported {value}: '{param}' is not supported with this model. {more}".strip()
    body = {
        "message": message,
        "type": "invalid_request_error",
        "param": param,
        "code": f"unsupported_{value}",
    }
    return ErrorAnswer(400, {"error": body})


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.input + usage.output,
        "prompt_tokens_details": {"cached_tokens": usage.cached},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
    }

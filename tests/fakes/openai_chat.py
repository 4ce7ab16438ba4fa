"""Chat Completions as OpenAI and compatible servers speak them."""

import json
from typing import Any

from .behaviour import Piece, Usage

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


class OpenAIChat:
    """The wire. Its methods make the bytes of one reply, in the order in which they are sent."""

    name = "openai.chat"

    def serves(self, method: str, path: str) -> bool:
        """Whether a request is for this wire."""
        return method == "POST" and path.endswith("/chat/completions")

    def key(self, headers: dict[str, str]) -> str:
        """The key that came with a request."""
        return headers.get("authorization", "").removeprefix("Bearer ")

    def prompt(self, body: dict[str, Any]) -> str:
        """What the person said last."""
        said = [turn["content"] for turn in body["messages"] if turn["role"] == "user"]
        return said[-1] if said else ""

    def start(self, body: dict[str, Any]) -> bytes:
        """What comes before the first delta."""
        return self._chunk(body, [self._choice({"role": "assistant", "content": ""})])

    def delta(self, body: dict[str, Any], piece: Piece) -> bytes:
        """One delta."""
        return self._chunk(body, [self._choice({FIELDS[piece.kind]: piece.text})])

    def end(self, body: dict[str, Any], finish: str, usage: Usage | None) -> bytes:
        """The end marker and, where it was asked for, the usage."""
        said = self._chunk(body, [self._choice({}, finish)])
        if usage and body.get("stream_options", {}).get("include_usage"):
            said += self._chunk(body, [], usage=_usage(usage))
        return said + b"data: [DONE]\n\n"

    def error(self, status: int) -> dict[str, Any]:
        """The usual error body for a status, or for an event in the stream."""
        kind, code = STATUS_TYPES.get(status, ("server_error", None))
        message = f"The fake was asked to answer {status or 'with an error'}."
        return {"error": {"message": message, "type": kind, "param": None, "code": code}}

    def event(self, data: Any) -> bytes:
        """Any JSON as one event of the stream."""
        return b"data: " + dumped(data) + b"\n\n"

    def _choice(self, delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        return {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}

    def _chunk(self, body: dict[str, Any], choices: list[Any], **more: Any) -> bytes:
        return self.event(
            {
                "id": "chatcmpl-fake",
                "object": "chat.completion.chunk",
                "created": 1_790_000_000,
                "model": body.get("model", ""),
                "choices": choices,
                **more,
            }
        )


def models() -> dict[str, Any]:
    """The answer of the model list."""
    ids = ("gpt-6.2-astra", "gpt-6.2-sol", "gpt-4.1", "gpt-4o-mini")
    entries = [
        {"id": model, "object": "model", "created": 1_790_000_000, "owned_by": "fake"}
        for model in ids
    ]
    return {"object": "list", "data": entries}


def dumped(data: Any) -> bytes:
    """JSON as UTF-8, as the real one sends it; with escapes where UTF-8 has no way to say it."""
    try:
        return json.dumps(data, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return json.dumps(data).encode()


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.input + usage.output,
        "prompt_tokens_details": {"cached_tokens": usage.cached},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
    }

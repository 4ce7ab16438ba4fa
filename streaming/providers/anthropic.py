"""Anthropic's Messages."""

import functools
import re
import warnings
from collections.abc import AsyncGenerator, Iterator, Mapping
from typing import Any

import anthropic
import httpx2

from .base import Delta, FinishReason, ModelInfo, Request, Timeouts, Usage
from .http_adapter import (
    ErrorResponse,
    HttpAdapter,
    ProviderCall,
    normalize_reason,
    parse_retry_after,
    require_str,
    silence_wire_logging,
    to_provider_error,
)

OFFICIAL_URL = "https://api.anthropic.com"
DEFAULT_MAX_TOKENS = 32_000  # The API wants a number; thinking counts too.

# The SDK warns of models that will go; the catalog says it to people.
warnings.filterwarnings("ignore", category=DeprecationWarning, module=__name__)

# These don't think by themselves, and refuse to be told to.
NON_REASONING_MODELS = re.compile(r"claude-(\d|instant|(haiku|opus|sonnet)-4-([0-5]|\d{8})\b)")
# The last version of the API that takes a temperature, for the models that still know one.
TEMPERATURE_API_VERSION = "2023-06-01"

FINISH_REASONS: dict[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "refusal",
    "tool_use": "tool_calls",
}
_NAMED_PARAMETER = re.compile(r"([a-z_]+(?:\.[a-z_]+)*): ")


class AnthropicAdapter(HttpAdapter):
    """The adapter; without `base_url` it speaks to Anthropic itself."""

    default_name = "Anthropic"

    def __init__(self, *, base_url: str = "", timeouts: Timeouts | None = None) -> None:
        super().__init__(base_url=base_url or OFFICIAL_URL, timeouts=timeouts)
        silence_wire_logging("anthropic")
        preload_sdk()

    def create_client(self, key: str, http: httpx2.AsyncClient) -> anthropic.AsyncAnthropic:
        """With everything said, so that no profile or variable of the server's is looked for."""
        client = anthropic.AsyncAnthropic(
            api_key=key,
            base_url=self.base_url,
            max_retries=0,
            timeout=http.timeout,
            http_client=http,
        )
        client._custom_headers = {}  # The server's environment has a variable for them.
        return client

    async def send(self, client: Any, call: ProviderCall) -> AsyncGenerator[Any, None]:
        """Put the request; the events."""
        await client.messages.create(**build_request_params(call.request), stream=True)
        return call.iter_response_events("request-id")

    def parse_event(self, event: dict[str, Any], call: ProviderCall) -> Iterator[Delta]:
        """What was asked is counted at the start, what was said with the end marker."""
        match event.get("type"):
            case "content_block_delta":
                call.has_open_block = True
                yield from _parse_block(event.get("delta") or {})
            case "content_block_start":
                call.has_open_block = True
                yield from _parse_block(event.get("content_block") or {})
            case "content_block_stop":
                call.has_open_block = False
            case "message_start":
                message = event.get("message") or {}
                call.record_request_id(message.get("id"))
                call.usage = parse_usage(message.get("usage"), call.usage)
            case "message_delta":
                call.usage = parse_usage(event.get("usage"), call.usage)
                if stopped := normalize_reason((event.get("delta") or {}).get("stop_reason")):
                    call.finish_reason = FINISH_REASONS.get(stopped, "other")
            case "message_stop":
                call.has_end_event = True
            case "error":
                raise to_provider_error(parse_error(event), self.name, call.redact)

    def error_response(self, error: Exception) -> ErrorResponse | None:
        """An error that Anthropic sent instead of a reply."""
        if not isinstance(error, anthropic.APIStatusError):
            return None
        return parse_error(error.body or error.message, error.status_code, error.response.headers)

    async def fetch_models(self, client: Any) -> list[ModelInfo]:
        """The list, which tells everything."""
        return [
            ModelInfo(
                id=model.id,
                label=model.display_name,
                context_window=model.max_input_tokens,
                max_output=model.max_tokens,
                lifecycle=model.lifecycle or "",
                shutdown=model.retires_at.date() if model.retires_at else None,
            )
            async for model in client.models.list()
        ]


@functools.cache
def preload_sdk() -> None:
    """Load what the SDK loads on first use."""
    sdk = anthropic.AsyncAnthropic(api_key="none")
    _ = sdk.messages, sdk.models


def build_request_params(request: Request) -> dict[str, Any]:
    """Our request as the arguments of a message.

    What newer models don't take is not sent unasked: a temperature needs the older API, which in
    turn knows no thinking beside it. The turns stand in `extra_body`, as the SDK would look through
    all of them for names to translate, which in a long conversation costs more than the reply.
    """
    turns = [{"role": turn.role, "content": turn.text} for turn in request.turns]
    arguments: dict[str, Any] = {
        "model": request.model,
        "messages": (),
        "max_tokens": request.max_tokens or DEFAULT_MAX_TOKENS,
        "extra_body": {"messages": turns},
    }
    if request.system:
        arguments["system"] = request.system
    if request.temperature is not None:
        arguments["extra_headers"] = {"anthropic-version": TEMPERATURE_API_VERSION}
        arguments["extra_body"]["temperature"] = request.temperature
    elif not NON_REASONING_MODELS.match(request.model):
        arguments["thinking"] = {"type": "adaptive", "display": "summarized"}
    if request.reasoning_effort is not None:
        arguments["output_config"] = {"effort": request.reasoning_effort}
    return arguments


def parse_error(
    body: Any, status: int = 0, headers: Mapping[str, str] | None = None
) -> ErrorResponse:
    """What an error of Anthropic's says: the body of an answer, or an event in a stream."""
    inner = body.get("error") if isinstance(body, dict) else None
    told = inner if isinstance(inner, dict) else {}
    message = str(told.get("message") or body)
    named = _NAMED_PARAMETER.match(message)
    return ErrorResponse(
        status=status,
        codes=f"{told.get('type', '')} {told.get('error_code') or ''}",
        message=message,
        param=named.group(1) if named else "",
        request_id=(headers or {}).get("request-id", ""),
        retry_after=parse_retry_after(headers or {}),
    )


def _parse_block(part: dict[str, Any]) -> Iterator[Delta]:
    """What a block starts with, mostly nothing, or what is added to it."""
    match part.get("type"):
        case "text_delta" | "text":
            yield Delta(require_str(part.get("text")))
        case "thinking_delta" | "thinking":
            yield Delta(require_str(part.get("thinking")), "reasoning")


def parse_usage(counts: dict[str, Any] | None, previous: Usage | None) -> Usage | None:
    """The tokens so far. Anthropic counts what it cached apart from the rest of the input."""
    if counts is None:
        return previous
    previous = previous or Usage()
    details = counts.get("output_tokens_details") or {}
    fresh, spoken = counts.get("input_tokens"), counts.get("output_tokens")
    thought, cached = details.get("thinking_tokens"), counts.get("cache_read_input_tokens")
    stored = counts.get("cache_creation_input_tokens")
    return Usage(
        input=previous.input if fresh is None else fresh + (cached or 0) + (stored or 0),
        output=previous.output if spoken is None else spoken,
        reasoning=previous.reasoning if thought is None else thought,
        cached=previous.cached if cached is None else cached,
    )

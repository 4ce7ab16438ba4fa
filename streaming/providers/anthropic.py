"""Anthropic's Messages."""

import functools
import re
import warnings
from collections.abc import AsyncGenerator, Iterator, Mapping
from typing import Any

import anthropic
import httpx2

from .base import Delta, ListedModel, Reason, Request, Timeouts, Usage
from .exchange import Answer, Exchange, Remote, hush, retry_after, understood, whole, word

OFFICIAL_URL = "https://api.anthropic.com"
MAX_TOKENS = 32_000  # The API wants a number; thinking counts too.

# The SDK warns of models that will go; the catalog says it to people.
warnings.filterwarnings("ignore", category=DeprecationWarning, module=__name__)

# These don't think by themselves, and refuse to be told to.
UNTHINKING = re.compile(r"claude-(\d|instant|(haiku|opus|sonnet)-4-([0-5]|\d{8})\b)")
# The last version of the API that takes a temperature, for the models that still know one.
WITH_TEMPERATURE = "2023-06-01"

REASONS: dict[str, Reason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "refusal",
    "tool_use": "tool_calls",
}
_NAMED = re.compile(r"([a-z_]+(?:\.[a-z_]+)*): ")


class Anthropic(Remote):
    """The adapter; without `base_url` it speaks to Anthropic itself."""

    provider = "Anthropic"

    def __init__(self, *, base_url: str = "", timeouts: Timeouts | None = None) -> None:
        super().__init__(base_url=base_url or OFFICIAL_URL, timeouts=timeouts)
        hush("anthropic")
        warm_up()

    def client(self, key: str, http: httpx2.AsyncClient) -> anthropic.AsyncAnthropic:
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

    async def open(self, client: Any, exchange: Exchange) -> AsyncGenerator[Any, None]:
        """Put the request; the events."""
        await client.messages.create(**body(exchange.request), stream=True)
        return exchange.sent("request-id")

    def read(self, event: dict[str, Any], exchange: Exchange) -> Iterator[Delta]:
        """What was asked is counted at the start, what was said with the end marker."""
        match event.get("type"):
            case "content_block_delta":
                exchange.midway = True
                yield from _added(event.get("delta") or {})
            case "content_block_start":
                exchange.midway = True
                yield from _added(event.get("content_block") or {})
            case "content_block_stop":
                exchange.midway = False
            case "message_start":
                message = event.get("message") or {}
                exchange.named(message.get("id"))
                exchange.usage = usage(message.get("usage"), exchange.usage)
            case "message_delta":
                exchange.usage = usage(event.get("usage"), exchange.usage)
                if stopped := word((event.get("delta") or {}).get("stop_reason")):
                    exchange.reason = REASONS.get(stopped, "other")
            case "message_stop":
                exchange.done = True
            case "error":
                raise understood(said(event), self.name, exchange.scrub)

    def answered(self, error: Exception) -> Answer | None:
        """An error that Anthropic sent instead of a reply."""
        if not isinstance(error, anthropic.APIStatusError):
            return None
        return said(error.body or error.message, error.status_code, error.response.headers)

    async def listed(self, client: Any) -> list[ListedModel]:
        """The list, which tells everything."""
        return [
            ListedModel(
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
def warm_up() -> None:
    """Load what the SDK loads on first use."""
    sdk = anthropic.AsyncAnthropic(api_key="none")
    _ = sdk.messages, sdk.models


def body(request: Request) -> dict[str, Any]:
    """Our request as the arguments of a message.

    What newer models don't take is not sent unasked: a temperature needs the older API, which in
    turn knows no thinking beside it. The turns stand in `extra_body`, as the SDK would look through
    all of them for names to translate, which in a long conversation costs more than the reply.
    """
    turns = [{"role": turn.role, "content": turn.text} for turn in request.turns]
    arguments: dict[str, Any] = {
        "model": request.model,
        "messages": (),
        "max_tokens": request.max_tokens or MAX_TOKENS,
        "extra_body": {"messages": turns},
    }
    if request.system:
        arguments["system"] = request.system
    if request.temperature is not None:
        arguments["extra_headers"] = {"anthropic-version": WITH_TEMPERATURE}
        arguments["extra_body"]["temperature"] = request.temperature
    elif not UNTHINKING.match(request.model):
        arguments["thinking"] = {"type": "adaptive", "display": "summarized"}
    if request.reasoning_effort is not None:
        arguments["output_config"] = {"effort": request.reasoning_effort}
    return arguments


def said(body: Any, status: int = 0, headers: Mapping[str, str] | None = None) -> Answer:
    """What an error of Anthropic's says: the body of an answer, or an event in a stream."""
    inner = body.get("error") if isinstance(body, dict) else None
    told = inner if isinstance(inner, dict) else {}
    message = str(told.get("message") or body)
    named = _NAMED.match(message)
    return Answer(
        status=status,
        words=f"{told.get('type', '')} {told.get('error_code') or ''}",
        message=message,
        param=named.group(1) if named else "",
        request_id=(headers or {}).get("request-id", ""),
        retry_after=retry_after(headers or {}),
    )


def _added(part: dict[str, Any]) -> Iterator[Delta]:
    """What a block starts with, mostly nothing, or what is added to it."""
    match part.get("type"):
        case "text_delta" | "text":
            yield Delta(whole(part.get("text")))
        case "thinking_delta" | "thinking":
            yield Delta(whole(part.get("thinking")), "reasoning")


def usage(counted: dict[str, Any] | None, before: Usage | None) -> Usage | None:
    """The tokens so far. Anthropic counts what it cached apart from the rest of the input."""
    if counted is None:
        return before
    before = before or Usage()
    details = counted.get("output_tokens_details") or {}
    fresh, spoken = counted.get("input_tokens"), counted.get("output_tokens")
    thought, cached = details.get("thinking_tokens"), counted.get("cache_read_input_tokens")
    stored = counted.get("cache_creation_input_tokens")
    return Usage(
        input=before.input if fresh is None else fresh + (cached or 0) + (stored or 0),
        output=before.output if spoken is None else spoken,
        reasoning=before.reasoning if thought is None else thought,
        cached=before.cached if cached is None else cached,
    )

"""Anthropic's Messages API."""

from __future__ import annotations

import functools
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import anthropic
import httpx2

from streaming.events import Delta
from streaming.providers import anthropic_tools
from streaming.providers.http.adapter import HttpAdapter
from streaming.providers.http.classify import parse_retry_after
from streaming.providers.http.client import silence_wire_logging
from streaming.providers.http.error_body import read_error_body, read_response
from streaming.providers.http.model_list import fetch_model_list
from streaming.providers.http.parse import (
    has_value,
    parse_content,
    parse_if_text,
    parse_reasoning,
    to_count,
    to_dict,
    to_id,
)
from streaming.providers.http.parsed import Block, EndMark, ErrorResponse, ParsedEvent
from streaming.providers.http.reasons import extract_word, parse_reason
from streaming.providers.prompt_cache import build_marked_prompt
from streaming.providers.redaction import Secret
from streaming.providers.types import ModelInfo, Request, Timeouts, Usage

OFFICIAL_URL = "https://api.anthropic.com"
DEFAULT_MAX_TOKENS = 32_000
"""The API requires a number, which includes reasoning."""
LOW_MAX_TOKENS = 4_096
"""The number that every model accepts, for those that refuse the one above."""

# The SDK warns of deprecated models; people learn of them from the catalog.
warnings.filterwarnings("ignore", category=DeprecationWarning, module=__name__)

NON_REASONING_MODELS = re.compile(r"claude-(\d|instant|(haiku|opus|sonnet)-4-([0-5]|\d{8})\b)")
"""These models don't reason, and do not support the parameter."""
TEMPERATURE_API_VERSION = "2023-06-01"
"""The last version of the API with a temperature, for the models that still have one."""

_NAMED_PARAMETER = re.compile(r"([a-z_]+(?:\.[a-z_]+)*): ")


class AnthropicAdapter(HttpAdapter):
    """An adapter over Anthropic's SDK. Without `base_url` it calls Anthropic itself."""

    default_name = "Anthropic"
    request_id_header = "request-id"

    def __init__(
        self, *, base_url: str = "", timeouts: Timeouts | None = None, name: str = ""
    ) -> None:
        base_url = base_url or OFFICIAL_URL
        self.is_official = httpx2.URL(base_url).host == httpx2.URL(OFFICIAL_URL).host
        super().__init__(base_url=base_url, timeouts=timeouts, name=name)
        silence_wire_logging("anthropic")
        preload_sdk()

    def create_client(self, key: Secret, http: httpx2.AsyncClient) -> anthropic.AsyncAnthropic:
        """All arguments are given, so that the SDK reads no profile or variable of the server's."""
        client = anthropic.AsyncAnthropic(
            api_key=key.reveal(),
            base_url=self.base_url,
            max_retries=0,
            timeout=http.timeout,
            http_client=http,
        )
        client._custom_headers = {}  # the server's environment may set them
        return client

    async def send(self, client: Any, request: Request) -> None:
        await client.messages.create(**build_body(request), stream=True)

    def list_hints(self, request: Request) -> frozenset[str]:
        return frozenset(list_hints(request))

    def parse_event(self, event: dict[str, Any]) -> Iterator[ParsedEvent]:
        """The input is counted at the start, the output with the end marker."""
        match event.get("type"):
            case "content_block_delta":
                yield Block(is_open=True)
                yield from _parse_block(event.get("delta") or {"text": event.get("text")})
                yield from anthropic_tools.parse_block(event)
            case "content_block_start":
                yield Block(is_open=True)
                yield from _parse_block(event.get("content_block"))
                yield from anthropic_tools.parse_block(event)
            case "content_block_stop":
                yield Block(is_open=False)
                yield from anthropic_tools.parse_block(event)
            case "message_start":
                if counts := to_dict(event.get("message")).get("usage"):
                    yield parse_usage(counts)
            case "message_delta":
                if counts := event.get("usage"):
                    yield parse_usage(counts)
                delta = to_dict(event.get("delta"))
                if reason := parse_reason(delta.get("stop_reason") or event.get("stop_reason")):
                    category = to_dict(delta.get("stop_details")).get("category")
                    yield reason._replace(word=reason.word or extract_word(category))
            case "message_stop":
                stopped = event if "stop_reason" in event else to_dict(event.get("message"))
                if reason := parse_reason(stopped.get("stop_reason")):
                    yield reason
                yield EndMark()
            case "error":
                yield parse_error(event)
            case "message":
                yield from _parse_whole_message(event)
            case _ if has_value(event.get("error")):
                yield parse_error(event)

    def get_reply_id(self, event: dict[str, Any]) -> str:
        is_start = event.get("type") == "message_start"
        return to_id(to_dict(event.get("message")).get("id")) if is_start else ""

    def build_call_state(self, request: Request, thoughts: list[dict[str, str]]) -> str:
        """A reply without reasoning has a state too, if there could have been some."""
        has_state = thoughts or "thinking" in list_hints(request)
        return anthropic_tools.format_state(thoughts) if has_state else ""

    def error_response(self, error: Exception) -> ErrorResponse | None:
        if not isinstance(error, anthropic.APIStatusError):
            return None
        return parse_error(read_response(error.response), error.status_code, error.response.headers)

    async def fetch_models(self, client: Any) -> list[ModelInfo]:
        """The SDK would read only Anthropic's own shape of a list."""

        async def fetch_page(parameters: dict[str, str]) -> bytes:
            options = {"params": {"limit": "1000", **parameters}}
            body: bytes = await client.get("/v1/models", cast_to=bytes, options=options)
            return body

        return await fetch_model_list(fetch_page, "after_id")


@functools.cache
def preload_sdk() -> None:
    """The SDK would load these parts on first use."""
    sdk = anthropic.AsyncAnthropic(api_key="none")
    _ = sdk.messages, sdk.models


def build_body(request: Request) -> dict[str, Any]:
    """The request as the arguments of a message.

    Parameters that newer models refuse are sent only if they were chosen. A temperature needs the
    older API, which has no reasoning with it. The turns are in `extra_body`, because the SDK would
    search all others for names to translate, which in a long conversation costs more than the
    reply.
    """
    hints = list_hints(request)
    default_max_tokens = DEFAULT_MAX_TOKENS if "default_max_tokens" in hints else LOW_MAX_TOKENS
    if "cache_control" not in hints:
        request = replace(request, cache_key="")
    system, turns = build_marked_prompt(request, has_thoughts=_can_reason(request))
    body: dict[str, Any] = {
        "model": request.model,
        "messages": (),
        "max_tokens": request.max_tokens or default_max_tokens,
        "extra_body": {"messages": turns} | anthropic_tools.build_tool_fields(request.tools),
    }
    if system:
        body["system"] = system
    if request.temperature is not None:
        body["extra_headers"] = {"anthropic-version": TEMPERATURE_API_VERSION}
        body["extra_body"]["temperature"] = request.temperature
    elif "thinking" in hints:
        display = {"display": "summarized"} if "thinking_display" in hints else {}
        body["thinking"] = {"type": "adaptive"} | display
    if request.reasoning_effort is not None:
        body["output_config"] = {"effort": request.reasoning_effort}
    return body


def list_hints(request: Request) -> set[str]:
    hints = set()
    is_free = request.temperature is None and not anthropic_tools.is_call_forced(request.tools)
    if is_free and _can_reason(request):
        hints |= {"thinking", "thinking_display"}
    if request.max_tokens is None:
        hints.add("default_max_tokens")
    if request.cache_key:
        hints.add("cache_control")
    return hints - request.omitted


def _can_reason(request: Request) -> bool:
    """Whether the model may reason, and gets back what it reasoned before its calls."""
    if NON_REASONING_MODELS.match(request.model) or "thinking" in request.omitted:
        return False
    return anthropic_tools.has_all_thoughts(request.turns)


def parse_error(
    body: Any, status: int = 0, headers: Mapping[str, str] | None = None
) -> ErrorResponse:
    """`body` is that of an error response, or of an error event in a stream."""
    words = read_error_body(body)
    named = _NAMED_PARAMETER.match(words.message)
    return ErrorResponse(
        status=status,
        codes=" ".join(words.codes),
        message=words.message,
        is_page=words.is_page,
        param=words.param or (named.group(1) if named else ""),
        request_id=(headers or {}).get("request-id", ""),
        retry_after=parse_retry_after(headers or {}),
    )


def _parse_block(part: object) -> Iterator[Delta]:
    """Yields what the beginning of a block adds, mostly nothing, or what a delta adds. Some servers
    send the text alone, or no type with it."""
    if not isinstance(part, dict):
        for each in part if isinstance(part, list) else ():
            yield from _parse_block(each)
        if isinstance(part, str):
            yield Delta(part)
        return
    match part.get("type"):
        case "text_delta" | "text":
            yield from parse_content(part.get("text"))
        case "thinking_delta" | "thinking":
            yield from parse_reasoning(part.get("thinking"))
        case _:
            yield from parse_reasoning(part.get("thinking")) or parse_if_text(part)


def _parse_whole_message(message: dict[str, Any]) -> Iterator[ParsedEvent]:
    """A reply in one piece, of a server that does not stream."""
    yield from _parse_block(message.get("content"))
    yield from anthropic_tools.parse_whole_blocks(message.get("content"))
    yield parse_usage(message.get("usage"))
    if reason := parse_reason(message.get("stop_reason")):
        yield reason
    yield EndMark()


def parse_usage(value: object) -> Usage:
    """The tokens so far. Anthropic counts cached input apart from the rest of the input."""
    counts = to_dict(value)
    details = to_dict(counts.get("output_tokens_details"))
    cached, written = (
        to_count(counts.get(name))
        for name in ("cache_read_input_tokens", "cache_creation_input_tokens")
    )
    fresh = to_count(counts.get("input_tokens"))
    return Usage(
        input=None if fresh is None else to_count(fresh + (cached or 0) + (written or 0)),
        output=to_count(counts.get("output_tokens")),
        reasoning=to_count(details.get("thinking_tokens")),
        cached=cached,
        cache_written=written or None,
    )

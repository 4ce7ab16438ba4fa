"""Google's Gemini, through generateContent.

Google's SDK lists the models; a list that it can't read is read as those of other providers are. It
has no way to hand over an answer unread, and takes 19 ms of CPU for a request with sixty messages,
so replies are requested over plain HTTP, which takes 1.3 ms.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import httpx2
from google import genai
from google.genai import types
from google.genai.errors import APIError

from streaming.events import Delta, DeltaKind
from streaming.providers.google_shapes import find_candidate, find_parts, rename_fields
from streaming.providers.google_tools import build_contents, build_tool_fields, parse_call
from streaming.providers.http.adapter import HttpAdapter
from streaming.providers.http.classify import parse_retry_after
from streaming.providers.http.client import load_ssl_context, silence_wire_logging
from streaming.providers.http.error_body import read_error_body, read_response
from streaming.providers.http.model_list import fetch_model_list
from streaming.providers.http.parse import (
    has_value,
    is_true,
    parse_content,
    to_count,
    to_dict,
    to_dicts,
    to_id,
    to_str,
)
from streaming.providers.http.parsed import ErrorResponse, ParsedEvent
from streaming.providers.http.reasons import parse_reason
from streaming.providers.redaction import Secret
from streaming.providers.types import ModelInfo, Request, Timeouts, Usage

OFFICIAL_URL = "https://generativelanguage.googleapis.com"
API_VERSION = "v1"
_VERSIONED_URL = re.compile(r"(.*)/(v\d+\w*)/?")

THINKING_LEVELS = {"minimal", "low", "medium", "high", "xhigh"}
THINKING_BUDGETS = {"minimal": 512, "low": 2_048, "medium": 8_192, "high": 24_576}
"""Efforts in tokens, for the models that take a budget instead of a level."""
BUDGET_MODELS = re.compile(r"gemini-2\.5")
NON_REASONING_MODELS = re.compile(r"gemini-(1|2\.0)|gemma")
NUMBERED_REASONS = {1: "STOP", 2: "MAX_TOKENS", 3: "SAFETY", 4: "RECITATION", 5: "OTHER"}
"""Proxies that print the API's messages may print the numbers of an enumeration."""
PAGE_SIZE = 1000
"""Models in a page of their list, the most that the API gives."""
SDK_READ_ERRORS = (ValueError, TypeError, AttributeError, LookupError, RecursionError)
"""Errors of the SDK when it reads a list of another shape."""

_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)s")
_NAMED_PARAMETER = re.compile(
    r'Unknown name "(\w+)"|[Pp]arameter `?(\w+)|^([a-z_]+) is not supported'
)


class GoogleAdapter(HttpAdapter):
    """A base URL may end with the version of the API: “https://…/v1beta”."""

    default_name = "Google"
    end_marker = "close"

    def __init__(
        self, *, base_url: str = "", timeouts: Timeouts | None = None, name: str = ""
    ) -> None:
        base_url = base_url or OFFICIAL_URL
        versioned = _VERSIONED_URL.fullmatch(base_url)
        self.api_version = versioned.group(2) if versioned else API_VERSION
        base_url = versioned.group(1) if versioned else base_url.rstrip("/")
        self.is_official = httpx2.URL(base_url).host == httpx2.URL(OFFICIAL_URL).host
        super().__init__(base_url=base_url, timeouts=timeouts, name=name)
        silence_wire_logging("google_genai", "google_genai.models", "google_genai._api_client")

    def create_client(self, key: Secret, http: httpx2.AsyncClient) -> httpx2.AsyncClient:
        http.headers["x-goog-api-key"] = key.reveal()
        return http

    async def send(self, client: Any, request: Request) -> None:
        model = request.model if "/" in request.model else f"models/{request.model}"
        asked = client.build_request(
            "POST",
            self._build_url(f"{quote(model)}:streamGenerateContent"),
            params={"alt": "sse"},
            headers={"Content-Type": "application/json"},
            content=json.dumps(build_body(request)),
        )
        await _require_success(await client.send(asked, stream=True))

    def list_hints(self, request: Request) -> frozenset[str]:
        """An effort is a part of the configuration of thinking, and is refused before it."""
        if "include_thoughts" not in (_build_thinking_config(request) or {}):
            return frozenset()
        has_effort = request.reasoning_effort is not None
        return frozenset({"thinking_display"} if has_effort else {"thinking_display", "thinking"})

    def _build_url(self, path: str) -> str:
        return f"{self.base_url}/{self.api_version}/{path}"

    def parse_event(self, event: dict[str, Any]) -> Iterator[ParsedEvent]:
        """A blocked prompt has feedback and no candidates; every chunk has the usage."""
        if has_value(event.get("error")):
            yield parse_error(event)
        if "usageMetadata" not in event:
            event = rename_fields(event)
        if counts := event.get("usageMetadata"):
            yield parse_usage(counts)
        blocked = to_str(to_dict(event.get("promptFeedback")).get("blockReason"))
        if blocked and not blocked.endswith("UNSPECIFIED"):
            yield ErrorResponse(status=0, codes="prompt_blocked", message=blocked)
        candidate = find_candidate(event.get("candidates"))
        for part in find_parts(candidate):
            if isinstance(part, str):
                yield Delta(part)
            elif isinstance(part, dict) and (text := part.get("text")):
                kind: DeltaKind = "reasoning" if is_true(part.get("thought")) else "text"
                yield from parse_content(text, kind)
            elif isinstance(part, dict) and (call := parse_call(part)):
                yield call
        reason = candidate.get("finishReason") or candidate.get("finish_reason")
        if isinstance(reason, int):
            reason = NUMBERED_REASONS.get(reason, reason)
        if found := parse_reason(reason):
            yield found

    def get_reply_id(self, event: dict[str, Any]) -> str:
        return to_id(event.get("responseId") or event.get("response_id"))

    def error_response(self, error: Exception) -> ErrorResponse | None:
        if isinstance(error, httpx2.HTTPStatusError):
            return parse_error(
                read_response(error.response), error.response.status_code, error.response.headers
            )
        if isinstance(error, APIError):
            headers = getattr(error.response, "headers", None)
            return parse_error(error.details, error.code, headers)
        return None

    async def fetch_models(self, client: httpx2.AsyncClient) -> list[ModelInfo]:
        """Models that write no text are left out."""
        try:
            models = await self._list_with_sdk(client)
        except SDK_READ_ERRORS:  # one odd entry is enough
            models = []
        return models or await self._list_over_http(client)

    async def _list_with_sdk(self, client: httpx2.AsyncClient) -> list[ModelInfo]:
        models, names = [], set()
        async for model in await self._create_sdk_client(client).models.list():
            if model.name in names:
                break  # the server ignores the token of the page
            names.add(model.name)
            if "generateContent" in (model.supported_actions or ()):
                models.append(_describe_model(model))
        return models

    async def _list_over_http(self, client: httpx2.AsyncClient) -> list[ModelInfo]:
        async def fetch_page(parameters: dict[str, str]) -> bytes:
            listing = {"pageSize": str(PAGE_SIZE), **parameters}
            response = await client.get(self._build_url("models"), params=listing)
            return (await _require_success(response)).content

        models = await fetch_model_list(fetch_page, "pageToken")
        return [replace(model, id=model.id.removeprefix("models/")) for model in models]

    def _create_sdk_client(self, http: httpx2.AsyncClient) -> Any:
        """The SDK uses our HTTP client, which has the key and the timeouts."""
        options = types.HttpOptions(
            base_url=self.base_url,
            api_version=self.api_version,
            timeout=int(1000 * self.timeouts.first_delta),
            httpx_async_client=http,
            httpx_client=_unused_sync_client(),
            async_client_args={"ssl": load_ssl_context()},  # the SDK would load its own in 30 ms
        )
        key = http.headers["x-goog-api-key"]
        return genai.Client(api_key=key, vertexai=False, http_options=options).aio


@functools.cache
def _unused_sync_client() -> httpx2.Client:
    """Without one, the SDK would create a synchronous client and load certificates for it."""
    return httpx2.Client(verify=load_ssl_context())


def _describe_model(model: types.Model) -> ModelInfo:
    return ModelInfo(
        id=(model.name or "").removeprefix("models/"),
        label=model.display_name or "",
        context_window=model.input_token_limit,
        max_output=model.output_token_limit,
    )


async def _require_success(response: httpx2.Response) -> httpx2.Response:
    """Raises HTTPStatusError, with the body of the error read."""
    if not response.is_success:
        await response.aread()
        response.raise_for_status()
    return response


def build_body(request: Request) -> dict[str, Any]:
    body: dict[str, Any] = {"contents": build_contents(request.turns, request.model)}
    body |= build_tool_fields(request.tools)
    if request.system:
        body["systemInstruction"] = {"role": "user", "parts": [{"text": request.system}]}
    config = {
        "maxOutputTokens": request.max_tokens,
        "temperature": request.temperature,
        "thinkingConfig": _build_thinking_config(request),
    }
    if config := {name: value for name, value in config.items() if value is not None}:
        body["generationConfig"] = config
    return body


def _build_thinking_config(request: Request) -> dict[str, Any] | None:
    model, effort = request.model, request.reasoning_effort
    if NON_REASONING_MODELS.match(model) or "thinking" in request.omitted:
        return None
    config: dict[str, Any] = {}
    if "thinking_display" not in request.omitted:
        config["include_thoughts"] = True
    if BUDGET_MODELS.match(model):
        if effort in THINKING_BUDGETS:
            config["thinking_budget"] = THINKING_BUDGETS[effort]
    elif effort in THINKING_LEVELS:
        config["thinking_level"] = effort.upper()
    return config or None


def parse_error(
    body: Any, status: int = 0, headers: Mapping[str, str] | None = None
) -> ErrorResponse:
    """`body` is that of an error response, or of an error event in a stream. The details have the
    meaning, and the delay."""
    inner = body.get("error", body) if isinstance(body, dict) else None
    known = inner if isinstance(inner, dict) else {}
    details = to_dicts(known.get("details"))
    words = read_error_body(body)
    named = _NAMED_PARAMETER.search(words.message)
    named_field = next((name for name in named.groups() if name), "") if named else ""
    return ErrorResponse(
        status=status or (code if isinstance(code := known.get("code"), int) else 0),
        codes=" ".join(words.codes),
        message=words.message,
        is_page=words.is_page,
        param=words.param or named_field,
        request_id=(headers or {}).get("x-request-id", ""),
        retry_after=_parse_retry_delay(details, parse_retry_after(headers or {})),
    )


def parse_usage(value: object) -> Usage:
    """The tokens of the whole request. Google counts reasoning apart from other output."""
    counts = to_dict(value)
    spoken, thought = (
        to_count(counts.get(name)) for name in ("candidatesTokenCount", "thoughtsTokenCount")
    )
    is_known = spoken is not None or thought is not None
    return Usage(
        input=to_count(counts.get("promptTokenCount")),
        output=to_count((spoken or 0) + (thought or 0)) if is_known else None,
        reasoning=thought,
        cached=to_count(counts.get("cachedContentTokenCount")),
    )


def _parse_retry_delay(details: list[dict[str, Any]], from_headers: float | None) -> float | None:
    """Seconds to wait: from the headers, or from the details, where Google mostly puts them."""
    for detail in details:
        if from_headers is None and (
            seconds := _DURATION.fullmatch(str(detail.get("retryDelay", "")))
        ):
            from_headers = float(seconds.group(1))
    return from_headers

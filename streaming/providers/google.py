"""Google's Gemini, through generateContent."""

import functools
import re
import warnings
from collections.abc import AsyncGenerator, Iterator, Mapping
from typing import Any

import httpx2
from google import genai
from google.genai import types
from google.genai.errors import APIError

from . import errors
from .base import Delta, FinishReason, ModelInfo, Request, Timeouts, Usage
from .http_adapter import (
    ErrorResponse,
    HttpAdapter,
    ProviderCall,
    load_ssl_context,
    normalize_reason,
    parse_retry_after,
    require_str,
    silence_wire_logging,
    to_provider_error,
)

OFFICIAL_URL = "https://generativelanguage.googleapis.com"
API_VERSION = "v1"
_VERSIONED_URL = re.compile(r"(.*)/(v\d+\w*)/?")

# These think in budgets of tokens instead of levels, and those not at all.
THINKING_BUDGETS = {"minimal": 512, "low": 2_048, "medium": 8_192, "high": 24_576}
BUDGET_MODELS = re.compile(r"gemini-2\.5")
NON_REASONING_MODELS = re.compile(r"gemini-(1|2\.0)|gemma")

CONTENT_FILTER_REASONS = (
    "SAFETY RECITATION LANGUAGE BLOCKLIST PROHIBITED_CONTENT SPII IMAGE_SAFETY ESCALATION"
    " PUP_LIMITED_DISABLED MODEL_ARMOR"
)
FINISH_REASONS: dict[str, FinishReason] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "CONTINUATION": "length",
    **dict.fromkeys(CONTENT_FILTER_REASONS.split(), "content_filter"),
}
# The SDK warns of a word it does not know, and would write it into our logs.
warnings.filterwarnings("ignore", ".* is not a valid", module=r"google\.genai")

_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)s")
_NAMED_PARAMETER = re.compile(
    r'Unknown name "(\w+)"|[Pp]arameter `?(\w+)|^([a-z_]+) is not supported'
)


class GoogleAdapter(HttpAdapter):
    """The adapter. A base URL may end in the version of the API: “https://…/v1beta”."""

    default_name = "Google"
    end_marker = "close"

    def __init__(self, *, base_url: str = "", timeouts: Timeouts | None = None) -> None:
        base_url = base_url or OFFICIAL_URL
        versioned = _VERSIONED_URL.fullmatch(base_url)
        self.api_version = versioned.group(2) if versioned else API_VERSION
        super().__init__(base_url=versioned.group(1) if versioned else base_url, timeouts=timeouts)
        silence_wire_logging("google_genai", "google_genai.models", "google_genai._api_client")

    def create_client(self, key: str, http: httpx2.AsyncClient) -> Any:
        """Over our HTTP client, which can be closed from outside: a stream that is left
        otherwise keeps its connection until some garbage collection."""
        options = types.HttpOptions(
            base_url=self.base_url,
            api_version=self.api_version,
            timeout=int(1000 * max(self.timeouts.first_delta, self.timeouts.idle)),
            httpx_async_client=http,
            httpx_client=_unused_sync_client(),
            async_client_args={"ssl": load_ssl_context()},  # It would load its own, in 30 ms.
        )
        return genai.Client(api_key=key, vertexai=False, http_options=options).aio

    async def send(self, client: Any, call: ProviderCall) -> AsyncGenerator[Any, None]:
        """Put the request; the chunks. The SDK has no way to hand over an answer unread, so it
        gets an empty one."""
        request = call.request
        contents = [
            types.Content(
                role="user" if turn.role == "user" else "model", parts=[types.Part(text=turn.text)]
            )
            for turn in request.turns
        ]
        call.hide_body_from_sdk = True
        async for _ in await client.models.generate_content_stream(
            model=request.model, contents=contents, config=build_generation_config(request)
        ):
            pass
        return call.iter_response_events("x-request-id")

    def parse_event(self, event: dict[str, Any], call: ProviderCall) -> Iterator[Delta]:
        """A blocked prompt has feedback and no candidates; usage stands in every chunk."""
        if event.get("error"):
            raise to_provider_error(parse_error(event), self.name, call.redact)
        call.record_request_id(event.get("responseId"))
        if counted := event.get("usageMetadata"):
            call.usage = parse_usage(counted)
        if blocked := (event.get("promptFeedback") or {}).get("blockReason"):
            detail = call.redact(f"blocked: {blocked}")
            raise errors.ContentRefused(provider=self.name, detail=detail)
        candidate: dict[str, Any] = next(iter(event.get("candidates") or ()), {})
        for part in (candidate.get("content") or {}).get("parts") or ():
            if text := part.get("text"):
                yield Delta(require_str(text), "reasoning" if part.get("thought") else "text")
        if stopped := normalize_reason(candidate.get("finishReason")):
            call.finish_reason = FINISH_REASONS.get(stopped, "other")

    def error_response(self, error: Exception) -> ErrorResponse | None:
        """An error that Google sent instead of a reply."""
        if not isinstance(error, APIError):
            return None
        return parse_error(
            error.details, error.code, getattr(error.response, "headers", None) or {}
        )

    async def fetch_models(self, client: Any) -> list[ModelInfo]:
        """The list, without what makes no text."""
        return [
            ModelInfo(
                id=model.name.removeprefix("models/"),
                label=model.display_name or "",
                context_window=model.input_token_limit,
                max_output=model.output_token_limit,
            )
            async for model in await client.models.list()
            if "generateContent" in (model.supported_actions or [])
        ]


@functools.cache
def _unused_sync_client() -> httpx2.Client:
    """The SDK makes itself a synchronous client as well, with certificates, unless it has one."""
    return httpx2.Client(verify=load_ssl_context())


def build_generation_config(request: Request) -> types.GenerateContentConfig:
    """Our request's settings. The SDK asks several times for one reply unless told not to."""
    return types.GenerateContentConfig(
        system_instruction=request.system or None,
        max_output_tokens=request.max_tokens,
        temperature=request.temperature,
        thinking_config=_build_thinking_config(request.model, request.reasoning_effort),
        automatic_continuation=False,
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
    )


def _build_thinking_config(model: str, effort: str | None) -> types.ThinkingConfig | None:
    if NON_REASONING_MODELS.match(model):
        return None
    if BUDGET_MODELS.match(model):
        budget = THINKING_BUDGETS.get(effort or "")
        return types.ThinkingConfig(include_thoughts=True, thinking_budget=budget)
    level = types.ThinkingLevel.__members__.get((effort or "").upper())
    return types.ThinkingConfig(include_thoughts=True, thinking_level=level)


def parse_error(
    body: Any, status: int = 0, headers: Mapping[str, str] | None = None
) -> ErrorResponse:
    """What an error of Google's says: the body of an answer, or an event in a stream. What it
    means stands in the details; so does the delay."""
    inner = body.get("error", body) if isinstance(body, dict) else None
    told = inner if isinstance(inner, dict) else {}
    details = [one for one in told.get("details") or () if isinstance(one, dict)]
    reasons = " ".join(str(detail.get("reason", "")) for detail in details)
    message = str(told.get("message") or body)
    named = _NAMED_PARAMETER.search(message)
    return ErrorResponse(
        status=status or (code if isinstance(code := told.get("code"), int) else 0),
        codes=f"{told.get('status') or ''} {reasons}",
        message=message,
        param=next((name for name in named.groups() if name), "") if named else "",
        request_id=(headers or {}).get("x-request-id", ""),
        retry_after=_parse_retry_delay(details, parse_retry_after(headers or {})),
    )


def parse_usage(counts: dict[str, Any]) -> Usage:
    """The tokens of the whole request. Google counts thoughts apart from the rest of the output."""
    spoken, thought = counts.get("candidatesTokenCount"), counts.get("thoughtsTokenCount")
    return Usage(
        input=counts.get("promptTokenCount"),
        output=None if spoken is None and thought is None else (spoken or 0) + (thought or 0),
        reasoning=thought,
        cached=counts.get("cachedContentTokenCount"),
    )


def _parse_retry_delay(details: list[dict[str, Any]], from_headers: float | None) -> float | None:
    """Seconds to wait: from the headers, or where Google mostly says it."""
    for detail in details:
        if from_headers is None and (
            seconds := _DURATION.fullmatch(str(detail.get("retryDelay", "")))
        ):
            from_headers = float(seconds.group(1))
    return from_headers

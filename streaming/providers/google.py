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
from .base import Delta, ListedModel, Reason, Request, Timeouts, Usage
from .exchange import (
    Answer,
    Exchange,
    Remote,
    certificates,
    hush,
    retry_after,
    understood,
    whole,
    word,
)

OFFICIAL_URL = "https://generativelanguage.googleapis.com"
API_VERSION = "v1"
_VERSIONED = re.compile(r"(.*)/(v\d+\w*)/?")

# These think in budgets of tokens instead of levels, and those not at all.
BUDGETS = {"minimal": 512, "low": 2_048, "medium": 8_192, "high": 24_576}
WITH_BUDGET = re.compile(r"gemini-2\.5")
UNTHINKING = re.compile(r"gemini-(1|2\.0)|gemma")

FILTERED = (
    "SAFETY RECITATION LANGUAGE BLOCKLIST PROHIBITED_CONTENT SPII IMAGE_SAFETY ESCALATION"
    " PUP_LIMITED_DISABLED MODEL_ARMOR"
)
REASONS: dict[str, Reason] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "CONTINUATION": "length",
    **dict.fromkeys(FILTERED.split(), "content_filter"),
}
# The SDK warns of a word it does not know, and would write it into our logs.
warnings.filterwarnings("ignore", ".* is not a valid", module=r"google\.genai")

_SECONDS = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)s")
_NAMED = re.compile(r'Unknown name "(\w+)"|[Pp]arameter `?(\w+)|^([a-z_]+) is not supported')


class Google(Remote):
    """The adapter. A base URL may end in the version of the API: “https://…/v1beta”."""

    provider = "Google"
    last = "close"

    def __init__(self, *, base_url: str = "", timeouts: Timeouts | None = None) -> None:
        base_url = base_url or OFFICIAL_URL
        versioned = _VERSIONED.fullmatch(base_url)
        self.version = versioned.group(2) if versioned else API_VERSION
        super().__init__(base_url=versioned.group(1) if versioned else base_url, timeouts=timeouts)
        hush("google_genai", "google_genai.models", "google_genai._api_client")

    def client(self, key: str, http: httpx2.AsyncClient) -> Any:
        """Over our HTTP client, which can be closed from outside: a stream that is left
        otherwise keeps its connection until some garbage collection."""
        options = types.HttpOptions(
            base_url=self.base_url,
            api_version=self.version,
            timeout=int(1000 * max(self.timeouts.first, self.timeouts.idle)),
            httpx_async_client=http,
            httpx_client=_unused(),
            async_client_args={"ssl": certificates()},  # It would load its own, in 30 ms.
        )
        return genai.Client(api_key=key, vertexai=False, http_options=options).aio

    async def open(self, client: Any, exchange: Exchange) -> AsyncGenerator[Any, None]:
        """Put the request; the chunks. The SDK has no way to hand over an answer unread, so it
        gets an empty one."""
        request = exchange.request
        contents = [
            types.Content(
                role="user" if turn.role == "user" else "model", parts=[types.Part(text=turn.text)]
            )
            for turn in request.turns
        ]
        exchange.apart = True
        async for _ in await client.models.generate_content_stream(
            model=request.model, contents=contents, config=config(request)
        ):
            pass
        return exchange.sent("x-request-id")

    def read(self, event: dict[str, Any], exchange: Exchange) -> Iterator[Delta]:
        """A blocked prompt has feedback and no candidates; usage stands in every chunk."""
        if event.get("error"):
            raise understood(said(event), self.name, exchange.scrub)
        exchange.named(event.get("responseId"))
        if counted := event.get("usageMetadata"):
            exchange.usage = usage(counted)
        if blocked := (event.get("promptFeedback") or {}).get("blockReason"):
            detail = exchange.scrub(f"blocked: {blocked}")
            raise errors.Refused(provider=self.name, detail=detail)
        candidate: dict[str, Any] = next(iter(event.get("candidates") or ()), {})
        for part in (candidate.get("content") or {}).get("parts") or ():
            if text := part.get("text"):
                yield Delta(whole(text), "reasoning" if part.get("thought") else "text")
        if stopped := word(candidate.get("finishReason")):
            exchange.reason = REASONS.get(stopped, "other")

    def answered(self, error: Exception) -> Answer | None:
        """An error that Google sent instead of a reply."""
        if not isinstance(error, APIError):
            return None
        return said(error.details, error.code, getattr(error.response, "headers", None) or {})

    async def listed(self, client: Any) -> list[ListedModel]:
        """The list, without what makes no text."""
        return [
            ListedModel(
                id=model.name.removeprefix("models/"),
                label=model.display_name or "",
                context_window=model.input_token_limit,
                max_output=model.output_token_limit,
            )
            async for model in await client.models.list()
            if "generateContent" in (model.supported_actions or [])
        ]


@functools.cache
def _unused() -> httpx2.Client:
    """The SDK makes itself a synchronous client as well, with certificates, unless it has one."""
    return httpx2.Client(verify=certificates())


def config(request: Request) -> types.GenerateContentConfig:
    """Our request's settings. The SDK asks several times for one reply unless told not to."""
    return types.GenerateContentConfig(
        system_instruction=request.system or None,
        max_output_tokens=request.max_tokens,
        temperature=request.temperature,
        thinking_config=_thinking(request.model, request.reasoning_effort),
        automatic_continuation=False,
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
    )


def _thinking(model: str, effort: str | None) -> types.ThinkingConfig | None:
    if UNTHINKING.match(model):
        return None
    if WITH_BUDGET.match(model):
        budget = BUDGETS.get(effort or "")
        return types.ThinkingConfig(include_thoughts=True, thinking_budget=budget)
    level = types.ThinkingLevel.__members__.get((effort or "").upper())
    return types.ThinkingConfig(include_thoughts=True, thinking_level=level)


def said(body: Any, status: int = 0, headers: Mapping[str, str] | None = None) -> Answer:
    """What an error of Google's says: the body of an answer, or an event in a stream. What it
    means stands in the details; so does the delay."""
    inner = body.get("error", body) if isinstance(body, dict) else None
    told = inner if isinstance(inner, dict) else {}
    details = [one for one in told.get("details") or () if isinstance(one, dict)]
    reasons = " ".join(str(detail.get("reason", "")) for detail in details)
    message = str(told.get("message") or body)
    named = _NAMED.search(message)
    return Answer(
        status=status or (code if isinstance(code := told.get("code"), int) else 0),
        words=f"{told.get('status') or ''} {reasons}",
        message=message,
        param=next((name for name in named.groups() if name), "") if named else "",
        request_id=(headers or {}).get("x-request-id", ""),
        retry_after=_delay(details, retry_after(headers or {})),
    )


def usage(counted: dict[str, Any]) -> Usage:
    """The tokens of the whole request. Google counts thoughts apart from the rest of the output."""
    spoken, thought = counted.get("candidatesTokenCount"), counted.get("thoughtsTokenCount")
    return Usage(
        input=counted.get("promptTokenCount"),
        output=None if spoken is None and thought is None else (spoken or 0) + (thought or 0),
        reasoning=thought,
        cached=counted.get("cachedContentTokenCount"),
    )


def _delay(details: list[dict[str, Any]], told: float | None) -> float | None:
    """Seconds to wait: from the headers, or where Google mostly says it."""
    for detail in details:
        if told is None and (seconds := _SECONDS.fullmatch(str(detail.get("retryDelay", "")))):
            told = float(seconds.group(1))
    return told

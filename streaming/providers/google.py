"""Google's Gemini, through generateContent."""

import functools
import re
import warnings
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx2
from google import genai
from google.genai import types
from google.genai.errors import APIError

from . import errors
from .base import Delta, ListedModel, Reason, Request, Timeouts, Usage
from .exchange import Answer, Exchange, Remote, certificates, hush, retry_after, whole

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

    async def open(self, client: Any, exchange: Exchange) -> AsyncIterator[Any]:
        """Put the request; the SDK's chunks."""
        request = exchange.request
        contents = [
            types.Content(
                role="user" if turn.role == "user" else "model", parts=[types.Part(text=turn.text)]
            )
            for turn in request.turns
        ]
        opened: AsyncIterator[Any] = await client.models.generate_content_stream(
            model=request.model, contents=contents, config=config(request)
        )
        return opened

    def read(self, event: Any, exchange: Exchange) -> Iterator[Delta]:
        """A blocked prompt has feedback and no candidates; usage stands in every chunk."""
        headers = getattr(event.sdk_http_response, "headers", None) or {}
        exchange.named(headers.get("x-request-id") or event.response_id)
        if event.usage_metadata:
            exchange.usage = usage(event.usage_metadata)
        if event.prompt_feedback and event.prompt_feedback.block_reason:
            why = f"blocked: {event.prompt_feedback.block_reason.value}"
            raise errors.Refused(provider=self.name, detail=exchange.scrub(why))
        for candidate in (event.candidates or [])[:1]:
            for part in (candidate.content and candidate.content.parts) or []:
                if part.text:
                    yield Delta(whole(part.text), "reasoning" if part.thought else "text")
            if candidate.finish_reason:
                exchange.reason = REASONS.get(candidate.finish_reason.value, "other")

    def answered(self, error: Exception) -> Answer | None:
        """An error that Google sent. What it means stands in the details; so does the delay."""
        if not isinstance(error, APIError):
            return None
        headers = getattr(error.response, "headers", None) or {}
        details = _details(error)
        reasons = " ".join(str(detail.get("reason", "")) for detail in details)
        message = str(error.message or error.details)
        named = _NAMED.search(message)
        return Answer(
            status=error.code,
            words=f"{error.status or ''} {reasons}",
            message=message,
            param=next((name for name in named.groups() if name), "") if named else "",
            request_id=headers.get("x-request-id", ""),
            retry_after=_delay(details, retry_after(headers)),
        )

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


def usage(counted: Any) -> Usage:
    """The tokens of the whole request. Google counts thoughts apart from the rest of the output."""
    said, thought = counted.candidates_token_count, counted.thoughts_token_count
    return Usage(
        input=counted.prompt_token_count,
        output=None if said is None and thought is None else (said or 0) + (thought or 0),
        reasoning=thought,
        cached=counted.cached_content_token_count,
    )


def _details(error: APIError) -> list[dict[str, Any]]:
    """The list of details in an error's body, however much of it is there."""
    body = error.details
    inner = body.get("error", body) if isinstance(body, dict) else None
    details = inner.get("details") if isinstance(inner, dict) else None
    return [one for one in details if isinstance(one, dict)] if isinstance(details, list) else []


def _delay(details: list[dict[str, Any]], told: float | None) -> float | None:
    """Seconds to wait: from the headers, or where Google mostly says it."""
    for detail in details:
        if told is None and (seconds := _SECONDS.fullmatch(str(detail.get("retryDelay", "")))):
            told = float(seconds.group(1))
    return told

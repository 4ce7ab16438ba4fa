"""OpenAI's Chat Completions, and every server that speaks them, through the official SDK.

Promises: one request per reply, no retries of the SDK's own, the connection closed whenever the
generator ends, and no success without a `finish_reason`.
"""

import asyncio
import email.utils
import functools
import logging
import re
import ssl
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing
from datetime import date
from typing import Any

import httpx2
import openai
from openai.types.chat import ChatCompletionChunk

from . import errors
from .base import Delta, Event, Finish, ListedModel, Reason, Request, Timeouts, Usage, clean

OFFICIAL_URL = "https://api.openai.com/v1"
AFTER_FINISH = 5.0  # Seconds to wait for the usage once the end marker is here.
UNREAD_LIMIT = 1 << 20  # Bytes a provider may send without completing one event.

REASONS: dict[str, Reason] = {
    "stop": "stop",
    "length": "length",
    "content_filter": "content_filter",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
}

# Tried in order on what a provider answered: our error, its statuses, its words for it.
# The words are looked for in the error's code and type, where compatible servers agree most.
ERRORS: tuple[tuple[type[errors.ProviderError], frozenset[int], re.Pattern[str]], ...] = (
    (
        errors.NoCredit,
        frozenset({402}),
        re.compile("insufficient_(quota|balance|credit)|billing|spend_limit"),
    ),
    (errors.InvalidKey, frozenset({401}), re.compile("invalid_api_key|authentication_error")),
    (errors.NoPermission, frozenset({403}), re.compile("permission|unsupported_country")),
    (errors.ContextTooLong, frozenset({413}), re.compile("context_length|context_window")),
    (
        errors.Refused,
        frozenset(),
        re.compile("content_(policy|filter)|invalid_prompt|moderation|bio_policy"),
    ),
    (errors.RateLimited, frozenset({429}), re.compile("rate_limit|too_many_requests")),
    (errors.ModelNotFound, frozenset({404}), re.compile("model_not_found")),
    (errors.BadRequest, frozenset({400, 422}), re.compile("invalid_request")),
    (errors.TimedOut, frozenset({408}), re.compile("timeout")),
    (
        errors.Overloaded,
        frozenset({502, 503, 504, 529}),
        re.compile("overloaded|server_error|unavailable|slow_down"),
    ),
)
TOO_LONG = re.compile(r"context (length|window)|maximum context|too many tokens", re.IGNORECASE)


class OpenAI:
    """The adapter; without `base_url` it speaks to OpenAI itself.

    Making one loads the certificates and the SDK's parts, some 0.1 s: do it in a thread.
    """

    def __init__(self, *, base_url: str = "", timeouts: Timeouts | None = None) -> None:
        self.base_url = base_url or OFFICIAL_URL
        self.timeouts = timeouts or Timeouts()
        self.official = httpx2.URL(self.base_url).host == httpx2.URL(OFFICIAL_URL).host
        self.name = "OpenAI" if self.official else "The provider"
        warm_up()

    def stream(self, request: Request, key: str) -> AsyncGenerator[Event, None]:
        """Stream one reply. Raises `errors.ProviderError`; cancelling closes the connection."""
        return clean(self._events(request, key))

    async def models(self, key: str) -> tuple[ListedModel, ...]:
        """The models that the provider lists for this key. Raises `errors.ProviderError`."""
        if not usable(key):
            raise errors.InvalidKey(provider=self.name)
        exchange = _Exchange(self.timeouts, errors.scrubber(key))
        client = self._client(key, exchange)
        del key
        try:
            async with client, asyncio.timeout(self.timeouts.idle):
                return tuple([listed(model) async for model in client.models.list()])
        except Exception as error:
            failure = exchange.failure(error, self.name)
        raise failure

    async def _events(self, request: Request, key: str) -> AsyncGenerator[Event, None]:
        if not usable(key):
            raise errors.InvalidKey(provider=self.name)
        exchange = _Exchange(self.timeouts, errors.scrubber(key))
        client = self._client(key, exchange)
        del key  # A traceback that prints locals finds none from here on.
        failure: errors.ProviderError | None = None
        try:
            arguments = body(request, official=self.official)
            async with client, aclosing(exchange.deltas(client, arguments)) as deltas:
                async for delta in deltas:
                    yield delta
        except Exception as error:
            failure = exchange.failure(error, self.name)
        # Raised outside of the handler, so that not even its context holds what the SDK knew.
        if exchange.reason:
            yield Finish(exchange.reason, exchange.usage, exchange.request_id)
        elif failure:
            raise failure

    def _client(self, key: str, exchange: "_Exchange") -> openai.AsyncOpenAI:
        """A client for one reply: 0.3 ms, and nothing to share, to close later or to leak."""
        times = self.timeouts
        timeout = httpx2.Timeout(max(times.first, times.idle), connect=times.connect)
        client = openai.AsyncOpenAI(
            api_key=key,
            base_url=self.base_url,
            max_retries=0,
            timeout=timeout,
            http_client=httpx2.AsyncClient(
                verify=certificates(),
                timeout=timeout,
                follow_redirects=False,  # Neither key nor conversation goes anywhere else.
                headers={"Accept-Encoding": "identity"},
                event_hooks={"response": [exchange.meter]},
            ),
        )
        # The SDK takes these from the server's environment; they don't belong to this key.
        client.organization = client.project = None
        return client


def listed(model: Any) -> ListedModel:
    """A model of the list. OpenAI tells no windows, and of a lifecycle only its end."""
    shutdown = getattr(model, "shutdown_date", None)
    return ListedModel(model.id, shutdown=date.fromisoformat(shutdown[:10]) if shutdown else None)


class _Exchange:
    """What is known of one request while its reply streams."""

    def __init__(self, timeouts: Timeouts, scrub: Callable[[str], str]) -> None:
        self.timeouts = timeouts
        self.scrub = scrub
        self.heard = False
        self.refused = False
        self.reason: Reason | None = None
        self.usage: Usage | None = None
        self.request_id = ""
        self.unread = 0

    async def deltas(
        self, client: openai.AsyncOpenAI, arguments: dict[str, Any]
    ) -> AsyncGenerator[Delta, None]:
        """The reply's deltas as they come; the rest of what is said ends in the attributes."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + self.timeouts.first
        async with asyncio.timeout_at(deadline):
            chunks: openai.AsyncStream[ChatCompletionChunk]
            chunks = await client.chat.completions.create(**arguments, stream=True)
        self.request_id = self.scrub(chunks.response.headers.get("x-request-id", ""))
        async with chunks:
            while True:
                async with asyncio.timeout_at(deadline):
                    chunk = await anext(chunks, None)
                if chunk is None:
                    return
                self.unread = 0
                for delta in self._read(chunk):
                    self.heard = True
                    yield delta
                if self.reason:
                    deadline = clock() + min(AFTER_FINISH, self.timeouts.idle)
                elif self.heard:
                    deadline = clock() + self.timeouts.idle

    def _read(self, chunk: ChatCompletionChunk) -> Iterator[Delta]:
        if chunk.usage:
            self.usage = usage(chunk)
        if not self.request_id:
            self.request_id = self.scrub(chunk.id or "")
        if not chunk.choices:
            return
        choice = chunk.choices[0]
        if choice.delta:
            yield from added(choice.delta)
            self.refused = self.refused or bool(choice.delta.refusal)
        if choice.finish_reason:
            stopped = REASONS.get(choice.finish_reason, "other")
            self.reason = "refusal" if self.refused and stopped == "stop" else stopped

    async def meter(self, response: httpx2.Response) -> None:
        """Put a limit on what may pile up in the SDK's line and event buffers, which have none."""
        if response.headers.get("content-encoding", "identity") != "identity":
            raise errors.ProviderError("The provider sent a compressed answer nobody asked for.")
        response.stream = _Metered(response.stream, self)

    def failure(self, error: Exception, name: str) -> errors.ProviderError:
        """The error in our words, holding on to nothing of the original."""
        translated = translate(error, name=name, heard=self.heard, scrub=self.scrub)
        translated.request_id = translated.request_id or self.request_id
        return translated


class _Metered(httpx2.AsyncByteStream):
    """A response's bytes, refused when too many of them make no event."""

    def __init__(self, stream: Any, exchange: _Exchange) -> None:
        self.stream = stream
        self.exchange = exchange

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self.stream:
            self.exchange.unread += len(part)
            if self.exchange.unread > UNREAD_LIMIT:
                raise errors.ProviderError("The provider sent more than one event can hold.")
            yield part

    async def aclose(self) -> None:
        await self.stream.aclose()


def body(request: Request, *, official: bool) -> dict[str, Any]:
    """Our request as the arguments of a chat completion.

    The reasoning models know only `max_completion_tokens`, most compatible servers only its
    older name; what may be refused and wasn't asked for is left out.
    """
    system = [{"role": "system", "content": request.system}] if request.system else []
    turns = [{"role": turn.role, "content": turn.text} for turn in request.turns]
    options: dict[str, Any] = {"include_usage": True}
    if official:
        options["include_obfuscation"] = False
    arguments: dict[str, Any] = {
        "model": request.model,
        "messages": system + turns,
        "stream_options": options,
    }
    if request.max_tokens is not None:
        arguments["max_completion_tokens" if official else "max_tokens"] = request.max_tokens
    if request.temperature is not None:
        arguments["temperature"] = request.temperature
    return arguments


def added(delta: Any) -> Iterator[Delta]:
    """What a chunk adds. Reasoning is no part of the API; servers that send it name it twofold."""
    reasoning = getattr(delta, "reasoning", None) or getattr(delta, "reasoning_content", None)
    if reasoning:
        yield Delta(_text(reasoning), "reasoning")
    if delta.content:
        yield Delta(_text(delta.content))
    if delta.refusal:
        yield Delta(_text(delta.refusal))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"A delta held {type(value).__name__} instead of text.")
    return value


def usage(chunk: ChatCompletionChunk) -> Usage:
    """The tokens of the whole request, which come with the last chunk."""
    counted: Any = chunk.usage
    prompt = getattr(counted, "prompt_tokens_details", None)
    completion = getattr(counted, "completion_tokens_details", None)
    return Usage(
        input=counted.prompt_tokens,
        output=counted.completion_tokens,
        reasoning=getattr(completion, "reasoning_tokens", None),
        cached=getattr(prompt, "cached_tokens", None),
    )


def translate(
    error: Exception, *, name: str, heard: bool, scrub: Callable[[str], str]
) -> errors.ProviderError:
    """What went wrong, in our tree. The result has no cause: the original may hold the key."""
    cause = error.__cause__ if isinstance(error, openai.APIConnectionError) else error
    detail = scrub(f"{type(cause).__name__}: {cause}")
    if isinstance(error, errors.ProviderError):
        return error.with_traceback(None)
    if isinstance(error, openai.APIError) and not isinstance(error, openai.APIConnectionError):
        return _answered(error, name, scrub)
    if isinstance(cause, httpx2.ConnectTimeout):
        return errors.Network(provider=name, detail=detail)
    if isinstance(cause, (httpx2.TimeoutException, TimeoutError)):
        return errors.TimedOut(provider=name, detail=detail)
    if isinstance(cause, (httpx2.HTTPError, OSError)):
        broken = errors.Interrupted if heard else errors.Network
        return broken(provider=name, detail=detail)
    return errors.ProviderError(f"{name} sent something that could not be read.", detail=detail)


def _answered(
    error: openai.APIError, name: str, scrub: Callable[[str], str]
) -> errors.ProviderError:
    """An error that the provider sent, with a status or as an event in the stream."""
    response = error.response if isinstance(error, openai.APIStatusError) else None
    headers = response.headers if response else httpx2.Headers()
    code = str(error.code or "")
    status = response.status_code if response else int(code) if re.fullmatch(r"\d{3}", code) else 0
    said = _said(error)
    kind = _kind(status, f"{code} {error.type or ''}", said)
    known: dict[str, Any] = {
        "provider": name,
        "detail": scrub(said),
        "request_id": scrub(headers.get("x-request-id", "")),
        "status": status or None,
        "retry_after": retry_after(headers),
    }
    if issubclass(kind, errors.BadRequest):
        return kind(param=scrub(str(error.param or "")), **known)
    if kind is errors.ProviderError:
        return kind(retryable=status == 409 or status >= 500, **known)
    return kind(**known)


def _said(error: openai.APIError) -> str:
    """The provider's words; the SDK leaves out those that are not where OpenAI puts them."""
    told = isinstance(error.body, dict) and "message" in error.body
    return error.message if told or not error.body else f"{error.message}: {error.body}"


def _kind(status: int, words: str, message: str) -> type[errors.ProviderError]:
    if status in {0, 400, 422} and TOO_LONG.search(message):
        return errors.ContextTooLong
    # A word says more than a status: 429 is also how OpenAI says that there is no credit left.
    for kind, _, pattern in ERRORS:
        if pattern.search(words) and kind is not errors.BadRequest:
            return kind
    return next((kind for kind, statuses, _ in ERRORS if status in statuses), _unlisted(words))


def _unlisted(words: str) -> type[errors.ProviderError]:
    return errors.BadRequest if "invalid_request" in words else errors.ProviderError


def retry_after(headers: httpx2.Headers) -> float | None:
    """Seconds the provider asks us to wait: milliseconds, seconds or a date in its headers."""
    millis, value = headers.get("retry-after-ms", ""), headers.get("retry-after", "")
    if _NUMBER.fullmatch(millis):
        return float(millis) / 1000
    if _NUMBER.fullmatch(value):
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None


_NUMBER = re.compile(r"\d{1,9}(\.\d{1,9})?")


def usable(key: str) -> bool:
    """Whether a key can stand in a header at all; others would be quoted by the HTTP library."""
    return bool(key) and key.isascii() and key.isprintable() and " " not in key


@functools.cache
def certificates() -> ssl.SSLContext:
    """The trusted certificates, loaded once: 25 ms that no event loop should wait for."""
    return httpx2.create_ssl_context()


@functools.cache
def warm_up() -> None:
    """Load what the SDK loads on first use, and keep the wire out of the logs.

    At DEBUG they log response headers and at INFO the reason phrase: a provider that echoes a key
    there must not get it into our logs.
    """
    certificates()
    for library in ("openai", "httpx2", "httpcore2"):
        logging.getLogger(library).setLevel(logging.WARNING)
    _ = openai.AsyncOpenAI(api_key="none").chat.completions

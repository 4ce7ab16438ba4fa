"""One request to a provider, whatever its SDK: deadlines, limits, errors, and no key in any.

`HttpAdapter` is what the adapters of real providers share. An adapter adds what is the provider's
own: a client, how a request is put, how an event is read, and what an error says.
"""

import asyncio
import email.utils
import functools
import logging
import re
import ssl
import time
import traceback
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import httpx2

from . import errors, sse
from .asyncio_transport import AsyncioTransport, has_proxy
from .base import (
    Delta,
    Finish,
    FinishReason,
    ModelInfo,
    ReplyEvent,
    Request,
    Timeouts,
    Usage,
    sanitize_events,
)

USAGE_WAIT_SECONDS = 15.0  # Seconds to wait for the usage once nothing but it can come.
MAX_EVENT_BYTES = 1 << 20  # Bytes a provider may send without completing one event.
LENGTH_HEADERS = {"transfer-encoding", "content-length"}  # Without one, a cut looks like an end.
NETWORK_ERROR_CODES = {"network", "timeout", "interrupted"}  # The codes of what the network did.
# What servers write where a reason would stand, and mean that there is none yet.
EMPTY_REASONS = {"", "null", "none", "undefined", "finish_reason_unspecified"}
# What reading an event of an unknown shape raises.
PARSE_ERRORS = (ValueError, TypeError, AttributeError, LookupError, RecursionError)
PLACEHOLDER_KEY = "none"  # What the SDKs, which want some key, send to a server that needs none.

# Tried in order on what a provider answered: our error, its statuses, its words for it.
# The words are looked for in the error's codes and types, where providers agree most.
ERROR_RULES: tuple[tuple[type[errors.ProviderError], frozenset[int], re.Pattern[str]], ...] = tuple(
    (kind, frozenset(statuses), re.compile(words, re.IGNORECASE))
    for kind, statuses, words in (
        (errors.NoCredit, {402}, "insufficient_(quota|balance|credit)|billing|spend_limit"),
        (
            errors.InvalidKey,
            {401},
            r"(invalid_api_key|api_key_invalid)|authentication_error|\bunauthenticated\b",
        ),
        (errors.NoPermission, {403}, "permission|unsupported_country|failed_precondition"),
        (errors.ContextTooLong, {413}, "context_(length|window)|request_too_large"),
        (
            errors.ContentRefused,
            (),
            "content_(policy|filter)|invalid_prompt|moderation|bio_policy|policy_violation",
        ),
        (errors.RateLimited, {429}, "rate_limit|too_many_requests|resource_exhausted"),
        (errors.ModelNotFound, {404}, r"model_not_found|\bnot_found(_error)?\b"),
        (errors.BadRequest, {400, 422}, "invalid_(request|argument)"),
        (errors.TimedOut, {408}, "timeout|deadline_exceeded"),
        (
            errors.Overloaded,
            {502, 503, 504, 529},
            r"overloaded|server_error|\bapi_error|unavailable|slow_down|\binternal\b",
        ),
    )
)
# What some say only in a sentence, under a status that means less.
MESSAGE_RULES: tuple[tuple[type[errors.ProviderError], frozenset[int], re.Pattern[str]], ...] = (
    (
        errors.ContextTooLong,
        frozenset({0, 400, 422}),
        re.compile(
            r"context (length|window)|maximum context|too many tokens|prompt is too long"
            r"|token count .{0,40}exceeds",
            re.IGNORECASE,
        ),
    ),
    (
        errors.NoCredit,
        frozenset({0, 400, 429}),
        re.compile(r"credit balance is too low|spend(ing)? limit|\blimit: 0\b", re.IGNORECASE),
    ),
)
_NUMBER = re.compile(r"\d+(\.\d+)?", re.ASCII)
MAX_RETRY_AFTER_SECONDS = 86400.0 * 365  # Seconds. Who asks for more means never.


@dataclass(frozen=True, slots=True)
class ErrorResponse:
    """What a provider said instead of a reply, in its own words; status 0 where it gave none.

    `words` are its codes and types, `message` is its sentence.
    """

    status: int
    codes: str
    message: str
    param: str = ""
    request_id: str = ""
    retry_after: float | None = None


class ProviderCall:
    """What is known of one request while its reply streams."""

    def __init__(
        self, request: Request, timeouts: Timeouts, provider_name: str, redact: Callable[[str], str]
    ) -> None:
        self.request = request
        self.provider_name = provider_name
        self.timeouts = timeouts
        self.redact = redact
        self.max_event_bytes = MAX_EVENT_BYTES
        self.unparsed_bytes = 0
        self.hide_body_from_sdk = False  # The SDK is to see nothing of a reply's body.
        self.response: httpx2.Response | None = None
        self.body: _LimitedBody | None = None
        self.has_delta = False
        self.event_has_delta = False  # The event that is being read adds something to the reply.
        self.has_refusal = False
        self.has_text = False  # There is text, and not reasoning or blanks only.
        self.has_end_event = False  # The wire's own last event was read: nothing comes after it.
        self.has_done_marker = False  # The stream said [DONE].
        self.is_body_complete = False  # The body ended where its headers say that it does.
        self.has_open_block = (
            False  # A part of the reply is open, which its protocol closes before the end.
        )
        self.finish_reason: FinishReason | None = None
        self.has_early_reason = (
            False  # A reason came before any text, together with some or midway.
        )
        self.has_delta_after_reason = (
            False  # Something was added after a reason: the next may be none either.
        )
        self.is_reason_credible = False  # The last reason is not one of a row that text comes with.
        self.skipped_error: Exception | None = None  # What could not be read after a reason.
        self.usage: Usage | None = None
        self.request_id = ""
        self.upstream_id = ""

    def record_request_id(self, request_id: str | None) -> None:
        """Keep the first id that the provider gives to this request."""
        self.request_id = self.request_id or self.redact(request_id or "")

    async def handle_response(self, response: httpx2.Response) -> None:
        """Keep the answer, and put a limit on what may pile up in buffers, which have none."""
        if response.headers.get("content-encoding", "identity") != "identity":
            if response.is_error:  # What it means is in its status too.
                answer = ErrorResponse(
                    response.status_code, "", "", retry_after=parse_retry_after(response.headers)
                )
                raise to_provider_error(answer, self.provider_name, self.redact)
            raise errors.ProviderError("The provider sent a compressed answer nobody asked for.")
        self.response = response
        self.body = response.stream = _LimitedBody(response, self)
        if self.hide_body_from_sdk and response.is_success:
            response.stream = httpx2.ByteStream(b"")

    def iter_response_events(self, id_header: str) -> AsyncGenerator[dict[str, Any], None]:
        """The events of the answer as plain objects, read past the SDK, which made the request
        and raised what was wrong with it: its own objects cost several times as much to make."""
        assert self.response is not None
        assert self.body is not None
        self.record_request_id(self.response.headers.get(id_header))
        return sse.decode_events(
            self.body.__aiter__(),
            on_done=self._on_done_marker,
            on_json_body=self._on_json_body,
            on_unreadable=lambda error: self.skip_or_raise(error, self.finish_reason),
        )

    def _on_done_marker(self) -> None:
        self.has_done_marker = True

    def _on_json_body(self) -> None:
        self.is_body_complete = (
            True  # A document that can be read has its end, whatever the headers say.
        )

    def skip_or_raise(self, error: Exception, reason: FinishReason | None) -> None:
        """Let an event pass that can't be read, if the reply may have ended before it for
        `reason`; raise its error where it may have been a part of the reply."""
        if reason is None or (self.has_delta_after_reason and not self.is_reason_credible):
            raise error
        self.skipped_error = self.skipped_error or error.with_traceback(None)

    def record_delta(self, delta: Delta) -> None:
        """Note that something is added. Raises what was excused before it: it was not the end."""
        self.has_delta = self.event_has_delta = True
        if not self.has_text and delta.kind == "text":
            self.has_text = not delta.text.isspace()
        if self.skipped_error:
            raise self.skipped_error

    def judge_finish_reason(self, previous_reason: FinishReason | None) -> None:
        """Judge the reasons after an event: `before` was given earlier, `reason` by this event.

        A reason ends a reply only if nothing is added after it. Some servers put one into every
        event, or into an empty one before the text: theirs ends nothing.
        """
        if previous_reason and self.event_has_delta:
            self.has_delta_after_reason = True
        if self.finish_reason:
            self.is_reason_credible = not self.has_open_block and not (
                previous_reason and self.event_has_delta
            )
            self.has_early_reason = (
                self.has_early_reason
                or self.event_has_delta
                or self.has_open_block
                or not self.has_text
            )
        elif not self.event_has_delta:
            self.finish_reason = previous_reason

    def resolve_finish_reason(
        self, end_marker: Literal["event", "done", "close"], failure: errors.ProviderError | None
    ) -> FinishReason | None:
        """Why the reply ended, if the provider has said that it did. `end_marker` is what ends this
        wire's streams, `failure` what ended this one. Raises ProviderError for no reply at all.

        A reason after all of the text needs nothing else. One that came too early, or with text,
        may stand in every event of a server: it ends a reply if the body ends whole, and one that
        text came after if in addition it is not of a row of such.
        """
        empty = not self.has_text and not self.request.is_continuation
        if self.has_end_event or (end_marker == "done" and self.has_done_marker):
            if self.finish_reason is None and empty:
                raise errors.ProviderError(
                    f"{self.provider_name} ended its reply without any text. Try again.",
                    upstream_id=self.request_id,
                )
            return self.finish_reason or "unknown"
        if not self.has_early_reason and not self.has_delta_after_reason:
            return self.finish_reason
        if (
            failure
            and self.request.is_continuation
            and not self.has_delta
            and not self.has_delta_after_reason
        ):
            return self.finish_reason if failure.code in NETWORK_ERROR_CODES else None
        closed = failure is None and (self.is_body_complete or self.has_done_marker)
        believed = (
            end_marker == "close" or self.is_reason_credible or not self.has_delta_after_reason
        )
        return self.finish_reason if closed and believed else None

    async def iter_with_deadlines(self, opening: Any) -> AsyncGenerator[Any, None]:
        """The SDK's events as they come, none of them later than the limits allow."""
        clock = asyncio.get_running_loop().time
        times = self.timeouts
        said = clock()
        deadline = said + times.first_delta
        async with asyncio.timeout_at(deadline):
            events = await opening
        async with aclosing(events):
            while not self.has_end_event:
                async with asyncio.timeout_at(deadline):
                    event = await anext(events, None)
                if event is None:
                    return
                self.unparsed_bytes, self.event_has_delta = 0, False
                if event:
                    yield event
                now = clock()
                if self.event_has_delta:
                    said = now
                if (
                    self.finish_reason
                    and not self.has_early_reason
                    and not self.has_delta_after_reason
                ):
                    deadline = min(deadline, now + USAGE_WAIT_SECONDS)
                elif self.has_delta:
                    deadline = min(now + times.idle, said + times.reasoning)
                else:
                    deadline = min(max(deadline, now + times.idle), said + times.reasoning)


class _LimitedBody(httpx2.AsyncByteStream):
    """A response's bytes, refused when too many of them make no event."""

    def __init__(self, response: httpx2.Response, call: ProviderCall) -> None:
        self.stream: Any = response.stream
        self.call = call
        self.has_declared_length = not response.headers.keys().isdisjoint(LENGTH_HEADERS)

    async def __aiter__(self) -> AsyncGenerator[bytes, None]:
        async with aclosing(aiter(self.stream)) as parts:
            async for part in parts:
                self.call.unparsed_bytes += len(part)
                if self.call.unparsed_bytes > self.call.max_event_bytes:
                    raise errors.ProviderError("The provider sent more than one event can hold.")
                yield part
        self.call.is_body_complete = self.has_declared_length

    async def aclose(self) -> None:
        await self.stream.aclose()


class HttpAdapter:
    """An adapter that speaks to a server through the provider's SDK.

    Promises, for all of them: one request per reply, no retries of an SDK's own, the connection
    closed whenever the generator ends, and no success without the provider's end marker, which is
    a reason that nothing is added after, or the last mark of its protocol.
    Making one loads the certificates and the SDK's parts, some 0.1 s: do it in a thread.
    """

    default_name: ClassVar[str] = "the provider"
    end_marker: ClassVar[Literal["event", "done", "close"]] = "event"
    """The last mark of the protocol: an event, of which `parse_event` makes
    `ProviderCall.has_end_event`, [DONE], or none but that the body ends where it should."""

    def __init__(
        self, *, base_url: str = "", timeouts: Timeouts | None = None, name: str = ""
    ) -> None:
        self.base_url = base_url
        self.timeouts = timeouts or Timeouts()
        self.name = name or self.default_name
        self.is_keyless = False
        load_ssl_context()

    # To be said by each provider

    def create_client(self, key: str, http: httpx2.AsyncClient) -> Any:
        """The SDK's client for one exchange, over this HTTP client."""
        raise NotImplementedError

    async def send(self, client: Any, call: ProviderCall) -> AsyncGenerator[Any, None]:
        """Put the request; the events of its answer."""
        raise NotImplementedError

    def parse_event(self, event: Any, call: ProviderCall) -> Iterator[Delta]:
        """What one event adds to the reply; what else it says goes into the exchange."""
        raise NotImplementedError

    def error_response(self, error: Exception) -> ErrorResponse | None:
        """What the provider itself said, if this is how the SDK raises that."""
        raise NotImplementedError

    async def fetch_models(self, client: Any) -> list[ModelInfo]:
        """The provider's list of models."""
        raise NotImplementedError

    # What is said once for all

    def stream(self, request: Request, key: str) -> AsyncGenerator[ReplyEvent, None]:
        """Stream one reply. Raises `errors.ProviderError`; cancelling closes the connection."""
        return sanitize_events(self._stream_reply(request, key))

    async def list_models(self, key: str) -> tuple[ModelInfo, ...]:
        """The models that the provider lists for this key. Raises `errors.ProviderError`."""
        exchange = self._new_call(Request("", ()), key)
        failure: errors.ProviderError | None = None
        speaking = self._open_client(key, exchange)
        del key  # A traceback that prints locals finds none from here on.
        try:
            async with speaking as client, asyncio.timeout(self.timeouts.idle):
                return tuple(await self.fetch_models(client))
        except Exception as error:
            failure = self._sanitize_error(error, exchange)
        raise failure

    async def _stream_reply(self, request: Request, key: str) -> AsyncGenerator[ReplyEvent, None]:
        exchange = self._new_call(request, key)
        failure: errors.ProviderError | None = None
        deltas = self._stream_deltas(self._open_client(key, exchange), exchange)
        del key
        try:
            async with aclosing(deltas):
                async for delta in deltas:
                    yield delta
        except Exception as error:
            failure = self._sanitize_error(error, exchange)
        # Raised outside of the handler, so that not even its context holds what the SDK knew.
        if reason := exchange.resolve_finish_reason(self.end_marker, failure):
            counts = exchange.usage.to_counts() if exchange.usage else None
            yield Finish(reason, counts, exchange.request_id)
        elif failure:
            raise failure

    async def _stream_deltas(
        self, client_context: AbstractAsyncContextManager[Any], call: ProviderCall
    ) -> AsyncGenerator[Delta, None]:
        """Apart from the above, whose locals a traceback may print: events quote headers."""
        async with (
            client_context as client,
            aclosing(call.iter_with_deadlines(self.send(client, call))) as events,
        ):
            async for event in events:
                before, call.finish_reason = call.finish_reason, None
                try:
                    for delta in self.parse_event(event, call):
                        if delta.text:
                            call.record_delta(delta)
                        yield delta
                except PARSE_ERRORS as error:
                    call.skip_or_raise(error, None if call.event_has_delta else before)
                finally:
                    if before or call.finish_reason:
                        call.judge_finish_reason(before)

    def _new_call(self, request: Request, key: str) -> ProviderCall:
        if not is_header_safe(key) and (key or not self.is_keyless):
            raise errors.InvalidKey(provider=self.name)
        return ProviderCall(request, self.timeouts, self.name, errors.make_redactor(key))

    @asynccontextmanager
    async def _open_client(self, key: str, call: ProviderCall) -> AsyncIterator[Any]:
        """A client for one exchange: nothing to share, to close later or to leak.

        Closing the HTTP client closes the connection, even one that an SDK is still reading.
        """
        http = self._create_http_client(call)
        async with http:
            client = self.create_client(key or PLACEHOLDER_KEY, http)
            del key
            yield client

    def _create_http_client(self, call: ProviderCall) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(
            verify=load_ssl_context(),
            transport=None if has_proxy() else AsyncioTransport(load_ssl_context()),
            timeout=build_http_timeout(self.timeouts),
            follow_redirects=False,  # Neither key nor conversation goes anywhere else.
            headers={"Accept-Encoding": "identity"},
            event_hooks={"response": [call.handle_response]},
        )

    def _sanitize_error(self, error: Exception, call: ProviderCall) -> errors.ProviderError:
        """The error in our words, holding on to nothing of the original."""
        translated = self._translate_error(error, call)
        # An SDK's generators, which its frames hold, close now and not with some collection.
        traceback.clear_frames(error.__traceback__)
        translated.upstream_id = translated.upstream_id or call.request_id
        return translated.with_traceback(None)

    def _translate_error(self, error: Exception, call: ProviderCall) -> errors.ProviderError:
        for ours in (error, error.__cause__):  # An SDK may wrap what is raised under it.
            if isinstance(ours, errors.ProviderError):
                return ours
        if (answer := self.error_response(error)) is not None:
            return to_provider_error(answer, self.name, call.redact)
        # SDKs that wrap what went wrong on the way keep the original as the cause.
        cause = error.__cause__ if isinstance(error.__cause__, NETWORK_ERRORS) else error
        known: Any = {
            "provider": self.name,
            "detail": call.redact(f"{type(cause).__name__}: {cause}"),
        }
        if isinstance(cause, httpx2.ConnectTimeout):
            return errors.ConnectionFailed(**known)
        if isinstance(cause, (httpx2.TimeoutException, TimeoutError)):
            return errors.TimedOut(**known)
        if isinstance(cause, NETWORK_ERRORS):
            return (
                errors.Interrupted(**known) if call.has_delta else errors.ConnectionFailed(**known)
            )
        return errors.ProviderError(f"{self.name} sent something that could not be read.", **known)


NETWORK_ERRORS = (httpx2.HTTPError, OSError)


def to_provider_error(
    response: ErrorResponse, provider_name: str, redact: Callable[[str], str]
) -> errors.ProviderError:
    """An answer as the error of our tree that says what can be done about it."""
    kind = _classify_error(response)
    known: dict[str, Any] = {
        "provider": provider_name,
        "detail": redact(" ".join([*response.codes.split(), response.message])),
        "upstream_id": redact(response.request_id),
        "status": response.status or None,
        "retry_after": response.retry_after,
    }
    if issubclass(kind, errors.BadRequest):
        return kind(param=redact(response.param), **known)
    if kind is errors.ProviderError:
        return kind(retryable=response.status == 409 or response.status >= 500, **known)
    return kind(**known)


def _classify_error(response: ErrorResponse) -> type[errors.ProviderError]:
    for kind, statuses, pattern in MESSAGE_RULES:
        if response.status in statuses and pattern.search(response.message):
            return kind
    # A word says more than a status: 429 is also how OpenAI says that there is no credit left.
    for kind, _, pattern in ERROR_RULES:
        if pattern.search(response.codes) and kind is not errors.BadRequest:
            return kind
    unlisted = errors.BadRequest if _is_bad_request(response.codes) else errors.ProviderError
    return next(
        (kind for kind, statuses, _ in ERROR_RULES if response.status in statuses), unlisted
    )


def _is_bad_request(codes: str) -> bool:
    return any(p.search(codes) for kind, _, p in ERROR_RULES if kind is errors.BadRequest)


def parse_retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds the provider asks us to wait: milliseconds, seconds or a date in its headers."""
    millis, value = headers.get("retry-after-ms", ""), headers.get("retry-after", "")
    if _NUMBER.fullmatch(millis):
        return min(float(millis) / 1000, MAX_RETRY_AFTER_SECONDS)
    if _NUMBER.fullmatch(value):
        return min(float(value), MAX_RETRY_AFTER_SECONDS)
    try:
        wait = email.utils.parsedate_to_datetime(value).timestamp() - time.time()
        return min(max(wait, 0.0), MAX_RETRY_AFTER_SECONDS)
    except (ValueError, OverflowError):
        return None


def normalize_reason(reason: object) -> str:
    """The provider's word for why a reply ended; empty where it is only the place of one."""
    said = reason.strip() if isinstance(reason, str) else str(reason or "")
    return "" if said.lower() in EMPTY_REASONS else said


def require_str(value: object) -> str:
    """The text of a delta, which may be anything that the server sent; null is none."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise TypeError(f"A delta held {type(value).__name__} instead of text.")
    return value


def build_http_timeout(timeouts: Timeouts) -> httpx2.Timeout:
    """The HTTP client's own limits, which the deadlines of an exchange undercut."""
    return httpx2.Timeout(max(timeouts.first_delta, timeouts.idle), connect=timeouts.connect)


def is_header_safe(key: str) -> bool:
    """Whether a key can stand in a header at all; others would be quoted by the HTTP library."""
    return bool(key) and key.isascii() and key.isprintable() and " " not in key


@functools.cache
def load_ssl_context() -> ssl.SSLContext:
    """The trusted certificates, loaded once: 25 ms that no event loop should wait for."""
    return httpx2.create_ssl_context()


@functools.cache
def silence_wire_logging(*libraries: str) -> None:
    """Keep the wire out of the logs: at DEBUG the SDKs log headers, at INFO the reason phrase,
    and a provider that echoes a key there must not get it into our logs."""
    for library in ("httpx2", "httpcore2", *libraries):
        logging.getLogger(library).setLevel(logging.WARNING)

"""One request to a provider, whatever its SDK: deadlines, limits, errors, and no key in any.

`Remote` is what the adapters of real providers share. An adapter adds what is the provider's
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
from .base import Delta, Event, Finish, ListedModel, Reason, Request, Timeouts, Usage, clean
from .network import Direct, proxied

AFTER_FINISH = 15.0  # Seconds to wait for the usage once nothing but it can come.
UNREAD_LIMIT = 1 << 20  # Bytes a provider may send without completing one event.
SIZES = {"transfer-encoding", "content-length"}  # Without one, a cut looks like an end.
CONNECTION = {"network", "timeout", "interrupted"}  # The codes of what the network did.
# What servers write where a reason would stand, and mean that there is none yet.
NO_REASON = {"", "null", "none", "undefined", "finish_reason_unspecified"}
# What reading an event of an unknown shape raises.
UNREADABLE = (ValueError, TypeError, AttributeError, LookupError, RecursionError)
KEYLESS = "none"  # What the SDKs, which want some key, send to a server that needs none.

# Tried in order on what a provider answered: our error, its statuses, its words for it.
# The words are looked for in the error's codes and types, where providers agree most.
ERRORS: tuple[tuple[type[errors.ProviderError], frozenset[int], re.Pattern[str]], ...] = tuple(
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
            errors.Refused,
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
SENTENCES: tuple[tuple[type[errors.ProviderError], frozenset[int], re.Pattern[str]], ...] = (
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
FOREVER = 86400.0 * 365  # Seconds. Who asks for more means never.


@dataclass(frozen=True, slots=True)
class Answer:
    """What a provider said instead of a reply, in its own words; status 0 where it gave none.

    `words` are its codes and types, `message` is its sentence.
    """

    status: int
    words: str
    message: str
    param: str = ""
    request_id: str = ""
    retry_after: float | None = None


class Exchange:
    """What is known of one request while its reply streams."""

    def __init__(
        self, request: Request, timeouts: Timeouts, name: str, scrub: Callable[[str], str]
    ) -> None:
        self.request = request
        self.name = name
        self.timeouts = timeouts
        self.scrub = scrub
        self.limit = UNREAD_LIMIT
        self.unread = 0
        self.apart = False  # The SDK is to see nothing of a reply's body.
        self.response: httpx2.Response | None = None
        self.body: _Metered | None = None
        self.heard = False
        self.adds = False  # The event that is being read adds something to the reply.
        self.refused = False
        self.spoken = False  # There is text, and not reasoning or blanks only.
        self.done = False  # The wire's own last event was read: nothing comes after it.
        self.said_done = False  # The stream said [DONE].
        self.whole = False  # The body ended where its headers say that it does.
        self.midway = (
            False  # A part of the reply is open, which its protocol closes before the end.
        )
        self.reason: Reason | None = None
        self.hasty = False  # A reason came before any text, together with some or midway.
        self.doubted = False  # Something was added after a reason: the next may be none either.
        self.stands = False  # The last reason is not one of a row that text comes with.
        self.garbled: Exception | None = None  # What could not be read after a reason.
        self.usage: Usage | None = None
        self.request_id = ""
        self.upstream_id = ""

    def named(self, request_id: str | None) -> None:
        """Keep the first id that the provider gives to this request."""
        self.request_id = self.request_id or self.scrub(request_id or "")

    async def meter(self, response: httpx2.Response) -> None:
        """Keep the answer, and put a limit on what may pile up in buffers, which have none."""
        if response.headers.get("content-encoding", "identity") != "identity":
            if response.is_error:  # What it means is in its status too.
                answer = Answer(
                    response.status_code, "", "", retry_after=retry_after(response.headers)
                )
                raise understood(answer, self.name, self.scrub)
            raise errors.ProviderError("The provider sent a compressed answer nobody asked for.")
        self.response = response
        self.body = response.stream = _Metered(response, self)
        if self.apart and response.is_success:
            response.stream = httpx2.ByteStream(b"")

    def sent(self, id_header: str) -> AsyncGenerator[dict[str, Any], None]:
        """The events of the answer as plain objects, read past the SDK, which made the request
        and raised what was wrong with it: its own objects cost several times as much to make."""
        assert self.response is not None
        assert self.body is not None
        self.named(self.response.headers.get(id_header))
        return sse.objects(
            self.body.__aiter__(),
            on_done=self._hear_done,
            on_answer=self._hear_answer,
            on_unreadable=lambda error: self.excuse(error, self.reason),
        )

    def _hear_done(self) -> None:
        self.said_done = True

    def _hear_answer(self) -> None:
        self.whole = True  # A document that can be read has its end, whatever the headers say.

    def excuse(self, error: Exception, reason: Reason | None) -> None:
        """Let an event pass that can't be read, if the reply may have ended before it for
        `reason`; raise its error where it may have been a part of the reply."""
        if reason is None or (self.doubted and not self.stands):
            raise error
        self.garbled = self.garbled or error.with_traceback(None)

    def hear(self, delta: Delta) -> None:
        """Note that something is added. Raises what was excused before it: it was not the end."""
        self.heard = self.adds = True
        if not self.spoken and delta.kind == "text":
            self.spoken = not delta.text.isspace()
        if self.garbled:
            raise self.garbled

    def weigh(self, before: Reason | None) -> None:
        """Judge the reasons after an event: `before` was given earlier, `reason` by this event.

        A reason ends a reply only if nothing is added after it. Some servers put one into every
        event, or into an empty one before the text: theirs ends nothing.
        """
        if before and self.adds:
            self.doubted = True
        if self.reason:
            self.stands = not self.midway and not (before and self.adds)
            self.hasty = self.hasty or self.adds or self.midway or not self.spoken
        elif not self.adds:
            self.reason = before

    def ending(
        self, last: Literal["event", "done", "close"], failure: errors.ProviderError | None
    ) -> Reason | None:
        """Why the reply ended, if the provider has said that it did. `last` is what ends this
        wire's streams, `failure` what ended this one. Raises ProviderError for no reply at all.

        A reason after all of the text needs nothing else. One that came too early, or with text,
        may stand in every event of a server: it ends a reply if the body ends whole, and one that
        text came after if in addition it is not of a row of such.
        """
        empty = not self.spoken and not self.request.carries_on
        if self.done or (last == "done" and self.said_done):
            if self.reason is None and empty:
                raise errors.ProviderError(
                    f"{self.name} ended its reply without any text. Try again.",
                    request_id=self.request_id,
                )
            return self.reason or "unknown"
        if not self.hasty and not self.doubted:
            return self.reason
        if failure and self.request.carries_on and not self.heard and not self.doubted:
            return self.reason if failure.code in CONNECTION else None
        closed = failure is None and (self.whole or self.said_done)
        believed = last == "close" or self.stands or not self.doubted
        return self.reason if closed and believed else None

    async def events(self, opening: Any) -> AsyncGenerator[Any, None]:
        """The SDK's events as they come, none of them later than the limits allow."""
        clock = asyncio.get_running_loop().time
        times = self.timeouts
        said = clock()
        deadline = said + times.first
        async with asyncio.timeout_at(deadline):
            events = await opening
        async with aclosing(events):
            while not self.done:
                async with asyncio.timeout_at(deadline):
                    event = await anext(events, None)
                if event is None:
                    return
                self.unread, self.adds = 0, False
                if event:
                    yield event
                now = clock()
                if self.adds:
                    said = now
                if self.reason and not self.hasty and not self.doubted:
                    deadline = min(deadline, now + AFTER_FINISH)
                elif self.heard:
                    deadline = min(now + times.idle, said + times.thinking)
                else:
                    deadline = min(max(deadline, now + times.idle), said + times.thinking)


class _Metered(httpx2.AsyncByteStream):
    """A response's bytes, refused when too many of them make no event."""

    def __init__(self, response: httpx2.Response, exchange: Exchange) -> None:
        self.stream: Any = response.stream
        self.exchange = exchange
        self.sized = not response.headers.keys().isdisjoint(SIZES)

    async def __aiter__(self) -> AsyncGenerator[bytes, None]:
        async with aclosing(aiter(self.stream)) as parts:
            async for part in parts:
                self.exchange.unread += len(part)
                if self.exchange.unread > self.exchange.limit:
                    raise errors.ProviderError("The provider sent more than one event can hold.")
                yield part
        self.exchange.whole = self.sized

    async def aclose(self) -> None:
        await self.stream.aclose()


class Remote:
    """An adapter that speaks to a server through the provider's SDK.

    Promises, for all of them: one request per reply, no retries of an SDK's own, the connection
    closed whenever the generator ends, and no success without the provider's end marker, which is
    a reason that nothing is added after, or the last mark of its protocol.
    Making one loads the certificates and the SDK's parts, some 0.1 s: do it in a thread.
    """

    provider: ClassVar[str] = "the provider"
    last: ClassVar[Literal["event", "done", "close"]] = "event"
    """The last mark of the protocol: an event, of which `read` makes `Exchange.done`, [DONE], or
    none but that the body ends where it should."""

    def __init__(
        self, *, base_url: str = "", timeouts: Timeouts | None = None, name: str = ""
    ) -> None:
        self.base_url = base_url
        self.timeouts = timeouts or Timeouts()
        self.name = name or self.provider
        self.keyless = False
        certificates()

    # To be said by each provider

    def client(self, key: str, http: httpx2.AsyncClient) -> Any:
        """The SDK's client for one exchange, over this HTTP client."""
        raise NotImplementedError

    async def open(self, client: Any, exchange: Exchange) -> AsyncGenerator[Any, None]:
        """Put the request; the events of its answer."""
        raise NotImplementedError

    def read(self, event: Any, exchange: Exchange) -> Iterator[Delta]:
        """What one event adds to the reply; what else it says goes into the exchange."""
        raise NotImplementedError

    def answered(self, error: Exception) -> Answer | None:
        """What the provider itself said, if this is how the SDK raises that."""
        raise NotImplementedError

    async def listed(self, client: Any) -> list[ListedModel]:
        """The provider's list of models."""
        raise NotImplementedError

    # What is said once for all

    def stream(self, request: Request, key: str) -> AsyncGenerator[Event, None]:
        """Stream one reply. Raises `errors.ProviderError`; cancelling closes the connection."""
        return clean(self._events(request, key))

    async def models(self, key: str) -> tuple[ListedModel, ...]:
        """The models that the provider lists for this key. Raises `errors.ProviderError`."""
        exchange = self._exchange(Request("", ()), key)
        failure: errors.ProviderError | None = None
        speaking = self._speaking(key, exchange)
        del key  # A traceback that prints locals finds none from here on.
        try:
            async with speaking as client, asyncio.timeout(self.timeouts.idle):
                return tuple(await self.listed(client))
        except Exception as error:
            failure = self._failure(error, exchange)
        raise failure

    async def _events(self, request: Request, key: str) -> AsyncGenerator[Event, None]:
        exchange = self._exchange(request, key)
        failure: errors.ProviderError | None = None
        deltas = self._deltas(self._speaking(key, exchange), exchange)
        del key
        try:
            async with aclosing(deltas):
                async for delta in deltas:
                    yield delta
        except Exception as error:
            failure = self._failure(error, exchange)
        # Raised outside of the handler, so that not even its context holds what the SDK knew.
        if reason := exchange.ending(self.last, failure):
            yield Finish(reason, exchange.usage, exchange.request_id)
        elif failure:
            raise failure

    async def _deltas(
        self, speaking: AbstractAsyncContextManager[Any], exchange: Exchange
    ) -> AsyncGenerator[Delta, None]:
        """Apart from the above, whose locals a traceback may print: events quote headers."""
        async with (
            speaking as client,
            aclosing(exchange.events(self.open(client, exchange))) as events,
        ):
            async for event in events:
                before, exchange.reason = exchange.reason, None
                try:
                    for delta in self.read(event, exchange):
                        if delta.text:
                            exchange.hear(delta)
                        yield delta
                except UNREADABLE as error:
                    exchange.excuse(error, None if exchange.adds else before)
                finally:
                    if before or exchange.reason:
                        exchange.weigh(before)

    def _exchange(self, request: Request, key: str) -> Exchange:
        if not usable(key) and (key or not self.keyless):
            raise errors.InvalidKey(provider=self.name)
        return Exchange(request, self.timeouts, self.name, errors.scrubber(key))

    @asynccontextmanager
    async def _speaking(self, key: str, exchange: Exchange) -> AsyncIterator[Any]:
        """A client for one exchange: nothing to share, to close later or to leak.

        Closing the HTTP client closes the connection, even one that an SDK is still reading.
        """
        http = self._http(exchange)
        async with http:
            client = self.client(key or KEYLESS, http)
            del key
            yield client

    def _http(self, exchange: Exchange) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(
            verify=certificates(),
            transport=None if proxied() else Direct(certificates()),
            timeout=patience(self.timeouts),
            follow_redirects=False,  # Neither key nor conversation goes anywhere else.
            headers={"Accept-Encoding": "identity"},
            event_hooks={"response": [exchange.meter]},
        )

    def _failure(self, error: Exception, exchange: Exchange) -> errors.ProviderError:
        """The error in our words, holding on to nothing of the original."""
        translated = self._translated(error, exchange)
        # An SDK's generators, which its frames hold, close now and not with some collection.
        traceback.clear_frames(error.__traceback__)
        translated.request_id = translated.request_id or exchange.request_id
        return translated.with_traceback(None)

    def _translated(self, error: Exception, exchange: Exchange) -> errors.ProviderError:
        for ours in (error, error.__cause__):  # An SDK may wrap what is raised under it.
            if isinstance(ours, errors.ProviderError):
                return ours
        if (answer := self.answered(error)) is not None:
            return understood(answer, self.name, exchange.scrub)
        # SDKs that wrap what went wrong on the way keep the original as the cause.
        cause = error.__cause__ if isinstance(error.__cause__, BROKEN) else error
        known: Any = {
            "provider": self.name,
            "detail": exchange.scrub(f"{type(cause).__name__}: {cause}"),
        }
        if isinstance(cause, httpx2.ConnectTimeout):
            return errors.Network(**known)
        if isinstance(cause, (httpx2.TimeoutException, TimeoutError)):
            return errors.TimedOut(**known)
        if isinstance(cause, BROKEN):
            return errors.Interrupted(**known) if exchange.heard else errors.Network(**known)
        return errors.ProviderError(f"{self.name} sent something that could not be read.", **known)


BROKEN = (httpx2.HTTPError, OSError)


def understood(answer: Answer, name: str, scrub: Callable[[str], str]) -> errors.ProviderError:
    """An answer as the error of our tree that says what can be done about it."""
    kind = _kind(answer)
    known: dict[str, Any] = {
        "provider": name,
        "detail": scrub(" ".join([*answer.words.split(), answer.message])),
        "request_id": scrub(answer.request_id),
        "status": answer.status or None,
        "retry_after": answer.retry_after,
    }
    if issubclass(kind, errors.BadRequest):
        return kind(param=scrub(answer.param), **known)
    if kind is errors.ProviderError:
        return kind(retryable=answer.status == 409 or answer.status >= 500, **known)
    return kind(**known)


def _kind(answer: Answer) -> type[errors.ProviderError]:
    for kind, statuses, pattern in SENTENCES:
        if answer.status in statuses and pattern.search(answer.message):
            return kind
    # A word says more than a status: 429 is also how OpenAI says that there is no credit left.
    for kind, _, pattern in ERRORS:
        if pattern.search(answer.words) and kind is not errors.BadRequest:
            return kind
    unlisted = errors.BadRequest if _refuses(answer.words) else errors.ProviderError
    return next((kind for kind, statuses, _ in ERRORS if answer.status in statuses), unlisted)


def _refuses(words: str) -> bool:
    return any(p.search(words) for kind, _, p in ERRORS if kind is errors.BadRequest)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds the provider asks us to wait: milliseconds, seconds or a date in its headers."""
    millis, value = headers.get("retry-after-ms", ""), headers.get("retry-after", "")
    if _NUMBER.fullmatch(millis):
        return min(float(millis) / 1000, FOREVER)
    if _NUMBER.fullmatch(value):
        return min(float(value), FOREVER)
    try:
        wait = email.utils.parsedate_to_datetime(value).timestamp() - time.time()
        return min(max(wait, 0.0), FOREVER)
    except (ValueError, OverflowError):
        return None


def word(reason: object) -> str:
    """The provider's word for why a reply ended; empty where it is only the place of one."""
    said = reason.strip() if isinstance(reason, str) else str(reason or "")
    return "" if said.lower() in NO_REASON else said


def whole(value: object) -> str:
    """The text of a delta, which may be anything that the server sent; null is none."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise TypeError(f"A delta held {type(value).__name__} instead of text.")
    return value


def patience(times: Timeouts) -> httpx2.Timeout:
    """The HTTP client's own limits, which the deadlines of an exchange undercut."""
    return httpx2.Timeout(max(times.first, times.idle), connect=times.connect)


def usable(key: str) -> bool:
    """Whether a key can stand in a header at all; others would be quoted by the HTTP library."""
    return bool(key) and key.isascii() and key.isprintable() and " " not in key


@functools.cache
def certificates() -> ssl.SSLContext:
    """The trusted certificates, loaded once: 25 ms that no event loop should wait for."""
    return httpx2.create_ssl_context()


@functools.cache
def hush(*libraries: str) -> None:
    """Keep the wire out of the logs: at DEBUG the SDKs log headers, at INFO the reason phrase,
    and a provider that echoes a key there must not get it into our logs."""
    for library in ("httpx2", "httpcore2", *libraries):
        logging.getLogger(library).setLevel(logging.WARNING)

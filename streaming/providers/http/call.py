"""One call of a provider: put the request, read its events in time, and tell how it ended."""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import Any

import httpx2

from streaming.events import Delta, Finish
from streaming.providers import errors
from streaming.providers.http import classify
from streaming.providers.http.body import LimitedBody, UnknownEncoding
from streaming.providers.http.client import create_http_client, is_header_safe
from streaming.providers.http.ending import ReplyEnding
from streaming.providers.http.parsed import CallPart, ErrorResponse, ThoughtPart
from streaming.providers.http.repeats import PARSE_ERRORS, RepeatFilter
from streaming.providers.http.reply_calls import ReplyCalls
from streaming.providers.http.sse import CompleteDocument, StreamDone, Unreadable
from streaming.providers.http.tagged_reasoning import TaggedReasoningSplitter
from streaming.providers.http.wire import HttpWire
from streaming.providers.key_filter import KeyFilter
from streaming.providers.redaction import REDACTED, Secret, make_redactor
from streaming.providers.text import TextCleaner
from streaming.providers.types import Request, Usage

USAGE_WAIT_SECONDS = 15.0
"""How long the usage is waited for once nothing but it can come."""
MAX_DOCUMENT_BYTES = 8 << 20
"""The largest answer that is one document of JSON in place of a stream."""


class ProviderCall:
    """One request and its answer.

    Promises, for all providers: one request per reply, no retries of an SDK's own, the connection
    closed whenever the generator ends, no success without the provider's end marker, and no key in
    any error. Raises InvalidKey for a key that no header can hold.
    """

    def __init__(
        self,
        wire: HttpWire,
        request: Request,
        key: Secret,
        *,
        max_document_bytes: int = MAX_DOCUMENT_BYTES,
    ) -> None:
        if not is_header_safe(key.reveal()) and (key or not wire.is_keyless):
            raise errors.InvalidKey(provider=wire.name)
        self.request = request
        self._wire = wire
        self._max_document_bytes = max_document_bytes
        self._key = key
        self._redact = make_redactor(key, *wire.secrets)
        self._endpoint = classify.Endpoint(
            wire.name,
            self._redact,
            is_keyless=not key,
            retries_silence=wire.retries_silence,
        )
        self._ending = ReplyEnding(wire.end_marker, is_continuation=request.is_continuation)
        self._splitter = wire.create_splitter(request)
        self._cleaner = TextCleaner()
        self._key_filter = KeyFilter(key, *wire.secrets)
        self._calls = ReplyCalls(wire, request, self._key_filter)
        self._repeats = RepeatFilter(is_rest=request.upstream is not None)
        self._body: LimitedBody | None = None
        self._usage: Usage | None = None
        self._response_id: str | None = None
        self._request_id = ""
        self._copy_id = request.upstream.id if request.upstream else ""
        self._clock = time.monotonic
        self._last_delta_at = self._deadline = self._clock()

    async def events(self) -> AsyncGenerator[Delta | Finish, None]:
        """The deltas of the reply, and a `Finish` if it is complete."""
        failure: errors.ProviderError | None = None
        raw_event: Any = None
        try:
            async with self.open_http_client() as http:
                self._clock = asyncio.get_running_loop().time
                self._last_delta_at = self._clock()
                self._deadline = self._last_delta_at + self._wire.timeouts.first_delta
                client = self.create_client(http)
                async with asyncio.timeout_at(self._deadline):
                    await self._wire.send(client, self.request)
                async with aclosing(self._wire.decode(self._open_body())) as raw_events:
                    while not self._ending.has_end_event:
                        async with asyncio.timeout_at(self._deadline):
                            raw_event = await anext(raw_events, None)
                        if raw_event is None:
                            break
                        for delta in self._read_event(raw_event):
                            yield delta
                        self._move_deadline()
        except Exception as error:
            failure = self.sanitize_error(error)
            raw_event = None  # events quote headers, and a traceback may print locals
        # Outside of the handler, so that not even the context of an error holds what an SDK knew.
        for event in self._end(failure):
            yield event

    # Before the events

    def open_http_client(self) -> httpx2.AsyncClient:
        """Closing it closes the connection, even one that an SDK is still reading."""
        return create_http_client(
            self._wire.timeouts, self._take_response, self._wire.check_addresses
        )

    def create_client(self, http: httpx2.AsyncClient) -> Any:
        return self._wire.create_client(self._key, http)

    async def _take_response(self, response: httpx2.Response) -> None:
        """Take the body of the answer past the SDK, and limit what may pile up in its buffers."""
        wire = self._wire
        try:
            body = LimitedBody(response, wire.max_event_bytes, self._max_document_bytes)
        except UnknownEncoding:
            if response.is_error:  # what it means is in its status, too
                retry_after = classify.parse_retry_after(response.headers)
                answer = ErrorResponse(response.status_code, "", "", retry_after=retry_after)
                raise classify.to_provider_error(answer, self._endpoint) from None
            raise errors.ProviderError(errors.COMPRESSED_ANSWER) from None
        self._response_id = response.headers.get(wire.request_id_header)
        self._body = response.stream = body

    def _open_body(self) -> AsyncGenerator[bytes, None]:
        """The body of the last response, which is no error, or the SDK would have raised it."""
        assert self._body is not None
        self._record_request_id(self._response_id)
        return self._body.__aiter__()

    # Each event

    def _read_event(self, raw_event: Any) -> Iterator[Delta]:
        """The deltas of one event."""
        assert self._body is not None
        self._body.unparsed_bytes = 0
        ending = self._ending
        ending.event_has_delta = False
        if not isinstance(raw_event, dict):
            self._read_mark(raw_event)
        elif raw_event:
            ending.begin_event()
            try:
                if not self._request_id or (self.request.background and not self._copy_id):
                    self._record_reply_id(self._wire.get_reply_id(raw_event))
                for parsed in self._repeats.filter_events(self._wire.parse_event(raw_event)):
                    if isinstance(parsed, Delta):
                        if self._splitter is not None and parsed.text:
                            yield from self._split_delta(self._splitter, parsed)
                            continue
                        if parsed.text:
                            ending.add_delta(parsed)
                        if self._copy_id:
                            parsed = self._add_checkpoint(parsed, raw_event)
                        if delta := self._clean(parsed):
                            yield delta
                    else:
                        self._record(parsed)
            except PARSE_ERRORS as error:
                ending.skip_broken_event(error)
            finally:
                ending.end_event()

    def _split_delta(self, splitter: TaggedReasoningSplitter, delta: Delta) -> Iterator[Delta]:
        """The parts of a delta of a server that may leave reasoning in the text."""
        parts = splitter.split_delta(delta)
        self._ending.add_delta(delta if splitter.is_in_text else delta._replace(kind="reasoning"))
        for part in parts:
            if cleaned := self._clean(part):
                yield cleaned

    def _clean(self, delta: Delta) -> Delta | None:
        """The delta as it may be stored and shown."""
        cleaned = self._cleaner.clean(delta)
        return self._key_filter.clean(cleaned) if cleaned else None

    def _flush_held(self, *, is_whole: bool) -> Iterator[Delta]:
        """The text that is still held when the reply ends."""
        for delta in self._splitter.flush_held(is_whole=is_whole) if self._splitter else ():
            if cleaned := self._clean(delta):
                yield cleaned
        for delta in self._cleaner.flush():
            if cleaned := self._key_filter.clean(delta):
                yield cleaned
        yield from self._key_filter.flush()

    def _add_checkpoint(self, delta: Delta, event: dict[str, Any]) -> Delta:
        cursor = self._wire.get_cursor(event)
        return delta._replace(checkpoint=f"{self._copy_id} {cursor}") if cursor else delta

    def _record_reply_id(self, reply_id: str) -> None:
        self._record_request_id(reply_id)
        is_key = REDACTED in self._redact(reply_id)  # then the copy can't be asked for
        if self.request.background and not self._copy_id and not is_key:
            self._copy_id = reply_id

    def _record(self, parsed: Any) -> None:
        if isinstance(parsed, Usage):
            self._usage = self._usage.updated_by(parsed) if self._usage else parsed
        elif isinstance(parsed, ErrorResponse):
            raise classify.to_provider_error(parsed, self._endpoint)
        elif isinstance(parsed, CallPart | ThoughtPart):
            if self._calls.add(parsed):
                self._ending.add_call_part()
        else:
            self._ending.add_mark(parsed)

    def _read_mark(self, mark: StreamDone | CompleteDocument | Unreadable) -> None:
        if isinstance(mark, Unreadable):
            self._ending.skip_or_raise(mark.error, self._ending.reason)
        elif isinstance(mark, StreamDone):
            self._ending.has_done_marker = True
        elif self._body:
            # A document that can be read is all there.
            self._body.is_complete = self._ending.has_document_end = True

    def _move_deadline(self) -> None:
        """When the next event has to be here."""
        now = self._clock()
        timeouts = self._wire.timeouts
        if self._ending.event_has_delta:
            self._last_delta_at = now
        latest = self._last_delta_at + timeouts.reasoning
        if self._ending.is_reason_final:
            self._deadline = min(self._deadline, now + USAGE_WAIT_SECONDS)
        elif self._ending.has_delta:
            self._deadline = min(now + timeouts.idle, latest)
        else:
            self._deadline = min(max(self._deadline, now + timeouts.idle), latest)

    def _record_request_id(self, request_id: str | None) -> None:
        """Keep the first id that the provider gives to this request."""
        self._request_id = self._request_id or self._redact(request_id or "")

    # The end

    def _end(self, failure: errors.ProviderError | None) -> Iterator[Delta | Finish]:
        is_body_complete = self._body is not None and self._body.is_complete
        reason = self._ending.resolve(failure, is_body_complete=is_body_complete)
        if reason:
            is_cut_off = self._ending.is_cut_off
            yield from self._flush_held(is_whole=not is_cut_off and reason.meaning != "length")
            counts = self._usage.to_counts() if self._usage else None
            word = self._redact(reason.word)
            if is_cut_off:
                raise errors.CutOff(
                    word,
                    usage=counts,
                    upstream_id=self._request_id,
                    retryable=reason.meaning == "cut_off",
                )
            yield from self._calls.write(reason.meaning)
            meaning = self._calls.choose_meaning(reason.meaning)
            yield Finish(meaning, counts, self._request_id, word)
        elif failure:
            if self._splitter and self._splitter.is_assumed:
                yield from self._flush_held(is_whole=False)  # it may be an answer
            yield from self._key_filter.flush()
            raise failure
        else:
            yield from self._flush_held(is_whole=False)

    def sanitize_error(self, error: Exception) -> errors.ProviderError:
        """The error in our words, holding on to nothing of the original."""
        translated = self._translate_error(error)
        # An SDK's generators, which its frames hold, close now and not with some collection.
        traceback.clear_frames(error.__traceback__)
        translated.sent_hints = self._wire.list_hints(self.request)
        translated.upstream_id = translated.upstream_id or self._request_id
        return translated.with_traceback(None)

    def _translate_error(self, error: Exception) -> errors.ProviderError:
        for ours in (error, error.__cause__):  # an SDK may wrap what is raised under it
            if isinstance(ours, errors.ProviderError):
                ours.detail = self._redact(ours.detail)  # it may quote a list of models
                return ours
        if (answer := self._wire.error_response(error)) is not None:
            return classify.to_provider_error(answer, self._endpoint)
        return classify.from_exception(
            error,
            self._endpoint,
            has_delta=self._ending.has_delta,
            silent_seconds=self._clock() - self._last_delta_at,
        )

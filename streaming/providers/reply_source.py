"""The source of a reply: calls a provider, and calls again as long as that may help.

One call is seldom enough. A busy provider is called again later. A server that refuses a part of
the request, such as a temperature, is called again without it. If the connection to a provider's
copy breaks, a new one continues. If a worker died, another one asks for the rest of its text. The
engine gets only events: text, a note for people, a seam, the end.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace

from streaming.events import Delta, Finish, Note, Seam, SourceError, SourceEvent, StreamText
from streaming.providers import optional_parts, reattach, refusals, retries
from streaming.providers.adapter import Adapter, BackgroundAdapter, ReplyEvent
from streaming.providers.continuation import strip_overlap
from streaming.providers.errors import ContentRefused, InvalidKey, ProviderError
from streaming.providers.missing_answer import build_empty_reply_error, build_missing_answer_error
from streaming.providers.reasoning_mark import REASONING_MARK, split_marked_reasoning
from streaming.providers.redaction import Secret
from streaming.providers.text import is_blank
from streaming.providers.types import Request, Upstream
from streaming.sentences import gettext_noop

ENDED_EARLY = gettext_noop("The provider’s reply ended early.")


async def ignore_unsupported_parameter(parameter: str) -> None:
    """For callers that store no unsupported parameters."""


async def ignore_key_answer(is_accepted: bool) -> None:
    """For callers that store nothing about keys."""


class ReplySource:
    """One reply of one provider.

    `on_unsupported_parameter` is called with the name of each part of the request that the provider
    does not support, once it has answered without it. `on_key_answer` is called when the provider
    has rejected the key, or has written a reply.
    """

    def __init__(
        self,
        adapter: Adapter,
        request: Request,
        key: Secret,
        on_unsupported_parameter: Callable[[str], Awaitable[None]] = ignore_unsupported_parameter,
        on_key_answer: Callable[[bool], Awaitable[None]] = ignore_key_answer,
    ) -> None:
        self.adapter = adapter
        self.request = request
        self.key = key
        self.on_unsupported_parameter = on_unsupported_parameter
        self.on_key_answer = on_key_answer
        self._so_far = StreamText()
        self._checkpoint = ""
        self._seam_due = False
        self._has_written = False
        self._has_answer = self._had_answer = False
        """There is text that is no reasoning and not blank, of this run or from before, or there
        are calls of tools."""
        self._has_reasoning = False
        self._tries = 1
        self._reattachments = 0
        self._refused_parts: list[str] = []

    async def events(
        self, so_far: StreamText, checkpoint: str
    ) -> AsyncGenerator[SourceEvent, None]:
        """Yield the rest of the reply. Text that a new call continues gets a seam; text that the
        provider's copy continues needs none. Calls of tools are the last of a reply: if there are
        some, only its end is missing."""
        if so_far.calls:
            yield Finish("tool_calls")
            return
        self._so_far, self._checkpoint = so_far, checkpoint
        before = split_marked_reasoning(so_far)
        self._had_answer = self._has_answer = not is_blank(before.content)
        self._has_reasoning = not is_blank(before.reasoning)
        while True:
            failure: ProviderError | None = None
            asked = self._begin_call()
            try:
                async with aclosing(self.adapter.stream(asked, self.key)) as raw:
                    async for event in self._strip_overlap(raw, asked):
                        if self._refused_parts:
                            await self._store_refused_parts()
                        if isinstance(event, Finish):
                            await self.on_key_answer(True)
                            self._require_answer(event)
                            yield event
                            return
                        if event.text:
                            self._record_answer(event)
                            if self._seam_due:
                                self._seam_due = False
                                yield Seam()
                            self._has_written = True
                        elif not event.checkpoint or self._seam_due:
                            continue  # a successor that continued here would write no seam
                        if self._checkpoint or event.checkpoint:
                            event = self._track_checkpoint(event)
                        yield event
            except ProviderError as error:
                failure = error
            if isinstance(failure, InvalidKey):
                await self.on_key_answer(False)
            async for step in self._recover(failure, was_attached=asked.upstream is not None):
                yield step

    async def cancel(self, checkpoint: str) -> None:
        """Stop the reply at a provider that would complete its copy without us."""
        upstream = Upstream.from_checkpoint(checkpoint)
        if upstream.id and isinstance(self.adapter, BackgroundAdapter):
            await self.adapter.cancel(upstream, self.key)

    # One call

    def _begin_call(self) -> Request:
        """The next call continues from the provider's copy if there is one."""
        if self._can_use_copy:
            self._seam_due = False
            return replace(self.request, upstream=Upstream.from_checkpoint(self._checkpoint))
        self._seam_due = self._so_far.next_index > 0 and not self._so_far.ends_in_seam
        return self.request

    @property
    def _can_use_copy(self) -> bool:
        has_cursor = bool(Upstream.from_checkpoint(self._checkpoint).cursor)
        return has_cursor and isinstance(self.adapter, BackgroundAdapter)

    def _strip_overlap(
        self, events: AsyncGenerator[ReplyEvent, None], asked: Request
    ) -> AsyncIterator[ReplyEvent]:
        """The events without text that repeats the text so far. The provider's copy repeats
        nothing, unless it is itself a continuation that has no text yet."""
        text = self._so_far
        is_first_text = text.ends_in_seam and not self._has_written
        repeats = asked.upstream is None or is_first_text
        return strip_overlap(events, text.content) if text.content and repeats else events

    def _track_checkpoint(self, delta: Delta) -> Delta:
        """Text without a position in the copy still belongs to that copy, which can be
        cancelled."""
        if not delta.checkpoint:
            delta = delta._replace(checkpoint=Upstream.from_checkpoint(self._checkpoint).id)
        self._checkpoint = delta.checkpoint
        return delta

    def _record_answer(self, delta: Delta) -> None:
        if delta.kind == "tool_call":
            self._has_answer = True
            return
        if self._has_answer and REASONING_MARK not in delta.text:
            return  # nearly always
        _, mark, text = delta.text.rpartition(REASONING_MARK)
        if mark:  # all text of this run was reasoning
            self._has_answer, self._has_reasoning = self._had_answer, True
        if is_blank(text):
            return
        if delta.kind == "text":
            self._has_answer = True
        else:
            self._has_reasoning = True

    def _require_answer(self, finish: Finish) -> None:
        """Raises SourceError: a reply without an answer is no success, and asking again at once
        would only cost as much again."""
        if self._has_answer:
            return
        if error := build_missing_answer_error(finish, has_reasoning=self._has_reasoning):
            raise error

    async def _store_refused_parts(self) -> None:
        """Only once the provider answers without them: they were the reason."""
        while self._refused_parts:
            await self.on_unsupported_parameter(self._refused_parts[0])
            del self._refused_parts[0]

    # Between two calls

    async def _recover(
        self, failure: ProviderError | None, *, was_attached: bool
    ) -> AsyncGenerator[SourceEvent, None]:
        """Prepare another call, or raise if none would help."""
        is_expired = failure is not None and reattach.is_expired(failure)
        if is_expired and self._checkpoint:
            self._checkpoint = ""
            yield Delta("")  # the engine forgets the copy, too
        if self._should_reattach(is_expired, was_attached):
            self._reattachments += 1
            await asyncio.sleep(reattach.REATTACH_DELAY_SECONDS)
        elif failure is None:
            if not self._has_text and not self._checkpoint:  # no copy has more either
                raise build_empty_reply_error()
            raise SourceError("interrupted", ENDED_EARLY, interrupted=True)
        elif self._has_written:
            raise self._mark_interrupted(retries.remove_retry_advice(failure))
        else:
            self._reattachments = 0
            async for note in self._prepare_retry(failure):
                yield note

    def _should_reattach(self, is_expired: bool, was_attached: bool) -> bool:
        """Whether to call again at once: the copy has the rest of the text, or it has expired
        before any of its text was written here."""
        if self._reattachments >= reattach.MAX_REATTACHMENTS:
            return False
        if is_expired:
            return was_attached and not self._has_written
        return self._has_written and self._can_use_copy

    async def _prepare_retry(self, failure: ProviderError) -> AsyncGenerator[Note, None]:
        """Retry only while nothing is written, so that no text is paid for or shown twice."""
        if part := refusals.find_refused_part(failure, self.request):
            if refusals.should_remember(part, failure):
                self._refused_parts.append(part.name)
            self.request = optional_parts.omit_part(self.request, part.name)
            if note := refusals.format_note(part, failure):
                yield Note(note)
            return
        left = retries.choose_retry_delay(failure, self._tries)
        if left is None:
            raise self._mark_interrupted(retries.add_retry_time(failure))
        while left > 0:
            yield Note(retries.format_waiting_note(failure, left, self._tries))
            await asyncio.sleep(min(left, retries.NOTE_UPDATE_SECONDS))
            left -= retries.NOTE_UPDATE_SECONDS
        self._tries += 1
        yield Note(retries.format_retry_note(self._tries))

    def _mark_interrupted(self, error: ProviderError) -> ProviderError:
        """After some text, whatever the error is, it says that the text can be continued, unless
        the provider refuses what the text says."""
        if self._has_text and not isinstance(error, ContentRefused):
            error.interrupted = True
        return error

    @property
    def _has_text(self) -> bool:
        """There is text or reasoning that a continuation could begin with."""
        return self._has_written or self._so_far.next_index > 0

"""Whether a reply is complete, and why it ended, as far as its events tell.

The end would be simple if servers gave one reason, once, behind all of the text. Some put a reason
into every event, some into an empty one before the text, some give none. A reply that was cut must
never count as complete, so a reason counts only if nothing is added after it.
"""

from __future__ import annotations

from typing import Literal

from streaming.events import Delta
from streaming.providers import errors
from streaming.providers.http.classify import NETWORK_ERROR_CODES
from streaming.providers.http.parsed import Block, EndMark, Reason, Refusal, WholeReply
from streaming.providers.text import is_blank

EndMarker = Literal["event", "done", "close"]
"""The last mark of a protocol: an event, [DONE], or none but that the body ends where it should."""


UNKNOWN_REASON = Reason("unknown")
STRONG_MEANINGS = {"length", "content_filter", "refusal", "tool_calls", "cut_off"}
"""A “stop” that follows one of these, without any text between them, takes nothing back."""


class ReplyEnding:
    """The signs of the end of one reply, collected while its events are read."""

    def __init__(self, end_marker: EndMarker, *, is_continuation: bool) -> None:
        self.has_delta = False
        self.event_has_delta = False
        """The event that is being read adds something to the reply."""
        self.has_end_event = False
        self.has_done_marker = False
        self.has_document_end = False
        """The body was one document of JSON, and all of it is here."""
        self.reason: Reason | None = None
        self._end_marker = end_marker
        self._is_continuation = is_continuation
        self._previous_reason: Reason | None = None
        self._has_refusal = False
        self._has_text = False
        """There is text, and not reasoning or blanks only; or a call of a tool."""
        self._is_one_piece = False
        """One event had all of the text, and needs no other mark behind it."""
        self._has_open_block = False
        self._has_early_reason = False
        """A reason came before any text, together with some or midway."""
        self._has_delta_after_reason = False
        """Something was added after a reason: the next reason may be none either."""
        self._is_reason_credible = False
        """The last reason is not one of a row that text comes with."""
        self._skipped_error: Exception | None = None

    @property
    def is_reason_final(self) -> bool:
        """Whether nothing but the usage can come any more."""
        return bool(self.reason and not self._has_early_reason and not self._has_delta_after_reason)

    # One event

    def begin_event(self) -> None:
        self._previous_reason, self.reason = self.reason, None

    def add_delta(self, delta: Delta) -> None:
        """Raises what was skipped before: it was not the end."""
        self.has_delta = self.event_has_delta = True
        if not self._has_text and delta.kind == "text":
            self._has_text = not is_blank(delta.text)
        if self._skipped_error:
            raise self._skipped_error

    def add_call_part(self) -> None:
        """Raises what was skipped before: it was not the end."""
        self.has_delta = self.event_has_delta = self._has_text = True
        if self._skipped_error:
            raise self._skipped_error

    def add_mark(self, mark: Reason | EndMark | WholeReply | Refusal | Block) -> None:
        if isinstance(mark, Reason):
            is_refusal = self._has_refusal and mark.meaning == "stop"
            self.reason = Reason("refusal") if is_refusal else self._keep_stronger(mark)
        elif isinstance(mark, Block):
            self._has_open_block = mark.is_open
        elif isinstance(mark, WholeReply):
            self._is_one_piece = not self.has_delta
        elif isinstance(mark, Refusal):
            self._has_refusal = True
        else:
            self.has_end_event = True

    def _keep_stronger(self, reason: Reason) -> Reason:
        """Some proxies add a “stop” of their own after the reason that the server gave."""
        before = self._previous_reason
        is_weaker = before and reason.meaning == "stop" and before.meaning in STRONG_MEANINGS
        return before if before and is_weaker and not self.event_has_delta else reason

    def skip_broken_event(self, error: Exception) -> None:
        """Skip the rest of an event that can't be read, if the reply may have ended before it.
        Raises its error where it may have been a part of the reply."""
        self.skip_or_raise(error, None if self.event_has_delta else self._previous_reason)

    def skip_or_raise(self, error: Exception, reason: Reason | None) -> None:
        if reason is None or (self._has_delta_after_reason and not self._is_reason_credible):
            raise error
        self._skipped_error = self._skipped_error or error.with_traceback(None)

    def end_event(self) -> None:
        """Judge the reason of this event, and the one that was given before it."""
        previous = self._previous_reason
        if not previous and not self.reason:
            return
        if previous and self.event_has_delta:
            self._has_delta_after_reason = True
        if self.reason:
            comes_with_text = bool(previous and self.event_has_delta)
            self._is_reason_credible = not self._has_open_block and not comes_with_text
            is_early = self.event_has_delta or self._has_open_block or not self._has_text
            self._has_early_reason = self._has_early_reason or is_early
        elif not self.event_has_delta:
            self.reason = previous

    # The end

    @property
    def is_cut_off(self) -> bool:
        """Whether the server gave the reply up. A reason that nobody knows may mean that too,
        unless the protocol's last mark follows it."""
        if self.reason is None:
            return False
        has_last_mark = self.has_end_event or self.has_done_marker or self._is_whole_document
        return self.reason.meaning == "cut_off" or (
            self.reason.meaning == "other" and not has_last_mark
        )

    @property
    def _is_whole_document(self) -> bool:
        """Whether the end of a document is the last mark: where the body's own end is the only one.
        Elsewhere a document may be the first line of many."""
        return self._end_marker == "close" and self.has_document_end and self.has_delta

    def resolve(
        self, failure: errors.ProviderError | None, *, is_body_complete: bool
    ) -> Reason | None:
        """Why the reply ended, if the provider has said that it did; `failure` is what ended it
        here.

        A reason after all of the text needs nothing else. One that came too early, or with text,
        may stand in every event of a server: it ends a reply if the body ends as a whole, and one
        that text came after only if in addition it is not of a row of such. No success depends on
        a reason that the server gave the reply up, so it is believed if nothing says more.
        """
        if self.reason and self.reason.meaning == "cut_off":
            is_explained = failure is not None and failure.code not in NETWORK_ERROR_CODES
            return None if is_explained else self.reason
        if self.has_end_event or (self._end_marker == "done" and self.has_done_marker):
            return self.reason or UNKNOWN_REASON
        is_whole = (self._is_one_piece and is_body_complete) or self._is_whole_document
        if is_whole and not self.reason and not failure:
            return UNKNOWN_REASON
        if not self._has_early_reason and not self._has_delta_after_reason:
            return self.reason
        is_untouched = not self.has_delta and not self._has_delta_after_reason
        if failure and self._is_continuation and is_untouched:
            return self.reason if failure.code in NETWORK_ERROR_CODES else None
        closed = failure is None and (is_body_complete or self.has_done_marker)
        believed = (
            self._end_marker == "close"
            or self._is_reason_credible
            or not self._has_delta_after_reason
        )
        return self.reason if closed and believed else None

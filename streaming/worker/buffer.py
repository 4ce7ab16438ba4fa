"""The unwritten text of one running stream, between its source and the writer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from streaming import journal
from streaming.events import StreamText
from streaming.journal import MERGEABLE_KINDS, Append
from streaming.models import Kind, Stream

MAX_PENDING_BYTES = 256 * 1024
"""How much text of one stream may wait for its commit before its source has to wait."""
MAX_STREAM_CHARS = 2_000_000
"""About how many characters of text and reasoning a stream may have: four times as many as the
models with the longest replies write. A source that never ends is ended there."""
MAX_STREAM_CHUNKS = 200_000
"""How many chunks a stream may have. At this many a source that drips a letter at a time has
written for hours."""


class StreamBuffer:
    """The unwritten text of one running stream, and the position it belongs to.

    `wake` starts the writer's next round, `flush_now` ends the pause before it. `on_rejected` is
    called when an append was rejected: the stream was stopped or taken over, or its text can't be
    stored.
    """

    def __init__(
        self,
        stream: Stream,
        text: StreamText,
        *,
        wake: asyncio.Event,
        flush_now: asyncio.Event,
        on_rejected: Callable[[], None],
    ) -> None:
        self.stream = stream
        self.checkpoint = stream.checkpoint
        self._first_index = self.next_index = text.next_index
        self._offsets = {
            Kind.TEXT: len(text.content),
            Kind.REASONING: len(text.reasoning),
            Kind.TOOL_CALL: len(text.calls),
        }
        self._pending: list[tuple[Kind, list[str]]] = []
        self._pending_bytes, self._max_pending_bytes = 0, MAX_PENDING_BYTES
        self.is_too_long = False
        self.is_in_flight = False
        self.is_rejected = False
        self.is_unstorable = False
        self._changed = asyncio.Event()
        self._wake, self._flush_now = wake, flush_now
        self._on_rejected = on_rejected

    @property
    def has_written(self) -> bool:
        """Whether any text was written, or waits for its commit."""
        return self.next_index > self._first_index or bool(self._pending)

    @property
    def is_full(self) -> bool:
        return self._pending_bytes >= self._max_pending_bytes

    def add(self, kind: Kind, delta: str, checkpoint: str = "") -> None:
        """Callers that fill the buffer have to call `wait_for_space`."""
        if not self._pending:
            self._wake.set()
            if not self.next_index:
                self._flush_now.set()
        if self._pending and self._pending[-1][0] == kind and kind in MERGEABLE_KINDS:
            self._pending[-1][1].append(delta)
        else:
            self._pending.append((kind, [delta]))
        if kind != Kind.SEAM:
            self.checkpoint = checkpoint
        self._pending_bytes += 4 * len(delta)  # at most, in UTF-8

    async def wait_for_space(self) -> None:
        while self.is_full and not (self.is_rejected or self.is_too_long):
            await self._wait_for_commit()

    async def wait_until_written(self) -> None:
        """Wait until all text that the buffer holds now is written or rejected."""
        while (self._pending or self.is_in_flight) and not self.is_rejected:
            await self._wait_for_commit()

    async def wait_until_landed(self) -> None:
        """Wait until no commit with text of this stream is in flight."""
        while self.is_in_flight:
            await self._wait_for_commit()

    async def _wait_for_commit(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    def pop_pending(self) -> Append | None:
        """Remove the buffered text and return it, with neighbours of one kind as one chunk."""
        if not self._pending:
            return None
        chunks: list[journal.Chunk] = []
        for kind, deltas in self._pending:
            delta = "".join(deltas)
            offset = self._offsets[Kind.TEXT if kind == Kind.SEAM else kind]
            chunks += journal.split_delta(kind, delta, self.next_index + len(chunks), offset)
            if kind != Kind.SEAM:
                self._offsets[kind] += len(delta)
        self.drop_pending()
        self.next_index += len(chunks)
        # Checked for each commit and not for each delta, which would cost more.
        is_long = sum(self._offsets.values()) >= MAX_STREAM_CHARS
        if is_long or self.next_index >= MAX_STREAM_CHUNKS:
            self.is_too_long, self._max_pending_bytes = True, 0
        stream = self.stream
        return Append(stream.id, stream.uuid, stream.epoch, tuple(chunks), self.checkpoint)

    def drop_pending(self) -> None:
        self._pending, self._pending_bytes = [], 0

    def finish_commit(self, *, is_accepted: bool, is_unstorable: bool) -> None:
        self.is_in_flight = False
        self.is_rejected, self.is_unstorable = not is_accepted, is_unstorable
        self._changed.set()
        if self.is_rejected:
            self._on_rejected()

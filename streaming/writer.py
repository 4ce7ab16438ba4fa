"""The group commit: one statement writes the new text of all streams of a worker.

While one batch is committed, the next one collects. With few streams the commit itself sets the
pace; with more streams the interval grows, so that a row holds more than a token. One thread and
one connection do all of it. Nothing is published before it is committed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice

from streaming import journal, reattach
from streaming.database import CONNECTION_ERRORS, DatabaseThreads, persistent_connection
from streaming.journal import Append, StreamText
from streaming.models import Kind, Stream
from streaming.outage import outage_monitor
from streaming.providers.base import Upstream

logger = logging.getLogger(__name__)

MAX_PENDING_BYTES = 256 * 1024
"""How much text of one stream may wait for its commit before its source has to wait."""
MAX_STREAM_CHARS = 2_000_000
"""About the most characters of text and reasoning that a stream may have: four times as many as the
models with the longest replies write. A source that never ends is ended there."""
FLUSH_SECONDS_PER_STREAM = 0.0013
MAX_FLUSH_INTERVAL_SECONDS = 0.075
"""Seconds from one round of commits to the next. Nobody sees the difference, and with many streams
it saves half of the cost."""
MAX_STREAMS_PER_COMMIT = 128
"""With more streams, the text of the first ones is published while that of the last ones is
written."""


class StreamBuffer:
    """The unwritten text of one running stream, and the position it belongs to."""

    def __init__(self, stream: Stream, text: StreamText) -> None:
        self.stream = stream
        self.first_index = self.next_index = text.next_index
        self.offsets = {Kind.TEXT: len(text.content), Kind.REASONING: len(text.reasoning)}
        self.pending: list[tuple[Kind, list[str]]] = []
        self.checkpoint = reattach.get_stored_checkpoint(stream)
        self.pending_bytes, self.max_pending_bytes = 0, MAX_PENDING_BYTES
        self.is_too_long = False
        self.is_in_flight = False
        self.is_rejected = False
        self.is_unstorable = False
        self.changed = asyncio.Event()

    @property
    def has_written(self) -> bool:
        """Whether anything was written, or waits to be."""
        return self.next_index > self.first_index or bool(self.pending)

    @property
    def is_full(self) -> bool:
        return self.pending_bytes >= self.max_pending_bytes

    def add(self, kind: Kind, delta: str, checkpoint: Upstream | None = None) -> None:
        """Buffer a delta. Text without a checkpoint invalidates the cursor into the provider's
        copy: nobody could say any more where in it the journal stands."""
        if self.pending and self.pending[-1][0] == kind != Kind.SEAM:
            self.pending[-1][1].append(delta)
        else:
            self.pending.append((kind, [delta]))
        if checkpoint is not None:
            self.checkpoint = reattach.ensure_storable(checkpoint)
        elif self.checkpoint is not None and kind != Kind.SEAM:
            self.checkpoint = replace(self.checkpoint, cursor="")
        self.pending_bytes += 4 * len(delta)  # at most, in UTF-8

    def pop_pending(self) -> Append | None:
        """Remove the buffered text and return it, with neighbours of one kind as one chunk."""
        if not self.pending:
            return None
        chunks: list[journal.Chunk] = []
        for kind, run in self.pending:
            delta = "".join(run)
            offset = self.offsets[Kind.TEXT if kind == Kind.SEAM else kind]
            chunks += journal.split_delta(kind, delta, self.next_index + len(chunks), offset)
            if kind != Kind.SEAM:
                self.offsets[kind] += len(delta)
        self.pending, self.pending_bytes = [], 0
        self.next_index += len(chunks)
        if sum(self.offsets.values()) >= MAX_STREAM_CHARS:
            self.is_too_long, self.max_pending_bytes = (
                True,
                0,
            )  # checked once a commit, not for every delta
        stream = self.stream
        return Append(stream.id, stream.uuid, stream.epoch, tuple(chunks), self.checkpoint)


class Writer:
    """Commits the buffers of all streams of a worker. Calls `on_committed` with all appends after
    their commit, and `on_rejected` with each buffer whose append was rejected: the stream was
    stopped or taken over, or its text can't be stored."""

    def __init__(
        self,
        on_committed: Callable[[Sequence[Append]], None],
        on_rejected: Callable[[StreamBuffer], None],
    ) -> None:
        self._on_committed = on_committed
        self._on_rejected = on_rejected
        self._buffers: dict[int, StreamBuffer] = {}
        self._threads = DatabaseThreads("writer", 1, persistent_connection)
        self._wake = asyncio.Event()
        self._flush_now = asyncio.Event()

    def open_buffer(self, stream: Stream, text: StreamText) -> StreamBuffer:
        buffer = self._buffers[stream.id] = StreamBuffer(stream, text)
        return buffer

    def write(
        self, buffer: StreamBuffer, kind: Kind, delta: str, checkpoint: Upstream | None = None
    ) -> None:
        """Buffer a delta and its checkpoint at the provider. Callers that fill the buffer have to
        call `wait_for_space`."""
        if buffer.next_index == 0 and not buffer.pending:
            self._flush_now.set()
        buffer.add(kind, delta, checkpoint)
        self._wake.set()

    async def wait_for_space(self, buffer: StreamBuffer) -> None:
        """Wait while the buffer of this stream is full."""
        while buffer.is_full and not (buffer.is_rejected or buffer.is_too_long):
            buffer.changed.clear()
            await buffer.changed.wait()

    async def detach_buffer(self, buffer: StreamBuffer) -> Append | None:
        """Take a buffer out of the batches. The caller writes the text that is returned."""
        while buffer.is_in_flight:
            buffer.changed.clear()
            await buffer.changed.wait()
        self._remove_buffer(buffer)
        return None if buffer.is_rejected else buffer.pop_pending()

    async def flush(self, buffers: Sequence[StreamBuffer]) -> None:
        """Return once all that these buffers hold now is written or rejected."""
        self._wake.set()
        self._flush_now.set()
        for buffer in buffers:
            while (buffer.pending or buffer.is_in_flight) and not buffer.is_rejected:
                buffer.changed.clear()
                await buffer.changed.wait()

    def discard_buffer(self, buffer: StreamBuffer) -> None:
        """Drop a buffer with its unwritten text: its stream has ended, or another worker has it."""
        self._remove_buffer(buffer)
        buffer.pending, buffer.pending_bytes = [], 0

    def _remove_buffer(self, buffer: StreamBuffer) -> None:
        """The stream may have another buffer already, if it was lost and claimed again at once."""
        if self._buffers.get(buffer.stream.id) is buffer:
            del self._buffers[buffer.stream.id]

    async def run(self) -> None:
        """Commit round after round, until the task is cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            self._flush_now.clear()
            began = asyncio.get_running_loop().time()
            buffers = [*self._buffers.values()]
            taken = (
                (buffer, e)
                for buffer in buffers
                if not buffer.is_rejected and (e := buffer.pop_pending()) is not None
            )
            while batch := [*islice(taken, MAX_STREAMS_PER_COMMIT)]:
                await self._commit_batch(batch)
            await self._wait_for_next_flush(began, len(buffers))

    async def _commit_batch(self, batch: Sequence[tuple[StreamBuffer, Append]]) -> None:
        for buffer, _ in batch:
            buffer.is_in_flight = True
        accepted, unstorable = await self._append_batch([entry for _, entry in batch])
        self._on_committed([entry for _, entry in batch if entry.stream_id in accepted])
        for buffer, entry in batch:
            buffer.is_in_flight = False
            buffer.is_rejected = entry.stream_id not in accepted
            buffer.is_unstorable = entry.stream_id in unstorable
            buffer.changed.set()
            if buffer.is_rejected:
                self._on_rejected(buffer)

    async def _append_batch(self, entries: Sequence[Append]) -> tuple[set[int], set[int]]:
        """Try until the database accepted the batch or rejected it; never another batch first.
        Returns the ids of the streams it was written for, and of those whose text can't be
        stored."""
        is_retry = False
        while True:
            try:
                return await self._threads.run(journal.append, entries, is_retry=is_retry), set()
            except CONNECTION_ERRORS as error:
                if not outage_monitor.is_outage(error):
                    logger.warning("The journal can't be written (%s); trying again", error)
                is_retry = True
                await asyncio.sleep(0.2)
            except Exception:  # whatever it is: all streams of the worker depend on this task
                return await self._append_separately(entries)

    async def _append_separately(self, entries: Sequence[Append]) -> tuple[set[int], set[int]]:
        """Append for each stream alone: text that can't be stored must not cost other streams
        theirs."""
        if len(entries) > 1:
            results = [await self._append_batch([entry]) for entry in entries]
            return set().union(*(r[0] for r in results)), set().union(*(r[1] for r in results))
        logger.exception("Stream %s has text that can't be stored", entries[0].uuid)
        return set(), {entries[0].stream_id}

    async def _wait_for_next_flush(self, began: float, streams: int) -> None:
        """Wait longer with more streams; but not for a first delta or an ending."""
        beat = min(streams * FLUSH_SECONDS_PER_STREAM, MAX_FLUSH_INTERVAL_SECONDS)
        with suppress(TimeoutError):
            async with asyncio.timeout_at(began + beat):
                await self._flush_now.wait()

    def stop(self) -> None:
        self._threads.close()

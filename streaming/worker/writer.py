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
from itertools import islice

from streaming import journal
from streaming.database import (
    CONNECTION_ERRORS,
    DB_RETRY_SECONDS,
    DatabaseThreads,
    persistent_connection,
)
from streaming.events import StreamText
from streaming.hub import get_hub
from streaming.journal import Append
from streaming.models import Stream
from streaming.outage import outage_monitor
from streaming.worker.buffer import StreamBuffer

logger = logging.getLogger(__name__)

FLUSH_SECONDS_PER_STREAM = 0.0013
MAX_FLUSH_INTERVAL_SECONDS = 0.075
"""Seconds from one round of commits to the next. Readers do not see the difference, and with many
streams it saves half of the cost."""
MAX_STREAMS_PER_COMMIT = 128
"""With more streams, the text of the first ones is published while that of the last ones is
written."""


class Writer:
    """Commits the buffers of all streams of a worker, and publishes what was committed."""

    def __init__(self) -> None:
        self._buffers: dict[int, StreamBuffer] = {}
        self._threads = DatabaseThreads("writer", 1, persistent_connection)
        self._wake = asyncio.Event()
        self._flush_now = asyncio.Event()

    def open_buffer(
        self, stream: Stream, text: StreamText, on_rejected: Callable[[], None]
    ) -> StreamBuffer:
        """The stream continues after `text`."""
        buffer = self._buffers[stream.id] = StreamBuffer(
            stream, text, wake=self._wake, flush_now=self._flush_now, on_rejected=on_rejected
        )
        return buffer

    async def detach_buffer(self, buffer: StreamBuffer) -> Append | None:
        """Take a buffer out of the batches. The caller writes the text that is returned."""
        await buffer.wait_until_landed()
        self._remove_buffer(buffer)
        return None if buffer.is_rejected else buffer.pop_pending()

    async def flush(self, buffers: Sequence[StreamBuffer]) -> None:
        """Return once all text that these buffers hold now is written or rejected."""
        self._wake.set()
        self._flush_now.set()
        for buffer in buffers:
            await buffer.wait_until_written()

    def discard_buffer(self, buffer: StreamBuffer) -> None:
        """Drop a buffer with its unwritten text: its stream has ended, or another worker has it."""
        self._remove_buffer(buffer)
        buffer.drop_pending()

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
                (buffer, entry)
                for buffer in buffers
                if not buffer.is_rejected and (entry := buffer.pop_pending()) is not None
            )
            while batch := [*islice(taken, MAX_STREAMS_PER_COMMIT)]:
                await self._commit_batch(batch)
            await self._wait_for_next_flush(began, len(buffers))

    async def _commit_batch(
        self, batch: Sequence[tuple[StreamBuffer, Append]], *, is_retry: bool = False
    ) -> None:
        """Try until the database accepted the batch or rejected it; never another batch first. Then
        publish what was accepted. `is_retry`: a commit without an answer may have written it."""
        for buffer, _ in batch:
            buffer.is_in_flight = True
        entries = [entry for _, entry in batch]
        accepted: set[int] = set()
        is_unstorable = False
        while True:
            try:
                accepted = await self._threads.run(journal.append, entries, is_retry=is_retry)
                break
            except CONNECTION_ERRORS as error:
                if not outage_monitor.is_outage(error):
                    logger.warning("The journal can't be written (%s); trying again", error)
                is_retry = True
                await asyncio.sleep(DB_RETRY_SECONDS)
            except Exception:  # whatever it is: all streams of the worker depend on this task
                if len(batch) > 1:
                    # Text that can't be stored must not cost other streams theirs.
                    for single in batch:
                        await self._commit_batch([single], is_retry=is_retry)
                    return
                logger.exception("Stream %s has text that can't be stored", entries[0].uuid)
                is_unstorable = True
                break
        if accepted:
            get_hub().publish_update([e for e in entries if e.stream_id in accepted])
        for buffer, entry in batch:
            buffer.finish_commit(
                is_accepted=entry.stream_id in accepted, is_unstorable=is_unstorable
            )

    async def _wait_for_next_flush(self, began: float, streams: int) -> None:
        """Wait longer with more streams; but not for a first delta or an ending."""
        interval = min(streams * FLUSH_SECONDS_PER_STREAM, MAX_FLUSH_INTERVAL_SECONDS)
        with suppress(TimeoutError):
            async with asyncio.timeout_at(began + interval):
                await self._flush_now.wait()

    def stop(self) -> None:
        self._threads.close()

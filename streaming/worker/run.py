"""One claimed stream, from the preparation of its source to its ending."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing

from streaming import journal, lifecycle
from streaming.database import DatabaseThreads
from streaming.events import Delta, Finish, Note, SourceError, SourceEvent, StreamText
from streaming.hub import get_hub
from streaming.journal import StreamHead
from streaming.lifecycle import Ending
from streaming.models import Kind, Stream
from streaming.sources import Source, get_handler
from streaming.worker.buffer import StreamBuffer
from streaming.worker.writer import Writer

logger = logging.getLogger(__name__)

CANCEL_TIMEOUT_SECONDS = 5.0
"""How long a source may take to cancel its work elsewhere."""
TEXT_KINDS = {kind.value: kind for kind in (Kind.TEXT, Kind.REASONING)}
"""The kinds of text that a source yields piece by piece."""


class StreamRun:
    """One claimed stream, and the task that runs it."""

    def __init__(
        self,
        stream: Stream,
        writer: Writer,
        db_threads: DatabaseThreads,
        background_tasks: set[asyncio.Task[None]],
    ) -> None:
        self.stream = stream
        self.buffer: StreamBuffer | None = None
        self.is_ending = False
        self._writer = writer
        self._db_threads = db_threads
        self._background_tasks = background_tasks
        self._source: Source | None = None
        self._is_handed_over = False
        self.task = asyncio.create_task(self._run(), name=f"stream {stream.uuid}")

    def cancel(self) -> None:
        """Stop the run, unless it is ending anyway. The caller ends the stream."""
        if not self.is_ending:
            self.task.cancel()

    def hand_over(self) -> None:
        """Stop the run, but keep its unwritten text for the writer, because another worker
        continues."""
        self._is_handed_over = True
        self.cancel()

    async def _run(self) -> None:
        stream, text = self.stream, StreamText()
        if stream.next_index:
            text = await self._db_threads.run_until_answered(journal.read_text, stream.id)
        self.buffer = buffer = self._writer.open_buffer(stream, text, self.cancel)
        try:
            self._publish_state()
            ending = await self._run_to_ending(buffer, text)
            self.is_ending = True
            await self._end_stream(buffer, ending)
        except asyncio.CancelledError:
            self._start_upstream_cancel(buffer)
            raise
        finally:
            if not self._is_handed_over:
                self._writer.discard_buffer(buffer)

    async def _run_to_ending(self, buffer: StreamBuffer, text: StreamText) -> Ending:
        try:
            return await self._run_source(buffer, text)
        except asyncio.CancelledError:
            if not buffer.is_unstorable:
                raise
            return Ending.internal_error()  # no other worker could store this text either

    async def _run_source(self, buffer: StreamBuffer, text: StreamText) -> Ending:
        stream = self.stream
        if lifecycle.has_exhausted_attempts(stream):
            return Ending.interrupted(lifecycle.SERVER_STOPPED)
        try:
            prepare = get_handler(stream.source).prepare
            self._source = await self._db_threads.run_until_answered(prepare, stream, text)
            finish = await self._write_events(self._source.events(text, buffer.checkpoint), buffer)
        except SourceError as error:
            return Ending.from_error(error)
        except Exception:
            logger.exception("Stream %s broke", stream.uuid)
            return Ending.internal_error()
        if finish is None:
            return Ending.interrupted(lifecycle.SOURCE_ENDED_EARLY)
        return Ending.from_finish(finish)

    async def _write_events(
        self, events: AsyncGenerator[SourceEvent, None], buffer: StreamBuffer
    ) -> Finish | None:
        calls: list[str] = []
        async with aclosing(events):
            async for event in events:
                if isinstance(event, Delta):
                    if event.kind == "tool_call":
                        calls.append(event.text)
                        continue
                    if not event.text:
                        await self._save_checkpoint(buffer, event.checkpoint)
                        continue
                    if self.stream.note:
                        await self._set_note("")
                    buffer.add(TEXT_KINDS[event.kind], event.text, event.checkpoint)
                    if buffer.is_full:
                        if buffer.is_too_long:
                            return Finish("length")
                        await buffer.wait_for_space()
                elif isinstance(event, Finish):
                    for call in calls:  # their commit is that of the end
                        buffer.add(Kind.TOOL_CALL, call)
                    return event
                elif isinstance(event, Note):
                    await self._set_note(event.text)
                else:
                    if self.stream.note:
                        await self._set_note("")  # now, so that seam and text are one commit
                    buffer.add(Kind.SEAM, "")
        return None

    async def _set_note(self, note: str) -> None:
        """Write a note for people into the stream's row, and publish it."""
        stream = self.stream
        if await self._db_threads.run_until_answered(
            lifecycle.set_note, stream.id, stream.epoch, note
        ):
            stream.note = note
            self._publish_state()

    async def _save_checkpoint(self, buffer: StreamBuffer, checkpoint: str) -> None:
        """Save a checkpoint at once while there is no text to commit it with."""
        buffer.checkpoint = checkpoint
        if not buffer.has_written:
            await self._db_threads.run_until_answered(
                lifecycle.save_checkpoint, self.stream.id, self.stream.epoch, checkpoint
            )

    def _publish_state(self) -> None:
        get_hub().publish_update([], StreamHead.of(self.stream))

    def _start_upstream_cancel(self, buffer: StreamBuffer) -> None:
        """If the stream was stopped, cancel work that would continue elsewhere. This needs a task
        of its own, because the present one is cancelled."""
        if self._source is not None and buffer.checkpoint and not self._is_handed_over:
            cancelling = self._cancel_upstream(self._source, buffer.checkpoint)
            task = asyncio.create_task(cancelling, name=f"cancel of {self.stream.uuid}")
            self._background_tasks.add(task)
            task.add_done_callback(self._background_tasks.discard)

    async def _cancel_upstream(self, source: Source, checkpoint: str) -> None:
        if not await self._db_threads.run_until_answered(
            lifecycle.is_stopped_or_deleted, self.stream.id
        ):
            return
        try:
            await asyncio.wait_for(source.cancel(checkpoint), CANCEL_TIMEOUT_SECONDS)
        except (SourceError, TimeoutError) as error:
            logger.warning(
                "The source of stream %s may still be running (%s)", self.stream.uuid, error
            )
        except Exception:
            logger.exception("The source of stream %s may still be running", self.stream.uuid)

    async def _end_stream(self, buffer: StreamBuffer, ending: Ending) -> None:
        """End the stream in the database, then publish the last chunks and the end together."""
        stream = self.stream
        rest = await self._writer.detach_buffer(buffer)
        if buffer.is_unstorable:
            ending = Ending.internal_error()  # its last text was rejected just now
        if await self._db_threads.run_until_answered(
            lifecycle.end, stream.id, stream.epoch, ending, rest
        ):
            heads = await self._db_threads.run_until_answered(journal.read_heads, [stream.id])
            if head := heads.get(stream.id):  # unless it was deleted at once
                stored = rest is not None and rest.next_index <= head.next_index
                get_hub().publish_update([rest] if rest and stored else [], head)
            lifecycle.notify_workers()  # its lane is free

"""The worker: a Channels consumer that claims streams and runs each as a background task.

It is the only place where a source is started. A socket or a request never owns a run: who
asks for a reply writes a row, and a worker hears the bell or looks for itself. The rows are
the queue, so a worker that dies loses nothing; its streams are claimed by another one.

Channels' own `runworker` would lose every unfinished job with its process, so the consumer
is hosted by `runtime`, in a process of its own or embedded in the web server's.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import ExitStack, aclosing, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, ParamSpec, TypeVar

from channels.consumer import AsyncConsumer

from streaming import journal, lifecycle, reattach, retries
from streaming.conf import engine_settings
from streaming.continuation import strip_overlap
from streaming.database import CONNECTION_ERRORS, DatabaseThreads, persistent_connection
from streaming.hub import WORKERS_GROUP, Notification, get_hub
from streaming.journal import Append, StreamHead, StreamText
from streaming.lifecycle import Ending
from streaming.models import LEASE_RENEWAL_SECONDS, Kind, Stream, Worker
from streaming.outage import outage_monitor
from streaming.providers.base import BackgroundAdapter, Finish, ReplyEvent, Upstream
from streaming.providers.errors import ProviderError
from streaming.sources import Source, get_handler, get_periodic_tasks
from streaming.writer import StreamBuffer, Writer

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

POLL_SECONDS = 1.0
"""How often a worker compares its streams with the database, with or without notifications."""
LEFTOVER_DELAY_SECONDS = 0.3
"""How long after a notification it claims what the other workers, which got it too, have left."""
DEBOUNCE_SECONDS = 0.1
"""How long notifications are collected after a claim that found nothing. A person who queues a
hundred replies and may run ten causes as many notifications, and answering each took a third of a
worker's time."""
DB_RETRY_SECONDS = 0.2
"""Pause before the next try after the database gave no answer."""
CLAIM_BATCH_SIZE = 50
CANCEL_TIMEOUT_SECONDS = 5.0
MAINTENANCE_INTERVAL_SECONDS = 60.0
FOLD_BATCH_SIZE = 100


@dataclass(eq=False, slots=True)
class StreamRun:
    """A stream that this worker runs, and the task that runs it."""

    stream: Stream
    task: asyncio.Task[None] = field(init=False)
    buffer: StreamBuffer | None = None
    source: Source | None = None
    is_ending: bool = False


class StreamWorker(AsyncConsumer):
    """Claims streams, writes what their sources yield into the journal, and ends them."""

    channel_layer_alias = "none"  # notifications come through the hub

    def __init__(self) -> None:
        self.row: Worker | None = None
        self._runs: dict[int, StreamRun] = {}
        self._wake = asyncio.Event()
        self._is_draining = False
        self._is_handing_over = False
        self._db_threads = DatabaseThreads("worker", 2)
        # Claims must not wait behind the queries of streams: to prepare and end dozens that were
        # taken over at once takes seconds.
        self._claim_threads = DatabaseThreads("claims", 1, persistent_connection)
        self._lease_threads = DatabaseThreads("lease", 1)
        self._writer = Writer(self._on_committed, self._on_rejected)
        self._subscriptions = ExitStack()
        self._tasks: list[asyncio.Task[None]] = []
        self._background_tasks: set[asyncio.Task[None]] = set()
        self._claim_task: asyncio.Task[None] | None = None

    # Start and drain

    async def start(self) -> None:
        """Register with the database and begin to claim."""
        messages: asyncio.Queue[Notification] = asyncio.Queue()
        name = f"{socket.gethostname()} {os.getpid()}"
        self.row = await self._call_with_db_retry(lifecycle.register_worker, name)
        self._subscriptions.enter_context(get_hub().listen(WORKERS_GROUP, messages.put_nowait))
        hear: Any = self  # Channels' types know sockets and requests only
        hearing = hear({"type": "channel", "channel": WORKERS_GROUP}, messages.get, _ignore_message)
        self._tasks = [
            asyncio.create_task(hearing, name="worker bell"),
            asyncio.create_task(self._lease_loop(), name="worker lease"),
            asyncio.create_task(self._maintenance_loop(), name="worker housekeeping"),
            asyncio.create_task(self._writer.run(), name="worker writer"),
        ]
        self._wake.set()  # for what waits already
        self._claim_task = asyncio.create_task(self._claim_loop(), name="worker claims")

    async def drain(self, seconds: float) -> None:
        """Claim nothing new, let running streams finish within `seconds`, and release the rest."""
        self._is_draining = True
        self._wake.set()
        if self._claim_task is not None and self.row is not None:
            await self._claim_task
            await self._call_with_db_retry(lifecycle.begin_drain, self.row)
        if self._runs:
            await asyncio.wait([run.task for run in self._runs.values()], timeout=seconds)
        await self._hand_over()
        await asyncio.gather(*self._background_tasks, return_exceptions=True)
        if self.row is not None:
            await self._call_with_db_retry(lifecycle.deregister_worker, self.row)
        self._subscriptions.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for threads in (self._db_threads, self._claim_threads, self._lease_threads):
            threads.close()
        self._writer.stop()

    async def _hand_over(self) -> None:
        self._is_handing_over = True
        left = [run for run in self._runs.values() if not run.is_ending]
        for run in left:
            run.task.cancel()
        await asyncio.gather(*(run.task for run in self._runs.values()), return_exceptions=True)
        await self._writer.flush([run.buffer for run in left if run.buffer])

    # Notifications

    async def dispatch(self, message: Notification) -> None:
        """Ignore the notifications of a newer version."""
        if message.get("type") in ("stream.queued", "stream.ended"):
            await super().dispatch(message)

    async def stream_queued(self, message: Notification) -> None:
        self._wake.set()

    async def stream_ended(self, message: Notification) -> None:
        self._cancel_run(self._runs.get(message.get("stream_id", 0)))
        self._wake.set()

    # Claiming

    async def _claim_loop(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + POLL_SECONDS
        while not self._is_draining:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(due):
                    await self._wake.wait()
            try:
                # Notifications may come without a pause, so the clock decides.
                if loop.time() < due:
                    if not await self._claim_streams(ignore_share=False):
                        await asyncio.sleep(DEBOUNCE_SECONDS)
                    due = min(due, loop.time() + LEFTOVER_DELAY_SECONDS)
                else:
                    await self._reconcile()
                    due = loop.time() + POLL_SECONDS
            except CONNECTION_ERRORS as error:
                # The notification is used up, and a stream may be between two owners.
                if not outage_monitor.is_outage(error):
                    logger.warning("Streams could not be looked for (%s); trying again", error)
                self._wake.set()
                await asyncio.sleep(DB_RETRY_SECONDS)
            except Exception:
                logger.exception("Looking for streams failed; trying again")
                await asyncio.sleep(POLL_SECONDS)

    async def _claim_streams(self, *, ignore_share: bool) -> int:
        """Claim streams; returns how many. A notification wakes all workers, so each claims its
        share. The first one that polls a moment later claims what is left."""
        self._wake.clear()
        assert self.row is not None
        running = len(self._runs)
        room = min(engine_settings.MAX_STREAMS_PER_WORKER - running, CLAIM_BATCH_SIZE)
        if self._is_draining or room <= 0:
            return 0
        share = None if ignore_share else running
        claimed = await self._claim_threads.run(lifecycle.claim, self.row, room, share)
        for stream in claimed:
            self._cancel_run(self._runs.get(stream.id))  # lost to another, and not yet noticed
            run = self._runs[stream.id] = StreamRun(stream)
            run.task = asyncio.create_task(self._run_stream(run), name=f"stream {stream.uuid}")
            run.task.add_done_callback(partial(self._on_run_done, run))
        if len(claimed) == room:
            self._wake.set()
        return len(claimed)

    async def _reconcile(self) -> None:
        """Cancel streams that are no longer ours; release those of a claim whose answer was lost;
        stop what is of people who were deactivated; take what nobody runs. Claims and this run
        one after the other, so no claim is half done."""
        assert self.row is not None
        self._wake.clear()
        mine, more = await self._claim_threads.run(lifecycle.read_own_streams, self.row)
        for run in tuple(self._runs.values()):
            if mine.pop(run.stream.id, None) != run.stream.epoch:
                self._cancel_run(run)
        if mine:
            await self._claim_threads.run(lifecycle.release_streams, self.row, list(mine))
        if more:
            await self._claim_threads.run(lifecycle.stop_streams_of_inactive_owners)
            await self._claim_streams(ignore_share=True)
            await self._claim_threads.run(lifecycle.update_queue_notes)

    def _cancel_run(self, run: StreamRun | None) -> None:
        if run is not None and not run.is_ending:
            run.task.cancel()

    def _on_run_done(self, run: StreamRun, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("The run of stream %s broke", run.stream.uuid, exc_info=error)
        if self._runs.get(run.stream.id) is run:
            del self._runs[run.stream.id]
        self._wake.set()

    async def _lease_loop(self) -> None:
        assert self.row is not None
        while True:
            await asyncio.sleep(LEASE_RENEWAL_SECONDS)
            try:
                await self._lease_threads.run(lifecycle.renew_lease, self.row)
            except Exception as error:
                if not outage_monitor.is_outage(error):
                    logger.warning("The lease could not be renewed (%s); trying again", error)

    async def _maintenance_loop(self) -> None:
        """Fold old streams, and run the application's periodic tasks. Any number of workers may do
        so, at any time."""
        after = 0
        while True:
            try:
                after = await self._db_threads.run(
                    lifecycle.fold_ended_streams, FOLD_BATCH_SIZE, after
                )
            except Exception as error:
                if not outage_monitor.is_outage(error):
                    logger.exception("Old streams could not be folded; trying again")
                after = 0
            if not after:
                await self._run_periodic_tasks()
                await asyncio.sleep(MAINTENANCE_INTERVAL_SECONDS)

    async def _run_periodic_tasks(self) -> None:
        for task in get_periodic_tasks():
            try:
                await self._db_threads.run(task)
            except Exception as error:
                if not outage_monitor.is_outage(error):
                    logger.exception("%s failed; trying again", task.__qualname__)

    # One stream

    async def _run_stream(self, run: StreamRun) -> None:
        """Run a claimed stream until it ends. If the task is cancelled, its canceller ends the
        stream."""
        stream = run.stream
        text = StreamText()
        if stream.next_index:
            text = await self._call_with_db_retry(journal.read_text, stream.id)
        run.buffer = buffer = self._writer.open_buffer(stream, text)
        try:
            self._publish_state(stream)
            ending = await self._run_to_ending(run, text, buffer)
            run.is_ending = True
            await self._end_stream(buffer, ending)
        except asyncio.CancelledError:
            self._start_upstream_cancel(run.source, buffer)
            raise
        finally:
            if not self._is_handing_over:
                self._writer.discard_buffer(buffer)

    async def _run_to_ending(
        self, run: StreamRun, text: StreamText, buffer: StreamBuffer
    ) -> Ending:
        try:
            return await self._run_source(run, text, buffer)
        except asyncio.CancelledError:
            if not buffer.is_unstorable:
                raise
            return Ending.internal_error()  # it is still ours, and nobody else could store its text

    async def _run_source(self, run: StreamRun, text: StreamText, buffer: StreamBuffer) -> Ending:
        """Write everything from the source into the journal; returns how that ended."""
        stream = run.stream
        if lifecycle.has_exhausted_attempts(stream):
            return Ending.interrupted("The server stopped in the middle of this reply.")
        try:
            prepare = get_handler(stream.source).prepare
            run.source = await self._call_with_db_retry(prepare, stream, text)
            finish = await self._run_with_retries(run.source, text, buffer)
        except ProviderError as error:
            return Ending.from_error(error, with_text=buffer.next_index > 0 or bool(buffer.pending))
        except Exception:
            logger.exception("Stream %s broke", stream.uuid)
            return Ending.internal_error()
        if finish is None:
            return Ending.interrupted("The provider's answer ended before it was complete.")
        return Ending.from_finish(finish)

    async def _run_with_retries(
        self, source: Source, text: StreamText, buffer: StreamBuffer
    ) -> Finish | None:
        """Run the source, with retries while nothing is written and a retry may help."""
        tries = 1
        while True:
            try:
                return await self._run_with_reattach(source, text, buffer)
            except ProviderError as error:
                if buffer.has_written:
                    raise
                failure = error
            if parameter := retries.find_unsupported_parameter(failure, source.request):
                await self._report_unsupported_parameter(parameter, failure, source, buffer.stream)
                source = replace(source, request=retries.drop_parameter(source.request, parameter))
                continue
            wait = retries.choose_retry_delay(failure, tries)
            if wait is None:
                raise retries.add_retry_time(failure)
            await self._wait_for_retry(failure, wait, tries, buffer.stream)
            tries += 1

    async def _report_unsupported_parameter(
        self, parameter: str, error: ProviderError, source: Source, stream: Stream
    ) -> None:
        if retries.is_permanent(error):
            await self._call_with_db_retry(source.on_unsupported_parameter, parameter)
        await self._set_note(stream, retries.format_dropped_parameter_note(parameter))

    async def _wait_for_retry(
        self, error: ProviderError, left: float, tries: int, stream: Stream
    ) -> None:
        while left > 0:
            await self._set_note(stream, retries.format_waiting_note(error, left, tries))
            await asyncio.sleep(min(left, retries.NOTE_UPDATE_SECONDS))
            left -= retries.NOTE_UPDATE_SECONDS
        await self._set_note(stream, retries.format_retry_note(tries + 1))

    async def _set_note(self, stream: Stream, note: str) -> None:
        """Write a note for people into the stream's row, and publish it."""
        if await self._call_with_db_retry(lifecycle.set_note, stream.id, stream.epoch, note):
            stream.note = note
            self._publish_state(stream)

    async def _run_with_reattach(
        self, source: Source, text: StreamText, buffer: StreamBuffer
    ) -> Finish | None:
        """Read the provider's own copy where it keeps one, again after each broken connection. If
        that copy is gone, start as if there had been none."""
        for _ in range(reattach.MAX_REATTACHMENTS):
            kept = reattach.reattach_source(source, buffer.checkpoint)
            try:
                finish = await self._stream_once(kept or source, text, buffer)
                if finish or not can_reattach(source, buffer):
                    return finish
            except ProviderError as error:
                if reattach.is_expired(error):
                    buffer.checkpoint = reattach.NO_CHECKPOINT
                    if buffer.has_written or not kept:
                        raise
                elif not can_reattach(source, buffer):
                    raise
            await asyncio.sleep(reattach.REATTACH_DELAY_SECONDS)
        return await self._stream_once(
            reattach.reattach_source(source, buffer.checkpoint) or source, text, buffer
        )

    async def _stream_once(
        self, source: Source, text: StreamText, buffer: StreamBuffer
    ) -> Finish | None:
        """Run one call of the provider. A text that a new call continues gets a seam, and the
        overlap is stripped. A text that the provider's copy continues needs neither."""
        asks = source.request.upstream is None
        seam_due = asks and text.next_index > 0 and not text.ends_in_seam
        repeats = text.content and (asks or (text.ends_in_seam and not buffer.has_written))
        async with aclosing(source.stream_events()) as said:
            events: AsyncIterator[ReplyEvent] = (
                strip_overlap(said, text.content) if repeats else said
            )
            async for event in events:
                if isinstance(event, Finish):
                    return event
                if not event.text:
                    if event.upstream and not seam_due:
                        await self._save_checkpoint(buffer, event.upstream)
                    continue
                if buffer.stream.note:
                    await self._set_note(buffer.stream, "")
                if seam_due:
                    seam_due = False
                    self._writer.write(buffer, Kind.SEAM, "")
                self._writer.write(buffer, Kind(event.kind), event.text, event.upstream)
                if buffer.is_full:
                    if buffer.is_too_long:
                        return Finish("length")
                    await self._writer.wait_for_space(buffer)
        return None

    async def _save_checkpoint(self, buffer: StreamBuffer, checkpoint: Upstream) -> None:
        """Save the checkpoint of the provider's copy before there is any text to commit it with."""
        buffer.checkpoint = reattach.ensure_storable(checkpoint)
        if not buffer.has_written:
            stream = buffer.stream
            await self._call_with_db_retry(
                lifecycle.save_checkpoint, stream.id, stream.epoch, buffer.checkpoint
            )

    def _start_upstream_cancel(self, source: Source | None, buffer: StreamBuffer) -> None:
        """Cancel a stopped reply at the provider, too, if it would go on there without us."""
        if not self._is_handing_over and source and buffer.checkpoint and buffer.checkpoint.id:
            giving_up = self._cancel_upstream(source, buffer.checkpoint, buffer.stream)
            task = asyncio.create_task(giving_up, name=f"cancel of {buffer.stream.uuid}")
            self._background_tasks.add(task)
            task.add_done_callback(self._background_tasks.discard)

    async def _cancel_upstream(self, source: Source, checkpoint: Upstream, stream: Stream) -> None:
        adapter = source.adapter
        if isinstance(adapter, BackgroundAdapter) and await self._call_with_db_retry(
            lifecycle.is_stopped_or_deleted, stream.id
        ):
            try:
                await asyncio.wait_for(
                    adapter.cancel(checkpoint, source.key), CANCEL_TIMEOUT_SECONDS
                )
            except (ProviderError, TimeoutError) as error:
                logger.warning("Stream %s may go on at its provider (%s)", stream.uuid, error)

    async def _end_stream(self, buffer: StreamBuffer, ending: Ending) -> None:
        """End the stream in the database, then publish the last chunks and the end together."""
        stream = buffer.stream
        rest = await self._writer.detach_buffer(buffer)
        if buffer.is_unstorable:
            ending = Ending.internal_error()  # its last text was rejected just now
        if await self._call_with_db_retry(lifecycle.end, stream.id, stream.epoch, ending, rest):
            heads = await self._call_with_db_retry(journal.read_heads, [stream.id])
            if head := heads.get(stream.id):  # unless it was deleted at once
                stored = rest is not None and rest.next_index <= head.next_index
                get_hub().publish_update([rest] if rest and stored else [], head)
            lifecycle.notify_workers()  # its lane is free

    def _publish_state(self, stream: Stream) -> None:
        get_hub().publish_update([], StreamHead.of(stream))

    def _on_committed(self, entries: Sequence[Append]) -> None:
        if entries:
            get_hub().publish_update(entries)

    def _on_rejected(self, buffer: StreamBuffer) -> None:
        run = self._runs.get(buffer.stream.id)
        if run is not None and run.buffer is buffer:
            self._cancel_run(run)

    async def _call_with_db_retry(
        self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Call until the database answers, however long that takes. Only for calls that may run
        twice."""
        while True:
            try:
                return await self._db_threads.run(function, *args, **kwargs)
            except CONNECTION_ERRORS as error:
                if not outage_monitor.is_outage(error):
                    logger.warning("The database does not answer (%s); trying again", error)
                await asyncio.sleep(DB_RETRY_SECONDS)


def can_reattach(source: Source, buffer: StreamBuffer) -> bool:
    """Whether a part of the reply is written, and the provider's copy has the rest."""
    return buffer.has_written and reattach.reattach_source(source, buffer.checkpoint) is not None


async def _ignore_message(message: Any) -> None:
    """A worker sends no answers."""

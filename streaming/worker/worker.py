"""The claim loop: it decides which streams this worker runs, from its start to its drain."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from contextlib import suppress
from functools import partial

from streaming import lifecycle
from streaming.conf import engine_settings
from streaming.database import (
    CONNECTION_ERRORS,
    DB_RETRY_SECONDS,
    DatabaseThreads,
    persistent_connection,
)
from streaming.models import LEASE_RENEWAL_SECONDS, Worker
from streaming.outage import outage_monitor
from streaming.worker.consumer import WorkerConsumer
from streaming.worker.maintenance import run_follow_ups, run_maintenance
from streaming.worker.run import StreamRun
from streaming.worker.writer import Writer

logger = logging.getLogger(__name__)

POLL_SECONDS = 1.0
"""How often a worker compares its streams with the database, with or without notifications."""
LEFTOVER_DELAY_SECONDS = 0.3
"""How long after a notification a worker claims what the other workers, which got it too, have
left."""
DEBOUNCE_SECONDS = 0.1
"""How long notifications are collected after a claim that found nothing. A person who queues a
hundred streams and may run ten causes a hundred notifications, and a claim for each took a third of
a worker's time."""
CLAIM_BATCH_SIZE = 50
"""The maximum number of streams that one claim takes."""


class StreamWorker:
    """Claims streams and runs each in a task of its own."""

    def __init__(self) -> None:
        self.row: Worker | None = None
        self._runs: dict[int, StreamRun] = {}
        self._wake = asyncio.Event()
        self._has_ended = asyncio.Event()
        self._is_draining = False
        self._db_threads = DatabaseThreads("worker", 2)
        # Claims must not wait behind the queries of streams: to prepare and end dozens that were
        # taken over at once takes seconds.
        self._claim_threads = DatabaseThreads("claims", 1, persistent_connection)
        self._lease_threads = DatabaseThreads("lease", 1)
        self._writer = Writer()
        self._tasks: list[asyncio.Task[None]] = []
        self._background_tasks: set[asyncio.Task[None]] = set()
        self._claim_task: asyncio.Task[None] | None = None

    # Start and drain

    async def start(self) -> None:
        """Register with the database and begin to claim."""
        name = f"{socket.gethostname()} {os.getpid()}"
        self.row = await self._db_threads.run_until_answered(lifecycle.register_worker, name)
        self._tasks = [
            asyncio.create_task(WorkerConsumer(self).listen(), name="worker notifications"),
            asyncio.create_task(self._lease_loop(), name="worker lease"),
            asyncio.create_task(run_maintenance(self._db_threads), name="worker maintenance"),
            asyncio.create_task(
                run_follow_ups(self._db_threads, self._has_ended), name="worker follow-ups"
            ),
            asyncio.create_task(self._writer.run(), name="worker writer"),
        ]
        self.wake()  # for streams that are queued already
        self._claim_task = asyncio.create_task(self._claim_loop(), name="worker claims")

    async def drain(self, seconds: float) -> None:
        """Claim nothing new, let running streams finish within `seconds`, and release the rest."""
        self._is_draining = True
        self.wake()
        if self._claim_task is not None and self.row is not None:
            await self._claim_task
            await self._db_threads.run_until_answered(lifecycle.begin_drain, self.row)
        if self._runs:
            await asyncio.wait([run.task for run in self._runs.values()], timeout=seconds)
        await self._hand_over()
        await asyncio.gather(*self._background_tasks, return_exceptions=True)
        if self.row is not None:
            await self._db_threads.run_until_answered(lifecycle.deregister_worker, self.row)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for threads in (self._db_threads, self._claim_threads, self._lease_threads):
            threads.close()
        self._writer.stop()

    async def _hand_over(self) -> None:
        """Stop all running streams, and write their text, so that another worker continues after
        it."""
        left = [run for run in self._runs.values() if not run.is_ending]
        for run in left:
            run.hand_over()
        await asyncio.gather(*(run.task for run in self._runs.values()), return_exceptions=True)
        await self._writer.flush([run.buffer for run in left if run.buffer])

    # Called by notifications

    def wake(self) -> None:
        self._wake.set()

    def on_stream_ended(self, stream_id: int) -> None:
        """A stream has ended elsewhere."""
        self.cancel_stream(stream_id)
        self._has_ended.set()
        self.wake()

    def cancel_stream(self, stream_id: int) -> None:
        if run := self._runs.get(stream_id):
            run.cancel()

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
                # The notification will not come again, and a claim may be half done.
                if not outage_monitor.is_outage(error):
                    logger.warning("Streams could not be claimed (%s); trying again", error)
                self.wake()
                await asyncio.sleep(DB_RETRY_SECONDS)
            except Exception:
                logger.exception("Claiming streams failed; trying again")
                await asyncio.sleep(POLL_SECONDS)

    async def _claim_streams(self, *, ignore_share: bool) -> int:
        """Returns the number of claimed streams. A notification wakes all workers, so each claims
        its share. The first one that polls a moment later claims the rest."""
        self._wake.clear()
        assert self.row is not None
        running = len(self._runs)
        free_slots = min(engine_settings.MAX_STREAMS_PER_WORKER - running, CLAIM_BATCH_SIZE)
        if self._is_draining or free_slots <= 0:
            return 0
        share = None if ignore_share else running
        claimed = await self._claim_threads.run(lifecycle.claim, self.row, free_slots, share)
        for stream in claimed:
            self.cancel_stream(stream.id)  # lost to another worker, and not yet noticed
            run = StreamRun(stream, self._writer, self._db_threads, self._background_tasks)
            self._runs[stream.id] = run
            run.task.add_done_callback(partial(self._on_run_done, run))
        if len(claimed) == free_slots:
            self.wake()
        return len(claimed)

    async def _reconcile(self) -> None:
        """Cancel streams that this worker does not own any more; release those of a claim whose
        answer was lost; stop those of deactivated people; claim those that no worker runs. Claims
        and this run one after the other, so no claim is half done."""
        assert self.row is not None
        self._wake.clear()
        mine, more = await self._claim_threads.run(lifecycle.read_own_streams, self.row)
        for run in tuple(self._runs.values()):
            if mine.pop(run.stream.id, None) != run.stream.epoch:
                run.cancel()
        if mine:
            await self._claim_threads.run(lifecycle.release_streams, self.row, list(mine))
        if more:
            await self._claim_threads.run(lifecycle.stop_streams_of_inactive_owners)
            await self._claim_streams(ignore_share=True)
            await self._claim_threads.run(lifecycle.update_queue_notes)

    def _on_run_done(self, run: StreamRun, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("The run of stream %s broke", run.stream.uuid, exc_info=error)
        if self._runs.get(run.stream.id) is run:
            del self._runs[run.stream.id]
        self._has_ended.set()
        self.wake()

    async def _lease_loop(self) -> None:
        assert self.row is not None
        while True:
            await asyncio.sleep(LEASE_RENEWAL_SECONDS)
            try:
                await self._lease_threads.run(lifecycle.renew_lease, self.row)
            except Exception as error:
                if not outage_monitor.is_outage(error):
                    logger.warning("The lease could not be renewed (%s); trying again", error)

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
from django.conf import settings

from streaming import journal, lifecycle, retries, upstream
from streaming.carry_on import trimmed
from streaming.database import UNANSWERED, Threads, keeping
from streaming.hub import WORKERS, Body, hub
from streaming.journal import Entry, Text
from streaming.lifecycle import Ending
from streaming.models import RENEWAL_SECONDS, Kind, Stream, Worker
from streaming.outage import outage
from streaming.providers.base import Event, Finish, Keeper, Upstream
from streaming.providers.errors import ProviderError
from streaming.sources import Source, chores, registered
from streaming.writer import Pen, Writer

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

LOOK_SECONDS = 1.0
"""How often a worker compares its streams with the database, bell or no bell."""
LEFT_SECONDS = 0.3
"""How long after a bell it takes what others, who heard it too, have left."""
TOGETHER_SECONDS = 0.1
"""How long bells are gathered after a look that found nothing. Whoever queues a hundred replies and
may have ten makes bells ring as often, and the looks took a third of a worker's time."""
AGAIN_SECONDS = 0.2
"""When the database is asked again after it gave no answer."""
CLAIMED_AT_ONCE = 50
CANCEL_SECONDS = 5.0
FOLD_SECONDS = 60.0
FOLDED_AT_ONCE = 100

KINDS = {"text": Kind.TEXT, "reasoning": Kind.REASONING}


@dataclass(eq=False, slots=True)
class Pump:
    """A stream that this worker runs, and the task that runs it."""

    stream: Stream
    task: asyncio.Task[None] = field(init=False)
    pen: Pen | None = None
    source: Source | None = None
    ending: bool = False


class StreamWorker(AsyncConsumer):
    """Claims streams, pours what their sources yield into the journal, and ends them."""

    channel_layer_alias = "none"  # it hears through the hub, like everybody in the process

    def __init__(self) -> None:
        self.row: Worker | None = None
        self._pumps: dict[int, Pump] = {}
        self._look = asyncio.Event()
        self._draining = False
        self._handing_over = False
        self._db = Threads("worker", 2)
        # A look must not wait behind what the streams want: dozens that were taken over at
        # once are prepared and ended for seconds.
        self._looks = Threads("looks", 1, keeping)
        self._lease = Threads("lease", 1)
        self._writer = Writer(self._on_written, self._on_lost)
        self._bells = ExitStack()
        self._tasks: list[asyncio.Task[None]] = []
        self._loose: set[asyncio.Task[None]] = set()
        self._looking: asyncio.Task[None] | None = None

    # Start and drain

    async def start(self) -> None:
        """Register with the database and begin to claim."""
        messages: asyncio.Queue[Body] = asyncio.Queue()
        name = f"{socket.gethostname()} {os.getpid()}"
        self.row = await self._answered(lifecycle.register_worker, name)
        self._bells.enter_context(hub().listen(WORKERS, messages.put_nowait))
        hear: Any = self  # Channels' types know sockets and requests only
        hearing = hear({"type": "channel", "channel": WORKERS}, messages.get, _say_nothing)
        self._tasks = [
            asyncio.create_task(hearing, name="worker bell"),
            asyncio.create_task(self._renew(), name="worker lease"),
            asyncio.create_task(self._keep_house(), name="worker housekeeping"),
            asyncio.create_task(self._writer.run(), name="worker writer"),
        ]
        self._look.set()  # for what waits already
        self._looking = asyncio.create_task(self._keep_looking(), name="worker claims")

    async def drain(self, seconds: float) -> None:
        """Claim nothing new, let running streams finish for so long, and hand over the rest."""
        self._draining = True
        self._look.set()
        if self._looking is not None and self.row is not None:
            await self._looking
            await self._answered(lifecycle.begin_drain, self.row)
        if self._pumps:
            await asyncio.wait([pump.task for pump in self._pumps.values()], timeout=seconds)
        await self._hand_over()
        await asyncio.gather(*self._loose, return_exceptions=True)
        if self.row is not None:
            await self._answered(lifecycle.retire, self.row)
        self._bells.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for threads in (self._db, self._looks, self._lease):
            threads.close()
        self._writer.stop()

    async def _hand_over(self) -> None:
        self._handing_over = True
        left = [pump for pump in self._pumps.values() if not pump.ending]
        for pump in left:
            pump.task.cancel()
        await asyncio.gather(*(p.task for p in self._pumps.values()), return_exceptions=True)
        await self._writer.flush([pump.pen for pump in left if pump.pen])

    # What it hears

    async def dispatch(self, message: Body) -> None:
        """Bells of a newer version are no reason to stop hearing."""
        if message.get("type") in ("stream.queued", "stream.ended"):
            await super().dispatch(message)

    async def stream_queued(self, message: Body) -> None:
        self._look.set()

    async def stream_ended(self, message: Body) -> None:
        self._cancel(self._pumps.get(message.get("stream_id", 0)))
        self._look.set()

    # What it looks for itself

    async def _keep_looking(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + LOOK_SECONDS
        while not self._draining:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(due):
                    await self._look.wait()
            try:
                # Bells may ring without pause: the clock decides, not a silence.
                if loop.time() < due:
                    if not await self._claim(all_that_is_left=False):
                        await asyncio.sleep(TOGETHER_SECONDS)
                    due = min(due, loop.time() + LEFT_SECONDS)
                else:
                    await self._look_around()
                    due = loop.time() + LOOK_SECONDS
            except UNANSWERED as error:
                # The bell was heard and led to nothing; a stream between two owners waits.
                if not outage.explains(error):
                    logger.warning("Streams could not be looked for (%s); trying again", error)
                self._look.set()
                await asyncio.sleep(AGAIN_SECONDS)
            except Exception:
                logger.exception("Looking for streams failed; trying again")
                await asyncio.sleep(LOOK_SECONDS)

    async def _claim(self, *, all_that_is_left: bool) -> int:
        """When a bell rang, all workers are awake: each takes its share. What is left a
        moment later is taken by whoever looks first. Returns how many were claimed."""
        self._look.clear()
        assert self.row is not None
        running = len(self._pumps)
        room = min(settings.STREAMS_PER_WORKER - running, CLAIMED_AT_ONCE)
        if self._draining or room <= 0:
            return 0
        share = None if all_that_is_left else running
        claimed = await self._looks.run(lifecycle.claim, self.row, room, share)
        for stream in claimed:
            self._cancel(self._pumps.get(stream.id))  # lost to another, and not yet noticed
            pump = self._pumps[stream.id] = Pump(stream)
            pump.task = asyncio.create_task(self._run(pump), name=f"stream {stream.uuid}")
            pump.task.add_done_callback(partial(self._forget, pump))
        if len(claimed) == room:
            self._look.set()
        return len(claimed)

    async def _look_around(self) -> None:
        """Let go of what is no longer ours; give up what is ours by a claim whose answer was lost;
        stop what is of people who were deactivated; take what nobody runs. Claims and this run
        one after the other, so no claim is half done."""
        assert self.row is not None
        self._look.clear()
        mine, more = await self._looks.run(lifecycle.look, self.row)
        for pump in tuple(self._pumps.values()):
            if mine.pop(pump.stream.id, None) != pump.stream.epoch:
                self._cancel(pump)
        if mine:
            await self._looks.run(lifecycle.release, self.row, list(mine))
        if more:
            await self._looks.run(lifecycle.stop_of_inactive)
            await self._claim(all_that_is_left=True)
            await self._looks.run(lifecycle.tell_who_waits)

    def _cancel(self, pump: Pump | None) -> None:
        if pump is not None and not pump.ending:
            pump.task.cancel()

    def _forget(self, pump: Pump, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("The run of stream %s broke", pump.stream.uuid, exc_info=error)
        if self._pumps.get(pump.stream.id) is pump:
            del self._pumps[pump.stream.id]
        self._look.set()

    async def _renew(self) -> None:
        assert self.row is not None
        while True:
            await asyncio.sleep(RENEWAL_SECONDS)
            try:
                await self._lease.run(lifecycle.renew, self.row)
            except Exception as error:
                if not outage.explains(error):
                    logger.warning("The lease could not be renewed (%s); trying again", error)

    async def _keep_house(self) -> None:
        """Fold what is old, and do the application's chores. It does not matter how many workers
        do, nor how often."""
        after = 0
        while True:
            try:
                after = await self._db.run(lifecycle.fold, FOLDED_AT_ONCE, after)
            except Exception as error:
                if not outage.explains(error):
                    logger.exception("Old streams could not be folded; trying again")
                after = 0
            if not after:
                await self._do_chores()
                await asyncio.sleep(FOLD_SECONDS)

    async def _do_chores(self) -> None:
        for chore in chores():
            try:
                await self._db.run(chore)
            except Exception as error:
                if not outage.explains(error):
                    logger.exception("%s failed; trying again", chore.__qualname__)

    # One stream

    async def _run(self, pump: Pump) -> None:
        """Run a claimed stream to its end. Cancelled, it leaves the ending to who cancelled."""
        stream = pump.stream
        text = Text()
        if stream.next_index:
            text = await self._answered(journal.text, stream.id)
        pump.pen = pen = self._writer.open(stream, text)
        try:
            self._ring_state(stream)
            ending = await self._outcome(pump, text, pen)
            pump.ending = True
            await self._end(pen, ending)
        except asyncio.CancelledError:
            self._give_up_upstream(pump.source, pen)
            raise
        finally:
            if not self._handing_over:
                self._writer.drop(pen)

    async def _outcome(self, pump: Pump, text: Text, pen: Pen) -> Ending:
        try:
            return await self._pour(pump, text, pen)
        except asyncio.CancelledError:
            if not pen.broken:
                raise
            return Ending.broken()  # it is still ours, and nobody else could store its text

    async def _pour(self, pump: Pump, text: Text, pen: Pen) -> Ending:
        """Everything from the source into the journal; how that ended."""
        stream = pump.stream
        if lifecycle.worn_out(stream):
            return Ending.interrupted("The server stopped in the middle of this reply.")
        try:
            prepare = registered(stream.source).prepare
            pump.source = await self._answered(prepare, stream, text)
            finish = await self._asked(pump.source, text, pen)
        except ProviderError as error:
            return Ending.failed(error, with_text=pen.next_index > 0 or bool(pen.pending))
        except Exception:
            logger.exception("Stream %s broke", stream.uuid)
            return Ending.broken()
        if finish is None:
            return Ending.interrupted("The provider's answer ended before it was complete.")
        return Ending.completed(finish)

    async def _asked(self, source: Source, text: Text, pen: Pen) -> Finish | None:
        """Copy the source, asked again while nothing of it is written and that may help."""
        tries = 1
        while True:
            try:
                return await self._copy(source, text, pen)
            except ProviderError as error:
                if pen.used:
                    raise
                failure = error
            if parameter := retries.refused(failure, source.request):
                await self._leave_out(parameter, failure, source, pen.stream)
                source = replace(source, request=retries.without(source.request, parameter))
                continue
            wait = retries.pause(failure, tries)
            if wait is None:
                raise retries.told(failure)
            await self._wait(failure, wait, tries, pen.stream)
            tries += 1

    async def _leave_out(
        self, parameter: str, error: ProviderError, source: Source, stream: Stream
    ) -> None:
        if retries.for_good(error):
            await self._answered(source.refused, parameter)
        await self._say(stream, retries.plainer(parameter))

    async def _wait(self, error: ProviderError, left: float, tries: int, stream: Stream) -> None:
        while left > 0:
            await self._say(stream, retries.waiting(error, left, tries))
            await asyncio.sleep(min(left, retries.STEP))
            left -= retries.STEP
        await self._say(stream, retries.trying(tries + 1))

    async def _say(self, stream: Stream, note: str) -> None:
        """Tell people what the stream is doing, in its row and by bell."""
        if await self._answered(lifecycle.say, stream.id, stream.epoch, note):
            stream.note = note
            self._ring_state(stream)

    async def _copy(self, source: Source, text: Text, pen: Pen) -> Finish | None:
        """From the provider's own copy where it keeps one, again and again if the connection
        breaks; where that copy is gone, as if there had been none."""
        for _ in range(upstream.REATTACHMENTS):
            kept = upstream.kept(source, pen.place)
            try:
                finish = await self._transcribe(kept or source, text, pen)
                if finish or not may_reattach(source, pen):
                    return finish
            except ProviderError as error:
                if upstream.is_gone(error):
                    pen.place = upstream.NOWHERE
                    if pen.used or not kept:
                        raise
                elif not may_reattach(source, pen):
                    raise
            await asyncio.sleep(upstream.PAUSE)
        return await self._transcribe(upstream.kept(source, pen.place) or source, text, pen)

    async def _transcribe(self, source: Source, text: Text, pen: Pen) -> Finish | None:
        """One exchange with the provider. A text that is gone on from by asking gets a seam, and
        what the model repeats is trimmed; one gone on from in the provider's copy needs neither."""
        asks = source.request.upstream is None
        seam_due = asks and text.next_index > 0 and not text.ends_in_seam
        repeats = text.text and (asks or (text.ends_in_seam and not pen.used))
        async with aclosing(source.events()) as said:
            events: AsyncIterator[Event] = trimmed(said, text.text) if repeats else said
            async for event in events:
                if isinstance(event, Finish):
                    return event
                if not event.text:
                    if event.upstream and not seam_due:
                        await self._anchor(pen, event.upstream)
                    continue
                if pen.stream.note:
                    await self._say(pen.stream, "")
                if seam_due:
                    seam_due = False
                    self._writer.write(pen, Kind.SEAM, "")
                self._writer.write(pen, KINDS[event.kind], event.text, event.upstream)
                if pen.full:
                    if pen.too_long:
                        return Finish("length")
                    await self._writer.room(pen)
        return None

    async def _anchor(self, pen: Pen, place: Upstream) -> None:
        """Remember the provider's copy before there is any text to remember it with."""
        pen.place = upstream.storable(place)
        if not pen.used:
            stream = pen.stream
            await self._answered(lifecycle.anchor, stream.id, stream.epoch, pen.place)

    def _give_up_upstream(self, source: Source | None, pen: Pen) -> None:
        """A reply that goes on at the provider without us ends there too, if it was stopped."""
        if not self._handing_over and source and pen.place and pen.place.id:
            giving_up = self._cancelled_upstream(source, pen.place, pen.stream)
            task = asyncio.create_task(giving_up, name=f"cancel of {pen.stream.uuid}")
            self._loose.add(task)
            task.add_done_callback(self._loose.discard)

    async def _cancelled_upstream(self, source: Source, place: Upstream, stream: Stream) -> None:
        adapter = source.adapter
        if isinstance(adapter, Keeper) and await self._answered(lifecycle.given_up, stream.id):
            try:
                await asyncio.wait_for(adapter.cancel(place, source.key), CANCEL_SECONDS)
            except (ProviderError, TimeoutError) as error:
                logger.warning("Stream %s may go on at its provider (%s)", stream.uuid, error)

    async def _end(self, pen: Pen, ending: Ending) -> None:
        """End in the database, then tell: the last chunks and the end in one bell."""
        stream = pen.stream
        rest = await self._writer.close(pen)
        if pen.broken:
            ending = Ending.broken()  # the last of its text was being refused just now
        if await self._answered(lifecycle.end, stream.id, stream.epoch, ending, rest):
            heads = await self._answered(journal.heads, [stream.id])
            if head := heads.get(stream.id):  # unless it was deleted at once
                stored = rest is not None and rest.next <= head.next_index
                hub().tell([rest] if rest and stored else [], head)
            lifecycle.ring_workers()  # its lane is free

    def _ring_state(self, stream: Stream) -> None:
        hub().tell([], journal.head_of(stream))

    def _on_written(self, entries: Sequence[Entry]) -> None:
        if entries:
            hub().tell(entries)

    def _on_lost(self, pen: Pen) -> None:
        pump = self._pumps.get(pen.stream.id)
        if pump is not None and pump.pen is pen:
            self._cancel(pump)

    async def _answered(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The database's answer, however long it takes to come back. Only for what may be
        done twice."""
        while True:
            try:
                return await self._db.run(function, *args, **kwargs)
            except UNANSWERED as error:
                if not outage.explains(error):
                    logger.warning("The database does not answer (%s); trying again", error)
                await asyncio.sleep(AGAIN_SECONDS)


def may_reattach(source: Source, pen: Pen) -> bool:
    """Whether something of the reply is here, and the rest of it in the provider's copy."""
    return pen.used and upstream.kept(source, pen.place) is not None


async def _say_nothing(message: Any) -> None:
    """A worker answers nobody."""

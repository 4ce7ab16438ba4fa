"""The hub: the one door to the channel layer, and one per process.

The layer is a doorbell. What rings through it was committed before, may be dropped, doubled,
late or reordered, and may stop altogether: once a second the hub asks the database where those
streams stand that are followed here and were not heard of since, so followers see everything in
any case, only later.

A channel per socket in a group would cost a thread hop for every delivery (Channels makes
one before each dispatched message). So the process has a single channel, and the hub passes
on what arrives to the followers of this process. And a message per stream would cost more than
its text: what a commit wrote for all streams of a worker is rung at once, to one group that
every process with followers is in (docs/decisions/bells.md).
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import astuple
from itertools import groupby, islice, takewhile
from operator import itemgetter
from typing import Any
from uuid import UUID

from channels.layers import get_channel_layer

from streaming import journal
from streaming.database import in_db
from streaming.journal import Chunk, Entry, Head, coalesce
from streaming.models import Kind, State, Stream
from streaming.outage import outage

logger = logging.getLogger(__name__)

POLL_SECONDS = 1.0
RING_SECONDS = 0.5
"""How long one ring may take before the layer counts as broken."""
FAREWELL_SECONDS = 0.5
"""How long a hub that closes goes on ringing what waits."""
SILENCE_SECONDS = 2.0
"""How long nothing is rung after the layer broke."""
OUTBOX = 1_000
"""Bells that wait to be rung; the oldest are dropped."""
BELL_CHARACTERS = 65_536
"""About how much text one bell carries; the rest of a commit is rung by further ones."""
TAIL_CHARACTERS = 131_072
"""How much of a stream's newest text is kept for its followers; older text is in the journal."""
LOOSE = 128
"""After so many chunks the older ones are merged: as objects they take ten times their text."""
LINGER_SECONDS = 60.0
"""How long a tail is kept after its last follower left, who is likely to come back, and a group
after its last listener."""
LINGERING = 250
"""Tails that are kept so, at most, and groups."""

STREAMS = "streams"
"""The group of all who follow any stream."""
WORKERS = "workers"
NOBODY = "nobody"

KINDS = {int(kind): kind for kind in Kind}

Body = dict[str, Any]
Listener = Callable[[Body], None]


def user_group(user_id: int) -> str:
    return f"user.{user_id}"


class Tail:
    """What is known here of one stream that somebody follows, or did until lately: its row when it
    was last read, its head, its newest chunks."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.head: Head | None = None
        self.gone = False
        self.next_index = 0
        self._chunks: deque[Chunk] = deque()
        self._size = 0
        self._merge_at = LOOSE
        self._waiting: list[asyncio.Future[None]] = []
        self.followers = 0
        self.heard = False

    def add(self, chunks: Sequence[Chunk]) -> None:
        """Take chunks that were rung. What is known is dropped; after a hole, the tail begins
        anew behind it, and followers fetch what they miss from the journal."""
        for chunk in chunks:
            if chunk.index < self.next_index:
                continue
            if self._chunks and chunk.first != self._chunks[-1].index + 1:
                self._hold([])
            self._chunks.append(chunk)
            self._size += len(chunk.delta)
            self.next_index = chunk.index + 1
        if len(self._chunks) > self._merge_at:
            older = [self._chunks.popleft() for _ in range(len(self._chunks) - LOOSE // 2)]
            self._hold([*coalesce(older), *self._chunks])
        self._trim()
        self.wake()

    def keep(self, chunks: Sequence[Chunk]) -> None:
        """Take what somebody had to read from the journal, if what is held here goes on from it:
        whoever comes next need not."""
        held = self._chunks
        if not chunks or (held and held[0].first <= chunks[0].first):
            return
        newer = [chunk for chunk in held if chunk.first > chunks[-1].index]
        if not newer or newer[0].first == chunks[-1].index + 1:
            self._hold([*chunks, *newer])
            self._trim()

    def _hold(self, chunks: Sequence[Chunk]) -> None:
        self._chunks = deque(chunks)
        self._size = sum(len(chunk.delta) for chunk in chunks)
        self._merge_at = len(chunks) + LOOSE

    def _trim(self) -> None:
        while self._size > TAIL_CHARACTERS:
            self._size -= len(self._chunks.popleft().delta)

    def learn(self, head: Head | None) -> None:
        """Take what the database or a bell says of the stream's row. Bells may be late:
        a claim or an ending is never taken back by what was said before it."""
        known = self.head
        if head is None:
            self.gone = True
        elif known is None or _standing(head) >= _standing(known):
            self.head = head
            self.next_index = max(self.next_index, head.next_index)
        if head is None or head != known:
            self.wake()

    def after(self, index: int) -> list[Chunk]:
        """The chunks that follow an index, neighbours merged, if they are all here; else none."""
        chunks = self._chunks
        if chunks and chunks[-1].first == index + 1:  # nearly always
            return [chunks[-1]]
        newer = [*takewhile(lambda chunk: chunk.first > index, reversed(chunks))][::-1]
        return [*coalesce(newer)] if newer and newer[0].first == index + 1 else []

    @property
    def running(self) -> bool:
        """Whether it is known to go on: then the database is asked about it every second."""
        return self.head is not None and not self.head.ended and not self.gone

    @property
    def doubtful(self) -> bool:
        """Whether something may have happened that was not heard of here."""
        if self.head is None:
            return True
        return not self.heard and not (self.head.ended and not self.followers)

    async def news(self) -> None:
        """Wait until something was added or learned."""
        waiting = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        await waiting

    def wake(self) -> None:
        woken, self._waiting = self._waiting, []
        for waiting in woken:
            if not waiting.done():
                waiting.set_result(None)


def _standing(head: Head) -> tuple[bool, int, int]:
    return (head.ended, head.epoch, head.next_index)


class Hub:
    """Rings and hears the doorbell for everybody in this process, on one event loop."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._layer: Any = get_channel_layer()
        self._tails: dict[int, Tail] = {}
        self._named: dict[UUID, Tail] = {}
        self._left: dict[int, float] = {}
        self._listeners: dict[str, set[Listener]] = {}
        self._unheard: dict[str, float] = {}
        self._joined: set[str] = set()
        self._membership = asyncio.Event()
        self._channel: str | None = None
        self._outbox: deque[tuple[str, Body]] = deque(maxlen=OUTBOX)
        self._rung = asyncio.Event()
        self._all_rung = asyncio.Event()
        self._all_rung.set()
        self._stale = asyncio.Event()
        self._tasks = [
            asyncio.create_task(_forever(part), name=f"hub {part.__name__}")
            for part in (self._publish, self._receive, self._keep_membership, self._poll)
        ]

    # For followers

    def known(self, uuid: UUID) -> Stream | None:
        """The row of a running stream that is followed here, or was until lately, as it was when
        it was read: whose it is, and what it was asked for, never changes."""
        tail = self._named.get(uuid)
        return tail.stream if tail and tail.running else None

    @contextmanager
    def join(self, stream: Stream) -> Iterator[Tail]:
        """Follow a stream: its tail is kept up to date for as long as somebody has joined, and a
        while longer, for those who come back."""
        tail = self._tails.get(stream.id)
        if tail is None:
            tail = self._tails[stream.id] = self._named[stream.uuid] = Tail(stream)
            self._membership.set()
        self._left.pop(stream.id, None)
        tail.followers += 1
        try:
            yield tail
        finally:
            tail.followers -= 1
            if not tail.followers:
                self._left[stream.id] = self.loop.time()
                self._drop_tails(len(self._left) - LINGERING)

    def _drop_tails(self, count: int) -> None:
        """Those that were left first."""
        for stream_id in [*islice(self._left, max(count, 0))]:
            del self._left[stream_id]
            del self._named[self._tails.pop(stream_id).stream.uuid]

    @contextmanager
    def listen(self, group: str, listener: Listener) -> Iterator[None]:
        """Call `listener` with every body that is rung to a group. It must not block."""
        self._listeners.setdefault(group, set()).add(listener)
        self._unheard.pop(group, None)
        self._membership.set()
        try:
            yield
        finally:
            self._listeners[group].discard(listener)
            if not self._listeners[group]:
                del self._listeners[group]
                self._unheard[group] = self.loop.time()
                self._leave_groups(len(self._unheard) - LINGERING)

    def _leave_groups(self, count: int) -> None:
        """Those that were listened to least lately."""
        for group in [*islice(self._unheard, max(count, 0))]:
            del self._unheard[group]
            self._membership.set()

    def tell(self, entries: Sequence[Entry], head: Head | None = None) -> None:
        """Ring what was committed, and where a stream stands after that."""
        *parts, last = _parts(entries)
        for part in parts:
            self.ring(STREAMS, stream_bell(part))
        self.ring(STREAMS, stream_bell(last, head))

    def ring(self, group: str, body: Body) -> None:
        """Put a bell in the outbox. Only on the hub's own loop; others use `ring` below."""
        self._outbox.append((group, body))
        self._all_rung.clear()
        self._rung.set()

    async def close(self) -> None:
        """Ring what still waits, if the layer takes it at once: a worker that goes has just
        told the others what it gave up."""
        await asyncio.sleep(0)  # what threads rang is handed over by the loop
        with suppress(TimeoutError):
            async with asyncio.timeout(FAREWELL_SECONDS):
                await self._all_rung.wait()
        for task in self._tasks:
            task.cancel()
        # Cancelled, the layer signs off at Redis, which may stand still.
        await asyncio.wait(self._tasks, timeout=FAREWELL_SECONDS)

    # Its four tasks

    async def _publish(self) -> None:
        while True:
            await self._rung.wait()
            self._rung.clear()
            while self._outbox:
                group, body = self._outbox.popleft()
                try:
                    async with asyncio.timeout(RING_SECONDS):
                        await self._layer.group_send(
                            group, {"type": "bell", "group": group, "body": body}
                        )
                except Exception as error:
                    logger.warning(
                        "The channel layer does not answer (%r); going on without", error
                    )
                    await asyncio.sleep(SILENCE_SECONDS)
                    self._outbox.clear()
            self._all_rung.set()

    async def _receive(self) -> None:
        """Never cancelled while it waits: the layers delete a channel whose receive is."""
        async with asyncio.timeout(2):
            # A channel that can't be made leaves its queue behind, so the layer is tried first.
            await self._layer.group_send(NOBODY, {"type": "bell"})
            channel = await self._layer.new_channel()
        self._joined.clear()
        self._channel = channel
        self._membership.set()
        while True:
            try:
                message = await self._layer.receive(channel)
                if message is not None:  # see sealed_layer.py
                    self._hear(message["group"], message["body"])
            except Exception:
                # With another channel, this one would stay in its groups and fill up unread.
                logger.exception("A bell could not be understood")
                await asyncio.sleep(0.1)

    def _hear(self, group: str, body: Body) -> None:
        for listener in tuple(self._listeners.get(group, ())):
            listener(body)
        if group == STREAMS:
            hear_streams(self._tails, body)

    async def _keep_membership(self) -> None:
        """Join the groups that somebody here needs, and leave those that nobody does any more. Only
        that of the streams is not left again: the next follower comes soon."""
        await self._membership.wait()
        self._membership.clear()
        try:
            await self._join_wanted()
        except Exception:
            self._membership.set()  # again, until it worked
            raise

    async def _join_wanted(self) -> None:
        if self._channel is None:
            return
        wanted = {*self._listeners, *self._unheard}
        if self._tails or STREAMS in self._joined:
            wanted.add(STREAMS)
        for group in wanted - self._joined:
            async with asyncio.timeout(1):
                await self._layer.group_add(group, self._channel)
            self._joined.add(group)
            if group == STREAMS:
                self._stale.set()
        for group in self._joined - wanted:
            self._joined.discard(group)
            async with asyncio.timeout(1):
                await self._layer.group_discard(group, self._channel)

    async def _poll(self) -> None:
        """Ask the database once a second, and at once after joining the group: what was rung
        before the join took effect is seen by nobody else. A stream of which text was heard
        since is left out once: what it may have missed shows as a hole, or by its silence."""
        with suppress(TimeoutError):
            async with asyncio.timeout(POLL_SECONDS):
                await self._stale.wait()
                await asyncio.sleep(0)
        self._stale.clear()
        long_ago = self.loop.time() - LINGER_SECONDS
        self._drop_tails(sum(left < long_ago for left in self._left.values()))
        self._leave_groups(sum(left < long_ago for left in self._unheard.values()))
        tails = [tail for tail in self._tails.values() if tail.doubtful]
        for tail in self._tails.values():
            tail.heard = False
        if not tails:
            return
        heads = await in_db(journal.heads, [tail.stream.id for tail in tails])
        for tail in tails:
            tail.learn(heads.get(tail.stream.id))


def _parts(entries: Sequence[Entry]) -> Iterator[Sequence[Entry]]:
    """The entries in parts that fit a bell; a last one in any case."""
    part: list[Entry] = []
    size = 0
    for entry in entries:
        if size > BELL_CHARACTERS:
            yield part
            part, size = [], 0
        part.append(entry)
        size += sum(len(chunk.delta) for chunk in entry.chunks)
    yield part


def stream_bell(entries: Sequence[Entry] = (), head: Head | None = None) -> Body:
    """The body of a bell that says what is new in streams: chunks column by column, as a list for
    each of them would cost every process that hears it more than their text."""
    body: Body = {}
    if entries:
        rows = (
            (entry.stream_id, chunk.index, int(chunk.kind), chunk.delta, chunk.offset)
            for entry in entries
            for chunk in entry.chunks
        )
        body["chunks"] = [list(column) for column in zip(*rows, strict=True)]
    if head:
        body["head"] = [*astuple(head)]
    return body


def hear_streams(tails: Mapping[int, Tail], body: Body) -> None:
    """Pass on what a bell says to those streams that are followed here."""
    for stream_id, rows in groupby(zip(*body.get("chunks", ()), strict=True), itemgetter(0)):
        if tail := tails.get(stream_id):
            tail.heard = True
            tail.add([Chunk(n, n, KINDS[kind], delta, at) for _, n, kind, delta, at in rows])
    if (row := body.get("head")) and (tail := tails.get(row[0])):
        tail.learn(Head(row[0], row[1], State(row[2]), *row[3:]))


async def _forever(part: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run one of the hub's parts again and again, whatever the layer does to it."""
    failing = False
    while True:
        try:
            await part()
            failing = False
        except Exception as error:
            if not failing and not outage.explains(error):
                logger.warning("Hub: %s failed (%r); trying again", part.__name__, error)
            failing = True
            await asyncio.sleep(1)


_hub: Hub | None = None


def hub() -> Hub:
    """The hub of this process; made when it is first asked for, on the running loop."""
    global _hub
    if _hub is None or _hub.loop is not asyncio.get_running_loop():
        _hub = Hub()
    return _hub


async def close() -> None:
    """End the hub of this process, if there is one."""
    global _hub
    if _hub is not None:
        closing, _hub = _hub, None
        await closing.close()


def ring(group: str, body: Body) -> None:
    """Ring from anywhere, also from synchronous code; never raises, never waits.

    A process without a hub (a shell, a command) rings nothing: the others ask the database.
    """
    if _hub is not None and not _hub.loop.is_closed():
        with suppress(RuntimeError):  # the loop closed just now
            _hub.loop.call_soon_threadsafe(_hub.ring, group, body)

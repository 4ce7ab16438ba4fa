"""The hub: the one door to the channel layer, and one per process.

The channel layer carries notifications only. Their content was committed before. They may be lost,
doubled, late or out of order, and they may stop altogether. Once a second the hub reads from the
database where those followed streams stand that had no notification since. So followers see
everything in any case, only later.

Channels makes a thread hop before each message that it dispatches to a consumer. So the process has
a single channel, and the hub passes messages on to the followers of this process. A message for
each stream would cost more than its text. So one message carries what a commit wrote for all
streams of a worker, to one group that every process with followers has joined
(docs/decisions/0005).
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
from streaming.database import run_in_db
from streaming.journal import Append, Chunk, StreamHead, coalesce
from streaming.models import Kind, State, Stream
from streaming.outage import outage_monitor

logger = logging.getLogger(__name__)

POLL_SECONDS = 1.0
PUBLISH_TIMEOUT_SECONDS = 0.5
"""How long one publication may take before the layer counts as broken."""
CLOSE_TIMEOUT_SECONDS = 0.5
"""How long a closing hub goes on publishing its outbox."""
PUBLISH_BACKOFF_SECONDS = 2.0
"""How long nothing is published after the layer failed."""
MAX_OUTBOX = 1_000
"""Notifications that wait to be published; the oldest are dropped."""
MAX_NOTIFICATION_CHARS = 65_536
"""About how much text one notification carries; further ones carry the rest of a commit."""
MAX_RECENT_CHARS = 131_072
"""How much of a stream's newest text is kept for its followers; older text is in the journal."""
MERGE_THRESHOLD = 128
"""After so many chunks the older ones are merged: as objects they take ten times their text."""
IDLE_TTL_SECONDS = 60.0
"""How long recent chunks are kept after the last follower left, which often comes back, and a group
after its last listener left."""
MAX_IDLE = 250
"""Streams whose recent chunks are kept without followers, and groups without listeners."""

STREAMS_GROUP = "streams"
"""The group of all processes with followers."""
WORKERS_GROUP = "workers"
PROBE_GROUP = "nobody"

KINDS_BY_VALUE = {int(kind): kind for kind in Kind}

Notification = dict[str, Any]
Listener = Callable[[Notification], None]


def user_group(user_id: int) -> str:
    return f"user.{user_id}"


class RecentChunks:
    """The state of one stream that this process follows, or followed lately: its row as it was last
    read, its head, its newest chunks."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.head: StreamHead | None = None
        self.is_deleted = False
        self.next_index = 0
        self._chunks: deque[Chunk] = deque()
        self._char_count = 0
        self._merge_threshold = MERGE_THRESHOLD
        self._waiters: list[asyncio.Future[None]] = []
        self.follower_count = 0
        self.has_updated_since_poll = False

    def add_chunks(self, chunks: Sequence[Chunk]) -> None:
        """Add chunks from a notification and drop known ones. After a gap, keep only the chunks
        behind it; followers read what they miss from the journal."""
        for chunk in chunks:
            if chunk.index < self.next_index:
                continue
            if self._chunks and chunk.first != self._chunks[-1].index + 1:
                self._replace_chunks([])
            self._chunks.append(chunk)
            self._char_count += len(chunk.delta)
            self.next_index = chunk.index + 1
        if len(self._chunks) > self._merge_threshold:
            older = [
                self._chunks.popleft() for _ in range(len(self._chunks) - MERGE_THRESHOLD // 2)
            ]
            self._replace_chunks([*coalesce(older), *self._chunks])
        self._evict_oldest()
        self.wake_waiters()

    def backfill(self, chunks: Sequence[Chunk]) -> None:
        """Prepend chunks that a follower read from the journal, if the cached ones continue them,
        so that the next follower need not read them."""
        held = self._chunks
        if not chunks or (held and held[0].first <= chunks[0].first):
            return
        newer = [chunk for chunk in held if chunk.first > chunks[-1].index]
        if not newer or newer[0].first == chunks[-1].index + 1:
            self._replace_chunks([*chunks, *newer])
            self._evict_oldest()

    def _replace_chunks(self, chunks: Sequence[Chunk]) -> None:
        self._chunks = deque(chunks)
        self._char_count = sum(len(chunk.delta) for chunk in chunks)
        self._merge_threshold = len(chunks) + MERGE_THRESHOLD

    def _evict_oldest(self) -> None:
        while self._char_count > MAX_RECENT_CHARS:
            self._char_count -= len(self._chunks.popleft().delta)

    def update_head(self, head: StreamHead | None) -> None:
        """Store what the database or a notification says about the stream's row. Notifications may
        be late: an older one never undoes a claim or an ending."""
        known = self.head
        if head is None:
            self.is_deleted = True
        elif known is None or _head_sort_key(head) >= _head_sort_key(known):
            self.head = head
            self.next_index = max(self.next_index, head.next_index)
        if head is None or head != known:
            self.wake_waiters()

    def chunks_after(self, index: int) -> list[Chunk]:
        """The chunks after an index, with neighbours merged, if all of them are cached; else
        none."""
        chunks = self._chunks
        if chunks and chunks[-1].first == index + 1:  # nearly always
            return [chunks[-1]]
        newer = [*takewhile(lambda chunk: chunk.first > index, reversed(chunks))][::-1]
        return [*coalesce(newer)] if newer and newer[0].first == index + 1 else []

    @property
    def is_running(self) -> bool:
        """Whether the stream is known to run. Then the database is polled about it every second."""
        return self.head is not None and not self.head.has_ended and not self.is_deleted

    @property
    def should_poll(self) -> bool:
        """Whether something may have happened without a notification."""
        if self.head is None:
            return True
        return not self.has_updated_since_poll and not (
            self.head.has_ended and not self.follower_count
        )

    async def wait_for_change(self) -> None:
        """Wait until chunks or another head arrived."""
        waiting = asyncio.get_running_loop().create_future()
        self._waiters.append(waiting)
        await waiting

    def wake_waiters(self) -> None:
        woken, self._waiters = self._waiters, []
        for waiting in woken:
            if not waiting.done():
                waiting.set_result(None)


def _head_sort_key(head: StreamHead) -> tuple[bool, int, int]:
    return (head.has_ended, head.epoch, head.next_index)


class Hub:
    """Publishes and receives notifications for the whole process, on one event loop."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._layer: Any = get_channel_layer()
        self._recent_by_id: dict[int, RecentChunks] = {}
        self._recent_by_uuid: dict[UUID, RecentChunks] = {}
        self._idle_streams: dict[int, float] = {}
        self._listeners: dict[str, set[Listener]] = {}
        self._idle_groups: dict[str, float] = {}
        self._joined_groups: set[str] = set()
        self._groups_changed = asyncio.Event()
        self._channel: str | None = None
        self._outbox: deque[tuple[str, Notification]] = deque(maxlen=MAX_OUTBOX)
        self._outbox_filled = asyncio.Event()
        self._outbox_emptied = asyncio.Event()
        self._outbox_emptied.set()
        self._poll_requested = asyncio.Event()
        self._tasks = [
            asyncio.create_task(_run_forever(part), name=f"hub {part.__name__}")
            for part in (
                self._publish_outbox,
                self._receive_notifications,
                self._maintain_groups,
                self._poll_heads,
            )
        ]

    # For followers

    def get_running_stream(self, uuid: UUID) -> Stream | None:
        """The row of a running stream that is followed here, or was lately, as it was last read.
        Its owner and its arguments never change."""
        recent = self._recent_by_uuid.get(uuid)
        return recent.stream if recent and recent.is_running else None

    @contextmanager
    def join_stream(self, stream: Stream) -> Iterator[RecentChunks]:
        """Follow a stream. Its recent chunks are kept up to date while it has followers, and for a
        while after that."""
        recent = self._recent_by_id.get(stream.id)
        if recent is None:
            recent = RecentChunks(stream)
            self._recent_by_id[stream.id] = self._recent_by_uuid[stream.uuid] = recent
            self._groups_changed.set()
        self._idle_streams.pop(stream.id, None)
        recent.follower_count += 1
        try:
            yield recent
        finally:
            recent.follower_count -= 1
            if not recent.follower_count:
                self._idle_streams[stream.id] = self.loop.time()
                self._evict_idle_streams(len(self._idle_streams) - MAX_IDLE)

    def _evict_idle_streams(self, count: int) -> None:
        """Drop the streams whose last follower left first."""
        for stream_id in [*islice(self._idle_streams, max(count, 0))]:
            del self._idle_streams[stream_id]
            del self._recent_by_uuid[self._recent_by_id.pop(stream_id).stream.uuid]

    @contextmanager
    def listen(self, group: str, listener: Listener) -> Iterator[None]:
        """Call `listener` with every notification to a group. It must not block."""
        self._listeners.setdefault(group, set()).add(listener)
        self._idle_groups.pop(group, None)
        self._groups_changed.set()
        try:
            yield
        finally:
            self._listeners[group].discard(listener)
            if not self._listeners[group]:
                del self._listeners[group]
                self._idle_groups[group] = self.loop.time()
                self._evict_idle_groups(len(self._idle_groups) - MAX_IDLE)

    def _evict_idle_groups(self, count: int) -> None:
        """Leave the groups whose last listener left first."""
        for group in [*islice(self._idle_groups, max(count, 0))]:
            del self._idle_groups[group]
            self._groups_changed.set()

    def publish_update(self, entries: Sequence[Append], head: StreamHead | None = None) -> None:
        """Publish committed chunks, and the head of a stream after them."""
        *parts, last = _split_appends(entries)
        for part in parts:
            self.notify(STREAMS_GROUP, build_stream_notification(part))
        self.notify(STREAMS_GROUP, build_stream_notification(last, head))

    def notify(self, group: str, body: Notification) -> None:
        """Put a notification into the outbox. Call it on the hub's own loop; elsewhere call the
        function `notify` below."""
        self._outbox.append((group, body))
        self._outbox_emptied.clear()
        self._outbox_filled.set()

    async def close(self) -> None:
        """Publish what is in the outbox, if the layer takes it at once: a worker that stops has
        just published which streams it released."""
        await asyncio.sleep(0)  # the loop hands over what threads published
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT_SECONDS):
                await self._outbox_emptied.wait()
        for task in self._tasks:
            task.cancel()
        # A cancelled layer unsubscribes from Redis, which may hang.
        await asyncio.wait(self._tasks, timeout=CLOSE_TIMEOUT_SECONDS)

    # Its four tasks

    async def _publish_outbox(self) -> None:
        while True:
            await self._outbox_filled.wait()
            self._outbox_filled.clear()
            while self._outbox:
                group, body = self._outbox.popleft()
                try:
                    async with asyncio.timeout(PUBLISH_TIMEOUT_SECONDS):
                        await self._layer.group_send(
                            group, {"type": "bell", "group": group, "body": body}
                        )
                except Exception as error:
                    logger.warning(
                        "The channel layer does not answer (%r); going on without", error
                    )
                    await asyncio.sleep(PUBLISH_BACKOFF_SECONDS)
                    self._outbox.clear()
            self._outbox_emptied.set()

    async def _receive_notifications(self) -> None:
        """Is never cancelled while it waits: the layers delete a channel whose `receive` is."""
        async with asyncio.timeout(2):
            # A failed `new_channel` leaves its queue behind, so a message tests the layer first.
            await self._layer.group_send(PROBE_GROUP, {"type": "bell"})
            channel = await self._layer.new_channel()
        self._joined_groups.clear()
        self._channel = channel
        self._groups_changed.set()
        while True:
            try:
                message = await self._layer.receive(channel)
                if message is not None:  # see sealed_layer.py
                    self._dispatch_notification(message["group"], message["body"])
            except Exception:
                # A new channel would leave this one in its groups, where it fills up unread.
                logger.exception("A notification could not be understood")
                await asyncio.sleep(0.1)

    def _dispatch_notification(self, group: str, body: Notification) -> None:
        for listener in tuple(self._listeners.get(group, ())):
            listener(body)
        if group == STREAMS_GROUP:
            apply_stream_notification(self._recent_by_id, body)

    async def _maintain_groups(self) -> None:
        """Join the groups with listeners and leave the others. The group of the streams is never
        left again: the next follower comes soon."""
        await self._groups_changed.wait()
        self._groups_changed.clear()
        try:
            await self._sync_groups()
        except Exception:
            self._groups_changed.set()  # again, until it worked
            raise

    async def _sync_groups(self) -> None:
        if self._channel is None:
            return
        wanted = {*self._listeners, *self._idle_groups}
        if self._recent_by_id or STREAMS_GROUP in self._joined_groups:
            wanted.add(STREAMS_GROUP)
        for group in wanted - self._joined_groups:
            async with asyncio.timeout(1):
                await self._layer.group_add(group, self._channel)
            self._joined_groups.add(group)
            if group == STREAMS_GROUP:
                self._poll_requested.set()
        for group in self._joined_groups - wanted:
            self._joined_groups.discard(group)
            async with asyncio.timeout(1):
                await self._layer.group_discard(group, self._channel)

    async def _poll_heads(self) -> None:
        """Read heads from the database once a second, and at once after the group was joined: what
        was published before the join took effect arrives in no other way. Skip a stream once if
        text arrived since: anything that it missed shows as a gap, or by the silence after it."""
        with suppress(TimeoutError):
            async with asyncio.timeout(POLL_SECONDS):
                await self._poll_requested.wait()
                await asyncio.sleep(0)
        self._poll_requested.clear()
        long_ago = self.loop.time() - IDLE_TTL_SECONDS
        self._evict_idle_streams(sum(left < long_ago for left in self._idle_streams.values()))
        self._evict_idle_groups(sum(left < long_ago for left in self._idle_groups.values()))
        polled = [recent for recent in self._recent_by_id.values() if recent.should_poll]
        for recent in self._recent_by_id.values():
            recent.has_updated_since_poll = False
        if not polled:
            return
        heads = await run_in_db(journal.read_heads, [recent.stream.id for recent in polled])
        for recent in polled:
            recent.update_head(heads.get(recent.stream.id))


def _split_appends(entries: Sequence[Append]) -> Iterator[Sequence[Append]]:
    """Split appends into parts that fit a notification. There is always a last part."""
    part: list[Append] = []
    size = 0
    for entry in entries:
        if size > MAX_NOTIFICATION_CHARS:
            yield part
            part, size = [], 0
        part.append(entry)
        size += sum(len(chunk.delta) for chunk in entry.chunks)
    yield part


def build_stream_notification(
    entries: Sequence[Append] = (), head: StreamHead | None = None
) -> Notification:
    """A notification of new chunks, column by column: a list for each chunk would cost every
    receiving process more than the text."""
    body: Notification = {}
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


def apply_stream_notification(recent_by_id: Mapping[int, RecentChunks], body: Notification) -> None:
    """Pass a notification on to the streams that are followed here."""
    for stream_id, rows in groupby(zip(*body.get("chunks", ()), strict=True), itemgetter(0)):
        if recent := recent_by_id.get(stream_id):
            recent.has_updated_since_poll = True
            recent.add_chunks(
                [Chunk(n, n, KINDS_BY_VALUE[kind], delta, at) for _, n, kind, delta, at in rows]
            )
    if (row := body.get("head")) and (recent := recent_by_id.get(row[0])):
        recent.update_head(StreamHead(row[0], row[1], State(row[2]), *row[3:]))


async def _run_forever(part: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run one of the hub's tasks again and again, whatever the layer raises."""
    failing = False
    while True:
        try:
            await part()
            failing = False
        except Exception as error:
            if not failing and not outage_monitor.is_outage(error):
                logger.warning("Hub: %s failed (%r); trying again", part.__name__, error)
            failing = True
            await asyncio.sleep(1)


_hub: Hub | None = None


def get_hub() -> Hub:
    """The hub of this process. The first call creates it on the running loop."""
    global _hub
    if _hub is None or _hub.loop is not asyncio.get_running_loop():
        _hub = Hub()
    return _hub


async def close() -> None:
    """Close the hub of this process, if there is one."""
    global _hub
    if _hub is not None:
        closing, _hub = _hub, None
        await closing.close()


def notify(group: str, body: Notification) -> None:
    """Publish from anywhere, also from synchronous code. Never raises and never waits.

    A process without a hub (a shell, a command) publishes nothing: the others poll the database.
    """
    if _hub is not None and not _hub.loop.is_closed():
        with suppress(RuntimeError):  # the loop closed just now
            _hub.loop.call_soon_threadsafe(_hub.notify, group, body)

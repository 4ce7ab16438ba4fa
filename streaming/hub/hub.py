"""One object in each process that publishes and receives notifications.

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
from itertools import islice
from typing import Any
from uuid import UUID

from channels.layers import get_channel_layer

from streaming import journal
from streaming.database import run_in_db
from streaming.hub.messages import (
    PROBE_GROUP,
    STREAMS_GROUP,
    Notification,
    build_envelope,
    build_stream_notification,
    decode_chunks,
    decode_head,
    is_readable,
    split_appends,
)
from streaming.hub.recent import RecentChunks
from streaming.journal import Append, StreamHead
from streaming.models import Stream
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
IDLE_TTL_SECONDS = 60.0
"""How long recent chunks are kept after the last follower left, and a group after its last listener
left, because many come back."""
MAX_IDLE = 250
"""Streams whose recent chunks are kept without followers, and groups without listeners."""

Listener = Callable[[Notification], None]


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
        """The row of a running stream that is followed here, or was followed lately, as it was last
        read. Its owner and its arguments never change."""
        recent = self._recent_by_uuid.get(uuid)
        return recent.stream if recent and recent.is_running else None

    @contextmanager
    def join_stream(self, stream: Stream) -> Iterator[RecentChunks]:
        """Keep the recent chunks of a stream up to date while it has followers, and for a while
        after that."""
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
        """Drop first the streams whose last follower left first."""
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
        """Leave first the groups whose last listener left first."""
        for group in [*islice(self._idle_groups, max(count, 0))]:
            del self._idle_groups[group]
            self._groups_changed.set()

    def publish_update(self, entries: Sequence[Append], head: StreamHead | None = None) -> None:
        """Publish committed chunks, and the head of a stream after them."""
        *parts, last = split_appends(entries)
        for part in parts:
            self.notify(STREAMS_GROUP, build_stream_notification(part))
        self.notify(STREAMS_GROUP, build_stream_notification(last, head))

    def notify(self, group: str, body: Notification) -> None:
        """Put a notification into the outbox. Call it on the hub's own loop; elsewhere call
        `streaming.hub.notify`."""
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
                        await self._layer.group_send(group, build_envelope(group, body))
                except Exception as error:
                    logger.warning(
                        "The channel layer does not answer (%r); continuing without it", error
                    )
                    await asyncio.sleep(PUBLISH_BACKOFF_SECONDS)
                    self._outbox.clear()
            self._outbox_emptied.set()

    async def _receive_notifications(self) -> None:
        """Never cancel this task while it waits: a layer deletes the channel of a cancelled
        `receive`."""
        async with asyncio.timeout(2):
            # A failed `new_channel` leaves its queue behind, so a message tests the layer first.
            await self._layer.group_send(PROBE_GROUP, build_envelope(PROBE_GROUP, {}))
            channel = await self._layer.new_channel()
        self._joined_groups.clear()
        self._channel = channel
        self._groups_changed.set()
        while True:
            try:
                message = await self._layer.receive(channel)
                if message is None:  # SealedLayer dropped it
                    continue
                group, body = message["group"], message["body"]
                for listener in tuple(self._listeners.get(group, ())):
                    listener(body)
                if group == STREAMS_GROUP:
                    apply_stream_notification(self._recent_by_id, body)
            except Exception:
                # A new channel would leave this one in its groups, where it fills up unread.
                logger.exception("A notification could not be understood")
                await asyncio.sleep(0.1)

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
        """Read heads from the database once a second, and at once after the group was joined,
        because notifications from before the join do not arrive. Skip a stream once if text arrived
        since: a lost notification shows as a gap, or by the silence after it."""
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


def apply_stream_notification(recent_by_id: Mapping[int, RecentChunks], body: Notification) -> None:
    """Pass a notification on to the streams that are followed here."""
    if not is_readable(body):
        return
    for stream_id, chunks in decode_chunks(body, recent_by_id):
        recent = recent_by_id[stream_id]
        recent.has_updated_since_poll = True
        recent.add_chunks(chunks)
    head = decode_head(body)
    if head and head.id in recent_by_id:
        recent_by_id[head.id].update_head(head)


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

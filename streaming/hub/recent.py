"""The newest chunks of one stream, as this process has them in memory."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from itertools import takewhile

from streaming.journal import Chunk, StreamHead, coalesce
from streaming.models import Stream

MAX_RECENT_CHARS = 131_072
"""How much of a stream's newest text is kept for its followers; older text is in the journal."""
MERGE_THRESHOLD = 128
"""After so many chunks the older ones are joined, because as objects they take ten times the memory
of their text."""


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
        after it; followers read the missing ones from the journal."""
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
        """Store the stream's head from the database or from a notification. Notifications may be
        late: an older head never undoes a claim or an ending."""
        known = self.head
        if head is None:
            self.is_deleted = True
        elif known is None or _head_sort_key(head) >= _head_sort_key(known):
            self.head = head
            self.next_index = max(self.next_index, head.next_index)
        if head is None or head != known:
            self.wake_waiters()

    def chunks_after(self, index: int, *, joined: bool = True) -> list[Chunk]:
        """Neighbours are merged, unless they shall not be `joined`. Empty unless all chunks after
        the index are cached, and in this form."""
        chunks = self._chunks
        if chunks and chunks[-1].first == index + 1:  # nearly always
            newer = [chunks[-1]]
        else:
            newer = [*takewhile(lambda chunk: chunk.first > index, reversed(chunks))][::-1]
            if not newer or newer[0].first != index + 1:
                return []
            if joined:
                return [*coalesce(newer)]
        return newer if joined or all(chunk.first == chunk.index for chunk in newer) else []

    @property
    def is_running(self) -> bool:
        """Whether the stream is known to run. A running stream is polled every second."""
        return self.head is not None and not self.head.has_ended and not self.is_deleted

    @property
    def should_poll(self) -> bool:
        """Whether the stream may have changed without a notification."""
        if self.head is None:
            return True
        return not self.has_updated_since_poll and not (
            self.head.has_ended and not self.follower_count
        )

    async def next_chunks(
        self, last: int, head: StreamHead, *, joined: bool = True
    ) -> tuple[StreamHead, list[Chunk] | None]:
        """Wait for chunks after an index, or for another head than this one. None instead of chunks
        means that some of them are only in the journal, or that the stream is deleted."""
        while (news := self.find_news(last, head, joined=joined)) is None:
            await self.wait_for_change()
        return news

    def find_news(
        self, last: int, head: StreamHead, *, joined: bool = True
    ) -> tuple[StreamHead, list[Chunk] | None] | None:
        """The result of `next_chunks`; None if it would have to wait."""
        newest = self.head or head
        if self.is_deleted:
            return newest, None
        if chunks := self.chunks_after(last, joined=joined):
            return newest, chunks
        if self.next_index > last + 1:
            return newest, None
        return (newest, []) if newest != head else None

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

"""A follower: one reader of one stream, from any index, for as long as it takes.

Join, then replay, then live. First load, reconnect and second tab are this same code. It
pulls: a reader that comes back late finds more text in larger pieces, and costs no memory.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from itertools import takewhile
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser

from streaming import journal
from streaming.database import BatchLoader, run_in_db
from streaming.hub import RecentChunks, get_hub
from streaming.journal import Chunk, StreamHead, StreamText
from streaming.models import Kind, State, Stream
from streaming.sources import get_handler

START_CURSOR = -1
"""The cursor of who has nothing yet."""
MAX_CURSOR = 2**53 - 1
"""The largest cursor, and the largest whole number that every JSON reader keeps exact."""
MAX_SNAPSHOT_CHARS = 65_536
"""The most characters of text, and of reasoning, in a snapshot; chunks bring the rest."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Replace everything that is held by this, and go on from `index`."""

    index: int
    text: str
    reasoning: str
    seams: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class StateChanged:
    """What the stream is doing now."""

    state: State
    note: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The stream is over, and everything before `next_index` was yielded before this."""

    state: State
    next_index: int
    finish_reason: str
    error_class: str
    error: str


StreamEvent = Chunk | Snapshot | StateChanged | Ended


class StreamNotFound(Exception):
    """There is no such stream (any more), or not for this user."""


async def find_stream(user: AbstractBaseUser, uuid: UUID) -> Stream:
    """The stream with this name, if this user may see it. Raises Gone: what is not yours
    answers like what does not exist."""
    stream = get_hub().get_running_stream(uuid)
    if stream is None or stream.owner_id != user.pk:
        stream = await _stream_loader.load((user.pk, uuid))
    if stream is None:
        raise StreamNotFound
    return stream


async def follow_stream(
    stream: Stream, after: int = START_CURSOR
) -> AsyncGenerator[StreamEvent, None]:
    """Yield everything after an index, in order, each index once, and last of all the end.

    Any whole number is a cursor: one before the start means all of it; one past the end, or
    into a stream whose chunks were folded away, is answered by a snapshot. Raises Gone when
    the stream is deleted.
    """
    last = min(max(after, START_CURSOR), MAX_CURSOR)
    shown: StreamHead | None = None
    with get_hub().join_stream(stream) as tail:
        if tail.head is not None and stream is not tail.stream:
            tail.update_head(journal.head_from_stream(stream))
        if tail.head is None or last >= tail.next_index:
            # Who was served by another process may know more than was heard here.
            head, chunks = await _read_journal(stream.id, last, tail)
        else:
            head, chunks = tail.head, tail.chunks_after(last)
        if head.is_folded or last >= tail.next_index:
            snapshot, chunks = await run_in_db(_build_snapshot, stream, head)
            last = snapshot.index
            yield snapshot
        while True:
            for chunk in chunks:
                if chunk.first == last + 1:
                    last = chunk.index
                    yield chunk
            if head.is_folded and last + 1 < head.next_index:
                # Folded since this began, by a reader who was very slow.
                snapshot, chunks = await run_in_db(_build_snapshot, stream, head)
                last = snapshot.index
                yield snapshot
                continue
            if head.has_ended and last + 1 >= head.next_index:
                yield _to_ended(head)
                return
            if head is not shown:
                if not head.has_ended and (
                    shown is None or _to_state_changed(head) != _to_state_changed(shown)
                ):
                    yield _to_state_changed(head)
                shown = head
            head, chunks = await _next_chunks(stream.id, last, head, tail)


async def _next_chunks(
    stream_id: int, last: int, head: StreamHead, recent: RecentChunks
) -> tuple[StreamHead, list[Chunk]]:
    """Wait for what comes next: from the tail when it is all there, else from the journal."""
    while True:
        if recent.is_deleted:
            raise StreamNotFound
        newest = recent.head or head
        if chunks := recent.chunks_after(last):
            return newest, chunks
        if recent.next_index > last + 1:
            return await _read_journal(stream_id, last, recent)
        if newest != head:
            return newest, []
        await recent.wait_for_change()


async def _read_journal(
    stream_id: int, last: int, recent: RecentChunks
) -> tuple[StreamHead, list[Chunk]]:
    answer = await _journal_loader.load((stream_id, last))
    recent.update_head(answer and answer[0])
    if answer is None:
        raise StreamNotFound
    recent.backfill(answer[1])
    return answer


def _build_snapshot(stream: Stream, head: StreamHead) -> tuple[Snapshot, list[Chunk]]:
    """As much of the stream from its start as a snapshot holds, and the chunks after that."""
    place = (stream.id, START_CURSOR)
    chunks = (
        _load_folded_chunks(stream, head)
        if head.is_folded
        else journal.read_chunks([place])[place][1]
    )
    held = list(
        takewhile(lambda chunk: chunk.offset + len(chunk.delta) <= MAX_SNAPSHOT_CHARS, chunks)
    )
    index = held[-1].index if held else head.next_index - 1 if head.is_folded else START_CURSOR
    text, reasoning = (
        "".join(chunk.delta for chunk in held if chunk.kind == kind)
        for kind in (Kind.TEXT, Kind.REASONING)
    )
    seams = tuple(dict.fromkeys(chunk.offset for chunk in held if chunk.kind == Kind.SEAM))
    return Snapshot(index, text, reasoning, seams), chunks[len(held) :]


def _load_folded_chunks(stream: Stream, head: StreamHead) -> list[Chunk]:
    """What the application holds, as chunks over the indexes that were folded away: only the
    last of them means anything to who comes back with it."""
    chunks = journal.build_chunks(get_handler(stream.source).load_text(stream) or StreamText())
    if chunks:
        last = chunks.pop()
        chunks.append(replace(last, index=max(last.index, head.next_index - 1)))
    return chunks


_stream_loader = BatchLoader(Stream.objects.find_owned)
_journal_loader = BatchLoader(journal.read_chunks, max_batch_size=20)


def _to_state_changed(head: StreamHead) -> StateChanged:
    return StateChanged(head.state, head.note)


def _to_ended(head: StreamHead) -> Ended:
    return Ended(head.state, head.next_index, head.finish_reason, head.error_class, head.error)

"""A follower: reads one stream from any index until the stream ends.

It joins the hub, replays the journal, and then continues live. First load, reconnect and second tab
run the same code. A follower pulls: a late one gets more text in larger pieces, and costs no
memory.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from itertools import takewhile

from streaming import journal
from streaming.access import StreamNotFound
from streaming.batching import BatchLoader
from streaming.database import run_in_db
from streaming.events import StreamText
from streaming.hub import RecentChunks, get_hub
from streaming.journal import Chunk, StreamHead
from streaming.models import Kind, State, Stream
from streaming.sources import get_handler

START_CURSOR = -1
"""The cursor of a reader that has nothing yet."""
MAX_CURSOR = 2**53 - 1
"""The largest cursor, and the largest whole number that every JSON reader keeps exact."""
MAX_SNAPSHOT_CHARS = 65_536
"""The most characters of text, and of reasoning, in a snapshot; chunks bring the rest."""
KNOWN_KINDS = frozenset(Kind)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Replaces everything that the reader has. The reader continues after `index`."""

    index: int
    text: str
    reasoning: str
    seams: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class StateChanged:
    """The state or the note of the stream has changed."""

    state: State
    note: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The stream is over. Everything before `next_index` was yielded before this."""

    state: State
    next_index: int
    finish_reason: str
    error_class: str
    error: str


StreamEvent = Chunk | Snapshot | StateChanged | Ended


async def follow_stream(
    stream: Stream, after: int = START_CURSOR, *, waits: bool = True
) -> AsyncGenerator[StreamEvent, None]:
    """Yield everything after an index, in order, each index once, and last of all the end.

    Any whole number is a cursor. One before the start means everything; one past the end, or into a
    folded stream, is answered by a snapshot. Without `waits`, stop after what there is now. Raises
    StreamNotFound if the stream is deleted.
    """
    last = min(max(after, START_CURSOR), MAX_CURSOR)
    shown: StreamHead | None = None
    with get_hub().join_stream(stream) as recent:
        if recent.head is not None and stream is not recent.stream:
            recent.update_head(StreamHead.of(stream))
        if recent.head is None or last >= recent.next_index:
            # A reader that another process served may have more than this one was notified of.
            head, chunks = await _read_journal(stream.id, last, recent)
        else:
            head, chunks = recent.head, recent.chunks_after(last)
        if head.is_folded or last >= recent.next_index:
            snapshot, chunks = await run_in_db(_build_snapshot, stream, head)
            last = snapshot.index
            yield snapshot
        while True:
            for chunk in chunks:
                if chunk.first == last + 1:
                    last = chunk.index
                    yield chunk
            if head.is_folded and last + 1 < head.next_index:
                # The chunks were folded while this very slow reader read them.
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
            if not waits and recent.find_news(last, head) is None:
                return
            head, cached = await recent.next_chunks(last, head)
            if recent.is_deleted:
                raise StreamNotFound
            if cached is None:
                head, chunks = await _read_journal(stream.id, last, recent)
            else:
                chunks = cached


def read_page(stream: Stream, after: int) -> tuple[list[Chunk], bool]:
    """The chunks after a cursor, as many as one read returns, for clients that ask again. True if
    they are all of the text from its start, because the cursor is past the end or the stream is
    folded. Calls the database. Raises StreamNotFound if the stream is deleted."""
    cursor = (stream.id, min(max(after, START_CURSOR), MAX_CURSOR))
    answer = journal.read_chunks([cursor]).get(cursor)
    if answer is None:
        raise StreamNotFound
    head, chunks = answer
    if head.is_folded:
        return _load_folded_chunks(stream, head), True
    if cursor[1] >= head.next_index:
        start = (stream.id, START_CURSOR)
        return journal.read_chunks([start])[start][1], True
    return chunks, False


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
    if head.is_folded:
        chunks = _load_folded_chunks(stream, head)
    else:
        cursor = (stream.id, START_CURSOR)
        chunks = journal.read_chunks([cursor])[cursor][1]
    held = list(takewhile(_fits_snapshot, chunks))
    index = held[-1].index if held else head.next_index - 1 if head.is_folded else START_CURSOR
    text, reasoning = (
        "".join(chunk.delta for chunk in held if chunk.kind == kind)
        for kind in (Kind.TEXT, Kind.REASONING)
    )
    seams = tuple(dict.fromkeys(chunk.offset for chunk in held if chunk.kind == Kind.SEAM))
    return Snapshot(index, text, reasoning, seams), chunks[len(held) :]


def _fits_snapshot(chunk: Chunk) -> bool:
    """A snapshot has no field for a chunk of an unknown kind, so the client gets the chunk
    itself."""
    return chunk.kind in KNOWN_KINDS and chunk.offset + len(chunk.delta) <= MAX_SNAPSHOT_CHARS


def _load_folded_chunks(stream: Stream, head: StreamHead) -> list[Chunk]:
    """The text that the application holds, as chunks with the indexes that were folded. Only the
    last index matters: it is the cursor of a reconnecting client."""
    chunks = journal.build_chunks(get_handler(stream.source).load_text(stream) or StreamText())
    if chunks:
        last = chunks.pop()
        chunks.append(replace(last, index=max(last.index, head.next_index - 1)))
    return chunks


_journal_loader = BatchLoader(journal.read_chunks, max_batch_size=20)


def _to_state_changed(head: StreamHead) -> StateChanged:
    return StateChanged(head.state, head.note)


def _to_ended(head: StreamHead) -> Ended:
    return Ended(head.state, head.next_index, head.finish_reason, head.error_class, head.error)

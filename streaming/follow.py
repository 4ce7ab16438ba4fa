"""A follower: reads one stream from any index until the stream ends.

It joins the hub, replays the journal, and then continues live. First load, reconnect and second tab
run the same code. A follower pulls: a late one gets more text in larger pieces, and costs no
memory.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
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
SNAPSHOT_KINDS = frozenset({Kind.TEXT, Kind.REASONING, Kind.SEAM})


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
    stream: Stream, after: int = START_CURSOR, *, waits: bool = True, exact: bool = False
) -> AsyncGenerator[StreamEvent, None]:
    """Yield everything after an index, in order, each index once, and last of all the end.

    Any whole number is a cursor. One before the start means everything; one past the end, or into a
    folded stream, is answered by a snapshot. With `exact`, every chunk is one row of the journal,
    and the rows of a folded stream are built again; there is a snapshot of it only if they can't
    be. Without `waits`, stop after what there is now. Raises StreamNotFound if the stream is
    deleted.
    """
    last = min(max(after, START_CURSOR), MAX_CURSOR)
    shown: StreamHead | None = None
    with get_hub().join_stream(stream) as recent:
        if recent.head is not None and stream is not recent.stream:
            recent.update_head(StreamHead.of(stream))
        if recent.head is None or last >= recent.next_index:
            # A reader that another process served may have more than this one was notified of.
            head, chunks = await _read_journal(stream.id, last, recent, exact=exact)
        else:
            head, chunks = recent.head, recent.chunks_after(last, joined=not exact)
        if last >= recent.next_index or (head.is_folded and not exact):
            snapshot, chunks = await run_in_db(_build_snapshot, stream, head, exact)
            last = snapshot.index
            yield snapshot
        while True:
            for chunk in chunks:
                if chunk.first == last + 1:
                    last = chunk.index
                    yield chunk
            if head.is_folded and last + 1 < head.next_index:
                # An exact reader, or one so slow that the chunks were folded while it read them.
                fresh, chunks = await run_in_db(_build_rest, stream, head, last, exact)
                if fresh is not None:
                    last = fresh.index
                    yield fresh
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
            if not waits and recent.find_news(last, head, joined=not exact) is None:
                return
            head, cached = await recent.next_chunks(last, head, joined=not exact)
            if recent.is_deleted:
                raise StreamNotFound
            if cached is None:
                head, chunks = await _read_journal(stream.id, last, recent, exact=exact)
            else:
                chunks = cached


def read_page(stream: Stream, after: int) -> tuple[list[Chunk], bool]:
    """The chunks after a cursor, as many as one read returns, for clients that ask again. True if
    they are all of the text from its start, because the cursor is past the end, or because the
    chunks of a folded stream can't be built again. Calls the database. Raises StreamNotFound if the
    stream is deleted."""
    last = min(max(after, START_CURSOR), MAX_CURSOR)
    head, chunks = _read_or_build(stream, last)
    is_beyond = last >= head.next_index
    if is_beyond:
        head, chunks = _read_or_build(stream, START_CURSOR)
    if chunks is None:
        return _load_folded_chunks(stream, head), True
    return chunks, is_beyond


def read_beginning(stream: Stream) -> StreamText:
    """As much of the text so far as a snapshot holds. A reader that has it continues before its
    `next_index`. Calls the database. Raises StreamNotFound if the stream is deleted."""
    held = [*takewhile(_fits_snapshot, read_page(stream, START_CURSOR)[0])]
    text, reasoning = _join_kinds(held)
    return StreamText(text, reasoning, next_index=held[-1].index + 1 if held else 0)


def _join_kinds(chunks: Sequence[Chunk]) -> tuple[str, str]:
    """The text and the reasoning."""
    text, reasoning = (
        "".join(chunk.delta for chunk in chunks if chunk.kind == kind)
        for kind in (Kind.TEXT, Kind.REASONING)
    )
    return text, reasoning


def _read_or_build(stream: Stream, after: int) -> tuple[StreamHead, list[Chunk] | None]:
    """None instead of the chunks of a folded stream if they can't be built."""
    for _ in range(2):
        answer = journal.read_chunks([(stream.id, after)]).get((stream.id, after))
        if answer is None:
            break
        head, chunks = answer
        if head.is_folded:
            return head, _build_chunks(stream, after)
        chunks = _take_consecutive(chunks, after)
        if chunks or after + 1 >= head.next_index:
            return head, chunks
        # They were folded since the head was read, or they are being deleted.
    raise StreamNotFound


def _take_consecutive(chunks: Iterable[Chunk], after: int) -> list[Chunk]:
    """The chunks up to the first hole. If the stream is folded between two queries of one read,
    chunks are missing from it."""
    taken = []
    for chunk in chunks:
        if chunk.first != after + 1:
            break
        taken.append(chunk)
        after = chunk.index
    return taken


async def _read_journal(
    stream_id: int, last: int, recent: RecentChunks, *, exact: bool
) -> tuple[StreamHead, list[Chunk]]:
    answer = await (_row_loader if exact else _journal_loader).load((stream_id, last))
    recent.update_head(answer and answer[0])
    if answer is None:
        raise StreamNotFound
    if not exact:  # rows would take much more memory than joined chunks
        recent.backfill(answer[1])
    return answer


def _build_rest(
    stream: Stream, head: StreamHead, last: int, exact: bool
) -> tuple[Snapshot | None, list[Chunk]]:
    """The rest of a folded stream after an index: rows if they are wanted, or a snapshot with the
    chunks up to the end."""
    if exact and (rows := _build_rows(stream, last)):
        return None, rows
    return _build_snapshot(stream, head, exact=False)


def _build_snapshot(stream: Stream, head: StreamHead, exact: bool) -> tuple[Snapshot, list[Chunk]]:
    """As much of the stream from its start as a snapshot holds, and the chunks after that."""
    chunks = _read_beginning(stream, head, exact)
    held = list(takewhile(_fits_snapshot, chunks))
    if held:
        index = held[-1].index
    else:  # of a folded stream without any text nothing is left; a tool call comes by itself
        index = head.next_index - 1 if head.is_folded and not chunks else START_CURSOR
    text, reasoning = _join_kinds(held)
    seams = tuple(dict.fromkeys(chunk.offset for chunk in held if chunk.kind == Kind.SEAM))
    return Snapshot(index, text, reasoning, seams), chunks[len(held) :]


def _read_beginning(stream: Stream, head: StreamHead, exact: bool) -> list[Chunk]:
    if not head.is_folded:
        cursor = (stream.id, START_CURSOR)
        if (answer := journal.read_chunks([cursor], joined=not exact).get(cursor)) is None:
            raise StreamNotFound
        return answer[1]
    rows = _build_rows(stream, START_CURSOR) if exact else None
    return _load_folded_chunks(stream, head) if rows is None else rows


def _fits_snapshot(chunk: Chunk) -> bool:
    """A snapshot has no field for a tool call, nor for a chunk of an unknown kind, so the client
    gets the chunk itself."""
    return chunk.kind in SNAPSHOT_KINDS and chunk.offset + len(chunk.delta) <= MAX_SNAPSHOT_CHARS


def _build_rows(stream: Stream, after: int) -> list[Chunk] | None:
    return _build_chunks(stream, after, joined=False)


def _build_chunks(stream: Stream, after: int, *, joined: bool = True) -> list[Chunk] | None:
    """Chunks of a folded stream as they were. None if its application shows nothing of it, or holds
    another text, or an older version folded it."""
    text = _load_text(stream)
    if text is None:
        return None
    chunks = journal.read_folded_chunks((stream.id, after), text, joined=joined)
    return None if chunks is None else _take_consecutive(chunks, after)


def _load_folded_chunks(stream: Stream, head: StreamHead) -> list[Chunk]:
    """The text that the application holds, as chunks with the indexes that were folded. Only the
    last index matters: it is the cursor of a reconnecting client."""
    chunks = journal.build_chunks(_load_text(stream) or StreamText())
    if chunks:
        last = chunks.pop()
        chunks.append(replace(last, index=max(last.index, head.next_index - 1)))
    return chunks


def _load_text(stream: Stream) -> StreamText | None:
    """The text that the application holds. A follower may have the row from a time when the stream
    still ran, so it is read again."""
    row = Stream.objects.filter(id=stream.id).first()
    if row is None:
        raise StreamNotFound
    return get_handler(row.source).load_text(row)


_journal_loader = BatchLoader(journal.read_chunks, max_batch_size=20)
_row_loader = BatchLoader(partial(journal.read_chunks, joined=False), max_batch_size=20)


def _to_state_changed(head: StreamHead) -> StateChanged:
    return StateChanged(head.state, head.note)


def _to_ended(head: StreamHead) -> Ended:
    return Ended(head.state, head.next_index, head.finish_reason, head.error_class, head.error)

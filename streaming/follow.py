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
from streaming.database import Gathered, in_db
from streaming.hub import Tail, hub
from streaming.journal import Chunk, Head, Text
from streaming.models import Kind, State, Stream
from streaming.sources import registered

START = -1
"""The cursor of who has nothing yet."""
LARGEST = 2**53 - 1
"""The largest cursor, and the largest whole number that every JSON reader keeps exact."""
SNAPSHOT = 65_536
"""The most characters of text, and of reasoning, in a snapshot; chunks bring the rest."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Replace everything that is held by this, and go on from `index`."""

    index: int
    text: str
    reasoning: str
    seams: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Status:
    """What the stream is doing now."""

    state: State
    note: str


@dataclass(frozen=True, slots=True)
class End:
    """The stream is over, and everything before `next_index` was yielded before this."""

    state: State
    next_index: int
    finish_reason: str
    error_class: str
    error: str


Event = Chunk | Snapshot | Status | End


class Gone(Exception):
    """There is no such stream (any more), or not for this user."""


async def find(user: AbstractBaseUser, uuid: UUID) -> Stream:
    """The stream with this name, if this user may see it. Raises Gone: what is not yours
    answers like what does not exist."""
    stream = hub().known(uuid)
    if stream is None or stream.owner_id != user.pk:
        stream = await _found.ask((user.pk, uuid))
    if stream is None:
        raise Gone
    return stream


async def follow(stream: Stream, after: int = START) -> AsyncGenerator[Event, None]:
    """Yield everything after an index, in order, each index once, and last of all the end.

    Any whole number is a cursor: one before the start means all of it; one past the end, or
    into a stream whose chunks were folded away, is answered by a snapshot. Raises Gone when
    the stream is deleted.
    """
    last = min(max(after, START), LARGEST)
    shown: Head | None = None
    with hub().join(stream) as tail:
        if tail.head is not None and stream is not tail.stream:
            tail.learn(journal.head_of(stream))
        if tail.head is None or last >= tail.next_index:
            # Who was served by another process may know more than was heard here.
            head, chunks = await _read(stream.id, last, tail)
        else:
            head, chunks = tail.head, tail.after(last)
        if head.folded or last >= tail.next_index:
            snapshot, chunks = await in_db(_snapshot, stream, head)
            last = snapshot.index
            yield snapshot
        while True:
            for chunk in chunks:
                if chunk.first == last + 1:
                    last = chunk.index
                    yield chunk
            if head.folded and last + 1 < head.next_index:
                # Folded since this began, by a reader who was very slow.
                snapshot, chunks = await in_db(_snapshot, stream, head)
                last = snapshot.index
                yield snapshot
                continue
            if head.ended and last + 1 >= head.next_index:
                yield _end(head)
                return
            if head is not shown:
                if not head.ended and (shown is None or _status(head) != _status(shown)):
                    yield _status(head)
                shown = head
            head, chunks = await _more(stream.id, last, head, tail)


async def _more(stream_id: int, last: int, head: Head, tail: Tail) -> tuple[Head, list[Chunk]]:
    """Wait for what comes next: from the tail when it is all there, else from the journal."""
    while True:
        if tail.gone:
            raise Gone
        newest = tail.head or head
        if chunks := tail.after(last):
            return newest, chunks
        if tail.next_index > last + 1:
            return await _read(stream_id, last, tail)
        if newest != head:
            return newest, []
        await tail.news()


async def _read(stream_id: int, last: int, tail: Tail) -> tuple[Head, list[Chunk]]:
    answer = await _journals.ask((stream_id, last))
    tail.learn(answer and answer[0])
    if answer is None:
        raise Gone
    tail.keep(answer[1])
    return answer


def _snapshot(stream: Stream, head: Head) -> tuple[Snapshot, list[Chunk]]:
    """As much of the stream from its start as a snapshot holds, and the chunks after that."""
    place = (stream.id, START)
    chunks = _folded(stream, head) if head.folded else journal.read([place])[place][1]
    held = list(takewhile(lambda chunk: chunk.offset + len(chunk.delta) <= SNAPSHOT, chunks))
    index = held[-1].index if held else head.next_index - 1 if head.folded else START
    text, reasoning = (
        "".join(chunk.delta for chunk in held if chunk.kind == kind)
        for kind in (Kind.TEXT, Kind.REASONING)
    )
    seams = tuple(dict.fromkeys(chunk.offset for chunk in held if chunk.kind == Kind.SEAM))
    return Snapshot(index, text, reasoning, seams), chunks[len(held) :]


def _folded(stream: Stream, head: Head) -> list[Chunk]:
    """What the application holds, as chunks over the indexes that were folded away: only the
    last of them means anything to who comes back with it."""
    chunks = journal.chunks_of(registered(stream.source).recall(stream) or Text())
    if chunks:
        last = chunks.pop()
        chunks.append(replace(last, index=max(last.index, head.next_index - 1)))
    return chunks


_found = Gathered(Stream.objects.owned)
_journals = Gathered(journal.read, at_once=20)


def _status(head: Head) -> Status:
    return Status(head.state, head.note)


def _end(head: Head) -> End:
    return End(head.state, head.next_index, head.finish_reason, head.error_class, head.error)

"""The journal: all chunks of all streams, and the only truth about what was written.

A stream's chunks have the indexes 0, 1, 2 … without a hole, and each is committed before it is
published. `append` is fenced: it moves the stream's `next_index` and inserts the rows in one
statement, only while the stream still runs under the writer's epoch and its `next_index` is the one
that the writer left. A check that does not lock the stream's row would be no fence: a late writer's
rows could appear after the claim that replaced it.

The chunks of a folded stream are built again of its cuts and of the application's text.

No other module uses StreamChunk and FoldedJournal.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice

from django.db import connection

from streaming.events import StreamText
from streaming.journal import folded, orm, postgresql
from streaming.journal.chunks import (
    CHARS_PER_READ,
    MAX_CHUNK_CHARS,
    MERGEABLE_KINDS,
    Append,
    Chunk,
    Cursor,
    ReadResult,
    StreamHead,
    build_chunks,
    coalesce,
    split_delta,
)
from streaming.journal.cuts import pack_chunks
from streaming.journal.folded import fold_chunks
from streaming.journal.orm import (
    copy_prefix,
    delete_batch,
    delete_streams,
    read_heads,
    read_reasoning_duration,
    read_text,
    read_text_and_rows,
)

__all__ = [
    "MAX_CHUNK_CHARS",
    "MERGEABLE_KINDS",
    "Append",
    "Chunk",
    "Cursor",
    "ReadResult",
    "StreamHead",
    "append",
    "build_chunks",
    "coalesce",
    "copy_prefix",
    "delete_batch",
    "delete_streams",
    "fold_chunks",
    "pack_chunks",
    "read_chunks",
    "read_folded_chunks",
    "read_heads",
    "read_reasoning_duration",
    "read_text",
    "read_text_and_rows",
    "split_delta",
]

ROWS_PER_BUILD = 20_000
"""More than a read, because each time all rows before them are built again."""


def append(entries: Sequence[Append], *, is_retry: bool = False) -> set[int]:
    """Write these entries in one commit; returns the ids of the streams that were written.

    A stream that is not returned was stopped or taken over, and nothing of its entry was written.
    After a lost connection give the very same entries with `is_retry`: if the position of a stream
    is already past its entry, the commit whose answer was lost has written it.
    """
    entries = sorted(entries, key=lambda entry: entry.stream_id)
    write = postgresql.append if connection.vendor == "postgresql" else orm.append
    written = write(entries)
    if not is_retry:
        return written
    return written | orm.find_already_written([e for e in entries if e.stream_id not in written])


def read_chunks(cursors: Collection[Cursor], *, joined: bool = True) -> dict[Cursor, ReadResult]:
    """For each cursor the head of its stream and a bounded number of chunks after it, with
    neighbours joined, or as the rows that they are. A stream that does not exist is left out.

    The head is read before the chunks or together with them, so the chunks reach at least as far as
    the head says: a reader of all chunks before an ended head's `next_index` has the whole stream.
    """
    joins = joined and connection.vendor == "postgresql"
    read = postgresql.read if joins else orm.read
    return {
        cursor: (head, list(_limit_chars(coalesce(chunks) if joined else chunks)))
        for cursor, head, chunks in read(cursors)
    }


def read_folded_chunks(
    cursor: Cursor, text: StreamText, *, joined: bool = True
) -> list[Chunk] | None:
    """The chunks of a folded stream. Joined ones are the very ones that `read_chunks` returned
    before it was folded. `text` is what the application holds. None if they can't be built of it.
    """
    stream_id, after = cursor
    rows = folded.read_rows(stream_id, after, text)
    if rows is None:
        return None
    return list(_limit_chars(_join_rows(rows, after) if joined else islice(rows, ROWS_PER_BUILD)))


def _join_rows(rows: Iterator[Chunk], after: int) -> Iterator[Chunk]:
    if connection.vendor == "postgresql":
        return coalesce(postgresql.join_rows(rows, after))
    return coalesce(islice(rows, orm.ROWS_PER_READ))


def _limit_chars(chunks: Iterable[Chunk]) -> Iterator[Chunk]:
    size = 0
    for chunk in chunks:
        yield chunk
        size += len(chunk.delta)
        if size >= CHARS_PER_READ:
            return

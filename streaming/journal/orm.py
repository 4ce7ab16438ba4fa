"""The journal on any database: append, read, copy and drop chunks with Django's ORM."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import F, Func, IntegerField, Max, Min, QuerySet, Sum, Window
from django.db.models.functions import Coalesce, Now
from django.db.models.sql.compiler import SQLCompiler

from streaming.events import StreamText
from streaming.journal.chunks import (
    CHARS_PER_READ,
    MAX_CHUNK_CHARS,
    Append,
    Chunk,
    Cursor,
    StreamHead,
    build_chunks,
)
from streaming.models import (
    KIND_NUMBERS,
    KINDS_BY_NUMBER,
    Kind,
    State,
    Stream,
    StreamChunk,
    StreamQuerySet,
)

ROWS_PER_READ = 2_000

BYTES_PER_READ = 4 * (CHARS_PER_READ + 2 * MAX_CHUNK_CHARS)
"""More than one read uses: it ends with the chunk that reaches CHARS_PER_READ, and joining looks at
one chunk more. A character has up to four bytes."""

ChunkValues = tuple[int, int, str, int]
"""Index, number of the kind, delta and offset of a row."""


class ByteLength(Func):
    """The length of a text in UTF-8. PostgreSQL knows it without reading the text."""

    function = "octet_length"
    output_field = IntegerField()

    def as_sqlite(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any
    ) -> tuple[str, Any]:
        """Old versions have no such function."""
        return self.as_sql(
            compiler, connection, template="length(CAST(%(expressions)s AS blob))", **context
        )


# Writing


def append(entries: Sequence[Append]) -> set[int]:
    """Write these entries one after the other in one transaction; returns the ids of the streams
    that were written."""
    with transaction.atomic():
        return {entry.stream_id for entry in entries if _append_entry(entry)}


def _append_entry(entry: Append) -> bool:
    moved = Stream.objects.filter(
        id=entry.stream_id, epoch=entry.epoch, state=State.RUNNING, next_index=entry.first_index
    ).update(
        next_index=entry.next_index,
        length=F("length") + entry.text_length,
        first_chunk_at=Coalesce("first_chunk_at", Now()),
        last_chunk_at=Now(),
        **_checkpoint_columns(entry),
    )
    if not moved:
        return False
    _insert_chunks(entry.stream_id, entry.chunks)
    return True


def _checkpoint_columns(entry: Append) -> dict[str, str | None]:
    if entry.checkpoint is None:
        return {}
    upstream_id, cursor = entry.checkpoint_columns
    return {"upstream_id": upstream_id, "upstream_cursor": cursor}


def _insert_chunks(stream_id: int, chunks: Iterable[Chunk]) -> None:
    StreamChunk.objects.bulk_create(
        StreamChunk(
            stream_id=stream_id,
            index=c.index,
            kind=KIND_NUMBERS[c.kind],
            delta=c.delta,
            offset=c.offset,
        )
        for c in chunks
    )


def find_already_written(entries: Sequence[Append]) -> set[int]:
    """The ids of the streams whose position is exactly the end of these entries, under the same
    epoch."""
    reached = {(e.stream_id, e.epoch, e.next_index) for e in entries}
    rows = Stream.objects.filter(id__in=[e.stream_id for e in entries])
    positions = rows.values_list("id", "epoch", "next_index")
    return {row[0] for row in positions if tuple(row) in reached}


def copy_prefix(stream: Stream, text: StreamText) -> None:
    """Begin a new stream with the text that it continues, and a seam after it. Call it in the
    transaction that creates the stream."""
    seams = sorted({*text.seams, len(text.content)})
    chunks = build_chunks(replace(text, seams=tuple(seams)))
    _insert_chunks(stream.id, chunks)
    stream.next_index, stream.length = len(chunks), len(text.content)
    stream.save(update_fields=["next_index", "length"])


def delete_streams(stream_ids: Iterable[int]) -> None:
    """Delete streams with their chunks. The caller must have stopped them."""
    Stream.objects.filter(id__in=list(stream_ids)).delete()


def delete_batch(streams: StreamQuerySet, max_rows: int) -> int:
    """Delete the first of these streams with their chunks; if the first one has more chunks than
    that, only some of them. Return about how many rows were deleted, 0 if there is no stream left.
    The caller must have stopped them."""
    chosen: list[int] = []
    count = 0
    for id, next_index in streams.order_by("id").values_list("id", "next_index")[:max_rows]:
        if chosen and count + next_index >= max_rows:
            break
        chosen.append(id)
        count += 1 + next_index
    if count > max_rows and (deleted := _delete_first_chunks(chosen[0], max_rows)):
        return deleted
    delete_streams(chosen)
    return count


def _delete_first_chunks(stream_id: int, max_rows: int) -> int:
    chunks = StreamChunk.objects.filter(stream_id=stream_id)
    first = chunks.order_by("index").values_list("index", flat=True).first()
    if first is None:
        return 0
    return chunks.filter(index__lt=first + max_rows).delete()[0]


# Reading


def read_heads(stream_ids: Iterable[int]) -> dict[int, StreamHead]:
    """A stream that does not exist is left out."""
    streams = Stream.objects.filter(id__in=list(stream_ids))
    return {row[0]: StreamHead.from_row(row) for row in streams.values_list(*StreamHead.columns())}


def read(cursors: Collection[Cursor]) -> Iterator[tuple[Cursor, StreamHead, Iterable[Chunk]]]:
    """One query for all heads, then one for the chunks of each stream."""
    heads = read_heads(stream_id for stream_id, _ in cursors)
    for stream_id, after in cursors:
        if head := heads.get(stream_id):
            yield (stream_id, after), head, read_rows(stream_id, after, ROWS_PER_READ)


def read_rows(stream_id: int, after: int, limit: int) -> list[Chunk]:
    """The rows after an index, up to `limit` of them, or as many as one read returns. A row may
    have 64 KB, and each read of a long stream would load all the rest of it."""
    size = ByteLength("delta")
    bytes_before = Window(Sum(size), order_by="index") - size
    rows = _select_values(stream_id).filter(index__gt=after, index__lte=after + limit)
    return _to_chunks(rows.alias(before=bytes_before).filter(before__lt=BYTES_PER_READ))


def _select_values(stream_id: int) -> QuerySet[StreamChunk, ChunkValues]:
    rows = StreamChunk.objects.filter(stream_id=stream_id).order_by("index")
    return rows.values_list("index", "kind", "delta", "offset")


def _to_chunks(rows: Iterable[ChunkValues]) -> list[Chunk]:
    return [
        Chunk(index, index, KINDS_BY_NUMBER[number], delta, offset)
        for index, number, delta, offset in rows
    ]


def read_text(stream_id: int) -> StreamText:
    """All the text that the journal holds, and the index that it reaches, from one query."""
    return _join_text(_select_values(stream_id))


def read_text_and_rows(stream_id: int) -> tuple[StreamText, list[Chunk]]:
    """All that the journal holds, as text and row by row, from one query."""
    rows = list(_select_values(stream_id))
    return _join_text(rows), _to_chunks(rows)


def _join_text(rows: Iterable[ChunkValues]) -> StreamText:
    parts: dict[str, list[str]] = {Kind.TEXT: [], Kind.REASONING: [], Kind.TOOL_CALL: []}
    seams: dict[int, None] = {}
    next_index, kind = 0, ""
    for index, number, delta, offset in rows:
        kind = KINDS_BY_NUMBER[number]
        if kind in parts:
            parts[kind].append(delta)
        elif kind == Kind.SEAM:
            # One seam, even if a worker wrote only reasoning after it and was replaced.
            seams[offset] = None
        next_index = index + 1
    content, reasoning, calls = ("".join(part) for part in parts.values())
    ends_in_seam = kind == Kind.SEAM
    return StreamText(content, reasoning, tuple(seams), next_index, ends_in_seam, calls)


def read_reasoning_duration(stream_id: int) -> timedelta | None:
    """The time from the first reasoning to the text that follows the last one, or to that last one
    if no text does. None for a stream without reasoning."""
    rows = StreamChunk.objects.filter(stream_id=stream_id)
    reasoning = rows.filter(kind=KIND_NUMBERS[Kind.REASONING]).aggregate(
        first=Min("created_at"), last=Max("created_at"), index=Max("index")
    )
    if reasoning["first"] is None:
        return None
    text_after = rows.filter(kind=KIND_NUMBERS[Kind.TEXT], index__gt=reasoning["index"])
    text_began: datetime | None = text_after.aggregate(at=Min("created_at"))["at"]
    duration: timedelta = (text_began or reasoning["last"]) - reasoning["first"]
    return max(duration, timedelta())

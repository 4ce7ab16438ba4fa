"""The journal: the one door to StreamChunk.

Its rows are the truth about a stream: indexes 0, 1, 2 … without a hole, each committed before
anybody is told of it. `append` is fenced: it moves the stream's `next_index` and inserts the
rows in one statement, only while the stream is still running under the writer's epoch and
stands exactly where the writer left it. A check that did not lock the stream's row would be
no fence: a late writer's rows could appear after the claim that replaced it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F, Max, Min
from django.db.models.functions import Coalesce, Now

from streaming.events import StreamText as StreamText
from streaming.models import Kind, State, Stream, StreamChunk, split_checkpoint

MAX_CHUNK_CHARS = 16_384
"""The most characters that one chunk holds, so that every frame and row is bounded."""

ROWS_PER_READ = 2_000
ROWS_PER_GROUP = 100
"""Rows that are read as one, where nothing speaks against it."""
GROUPS_PER_READ = 200
CHARS_PER_READ = 131_072
"""About how much text one read brings: a follower that waits for its client holds all of it."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """The chunks `first` to `index` of one kind as one: a single one, or neighbours merged.

    `offset` counts the code points of this kind before it.
    """

    first: int
    index: int
    kind: Kind
    delta: str
    offset: int


@dataclass(frozen=True, slots=True)
class Append:
    """What one stream has to write: single chunks that follow one another.

    `checkpoint` is the place behind the last of them from which the source could go on, written in
    the same statement; None leaves what was written before.
    """

    stream_id: int
    uuid: UUID
    epoch: int
    chunks: tuple[Chunk, ...]
    checkpoint: str | None = None

    @property
    def first_index(self) -> int:
        return self.chunks[0].index

    @property
    def next_index(self) -> int:
        return self.chunks[-1].index + 1

    @property
    def text_length(self) -> int:
        """Code points of text that it adds."""
        return sum(len(c.delta) for c in self.chunks if c.kind == Kind.TEXT)


@dataclass(frozen=True, slots=True)
class StreamHead:
    """Where a stream stands: what its row says of it, without its text."""

    id: int
    epoch: int
    state: State
    note: str
    next_index: int
    finish_reason: str
    error_class: str
    error: str
    is_folded: bool

    @property
    def has_ended(self) -> bool:
        return self.state.has_ended


# Writing


def append(entries: Sequence[Append], *, is_retry: bool = False) -> set[int]:
    """Write what these streams have, in one commit; return the ids of those it was for.

    A stream that is not returned was stopped or replaced, and nothing of its entry was
    written. After a lost connection the very same entries must be given with `is_retry`: a stream
    that already stands behind its entry was written by the commit whose answer got lost.
    """
    entries = sorted(entries, key=lambda entry: entry.stream_id)
    if connection.vendor == "postgresql":
        written = _append_in_one_statement(entries)
    else:
        written = _append_one_by_one(entries)
    if not is_retry:
        return written
    return written | _find_already_written([e for e in entries if e.stream_id not in written])


_APPEND = """
WITH moved AS (
    UPDATE streaming_stream AS s
       SET next_index = e.next_index,
           length = s.length + e.length,
           upstream_id = COALESCE(e.upstream_id, s.upstream_id),
           upstream_cursor = COALESCE(e.upstream_cursor, s.upstream_cursor),
           first_chunk_at = COALESCE(s.first_chunk_at, clock_timestamp()),
           last_chunk_at = clock_timestamp()
      FROM unnest(%s::bigint[], %s::int[], %s::int[], %s::int[], %s::int[], %s::text[], %s::text[])
           AS e(stream_id, epoch, first, next_index, length, upstream_id, upstream_cursor)
     WHERE s.id = e.stream_id
       -- The planner takes running streams for rare, and without this CASE, which it does not look
       -- into, it may compare each of them with each entry instead of looking entries up.
       AND CASE s.state WHEN 'running' THEN s.epoch = e.epoch AND s.next_index = e.first END
    RETURNING s.id
), written AS (
    INSERT INTO streaming_streamchunk (stream_id, "index", kind, delta, "offset")
    SELECT c.* FROM unnest(%s::bigint[], %s::int[], %s::smallint[], %s::text[], %s::int[])
                    AS c(stream_id, "index", kind, delta, "offset")
      JOIN moved ON moved.id = c.stream_id
)
SELECT id FROM moved
"""


def _append_in_one_statement(entries: Sequence[Append]) -> set[int]:
    """The order of the arrays is the order in which rows are locked, as a rule; where two
    writers lock crosswise all the same, PostgreSQL fails one of them and it tries again."""
    rows = [(e.stream_id, c) for e in entries for c in e.chunks]
    checkpoints = [_split_checkpoint(e) for e in entries]
    with connection.cursor() as cursor:
        cursor.execute(
            _APPEND,
            [
                _format_int_array(e.stream_id for e in entries),
                _format_int_array(e.epoch for e in entries),
                _format_int_array(e.first_index for e in entries),
                _format_int_array(e.next_index for e in entries),
                _format_int_array(e.text_length for e in entries),
                _format_text_array(upstream_id for upstream_id, _ in checkpoints),
                _format_text_array(cursor for _, cursor in checkpoints),
                _format_int_array(stream_id for stream_id, _ in rows),
                _format_int_array(c.index for _, c in rows),
                _format_int_array(int(c.kind) for _, c in rows),
                _format_text_array(c.delta for _, c in rows),
                _format_int_array(c.offset for _, c in rows),
            ],
        )
        return {stream_id for (stream_id,) in cursor.fetchall()}


def _format_int_array(values: Iterable[int]) -> str:
    """An array as PostgreSQL reads it. Written by psycopg, element by element, the arrays cost
    more than all the rest of a commit here."""
    return "{" + ",".join(map(str, values)) + "}"


def _format_text_array(values: Iterable[str | None]) -> str:
    return "{" + ",".join("NULL" if text is None else _quote_text(text) for text in values) + "}"


def _quote_text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _append_one_by_one(entries: Sequence[Append]) -> set[int]:
    with transaction.atomic():
        return {entry.stream_id for entry in entries if _append_one(entry)}


def _append_one(entry: Append) -> bool:
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


def _split_checkpoint(entry: Append) -> tuple[str | None, str | None]:
    return (None, None) if entry.checkpoint is None else split_checkpoint(entry.checkpoint)


def _checkpoint_columns(entry: Append) -> dict[str, str]:
    if entry.checkpoint is None:
        return {}
    upstream_id, cursor = split_checkpoint(entry.checkpoint)
    return {"upstream_id": upstream_id, "upstream_cursor": cursor}


def _insert_chunks(stream_id: int, chunks: Iterable[Chunk]) -> None:
    StreamChunk.objects.bulk_create(
        StreamChunk(stream_id=stream_id, index=c.index, kind=c.kind, delta=c.delta, offset=c.offset)
        for c in chunks
    )


def _find_already_written(entries: Sequence[Append]) -> set[int]:
    reached = {(e.stream_id, e.epoch, e.next_index) for e in entries}
    rows = Stream.objects.filter(id__in=[e.stream_id for e in entries])
    stand = rows.values_list("id", "epoch", "next_index")
    return {row[0] for row in stand if tuple(row) in reached}


def copy_prefix(stream: Stream, text: StreamText) -> None:
    """Begin a stream that goes on from a text: what was written before with its seams, and a
    new one at the end. In the transaction that makes the stream."""
    seams = sorted({*text.seams, len(text.content)})
    chunks = build_chunks(replace(text, seams=tuple(seams)))
    _insert_chunks(stream.id, chunks)
    stream.next_index, stream.length = len(chunks), len(text.content)
    stream.save(update_fields=["next_index", "length"])


def build_chunks(text: StreamText) -> list[Chunk]:
    """A text as chunks from index 0 on: its thoughts, and its text with its seams."""
    chunks = [c for c in split_delta(Kind.REASONING, text.reasoning, 0, 0) if c.delta]
    start = 0
    for seam in (*text.seams, None):
        if part := text.content[start:seam]:
            chunks += split_delta(Kind.TEXT, part, len(chunks), start)
        if seam is not None:
            chunks += split_delta(Kind.SEAM, "", len(chunks), seam)
            start = seam
    return chunks


def delete_streams(stream_ids: Iterable[int]) -> None:
    """Remove streams with their chunks. Whoever asks has stopped them before."""
    Stream.objects.filter(id__in=list(stream_ids)).delete()


def fold_chunks(stream_id: int) -> None:
    """Drop the chunks of a stream whose text the application holds. A cursor into it gets a
    snapshot from then on."""
    with transaction.atomic():
        Stream.objects.filter(id=stream_id).update(folded_at=Now())
        StreamChunk.objects.filter(stream_id=stream_id).delete()


# Reading


def read_heads(stream_ids: Iterable[int]) -> dict[int, StreamHead]:
    """Where these streams stand now; one that does not exist is left out."""
    rows = Stream.objects.filter(id__in=list(stream_ids)).values_list(*HEAD_COLUMNS)
    return {row[0]: _head_from_row(*row) for row in rows}


def head_from_stream(stream: Stream) -> StreamHead:
    """Where a stream stood when its row was read."""
    return _head_from_row(*(getattr(stream, name) for name in HEAD_COLUMNS))


HEAD_COLUMNS = (
    *("id", "epoch", "state", "note", "next_index"),
    *("finish_reason", "error_class", "error", "folded_at"),
)


def _head_from_row(
    stream_id: int,
    epoch: int,
    state: str,
    note: str,
    next_index: int,
    finish_reason: str,
    error_class: str,
    error: str,
    folded_at: datetime | None,
) -> StreamHead:
    folded = folded_at is not None
    return StreamHead(
        stream_id, epoch, State(state), note, next_index, finish_reason, error_class, error, folded
    )


Cursor = tuple[int, int]
"""A stream's id, and an index in it."""
ReadResult = tuple[StreamHead, list[Chunk]]


def read_chunks(cursors: Collection[Cursor]) -> dict[Cursor, ReadResult]:
    """For each place the head of its stream, and the chunks behind it, coalesced; a bounded number
    of them. A stream that does not exist is left out.

    The head is read first, or at once, so that the chunks are never behind what it says: a reader
    that has all chunks before an ended head's `next_index` has the whole stream.
    """
    postgresql = connection.vendor == "postgresql"
    found = _read_in_one_statement(cursors) if postgresql else _read_one_by_one(cursors)
    return {place: (head, list(_limit_chars(coalesce(chunks)))) for place, head, chunks in found}


def _limit_chars(chunks: Iterable[Chunk]) -> Iterator[Chunk]:
    size = 0
    for chunk in chunks:
        yield chunk
        size += len(chunk.delta)
        if size >= CHARS_PER_READ:
            return


def _read_rows(stream_id: int, after: int, limit: int) -> list[Chunk]:
    rows = (
        StreamChunk.objects.filter(stream_id=stream_id, index__gt=after)
        .order_by("index")
        .values_list("index", "kind", "delta", "offset")[:limit]
    )
    return [Chunk(index, index, Kind(kind), delta, offset) for index, kind, delta, offset in rows]


def _read_one_by_one(
    cursors: Collection[Cursor],
) -> Iterator[tuple[Cursor, StreamHead, Iterable[Chunk]]]:
    found = read_heads(stream_id for stream_id, _ in cursors)
    for stream_id, after in cursors:
        if head := found.get(stream_id):
            yield (stream_id, after), head, _read_rows(stream_id, after, ROWS_PER_READ)


_READ = """
SELECT place.after, head.*, run.*
  FROM unnest(%s::bigint[], %s::bigint[]) AS place(id, after)
  JOIN (SELECT id, epoch, state, note, next_index, finish_reason, error_class, error, folded_at
          FROM streaming_stream) AS head USING (id)
  LEFT JOIN generate_series(1, %s, %s) AS start ON place.after + start < head.next_index
  LEFT JOIN LATERAL (
       SELECT min("index"), max("index"), min(kind), max(kind),
              left(string_agg(delta, ''), %s), min("offset"), count(*)
         FROM (SELECT * FROM streaming_streamchunk
                WHERE stream_id = place.id
                  AND "index" >= place.after + start AND "index" < place.after + start + %s
                ORDER BY "index") AS c) AS run ON true
 ORDER BY place.id, place.after, start
"""


def _read_in_one_statement(
    cursors: Collection[Cursor],
) -> Iterator[tuple[Cursor, StreamHead, Iterable[Chunk]]]:
    """The heads and the chunks from one statement, neighbours joined by the database, which costs a
    seventh of reading rows."""
    ids, indexes = zip(*cursors, strict=True)
    with connection.cursor() as cursor:
        cursor.execute(
            _READ,
            [
                _format_int_array(ids),
                _format_int_array(indexes),
                GROUPS_PER_READ * ROWS_PER_GROUP,
                ROWS_PER_GROUP,
                MAX_CHUNK_CHARS + 1,
                ROWS_PER_GROUP,
            ],
        )
        rows = cursor.fetchall()
    columns = 1 + len(HEAD_COLUMNS)
    for (after, *head), runs in groupby(rows, lambda row: row[:columns]):
        yield (
            (head[0], after),
            _head_from_row(*head),
            _split_groups(head[0], [row[columns:] for row in runs]),
        )


def _split_groups(stream_id: int, groups: Iterable[tuple[Any, ...]]) -> Iterator[Chunk]:
    """Runs as chunks. Those of several kinds, and those of rows so large that joined they would be
    no piece, are read row by row."""
    for first, index, kind, other, delta, offset, count in groups:
        if first is None:
            return  # there is no more; or it was deleted or folded just now
        if kind == other and len(delta) <= MAX_CHUNK_CHARS and (kind != Kind.SEAM or count == 1):
            yield Chunk(first, index, Kind(kind), delta, offset)
        else:
            yield from _read_rows(stream_id, first - 1, count)


def read_text(stream_id: int) -> StreamText:
    """All the text that the journal holds, and the index it stands at, from one statement."""
    parts: dict[int, list[str]] = {kind: [] for kind in Kind}
    seams: dict[int, None] = {}
    next_index, kind = 0, None
    rows = StreamChunk.objects.filter(stream_id=stream_id).order_by("index")
    for index, kind, delta, offset in rows.values_list("index", "kind", "delta", "offset"):
        parts[kind].append(delta)
        next_index = index + 1
        if kind == Kind.SEAM:
            seams[offset] = None  # once, though somebody thought behind it and was replaced
    so_far, thoughts = "".join(parts[Kind.TEXT]), "".join(parts[Kind.REASONING])
    return StreamText(so_far, thoughts, tuple(seams), next_index, ends_in_seam=kind == Kind.SEAM)


def read_reasoning_duration(stream_id: int) -> timedelta | None:
    """How long it thought: from its first thought to the text that followed its last one, or
    to that last one where no text did. None for a stream without thoughts."""
    rows = StreamChunk.objects.filter(stream_id=stream_id)
    thoughts = rows.filter(kind=Kind.REASONING).aggregate(
        first=Min("created_at"), last=Max("created_at"), index=Max("index")
    )
    if thoughts["first"] is None:
        return None
    after = rows.filter(kind=Kind.TEXT, index__gt=thoughts["index"])
    answered: datetime | None = after.aggregate(at=Min("created_at"))["at"]
    took: timedelta = (answered or thoughts["last"]) - thoughts["first"]
    return max(took, timedelta())


def coalesce(chunks: Iterable[Chunk]) -> Iterator[Chunk]:
    """Merge neighbours of one kind, up to PIECE characters. Seams stay alone."""
    run: list[Chunk] = []
    size = 0
    for chunk in chunks:
        fits = (
            run
            and run[0].kind == chunk.kind != Kind.SEAM
            and size + len(chunk.delta) <= MAX_CHUNK_CHARS
        )
        if run and not fits:
            yield _merge_chunks(run)
            run, size = [], 0
        run.append(chunk)
        size += len(chunk.delta)
    if run:
        yield _merge_chunks(run)


def _merge_chunks(run: Sequence[Chunk]) -> Chunk:
    if len(run) == 1:
        return run[0]
    delta = "".join(chunk.delta for chunk in run)
    return Chunk(run[0].first, run[-1].index, run[0].kind, delta, run[0].offset)


def split_delta(kind: Kind, delta: str, index: int, offset: int) -> list[Chunk]:
    """New chunks for a piece of text, none larger than PIECE; a seam is one without text."""
    if len(delta) <= MAX_CHUNK_CHARS:  # nearly always
        return [Chunk(index, index, kind, delta, offset)]
    pieces = [delta[at : at + MAX_CHUNK_CHARS] for at in range(0, len(delta), MAX_CHUNK_CHARS)]
    return [
        Chunk(index + n, index + n, kind, piece, offset + n * MAX_CHUNK_CHARS)
        for n, piece in enumerate(pieces)
    ]

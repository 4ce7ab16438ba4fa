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

from streaming.models import Kind, State, Stream, StreamChunk
from streaming.providers.base import Upstream

PIECE = 16_384
"""The most characters that one chunk holds, so that every frame and row is bounded."""

ROWS_PER_READ = 2_000
RUN = 100
"""Rows that are read as one, where nothing speaks against it."""
RUNS_PER_READ = 200
CHARACTERS_PER_READ = 131_072
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
class Entry:
    """What one stream has to write: single chunks that follow one another.

    `upstream` is where the provider's copy stands behind the last of them, written in the same
    statement; None leaves what was written before.
    """

    stream_id: int
    uuid: UUID
    epoch: int
    chunks: tuple[Chunk, ...]
    upstream: Upstream | None = None

    @property
    def first(self) -> int:
        return self.chunks[0].index

    @property
    def next(self) -> int:
        return self.chunks[-1].index + 1

    @property
    def text_length(self) -> int:
        """Code points of text that it adds."""
        return sum(len(c.delta) for c in self.chunks if c.kind == Kind.TEXT)


@dataclass(frozen=True, slots=True)
class Head:
    """Where a stream stands: what its row says of it, without its text."""

    id: int
    epoch: int
    state: State
    note: str
    next_index: int
    finish_reason: str
    error_class: str
    error: str
    folded: bool

    @property
    def ended(self) -> bool:
        return self.state.ended


@dataclass(frozen=True, slots=True)
class Text:
    """All the text of a stream up to `next_index`. Seams are offsets into `text`, in code
    points: the places where another worker or a person's *Continue* went on. `ends_in_seam` says
    that nothing was written behind the last of them, thoughts neither."""

    text: str = ""
    reasoning: str = ""
    seams: tuple[int, ...] = ()
    next_index: int = 0
    ends_in_seam: bool = False


# Writing


def append(entries: Sequence[Entry], *, again: bool = False) -> set[int]:
    """Write what these streams have, in one commit; return the ids of those it was for.

    A stream that is not returned was stopped or replaced, and nothing of its entry was
    written. After a lost connection the very same entries must be given `again`: a stream
    that already stands behind its entry was written by the commit whose answer got lost.
    """
    entries = sorted(entries, key=lambda entry: entry.stream_id)
    if connection.vendor == "postgresql":
        written = _append_in_one_statement(entries)
    else:
        written = _append_one_by_one(entries)
    if not again:
        return written
    return written | _written_before([e for e in entries if e.stream_id not in written])


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


def _append_in_one_statement(entries: Sequence[Entry]) -> set[int]:
    """The order of the arrays is the order in which rows are locked, as a rule; where two
    writers lock crosswise all the same, PostgreSQL fails one of them and it tries again."""
    rows = [(e.stream_id, c) for e in entries for c in e.chunks]
    with connection.cursor() as cursor:
        cursor.execute(
            _APPEND,
            [
                _numbers(e.stream_id for e in entries),
                _numbers(e.epoch for e in entries),
                _numbers(e.first for e in entries),
                _numbers(e.next for e in entries),
                _numbers(e.text_length for e in entries),
                _texts(e.upstream.id if e.upstream else None for e in entries),
                _texts(e.upstream.cursor if e.upstream else None for e in entries),
                _numbers(stream_id for stream_id, _ in rows),
                _numbers(c.index for _, c in rows),
                _numbers(int(c.kind) for _, c in rows),
                _texts(c.delta for _, c in rows),
                _numbers(c.offset for _, c in rows),
            ],
        )
        return {stream_id for (stream_id,) in cursor.fetchall()}


def _numbers(values: Iterable[int]) -> str:
    """An array as PostgreSQL reads it. Written by psycopg, element by element, the arrays cost
    more than all the rest of a commit here."""
    return "{" + ",".join(map(str, values)) + "}"


def _texts(values: Iterable[str | None]) -> str:
    return "{" + ",".join("NULL" if text is None else _quoted(text) for text in values) + "}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _append_one_by_one(entries: Sequence[Entry]) -> set[int]:
    with transaction.atomic():
        return {entry.stream_id for entry in entries if _append_entry(entry)}


def _append_entry(entry: Entry) -> bool:
    moved = Stream.objects.filter(
        id=entry.stream_id, epoch=entry.epoch, state=State.RUNNING, next_index=entry.first
    ).update(
        next_index=entry.next,
        length=F("length") + entry.text_length,
        first_chunk_at=Coalesce("first_chunk_at", Now()),
        last_chunk_at=Now(),
        **_place(entry),
    )
    if not moved:
        return False
    _insert(entry.stream_id, entry.chunks)
    return True


def _place(entry: Entry) -> dict[str, str]:
    if entry.upstream is None:
        return {}
    return {"upstream_id": entry.upstream.id, "upstream_cursor": entry.upstream.cursor}


def _insert(stream_id: int, chunks: Iterable[Chunk]) -> None:
    StreamChunk.objects.bulk_create(
        StreamChunk(stream_id=stream_id, index=c.index, kind=c.kind, delta=c.delta, offset=c.offset)
        for c in chunks
    )


def _written_before(entries: Sequence[Entry]) -> set[int]:
    reached = {(e.stream_id, e.epoch, e.next) for e in entries}
    rows = Stream.objects.filter(id__in=[e.stream_id for e in entries])
    stand = rows.values_list("id", "epoch", "next_index")
    return {row[0] for row in stand if tuple(row) in reached}


def seed(stream: Stream, text: Text) -> None:
    """Begin a stream that goes on from a text: what was written before with its seams, and a
    new one at the end. In the transaction that makes the stream."""
    seams = sorted({*text.seams, len(text.text)})
    chunks = chunks_of(replace(text, seams=tuple(seams)))
    _insert(stream.id, chunks)
    stream.next_index, stream.length = len(chunks), len(text.text)
    stream.save(update_fields=["next_index", "length"])


def chunks_of(text: Text) -> list[Chunk]:
    """A text as chunks from index 0 on: its thoughts, and its text with its seams."""
    chunks = [c for c in cut(Kind.REASONING, text.reasoning, 0, 0) if c.delta]
    start = 0
    for seam in (*text.seams, None):
        if part := text.text[start:seam]:
            chunks += cut(Kind.TEXT, part, len(chunks), start)
        if seam is not None:
            chunks += cut(Kind.SEAM, "", len(chunks), seam)
            start = seam
    return chunks


def delete(stream_ids: Iterable[int]) -> None:
    """Remove streams with their chunks. Whoever asks has stopped them before."""
    Stream.objects.filter(id__in=list(stream_ids)).delete()


def fold(stream_id: int) -> None:
    """Drop the chunks of a stream whose text the application holds. A cursor into it gets a
    snapshot from then on."""
    with transaction.atomic():
        Stream.objects.filter(id=stream_id).update(folded_at=Now())
        StreamChunk.objects.filter(stream_id=stream_id).delete()


# Reading


def heads(stream_ids: Iterable[int]) -> dict[int, Head]:
    """Where these streams stand now; one that does not exist is left out."""
    rows = Stream.objects.filter(id__in=list(stream_ids)).values_list(*HEAD)
    return {row[0]: _head(*row) for row in rows}


def head_of(stream: Stream) -> Head:
    """Where a stream stood when its row was read."""
    return _head(*(getattr(stream, name) for name in HEAD))


HEAD = (
    *("id", "epoch", "state", "note", "next_index"),
    *("finish_reason", "error_class", "error", "folded_at"),
)


def _head(
    stream_id: int,
    epoch: int,
    state: str,
    note: str,
    next_index: int,
    finish_reason: str,
    error_class: str,
    error: str,
    folded_at: datetime | None,
) -> Head:
    folded = folded_at is not None
    return Head(
        stream_id, epoch, State(state), note, next_index, finish_reason, error_class, error, folded
    )


Place = tuple[int, int]
"""A stream's id, and an index in it."""
Reading = tuple[Head, list[Chunk]]


def read(places: Collection[Place]) -> dict[Place, Reading]:
    """For each place the head of its stream, and the chunks behind it, coalesced; a bounded number
    of them. A stream that does not exist is left out.

    The head is read first, or at once, so that the chunks are never behind what it says: a reader
    that has all chunks before an ended head's `next_index` has the whole stream.
    """
    postgresql = connection.vendor == "postgresql"
    found = _read_at_once(places) if postgresql else _read_one_by_one(places)
    return {place: (head, list(_bounded(coalesce(chunks)))) for place, head, chunks in found}


def _bounded(chunks: Iterable[Chunk]) -> Iterator[Chunk]:
    size = 0
    for chunk in chunks:
        yield chunk
        size += len(chunk.delta)
        if size >= CHARACTERS_PER_READ:
            return


def _rows(stream_id: int, after: int, limit: int) -> list[Chunk]:
    rows = (
        StreamChunk.objects.filter(stream_id=stream_id, index__gt=after)
        .order_by("index")
        .values_list("index", "kind", "delta", "offset")[:limit]
    )
    return [Chunk(index, index, Kind(kind), delta, offset) for index, kind, delta, offset in rows]


def _read_one_by_one(places: Collection[Place]) -> Iterator[tuple[Place, Head, Iterable[Chunk]]]:
    found = heads(stream_id for stream_id, _ in places)
    for stream_id, after in places:
        if head := found.get(stream_id):
            yield (stream_id, after), head, _rows(stream_id, after, ROWS_PER_READ)


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


def _read_at_once(places: Collection[Place]) -> Iterator[tuple[Place, Head, Iterable[Chunk]]]:
    """The heads and the chunks from one statement, neighbours joined by the database, which costs a
    seventh of reading rows."""
    ids, indexes = zip(*places, strict=True)
    with connection.cursor() as cursor:
        cursor.execute(
            _READ,
            [_numbers(ids), _numbers(indexes), RUNS_PER_READ * RUN, RUN, PIECE + 1, RUN],
        )
        rows = cursor.fetchall()
    columns = 1 + len(HEAD)
    for (after, *head), runs in groupby(rows, lambda row: row[:columns]):
        yield (head[0], after), _head(*head), _unjoined(head[0], [row[columns:] for row in runs])


def _unjoined(stream_id: int, runs: Iterable[tuple[Any, ...]]) -> Iterator[Chunk]:
    """Runs as chunks. Those of several kinds, and those of rows so large that joined they would be
    no piece, are read row by row."""
    for first, index, kind, other, delta, offset, count in runs:
        if first is None:
            return  # there is no more; or it was deleted or folded just now
        if kind == other and len(delta) <= PIECE and (kind != Kind.SEAM or count == 1):
            yield Chunk(first, index, Kind(kind), delta, offset)
        else:
            yield from _rows(stream_id, first - 1, count)


def text(stream_id: int) -> Text:
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
    return Text(so_far, thoughts, tuple(seams), next_index, ends_in_seam=kind == Kind.SEAM)


def thinking(stream_id: int) -> timedelta | None:
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
        fits = run and run[0].kind == chunk.kind != Kind.SEAM and size + len(chunk.delta) <= PIECE
        if run and not fits:
            yield _merged(run)
            run, size = [], 0
        run.append(chunk)
        size += len(chunk.delta)
    if run:
        yield _merged(run)


def _merged(run: Sequence[Chunk]) -> Chunk:
    if len(run) == 1:
        return run[0]
    delta = "".join(chunk.delta for chunk in run)
    return Chunk(run[0].first, run[-1].index, run[0].kind, delta, run[0].offset)


def cut(kind: Kind, delta: str, index: int, offset: int) -> list[Chunk]:
    """New chunks for a piece of text, none larger than PIECE; a seam is one without text."""
    if len(delta) <= PIECE:  # nearly always
        return [Chunk(index, index, kind, delta, offset)]
    pieces = [delta[at : at + PIECE] for at in range(0, len(delta), PIECE)]
    return [
        Chunk(index + n, index + n, kind, piece, offset + n * PIECE)
        for n, piece in enumerate(pieces)
    ]

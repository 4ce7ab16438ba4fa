"""The values of the journal, and the arithmetic of chunks. Nothing here queries the database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from typing import Any
from uuid import UUID

from streaming.events import StreamText
from streaming.models import Kind, State, Stream, split_checkpoint

CHARS_PER_READ = 32_768
"""About how much text one read returns: a follower that waits for its client holds all of it."""
MAX_CHUNK_CHARS = 16_384
"""The most characters that one chunk holds, so that every frame and row is bounded."""

MERGEABLE_KINDS = frozenset({Kind.TEXT, Kind.REASONING})
"""Neighbouring chunks of these kinds may be joined. A seam stands alone, and so does a tool call,
and a chunk of a kind that a newer version writes: only that version knows what joining would
mean."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """The chunks `first` to `index` of one kind: a single one, or joined neighbours.

    `offset` counts the code points of this kind before it; of a seam, those of the text. `kind` is
    a `Kind`, or the name of one that this version does not know.
    """

    first: int
    index: int
    kind: str
    delta: str
    offset: int


@dataclass(frozen=True, slots=True)
class Append:
    """An addition of one stream to the journal: single chunks with consecutive indexes.

    `checkpoint` is committed in the same statement, so that it always belongs to the last chunk.
    None leaves the stored one.
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
    def checkpoint_columns(self) -> tuple[str | None, str | None]:
        return (None, None) if self.checkpoint is None else split_checkpoint(self.checkpoint)

    @property
    def text_length(self) -> int:
        """In code points."""
        return sum(len(c.delta) for c in self.chunks if c.kind == Kind.TEXT)


@dataclass(frozen=True, slots=True)
class StreamHead:
    """The row of a stream without its text. Only this class lists these columns. A new column is a
    new field here, with a default for heads of older processes."""

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

    @classmethod
    @cache  # a head is read for every follower that joins
    def columns(cls) -> tuple[str, ...]:
        """The columns of a stream's row that make a head, in the order of `from_row`."""
        return tuple("folded_at" if f.name == "is_folded" else f.name for f in fields(cls))

    @classmethod
    def from_row(cls, row: Sequence[Any]) -> StreamHead:
        values = dict(zip(cls.columns(), row, strict=True))
        values["is_folded"] = values.pop("folded_at") is not None
        values["state"] = State(values["state"])
        return cls(**values)

    @classmethod
    def of(cls, stream: Stream) -> StreamHead:
        return cls.from_row([getattr(stream, name) for name in cls.columns()])

    def to_wire(self) -> dict[str, Any]:
        """The head for another process, which may be of another version."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @classmethod
    def from_wire(cls, values: Mapping[str, Any]) -> StreamHead:
        """Ignores fields of a newer version. Raises TypeError or KeyError if a field without a
        default is missing, and ValueError for an unknown state."""
        known = {f.name: values[f.name] for f in fields(cls) if f.name in values}
        known["state"] = State(known["state"])
        return cls(**known)


Cursor = tuple[int, int]
"""A stream's id, and the index of the last chunk that a reader has."""


ReadResult = tuple[StreamHead, list[Chunk]]


def split_delta(kind: str, delta: str, index: int, offset: int) -> list[Chunk]:
    """No chunk is larger than MAX_CHUNK_CHARS; a seam has no text."""
    if len(delta) <= MAX_CHUNK_CHARS:  # nearly always
        return [Chunk(index, index, kind, delta, offset)]
    pieces = [delta[at : at + MAX_CHUNK_CHARS] for at in range(0, len(delta), MAX_CHUNK_CHARS)]
    return [
        Chunk(index + n, index + n, kind, piece, offset + n * MAX_CHUNK_CHARS)
        for n, piece in enumerate(pieces)
    ]


def coalesce(chunks: Iterable[Chunk]) -> Iterator[Chunk]:
    """Join neighbours of one kind, up to MAX_CHUNK_CHARS characters."""
    run: list[Chunk] = []
    size = 0
    for chunk in chunks:
        fits = (
            run
            and run[0].kind == chunk.kind
            and chunk.kind in MERGEABLE_KINDS
            and size + len(chunk.delta) <= MAX_CHUNK_CHARS
        )
        if run and not fits:
            yield merge_chunks(run)
            run, size = [], 0
        run.append(chunk)
        size += len(chunk.delta)
    if run:
        yield merge_chunks(run)


def merge_chunks(run: Sequence[Chunk]) -> Chunk:
    if len(run) == 1:
        return run[0]
    delta = "".join(chunk.delta for chunk in run)
    return Chunk(run[0].first, run[-1].index, run[0].kind, delta, run[0].offset)


def build_chunks(text: StreamText) -> list[Chunk]:
    """Indexes start at 0: first the reasoning, then the text with the seams, then tool calls."""
    chunks = [c for c in split_delta(Kind.REASONING, text.reasoning, 0, 0) if c.delta]
    start = 0
    for seam in (*text.seams, None):
        if part := text.content[start:seam]:
            chunks += split_delta(Kind.TEXT, part, len(chunks), start)
        if seam is not None:
            chunks += split_delta(Kind.SEAM, "", len(chunks), seam)
            start = seam
    start = 0
    for line in text.calls.split("\n")[:-1]:
        chunks += split_delta(Kind.TOOL_CALL, f"{line}\n", len(chunks), start)
        start += len(line) + 1
    return chunks

"""Every way to read a journal has the very rows, from every cursor, while they are written, and
after they were folded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import aclosing
from itertools import pairwise
from random import Random
from typing import Any

import pytest

from accounts.models import User
from streaming import follow as follow_module
from streaming import journal
from streaming.database import run_in_db
from streaming.follow import Snapshot, StateChanged, follow_stream, read_page
from streaming.hub import recent as recent_module
from streaming.journal import Chunk, cuts, orm, postgresql
from streaming.journal import chunks as chunks_module
from streaming.models import Kind, Stream
from tests.factories import Piece
from tests.streaming.factories import append_chunks, end_stream, reload_stream, start_stream

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("fake_source")]

MAX_CHARS, CHARS_PER_READ = 16, 32
BOUNDS: list[tuple[Any, str, int]] = [
    (chunks_module, "MAX_CHUNK_CHARS", MAX_CHARS),
    (postgresql, "MAX_CHUNK_CHARS", MAX_CHARS),
    (journal, "CHARS_PER_READ", CHARS_PER_READ),
    (orm, "BYTES_PER_READ", 4 * (CHARS_PER_READ + 2 * MAX_CHARS)),
    (orm, "ROWS_PER_READ", 40),
    (postgresql, "ROWS_PER_GROUP", 10),
    (postgresql, "GROUPS_PER_READ", 4),
    (journal, "ROWS_PER_BUILD", 50),
    (cuts, "CHUNKS_PER_POINT", 8),
    (recent_module, "MAX_RECENT_CHARS", 48),
    (recent_module, "MERGE_THRESHOLD", 8),
    (follow_module, "MAX_SNAPSHOT_CHARS", 64),
]
"""The real ones, a thousandth of their size."""
SEEDS = range(3)
SIZES = ((1,), (1, 2, 3), (3, 4), (5, 6, 7), (5, 6, 7), (MAX_CHARS,), (1, 15, MAX_CHARS))
SIGNS = ("a", "é", "字", "\N{WATER WAVE}")


@pytest.fixture(autouse=True)
def small_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name, value in BOUNDS:
        monkeypatch.setattr(module, name, value)


def choose_pieces(random: Random, count: int) -> Iterator[Piece]:
    """Runs of small rows, of rows at the bound, and of each kind."""
    while count > 0:
        run = min(count, random.choice((1, 1, 2, 5, 9, 10, 11, 23)))
        count -= run
        kind = random.choice((*[Kind.TEXT] * 4, *[Kind.REASONING] * 2, Kind.SEAM, Kind.TOOL_CALL))
        sizes = random.choice(SIZES)
        for _ in range(run):
            size = 0 if kind == Kind.SEAM else random.choice(sizes)
            delta = random.choice(SIGNS) * size
            yield kind, f"{delta[1:]}\n" if kind == Kind.TOOL_CALL else delta


def split(chunks: Iterable[Chunk], rows: Sequence[Chunk], after: int) -> int:
    """Check that these chunks are the rows after an index; return the last index."""
    for chunk in chunks:
        assert chunk.first == after + 1
        own = rows[chunk.first : chunk.index + 1]
        assert {row.kind for row in own} == {chunk.kind}
        assert (chunk.delta, chunk.offset) == ("".join(r.delta for r in own), own[0].offset)
        assert len(own) == 1 or (chunk.kind in journal.MERGEABLE_KINDS)
        assert len(chunk.delta) <= MAX_CHARS
        after = chunk.index
    return after


def check_read(chunks: Sequence[Chunk], rows: Sequence[Chunk], after: int, bound: int) -> int:
    """A read has something unless nothing is left, and not more than its bound."""
    assert chunks or after + 1 >= len(rows)
    assert sum(len(chunk.delta) for chunk in chunks[:-1]) < bound
    return split(chunks, rows, after)


def read(stream: Stream, after: int, *, joined: bool = True) -> list[Chunk]:
    cursor = (stream.pk, after)
    return journal.read_chunks([cursor], joined=joined)[cursor][1]


def write_reply(owner: User, random: Random, count: int = 90) -> tuple[Stream, list[Chunk]]:
    stream = start_stream(owner)
    append_chunks(stream, *choose_pieces(random, count))
    return stream, journal.read_text_and_rows(stream.pk)[1]


@pytest.mark.parametrize("seed", SEEDS)
def test_each_read_from_each_cursor_has_the_rows_before_and_after_folding(
    owner: User, seed: int
) -> None:
    stream, rows = write_reply(owner, Random(seed))
    cursors = range(-1, len(rows))
    assert [row.index for row in rows] == [*cursors][1:]
    ways: list[Callable[[int], list[Chunk]]] = [
        lambda after: read(stream, after),
        lambda after: read(stream, after, joined=False),
        lambda after: read_page(stream, after)[0] if after + 1 < len(rows) else [],
    ]
    before = [[way(after) for after in cursors] for way in ways]
    for answers in before:
        for after, chunks in zip(cursors, answers, strict=True):
            check_read(chunks, rows, after, CHARS_PER_READ)
    many = journal.read_chunks([(stream.pk, after) for after in cursors])
    assert [many[stream.pk, after][1] for after in cursors] == before[0]
    end_stream(stream)
    text = journal.read_text(stream.pk)
    journal.fold_chunks(stream.pk, journal.pack_chunks(rows))
    for after, joined, single, page in zip(cursors, *before, strict=True):
        assert journal.read_folded_chunks((stream.pk, after), text) == joined
        built = journal.read_folded_chunks((stream.pk, after), text, joined=False)
        assert built is not None
        assert single == built[: len(single)] if single else built == []
        check_read(built, rows, after, CHARS_PER_READ)
        assert after + 1 == len(rows) or read_page(stream, after) == (page, False)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_replay_loads_each_row_a_few_times_at_most(
    owner: User, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream, rows = write_reply(owner, Random(seed), 400)
    loaded = 0
    real = orm._to_chunks

    def count(values: Iterable[Any]) -> list[Chunk]:
        nonlocal loaded
        chunks = real(values)
        loaded += sum(max(len(chunk.delta), 1) for chunk in chunks)
        return chunks

    monkeypatch.setattr(orm, "_to_chunks", count)
    size = sum(max(len(row.delta), 1) for row in rows)
    for joined in (True, False):
        after, loaded = -1, 0
        while after + 1 < len(rows):
            after = check_read(read(stream, after, joined=joined), rows, after, CHARS_PER_READ)
        assert loaded <= 12 * size


@pytest.mark.parametrize("joined", [True, False])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_replay_of_a_folded_stream_builds_each_row_a_few_times_at_most(
    owner: User, seed: int, joined: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each read built all rows from the first one on."""
    stream, rows = write_reply(owner, Random(seed), 400)
    end_stream(stream)
    text = journal.read_text(stream.pk)
    journal.fold_chunks(stream.pk, journal.pack_chunks(rows))
    built, real = 0, cuts._find_end

    def count(*arguments: Any) -> int:
        nonlocal built
        built += 1
        return real(*arguments)

    monkeypatch.setattr(cuts, "_find_end", count)
    after = -1
    while after + 1 < len(rows):
        chunks = journal.read_folded_chunks((stream.pk, after), text, joined=joined)
        assert chunks is not None
        after = check_read(chunks, rows, after, CHARS_PER_READ)
    assert built <= 5 * len(rows)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_reader_gets_the_rows_while_they_are_written_and_folded(owner: User, seed: int) -> None:
    """Something is written before each query of a read, and in the end all of it is folded."""
    random = Random(seed)
    stream, _ = write_reply(owner, random, 30)
    after = {True: -1, False: -1}
    read_so_far: dict[bool, list[Chunk]] = {True: [], False: []}
    for _ in range(30):
        append_chunks(stream, *choose_pieces(random, random.choice((1, 3, 7))))
        for joined in after:
            chunks = read(stream, after[joined], joined=joined)
            read_so_far[joined] += chunks
            after[joined] = chunks[-1].index if chunks else after[joined]
    rows = journal.read_text_and_rows(stream.pk)[1]
    for joined in after:
        assert split(read_so_far[joined], rows, -1) == after[joined]


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("seed", SEEDS)
async def test_followers_get_the_rows_while_they_are_written_and_folded(
    owner: User, seed: int, exact: bool
) -> None:
    random = Random(seed)
    stream, _ = await run_in_db(write_reply, owner, random, 30)

    async def write() -> None:
        for _ in range(20):
            await run_in_db(append_chunks, stream, *choose_pieces(random, random.choice((1, 5, 9))))
            await asyncio.sleep(0)
        _, rows = await run_in_db(journal.read_text_and_rows, stream.pk)
        await run_in_db(end_stream, stream)
        await run_in_db(journal.fold_chunks, stream.pk, journal.pack_chunks(rows))

    async def follow(after: int) -> list[Any]:
        async with asyncio.timeout(60), aclosing(follow_stream(stream, after, exact=exact)) as seen:
            return [event async for event in seen if not isinstance(event, StateChanged)]

    readers = {after: asyncio.create_task(follow(after)) for after in (-1, 3, 14, 27)}
    await write()
    rows = await run_in_db(build_rows, stream)
    for after, reader in readers.items():
        check_followed(await reader, rows, after, exact=exact)


def check_followed(
    events: Sequence[Any], rows: Sequence[Chunk], after: int, *, exact: bool
) -> None:
    """The chunks after a snapshot of a folded stream are those of the application's text."""
    *parts, end = events
    assert end.next_index == len(rows)
    texts = {Kind.TEXT: "", Kind.REASONING: "", Kind.TOOL_CALL: "", Kind.SEAM: ""}
    has_snapshot = False
    for part in parts:
        if isinstance(part, Snapshot):
            assert not exact
            has_snapshot = True
            texts |= {Kind.TEXT: part.text, Kind.REASONING: part.reasoning, Kind.TOOL_CALL: ""}
            after = part.index
        else:
            texts[Kind(part.kind)] += part.delta
            after = part.index if has_snapshot else split([part], rows, after)
    assert after + 1 == len(rows)
    for kind, text in texts.items():
        whole = "".join(row.delta for row in rows if row.kind == kind)
        assert text == whole if has_snapshot else whole.endswith(text)


def build_rows(stream: Stream) -> list[Chunk]:
    after, rows = -1, []
    head = journal.read_heads([stream.pk])[stream.pk]
    while after + 1 < head.next_index:
        chunks = follow_module._build_rows(reload_stream(stream), after)
        assert chunks
        rows += chunks
        after = chunks[-1].index
    assert all(right.index == left.index + 1 for left, right in pairwise(rows))
    return rows

"""The journal: outdated writers are refused, indexes have no hole, and appends are atomic."""

from __future__ import annotations

import threading
from dataclasses import replace
from uuid import uuid4

import pytest
from django.db import connection, connections, transaction
from django.db.models.functions import Now
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import User
from streaming import journal, lifecycle
from streaming.events import StreamText
from streaming.journal import MAX_CHUNK_CHARS, Append, Chunk, orm, postgresql
from streaming.journal import chunks as chunks_module
from streaming.models import Kind, State, Stream, StreamChunk
from tests.factories import Piece, build_chunks
from tests.streaming.conftest import on_postgresql
from tests.streaming.factories import (
    SOURCE,
    append_chunks,
    build_append,
    claim_stream,
    end_stream,
    join_deltas,
    queue_stream,
    read_rows,
    register_worker,
    reload_stream,
    start_stream,
    without_seam_text,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("fake_source")]

WAVE = "\N{WATER WAVE}"


def read_position(stream: Stream) -> tuple[int, int]:
    row = reload_stream(stream)
    return row.next_index, row.length


def test_an_append_moves_its_stream_and_stores_its_chunks(owner: User) -> None:
    stream = start_stream(owner)
    append_chunks(stream, "the tide ", (Kind.REASONING, "hm"), (Kind.SEAM, ""), "comes")
    assert read_rows(stream) == [
        (0, Kind.TEXT, "the tide ", 0),
        (1, Kind.REASONING, "hm", 0),
        (2, Kind.SEAM, "", 9),
        (3, Kind.TEXT, "comes", 9),
    ]
    assert read_position(stream) == (4, 14)


def test_text_that_looks_like_syntax_is_stored_unchanged(owner: User) -> None:
    nasty = [
        "{a,b}",
        "NULL",
        '"',
        "\\",
        '\\"',
        "%s %(x)s %%",
        "'",
        "$1",
        "",
        "\r\n\t",
        "E'\\x41'",
        WAVE,
    ]
    stream = start_stream(owner)
    append_chunks(stream, *nasty, (Kind.REASONING, ",{}"))
    assert [row[2] for row in read_rows(stream)] == [*nasty, ",{}"]


def test_the_time_of_the_first_chunk_stays_and_that_of_the_last_one_moves(owner: User) -> None:
    stream = start_stream(owner)
    assert reload_stream(stream).first_chunk_at is None
    append_chunks(stream, "one")
    before = reload_stream(stream)
    assert before.first_chunk_at is not None
    append_chunks(stream, "two")
    after = reload_stream(stream)
    assert after.first_chunk_at == before.first_chunk_at
    assert after.last_chunk_at is not None
    assert before.last_chunk_at is not None
    assert after.last_chunk_at > before.last_chunk_at


@pytest.mark.parametrize("first", [0, 1, 3, 4])
def test_an_append_that_is_not_the_next_one_is_refused_and_writes_nothing(
    owner: User, first: int
) -> None:
    stream = start_stream(owner)
    append_chunks(stream, "a", "b")
    before = read_rows(stream), read_position(stream)
    assert journal.append([build_append(stream, "again?", first=first)]) == set()
    assert (read_rows(stream), read_position(stream)) == before


@pytest.mark.parametrize("epoch", [0, 2])
def test_another_epoch_is_refused_and_writes_nothing(owner: User, epoch: int) -> None:
    stream = start_stream(owner)
    assert stream.epoch == 1
    assert journal.append([replace(build_append(stream, "late"), epoch=epoch)]) == set()
    assert (read_rows(stream), read_position(stream)) == ([], (0, 0))


@pytest.mark.parametrize("state", [s for s in State if s != State.RUNNING])
def test_only_a_running_stream_can_be_written(owner: User, state: State) -> None:
    stream = start_stream(owner)
    ended = Now() if state.has_ended else None
    Stream.objects.filter(pk=stream.pk).update(state=state, ended_at=ended)
    assert journal.append([build_append(stream, "late")]) == set()
    assert (read_rows(stream), read_position(stream)) == ([], (0, 0))


def test_a_stream_that_does_not_exist_is_refused(owner: User) -> None:
    stream = start_stream(owner)
    entry = build_append(stream, "gone")
    journal.delete_streams([stream.pk])
    assert journal.append([entry]) == set()
    assert not StreamChunk.objects.exists()


def test_a_refused_stream_does_not_affect_the_others_of_its_commit(owner: User) -> None:
    worker = register_worker()
    first, stopped, last = (start_stream(owner, worker) for _ in range(3))
    entries = [build_append(stream, f"of {stream.pk}") for stream in (last, stopped, first)]
    lifecycle.stop(stopped.pk)
    assert journal.append(entries) == {first.pk, last.pk}
    assert [join_deltas(read_rows(s)) for s in (first, last)] == [
        f"of {first.pk}",
        f"of {last.pk}",
    ]
    assert read_rows(stopped) == []


def test_the_same_batch_after_a_lost_answer_doubles_nothing(owner: User) -> None:
    worker = register_worker()
    written, unwritten = start_stream(owner, worker), start_stream(owner, worker)
    lost = [build_append(written, "a", "b"), build_append(unwritten, "c")]
    assert journal.append(lost[:1]) == {written.pk}
    assert journal.append(lost, is_retry=True) == {written.pk, unwritten.pk}
    assert join_deltas(read_rows(written)) == "ab"
    assert read_position(written) == (2, 2)
    assert join_deltas(read_rows(unwritten)) == "c"


def test_progress_of_another_writer_does_not_count_as_our_batch(owner: User) -> None:
    """The worker that replaced this writer has reached the same index with other text."""
    stream = start_stream(owner)
    mine = build_append(stream, "mine")
    theirs = claim_stream(stream, register_worker())
    append_chunks(theirs, "theirs")
    assert journal.append([mine], is_retry=True) == set()
    assert join_deltas(read_rows(stream)) == "theirs"


def test_a_batch_written_before_a_stop_counts_as_written(owner: User) -> None:
    worker = register_worker()
    written, unwritten = start_stream(owner, worker), start_stream(owner, worker)
    lost = [build_append(written, "in time"), build_append(unwritten, "too late")]
    journal.append(lost[:1])
    lifecycle.stop(written.pk)
    lifecycle.stop(unwritten.pk)
    assert journal.append(lost, is_retry=True) == {written.pk}
    assert read_rows(unwritten) == []


def test_a_writer_that_waits_for_the_row_while_its_stream_is_claimed_is_refused(
    owner: User,
) -> None:
    """The epoch is compared when the row is locked, not when the statement begins."""
    stream = start_stream(owner)
    late = build_append(stream, "late")
    other = register_worker()
    results: list[set[int]] = []

    def append() -> None:
        try:
            results.append(journal.append([late]))
        finally:
            connections.close_all()

    writer = threading.Thread(target=append)
    with transaction.atomic():
        claim_stream(stream, other)
        writer.start()
        writer.join(0.3)  # usually it waits for the lock by now; if not, it is refused as well
        assert not results
    writer.join(30)
    assert results == [set()]
    assert read_rows(stream) == []


@on_postgresql
def test_updates_of_a_stream_stay_in_its_page_of_the_table(owner: User) -> None:
    """Otherwise every commit would add an entry to each index of the table."""
    streams = [start_stream(owner) for _ in range(60)]
    before = read_pages(streams)
    for _ in range(6):
        journal.append([build_append(stream, "and on") for stream in streams])
    moved = sum(before[pk] != page for pk, page in read_pages(streams).items())
    assert moved < 0.1 * len(streams)


@on_postgresql
def test_an_append_uses_an_index_when_few_streams_run(
    owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the cost of a commit would grow with the square of its number of streams."""
    Stream.objects.bulk_create(
        Stream(owner=owner, request_id=uuid4(), source=SOURCE, state=State.STOPPED, ended_at=Now())
        for _ in range(2_000)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE streaming_stream")
    entries = [build_append(start_stream(owner), "a") for _ in range(40)]
    statement = f"EXPLAIN ANALYZE {postgresql.APPEND_STATEMENT}"
    monkeypatch.setattr(postgresql, "APPEND_STATEMENT", statement)
    plan = "\n".join(map(str, postgresql.append(entries)))
    assert "Update on streaming_stream" in plan
    assert "Rows Removed by Join Filter" not in plan


def read_pages(streams: list[Stream]) -> dict[int, int]:
    with connection.cursor() as cursor:
        query = "SELECT id, (ctid::text::point)[0]::int FROM streaming_stream WHERE id = ANY(%s)"
        cursor.execute(query, [[stream.pk for stream in streams]])
        return dict(cursor.fetchall())


def test_text_and_its_seams_are_read_back_as_written(owner: User) -> None:
    stream = start_stream(owner)
    reasons = (Kind.REASONING, "because ")
    append_chunks(stream, reasons, f"a{WAVE}", (Kind.SEAM, ""), f"{WAVE}e\u0301\r\n", reasons, "z")
    text = journal.read_text(stream.pk)
    assert text == StreamText(f"a{WAVE}{WAVE}e\u0301\r\nz", "because because ", (2,), 6)


def test_the_text_of_a_stream_without_chunks_is_empty(owner: User) -> None:
    assert journal.read_text(queue_stream(owner).pk) == StreamText()


def test_chunks_of_a_kind_that_this_version_does_not_know_are_read_and_joined_with_none(
    owner: User,
) -> None:
    stream = start_stream(owner)
    unknown = [Chunk(n, n, "7", '{"url": 1}', 0) for n in (1, 2)]
    chunks = [Chunk(0, 0, Kind.TEXT, "a", 0), *unknown, Chunk(3, 3, Kind.TEXT, "b", 1)]
    assert journal.append([Append(stream.pk, stream.uuid, stream.epoch, tuple(chunks))])
    for after in range(-1, 4):
        assert read_after(stream, after)[1] == chunks[after + 1 :]
    assert journal.read_text(stream.pk) == StreamText("ab", "", (), 4)


def read_after(stream: Stream, after: int) -> journal.ReadResult:
    position = (stream.pk, after)
    return journal.read_chunks([position])[position]


def test_reading_is_bounded_and_continues_where_it_stopped(
    owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orm, "ROWS_PER_READ", 10)
    monkeypatch.setattr(postgresql, "ROWS_PER_GROUP", 5)
    monkeypatch.setattr(postgresql, "GROUPS_PER_READ", 2)
    stream = start_stream(owner)
    append_chunks(stream, *(f"{n} " for n in range(25)))
    last, reads = -1, []
    while True:
        _, chunks = read_after(stream, last)
        if not chunks:
            break
        assert [chunk.first for chunk in chunks] == [last + 1]
        last = chunks[-1].index
        reads.append(last)
    assert reads == [9, 19, 24]


def test_reading_large_rows_is_bounded_by_the_size_of_their_text(owner: User) -> None:
    stream = start_stream(owner)
    append_chunks(stream, *("x" * MAX_CHUNK_CHARS for _ in range(30)))
    last, sizes = -1, []
    while last < 29:
        _, chunks = read_after(stream, last)
        assert chunks[0].first == last + 1
        last = chunks[-1].index
        sizes.append(sum(len(chunk.delta) for chunk in chunks))
    assert sizes == [2 * MAX_CHUNK_CHARS] * 15


def test_rows_beyond_one_read_are_not_loaded(owner: User) -> None:
    """A reader of rows would otherwise load all the rest of a long stream with each read."""
    stream = start_stream(owner)
    append_chunks(stream, "a", *([WAVE * MAX_CHUNK_CHARS] * 9))
    assert [row.index for row in orm.read_rows(stream.pk, -1, 10)] == [0, 1, 2, 3, 4]
    assert [row.index for row in orm.read_rows(stream.pk, 4, 10)] == [5, 6, 7, 8]
    assert [row.index for row in orm.read_rows(stream.pk, -1, 2)] == [0, 1]


def test_no_read_skips_the_rest_of_a_group_of_large_rows(owner: User) -> None:
    """A group of rows that can't be joined is read row by row, and not always as a whole. Each read
    has the very chunks that are built of a folded stream."""
    pieces: list[Piece] = [(Kind.REASONING, "hm"), *[WAVE * 1_900] * 99, *"b" * 150]
    stream = start_stream(owner)
    append_chunks(stream, *pieces)
    _, rows = journal.read_text_and_rows(stream.pk)
    last = -1
    while last + 1 < len(pieces):
        _, chunks = read_after(stream, last)
        rest = journal._join_rows(iter(rows[last + 1 :]), last)
        assert chunks == list(journal._limit_chars(rest))
        last = chunks[-1].index


HM = (Kind.REASONING, "hm")
SEAM = (Kind.SEAM, "")


@on_postgresql
@pytest.mark.parametrize(
    ("pieces", "reads"),
    [
        (["a", "b", "c", "d", "e", "f", "g"], 2),
        ([HM, HM, "a", "b", SEAM, "c", "d"], 4 + 3),
        ([HM, HM, HM, HM, "a", "b"], 2),
        (["a", "b", SEAM, SEAM, "c"], 4 + 1),
        (["a", "x" * (MAX_CHUNK_CHARS - 1), "b", "c"], 4),
        ([WAVE * MAX_CHUNK_CHARS, "b", WAVE], 3),
    ],
)
def test_rows_joined_by_the_database_equal_rows_read_one_by_one(
    owner: User, monkeypatch: pytest.MonkeyPatch, pieces: list[Piece], reads: int
) -> None:
    monkeypatch.setattr(postgresql, "ROWS_PER_GROUP", 4)
    stream = start_stream(owner)
    append_chunks(stream, *pieces)
    [(position, head, runs)] = postgresql.read([(stream.pk, -1)])
    assert (position, head) == ((stream.pk, -1), journal.read_heads([stream.pk])[stream.pk])
    assert len(list(runs)) == reads
    for after in range(-1, len(pieces) + 1):
        _, chunks = read_after(stream, after)
        assert chunks == list(journal.coalesce(orm.read_rows(stream.pk, after, 100)))


@pytest.mark.parametrize("after", [-1, 0, 2, 3, 4, 2**31, 2**53 - 1])
def test_reading_gives_everything_after_a_cursor_and_nothing_else(owner: User, after: int) -> None:
    stream = start_stream(owner)
    append_chunks(stream, "a", "b", (Kind.SEAM, ""), "c", "d")
    head, chunks = read_after(stream, after)
    assert head.next_index == 5
    expected = list(range(after + 1, 5))
    assert [n for chunk in chunks for n in range(chunk.first, chunk.index + 1)] == expected
    assert "".join(c.delta for c in chunks) == "".join("ab|cd"[n] for n in expected).replace(
        "|", ""
    )


def test_reading_many_cursors_equals_reading_each_alone(owner: User) -> None:
    first, second, third = start_stream(owner), start_stream(owner), start_stream(owner)
    append_chunks(first, "a", (Kind.REASONING, "b"), "c")
    append_chunks(second, *("x" * 1_000 for _ in range(250)))
    positions = [(s.pk, after) for s in (second, first, third) for after in (1, -1, 120, 2**53 - 1)]
    assert journal.read_chunks([*positions, (4711, -1)]) == {
        (pk, after): read_after(Stream.objects.get(pk=pk), after) for pk, after in positions
    }


def test_a_stream_that_does_not_exist_has_no_head(owner: User) -> None:
    assert journal.read_chunks([(4711, -1)]) == {}
    assert journal.read_heads([4711]) == {}


def test_a_folded_stream_keeps_its_row_and_loses_its_chunks(owner: User) -> None:
    folded, remaining = start_stream(owner), start_stream(owner)
    append_chunks(folded, "one", "two")
    append_chunks(remaining, "kept")
    end_stream(folded)
    journal.fold_chunks(folded.pk)
    assert (read_rows(folded), join_deltas(read_rows(remaining))) == ([], "kept")
    head = journal.read_heads([folded.pk])[folded.pk]
    assert (head.is_folded, head.next_index) == (True, 2)


def test_deleting_removes_the_chunks_of_those_streams_alone(owner: User) -> None:
    gone, remaining = start_stream(owner), start_stream(owner)
    append_chunks(gone, "gone")
    append_chunks(remaining, "kept")
    journal.delete_streams([gone.pk])
    assert not Stream.objects.filter(pk=gone.pk).exists()
    assert list(StreamChunk.objects.values_list("delta", flat=True)) == ["kept"]


def test_a_deleted_person_leaves_no_chunks(owner: User) -> None:
    append_chunks(start_stream(owner), "private")
    owner.delete()
    assert not StreamChunk.objects.exists()


@pytest.mark.parametrize(
    "text",
    [
        StreamText("all of it"),
        StreamText("one, two", "reasons", (5,)),
        StreamText("a" * (MAX_CHUNK_CHARS + 1), "b" * (2 * MAX_CHUNK_CHARS), (1, MAX_CHUNK_CHARS)),
        StreamText("carried on at its end", "", (21,)),
        StreamText("", "only reasons", ()),
    ],
)
def test_a_copied_prefix_holds_the_earlier_text_and_a_seam_at_its_end(
    owner: User, text: StreamText
) -> None:
    stream = queue_stream(owner)
    journal.copy_prefix(stream, text)
    held = journal.read_text(stream.pk)
    assert (held.content, held.reasoning) == (text.content, text.reasoning)
    assert held.seams == tuple(sorted({*text.seams, len(text.content)}))
    assert held.ends_in_seam
    assert read_position(stream) == (held.next_index, len(text.content))
    assert [row[0] for row in read_rows(stream)] == list(range(held.next_index))


# Pure: cutting and coalescing

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
RUNS = st.lists(st.tuples(st.sampled_from(list(Kind)), TEXTS), max_size=30)


@given(RUNS, st.integers(1, 80))
def test_coalescing_loses_nothing_and_stays_bounded(
    runs: list[tuple[Kind, str]], piece: int
) -> None:
    chunks = build_chunks(without_seam_text(runs))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunks_module, "MAX_CHUNK_CHARS", piece)
        merged = list(journal.coalesce(chunks))
    assert [n for c in merged for n in range(c.first, c.index + 1)] == list(range(len(chunks)))
    for chunk in merged:
        parts = chunks[chunk.first : chunk.index + 1]
        assert chunk.delta == "".join(part.delta for part in parts)
        assert {part.kind for part in parts} == {chunk.kind}
        assert chunk.offset == parts[0].offset
        assert len(parts) == 1 or (chunk.kind != Kind.SEAM and len(chunk.delta) <= piece)


@given(TEXTS, st.integers(1, 20), st.integers(0, 1000), st.integers(0, 1000))
def test_a_text_is_split_without_loss(text: str, piece: int, index: int, offset: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunks_module, "MAX_CHUNK_CHARS", piece)
        chunks = journal.split_delta(Kind.TEXT, text, index, offset)
    assert "".join(chunk.delta for chunk in chunks) == text
    assert all(len(chunk.delta) <= piece for chunk in chunks)
    assert [chunk.index for chunk in chunks] == list(range(index, index + len(chunks)))
    for chunk in chunks:
        assert chunk.first == chunk.index
        assert text[chunk.offset - offset :].startswith(chunk.delta)

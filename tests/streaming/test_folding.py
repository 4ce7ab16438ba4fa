"""A folded stream is read as before, row by row, through every door that gives its rows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from django.db import connection
from django.db.models.functions import Now

from accounts.models import User
from streaming import journal, lifecycle
from streaming.database import run_in_db
from streaming.events import StreamText
from streaming.follow import (
    Ended,
    Snapshot,
    StateChanged,
    StreamEvent,
    follow_stream,
    read_page,
)
from streaming.hub import STREAMS_GROUP, build_stream_notification, notify
from streaming.hub import recent as recent_module
from streaming.journal import MAX_CHUNK_CHARS, Append, Chunk, orm, postgresql
from streaming.models import FoldedJournal, Kind, State, Stream
from tests.factories import build_chunks
from tests.streaming.conftest import on_postgresql
from tests.streaming.factories import end_stream, read_rows, start_stream
from tests.streaming.fake_source import FakeSource

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("fake_source", "hub"),
]

TIMEOUT_SECONDS = 10.0
WAVE = "\N{WATER WAVE}"
FAMILY = "\N{MAN}\N{ZERO WIDTH JOINER}\N{WOMAN}"
ACCENTED = "e\N{COMBINING ACUTE ACCENT}"
SEAM = (Kind.SEAM, "")

JOURNALS: dict[str, list[Chunk]] = {
    "empty": [],
    "text": build_chunks(["the ", "tide ", "turns"]),
    "all kinds": build_chunks(
        [(Kind.REASONING, "hm"), (Kind.REASONING, "…"), "one", SEAM, SEAM, " two", SEAM]
    ),
    "reasoning between text": build_chunks(
        ["a", "b", (Kind.REASONING, "c"), SEAM, "d", "e", (Kind.REASONING, "f")]
    ),
    "unicode": build_chunks([WAVE, *FAMILY, *ACCENTED, f"{WAVE}{ACCENTED}", "\ufeff", "\r\n"]),
    "newer kinds": [
        Chunk(0, 0, "text", "a", 0),
        Chunk(1, 1, "7", "[1]", 0),
        Chunk(2, 2, "7", "[2]", 0),
        Chunk(3, 3, "text", "b", 1),
        Chunk(4, 4, "8", WAVE, 5),
    ],
    "long": build_chunks(
        [*("x" * (n * 631 % 4_000) for n in range(60)), "y" * MAX_CHUNK_CHARS, SEAM, "z" * 300]
    ),
    "large groups of rows": build_chunks(f"{n:100}" for n in range(250)),
    "many rows": build_chunks(
        [
            *(f"{n} " for n in range(130)),
            (Kind.REASONING, "hm"),
            *(f"{n}{WAVE}" for n in range(130)),
        ]
    ),
}


def fold_at_once(settings: Any) -> None:
    settings.STREAMING_FOLD_AFTER_SECONDS = -1
    lifecycle.fold_ended_streams()


def create_stream(owner: User, chunks: Iterable[Chunk]) -> Stream:
    stream = start_stream(owner)
    chunks = tuple(chunks)
    if chunks:
        journal.append([Append(stream.pk, stream.uuid, stream.epoch, chunks)])
    return stream


def create_ended_stream(owner: User, chunks: Iterable[Chunk]) -> Stream:
    stream = create_stream(owner, chunks)
    end_stream(stream)
    stream.refresh_from_db()
    return stream


def read_pages(stream: Stream) -> list[tuple[list[Chunk], bool]]:
    """The answers to all cursors."""
    return [read_page(stream, after) for after in range(-1, stream.next_index + 2)]


async def read_events(stream: Stream, after: int, *, exact: bool = True) -> list[StreamEvent]:
    async with asyncio.timeout(TIMEOUT_SECONDS):
        return [event async for event in follow_stream(stream, after, exact=exact)]


async def read_all_events(stream: Stream) -> list[list[StreamEvent]]:
    """For all cursors, or for every ninth one of a long journal."""
    cursors = range(-1, stream.next_index + 2, 9 if stream.next_index > 100 else 1)
    return [await read_events(stream, after) for after in cursors]


@pytest.fixture(params=["real bounds", "small bounds"])
def bounds(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """How much one read returns."""
    if request.param == "small bounds":
        monkeypatch.setattr(orm, "ROWS_PER_READ", 3)
        monkeypatch.setattr(postgresql, "ROWS_PER_GROUP", 2)
        monkeypatch.setattr(postgresql, "GROUPS_PER_READ", 2)
        monkeypatch.setattr(journal, "ROWS_PER_BUILD", 3)


# The same before and after


@pytest.mark.usefixtures("bounds")
@pytest.mark.parametrize("name", JOURNALS)
def test_pages_of_a_folded_stream_are_those_from_before(
    owner: User, settings: Any, name: str
) -> None:
    stream = create_ended_stream(owner, JOURNALS[name])
    before = read_pages(stream)
    fold_at_once(settings)
    assert read_rows(stream) == []
    assert read_pages(stream) == before


@pytest.mark.usefixtures("bounds")
@pytest.mark.parametrize("name", JOURNALS)
async def test_an_exact_follower_of_a_folded_stream_gets_the_rows_from_before(
    owner: User, settings: Any, name: str
) -> None:
    chunks = JOURNALS[name]
    stream = await run_in_db(create_ended_stream, owner, chunks)
    before = await read_all_events(stream)
    assert before[0][:-1] == chunks, "one by one"
    await run_in_db(fold_at_once, settings)
    assert await run_in_db(read_rows, stream) == []
    assert await read_all_events(stream) == before


async def test_other_followers_of_a_folded_stream_get_a_snapshot(
    owner: User, settings: Any
) -> None:
    stream = await run_in_db(create_ended_stream, owner, JOURNALS["all kinds"])
    await run_in_db(fold_at_once, settings)
    snapshot = Snapshot(6, "one two", "hm…", (3, 7))
    for after in (-1, 3, 6, 99):
        first, end = await read_events(stream, after, exact=False)
        assert first == snapshot
        assert isinstance(end, Ended)


async def test_an_exact_follower_of_a_running_stream_gets_each_row(
    owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other follower's chunks, which the cache has joined, are of no use for it."""
    monkeypatch.setattr(recent_module, "MERGE_THRESHOLD", 4)
    stream = await run_in_db(create_stream, owner, JOURNALS["many rows"][:50])
    events = [follow_stream(stream, exact=exact) for exact in (False, True)]
    joined, rows = [[await anext(following)] for following in events]
    written = 50
    for size in (1, 1, 30, 1, 9):
        chunks = tuple(JOURNALS["many rows"][written : written + size])
        written += size
        entry = Append(stream.pk, stream.uuid, stream.epoch, chunks)
        await run_in_db(journal.append, [entry])
        head = (await run_in_db(journal.read_heads, [stream.pk]))[stream.pk]
        notify(STREAMS_GROUP, build_stream_notification([entry], head))
        for read, following in zip((joined, rows), events, strict=True):
            while not isinstance(read[-1], Chunk) or read[-1].index < written - 1:
                read.append(await asyncio.wait_for(anext(following), TIMEOUT_SECONDS))
    for following in events:
        await following.aclose()
    assert [event for event in rows if isinstance(event, Chunk)] == JOURNALS["many rows"][:written]
    assert len(joined) < len(rows)


# While it is folded


async def test_an_exact_reader_slower_than_folding_gets_the_rest_row_by_row(
    owner: User, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orm, "ROWS_PER_READ", 2)
    monkeypatch.setattr(recent_module, "MAX_RECENT_CHARS", 0)
    chunks = JOURNALS["all kinds"]
    stream = await run_in_db(create_stream, owner, chunks)
    events = follow_stream(stream, exact=True)
    read = [await asyncio.wait_for(anext(events), TIMEOUT_SECONDS)]
    await run_in_db(end_stream, stream)
    await run_in_db(fold_at_once, settings)
    async with asyncio.timeout(TIMEOUT_SECONDS):
        read += [event async for event in events if not isinstance(event, StateChanged)]
    assert read == [*chunks, Ended(State.COMPLETED, len(chunks), "stop", "", "")]


@pytest.mark.usefixtures("bounds")
@pytest.mark.parametrize("after", [-1, 0, 1, 3])
def test_pages_that_are_read_while_their_stream_is_folded_have_no_hole(
    owner: User, settings: Any, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    """The rows of a page are read after its head. PostgreSQL joins some of them in one statement,
    and reads those between them by further ones."""
    chunks = JOURNALS["reasoning between text"]
    stream = create_ended_stream(owner, chunks)
    read = orm.read_rows

    def fold_and_read(*arguments: int) -> list[Chunk]:
        fold_at_once(settings)
        return read(*arguments)

    for module in (orm, postgresql):
        monkeypatch.setattr(module, "read_rows", fold_and_read)
    last, text = after, ""
    while last + 1 < len(chunks):
        page, is_snapshot = read_page(stream, last)
        assert not is_snapshot
        for chunk in page:
            assert chunk.first == last + 1
            last, text = chunk.index, text + chunk.delta
    assert text == "".join(chunk.delta for chunk in chunks[after + 1 :])


def test_the_second_of_two_workers_that_fold_a_stream_changes_nothing(
    owner: User, settings: Any
) -> None:
    stream = create_ended_stream(owner, JOURNALS["text"])
    before = read_pages(stream)
    late = Stream.objects.filter(pk=stream.pk)
    fold_at_once(settings)
    folded_at = late.get().folded_at
    journal.fold_chunks(stream.pk, journal.pack_chunks([]))
    journal.fold_chunks(stream.pk)
    assert late.get().folded_at == folded_at
    assert read_pages(stream) == before


# Without usable cuts


def fold_as_older_version(stream: Stream, fake_source: FakeSource) -> None:
    Stream.objects.filter(pk=stream.pk).update(folded_at=Now())
    stream.chunks.all().delete()


def fold_and_change_text(stream: Stream, fake_source: FakeSource) -> None:
    fold_with_cuts(stream)
    fake_source.stored_texts[stream.pk] = StreamText("the tide TURNS")


def fold_and_delete_text(stream: Stream, fake_source: FakeSource) -> None:
    fold_with_cuts(stream)
    fake_source.stored_texts[stream.pk] = None


def fold_with_cuts(stream: Stream) -> None:
    journal.fold_chunks(stream.pk, journal.pack_chunks(JOURNALS["text"]))


@pytest.mark.parametrize(
    ("fold", "text"),
    [
        (fold_as_older_version, "the tide turns"),
        (fold_and_change_text, "the tide TURNS"),
        (fold_and_delete_text, ""),
    ],
)
async def test_a_stream_that_cannot_be_built_again_is_answered_by_its_text(
    owner: User, fake_source: FakeSource, fold: Callable[[Stream, FakeSource], None], text: str
) -> None:
    stream = await run_in_db(create_ended_stream, owner, JOURNALS["text"])
    await run_in_db(fold, stream, fake_source)
    ended = Ended(State.COMPLETED, 3, "stop", "", "")
    for after in (-1, 1, 2, 3):
        rest = [] if after == 2 else [Snapshot(2, text, "", ())]
        assert await read_events(stream, after) == [*rest, ended]
        chunks, is_snapshot = await run_in_db(read_page, stream, after)
        assert ("".join(chunk.delta for chunk in chunks), is_snapshot) == (text, True)


def test_a_stream_that_the_application_does_not_show_keeps_no_cuts(
    owner: User, settings: Any, fake_source: FakeSource
) -> None:
    stream = create_ended_stream(owner, JOURNALS["text"])
    fake_source.stored_texts[stream.pk] = None
    fold_at_once(settings)
    assert Stream.objects.get(pk=stream.pk).folded_at
    assert not FoldedJournal.objects.exists()


# Deletion


def test_cuts_are_deleted_with_their_stream(owner: User, settings: Any) -> None:
    streams = [create_ended_stream(owner, JOURNALS[name]) for name in ("text", "unicode", "long")]
    fold_at_once(settings)
    assert FoldedJournal.objects.count() == 3
    journal.delete_streams([streams[0].pk])
    assert FoldedJournal.objects.count() == 2
    while journal.delete_batch(Stream.objects.filter(owner=owner), 1):
        pass
    assert not FoldedJournal.objects.exists()


@on_postgresql
def test_an_older_version_deletes_the_cuts_with_a_stream(owner: User, settings: Any) -> None:
    stream = create_ended_stream(owner, JOURNALS["text"])
    fold_at_once(settings)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM streaming_stream WHERE id = %s", [stream.pk])
    assert not FoldedJournal.objects.exists()

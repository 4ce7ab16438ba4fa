"""Followers get every index after any cursor once and in order, and then the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection, Iterable, Iterator
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import User
from streaming import access, journal, lifecycle
from streaming import follow as follow_module
from streaming import hub as hubs
from streaming.access import StreamNotFound, find_stream
from streaming.database import run_in_db
from streaming.events import StreamText
from streaming.follow import (
    MAX_SNAPSHOT_CHARS,
    START_CURSOR,
    Ended,
    Snapshot,
    StateChanged,
    StreamEvent,
    follow_stream,
)
from streaming.hub import STREAMS_GROUP, Hub, build_stream_notification
from streaming.hub import hub as hub_module
from streaming.hub import recent as recent_module
from streaming.journal import MAX_CHUNK_CHARS, Append, Chunk, orm, postgresql
from streaming.lifecycle import Ending
from streaming.models import Kind, State, Stream
from tests.factories import Piece
from tests.streaming.factories import (
    COMPLETED,
    append_chunks,
    build_append,
    claim_stream,
    end_stream,
    expire_lease,
    queue_stream,
    register_worker,
    reload_stream,
    start_stream,
    wait_until,
    without_seam_text,
)
from tests.streaming.fake_source import FakeSource
from tests.streaming.faulty_layer import FaultyLayer, Message
from tools.waiting import until_async

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("fake_source", "hub"),
]

TIMEOUT_SECONDS = 10.0
ENDED = Ended(State.COMPLETED, 5, "stop", "", "")


@dataclass
class EventReader:
    """A client that applies the rules of the protocol to the events of a stream."""

    cursor: int = START_CURSOR
    text: str = ""
    reasoning: str = ""
    seams: list[int] = field(default_factory=list)
    indexes: list[int] = field(default_factory=list)
    events: list[StreamEvent] = field(default_factory=list)
    calls: str = ""
    end: Ended | None = None

    def add_event(self, event: StreamEvent) -> None:
        self.events.append(event)
        match event:
            case Chunk():
                assert event.first == self.cursor + 1, "no index is missing or repeated"
                self.indexes += range(event.first, event.index + 1)
                self.cursor = event.index
                self._append(event)
            case Snapshot():
                self.cursor, self.text, self.reasoning = event.index, event.text, event.reasoning
                self.seams, self.indexes = list(event.seams), list(range(event.index + 1))
                self.calls = ""
            case Ended():
                assert event.next_index == self.cursor + 1, "the end comes after all chunks"
                self.end = event

    def _append(self, chunk: Chunk) -> None:
        texts = {Kind.REASONING: self.reasoning, Kind.TOOL_CALL: self.calls}
        assert chunk.offset == len(texts.get(Kind(chunk.kind), self.text))
        match chunk.kind:
            case Kind.TEXT:
                self.text += chunk.delta
            case Kind.REASONING:
                self.reasoning += chunk.delta
            case Kind.TOOL_CALL:
                self.calls += chunk.delta
            case Kind.SEAM if chunk.offset not in self.seams:
                self.seams.append(chunk.offset)

    async def read(self, stream: Stream, *, events: int = 10**9) -> None:
        """Follow from the cursor to the end, or for a number of events."""
        async with (
            asyncio.timeout(TIMEOUT_SECONDS),
            aclosing(follow_stream(stream, self.cursor)) as following,
        ):
            async for event in following:
                self.add_event(event)
                events -= 1
                if not events:
                    return

    def has_text(self, text: StreamText) -> bool:
        own = (self.text, self.reasoning, self.calls, tuple(self.seams), self.indexes)
        indexes = list(range(text.next_index))
        return own == (text.content, text.reasoning, text.calls, text.seams, indexes)


async def start_following(
    stream: Stream, after: int = START_CURSOR
) -> tuple[StreamEvent, AsyncGenerator[StreamEvent]]:
    """Return the first event of a new follower, and its further events."""
    events = follow_stream(stream, after)
    return await read_next(events), events


async def read_next(events: AsyncGenerator[StreamEvent]) -> StreamEvent:
    return await asyncio.wait_for(anext(events), TIMEOUT_SECONDS)


async def read_all(stream: Stream, after: int = START_CURSOR) -> list[StreamEvent]:
    async with asyncio.timeout(TIMEOUT_SECONDS):
        return [event async for event in follow_stream(stream, after)]


def create_five_chunks(owner: User) -> Stream:
    stream = start_stream(owner)
    append_chunks(stream, "a", "b", (Kind.SEAM, ""), (Kind.REASONING, "hm"), "c")
    return stream


def create_ended_stream(owner: User) -> Stream:
    stream = create_five_chunks(owner)
    end_stream(stream)
    return stream


def publish(stream: Stream, entry: Append | None = None) -> None:
    """Notify followers, as the stream's worker does."""
    head = journal.read_heads([stream.pk])[stream.pk]
    hubs.notify(STREAMS_GROUP, build_stream_notification([entry] if entry else [], head))


def write_and_publish(stream: Stream, *pieces: Piece) -> None:
    publish(stream, append_chunks(stream, *pieces))


# Any cursor


@pytest.mark.parametrize("after", [-(2**60), -2, -1, 0, 1, 2, 3, 4])
async def test_a_cursor_into_an_ended_stream_gets_the_rest_and_the_end(
    owner: User, after: int
) -> None:
    stream = await run_in_db(create_ended_stream, owner)
    *chunks, end = await read_all(stream, after)
    assert end == ENDED
    got = [n for c in chunks if isinstance(c, Chunk) for n in range(c.first, c.index + 1)]
    assert got == list(range(max(after, -1) + 1, 5))
    assert len(chunks) <= 4


@pytest.mark.parametrize("after", [5, 6, 2**31, 2**53 - 1, 2**80])
async def test_a_cursor_beyond_the_end_gets_a_snapshot(owner: User, after: int) -> None:
    stream = await run_in_db(create_ended_stream, owner)
    assert await read_all(stream, after) == [Snapshot(4, "abc", "hm", (2,)), ENDED]


@pytest.mark.parametrize("after", [5, 2**53 - 1])
async def test_a_cursor_beyond_a_running_stream_gets_a_snapshot_and_new_chunks(
    owner: User, after: int
) -> None:
    stream = await run_in_db(create_five_chunks, owner)
    first, events = await start_following(stream, after)
    assert first == Snapshot(4, "abc", "hm", (2,))
    assert await read_next(events) == StateChanged(State.RUNNING, "")
    await run_in_db(write_and_publish, stream, "d")
    assert await read_next(events) == Chunk(5, 5, Kind.TEXT, "d", 3)
    await events.aclose()


async def test_a_cursor_beyond_an_empty_stream_starts_from_the_beginning(owner: User) -> None:
    stream = await run_in_db(queue_stream, owner)
    first, events = await start_following(stream, 7)
    assert first == Snapshot(-1, "", "", ())
    assert await read_next(events) == StateChanged(State.QUEUED, "")
    stream = await run_in_db(claim_stream, stream, await run_in_db(register_worker))
    await run_in_db(write_and_publish, stream, "a")
    assert Chunk(0, 0, Kind.TEXT, "a", 0) in [await read_next(events), await read_next(events)]
    await events.aclose()


@pytest.mark.parametrize("after", [-1, 2, 4, 5, 2**53 - 1])
async def test_a_cursor_into_a_folded_stream_gets_the_applications_text(
    owner: User, after: int
) -> None:
    stream = await run_in_db(create_ended_stream, owner)
    await run_in_db(journal.fold_chunks, stream.pk)
    assert await read_all(stream, after) == [Snapshot(4, "abc", "hm", (2,)), ENDED]


async def test_chunks_of_a_kind_that_this_version_does_not_know_come_as_they_are(
    owner: User,
) -> None:
    stream = await run_in_db(start_stream, owner)
    chunks = [Chunk(0, 0, Kind.TEXT, "a", 0), Chunk(1, 1, "7", "[1]", 0)]
    await run_in_db(journal.append, [Append(stream.pk, stream.uuid, stream.epoch, tuple(chunks))])
    snapshot = Snapshot(0, "a", "", ())
    for after, events in ((-1, chunks), (0, chunks[1:]), (99, [snapshot, chunks[1]])):
        async with aclosing(follow_stream(stream, after)) as following:
            assert [await anext(following) for _ in events] == events


async def test_a_folded_stream_without_a_message_is_empty_and_ended(
    owner: User, fake_source: FakeSource
) -> None:
    stream = await run_in_db(create_ended_stream, owner)
    await run_in_db(journal.fold_chunks, stream.pk)
    fake_source.stored_texts[stream.pk] = None
    assert await read_all(stream) == [Snapshot(4, "", "", ()), ENDED]


async def test_a_reader_slower_than_folding_gets_a_snapshot(
    owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orm, "ROWS_PER_READ", 1)
    for bound in ("ROWS_PER_GROUP", "GROUPS_PER_READ"):
        monkeypatch.setattr(postgresql, bound, 1)
    monkeypatch.setattr(recent_module, "MAX_RECENT_CHARS", 0)
    stream = await run_in_db(create_five_chunks, owner)
    first, events = await start_following(stream)
    assert first == Chunk(0, 0, Kind.TEXT, "a", 0)
    await run_in_db(end_stream, stream)
    await run_in_db(journal.fold_chunks, stream.pk)
    async with asyncio.timeout(TIMEOUT_SECONDS):
        rest = [event async for event in events if not isinstance(event, StateChanged)]
    assert rest == [Snapshot(4, "abc", "hm", (2,)), ENDED]


async def test_a_stream_deleted_while_followed_is_not_found(owner: User) -> None:
    stream = await run_in_db(create_five_chunks, owner)
    reader = EventReader()
    reading = asyncio.create_task(reader.read(stream))
    await wait_until(lambda: reader.cursor == 4)
    await run_in_db(journal.delete_streams, [stream.pk])
    with pytest.raises(StreamNotFound):
        await asyncio.wait_for(reading, TIMEOUT_SECONDS)


async def test_a_deleted_stream_is_not_found_from_any_cursor(owner: User) -> None:
    stream = await run_in_db(create_ended_stream, owner)
    await run_in_db(journal.delete_streams, [stream.pk])
    for after in (-1, 3, 99):
        with pytest.raises(StreamNotFound):
            await read_all(stream, after)


@pytest.mark.parametrize("exact", [True, False])
async def test_a_stream_that_is_deleted_before_its_snapshot_is_not_found(
    owner: User, monkeypatch: pytest.MonkeyPatch, exact: bool
) -> None:
    stream = await run_in_db(create_ended_stream, owner)
    build = follow_module._build_snapshot

    def delete_and_build(*arguments: Any) -> Any:
        journal.delete_streams([stream.pk])
        return build(*arguments)

    monkeypatch.setattr(follow_module, "_build_snapshot", delete_and_build)
    with pytest.raises(StreamNotFound):
        async with aclosing(follow_stream(stream, 99, exact=exact)) as events:
            await anext(events)


async def test_a_foreign_stream_is_not_found(owner: User, stranger: User) -> None:
    stream = await run_in_db(queue_stream, owner)
    assert await find_stream(owner, stream.uuid) == stream
    for user, uuid in ((stranger, stream.uuid), (owner, uuid4())):
        with pytest.raises(StreamNotFound):
            await find_stream(user, uuid)


# Live


async def test_a_follower_sees_each_note_of_a_stream_once(owner: User) -> None:
    stream = await run_in_db(queue_stream, owner)
    first, events = await start_following(stream)
    assert first == StateChanged(State.QUEUED, "")
    await run_in_db(Stream.objects.filter(pk=stream.pk).update, note="Waiting")
    assert await read_next(events) == StateChanged(State.QUEUED, "Waiting")
    stream = await run_in_db(claim_stream, stream, await run_in_db(register_worker))
    await run_in_db(publish, stream)
    assert await read_next(events) == StateChanged(State.RUNNING, "")
    await run_in_db(write_and_publish, stream, "a")
    assert await read_next(events) == Chunk(0, 0, Kind.TEXT, "a", 0)
    await run_in_db(lifecycle.stop, stream.pk)
    assert await read_next(events) == Ended(State.STOPPED, 1, "", "", "")
    with pytest.raises(StopAsyncIteration):
        await read_next(events)


async def test_the_end_contains_the_error(owner: User) -> None:
    stream = await run_in_db(create_five_chunks, owner)
    ending = Ending(State.FAILED, "", "invalid_key", "Check it.", "not for clients")
    await run_in_db(end_stream, stream, ending)
    assert (await read_all(stream))[-1] == Ended(State.FAILED, 5, "", "invalid_key", "Check it.")


async def test_the_last_text_comes_before_the_end_although_both_are_published_at_once(
    owner: User,
) -> None:
    stream = await run_in_db(create_five_chunks, owner)
    reader = EventReader()
    reading = asyncio.create_task(reader.read(stream))
    await wait_until(lambda: reader.cursor == 4)
    rest = await run_in_db(build_append, stream, "the ", "rest")
    assert await run_in_db(lifecycle.end, stream.pk, stream.epoch, COMPLETED, rest)
    await run_in_db(publish, stream, rest)
    await asyncio.wait_for(reading, TIMEOUT_SECONDS)
    assert (reader.text, reader.end) == ("abcthe rest", Ended(State.COMPLETED, 7, "stop", "", ""))


async def test_an_end_published_before_the_last_text_waits_for_it(owner: User) -> None:
    stream = await run_in_db(create_five_chunks, owner)
    reader = EventReader()
    reading = asyncio.create_task(reader.read(stream))
    await wait_until(lambda: reader.cursor == 4)
    rest = await run_in_db(build_append, stream, "the rest")
    assert await run_in_db(lifecycle.end, stream.pk, stream.epoch, COMPLETED, rest)
    await run_in_db(publish, stream)
    await asyncio.wait_for(reading, TIMEOUT_SECONDS)
    assert reader.text == "abcthe rest"


async def test_a_follower_continues_through_a_takeover(owner: User) -> None:
    dead = await run_in_db(register_worker)
    stream = await run_in_db(start_stream, owner, dead)
    await run_in_db(write_and_publish, stream, "one ")
    reader = EventReader()
    reading = asyncio.create_task(reader.read(stream))
    await run_in_db(expire_lease, dead)
    (taken,) = await run_in_db(lifecycle.claim, await run_in_db(register_worker), 9)
    await run_in_db(write_and_publish, taken, (Kind.SEAM, ""), "two")
    await run_in_db(end_stream, taken)
    await asyncio.wait_for(reading, TIMEOUT_SECONDS)
    assert (reader.text, reader.seams) == ("one two", [4])


# Sizes and speed


async def test_a_replay_comes_in_few_pieces_of_bounded_size(owner: User) -> None:
    stream = await run_in_db(start_stream, owner)
    await run_in_db(append_chunks, stream, *["word " * 20] * 1000)
    await run_in_db(end_stream, stream)
    *chunks, _ = await read_all(stream)
    assert len(chunks) < 2 * 100_000 / MAX_CHUNK_CHARS  # at most twice the minimum
    assert all(isinstance(c, Chunk) and len(c.delta) <= MAX_CHUNK_CHARS for c in chunks)


async def test_a_journal_longer_than_one_read_is_read_completely(
    owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orm, "ROWS_PER_READ", 7)
    stream = await run_in_db(start_stream, owner)
    await run_in_db(append_chunks, stream, *(f"{n} " for n in range(100)))
    await run_in_db(end_stream, stream)
    reader = EventReader()
    await reader.read(stream)
    assert reader.has_text(await run_in_db(journal.read_text, stream.pk))


@pytest.mark.parametrize("max_chars", [0, 40, 10**6])
async def test_a_slow_reader_gets_larger_pieces_and_loses_nothing(
    owner: User, monkeypatch: pytest.MonkeyPatch, max_chars: int
) -> None:
    monkeypatch.setattr(recent_module, "MAX_RECENT_CHARS", max_chars)
    stream = await run_in_db(start_stream, owner)
    reader = EventReader()
    async with aclosing(follow_stream(stream)) as events:
        reader.add_event(await read_next(events))
        for n in range(50):
            await run_in_db(write_and_publish, stream, f"{n} ")
        await run_in_db(end_stream, stream)
        async with asyncio.timeout(TIMEOUT_SECONDS):
            async for event in events:
                reader.add_event(event)
    assert reader.text == "".join(f"{n} " for n in range(50))
    assert len(reader.events) < 10


async def test_a_leaving_follower_frees_its_resources_and_does_not_affect_others(
    owner: User, hub: Hub
) -> None:
    stream = await run_in_db(create_five_chunks, owner)
    staying, leaving = EventReader(), EventReader()
    reading = asyncio.create_task(staying.read(stream))
    await leaving.read(stream, events=2)
    cut = asyncio.create_task(leaving.read(stream))  # cancelled while it waits for more
    await wait_until(lambda: leaving.cursor == 4)
    cut.cancel()
    with suppress(asyncio.CancelledError):
        await cut
    assert hub._recent_by_id[stream.pk].follower_count == 1
    await run_in_db(write_and_publish, stream, "d")
    await run_in_db(end_stream, stream)
    await asyncio.wait_for(reading, TIMEOUT_SECONDS)
    assert staying.text == "abcd"
    assert hub._recent_by_id[stream.pk].follower_count == 0


async def test_a_quick_reconnect_reads_nothing_from_the_journal(
    owner: User, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = await run_in_db(create_five_chunks, owner)
    reader = EventReader()
    await reader.read(stream, events=2)
    read: list[object] = []
    monkeypatch.setattr(follow_module._journal_loader, "_load_many", read.append)
    again = EventReader()
    reading = asyncio.create_task(again.read(stream))
    await wait_until(lambda: again.cursor == 4)
    await run_in_db(write_and_publish, stream, "d")
    await run_in_db(end_stream, stream)
    await asyncio.wait_for(reading, TIMEOUT_SECONDS)
    assert again.has_text(await run_in_db(journal.read_text, stream.pk))
    assert read == []


async def test_a_quick_reconnect_to_a_running_reply_needs_no_query(
    owner: User, stranger: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = await run_in_db(create_five_chunks, owner)
    await EventReader().read(stream, events=2)
    queries: list[object] = []

    def load_and_record(names: Collection[tuple[int, UUID]]) -> dict[tuple[int, UUID], Stream]:
        queries.append(names)
        return Stream.objects.find_owned(names)

    monkeypatch.setattr(access._stream_loader, "_load_many", load_and_record)
    again = EventReader()
    await again.read(await find_stream(owner, stream.uuid), events=2)
    assert (again.cursor, queries) == (2, [])
    with pytest.raises(StreamNotFound):
        await find_stream(stranger, stream.uuid)
    await run_in_db(end_stream, stream)
    await again.read(await find_stream(owner, stream.uuid))
    assert again.end
    assert queries, "a deletion would send no notification"
    queries.clear()
    await find_stream(owner, stream.uuid)
    assert queries


async def test_a_cached_row_does_not_revert_a_newer_state(owner: User) -> None:
    stream = await run_in_db(create_five_chunks, owner)
    await EventReader().read(stream, events=2)
    known = await find_stream(owner, stream.uuid)
    await run_in_db(Stream.objects.filter(pk=stream.pk).update, note="Waiting")
    _, events = await start_following(stream, 4)
    waiting = StateChanged(State.RUNNING, "Waiting")
    assert await read_next(events) == waiting
    assert await read_next(follow_stream(known, 4)) == waiting


@pytest.mark.parametrize("notification", ["received", "lost"])
async def test_a_reconnect_with_a_newer_cursor_than_the_cached_row_needs_no_snapshot(
    owner: User, hub: Hub, monkeypatch: pytest.MonkeyPatch, notification: str
) -> None:
    monkeypatch.setattr(hub_module, "POLL_SECONDS", 1000.0)
    stream = await run_in_db(create_five_chunks, owner)
    await EventReader().read(stream, events=2)
    recent, entry = hub._recent_by_id[stream.pk], await run_in_db(append_chunks, stream, "d")
    if notification == "received":
        hub.publish_update([entry])
        await wait_until(lambda: recent.next_index == 6)
    first, events = await start_following(await find_stream(owner, stream.uuid), 5)
    assert first == StateChanged(State.RUNNING, ""), "and no snapshot"
    hub.publish_update([await run_in_db(append_chunks, stream, "e")])
    assert await read_next(events) == Chunk(6, 6, Kind.TEXT, "e", 4)


async def test_a_deleted_reply_is_not_found_after_a_reconnect(owner: User) -> None:
    stream = await run_in_db(create_five_chunks, owner)
    await EventReader().read(stream, events=2)
    await run_in_db(journal.delete_streams, [stream.pk])

    async def is_gone() -> bool:
        try:
            await find_stream(owner, stream.uuid)
        except StreamNotFound:
            return True
        return False

    await until_async(is_gone, what="the stream is not found")


async def test_caches_of_abandoned_streams_are_dropped(
    owner: User, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "MAX_IDLE", 2)
    streams = [await run_in_db(create_five_chunks, owner) for _ in range(4)]
    with hub.join_stream(streams[0]):
        for stream in streams:
            await EventReader().read(stream, events=1)
        assert set(hub._recent_by_id) == {streams[n].pk for n in (0, 2, 3)}, "a followed one stays"
    monkeypatch.setattr(hub_module, "IDLE_TTL_SECONDS", 0.0)
    await wait_until(lambda: hub._recent_by_id == {})


# A layer that fails


@pytest.mark.parametrize("failure", ["raises", "hangs"])
async def test_without_a_layer_a_page_grows_at_least_every_two_seconds(
    owner: User, monkeypatch: pytest.MonkeyPatch, failure: str
) -> None:
    await hubs.close()
    layer = FaultyLayer()
    monkeypatch.setattr(hub_module, "get_channel_layer", lambda: layer)
    if failure == "raises":
        layer.send_error = ConnectionError("the layer is down")
    else:
        layer.may_send.clear()
    stream = await run_in_db(start_stream, owner)
    reader = EventReader()
    reading = asyncio.create_task(reader.read(stream))
    for n in range(2):
        await run_in_db(write_and_publish, stream, f"{n} ")
        await wait_until(partial(lambda index: reader.cursor >= index, n), within=2)
    await run_in_db(end_stream, stream)
    await asyncio.wait_for(reading, TIMEOUT_SECONDS)
    assert reader.text == "0 1 "


# Text before a cut + replay after it == the journal's text


class FaultPlan:
    """Plans the delivery of each notification: it is delivered, lost, doubled, or delayed until
    after later ones, in the wrong order."""

    def __init__(self, plan: Iterable[str]) -> None:
        self._plan = iter(plan)
        self._delayed: list[tuple[str, Message]] = []

    def __call__(self, group: str, message: Message) -> Iterator[tuple[str, Message]]:
        delivery = next(self._plan, "deliver")
        if delivery == "delay":
            self._delayed.append((group, message))
        elif delivery != "lose":
            yield (group, message)
        if delivery == "double":
            yield (group, message)
        if delivery == "release":
            yield from reversed(self._delayed)
            self._delayed.clear()


PIECES = st.lists(
    st.tuples(st.sampled_from(list(Kind)), st.text("ab\N{WATER WAVE}\u0301\r\n", max_size=5)),
    min_size=1,
    max_size=6,
)
DELIVERIES = st.sampled_from(["deliver", "lose", "double", "delay", "release"])


@dataclass(frozen=True)
class Example:
    """The writes, faults and cuts of one example."""

    batches: list[list[tuple[Kind, str]]]
    rest: list[tuple[Kind, str]]
    ticks: list[int]
    deliveries: list[str]
    cuts: list[list[int]]
    max_recent_chars: int


EXAMPLES = st.builds(
    Example,
    batches=st.lists(PIECES, max_size=8),
    rest=PIECES | st.just([]),
    ticks=st.lists(st.integers(0, 12), max_size=8),
    deliveries=st.lists(DELIVERIES, max_size=12),
    cuts=st.lists(st.lists(st.integers(1, 4), max_size=5), min_size=1, max_size=3),
    max_recent_chars=st.sampled_from([0, 3, 10, 65_536]),
)


async def wait_ticks(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0.0005)


async def write_example(example: Example, stream: Stream) -> None:
    ticks = iter(example.ticks)
    for batch in example.batches:
        entry = await run_in_db(append_chunks, stream, *without_seam_text(batch))
        hubs.get_hub().publish_update([entry])
        await wait_ticks(next(ticks, 0))
    rest = (
        await run_in_db(build_append, stream, *without_seam_text(example.rest))
        if example.rest
        else None
    )
    assert await run_in_db(lifecycle.end, stream.pk, stream.epoch, COMPLETED, rest)
    await run_in_db(publish, stream, rest)


async def read_in_parts(cuts: list[int], stream: Stream) -> EventReader:
    reader = EventReader()
    for events in cuts:
        if reader.end is None:
            await reader.read(stream, events=events)
            await wait_ticks(events)
    if reader.end is None:
        await reader.read(stream)
    return reader


@pytest.fixture
def quick_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "POLL_SECONDS", 0.02)


@pytest.mark.usefixtures("quick_polls")
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(EXAMPLES)
async def test_text_before_a_cut_and_replay_after_it_equal_the_journal(
    owner: User, faulty_layer: FaultyLayer, example: Example
) -> None:
    stream = await run_in_db(start_stream, owner)
    faulty_layer.plan_delivery = FaultPlan(example.deliveries)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recent_module, "MAX_RECENT_CHARS", example.max_recent_chars)
        async with asyncio.TaskGroup() as group:
            readers = [group.create_task(read_in_parts(cuts, stream)) for cuts in example.cuts]
            group.create_task(write_example(example, stream))
    text = await run_in_db(journal.read_text, stream.pk)
    assert text.next_index == (await run_in_db(reload_stream, stream)).next_index
    for reader in readers:
        assert reader.result().has_text(text)


LONG_TEXT = "".join(f"{n} " for n in range(30_000))


@pytest.mark.parametrize("folded", [False, True])
async def test_a_snapshot_of_a_long_reply_is_a_bounded_frame_and_pieces(
    owner: User, folded: bool
) -> None:
    assert len(LONG_TEXT) > 2 * MAX_SNAPSHOT_CHARS
    parts = (LONG_TEXT[at : at + 1000] for at in range(0, len(LONG_TEXT), 1000))
    stream = await run_in_db(start_stream, owner)
    await run_in_db(append_chunks, stream, (Kind.REASONING, "hm"), *parts, (Kind.SEAM, ""), "end")
    await run_in_db(end_stream, stream)
    if folded:
        await run_in_db(journal.fold_chunks, stream.pk)
    snapshot, *chunks, end = await read_all(stream, 10**6)
    assert isinstance(snapshot, Snapshot)
    assert isinstance(end, Ended)
    assert len(snapshot.text) <= MAX_SNAPSHOT_CHARS
    assert (snapshot.reasoning, snapshot.seams) == ("hm", ())
    text, last = snapshot.text, snapshot.index
    for chunk in chunks:
        assert isinstance(chunk, Chunk)
        assert chunk.first == last + 1
        assert len(chunk.delta) <= journal.MAX_CHUNK_CHARS
        text, last = text + chunk.delta, chunk.index
    assert (text, last + 1) == (LONG_TEXT + "end", end.next_index)

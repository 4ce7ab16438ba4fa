"""The group commit: in order, at once or together, and never told before it is written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress

import pytest
from django.db import InterfaceError, OperationalError

from accounts.models import User
from streaming import lifecycle
from streaming.database import run_in_db
from streaming.events import StreamText
from streaming.journal import Append, chunks
from streaming.models import Kind, Stream
from streaming.worker import writer
from streaming.worker.buffer import MAX_PENDING_BYTES, StreamBuffer
from streaming.worker.writer import Writer
from tests.streaming.factories import (
    claim_stream,
    join_deltas,
    read_rows,
    register_worker,
    reload_stream,
    start_stream,
    wait_until,
)
from tests.streaming.fake_source import Stage
from tests.streaming.journal_gate import Press
from tools.waiting import until_async

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("stage")]


class Desk:
    """A running writer, in the place of its hub: what it published, and whose text was rejected."""

    def __init__(self) -> None:
        self.written: list[Append] = []
        self.lost: list[StreamBuffer] = []
        self.writer = Writer()
        self.task = asyncio.create_task(self.writer.run())

    def publish_update(self, entries: Sequence[Append]) -> None:
        self.written.extend(entries)

    def pen(self, stream: Stream) -> StreamBuffer:
        pen = self.writer.open_buffer(stream, StreamText(), lambda: self.lost.append(pen))
        return pen

    async def say(self, pen: StreamBuffer, *texts: str) -> None:
        for text in texts:
            pen.add(Kind.TEXT, text)
            await pen.wait_for_space()

    async def told(self, text: str) -> None:
        """Wait until exactly this text was told as written."""

        async def so() -> bool:
            return "".join(c.delta for e in self.written for c in e.chunks) == text

        await until_async(so, what=f"{text!r} is written")


@pytest.fixture
async def desk(
    press: Press, transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Desk]:
    desk = Desk()
    monkeypatch.setattr(writer, "get_hub", lambda: desk)
    yield desk
    press.open.set()
    desk.task.cancel()
    with suppress(asyncio.CancelledError):
        await desk.task
    desk.writer.stop()


@pytest.fixture
def stream(owner: User, stage: Stage) -> Stream:
    return start_stream(owner)


@pytest.fixture
def other(owner: User, stage: Stage) -> Stream:
    return start_stream(owner)


async def test_published_text_is_in_the_database(desk: Desk, stream: Stream) -> None:
    await desk.say(desk.pen(stream), "the tide")
    await desk.told("the tide")
    assert join_deltas(await run_in_db(read_rows, stream)) == "the tide"


async def test_deltas_that_arrive_during_a_commit_become_one_chunk_per_kind(
    desk: Desk, press: Press, stream: Stream
) -> None:
    press.open.clear()
    pen = desk.pen(stream)
    await desk.say(pen, "first")
    await wait_until(lambda: press.calls)
    await desk.say(pen, " and", " then")
    pen.add(Kind.REASONING, "why")
    await desk.say(pen, " more")
    press.open.set()
    await desk.told("first and thenwhy more")
    assert await run_in_db(read_rows, stream) == [
        (0, Kind.TEXT, "first", 0),
        (1, Kind.TEXT, " and then", 5),
        (2, Kind.REASONING, "why", 0),
        (3, Kind.TEXT, " more", 14),
    ]


async def test_all_streams_with_new_text_share_a_commit(
    desk: Desk, press: Press, stream: Stream, other: Stream
) -> None:
    press.open.clear()
    first, second = desk.pen(stream), desk.pen(other)
    await desk.say(first, "1")
    await wait_until(lambda: press.calls)
    await desk.say(first, "2")
    await desk.say(second, "3")
    press.open.set()
    await desk.writer.flush([first, second])
    assert [[e.stream_id for e in entries] for entries, _ in press.calls] == [
        [stream.pk],
        [stream.pk, other.pk],
    ]


@pytest.fixture
async def turns(
    desk: Desk, press: Press, stream: Stream, other: Stream, monkeypatch: pytest.MonkeyPatch
) -> tuple[StreamBuffer, StreamBuffer]:
    """Two pens with a commit each: the first one's is under way, the second one's is to come."""
    monkeypatch.setattr(writer, "MAX_STREAMS_PER_COMMIT", 1)
    press.open.clear()
    first, second = desk.pen(stream), desk.pen(other)
    await desk.say(first, "1")
    await desk.say(second, "2")
    await wait_until(lambda: press.calls)
    return first, second


async def test_a_later_commit_of_a_round_includes_newer_text(
    desk: Desk, press: Press, turns: tuple[StreamBuffer, StreamBuffer]
) -> None:
    await desk.say(turns[1], "3")
    press.open.set()
    await desk.writer.flush(turns)
    assert [[c.delta for e in entries for c in e.chunks] for entries, _ in press.calls] == [
        ["1"],
        ["23"],
    ]


async def test_closing_a_buffer_before_its_commit_returns_its_unwritten_text(
    desk: Desk, press: Press, turns: tuple[StreamBuffer, StreamBuffer]
) -> None:
    rest = await desk.writer.detach_buffer(turns[1])
    press.open.set()
    await desk.writer.flush(turns)
    assert rest is not None
    assert [c.delta for c in rest.chunks] == ["2"]
    assert [c.delta for e in desk.written for c in e.chunks] == ["1"]


async def test_text_longer_than_a_chunk_becomes_several_chunks(
    desk: Desk, stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "MAX_CHUNK_CHARS", 4)
    await desk.say(desk.pen(stream), "abcdefghij")
    await desk.told("abcdefghij")
    assert [row[2:] for row in await run_in_db(read_rows, stream)] == [
        ("abcd", 0),
        ("efgh", 4),
        ("ij", 8),
    ]


@pytest.mark.parametrize("committed", [True, False])
@pytest.mark.parametrize("error", [OperationalError, InterfaceError])
async def test_after_a_lost_connection_the_same_batch_is_sent_again(
    desk: Desk, press: Press, stream: Stream, error: type[Exception], committed: bool
) -> None:
    (press.after if committed else press.before).extend([error("lost"), error("lost")])
    pen = desk.pen(stream)
    await desk.say(pen, "one ")
    await wait_until(lambda: press.calls)
    await desk.say(pen, "two")
    await desk.told("one two")
    assert join_deltas(await run_in_db(read_rows, stream)) == "one two"
    (first, fresh), (second, again), (third, also), *_ = press.calls
    assert first == second == third
    assert (fresh, again, also) == (False, True, True)
    assert desk.lost == []


async def test_nothing_of_a_stopped_stream_is_published(
    desk: Desk, stream: Stream, other: Stream
) -> None:
    pen, kept = desk.pen(stream), desk.pen(other)
    await run_in_db(lifecycle.stop, stream.pk)
    await desk.say(pen, "late")
    await desk.say(kept, "fine")
    await wait_until(lambda: desk.lost)
    await desk.told("fine")
    assert desk.lost == [pen]
    assert await run_in_db(read_rows, stream) == []


async def test_a_data_error_in_one_stream_does_not_affect_the_others(
    desk: Desk, press: Press, stream: Stream, other: Stream
) -> None:
    press.open.clear()
    press.spoiled = "bad"
    spoiled, kept = desk.pen(stream), desk.pen(other)
    await desk.say(kept, "o")
    await wait_until(lambda: press.calls)
    await desk.say(spoiled, "bad")
    await desk.say(kept, "k")
    press.open.set()
    await desk.told("ok")
    await wait_until(lambda: desk.lost)
    assert desk.lost == [spoiled]
    await desk.say(spoiled, "more")  # its source has not been told yet
    await desk.say(kept, "!")
    await desk.told("ok!")
    assert desk.lost == [spoiled]
    assert spoiled.is_unstorable


async def test_a_character_that_no_database_stores_is_a_data_error(
    desk: Desk, stream: Stream, other: Stream
) -> None:
    spoiled, kept = desk.pen(stream), desk.pen(other)
    await desk.say(spoiled, "half \ud83c")
    await desk.say(kept, "whole")
    await desk.told("whole")
    await wait_until(lambda: desk.lost)
    assert await run_in_db(read_rows, stream) == []


async def test_no_unexpected_error_ends_the_writer(
    desk: Desk, press: Press, stream: Stream, other: Stream
) -> None:
    """Every stream of the worker depends on it."""
    press.before.append(ZeroDivisionError("never thought of"))
    surprised, kept = desk.pen(stream), desk.pen(other)
    await desk.say(surprised, "?")
    await wait_until(lambda: desk.lost == [surprised])
    await desk.say(kept, "still here")
    await desk.told("still here")


async def test_a_source_waits_when_too_much_text_is_uncommitted(
    desk: Desk, press: Press, stream: Stream
) -> None:
    press.open.clear()
    pen = desk.pen(stream)
    piece = "\N{WATER WAVE}" * 4096
    poured = 0

    async def pour() -> None:
        nonlocal poured
        for _ in range(200):
            await desk.say(pen, piece)
            poured += len(piece.encode())

    pouring = asyncio.create_task(pour())
    await wait_until(lambda: press.calls)
    assert poured <= 2 * MAX_PENDING_BYTES  # what is being committed, and what waits
    assert not pouring.done()
    press.open.set()
    await pouring
    await desk.writer.flush([pen])
    assert (await run_in_db(reload_stream, stream)).length == 200 * len(piece)


async def test_a_waiting_source_is_released_when_its_stream_is_lost(
    desk: Desk, press: Press, stream: Stream
) -> None:
    press.open.clear()
    pen = desk.pen(stream)
    await desk.say(pen, "x")
    await wait_until(lambda: press.calls)
    pouring = asyncio.create_task(desk.say(pen, "x" * MAX_PENDING_BYTES, "more"))
    await wait_until(lambda: pen.is_full)
    await run_in_db(lifecycle.stop, stream.pk)
    press.open.set()
    await asyncio.wait_for(pouring, 10)


async def test_closing_waits_for_the_commit_and_returns_the_text_after_it(
    desk: Desk, press: Press, stream: Stream
) -> None:
    press.open.clear()
    pen = desk.pen(stream)
    await desk.say(pen, "in flight")
    await wait_until(lambda: press.calls)
    await desk.say(pen, " and", " after")
    closing = asyncio.create_task(desk.writer.detach_buffer(pen))
    await asyncio.sleep(0)
    assert not closing.done()
    press.open.set()
    rest = await closing
    written = await run_in_db(read_rows, stream)
    left = [(c.index, c.kind, c.delta, c.offset) for c in rest.chunks] if rest else []
    assert written + left == [
        (0, Kind.TEXT, "in flight", 0),
        (1, Kind.TEXT, " and after", 9),
    ]


async def test_flushing_returns_when_everything_is_written_or_refused(
    desk: Desk, press: Press, stream: Stream, other: Stream
) -> None:
    press.open.clear()
    kept, stopped = desk.pen(stream), desk.pen(other)
    await desk.say(kept, "a")
    await wait_until(lambda: press.calls)
    await run_in_db(lifecycle.stop, other.pk)
    await desk.say(stopped, "b")
    await desk.say(kept, "c")
    flushing = asyncio.create_task(desk.writer.flush([kept, stopped]))
    await asyncio.sleep(0)
    assert not flushing.done()
    press.open.set()
    await asyncio.wait_for(flushing, 10)
    assert join_deltas(await run_in_db(read_rows, stream)) == "ac"
    assert desk.lost == [stopped]


async def test_dropping_an_old_buffer_does_not_drop_a_newer_one_of_the_same_stream(
    desk: Desk, stream: Stream
) -> None:
    """A worker that lost a stream may claim it again before the old run is quite over."""
    old = desk.pen(stream)
    fresh = await run_in_db(claim_stream, stream, await run_in_db(register_worker))
    new = desk.pen(fresh)
    desk.writer.discard_buffer(old)
    await desk.say(new, "goes on")
    await desk.told("goes on")
    assert await desk.writer.detach_buffer(old) is None
    await desk.say(new, " and on")
    await desk.told("goes on and on")


async def test_the_flush_interval_depends_on_all_running_streams(
    desk: Desk, stream: Stream, other: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[int] = []

    async def pause(self: writer.Writer, began: float, streams: int) -> None:
        counted.append(streams)

    monkeypatch.setattr(writer.Writer, "_wait_for_next_flush", pause)
    pen, silent = desk.pen(stream), desk.pen(other)
    await desk.say(pen, "a")
    await wait_until(lambda: counted == [2])
    desk.writer.discard_buffer(silent)
    await desk.say(pen, "b")
    await wait_until(lambda: counted == [2, 1])


@pytest.mark.parametrize("event", ["a first delta", "a flush"])
async def test_a_first_delta_and_an_ending_do_not_wait_for_the_interval(
    desk: Desk, stream: Stream, other: Stream, event: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "FLUSH_SECONDS_PER_STREAM", 1000.0)
    monkeypatch.setattr(writer, "MAX_FLUSH_INTERVAL_SECONDS", 1000.0)
    pen, late = desk.pen(stream), desk.pen(other)
    await desk.say(pen, "a")
    await desk.told("a")
    await desk.say(pen, "b")
    await asyncio.sleep(0)
    if event == "a flush":
        await desk.writer.flush([pen])
        await desk.told("ab")
    else:
        await desk.say(late, "c")
        await wait_until(lambda: len(desk.written) == 3)

"""The group commit: text is written in order, and published only after its commit."""

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
from tests.streaming.fake_source import FakeSource
from tests.streaming.journal_gate import JournalGate
from tools.waiting import until_async

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("fake_source")]


class WriterHarness:
    """Runs a writer in place of its hub, and records the published and the rejected text."""

    def __init__(self) -> None:
        self.published: list[Append] = []
        self.rejected: list[StreamBuffer] = []
        self.writer = Writer()
        self.task = asyncio.create_task(self.writer.run())

    def publish_update(self, entries: Sequence[Append]) -> None:
        self.published.extend(entries)

    def open_buffer(self, stream: Stream) -> StreamBuffer:
        buffer = self.writer.open_buffer(stream, StreamText(), lambda: self.rejected.append(buffer))
        return buffer

    async def write(self, buffer: StreamBuffer, *texts: str) -> None:
        for text in texts:
            buffer.add(Kind.TEXT, text)
            await buffer.wait_for_space()

    async def wait_until_published(self, text: str) -> None:
        """Wait until exactly this text was published."""

        async def is_published() -> bool:
            return "".join(c.delta for e in self.published for c in e.chunks) == text

        await until_async(is_published, what=f"{text!r} is written")


@pytest.fixture
async def harness(
    gate: JournalGate, transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[WriterHarness]:
    harness = WriterHarness()
    monkeypatch.setattr(writer, "get_hub", lambda: harness)
    yield harness
    gate.may_commit.set()
    harness.task.cancel()
    with suppress(asyncio.CancelledError):
        await harness.task
    harness.writer.stop()


@pytest.fixture
def stream(owner: User, fake_source: FakeSource) -> Stream:
    return start_stream(owner)


@pytest.fixture
def other(owner: User, fake_source: FakeSource) -> Stream:
    return start_stream(owner)


async def test_published_text_is_in_the_database(harness: WriterHarness, stream: Stream) -> None:
    await harness.write(harness.open_buffer(stream), "the tide")
    await harness.wait_until_published("the tide")
    assert join_deltas(await run_in_db(read_rows, stream)) == "the tide"


async def test_deltas_that_arrive_during_a_commit_become_one_chunk_per_kind(
    harness: WriterHarness, gate: JournalGate, stream: Stream
) -> None:
    gate.may_commit.clear()
    buffer = harness.open_buffer(stream)
    await harness.write(buffer, "first")
    await wait_until(lambda: gate.calls)
    await harness.write(buffer, " and", " then")
    buffer.add(Kind.REASONING, "why")
    await harness.write(buffer, " more")
    gate.may_commit.set()
    await harness.wait_until_published("first and thenwhy more")
    assert await run_in_db(read_rows, stream) == [
        (0, Kind.TEXT, "first", 0),
        (1, Kind.TEXT, " and then", 5),
        (2, Kind.REASONING, "why", 0),
        (3, Kind.TEXT, " more", 14),
    ]


async def test_all_streams_with_new_text_share_a_commit(
    harness: WriterHarness, gate: JournalGate, stream: Stream, other: Stream
) -> None:
    gate.may_commit.clear()
    first, second = harness.open_buffer(stream), harness.open_buffer(other)
    await harness.write(first, "1")
    await wait_until(lambda: gate.calls)
    await harness.write(first, "2")
    await harness.write(second, "3")
    gate.may_commit.set()
    await harness.writer.flush([first, second])
    assert [[e.stream_id for e in entries] for entries, _ in gate.calls] == [
        [stream.pk],
        [stream.pk, other.pk],
    ]


@pytest.fixture
async def two_buffers(
    harness: WriterHarness,
    gate: JournalGate,
    stream: Stream,
    other: Stream,
    monkeypatch: pytest.MonkeyPatch,
) -> tuple[StreamBuffer, StreamBuffer]:
    """Two buffers with a commit each: the first commit is running, the second one is pending."""
    monkeypatch.setattr(writer, "MAX_STREAMS_PER_COMMIT", 1)
    gate.may_commit.clear()
    first, second = harness.open_buffer(stream), harness.open_buffer(other)
    await harness.write(first, "1")
    await harness.write(second, "2")
    await wait_until(lambda: gate.calls)
    return first, second


async def test_a_later_commit_of_a_round_includes_newer_text(
    harness: WriterHarness, gate: JournalGate, two_buffers: tuple[StreamBuffer, StreamBuffer]
) -> None:
    await harness.write(two_buffers[1], "3")
    gate.may_commit.set()
    await harness.writer.flush(two_buffers)
    assert [[c.delta for e in entries for c in e.chunks] for entries, _ in gate.calls] == [
        ["1"],
        ["23"],
    ]


async def test_closing_a_buffer_before_its_commit_returns_its_unwritten_text(
    harness: WriterHarness, gate: JournalGate, two_buffers: tuple[StreamBuffer, StreamBuffer]
) -> None:
    rest = await harness.writer.detach_buffer(two_buffers[1])
    gate.may_commit.set()
    await harness.writer.flush(two_buffers)
    assert rest is not None
    assert [c.delta for c in rest.chunks] == ["2"]
    assert [c.delta for e in harness.published for c in e.chunks] == ["1"]


async def test_text_longer_than_a_chunk_becomes_several_chunks(
    harness: WriterHarness, stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "MAX_CHUNK_CHARS", 4)
    await harness.write(harness.open_buffer(stream), "abcdefghij")
    await harness.wait_until_published("abcdefghij")
    assert [row[2:] for row in await run_in_db(read_rows, stream)] == [
        ("abcd", 0),
        ("efgh", 4),
        ("ij", 8),
    ]


@pytest.mark.parametrize("committed", [True, False])
@pytest.mark.parametrize("error", [OperationalError, InterfaceError])
async def test_after_a_lost_connection_the_same_batch_is_sent_again(
    harness: WriterHarness,
    gate: JournalGate,
    stream: Stream,
    error: type[Exception],
    committed: bool,
) -> None:
    (gate.errors_after_commit if committed else gate.errors_before_commit).extend(
        [error("lost"), error("lost")]
    )
    buffer = harness.open_buffer(stream)
    await harness.write(buffer, "one ")
    await wait_until(lambda: gate.calls)
    await harness.write(buffer, "two")
    await harness.wait_until_published("one two")
    assert join_deltas(await run_in_db(read_rows, stream)) == "one two"
    (first, fresh), (second, again), (third, also), *_ = gate.calls
    assert first == second == third
    assert (fresh, again, also) == (False, True, True)
    assert harness.rejected == []


async def test_a_commit_whose_answer_was_lost_counts_although_another_error_follows(
    harness: WriterHarness, gate: JournalGate, stream: Stream, other: Stream
) -> None:
    gate.errors_after_commit += [OperationalError("lost"), ZeroDivisionError("unexpected")]
    buffers = harness.open_buffer(stream), harness.open_buffer(other)
    for buffer in buffers:  # without a pause, so that one batch has both
        buffer.add(Kind.TEXT, "a")
    await harness.writer.flush(buffers)
    assert [len(entries) for entries, _ in gate.calls] == [2, 2, 1, 1]
    assert harness.rejected == []
    await harness.wait_until_published("aa")


async def test_nothing_of_a_stopped_stream_is_published(
    harness: WriterHarness, stream: Stream, other: Stream
) -> None:
    buffer, healthy = harness.open_buffer(stream), harness.open_buffer(other)
    await run_in_db(lifecycle.stop, stream.pk)
    await harness.write(buffer, "late")
    await harness.write(healthy, "fine")
    await wait_until(lambda: harness.rejected)
    await harness.wait_until_published("fine")
    assert harness.rejected == [buffer]
    assert await run_in_db(read_rows, stream) == []


async def test_a_data_error_in_one_stream_does_not_affect_the_others(
    harness: WriterHarness, gate: JournalGate, stream: Stream, other: Stream
) -> None:
    gate.may_commit.clear()
    gate.rejected_text = "bad"
    rejected, healthy = harness.open_buffer(stream), harness.open_buffer(other)
    await harness.write(healthy, "o")
    await wait_until(lambda: gate.calls)
    await harness.write(rejected, "bad")
    await harness.write(healthy, "k")
    gate.may_commit.set()
    await harness.wait_until_published("ok")
    await wait_until(lambda: harness.rejected)
    assert harness.rejected == [rejected]
    await harness.write(rejected, "more")  # its source does not know yet
    await harness.write(healthy, "!")
    await harness.wait_until_published("ok!")
    assert harness.rejected == [rejected]
    assert rejected.is_unstorable


async def test_a_character_that_no_database_stores_is_a_data_error(
    harness: WriterHarness, stream: Stream, other: Stream
) -> None:
    rejected, healthy = harness.open_buffer(stream), harness.open_buffer(other)
    await harness.write(rejected, "half \ud83c")
    await harness.write(healthy, "whole")
    await harness.wait_until_published("whole")
    await wait_until(lambda: harness.rejected)
    assert await run_in_db(read_rows, stream) == []


async def test_no_unexpected_error_ends_the_writer(
    harness: WriterHarness, gate: JournalGate, stream: Stream, other: Stream
) -> None:
    """Every stream of the worker depends on it."""
    gate.errors_before_commit.append(ZeroDivisionError("an unexpected error"))
    surprised, healthy = harness.open_buffer(stream), harness.open_buffer(other)
    await harness.write(surprised, "?")
    await wait_until(lambda: harness.rejected == [surprised])
    await harness.write(healthy, "still here")
    await harness.wait_until_published("still here")


async def test_a_source_waits_when_too_much_text_is_uncommitted(
    harness: WriterHarness, gate: JournalGate, stream: Stream
) -> None:
    gate.may_commit.clear()
    buffer = harness.open_buffer(stream)
    piece = "\N{WATER WAVE}" * 4096
    written_bytes = 0

    async def write_much() -> None:
        nonlocal written_bytes
        for _ in range(200):
            await harness.write(buffer, piece)
            written_bytes += len(piece.encode())

    writing = asyncio.create_task(write_much())
    await wait_until(lambda: gate.calls)
    assert written_bytes <= 2 * MAX_PENDING_BYTES  # in the running commit, and waiting
    assert not writing.done()
    gate.may_commit.set()
    await writing
    await harness.writer.flush([buffer])
    assert (await run_in_db(reload_stream, stream)).length == 200 * len(piece)


async def test_a_waiting_source_is_released_when_its_stream_is_lost(
    harness: WriterHarness, gate: JournalGate, stream: Stream
) -> None:
    gate.may_commit.clear()
    buffer = harness.open_buffer(stream)
    await harness.write(buffer, "x")
    await wait_until(lambda: gate.calls)
    writing = asyncio.create_task(harness.write(buffer, "x" * MAX_PENDING_BYTES, "more"))
    await wait_until(lambda: buffer.is_full)
    await run_in_db(lifecycle.stop, stream.pk)
    gate.may_commit.set()
    await asyncio.wait_for(writing, 10)


async def test_closing_waits_for_the_commit_and_returns_the_text_after_it(
    harness: WriterHarness, gate: JournalGate, stream: Stream
) -> None:
    gate.may_commit.clear()
    buffer = harness.open_buffer(stream)
    await harness.write(buffer, "in flight")
    await wait_until(lambda: gate.calls)
    await harness.write(buffer, " and", " after")
    closing = asyncio.create_task(harness.writer.detach_buffer(buffer))
    await asyncio.sleep(0)
    assert not closing.done()
    gate.may_commit.set()
    rest = await closing
    written = await run_in_db(read_rows, stream)
    left = [(c.index, c.kind, c.delta, c.offset) for c in rest.chunks] if rest else []
    assert written + left == [
        (0, Kind.TEXT, "in flight", 0),
        (1, Kind.TEXT, " and after", 9),
    ]


async def test_flushing_returns_when_everything_is_written_or_refused(
    harness: WriterHarness, gate: JournalGate, stream: Stream, other: Stream
) -> None:
    gate.may_commit.clear()
    healthy, stopped = harness.open_buffer(stream), harness.open_buffer(other)
    await harness.write(healthy, "a")
    await wait_until(lambda: gate.calls)
    await run_in_db(lifecycle.stop, other.pk)
    await harness.write(stopped, "b")
    await harness.write(healthy, "c")
    flushing = asyncio.create_task(harness.writer.flush([healthy, stopped]))
    await asyncio.sleep(0)
    assert not flushing.done()
    gate.may_commit.set()
    await asyncio.wait_for(flushing, 10)
    assert join_deltas(await run_in_db(read_rows, stream)) == "ac"
    assert harness.rejected == [stopped]


async def test_dropping_an_old_buffer_does_not_drop_a_newer_one_of_the_same_stream(
    harness: WriterHarness, stream: Stream
) -> None:
    """A worker that lost a stream may claim it again before the old run is quite over."""
    old = harness.open_buffer(stream)
    fresh = await run_in_db(claim_stream, stream, await run_in_db(register_worker))
    new = harness.open_buffer(fresh)
    harness.writer.discard_buffer(old)
    await harness.write(new, "goes on")
    await harness.wait_until_published("goes on")
    assert await harness.writer.detach_buffer(old) is None
    await harness.write(new, " and on")
    await harness.wait_until_published("goes on and on")


async def test_the_flush_interval_depends_on_all_running_streams(
    harness: WriterHarness, stream: Stream, other: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[int] = []

    async def pause(self: writer.Writer, began: float, streams: int) -> None:
        counted.append(streams)

    monkeypatch.setattr(writer.Writer, "_wait_for_next_flush", pause)
    buffer, silent = harness.open_buffer(stream), harness.open_buffer(other)
    await harness.write(buffer, "a")
    await wait_until(lambda: counted == [2])
    harness.writer.discard_buffer(silent)
    await harness.write(buffer, "b")
    await wait_until(lambda: counted == [2, 1])


@pytest.mark.parametrize("event", ["a first delta", "a flush"])
async def test_a_first_delta_and_an_ending_do_not_wait_for_the_interval(
    harness: WriterHarness,
    stream: Stream,
    other: Stream,
    event: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(writer, "FLUSH_SECONDS_PER_STREAM", 1000.0)
    monkeypatch.setattr(writer, "MAX_FLUSH_INTERVAL_SECONDS", 1000.0)
    buffer, late = harness.open_buffer(stream), harness.open_buffer(other)
    await harness.write(buffer, "a")
    await harness.wait_until_published("a")
    await harness.write(buffer, "b")
    await asyncio.sleep(0)
    if event == "a flush":
        await harness.writer.flush([buffer])
        await harness.wait_until_published("ab")
    else:
        await harness.write(late, "c")
        await wait_until(lambda: len(harness.published) == 3)

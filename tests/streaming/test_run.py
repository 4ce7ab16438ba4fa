"""A stream whose source does not call a provider: the effects of its events, and its ending."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable

import pytest

from accounts.models import User
from streaming import journal, lifecycle, sources
from streaming.database import run_in_db
from streaming.events import Delta, Finish, Note, Seam, SourceError, SourceEvent, StreamText
from streaming.journal import MAX_CHUNK_CHARS
from streaming.models import Kind, State
from streaming.sources import Source, StreamHandler
from tests.streaming.conftest import WorkerPool
from tests.streaming.factories import (
    SOURCE,
    abandon_stream,
    join_deltas,
    queue_stream,
    read_rows,
    reload_stream,
    wait_for_end,
    wait_for_row,
    wait_until,
)

pytestmark = pytest.mark.django_db(transaction=True)

LINES = [f"line {number}\n" for number in range(6)]
Step = SourceEvent | Exception | asyncio.Event


class LogFile:
    """A source of lines, whose number is the checkpoint. It waits and fails at the steps of a
    test."""

    def __init__(self) -> None:
        self.calls: list[tuple[StreamText, str]] = []
        self.cancelled: list[str] = []
        self.closed = 0
        self.steps: Callable[[int], list[Step]] = _read_lines_from
        self.on_cancel: Exception | None = None

    def register(self) -> None:
        handler = StreamHandler(
            prepare=lambda stream, text: self, load_text=lambda stream: StreamText()
        )
        sources.register(SOURCE, handler)

    async def events(
        self, so_far: StreamText, checkpoint: str
    ) -> AsyncGenerator[SourceEvent, None]:
        self.calls.append((so_far, checkpoint))
        try:
            for step in self.steps(int(checkpoint or 0)):
                if isinstance(step, asyncio.Event):
                    await step.wait()
                elif isinstance(step, Exception):
                    raise step
                else:
                    yield step
        finally:
            self.closed += 1

    async def cancel(self, checkpoint: str) -> None:
        self.cancelled.append(checkpoint)
        if self.on_cancel:
            raise self.on_cancel


def _read_lines_from(number: int) -> list[Step]:
    lines = enumerate(LINES[number:], start=number + 1)
    return [*(Delta(line, checkpoint=str(at)) for at, line in lines), Finish()]


@pytest.fixture
def log(worker_pool: WorkerPool) -> LogFile:
    """Registered instead of the fake source of `worker_pool`."""
    log = LogFile()
    log.register()
    return log


async def test_a_source_is_read_to_its_end(
    owner: User, worker_pool: WorkerPool, log: LogFile
) -> None:
    await worker_pool.start()
    row = await wait_for_end(await run_in_db(queue_stream, owner))
    assert (row.state, row.finish_reason, row.checkpoint) == ("completed", "stop", "")
    assert join_deltas(await run_in_db(read_rows, row)) == "".join(LINES)
    assert (log.calls, log.closed) == ([(StreamText(), "")], 1)


async def test_the_next_worker_continues_from_the_checkpoint_without_a_seam(
    owner: User, worker_pool: WorkerPool, log: LogFile
) -> None:
    blocked = asyncio.Event()
    log.steps = lambda number: [*_read_lines_from(number)[:3], blocked]
    await worker_pool.start()
    stream = await run_in_db(queue_stream, owner)
    await wait_for_row(stream, lambda row: row.checkpoint == "3")
    log.steps = _read_lines_from
    await run_in_db(abandon_stream, stream)
    await worker_pool.start()
    row = await wait_for_end(stream)
    written = await run_in_db(read_rows, stream)
    assert (row.state, join_deltas(written)) == ("completed", "".join(LINES))
    assert Kind.SEAM not in {kind for _, kind, _, _ in written}
    so_far, checkpoint = log.calls[1]
    assert (so_far.content, checkpoint) == ("".join(LINES[:3]), "3")


async def test_text_without_a_checkpoint_invalidates_the_one_before(
    owner: User, worker_pool: WorkerPool, log: LogFile
) -> None:
    blocked = asyncio.Event()
    log.steps = lambda number: [Delta("a", checkpoint="1"), Delta("b"), blocked]
    await worker_pool.start()
    stream = await run_in_db(queue_stream, owner)
    row = await wait_for_row(stream, lambda row: row.length == 2)
    assert row.checkpoint == ""


async def test_a_checkpoint_before_any_text_is_saved_at_once(
    owner: User, worker_pool: WorkerPool, log: LogFile
) -> None:
    blocked = asyncio.Event()
    log.steps = lambda number: [Delta("", checkpoint="0 of 6"), blocked]
    await worker_pool.start()
    stream = await run_in_db(queue_stream, owner)
    row = await wait_for_row(stream, lambda row: row.checkpoint == "0 of 6")
    assert (row.length, row.next_index) == (0, 0)


async def test_a_note_stands_until_the_next_text(
    owner: User, worker_pool: WorkerPool, log: LogFile
) -> None:
    first, second = asyncio.Event(), asyncio.Event()
    log.steps = lambda number: [Note("Rotating the log"), first, Delta("a"), second, Finish()]
    await worker_pool.start()
    stream = await run_in_db(queue_stream, owner)
    await wait_for_row(stream, lambda row: row.note == "Rotating the log")
    first.set()
    await wait_for_row(stream, lambda row: row.length == 1 and not row.note)
    second.set()
    await wait_for_end(stream)


async def test_a_seam_and_the_text_behind_it_are_one_commit(
    owner: User, worker_pool: WorkerPool, log: LogFile
) -> None:
    log.steps = lambda number: [Delta("a"), Note("Again"), Seam(), Delta("b"), Finish()]
    await worker_pool.start()
    stream = await run_in_db(queue_stream, owner)
    await wait_for_end(stream)
    assert [
        (kind, delta, offset) for _, kind, delta, offset in await run_in_db(read_rows, stream)
    ] == [
        (Kind.TEXT, "a", 0),
        (Kind.SEAM, "", 1),
        (Kind.TEXT, "b", 1),
    ]


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (SourceError("rotated", "The log was rotated.", "inode 7"), State.FAILED),
        (SourceError("cut", "The log was cut.", "inode 7", interrupted=True), State.INTERRUPTED),
    ],
)
async def test_an_error_of_a_source_ends_the_stream(
    owner: User, worker_pool: WorkerPool, log: LogFile, error: SourceError, state: State
) -> None:
    log.steps = lambda number: [Delta("a"), error]
    await worker_pool.start()
    row = await wait_for_end(await run_in_db(queue_stream, owner))
    assert (row.state, row.error_class) == (state, error.code)
    assert (row.error, row.error_detail) == (error.message, "inode 7")
    assert (join_deltas(await run_in_db(read_rows, row)), log.closed) == ("a", 1)


async def test_a_source_without_a_finish_is_interrupted(
    owner: User, worker_pool: WorkerPool, log: LogFile
) -> None:
    log.steps = lambda number: [Delta("a")]
    await worker_pool.start()
    row = await wait_for_end(await run_in_db(queue_stream, owner))
    assert (row.state, row.error_class) == ("interrupted", "interrupted")
    assert row.error.endswith(".")


@pytest.mark.parametrize("failure", [None, SourceError("gone", "It is gone."), OSError("gone")])
async def test_a_stop_cancels_work_that_would_continue_without_the_worker(
    owner: User, worker_pool: WorkerPool, log: LogFile, failure: Exception | None
) -> None:
    blocked = asyncio.Event()
    log.on_cancel = failure
    log.steps = lambda number: [*_read_lines_from(number)[:2], blocked]
    await worker_pool.start()
    stream = await run_in_db(queue_stream, owner)
    await wait_for_row(stream, lambda row: row.checkpoint == "2")
    await run_in_db(lifecycle.stop, stream.pk)
    await wait_until(lambda: log.cancelled)
    assert (log.cancelled, log.closed) == (["2"], 1)


class MinimalSource(Source):
    async def events(
        self, so_far: StreamText, checkpoint: str
    ) -> AsyncGenerator[SourceEvent, None]:
        yield Delta("one line\n", checkpoint="1")
        await asyncio.Event().wait()


async def test_a_source_needs_no_cancel_and_its_handler_no_finalize(
    owner: User, worker_pool: WorkerPool, caplog: pytest.LogCaptureFixture
) -> None:
    handler = StreamHandler(
        prepare=lambda stream, text: MinimalSource(), load_text=lambda stream: StreamText()
    )
    sources.register(SOURCE, handler)
    worker = await worker_pool.start()
    stream = await run_in_db(queue_stream, owner)
    await wait_for_row(stream, lambda row: row.checkpoint == "1")
    await run_in_db(lifecycle.stop, stream.pk)
    await worker_pool.drain(worker)
    assert (await wait_for_end(stream)).state == State.STOPPED
    assert not caplog.records


async def test_a_worker_that_hands_a_stream_over_cancels_nothing(
    owner: User, worker_pool: WorkerPool, log: LogFile
) -> None:
    blocked = asyncio.Event()
    log.steps = lambda number: [*_read_lines_from(number)[:2], blocked]
    worker = await worker_pool.start()
    stream = await run_in_db(queue_stream, owner)
    await wait_for_row(stream, lambda row: row.checkpoint == "2")
    await worker_pool.drain(worker)
    assert (log.cancelled, log.closed) == ([], 1)
    assert (await run_in_db(reload_stream, stream)).state == State.RUNNING


LONG_CALL = f'{{"arguments": "{"x" * 2 * MAX_CHUNK_CHARS}"}}\n'
CALLS = ['{"id": "1"}\n', LONG_CALL]


async def test_tool_calls_are_written_whole_with_the_end(
    owner: User, worker_pool: WorkerPool, log: LogFile
) -> None:
    blocked = asyncio.Event()
    calls = [Delta(call, "tool_call") for call in CALLS]
    log.steps = lambda _: [Delta("text"), calls[0], blocked, calls[1], Finish("tool_calls")]
    await worker_pool.start()
    stream = await run_in_db(queue_stream, owner)
    await wait_for_row(stream, lambda row: row.next_index == 1)
    assert [kind for _, kind, _, _ in await run_in_db(read_rows, stream)] == [Kind.TEXT]
    blocked.set()
    assert (await wait_for_end(stream)).finish_reason == "tool_calls"
    rows = await run_in_db(read_rows, stream)
    assert [kind for _, kind, _, _ in rows] == [Kind.TEXT, *[Kind.TOOL_CALL] * 4]
    assert join_deltas(rows, Kind.TOOL_CALL) == "".join(CALLS)
    assert rows[1][2] == CALLS[0], "calls are never joined"
    assert (await run_in_db(journal.read_text, stream.pk)).calls == "".join(CALLS)


@pytest.mark.parametrize("ending", [SourceError("x", "Sorry."), None])
async def test_a_reply_that_breaks_off_has_no_tool_calls(
    owner: User, worker_pool: WorkerPool, log: LogFile, ending: SourceError | None
) -> None:
    log.steps = lambda _: [
        Delta("text"),
        Delta(CALLS[0], "tool_call"),
        *([ending] if ending else ()),
    ]
    await worker_pool.start()
    stream = await run_in_db(queue_stream, owner)
    assert (await wait_for_end(stream)).state == (State.FAILED if ending else State.INTERRUPTED)
    assert [kind for _, kind, _, _ in await run_in_db(read_rows, stream)] == [Kind.TEXT]

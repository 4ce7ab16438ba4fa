"""Streams and workers in the state that a test needs, and waits for their rows.

The functions without `async` use the real database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from accounts.models import User
from streaming import journal, lifecycle
from streaming.database import run_in_db
from streaming.events import Finish
from streaming.hub import Notification, notify
from streaming.journal import Append
from streaming.lifecycle import Ending
from streaming.models import KINDS_BY_NUMBER, Kind, State, Stream, StreamChunk, Worker
from tests.factories import Piece, build_chunks
from tools.waiting import until_async

SOURCE = "scripted"
COMPLETED = Ending.from_finish(Finish("stop"))


def queue_stream(owner: User, *, source: str = SOURCE, lane: str = "", **arguments: Any) -> Stream:
    with transaction.atomic():
        return lifecycle.enqueue(
            owner=owner, request_id=uuid4(), source=source, arguments=arguments, lane=lane
        )


def register_worker() -> Worker:
    """Register a worker that lives for one lease. It has no process."""
    return lifecycle.register_worker("a test's")


def start_stream(owner: User, worker: Worker | None = None, **options: Any) -> Stream:
    """Create a stream that this worker, or a new one, has claimed."""
    stream = queue_stream(owner, **options)
    return claim_stream(stream, worker or register_worker())


def claim_stream(stream: Stream, worker: Worker) -> Stream:
    """Claim this stream and no other."""
    claimed = lifecycle.claim_stream(worker, Stream.objects.get(pk=stream.pk))
    assert claimed is not None
    return claimed


def build_append(stream: Stream, *pieces: Piece, first: int | None = None) -> Append:
    """Build the next part of a stream's journal, with the epoch of `stream`."""
    row, text = Stream.objects.get(pk=stream.pk), journal.read_text(stream.pk)
    offsets = {
        Kind.TEXT: len(text.content),
        Kind.REASONING: len(text.reasoning),
        Kind.TOOL_CALL: len(text.calls),
    }
    chunks = build_chunks(pieces, first=row.next_index if first is None else first, offsets=offsets)
    return Append(stream.pk, stream.uuid, stream.epoch, tuple(chunks))


def append_chunks(stream: Stream, *pieces: Piece) -> Append:
    entry = build_append(stream, *pieces)
    assert journal.append([entry]) == {stream.pk}
    return entry


def end_stream(stream: Stream, ending: Ending = COMPLETED) -> None:
    assert lifecycle.end(stream.pk, stream.epoch, ending)


def expire_lease(worker: Worker) -> None:
    past = Now() - timedelta(seconds=1)
    assert Worker.objects.filter(pk=worker.pk).update(lease_until=past) == 1


def abandon_stream(stream: Stream) -> None:
    """Give a running stream to a worker whose lease has expired, so that another may claim it."""
    dead = register_worker()
    Stream.objects.filter(pk=stream.pk).update(worker=dead, epoch=F("epoch") + 1)
    expire_lease(dead)


def read_rows(stream: Stream) -> list[tuple[int, str, str, int]]:
    """Index, kind, delta and offset of every stored chunk."""
    chunks = StreamChunk.objects.filter(stream_id=stream.pk).order_by("index")
    stored = chunks.values_list("index", "kind", "delta", "offset")
    return [(index, KINDS_BY_NUMBER[kind], delta, offset) for index, kind, delta, offset in stored]


def reload_stream(stream: Stream) -> Stream:
    return Stream.objects.get(pk=stream.pk)


def join_deltas(pieces: Iterable[tuple[int, str, str, int]], kind: Kind = Kind.TEXT) -> str:
    return "".join(delta for _, of_kind, delta, _ in pieces if of_kind == kind)


def without_seam_text(runs: Iterable[tuple[Kind, str]]) -> list[Piece]:
    """Make generated runs valid: a seam has no text."""
    return [(kind, "" if kind == Kind.SEAM else text) for kind, text in runs]


async def wait_until(condition: Callable[[], object], *, within: float = 10.0) -> None:
    """Wait for a condition that is not a coroutine, while the loop runs."""

    async def check() -> object:
        return condition()

    await until_async(check, within=within, what=getattr(condition, "__qualname__", ""))


async def wait_for_row(
    stream: Stream, condition: Callable[[Stream], object], *, within: float = 10.0
) -> Stream:
    """Return the row of a stream as soon as the condition holds for it."""

    async def find() -> Stream | None:
        row = await run_in_db(reload_stream, stream)
        return row if condition(row) else None

    row = await until_async(find, within=within, what=f"the expected row of {stream}")
    assert row is not None
    return row


async def wait_for_end(stream: Stream, *, within: float = 10.0) -> Stream:
    return await wait_for_row(stream, lambda row: State(row.state).has_ended, within=within)


async def wait_for_text(stream: Stream, text: str, *, within: float = 10.0) -> None:
    """Wait until the journal holds exactly this text."""

    async def check() -> bool:
        return join_deltas(await run_in_db(read_rows, stream)) == text

    await until_async(check, within=within, what=f"{text!r} in the journal of {stream}")


async def notify_until_received(
    received: list[Notification], group: str, *, within: float = 20.0
) -> None:
    """Notify a group repeatedly, until one of the notifications arrives."""
    before = len(received)

    async def check() -> bool:
        notify(group, {"n": 1})
        return len(received) > before

    await until_async(check, within=within, what="a notification is received")

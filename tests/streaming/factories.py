"""Rows of the engine as tests need them: a stream in some state, what it wrote, a worker that
died. All of it is synchronous and meets the real database."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any, TypeVar
from uuid import uuid4

from django.db import connections, transaction
from django.db.models.functions import Now

from accounts.models import User
from streaming import journal, lifecycle
from streaming.events import Finish
from streaming.journal import Append, Chunk
from streaming.lifecycle import Ending
from streaming.models import KINDS_BY_NUMBER, Kind, Stream, StreamChunk, Worker
from tools.waiting import until_async

T = TypeVar("T")

SOURCE = "scripted"
COMPLETED = Ending.from_finish(Finish("stop"))

Piece = str | tuple[Kind, str]


def queued(owner: User, *, source: str = SOURCE, lane: str = "", **arguments: Any) -> Stream:
    """A stream that waits to be claimed."""
    with transaction.atomic():
        return lifecycle.enqueue(
            owner=owner, request_id=uuid4(), source=source, arguments=arguments, lane=lane
        )


def working() -> Worker:
    """A worker that is alive for one lease; nothing runs behind it."""
    return lifecycle.register_worker("a test's")


def running(owner: User, worker: Worker | None = None, **options: Any) -> Stream:
    """A stream that this worker has just claimed."""
    stream = queued(owner, **options)
    return claimed(stream, worker or working())


def claimed(stream: Stream, worker: Worker) -> Stream:
    """This very stream, claimed by this worker as `claim` would."""
    won = lifecycle.claim_stream(worker, Stream.objects.get(pk=stream.pk))
    assert won is not None
    return won


def entry_of(stream: Stream, *pieces: Piece, first: int | None = None) -> Append:
    """What this stream writes next, under the epoch it was read with: a chunk for each piece,
    which is text or a kind with its text."""
    row, held = Stream.objects.get(pk=stream.pk), journal.read_text(stream.pk)
    at = {Kind.TEXT: len(held.content), Kind.REASONING: len(held.reasoning)}
    chunks = []
    for index, piece in enumerate(pieces, start=row.next_index if first is None else first):
        kind, delta = (Kind.TEXT, piece) if isinstance(piece, str) else piece
        of = Kind.TEXT if kind == Kind.SEAM else kind
        chunks.append(Chunk(index, index, kind, delta, at[of]))
        at[of] += len(delta)
    return Append(stream.pk, stream.uuid, stream.epoch, tuple(chunks))


def write(stream: Stream, *pieces: Piece) -> Append:
    """Append to a running stream; what was written."""
    entry = entry_of(stream, *pieces)
    assert journal.append([entry]) == {stream.pk}
    return entry


def finish(stream: Stream, ending: Ending = COMPLETED) -> None:
    assert lifecycle.end(stream.pk, stream.epoch, ending)


def expire(worker: Worker) -> None:
    """Its lease has run out, as if it had died a while ago."""
    past = Now() - timedelta(seconds=1)
    assert Worker.objects.filter(pk=worker.pk).update(lease_until=past) == 1


def rows(stream: Stream) -> list[tuple[int, str, str, int]]:
    """Its journal as it is stored: index, kind, delta and offset of every chunk."""
    chunks = StreamChunk.objects.filter(stream_id=stream.pk).order_by("index")
    stored = chunks.values_list("index", "kind", "delta", "offset")
    return [(index, KINDS_BY_NUMBER[kind], delta, offset) for index, kind, delta, offset in stored]


def now(stream: Stream) -> Stream:
    """Its row as it stands."""
    return Stream.objects.get(pk=stream.pk)


def at_once(*functions: Callable[[], T]) -> list[T | BaseException]:
    """Run these in a thread each, all let go at the same moment; their results or what they
    raised, in the same order."""
    start = threading.Barrier(len(functions))
    results: list[T | BaseException] = [AssertionError("it never ran")] * len(functions)

    def run(number: int, function: Callable[[], T]) -> None:
        try:
            start.wait(10)
            results[number] = function()
        except BaseException as error:
            results[number] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=each) for each in enumerate(functions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return results


def spelled(pieces: Iterable[tuple[int, str, str, int]], kind: Kind = Kind.TEXT) -> str:
    return "".join(delta for _, of_kind, delta, _ in pieces if of_kind == kind)


async def seen(condition: Callable[[], object], *, within: float = 10.0) -> None:
    """Wait until something that needs no waiting itself is so."""

    async def so() -> object:
        return condition()

    await until_async(so, within=within, what=getattr(condition, "__qualname__", ""))

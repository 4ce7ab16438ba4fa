"""The arrows between a stream's states.

    queued → running → completed | stopped | failed | interrupted

Each is one conditional UPDATE whose row count says whether it happened, so two who try at
once can't both succeed. An ending settles what the application shows in the same transaction.

Rows are locked in one order: the stream first, then what `settle` locks. Who locks that first, to
delete it, has stopped its streams before.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction
from django.db.models import Count, F, Q
from django.db.models.functions import Now
from django.db.utils import DataError

from streaming import journal
from streaming.database import UNANSWERED
from streaming.hub import STREAMS, WORKERS, ring, stream_bell
from streaming.journal import Entry, Text
from streaming.models import LEASE, ORPHANED, State, Stream, Worker
from streaming.outage import is_absence
from streaming.providers.base import Finish, Upstream
from streaming.providers.errors import ProviderError
from streaming.sources import registered

logger = logging.getLogger(__name__)

TAKEOVERS = 1
"""How often a stream that has text is carried on after its worker died."""
RESTARTS = 3
"""How often a stream without any text is started again after its worker died."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a stream ends."""

    state: State
    finish_reason: str = ""
    error_class: str = ""
    error: str = ""
    error_detail: str = ""
    usage: dict[str, int] = field(default_factory=dict)
    upstream_id: str = ""

    @classmethod
    def completed(cls, finish: Finish) -> Ending:
        counted = asdict(finish.usage) if finish.usage else {}
        usage = {name: count for name, count in counted.items() if count is not None}
        return cls(
            State.COMPLETED,
            finish_reason=finish.reason,
            usage=usage,
            upstream_id=finish.request_id,
        )

    @classmethod
    def failed(cls, error: ProviderError, *, with_text: bool) -> Ending:
        """A fault of the connection under a reply that had begun leaves a reply to go on from."""
        cut = error.code == "interrupted" or (with_text and error.code in CUT)
        return cls(
            State.INTERRUPTED if cut else State.FAILED,
            error_class=error.code,
            error=error.message,
            error_detail=error.detail,
            upstream_id=error.request_id,
        )

    @classmethod
    def interrupted(cls, why: str) -> Ending:
        return cls(State.INTERRUPTED, error_class="interrupted", error=why)

    @classmethod
    def broken(cls) -> Ending:
        return cls(State.FAILED, error_class="internal", error="Something broke on this server.")


BEHIND = "Waiting for the reply before this one"
CAPPED = "Waiting for one of your other replies to end"
CROWDED = "Waiting for a free place"

PATIENCE = timedelta(seconds=1)
"""How long a stream is queued before it is said why."""

CUT = {"timeout", "network", "overloaded"}
STOPPED = Ending(State.STOPPED)


def enqueue(
    *,
    owner: AbstractBaseUser,
    request_id: UUID,
    source: str,
    arguments: dict[str, Any],
    lane: str = "",
    continues: Stream | None = None,
    text: Text | None = None,
) -> Stream:
    """A new stream, queued; workers are rung once the transaction around this commits.

    One that continues another begins with `text`, all that was written before, and a seam:
    so the journal of every stream is the whole text of what it makes.

    Raises IntegrityError when this owner has made this request before: roll everything back
    and answer with the stream that exists.
    """
    stream = Stream.objects.create(
        owner_id=owner.pk,
        request_id=request_id,
        source=source,
        arguments=arguments,
        lane=lane,
        continues=continues,
        note=BEHIND if lane and Stream.objects.filter(lane=lane).unfinished().exists() else "",
    )
    if text is not None:
        journal.seed(stream, text)
    transaction.on_commit(ring_workers)
    return stream


def ring_workers() -> None:
    ring(WORKERS, {"type": "stream.queued"})


def look(worker: Worker) -> tuple[dict[int, int], bool]:
    """The streams that are this worker's, with their epochs, and whether there are any that nobody
    living runs. It is asked every second by every worker, so it is one question."""
    streams = Stream.objects.unfinished().filter(Q(worker=worker) | ORPHANED)
    seen = streams.values_list("id", "epoch", "worker_id")
    mine = {stream_id: epoch for stream_id, epoch, whose in seen if whose == worker.pk}
    return mine, len(mine) < len(seen)


def claim(worker: Worker, limit: int, running: int | None = None) -> list[Stream]:
    """Streams that this worker runs from now on: new ones, and those of dead workers.

    Candidates are read and then claimed one by one, on condition that nobody else was
    faster; workers that want the same stream need no lock for that. A worker that says how
    many it runs already takes no more than its fair share, and leaves the rest to others.

    An owner with as many running streams as the cap allows is passed over; for a moment
    several workers may together exceed the cap by one each.
    """
    # Not its own, after a lease that ran out while it slept: nobody replaced it in them.
    candidates = Stream.objects.claimable().exclude(worker=worker)
    if not candidates.exists():
        return []
    if running is not None:
        limit = min(limit, _fair_share(worker) - running)
    by_owner = _running_by_owner()
    waiting = Q(state=State.QUEUED, owner__in=_at_their_cap(by_owner))
    claimed = []
    for candidate in candidates.exclude(waiting)[: max(limit, 0)]:
        fresh = candidate.state == State.QUEUED
        if fresh and by_owner[candidate.owner_id] >= settings.STREAMS_PER_USER:
            continue
        if (stream := _claim(worker, candidate)) is not None:
            by_owner[stream.owner_id] += fresh
            claimed.append(stream)
    return claimed


def _running_by_owner() -> Counter[int]:
    streams = Stream.objects.unfinished().filter(state=State.RUNNING)
    return Counter(dict(streams.values_list("owner_id").annotate(Count("id"))))


def _at_their_cap(running: Counter[int]) -> list[int]:
    return [owner for owner, count in running.items() if count >= settings.STREAMS_PER_USER]


def _fair_share(worker: Worker) -> int:
    """How many streams this worker would run if all were spread evenly over the living."""
    others = Worker.objects.filter(lease_until__gte=Now(), draining=False).exclude(pk=worker.pk)
    return -(-Stream.objects.unfinished().count() // (others.count() + 1))


def _claim(worker: Worker, stream: Stream) -> Stream | None:
    orphaned = stream.state == State.RUNNING and stream.worker_id is not None
    won = Stream.objects.filter(id=stream.id, epoch=stream.epoch, state=stream.state).update(
        state=State.RUNNING,
        epoch=stream.epoch + 1,
        worker=worker,
        claimed_at=Now(),
        attempts=F("attempts") + (1 if orphaned else 0),
        note="",
    )
    if not won:
        return None
    stream.refresh_from_db()
    return stream if stream.worker_id == worker.pk and stream.state == State.RUNNING else None


def say(stream_id: int, epoch: int, note: str) -> bool:
    """Say what a running stream is doing, as the worker that holds this epoch. False: it is over
    or another's."""
    mine = Stream.objects.filter(id=stream_id, epoch=epoch, state=State.RUNNING)
    return mine.update(note=note) > 0


def anchor(stream_id: int, epoch: int, place: Upstream) -> bool:
    """Remember the provider's copy of a reply of which nothing is there yet, as the worker that
    holds this epoch. Later places are committed with the text."""
    mine = Stream.objects.filter(id=stream_id, epoch=epoch, state=State.RUNNING)
    return mine.update(upstream_id=place.id, upstream_cursor=place.cursor) > 0


def given_up(stream_id: int) -> bool:
    """Whether nobody wants the rest of this stream: it was stopped, or deleted."""
    stream = Stream.objects.filter(id=stream_id).first()
    return stream is None or stream.state == State.STOPPED


def worn_out(stream: Stream) -> bool:
    """Whether it was taken over from dead workers too often to try once more."""
    return stream.attempts > (TAKEOVERS if stream.next_index else RESTARTS)


COUNTED = 100
"""How many of those that wait are told how many are before them."""


def tell_who_waits() -> None:
    """Say in the note of queued streams what they wait for, and how many are before them."""
    queued = Stream.objects.unfinished().filter(state=State.QUEUED)
    queued = queued.filter(created_at__lt=Now() - PATIENCE).exclude(note=BEHIND).order_by("id")
    waiting = list(queued.values_list("id", "owner_id", "note")[:COUNTED])
    if not waiting:
        return
    capped, before = _at_their_cap(_running_by_owner()), 0
    for stream_id, owner_id, said in waiting:
        note = CAPPED
        if owner_id not in capped:
            note = f"{CROWDED}, {before} before you" if before else CROWDED
            before += 1
        if note != said:
            Stream.objects.filter(id=stream_id, state=State.QUEUED).update(note=note)


def stop(stream_id: int) -> bool:
    """End a stream because a person says so, wherever it stands. False: it was over already.

    Its worker learns of it by bell, by the refused append, or by looking once a second.
    """
    with transaction.atomic():
        if not _end(Stream.objects.filter(id=stream_id).unfinished(), stream_id, STOPPED):
            return False
        stream = Stream.objects.get(id=stream_id)
        transaction.on_commit(partial(_ring_end, stream))
    return True


def end(stream_id: int, epoch: int, ending: Ending, rest: Entry | None = None) -> bool:
    """End a stream as the worker that holds this epoch, writing the rest of its text with it.

    False: it was stopped or replaced meanwhile, and nothing was written.
    """
    mine = Stream.objects.filter(id=stream_id, epoch=epoch, state=State.RUNNING)
    return _end(mine, stream_id, ending, rest)


def _end(streams: Any, stream_id: int, ending: Ending, rest: Entry | None = None) -> bool:
    """If the application fails to settle the ending, or the rest can't be stored, it is made
    again as *failed*, at last without settling: a bug there leaves no stream running."""
    broken = replace(Ending.broken(), usage=ending.usage, upstream_id=ending.upstream_id)
    for attempt, settled in ((ending, True), (broken, True), (broken, False)):
        try:
            return _end_once(streams, stream_id, attempt, rest, settled)
        except Unsettled:
            logger.exception("Stream %s could not be settled", stream_id)
        except Unstorable:
            logger.exception("Stream %s has text that can't be stored", stream_id)
            rest = None
    raise AssertionError("an ending without rest and settling can always be made")


def _end_once(
    streams: Any, stream_id: int, ending: Ending, rest: Entry | None, settled: bool
) -> bool:
    with transaction.atomic():
        if rest and not _append_rest(rest):
            return False
        if not streams.update(**_columns(ending), note="", ended_at=Now()):
            return False
        if settled:
            _settle(stream_id)
        return True


class Unstorable(Exception):
    """The database can't take the last text of a stream."""


class Unsettled(Exception):
    """The application's `settle` raised."""


def _append_rest(rest: Entry) -> bool:
    try:
        return bool(journal.append([rest]))
    except (DataError, ValueError) as error:
        raise Unstorable from error


def _settle(stream_id: int) -> None:
    stream = Stream.objects.get(id=stream_id)
    try:
        registered(stream.source).settle(stream)
    except UNANSWERED:
        raise  # the database's failure, and none of the application's: to be tried again
    except Exception as error:
        raise Unsettled from error


def _columns(ending: Ending) -> dict[str, Any]:
    """What is a provider's to choose must not be able to keep a stream from ending."""
    return {
        "state": ending.state,
        "finish_reason": _storable(ending.finish_reason)[:30],
        "error_class": _storable(ending.error_class)[:50],
        "error": _storable(ending.error),
        "error_detail": _storable(ending.error_detail),
        "usage": ending.usage,
        "upstream_id": _storable(ending.upstream_id)[:200],
    }


def _storable(text: str) -> str:
    """Without what PostgreSQL can't store: NUL, and halves of characters."""
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def fold(limit: int = 100, after: int = 0) -> int:
    """Fold streams that ended FOLD_AFTER ago into what the application holds of them.

    Returns the id to go on after, 0 at the end: what can't be folded is in nobody's way. One
    that was never settled keeps its chunks: they are all there is.
    """
    streams = list(Stream.objects.foldable().filter(id__gt=after)[:limit])
    for stream in streams:
        try:
            _fold(stream)
        except Exception as error:
            if is_absence(error):
                raise  # it would be the same with all the others
            logger.exception("Stream %s could not be folded", stream.uuid)
    return streams[-1].id if len(streams) == limit else 0


def _fold(stream: Stream) -> None:
    text = journal.text(stream.id)
    kept = registered(stream.source).recall(stream)
    if kept is None or _holds(kept, text):
        journal.fold(stream.id)
    else:
        logger.error("Stream %s is not what was settled of it; its chunks stay", stream.uuid)


def _holds(kept: Text, text: Text) -> bool:
    """A reply that was continued later may hold more reasoning; where its own ended is known
    of the text alone."""
    return kept.text == text.text and kept.reasoning.startswith(text.reasoning)


def release(worker: Worker, stream_ids: Iterable[int] | None = None) -> int:
    """Give up streams of this worker, all or some, so that others claim them at once.

    The epoch moves, so that nothing this worker may still have in hand is written after.
    """
    streams = Stream.objects.filter(worker=worker, state=State.RUNNING)
    if stream_ids is not None:
        streams = streams.filter(id__in=list(stream_ids))
    if released := streams.update(worker=None, epoch=F("epoch") + 1):
        ring_workers()
    return released


def _ring_end(stream: Stream) -> None:
    """Tell followers and the worker that a stream is over, and the lane that it is free."""
    ring(STREAMS, stream_bell(head=journal.head_of(stream)))
    ring(WORKERS, {"type": "stream.ended", "stream_id": stream.id})


def register_worker(name: str) -> Worker:
    """A new worker, alive for one lease; the rows of those long dead are removed."""
    gone = Worker.objects.filter(lease_until__lt=Now() - 300 * LEASE)
    gone.exclude(streams__state=State.RUNNING).delete()
    return Worker.objects.create(name=name[:100], lease_until=Now() + LEASE)


def renew(worker: Worker) -> None:
    """Go on living. It does not matter whether the lease had run out: that only let others
    claim this worker's streams, and the epoch keeps it from those."""
    if not Worker.objects.filter(pk=worker.pk).update(lease_until=Now() + LEASE):
        Worker.objects.create(pk=worker.pk, name=worker.name, lease_until=Now() + LEASE)


def begin_drain(worker: Worker) -> None:
    """Leave what is new to the others."""
    Worker.objects.filter(pk=worker.pk).update(draining=True)


def retire(worker: Worker) -> None:
    release(worker)
    Worker.objects.filter(pk=worker.pk).delete()

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

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction
from django.db.models import Case, F, FilteredRelation, Q, Subquery, Value, When
from django.db.models.functions import Now
from django.db.utils import DataError

from streaming import journal, turns
from streaming.database import UNANSWERED
from streaming.hub import STREAMS, WORKERS, ring, stream_bell
from streaming.journal import Entry, Text
from streaming.models import LEASE, ORPHANED, State, Stream, Worker
from streaming.outage import is_absence
from streaming.providers.base import Finish, Upstream
from streaming.providers.errors import ProviderError
from streaming.sources import registered
from streaming.turns import Candidate

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
    pool: str = "",
    size: int = 0,
    continues: Stream | None = None,
    text: Text | None = None,
) -> Stream:
    """A new stream, queued; workers are rung once the transaction around this commits. Of one with
    a `pool` no more run at once than STREAM_POOLS says; `size` is how many characters are stored to
    ask for it.

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
        pool=pool,
        size=size,
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
    """The streams that are this worker's, with their epochs, and whether there is more to see to:
    streams that nobody living runs, or its own of an owner who was deactivated.

    It is asked every second by every worker, so it is one question, whose answer does not grow
    with the queue.
    """
    others = Stream.objects.unfinished().filter(ORPHANED).exclude(worker=worker).order_by("id")
    own = Q(streams__state=State.RUNNING, streams__ended_at=None)
    rows = Worker.objects.filter(pk=worker.pk).annotate(
        own=FilteredRelation("streams", condition=own)
    )
    # In order, so that it is looked for among what is unfinished and not in the whole table.
    first = Subquery(others.values("id")[:1])
    seen = rows.values_list("own__id", "own__epoch", "own__owner__is_active", first)
    mine, more = {}, False
    for stream_id, epoch, active, other in seen:
        more = more or other is not None or active is False
        if stream_id is not None:
            mine[stream_id] = epoch
    return mine, more


def claim(worker: Worker, limit: int, running: int | None = None) -> list[Stream]:
    """Streams that this worker runs from now on: those of dead workers, and new ones in fair
    turns, as `turns` describes and bounds them. Returned oldest first.

    Candidates are read and then claimed one by one, on condition that nobody else was
    faster; workers that want the same stream need no lock for that. A worker that says how
    many it runs already takes no more than its fair share, and leaves the rest to others.
    For a moment several workers may together exceed a limit by one each.
    """
    workers = turns.living(but=worker)
    if running is not None:
        limit = min(limit, -(-Stream.objects.unfinished().count() // workers) - running)
    limit = max(limit, 0)
    # Not its own, after a lease that ran out while it slept: nobody replaced it in them.
    orphans = Stream.objects.orphaned().filter(owner__is_active=True).exclude(worker=worker)
    taken = [_claim(worker, stream) for stream in turns.candidates(orphans, limit)]
    claimed = [stream for stream in taken if stream]
    claimed += _claim_in_turn(worker, limit - len(claimed), workers)
    return sorted(claimed, key=lambda stream: stream.id)


def _claim_in_turn(worker: Worker, limit: int, workers: int) -> list[Stream]:
    owners = turns.owners_who_wait() if limit else []
    if not owners:
        return []
    places = turns.places(worker, workers)
    queue = turns.waiting(places.open_to(owners), places.shut())
    claimed: list[Stream] = []
    for next_one in turns.in_turn(queue, places.running):
        if len(claimed) == limit:
            break
        if not places.are_open_to(next_one.owner_id, next_one.pool):
            continue
        if stream := _claim(worker, next_one):
            places.take(next_one.owner_id, next_one.pool)
            claimed.append(stream)
    return claimed


def _claim(worker: Worker, stream: Stream | Candidate) -> Stream | None:
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
    return Stream.objects.filter(id=stream.id, worker=worker, state=State.RUNNING).first()


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
    """Say in the note of queued streams what they wait for, and how many are claimed before
    them."""
    queue = turns.waiting(shut=Q(created_at__gte=Now() - PATIENCE))
    if not queue:
        return
    places = turns.places(None, turns.living())
    capped, before = places.capped, Counter[str]()
    notes: dict[str, list[int]] = {}
    for stream in turns.in_turn(queue, places.running):
        note = CAPPED
        if stream.owner_id not in capped:
            line = stream.pool if places.is_full(stream.pool) else ""
            note = _crowded(before[line]) if before[line] < COUNTED else CROWDED
            before[line] += 1
        if note != stream.note:
            notes.setdefault(note, []).append(stream.id)
    _note(notes)


def _crowded(before: int) -> str:
    return f"{CROWDED}, {before} before you" if before else CROWDED


def _note(notes: dict[str, list[int]]) -> None:
    """Write all of these in one statement. Rows that somebody else is busy with are left out: the
    next time is in a second."""
    if not notes:
        return
    said = [When(id__in=ids, then=Value(note)) for note, ids in notes.items()]
    ids = [stream_id for stream in notes.values() for stream_id in stream]
    with transaction.atomic():
        free = Stream.objects.filter(id__in=ids, state=State.QUEUED).order_by("id")
        mine = list(free.select_for_update(skip_locked=True, no_key=True).values_list("id"))
        Stream.objects.filter(id__in=[id for (id,) in mine]).update(note=Case(*said))


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


def stop_all_of(owner_id: int) -> None:
    """End whatever a person has running or waiting: they were deactivated, or are being deleted."""
    unfinished = Stream.objects.unfinished().filter(owner_id=owner_id)
    for stream_id in unfinished.order_by("id").values_list("id", flat=True):
        stop(stream_id)


STOPPED_AT_ONCE = 100


def stop_of_inactive() -> None:
    """End what people who were deactivated have running or waiting, however that was done."""
    unfinished = Stream.objects.unfinished().filter(owner__is_active=False)
    for stream_id in unfinished.values_list("id", flat=True)[:STOPPED_AT_ONCE]:
        stop(stream_id)


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

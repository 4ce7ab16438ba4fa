"""The arrows between a stream's states.

    queued → running → completed | stopped | failed | interrupted

Each is one conditional UPDATE whose row count says whether it happened, so two who try at
once can't both succeed. An ending settles what the application shows in the same transaction.

Rows are locked in one order: the stream first, then what `finalize` locks. Who locks that first, to
delete it, has stopped its streams before.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction
from django.db.models import Case, F, FilteredRelation, Q, Subquery, Value, When
from django.db.models.functions import Now
from django.db.utils import DataError

from streaming import journal, scheduling
from streaming.database import CONNECTION_ERRORS
from streaming.events import Finish, SourceError
from streaming.hub import STREAMS_GROUP, WORKERS_GROUP, build_stream_notification, notify
from streaming.journal import Append, StreamText
from streaming.models import (
    LEASE_DURATION,
    ORPHANED,
    State,
    Stream,
    Worker,
    split_checkpoint,
)
from streaming.outage import is_outage_error
from streaming.scheduling import Candidate
from streaming.sources import get_handler

logger = logging.getLogger(__name__)

MAX_TAKEOVERS = 1
"""How often a stream that has text is carried on after its worker died."""
MAX_RESTARTS = 3
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
    def from_finish(cls, finish: Finish) -> Ending:
        return cls(
            State.COMPLETED,
            finish_reason=finish.reason,
            usage=dict(finish.usage or {}),
            upstream_id=finish.upstream_id,
        )

    @classmethod
    def from_error(cls, error: SourceError) -> Ending:
        return cls(
            State.INTERRUPTED if error.interrupted else State.FAILED,
            error_class=error.code,
            error=error.message,
            error_detail=error.detail,
            upstream_id=error.upstream_id,
        )

    @classmethod
    def interrupted(cls, message: str) -> Ending:
        return cls(State.INTERRUPTED, error_class="interrupted", error=message)

    @classmethod
    def internal_error(cls) -> Ending:
        return cls(State.FAILED, error_class="internal", error="Something broke on this server.")


NOTE_LANE_BUSY = "Waiting for the reply before this one"
NOTE_USER_LIMIT = "Waiting for one of your other replies to end"
NOTE_QUEUE_FULL = "Waiting for a free place"

NOTE_DELAY = timedelta(seconds=1)
"""How long a stream is queued before it is said why."""

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
    text: StreamText | None = None,
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
        note=NOTE_LANE_BUSY
        if lane and Stream.objects.filter(lane=lane).unfinished().exists()
        else "",
    )
    if text is not None:
        journal.copy_prefix(stream, text)
    transaction.on_commit(notify_workers)
    return stream


def notify_workers() -> None:
    notify(WORKERS_GROUP, {"type": "stream.queued"})


def read_own_streams(worker: Worker) -> tuple[dict[int, int], bool]:
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
    workers = scheduling.count_live_workers(including=worker)
    if running is not None:
        limit = min(limit, -(-Stream.objects.unfinished().count() // workers) - running)
    limit = max(limit, 0)
    # Not its own, after a lease that ran out while it slept: nobody replaced it in them.
    orphans = Stream.objects.orphaned().filter(owner__is_active=True).exclude(worker=worker)
    taken = [_claim_stream(worker, stream) for stream in scheduling.read_candidates(orphans, limit)]
    claimed = [stream for stream in taken if stream]
    claimed += _claim_queued(worker, limit - len(claimed), workers)
    return sorted(claimed, key=lambda stream: stream.id)


def _claim_queued(worker: Worker, limit: int, workers: int) -> list[Stream]:
    owners = scheduling.read_waiting_owners() if limit else []
    if not owners:
        return []
    places = scheduling.read_slot_usage(worker, workers)
    queue = scheduling.read_queue(places.filter_claimable_owners(owners), places.build_exclusion())
    claimed: list[Stream] = []
    for next_one in scheduling.order_fairly(queue, places.running_by_owner):
        if len(claimed) == limit:
            break
        if not places.can_claim(next_one.owner_id, next_one.pool):
            continue
        if stream := _claim_stream(worker, next_one):
            places.count_claim(next_one.owner_id, next_one.pool)
            claimed.append(stream)
    return claimed


def _claim_stream(worker: Worker, stream: Stream | Candidate) -> Stream | None:
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


def set_note(stream_id: int, epoch: int, note: str) -> bool:
    """Say what a running stream is doing, as the worker that holds this epoch. False: it is over
    or another's."""
    mine = Stream.objects.filter(id=stream_id, epoch=epoch, state=State.RUNNING)
    return mine.update(note=note) > 0


def save_checkpoint(stream_id: int, epoch: int, checkpoint: str) -> bool:
    """Save a checkpoint before there is text to commit it with, as the worker that holds this
    epoch. Later ones are committed with the text."""
    mine = Stream.objects.filter(id=stream_id, epoch=epoch, state=State.RUNNING)
    upstream_id, cursor = split_checkpoint(checkpoint)
    return mine.update(upstream_id=upstream_id, upstream_cursor=cursor) > 0


def is_stopped_or_deleted(stream_id: int) -> bool:
    """Whether nobody wants the rest of this stream: it was stopped, or deleted."""
    stream = Stream.objects.filter(id=stream_id).first()
    return stream is None or stream.state == State.STOPPED


def has_exhausted_attempts(stream: Stream) -> bool:
    """Whether it was taken over from dead workers too often to try once more."""
    return stream.attempts > (MAX_TAKEOVERS if stream.next_index else MAX_RESTARTS)


MAX_SHOWN_POSITION = 100
"""How many of those that wait are told how many are before them."""


def update_queue_notes() -> None:
    """Say in the note of queued streams what they wait for, and how many are claimed before
    them."""
    queue = scheduling.read_queue(excluded=Q(created_at__gte=Now() - NOTE_DELAY))
    if not queue:
        return
    places = scheduling.read_slot_usage(None, scheduling.count_live_workers())
    capped, before = places.owners_at_limit, Counter[str]()
    notes: dict[str, list[int]] = {}
    for stream in scheduling.order_fairly(queue, places.running_by_owner):
        note = NOTE_USER_LIMIT
        if stream.owner_id not in capped:
            line = stream.pool if places.is_pool_full(stream.pool) else ""
            note = (
                _format_queue_note(before[line])
                if before[line] < MAX_SHOWN_POSITION
                else NOTE_QUEUE_FULL
            )
            before[line] += 1
        if note != stream.note:
            notes.setdefault(note, []).append(stream.id)
    _write_notes(notes)


def _format_queue_note(position: int) -> str:
    return f"{NOTE_QUEUE_FULL}, {position} before you" if position else NOTE_QUEUE_FULL


def _write_notes(notes: dict[str, list[int]]) -> None:
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
        if not _end_with_fallback(
            Stream.objects.filter(id=stream_id).unfinished(), stream_id, STOPPED
        ):
            return False
        stream = Stream.objects.get(id=stream_id)
        transaction.on_commit(partial(_notify_end, stream))
    return True


def stop_streams_of_owner(owner_id: int) -> None:
    """End whatever a person has running or waiting: they were deactivated, or are being deleted."""
    unfinished = Stream.objects.unfinished().filter(owner_id=owner_id)
    for stream_id in unfinished.order_by("id").values_list("id", flat=True):
        stop(stream_id)


STOP_BATCH_SIZE = 100


def stop_streams_of_inactive_owners() -> None:
    """End what people who were deactivated have running or waiting, however that was done."""
    unfinished = Stream.objects.unfinished().filter(owner__is_active=False)
    for stream_id in unfinished.values_list("id", flat=True)[:STOP_BATCH_SIZE]:
        stop(stream_id)


def end(stream_id: int, epoch: int, ending: Ending, rest: Append | None = None) -> bool:
    """End a stream as the worker that holds this epoch, writing the rest of its text with it.

    False: it was stopped or replaced meanwhile, and nothing was written.
    """
    mine = Stream.objects.filter(id=stream_id, epoch=epoch, state=State.RUNNING)
    return _end_with_fallback(mine, stream_id, ending, rest)


def _end_with_fallback(
    streams: Any, stream_id: int, ending: Ending, rest: Append | None = None
) -> bool:
    """If the application fails to settle the ending, or the rest can't be stored, it is made
    again as *failed*, at last without settling: a bug there leaves no stream running."""
    broken = replace(Ending.internal_error(), usage=ending.usage, upstream_id=ending.upstream_id)
    for attempt, settled in ((ending, True), (broken, True), (broken, False)):
        try:
            return _try_end(streams, stream_id, attempt, rest, settled)
        except FinalizeFailed:
            logger.exception("Stream %s could not be settled", stream_id)
        except TextNotStorable:
            logger.exception("Stream %s has text that can't be stored", stream_id)
            rest = None
    raise AssertionError("an ending without rest and settling can always be made")


def _try_end(
    streams: Any, stream_id: int, ending: Ending, rest: Append | None, should_finalize: bool
) -> bool:
    with transaction.atomic():
        if rest and not _append_rest(rest):
            return False
        if not streams.update(**_ending_columns(ending), note="", ended_at=Now()):
            return False
        if should_finalize:
            _finalize_stream(stream_id)
        return True


class TextNotStorable(Exception):
    """The database can't take the last text of a stream."""


class FinalizeFailed(Exception):
    """The application's `finalize` raised."""


def _append_rest(rest: Append) -> bool:
    try:
        return bool(journal.append([rest]))
    except (DataError, ValueError) as error:
        raise TextNotStorable from error


def _finalize_stream(stream_id: int) -> None:
    stream = Stream.objects.get(id=stream_id)
    try:
        get_handler(stream.source).finalize(stream)
    except CONNECTION_ERRORS:
        raise  # the database's failure, and none of the application's: to be tried again
    except Exception as error:
        raise FinalizeFailed from error


def _ending_columns(ending: Ending) -> dict[str, Any]:
    """What is a provider's to choose must not be able to keep a stream from ending."""
    return {
        "state": ending.state,
        "finish_reason": _replace_unstorable(ending.finish_reason)[:30],
        "error_class": _replace_unstorable(ending.error_class)[:50],
        "error": _replace_unstorable(ending.error),
        "error_detail": _replace_unstorable(ending.error_detail),
        "usage": ending.usage,
        "upstream_id": _replace_unstorable(ending.upstream_id)[:200],
    }


def _replace_unstorable(text: str) -> str:
    """Without what PostgreSQL can't store: NUL, and halves of characters."""
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def fold_ended_streams(limit: int = 100, after: int = 0) -> int:
    """Fold streams that ended FOLD_AFTER ago into what the application holds of them.

    Returns the id to go on after, 0 at the end: what can't be folded is in nobody's way. One
    that was never settled keeps its chunks: they are all there is.
    """
    streams = list(Stream.objects.foldable().filter(id__gt=after)[:limit])
    for stream in streams:
        try:
            _fold_stream(stream)
        except Exception as error:
            if is_outage_error(error):
                raise  # it would be the same with all the others
            logger.exception("Stream %s could not be folded", stream.uuid)
    return streams[-1].id if len(streams) == limit else 0


def _fold_stream(stream: Stream) -> None:
    text = journal.read_text(stream.id)
    kept = get_handler(stream.source).load_text(stream)
    if kept is None or _is_same_text(kept, text):
        journal.fold_chunks(stream.id)
    else:
        logger.error("Stream %s is not what was settled of it; its chunks stay", stream.uuid)


def _is_same_text(stored: StreamText, text: StreamText) -> bool:
    """A reply that was continued later may hold more reasoning; where its own ended is known
    of the text alone."""
    return stored.content == text.content and stored.reasoning.startswith(text.reasoning)


def release_streams(worker: Worker, stream_ids: Iterable[int] | None = None) -> int:
    """Give up streams of this worker, all or some, so that others claim them at once.

    The epoch moves, so that nothing this worker may still have in hand is written after.
    """
    streams = Stream.objects.filter(worker=worker, state=State.RUNNING)
    if stream_ids is not None:
        streams = streams.filter(id__in=list(stream_ids))
    if released := streams.update(worker=None, epoch=F("epoch") + 1):
        notify_workers()
    return released


def _notify_end(stream: Stream) -> None:
    """Tell followers and the worker that a stream is over, and the lane that it is free."""
    notify(STREAMS_GROUP, build_stream_notification(head=journal.head_from_stream(stream)))
    notify(WORKERS_GROUP, {"type": "stream.ended", "stream_id": stream.id})


def register_worker(name: str) -> Worker:
    """A new worker, alive for one lease; the rows of those long dead are removed."""
    gone = Worker.objects.filter(lease_until__lt=Now() - 300 * LEASE_DURATION)
    gone.exclude(streams__state=State.RUNNING).delete()
    return Worker.objects.create(name=name[:100], lease_until=Now() + LEASE_DURATION)


def renew_lease(worker: Worker) -> None:
    """Go on living. It does not matter whether the lease had run out: that only let others
    claim this worker's streams, and the epoch keeps it from those."""
    if not Worker.objects.filter(pk=worker.pk).update(lease_until=Now() + LEASE_DURATION):
        Worker.objects.create(pk=worker.pk, name=worker.name, lease_until=Now() + LEASE_DURATION)


def begin_drain(worker: Worker) -> None:
    """Leave what is new to the others."""
    Worker.objects.filter(pk=worker.pk).update(draining=True)


def deregister_worker(worker: Worker) -> None:
    release_streams(worker)
    Worker.objects.filter(pk=worker.pk).delete()

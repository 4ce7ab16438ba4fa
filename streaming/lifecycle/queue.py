"""Claiming: which worker runs which stream from now on; and the notes of those that wait."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from django.db import transaction
from django.db.models import Case, F, Q, Value, When
from django.db.models.functions import Now

from streaming.lifecycle import scheduling
from streaming.lifecycle.scheduling import Candidate
from streaming.models import State, Stream, Worker
from streaming.sentences import gettext_noop

NOTE_USER_LIMIT = gettext_noop("Queued until another of yours ends")
NOTE_QUEUE_FULL = gettext_noop("Queued: server busy")
NOTE_QUEUE_POSITION = gettext_noop("Queued: server busy, {position} before you")
NOTE_DELAY = timedelta(seconds=1)
"""How long a stream is queued before its note gives the reason."""
MAX_SHOWN_POSITION = 100
"""So many notes at the front of the queue tell how many streams are before them."""


def claim(worker: Worker, limit: int, running: int | None = None) -> list[Stream]:
    """Claim streams for this worker: first those of dead workers, then queued ones in the order and
    within the limits of `scheduling`. Returns them, oldest first.

    Candidates are read and then claimed one by one, on condition that no other worker was faster,
    so workers that want the same stream need no lock. With `running`, the number of streams that it
    runs already, a worker takes no more than its fair share and leaves the rest to others. For a
    moment, several workers together may exceed a limit by one each.
    """
    workers = scheduling.count_live_workers(including=worker)
    if running is not None:
        limit = min(limit, -(-Stream.objects.unfinished().count() // workers) - running)
    limit = max(limit, 0)
    # Without its own: if its lease ran out while it slept, no other worker has taken them.
    orphans = Stream.objects.orphaned().filter(owner__is_active=True).exclude(worker=worker)
    taken = [claim_stream(worker, stream) for stream in scheduling.read_candidates(orphans, limit)]
    claimed = [stream for stream in taken if stream]
    claimed += _claim_queued(worker, limit - len(claimed), workers)
    return sorted(claimed, key=lambda stream: stream.id)


def _claim_queued(worker: Worker, limit: int, workers: int) -> list[Stream]:
    owners = scheduling.read_waiting_owners() if limit else []
    if not owners:
        return []
    usage = scheduling.read_slot_usage(worker, workers)
    queue = scheduling.read_queue(usage.filter_claimable_owners(owners), usage.build_exclusion())
    claimed: list[Stream] = []
    for candidate in scheduling.order_fairly(queue, usage.running_by_owner):
        if len(claimed) == limit:
            break
        if not usage.can_claim(candidate.owner_id, candidate.pool):
            continue
        if stream := claim_stream(worker, candidate):
            usage.count_claim(candidate.owner_id, candidate.pool)
            claimed.append(stream)
    return claimed


def claim_stream(worker: Worker, stream: Stream | Candidate) -> Stream | None:
    """Claim this stream, if it is still as it was read."""
    is_takeover = stream.state == State.RUNNING and stream.worker_id is not None
    won = Stream.objects.filter(id=stream.id, epoch=stream.epoch, state=stream.state).update(
        state=State.RUNNING,
        epoch=stream.epoch + 1,
        worker=worker,
        claimed_at=Now(),
        attempts=F("attempts") + (1 if is_takeover else 0),
        note="",
    )
    if not won:
        return None
    return Stream.objects.filter(id=stream.id, worker=worker, state=State.RUNNING).first()


def update_queue_notes() -> None:
    """Write into the notes of queued streams what they wait for, and how many are before them."""
    queue = scheduling.read_queue(excluded=Q(created_at__gte=Now() - NOTE_DELAY))
    if not queue:
        return
    usage = scheduling.read_slot_usage(None, scheduling.count_live_workers())
    owners_at_limit, positions = usage.owners_at_limit, Counter[str]()
    ids_by_note: dict[str, list[int]] = {}
    for stream in scheduling.order_fairly(queue, usage.running_by_owner):
        note = NOTE_USER_LIMIT
        if stream.owner_id not in owners_at_limit:
            pool = stream.pool if usage.is_pool_full(stream.pool) else ""
            note = _format_queue_note(positions[pool])
            positions[pool] += 1
        if note != stream.note:
            ids_by_note.setdefault(note, []).append(stream.id)
    _write_notes(ids_by_note)


def _format_queue_note(position: int) -> str:
    if 0 < position < MAX_SHOWN_POSITION:
        return NOTE_QUEUE_POSITION.format(position=position)
    return NOTE_QUEUE_FULL


def _write_notes(ids_by_note: dict[str, list[int]]) -> None:
    """Write all of these in one statement. Rows that another transaction has locked are left out:
    the next turn comes in a second."""
    if not ids_by_note:
        return
    notes = [When(id__in=ids, then=Value(note)) for note, ids in ids_by_note.items()]
    ids = [stream_id for of_note in ids_by_note.values() for stream_id in of_note]
    with transaction.atomic():
        queued = Stream.objects.filter(id__in=ids, state=State.QUEUED).order_by("id")
        locked = list(queued.select_for_update(skip_locked=True, no_key=True).values_list("id"))
        Stream.objects.filter(id__in=[id for (id,) in locked]).update(note=Case(*notes))

"""Workers: their leases, and the streams that they hold."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import F, FilteredRelation, Q, Subquery
from django.db.models.functions import Now

from streaming.lifecycle.notifications import notify_workers
from streaming.models import LEASE_DURATION, ORPHANED, State, Stream, Worker


def register_worker(name: str) -> Worker:
    """A new worker with a fresh lease. Rows of workers that died long ago are removed."""
    gone = Worker.objects.filter(lease_until__lt=Now() - 300 * LEASE_DURATION)
    gone.exclude(streams__state=State.RUNNING).delete()
    return Worker.objects.create(name=name[:100], lease_until=Now() + LEASE_DURATION)


def renew_lease(worker: Worker) -> None:
    """Renew the lease, even one that has run out: that only let others claim this worker's streams,
    and the epoch keeps it from writing to those."""
    if not Worker.objects.filter(pk=worker.pk).update(lease_until=Now() + LEASE_DURATION):
        Worker.objects.create(pk=worker.pk, name=worker.name, lease_until=Now() + LEASE_DURATION)


def begin_drain(worker: Worker) -> None:
    """Leave new streams to the other workers."""
    Worker.objects.filter(pk=worker.pk).update(draining=True)


def deregister_worker(worker: Worker) -> None:
    release_streams(worker)
    Worker.objects.filter(pk=worker.pk).delete()


def release_streams(worker: Worker, stream_ids: Iterable[int] | None = None) -> int:
    """Give up streams of this worker, all or some, so that others claim them at once; returns how
    many. The epoch moves, so nothing that this worker still holds is written afterwards."""
    streams = Stream.objects.filter(worker=worker, state=State.RUNNING)
    if stream_ids is not None:
        streams = streams.filter(id__in=list(stream_ids))
    if released := streams.update(worker=None, epoch=F("epoch") + 1):
        notify_workers()
    return released


def read_own_streams(worker: Worker) -> tuple[dict[int, int], bool]:
    """The epochs of this worker's streams by their ids, and whether there is more to do: streams
    without a living worker, or own streams of a deactivated owner.

    Every worker asks this every second, so it is one query whose result does not grow with the
    queue.
    """
    others = Stream.objects.unfinished().filter(ORPHANED).exclude(worker=worker).order_by("id")
    own = Q(streams__state=State.RUNNING, streams__ended_at=None)
    workers = Worker.objects.filter(pk=worker.pk).annotate(
        own=FilteredRelation("streams", condition=own)
    )
    # Ordered, so that the database uses the index of unfinished streams and not the whole table.
    first_other = Subquery(others.values("id")[:1])
    rows = workers.values_list("own__id", "own__epoch", "own__owner__is_active", first_other)
    epochs, has_more = {}, False
    for stream_id, epoch, is_active, other_id in rows:
        has_more = has_more or other_id is not None or is_active is False
        if stream_id is not None:
            epochs[stream_id] = epoch
    return epochs, has_more

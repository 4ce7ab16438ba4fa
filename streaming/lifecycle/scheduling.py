"""Fair scheduling: which queued streams may be claimed, and in which order.

The owner with the fewest running streams goes first; of equals the one whose last claim is longest
ago; of one owner's streams the oldest. The streams of a lane keep their order.

An order alone does not help a new owner while long streams fill all slots. So the *first* stream of
an owner who has nothing else running may take any slot, and *further* ones only a part: 70 % of a
worker's slots, and a quarter of the slots of a limited pool. Sources that cost users nothing belong
in a limited pool (`STREAMING_POOLS`), so that they can't take all slots.

For example, with 200 slots, 10 streams an owner, and pools of 40 and 100 slots, the further streams
of others leave 60 slots of all, 30 of the first pool and 75 of the second. An owner with nothing
running is therefore served at once

- until 74 owners hold all 200 slots: 14 with ten streams and 60 with one;
- in the first pool until 31 owners hold its 40 slots, and in the second until 78 hold its 100.

With more owners than that, an owner who waits gets the next free slot, before all who have
something running or had a claim since.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db.models import Count, F, OuterRef, Q, Subquery, Window
from django.db.models.functions import Now, RowNumber

from streaming.conf import engine_settings
from streaming.models import State, Stream, StreamQuerySet, Worker

UNRESERVED_SHARE = 0.7
"""The share of a worker's slots that owners with a running stream may take."""
UNRESERVED_POOL_SHARE = 0.25
"""The same share of a limited pool."""
MAX_CANDIDATES = 1_000
"""How many queued streams are considered at once: the oldest of every owner before the second of
any."""

NO_EXCLUSION = Q()
NEVER = datetime.min.replace(tzinfo=UTC)


class Candidate(NamedTuple):
    """A stream that may be claimed, without its arguments, which may be long."""

    id: int
    epoch: int
    state: str
    worker_id: UUID | None
    owner_id: int
    pool: str
    note: str


@dataclass(slots=True)
class SlotUsage:
    """How many streams run now. `own_count` counts those of one worker; `worker_count` counts the
    living workers that take new streams."""

    worker_count: int
    own_count: int = 0
    running_by_owner: Counter[int] = field(default_factory=Counter)
    running_by_pool: Counter[str] = field(default_factory=Counter)

    def count_claim(self, owner_id: int, pool: str) -> None:
        self.own_count += 1
        self.running_by_owner[owner_id] += 1
        self.running_by_pool[pool] += 1

    def can_claim(self, owner_id: int, pool: str) -> bool:
        """Whether one more stream of this owner may be claimed."""
        running = self.running_by_owner[owner_id]
        if running >= engine_settings.MAX_STREAMS_PER_USER or self.is_pool_full(pool):
            return False
        return not running or not (self._is_reserved or self._is_pool_reserved(pool))

    def filter_claimable_owners(self, owners: Iterable[int]) -> list[int]:
        """The owners of whom one more stream may be claimed, as long as its pool has room."""
        if self._is_reserved:
            return [owner for owner in owners if owner not in self.running_by_owner]
        at_limit = self.owners_at_limit
        return [owner for owner in owners if owner not in at_limit]

    def build_exclusion(self) -> Q:
        """Matches the streams that may not be claimed now because of their pool."""
        excluded = Q()
        for pool in engine_settings.POOLS:
            if self.is_pool_full(pool):
                excluded |= Q(pool=pool)
            elif self._is_pool_reserved(pool):
                excluded |= Q(pool=pool, owner__in=[*self.running_by_owner])
        return excluded

    @property
    def owners_at_limit(self) -> set[int]:
        limit = engine_settings.MAX_STREAMS_PER_USER
        return {owner for owner, count in self.running_by_owner.items() if count >= limit}

    def is_pool_full(self, pool: str) -> bool:
        limit = self._pool_limit(pool)
        return limit is not None and self.running_by_pool[pool] >= limit

    @property
    def _is_reserved(self) -> bool:
        return self.own_count >= engine_settings.MAX_STREAMS_PER_WORKER - _reserved_slots(
            engine_settings.MAX_STREAMS_PER_WORKER
        )

    def _is_pool_reserved(self, pool: str) -> bool:
        limit = self._pool_limit(pool)
        if limit is None:
            return False
        return self.running_by_pool[pool] >= max(1, int(limit * UNRESERVED_POOL_SHARE))

    def _pool_limit(self, pool: str) -> int | None:
        """For all workers together; None: no limit."""
        limit = engine_settings.POOLS.get(pool)
        return None if limit is None else limit * self.worker_count


def _reserved_slots(slots: int) -> int:
    return int(slots * (1 - UNRESERVED_SHARE))


def read_slot_usage(worker: Worker | None, worker_count: int) -> SlotUsage:
    """Count what runs now, with one query."""
    usage = SlotUsage(worker_count)
    running = Stream.objects.unfinished().filter(state=State.RUNNING)
    grouped = running.values_list("owner_id", "pool", "worker_id").annotate(Count("id"))
    for owner_id, pool, worker_id, count in grouped:
        usage.running_by_owner[owner_id] += count
        usage.running_by_pool[pool] += count
        usage.own_count += count if worker and worker_id == worker.pk else 0
    return usage


def count_live_workers(including: Worker | None = None) -> int:
    """How many living workers take new streams, at least one. `including` counts as one of them."""
    alive = Worker.objects.filter(lease_until__gte=Now(), draining=False)
    return alive.exclude(pk=including.pk).count() + 1 if including else max(1, alive.count())


def read_waiting_owners() -> list[int]:
    """The owners who have anything queued."""
    queued = Stream.objects.unfinished().filter(state=State.QUEUED)
    return list(queued.order_by().values_list("owner_id", flat=True).distinct())


def read_queue(
    owners: Collection[int] | None = None, excluded: Q = NO_EXCLUSION
) -> list[Candidate]:
    """Queued streams that may be claimed, of all owners or of these, without the excluded ones: the
    oldest of every owner before the second of any, and no more than MAX_CANDIDATES."""
    if owners is not None and not owners:
        return []
    queued = Stream.objects.claimable()
    if owners is not None:
        queued = queued.filter(owner__in=owners)
    if excluded:
        queued = queued.exclude(excluded)
    turn = Window(RowNumber(), partition_by=F("owner_id"), order_by=F("id").asc())
    in_turns = queued.annotate(turn=turn).filter(turn__lte=engine_settings.MAX_STREAMS_PER_USER)
    return read_candidates(in_turns.order_by("turn", "id"), MAX_CANDIDATES)


def read_candidates(streams: StreamQuerySet, limit: int) -> list[Candidate]:
    """The first of these streams, as their rows are now."""
    return [Candidate(*row) for row in streams.values_list(*Candidate._fields)[:limit]]


def order_fairly(queue: Iterable[Candidate], running: Mapping[int, int]) -> Iterator[Candidate]:
    """The same streams in the order in which to claim them. `running` is counted up for each."""
    by_owner: dict[int, list[Candidate]] = {}
    for stream in queue:
        by_owner.setdefault(stream.owner_id, []).append(stream)
    last = _read_last_claims(by_owner) if len(by_owner) > 1 else {}
    heap = []
    for owner_id, streams in by_owner.items():
        streams.sort(reverse=True)  # the oldest is taken from the end
        heap.append((running.get(owner_id, 0), last.get(owner_id) or NEVER, streams.pop()))
    heapq.heapify(heap)
    while heap:
        count, turn, stream = heap[0]
        yield stream
        if left := by_owner[stream.owner_id]:
            heapq.heapreplace(heap, (count + 1, turn, left.pop()))
        else:
            heapq.heappop(heap)


def _read_last_claims(owners: Iterable[int]) -> dict[int, datetime | None]:
    """When each of these owners last had a stream claimed."""
    claimed = Stream.objects.filter(owner=OuterRef("pk"), claimed_at__isnull=False)
    newest = claimed.order_by("-created_at").values("claimed_at")[:1]
    users = get_user_model()._default_manager.filter(pk__in=[*owners])
    return dict(users.values_list("pk", Subquery(newest)))

"""Fair scheduling: many accounts of an attacker cannot block a person who has no running stream."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from accounts.models import User
from streaming import lifecycle
from streaming.lifecycle import queue, scheduling
from streaming.lifecycle.scheduling import SlotUsage
from streaming.models import State, Stream, Worker
from tests.streaming.factories import (
    SOURCE,
    end_stream,
    expire_lease,
    queue_stream,
    register_worker,
    reload_stream,
    start_stream,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("fake_source")]

ATTACKER_COUNT = 20
STREAMS_PER_ATTACKER = 30
NEWCOMER = -1


@pytest.fixture
def attackers() -> list[User]:
    people = [User(email=f"attacker{n}@holdfast.test") for n in range(ATTACKER_COUNT)]
    return User.objects.bulk_create(people)


def queue_many(people: list[User], pool: str = "", each: int = STREAMS_PER_ATTACKER) -> None:
    """Queue a number of streams for each person, one person after the other."""
    Stream.objects.bulk_create(
        Stream(owner=person, request_id=uuid4(), source=SOURCE, pool=pool)
        for person in people
        for _ in range(each)
    )


def claim_all(worker: Worker) -> list[Stream]:
    """Claim until this worker can claim no more."""
    claimed: list[Stream] = []
    while got := lifecycle.claim(worker, 50):
        claimed += got
    return claimed


def count_by_owner(streams: list[Stream]) -> Counter[int]:
    return Counter(stream.owner_id for stream in streams)


def queue_in_pool(person: User, pool: str = "") -> Stream:
    stream = queue_stream(person)
    Stream.objects.filter(pk=stream.pk).update(pool=pool)
    return stream


@pytest.mark.parametrize(
    ("pool", "owners"), [("", 74), ("demo", 31), ("keyless", 78), ("shared", 117)]
)
def test_the_promised_number_of_owners_can_hold_all_slots_and_no_fewer(
    pool: str, owners: int, settings: Settings
) -> None:
    """In the worst case each owner takes all it may before the next one comes."""
    assert settings.STREAMING_MAX_STREAMS_PER_WORKER == 200
    assert settings.STREAMING_MAX_STREAMS_PER_USER == 10
    assert settings.STREAMING_POOLS == {"demo": 40, "keyless": 100, "shared": 150}
    slots, holders = SlotUsage(worker_count=1), 0
    while slots.own_count < 200 and slots.can_claim(NEWCOMER, pool):
        holders += 1
        while slots.can_claim(holders, pool):
            slots.count_claim(holders, pool)
    assert holders == owners
    others = [other for other in ("", "demo", "keyless", "shared") if other != pool]
    assert not pool or all(slots.can_claim(NEWCOMER, other) for other in others)


@pytest.fixture
def small_limits(settings: Settings) -> Settings:
    """Fewer slots in the same proportions. The demo has more, because twenty people must fit in."""
    settings.STREAMING_MAX_STREAMS_PER_WORKER = 80
    settings.STREAMING_POOLS = {"demo": 32, "keyless": 40}
    return settings


@pytest.mark.parametrize(
    ("pool", "gradually"), [("demo", True), ("", False), ("keyless", True)], ids=str
)
def test_twenty_busy_owners_leave_slots_for_owners_with_no_running_stream(
    attackers: list[User], colleague: User, small_limits: Settings, pool: str, gradually: bool
) -> None:
    worker = register_worker()
    for people in [[person] for person in attackers] if gradually else [attackers]:
        queue_many(people, pool)
        claim_all(worker)
    held = Counter(Stream.objects.filter(state=State.RUNNING).values_list("owner_id", flat=True))
    assert len(held) == ATTACKER_COUNT, "each has a turn"
    assert held.total() < small_limits.STREAMING_POOLS.get(
        pool, small_limits.STREAMING_MAX_STREAMS_PER_WORKER
    )
    for of in (pool, ""):
        mine = queue_in_pool(colleague, of)
        assert [stream.pk for stream in lifecycle.claim(worker, 50)] == [mine.pk]
        end_stream(reload_stream(mine))
        claim_all(worker)


@pytest.mark.prove
def test_demand_for_all_pools_at_once_leaves_slots_in_each(
    attackers: list[User], colleague: User, small_limits: Settings
) -> None:
    small_limits.STREAMING_MAX_STREAMS_PER_WORKER = 120
    worker = register_worker()
    for pool in ("demo", "keyless", ""):
        queue_many(attackers, pool)
        claim_all(worker)
    for pool in ("demo", "keyless", ""):
        mine = queue_in_pool(colleague, pool)
        assert [stream.pk for stream in lifecycle.claim(worker, 50)] == [mine.pk]
        end_stream(reload_stream(mine))


def test_owners_take_turns_and_the_oldest_stream_of_each_goes_first(
    owner: User, colleague: User, stranger: User
) -> None:
    mine = [queue_stream(owner) for _ in range(4)]
    theirs = [queue_stream(colleague) for _ in range(2)]
    last = queue_stream(stranger)
    worker = register_worker()
    rounds = [[s.pk for s in lifecycle.claim(worker, 3)] for _ in range(3)]
    assert rounds == [
        [mine[0].pk, theirs[0].pk, last.pk],
        [mine[1].pk, mine[2].pk, theirs[1].pk],
        [mine[3].pk],
    ]


def test_the_owner_with_fewer_running_streams_goes_first(owner: User, colleague: User) -> None:
    worker = register_worker()
    start_stream(owner, worker)
    [first, second], theirs = [queue_stream(owner), queue_stream(owner)], queue_stream(colleague)
    assert [s.pk for s in lifecycle.claim(worker, 1)] == [theirs.pk]
    assert [s.pk for s in lifecycle.claim(worker, 1)] == [first.pk]
    assert [s.pk for s in lifecycle.claim(worker, 1)] == [second.pk]


def test_of_two_idle_owners_the_one_with_the_older_turn_goes_first(
    owner: User, colleague: User, settings: Settings
) -> None:
    """With one slot, a person does not wait for the whole older queue of another."""
    settings.STREAMING_MAX_STREAMS_PER_WORKER = 1
    worker = register_worker()
    queue = [queue_stream(owner) for _ in range(5)]
    served = []
    (first,) = lifecycle.claim(worker, 1)
    theirs = [queue_stream(colleague), queue_stream(colleague)]
    end_stream(first)
    for _ in range(4):
        (stream,) = lifecycle.claim(worker, 1)
        served.append(stream.pk)
        end_stream(stream)
    assert served == [theirs[0].pk, queue[1].pk, theirs[1].pk, queue[2].pk]


def test_every_owner_is_served_in_the_end(attackers: list[User], settings: Settings) -> None:
    settings.STREAMING_MAX_STREAMS_PER_WORKER, settings.STREAMING_POOLS = 10, {"demo": 2}
    queue_many(attackers[:6], each=4)
    queue_many(attackers[3:9], "demo", each=2)
    worker = register_worker()
    for _ in range(40):
        for stream in claim_all(worker):
            end_stream(stream)
    assert not Stream.objects.unfinished().exists()


def test_a_limited_pool_is_not_exceeded_and_delays_no_other_stream(
    attackers: list[User], settings: Settings
) -> None:
    settings.STREAMING_POOLS = {"demo": 8}
    worker = register_worker()
    queue_many(attackers[:10], "demo", each=3)
    assert len(claim_all(worker)) == 8
    queue_many(attackers[:2], each=3)
    assert sorted(count_by_owner(claim_all(worker)).values()) == [3, 3]
    register_worker()  # each live worker adds slots
    assert len(claim_all(worker)) == 2, "one for each owner without a running stream"


def test_an_inactive_owner_gets_no_turn(owner: User, colleague: User) -> None:
    """Neither a queued stream nor one of a dead worker is claimed, even if only the row was
    changed."""
    dead = register_worker()
    orphan, waiting, theirs = (
        start_stream(owner, dead),
        queue_stream(owner),
        queue_stream(colleague),
    )
    expire_lease(dead)
    User.objects.filter(pk=owner.pk).update(is_active=False)
    assert [s.pk for s in lifecycle.claim(register_worker(), 9)] == [theirs.pk]
    lifecycle.stop_streams_of_inactive_owners()
    assert [reload_stream(s).state for s in (orphan, waiting, theirs)] == [
        "stopped",
        "stopped",
        "running",
    ]


def test_a_poll_notices_a_deactivated_owner(owner: User) -> None:
    worker = register_worker()
    stream = start_stream(owner, worker)
    assert lifecycle.read_own_streams(worker) == ({stream.pk: stream.epoch}, False)
    User.objects.filter(pk=owner.pk).update(is_active=False)
    assert lifecycle.read_own_streams(worker) == ({stream.pk: stream.epoch}, True)


def test_a_row_of_a_version_without_pools_takes_any_slot(owner: User) -> None:
    columns = "uuid, owner_id, request_id, source, arguments, lane, state, epoch, attempts"
    columns += ", next_index, length, note, error_class, error, error_detail, finish_reason"
    columns += ", usage, upstream_id, upstream_cursor"
    values: list[str | int] = [
        uuid4().hex,
        owner.pk,
        uuid4().hex,
        SOURCE,
        "{}",
        "",
        "queued",
        0,
        0,
        0,
        0,
    ]
    values += ["", "", "", "", "", "{}", "", ""]
    marks = ", ".join(["%s"] * len(values))
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO streaming_stream ({columns}) VALUES ({marks})", values)
    (stream,) = lifecycle.claim(register_worker(), 9)
    assert (stream.pool, stream.size) == ("", 0)


# Cost of a claim


def test_a_claim_needs_no_more_queries_for_a_long_queue(
    attackers: list[User], colleague: User
) -> None:
    worker, query_counts = register_worker(), list[int]()
    for each in (1, 30):
        queue_many(attackers, each=each)
        queue_stream(colleague)
        with CaptureQueriesContext(connection) as queries:
            assert len(lifecycle.claim(worker, 1)) == 1
        query_counts.append(len(queries))
    assert query_counts[0] == query_counts[1] <= 9


def test_a_poll_is_one_query_with_a_small_result_however_long_the_queue(
    attackers: list[User], owner: User
) -> None:
    worker = register_worker()
    mine = [start_stream(owner, worker) for _ in range(3)]
    queue_many(attackers, each=30)
    with CaptureQueriesContext(connection) as queries:
        found = lifecycle.read_own_streams(worker)
    assert found == ({stream.pk: stream.epoch for stream in mine}, True)
    assert len(queries) == 1
    with connection.cursor() as cursor:
        cursor.execute(queries[0]["sql"])
        rows = cursor.fetchall()
    assert len(rows) == 3


# Notes of queued streams


def test_a_queue_note_gives_the_position_in_claim_order(
    attackers: list[User], colleague: User
) -> None:
    queue_many(attackers[:3], each=5)
    mine = queue_stream(colleague)
    Stream.objects.update(created_at=Now() - timedelta(seconds=5))
    lifecycle.update_queue_notes()
    assert reload_stream(mine).note == f"{lifecycle.NOTE_QUEUE_FULL}, 3 before you"
    notes = dict(Stream.objects.values_list("pk", "note"))
    order = [stream.id for stream in scheduling.order_fairly(scheduling.read_queue(), {})]
    assert [notes[pk] for pk in order[:2]] == [
        lifecycle.NOTE_QUEUE_FULL,
        f"{lifecycle.NOTE_QUEUE_FULL}, 1 before you",
    ]


def test_a_queue_note_of_a_full_pool_counts_the_streams_that_wait_for_it(
    attackers: list[User], colleague: User, settings: Settings
) -> None:
    settings.STREAMING_POOLS = {"demo": 2}
    queue_many(attackers[:4], "demo", each=1)
    assert len(claim_all(register_worker())) == 2
    queue_many(attackers[5:9], each=1)
    mine = queue_in_pool(colleague, "demo")
    Stream.objects.update(created_at=Now() - timedelta(seconds=5))
    lifecycle.update_queue_notes()
    assert reload_stream(mine).note == f"{lifecycle.NOTE_QUEUE_FULL}, 2 before you"


def test_thousands_of_queue_notes_take_a_few_statements_and_no_wrong_number_stays(
    attackers: list[User], colleague: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "MAX_SHOWN_POSITION", 3)
    mine = queue_stream(colleague)
    queue_many(attackers[:1], each=1)
    Stream.objects.update(created_at=Now() - timedelta(seconds=5), note="")
    lifecycle.update_queue_notes()
    late = Stream.objects.exclude(pk=mine.pk).get()
    assert late.note == f"{lifecycle.NOTE_QUEUE_FULL}, 1 before you"
    Stream.objects.filter(pk=mine.pk).delete()
    start_stream(attackers[0])
    queue_many(attackers[1:], each=20)
    Stream.objects.update(created_at=Now() - timedelta(seconds=5))
    with CaptureQueriesContext(connection) as queries:
        lifecycle.update_queue_notes()
    assert len(queries) <= 8
    assert reload_stream(late).note == lifecycle.NOTE_QUEUE_FULL

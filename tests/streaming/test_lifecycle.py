"""State changes of streams: each happens once, and of two at once exactly one succeeds."""

from __future__ import annotations

import itertools
import math
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, OperationalError, transaction
from django.db.models.functions import Now
from pytest_django import Settings

from accounts.models import User
from streaming import journal, lifecycle
from streaming.events import Finish, SourceError, StreamText
from streaming.hub import STREAMS_GROUP, WORKERS_GROUP
from streaming.lifecycle import (
    MAX_RESTARTS,
    MAX_TAKEOVERS,
    Ending,
    has_exhausted_attempts,
    notifications,
)
from streaming.models import LEASE_DURATION, Kind, State, Stream, Worker
from tests.factories import run_at_once
from tests.streaming.factories import (
    COMPLETED,
    SOURCE,
    append_chunks,
    build_append,
    claim_stream,
    end_stream,
    expire_lease,
    join_deltas,
    queue_stream,
    read_rows,
    register_worker,
    reload_stream,
    start_stream,
)
from tests.streaming.fake_source import FakeSource

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("fake_source")]

Published = list[tuple[str, dict[str, Any]]]


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> Published:
    """All notifications that state changes send."""
    calls: Published = []
    monkeypatch.setattr(notifications, "notify", lambda group, body: calls.append((group, body)))
    return calls


# Enqueue


def test_a_stream_is_queued_with_its_transaction_and_workers_are_notified_after_it(
    owner: User, published: Published
) -> None:
    with transaction.atomic():
        stream = lifecycle.enqueue(
            owner=owner, request_id=uuid4(), source=SOURCE, arguments={"a": 1}, lane="x"
        )
        assert published == []
    assert published == [(WORKERS_GROUP, {"type": "stream.queued"})]
    row = reload_stream(stream)
    assert (row.state, row.epoch, row.next_index, row.arguments) == ("queued", 0, 0, {"a": 1})


def test_a_rolled_back_stream_sends_no_notification(owner: User, published: Published) -> None:
    with transaction.atomic():
        queue_stream(owner)
        transaction.set_rollback(True)
    assert published == []
    assert not Stream.objects.exists()


def test_the_same_request_of_the_same_owner_is_one_stream(owner: User, colleague: User) -> None:
    request = uuid4()

    def enqueue_request(user: User) -> Stream:
        with transaction.atomic():
            return lifecycle.enqueue(owner=user, request_id=request, source=SOURCE, arguments={})

    enqueue_request(owner)
    with pytest.raises(IntegrityError):
        enqueue_request(owner)
    enqueue_request(colleague)  # another owner may use the same id
    assert Stream.objects.count() == 2


# Claim


def test_a_claim_takes_the_oldest_up_to_its_limit(owner: User) -> None:
    streams = [queue_stream(owner) for _ in range(5)]
    worker = register_worker()
    claimed = lifecycle.claim(worker, 3)
    assert [s.pk for s in claimed] == [s.pk for s in streams[:3]]
    assert {(s.state, s.epoch, s.worker_id, s.attempts) for s in claimed} == {
        ("running", 1, worker.pk, 0)
    }
    assert all(s.claimed_at for s in claimed)
    assert [s.pk for s in lifecycle.claim(register_worker(), 3)] == [s.pk for s in streams[3:]]


def test_two_claimers_at_once_never_get_the_same_stream(owner: User, settings: Settings) -> None:
    settings.STREAMING_MAX_STREAMS_PER_USER = 1000
    for _ in range(5):
        streams = {queue_stream(owner).pk for _ in range(12)}
        claims = [partial(lifecycle.claim, register_worker(), 12) for _ in range(3)]
        claimed = [
            [s.pk for s in claim] for claim in run_at_once(*claims) if isinstance(claim, list)
        ]
        taken = list(itertools.chain(*claimed))
        assert len(claimed) == 3
        assert len(taken) == len(set(taken))
        assert set(taken) == streams
        assert {now_epoch for (now_epoch,) in _read_epochs(streams)} == {1}


def _read_epochs(ids: set[int]) -> list[tuple[int]]:
    return list(Stream.objects.filter(pk__in=ids).values_list("epoch"))


def test_a_lane_runs_one_at_a_time_and_in_order(owner: User) -> None:
    lane = [queue_stream(owner, lane="talk") for _ in range(3)]
    other = queue_stream(owner, lane="another")
    worker = register_worker()
    assert [s.pk for s in lifecycle.claim(worker, 9)] == [lane[0].pk, other.pk]
    assert lifecycle.claim(worker, 9) == []
    end_stream(reload_stream(lane[0]))
    assert [s.pk for s in lifecycle.claim(worker, 9)] == [lane[1].pk]
    lifecycle.stop(lane[1].pk)
    assert [s.pk for s in lifecycle.claim(worker, 9)] == [lane[2].pk]


def test_a_stopped_stream_in_the_middle_of_a_lane_is_passed_over(owner: User) -> None:
    first, second, third = (queue_stream(owner, lane="talk") for _ in range(3))
    lifecycle.stop(second.pk)
    worker = register_worker()
    assert [s.pk for s in lifecycle.claim(worker, 9)] == [first.pk]
    end_stream(reload_stream(first))
    assert [s.pk for s in lifecycle.claim(worker, 9)] == [third.pk]


def test_a_takeover_of_a_dead_workers_streams_counts_as_an_attempt(owner: User) -> None:
    dead, alive = register_worker(), register_worker()
    orphan, running = start_stream(owner, dead), start_stream(owner, alive)
    assert lifecycle.claim(register_worker(), 9) == []
    expire_lease(dead)
    (taken,) = lifecycle.claim(register_worker(), 9)
    assert (taken.pk, taken.epoch, taken.attempts) == (orphan.pk, 2, 1)
    assert reload_stream(running).worker_id == alive.pk


def test_a_slow_worker_keeps_its_streams_if_no_other_claimed_them(owner: User) -> None:
    """The worker was frozen beyond its lease. A claim of its own streams would call the provider
    again."""
    slow = register_worker()
    stream = start_stream(owner, slow)
    expire_lease(slow)
    assert lifecycle.claim(slow, 9) == []
    assert reload_stream(stream).epoch == stream.epoch


def test_a_replaced_worker_can_neither_write_nor_end(owner: User, fake_source: FakeSource) -> None:
    slow = register_worker()
    mine = start_stream(owner, slow)
    expire_lease(slow)
    (theirs,) = lifecycle.claim(register_worker(), 9)
    lifecycle.renew_lease(slow)
    assert journal.append([build_append(mine, "late")]) == set()
    assert not lifecycle.end(mine.pk, mine.epoch, COMPLETED, build_append(mine, "late"))
    assert not lifecycle.end(mine.pk, mine.epoch, COMPLETED)
    assert (reload_stream(mine).state, read_rows(mine), fake_source.finalized) == (
        "running",
        [],
        [],
    )
    assert lifecycle.end(theirs.pk, theirs.epoch, COMPLETED)


def test_a_released_stream_is_claimed_at_once_and_does_not_count_as_an_attempt(
    owner: User, published: Published
) -> None:
    leaving = register_worker()
    mine, other = start_stream(owner, leaving), start_stream(owner)
    published.clear()
    assert lifecycle.release_streams(leaving) == 1
    assert published == [(WORKERS_GROUP, {"type": "stream.queued"})]
    assert journal.append([build_append(mine, "late")]) == set()
    (taken,) = lifecycle.claim(register_worker(), 9)
    assert (taken.pk, taken.epoch, taken.attempts) == (mine.pk, 3, 0)
    assert reload_stream(other).epoch == 1


def test_a_worker_can_release_some_streams_and_keep_others(owner: User) -> None:
    worker = register_worker()
    given, running, foreign = (
        start_stream(owner, worker),
        start_stream(owner, worker),
        start_stream(owner),
    )
    assert lifecycle.release_streams(worker, [given.pk, foreign.pk]) == 1
    assert [reload_stream(s).worker_id for s in (given, running)] == [None, worker.pk]
    assert reload_stream(foreign).worker_id == foreign.worker_id


@pytest.mark.parametrize(
    ("attempts", "chunks", "is_exhausted"),
    [
        (0, 0, False),
        (MAX_RESTARTS, 0, False),
        (MAX_RESTARTS + 1, 0, True),
        (MAX_TAKEOVERS, 5, False),
        (MAX_TAKEOVERS + 1, 5, True),
    ],
)
def test_a_stream_with_text_has_fewer_attempts(
    attempts: int, chunks: int, is_exhausted: bool
) -> None:
    assert has_exhausted_attempts(Stream(attempts=attempts, next_index=chunks)) is is_exhausted


# Caps and shares


def test_an_owner_at_the_cap_waits_and_others_do_not(
    owner: User, colleague: User, settings: Settings
) -> None:
    settings.STREAMING_MAX_STREAMS_PER_USER = 2
    mine = [queue_stream(owner) for _ in range(4)]
    theirs = queue_stream(colleague)
    worker = register_worker()
    assert [s.pk for s in lifecycle.claim(worker, 9)] == [mine[0].pk, mine[1].pk, theirs.pk]
    assert lifecycle.claim(worker, 9) == []
    end_stream(reload_stream(mine[0]))
    assert [s.pk for s in lifecycle.claim(worker, 9)] == [mine[2].pk]


def test_an_owner_at_the_cap_does_not_block_the_queue(
    owner: User, colleague: User, settings: Settings
) -> None:
    settings.STREAMING_MAX_STREAMS_PER_USER = 1
    for _ in range(20):
        queue_stream(owner)
    theirs = queue_stream(colleague)
    worker = register_worker()
    claimed = [s.pk for _ in range(3) for s in lifecycle.claim(worker, 5)]
    assert theirs.pk in claimed


def test_a_takeover_ignores_the_cap(owner: User, settings: Settings) -> None:
    settings.STREAMING_MAX_STREAMS_PER_USER = 1
    dead = register_worker()
    orphan = start_stream(owner, dead)
    expire_lease(dead)
    assert [s.pk for s in lifecycle.claim(register_worker(), 9)] == [orphan.pk]


def test_a_worker_takes_its_share_and_leaves_the_rest_to_other_live_workers(owner: User) -> None:
    for _ in range(6):
        queue_stream(owner)
    first, second, dead = register_worker(), register_worker(), register_worker()
    expire_lease(dead)
    assert len(lifecycle.claim(first, 9, running=0)) == 3
    assert len(lifecycle.claim(first, 9, running=3)) == 0
    assert len(lifecycle.claim(second, 9, running=0)) == 3


def test_a_draining_worker_has_no_share(owner: User) -> None:
    for _ in range(4):
        queue_stream(owner)
    staying, leaving = register_worker(), register_worker()
    lifecycle.begin_drain(leaving)
    assert len(lifecycle.claim(staying, 9, running=0)) == 4


def test_a_poll_returns_the_workers_streams_and_whether_others_wait(owner: User) -> None:
    worker, other = register_worker(), register_worker()
    mine, theirs = start_stream(owner, worker), start_stream(owner, other)
    end_stream(start_stream(owner, worker))
    expire_lease(worker)  # it was slow, and no other worker took over
    own = {mine.pk: mine.epoch}
    assert lifecycle.read_own_streams(worker) == (own, False)
    waiting = queue_stream(owner)
    assert lifecycle.read_own_streams(worker) == (own, True)
    lifecycle.stop(waiting.pk)
    lifecycle.release_streams(other, [theirs.pk])
    assert lifecycle.read_own_streams(worker) == (own, True)
    dead = register_worker()
    claim_stream(theirs, dead)
    assert lifecycle.read_own_streams(worker) == (own, False)
    expire_lease(dead)
    assert lifecycle.read_own_streams(worker) == (own, True)


def test_a_queue_note_says_how_many_streams_are_ahead(owner: User, colleague: User) -> None:
    first, second, third = queue_stream(owner), queue_stream(colleague), queue_stream(owner)
    Stream.objects.update(created_at=Now() - timedelta(seconds=5))
    lifecycle.update_queue_notes()
    notes = [reload_stream(s).note for s in (first, second, third)]
    queue_full = lifecycle.NOTE_QUEUE_FULL
    assert notes == [queue_full, f"{queue_full}, 1 before you", f"{queue_full}, 2 before you"]
    lifecycle.stop(first.pk)
    lifecycle.update_queue_notes()
    assert [reload_stream(s).note for s in (second, third)] == [
        queue_full,
        f"{queue_full}, 1 before you",
    ]


def test_a_queue_note_says_what_the_stream_waits_for(
    owner: User, colleague: User, settings: Settings
) -> None:
    settings.STREAMING_MAX_STREAMS_PER_USER = 1
    first = queue_stream(owner, lane="talk")
    behind, capped, last = (
        queue_stream(owner, lane="talk"),
        queue_stream(owner),
        queue_stream(colleague),
    )
    claim_stream(first, register_worker())
    lifecycle.update_queue_notes()
    assert [reload_stream(s).note for s in (behind, capped, last)] == [
        lifecycle.NOTE_LANE_BUSY,
        "",
        "",
    ]
    Stream.objects.update(created_at=Now() - timedelta(seconds=5))
    lifecycle.update_queue_notes()
    assert [reload_stream(s).note for s in (behind, capped, last)] == [
        lifecycle.NOTE_LANE_BUSY,
        lifecycle.NOTE_USER_LIMIT,
        lifecycle.NOTE_QUEUE_FULL,
    ]
    end_stream(reload_stream(first))
    (next_one, _) = lifecycle.claim(register_worker(), 9)
    assert (next_one.pk, next_one.note) == (behind.pk, "")


# Stop


@pytest.mark.parametrize("make", [queue_stream, start_stream])
def test_a_stop_ends_a_stream_in_any_unfinished_state(
    owner: User, fake_source: FakeSource, published: Published, make: Any
) -> None:
    stream = make(owner)
    published.clear()
    assert lifecycle.stop(stream.pk)
    row = reload_stream(stream)
    assert row.state == State.STOPPED
    assert row.ended_at
    assert fake_source.finalized == [(stream.pk, State.STOPPED)]
    assert [group for group, _ in published] == [STREAMS_GROUP, WORKERS_GROUP]


def test_a_second_stop_has_no_effect(
    owner: User, fake_source: FakeSource, published: Published
) -> None:
    stream = start_stream(owner)
    assert lifecycle.stop(stream.pk)
    published.clear()
    assert not lifecycle.stop(stream.pk)
    assert (fake_source.finalized, published) == ([(stream.pk, State.STOPPED)], [])


@pytest.mark.parametrize("state", [State.COMPLETED, State.FAILED, State.INTERRUPTED])
def test_an_ended_stream_is_not_stopped(owner: User, fake_source: FakeSource, state: State) -> None:
    stream = start_stream(owner)
    end_stream(stream, Ending(state))
    assert not lifecycle.stop(stream.pk)
    assert reload_stream(stream).state == state
    assert not lifecycle.stop(4711)


def test_of_a_stop_and_an_end_at_once_exactly_one_wins(
    owner: User, fake_source: FakeSource
) -> None:
    for _ in range(8):
        stream = start_stream(owner)
        results = run_at_once(
            partial(lifecycle.stop, stream.pk),
            partial(
                lifecycle.end, stream.pk, stream.epoch, COMPLETED, build_append(stream, "rest")
            ),
        )
        assert sorted(results, key=str) == [False, True]
        ended = State.STOPPED if results[0] else State.COMPLETED
        assert reload_stream(stream).state == ended
        assert fake_source.finalized.pop() == (stream.pk, ended)
        assert fake_source.finalized == []
        assert join_deltas(read_rows(stream)) == ("" if results[0] else "rest")


def test_a_stop_is_part_of_the_transaction_around_it(
    owner: User, fake_source: FakeSource, published: Published
) -> None:
    stream = start_stream(owner)
    published.clear()
    with transaction.atomic():
        assert lifecycle.stop(stream.pk)
        transaction.set_rollback(True)
    assert reload_stream(stream).state == State.RUNNING
    assert published == []


def test_a_stream_may_be_stopped_and_deleted_in_one_transaction(
    owner: User, published: Published
) -> None:
    stream = start_stream(owner)
    published.clear()
    with transaction.atomic():
        lifecycle.stop(stream.pk)
        journal.delete_streams([stream.pk])
    assert published[-1] == (WORKERS_GROUP, {"type": "stream.ended", "stream_id": stream.pk})


# End


def test_an_ending_its_last_text_and_its_message_are_one_transaction(
    owner: User, fake_source: FakeSource
) -> None:
    stream = start_stream(owner)
    append_chunks(stream, "all ")
    seen: list[str] = []
    fake_source.on_finalize = lambda ended: seen.append(journal.read_text(ended.pk).content)
    finished = Ending.from_finish(Finish("stop", {"input": 3, "output": 5}, "req_1"))
    assert lifecycle.end(stream.pk, stream.epoch, finished, build_append(stream, "of it"))
    row = reload_stream(stream)
    assert (row.state, row.finish_reason, row.upstream_id) == ("completed", "stop", "req_1")
    assert (row.usage, row.length) == ({"input": 3, "output": 5}, 9)
    assert seen == ["all of it"]


def test_a_refused_last_text_does_not_end_the_stream(owner: User, fake_source: FakeSource) -> None:
    stream = start_stream(owner)
    beyond = build_append(stream, "hole", first=7)
    assert not lifecycle.end(stream.pk, stream.epoch, COMPLETED, beyond)
    assert (reload_stream(stream).state, read_rows(stream), fake_source.finalized) == (
        "running",
        [],
        [],
    )


def test_a_stream_ends_once(owner: User, fake_source: FakeSource) -> None:
    stream = start_stream(owner)
    assert lifecycle.end(stream.pk, stream.epoch, COMPLETED)
    assert not lifecycle.end(stream.pk, stream.epoch, Ending.internal_error())
    assert reload_stream(stream).state == State.COMPLETED
    assert len(fake_source.finalized) == 1


class Bug(Exception):
    pass


def test_a_finalize_that_raises_ends_the_stream_as_failed(
    owner: User, fake_source: FakeSource
) -> None:
    def refuse_completed(stream: Stream) -> None:
        if stream.state == State.COMPLETED:
            raise Bug

    fake_source.on_finalize = refuse_completed
    stream = start_stream(owner)
    assert lifecycle.end(stream.pk, stream.epoch, COMPLETED, build_append(stream, "kept"))
    row = reload_stream(stream)
    assert (row.state, row.error_class, row.finish_reason) == ("failed", "internal", "")
    assert join_deltas(read_rows(stream)) == "kept"
    assert fake_source.finalized == [(stream.pk, State.FAILED)]


@pytest.mark.parametrize("how", ["end", "stop"])
def test_a_finalize_that_always_raises_leaves_no_stream_running(
    owner: User, fake_source: FakeSource, how: str
) -> None:
    def refuse(stream: Stream) -> None:
        raise Bug

    fake_source.on_finalize = refuse
    stream = start_stream(owner)
    append_chunks(stream, "kept")
    ended = (
        lifecycle.stop(stream.pk)
        if how == "stop"
        else lifecycle.end(stream.pk, stream.epoch, COMPLETED)
    )
    assert ended
    row = reload_stream(stream)
    assert (row.state, row.error_class) == ("failed", "internal")
    assert row.ended_at
    assert join_deltas(read_rows(stream)) == "kept"


def test_a_database_error_in_finalize_is_no_bug_of_finalize(
    owner: User, fake_source: FakeSource
) -> None:
    """The reply was complete, so the worker ends it again and it stays complete."""
    failures = [OperationalError("the server closed the connection")]

    def fail_once(stream: Stream) -> None:
        if failures:
            raise failures.pop()

    fake_source.on_finalize = fail_once
    stream = start_stream(owner)
    with pytest.raises(OperationalError):
        lifecycle.end(stream.pk, stream.epoch, COMPLETED)
    assert reload_stream(stream).state == State.RUNNING
    assert lifecycle.end(stream.pk, stream.epoch, COMPLETED)
    assert reload_stream(stream).state == State.COMPLETED


def test_an_unregistered_source_ends_as_failed(owner: User) -> None:
    stream = start_stream(owner, source="unknown")
    assert lifecycle.end(stream.pk, stream.epoch, COMPLETED)
    assert reload_stream(stream).state == State.FAILED


def test_no_text_from_a_provider_prevents_an_ending(owner: User) -> None:
    """A provider chooses its request ids and error messages freely."""
    stream = start_stream(owner)
    counts: dict[str, Any] = {
        "input": 7,
        "output": "\0",
        "cached": math.nan,
        "reasoning": ["\ud800"],
    }
    words = Ending(State.INTERRUPTED, "\0" * 99, "\ud800" * 99, "a\0", "b\ud800", counts, "x" * 999)
    assert lifecycle.end(stream.pk, stream.epoch, words, build_append(stream, "kept"))
    row = reload_stream(stream)
    assert (row.state, row.error, row.error_detail) == ("interrupted", "a\ufffd", "b\ufffd")
    assert row.upstream_id == "x" * 200
    assert row.usage == {"input": 7}
    assert join_deltas(read_rows(stream)) == "kept"


def test_a_last_text_that_cannot_be_stored_ends_the_stream_as_failed(owner: User) -> None:
    stream = start_stream(owner)
    append_chunks(stream, "good")
    assert lifecycle.end(stream.pk, stream.epoch, COMPLETED, build_append(stream, "bad \ud800"))
    row = reload_stream(stream)
    assert (row.state, row.error_class) == ("failed", "internal")
    assert join_deltas(read_rows(stream)) == "good"


@pytest.mark.parametrize(
    ("interrupted", "state"), [(False, State.FAILED), (True, State.INTERRUPTED)]
)
def test_an_error_of_a_source_says_whether_its_text_is_worth_continuing(
    interrupted: bool, state: State
) -> None:
    error = SourceError(
        "tide",
        "It broke.",
        "low",
        interrupted=interrupted,
        upstream_id="up_1",
        usage={"output": 7},
    )
    ending = Ending.from_error(error)
    assert (ending.state, ending.error_class, ending.error) == (state, "tide", "It broke.")
    assert (ending.error_detail, ending.upstream_id) == ("low", "up_1")
    assert ending.usage == {"output": 7}


# Fold


def end_two_days_ago(stream: Stream) -> None:
    """Move the end of this stream to two days ago."""
    Stream.objects.filter(pk=stream.pk).update(ended_at=Now() - timedelta(days=2))


def test_a_stream_is_folded_once_and_not_before_its_time(owner: User) -> None:
    stream = start_stream(owner)
    append_chunks(stream, "one", "two")
    end_stream(stream)
    lifecycle.fold_ended_streams()
    assert join_deltas(read_rows(stream)) == "onetwo"
    end_two_days_ago(stream)
    lifecycle.fold_ended_streams()
    folded = reload_stream(stream).folded_at
    assert folded
    assert read_rows(stream) == []
    lifecycle.fold_ended_streams()
    assert reload_stream(stream).folded_at == folded


def test_a_running_stream_is_never_folded(owner: User) -> None:
    stream = start_stream(owner)
    append_chunks(stream, "old but alive")
    long_ago = Now() - timedelta(days=400)
    Stream.objects.filter(pk=stream.pk).update(created_at=long_ago, last_chunk_at=long_ago)
    lifecycle.fold_ended_streams()
    assert join_deltas(read_rows(stream)) == "old but alive"


def test_a_stream_whose_text_the_application_lacks_keeps_its_chunks(
    owner: User, fake_source: FakeSource
) -> None:
    """The chunks are the only copy. Other streams are folded."""

    def broken(stream: Stream) -> None:
        raise Bug

    fake_source.on_finalize = broken
    unsettled, unknown = start_stream(owner), start_stream(owner, source="unregistered")
    for stream in (unsettled, unknown):
        append_chunks(stream, "all there is")
        end_stream(stream)
        end_two_days_ago(stream)
    fake_source.on_finalize = lambda stream: None
    settled = start_stream(owner)
    append_chunks(settled, "held elsewhere")
    end_stream(settled)
    end_two_days_ago(settled)
    after = lifecycle.fold_ended_streams(limit=1)
    while after:
        after = lifecycle.fold_ended_streams(limit=1, after=after)
    assert [join_deltas(read_rows(s)) for s in (unsettled, unknown)] == ["all there is"] * 2
    assert read_rows(settled) == []


def test_a_stream_whose_message_was_deleted_is_folded(owner: User, fake_source: FakeSource) -> None:
    stream = start_stream(owner)
    append_chunks(stream, "its message was deleted")
    end_stream(stream)
    end_two_days_ago(stream)
    fake_source.stored_texts[stream.pk] = None
    lifecycle.fold_ended_streams()
    assert read_rows(stream) == []


def test_the_first_part_of_a_continued_reply_is_folded(
    owner: User, fake_source: FakeSource
) -> None:
    stream = start_stream(owner)
    append_chunks(stream, (Kind.REASONING, "first thoughts"), "so far")
    end_stream(stream, Ending(State.STOPPED))
    end_two_days_ago(stream)
    fake_source.stored_texts[stream.pk] = StreamText(
        "so far", "first thoughts, and later ones", (), 2
    )
    lifecycle.fold_ended_streams()
    assert read_rows(stream) == []


# Workers


def test_a_lease_uses_the_databases_clock_and_can_be_renewed_late() -> None:
    worker = register_worker()
    living = Worker.objects.filter(lease_until__gt=Now(), lease_until__lte=Now() + LEASE_DURATION)
    assert living.exists()
    expire_lease(worker)
    assert not living.exists()
    lifecycle.renew_lease(worker)
    assert living.exists()


def test_a_lease_whose_row_was_removed_is_recreated() -> None:
    worker = register_worker()
    Worker.objects.all().delete()
    lifecycle.renew_lease(worker)
    assert Worker.objects.get().pk == worker.pk


def test_the_rows_of_long_dead_workers_are_deleted_unless_they_hold_a_stream(owner: User) -> None:
    gone, holding, fresh = register_worker(), register_worker(), register_worker()
    ended, stream = start_stream(owner, gone), start_stream(owner, holding)
    end_stream(ended)
    Worker.objects.exclude(pk=fresh.pk).update(lease_until=Now() - timedelta(days=1))
    newest = register_worker()
    assert set(Worker.objects.all()) == {holding, fresh, newest}
    assert reload_stream(stream).worker_id == holding.pk
    assert reload_stream(ended).worker_id is None


def test_a_deregistered_worker_leaves_no_stream_behind(owner: User) -> None:
    worker = register_worker()
    stream = start_stream(owner, worker)
    lifecycle.deregister_worker(worker)
    row = reload_stream(stream)
    assert (row.state, row.worker_id, row.epoch) == ("running", None, 2)
    assert not Worker.objects.exists()
    assert [s.pk for s in lifecycle.claim(register_worker(), 9)] == [stream.pk]

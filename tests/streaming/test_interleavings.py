"""State changes of streams in any order in which workers, people and clocks may cause them. After
each step, the rows equal a simple model of what is promised."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from uuid import uuid4

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from pytest_django import Settings

from accounts.models import User
from streaming import journal, lifecycle
from streaming.models import State, Stream, StreamChunk, Worker
from tests.streaming.factories import (
    COMPLETED,
    SOURCE,
    build_append,
    expire_lease,
    queue_stream,
    register_worker,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("fake_source")]

WORKERS = 3
index = st.integers(0, 1000)  # of a stream or claim, modulo their number


@dataclass(slots=True)
class ExpectedStream:
    """The expected state of a stream."""

    lane: str
    state: State = State.QUEUED
    epoch: int = 0
    worker: int | None = None
    attempts: int = 0
    text: str = ""
    next_index: int = 0


class LifecycleMachine(RuleBasedStateMachine):
    """`claims` are all claims of all workers. Most of them are outdated."""

    def __init__(self, owner: User) -> None:
        super().__init__()
        Stream.objects.all().delete()
        Worker.objects.all().delete()
        self.owner = owner
        self.workers = [register_worker() for _ in range(WORKERS)]
        self.dead: set[int] = set()
        self.streams: dict[int, ExpectedStream] = {}
        self.claims: list[Stream] = []

    # Actions of people

    @rule(lane=st.sampled_from(["", "one", "two"]))
    def start_stream(self, lane: str) -> None:
        self.streams[queue_stream(self.owner, lane=lane).pk] = ExpectedStream(lane)

    @precondition(lambda self: self.streams)
    @rule(index=index)
    def stop_stream(self, index: int) -> None:
        stream, expected = self._get_stream(index)
        assert lifecycle.stop(stream) == (not expected.state.has_ended)
        if not expected.state.has_ended:
            expected.state = State.STOPPED

    @precondition(lambda self: any(e.state == State.STOPPED for e in self.streams.values()))
    @rule(index=index)
    def continue_stopped(self, index: int) -> None:
        stopped = [pk for pk, e in self.streams.items() if e.state == State.STOPPED]
        before = Stream.objects.get(pk=stopped[index % len(stopped)])
        text = journal.read_text(before.pk)
        after = lifecycle.enqueue(
            owner=self.owner,
            request_id=uuid4(),
            source=SOURCE,
            arguments={},
            continues=before,
            text=text,
        )
        self.streams[after.pk] = ExpectedStream("", text=text.content, next_index=after.next_index)

    # Actions and deaths of workers

    @rule(number=st.integers(0, WORKERS - 1), limit=st.integers(1, 3))
    def claim_streams(self, number: int, limit: int) -> None:
        expected_ids = [pk for pk in self.streams if self._is_claimable(pk, number)][:limit]
        won = lifecycle.claim(self.workers[number], limit)
        assert [stream.pk for stream in won] == expected_ids
        for stream in won:
            expected = self.streams[stream.pk]
            expected.attempts += expected.state == State.RUNNING and expected.worker is not None
            expected.state, expected.worker = State.RUNNING, number
            expected.epoch += 1
        self.claims += won

    @precondition(lambda self: any(map(self._is_current, self.claims)))
    @rule(index=index)
    def append_again(self, index: int) -> None:
        """The answer to a commit was lost. The same entry, sent again, is written once."""
        held = [claim for claim in self.claims if self._is_current(claim)]
        claim = held[index % len(held)]
        entry = build_append(claim, "once")
        assert journal.append([entry]) == journal.append([entry], is_retry=True) == {claim.pk}
        assert journal.append([entry]) == set()
        self.streams[claim.pk].text += "once"
        self.streams[claim.pk].next_index += 1

    @precondition(lambda self: self.claims)
    @rule(index=index, behind=st.integers(0, 1), delta=st.text("aé😀", min_size=1, max_size=3))
    def append_chunk(self, index: int, behind: int, delta: str) -> None:
        claim = self.claims[-1 - index % len(self.claims)]
        expected = self.streams[claim.pk]
        first = max(expected.next_index - behind, 0)
        taken = journal.append([build_append(claim, delta, first=first)])
        if self._is_current(claim) and first == expected.next_index:
            assert taken == {claim.pk}
            expected.text += delta
            expected.next_index += 1
        else:
            assert taken == set()

    @precondition(lambda self: self.claims)
    @rule(index=index, rest=st.sampled_from(["", "the end"]))
    def end_stream(self, index: int, rest: str) -> None:
        claim = self.claims[-1 - index % len(self.claims)]
        entry = build_append(claim, rest) if rest else None
        holds = self._is_current(claim)
        assert lifecycle.end(claim.pk, claim.epoch, COMPLETED, entry) == holds
        if holds:
            expected = self.streams[claim.pk]
            expected.state = State.COMPLETED
            expected.text += rest
            expected.next_index += bool(rest)

    @rule(number=st.integers(0, WORKERS - 1))
    def expire_worker_lease(self, number: int) -> None:
        expire_lease(self.workers[number])
        self.dead.add(number)

    @rule(number=st.integers(0, WORKERS - 1))
    def renew_worker_lease(self, number: int) -> None:
        lifecycle.renew_lease(self.workers[number])
        self.dead.discard(number)

    @rule(number=st.integers(0, WORKERS - 1))
    def release_worker_streams(self, number: int) -> None:
        own_streams = [
            e for e in self.streams.values() if (e.state, e.worker) == (State.RUNNING, number)
        ]
        assert lifecycle.release_streams(self.workers[number]) == len(own_streams)
        for expected in own_streams:
            expected.worker = None
            expected.epoch += 1

    # Invariants after each step

    @invariant()
    def check_rows(self) -> None:
        numbers = {worker.pk: number for number, worker in enumerate(self.workers)}
        stored: dict[int, list[tuple[int, str]]] = defaultdict(list)
        chunks = StreamChunk.objects.order_by("stream_id", "index")
        for pk, index, delta in chunks.values_list("stream_id", "index", "delta"):
            stored[pk].append((index, delta))
        lanes = Counter[str]()
        for row in Stream.objects.all():
            expected = self.streams[row.pk]
            assert (row.state, row.epoch, row.attempts, row.next_index) == (
                expected.state,
                expected.epoch,
                expected.attempts,
                expected.next_index,
            )
            assert (row.ended_at is not None) == expected.state.has_ended
            if expected.state == State.RUNNING:
                assert (numbers[row.worker_id] if row.worker_id else None) == expected.worker
                lanes[row.lane] += bool(row.lane)
            assert [index for index, _ in stored[row.pk]] == list(range(expected.next_index))
            assert "".join(delta for _, delta in stored[row.pk]) == expected.text
            assert row.length == len(expected.text)
        assert not lanes or max(lanes.values()) <= 1, "a lane runs one at a time"

    def _get_stream(self, index: int) -> tuple[int, ExpectedStream]:
        return list(self.streams.items())[index % len(self.streams)]

    def _is_current(self, claim: Stream) -> bool:
        expected = self.streams[claim.pk]
        return expected.state == State.RUNNING and expected.epoch == claim.epoch

    def _is_claimable(self, pk: int, number: int) -> bool:
        expected = self.streams[pk]
        if expected.state == State.RUNNING:
            return expected.worker is None or expected.worker in self.dead - {number}
        ahead = (
            other.lane == expected.lane != "" and not other.state.has_ended
            for before, other in self.streams.items()
            if before < pk
        )
        return expected.state == State.QUEUED and not any(ahead)


def test_no_interleaving_breaks_an_invariant(owner: User, settings: Settings) -> None:
    settings.STREAMING_MAX_STREAMS_PER_USER = 1000

    class MachineOfOneOwner(LifecycleMachine):
        def __init__(self) -> None:
            super().__init__(owner)

    run_state_machine_as_test(
        MachineOfOneOwner, settings=hypothesis_settings(max_examples=25, stateful_step_count=40)
    )

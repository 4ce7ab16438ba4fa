"""The arrows between states in any order that workers, people and clocks can bring about: after
each step the rows are what a plain model of the promises says they are."""

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
which = st.integers(0, 1000)  # one of as many as there are


@dataclass(slots=True)
class Expected:
    """The expected state of a stream."""

    lane: str
    state: State = State.QUEUED
    epoch: int = 0
    worker: int | None = None
    attempts: int = 0
    text: str = ""
    next_index: int = 0


class Engine(RuleBasedStateMachine):
    """`claims` are all that were ever won, so most of them are another's by now."""

    def __init__(self, owner: User) -> None:
        super().__init__()
        Stream.objects.all().delete()
        Worker.objects.all().delete()
        self.owner = owner
        self.workers = [register_worker() for _ in range(WORKERS)]
        self.dead: set[int] = set()
        self.streams: dict[int, Expected] = {}
        self.claims: list[Stream] = []

    # Actions of people

    @rule(lane=st.sampled_from(["", "one", "two"]))
    def start(self, lane: str) -> None:
        self.streams[queue_stream(self.owner, lane=lane).pk] = Expected(lane)

    @precondition(lambda self: self.streams)
    @rule(which=which)
    def stop(self, which: int) -> None:
        stream, expected = self._stream(which)
        assert lifecycle.stop(stream) == (not expected.state.has_ended)
        if not expected.state.has_ended:
            expected.state = State.STOPPED

    @precondition(lambda self: any(e.state == State.STOPPED for e in self.streams.values()))
    @rule(which=which)
    def go_on(self, which: int) -> None:
        stopped = [pk for pk, e in self.streams.items() if e.state == State.STOPPED]
        before = Stream.objects.get(pk=stopped[which % len(stopped)])
        text = journal.read_text(before.pk)
        after = lifecycle.enqueue(
            owner=self.owner,
            request_id=uuid4(),
            source=SOURCE,
            arguments={},
            continues=before,
            text=text,
        )
        self.streams[after.pk] = Expected("", text=text.content, next_index=after.next_index)

    # Actions and deaths of workers

    @rule(who=st.integers(0, WORKERS - 1), limit=st.integers(1, 3))
    def claim(self, who: int, limit: int) -> None:
        due = [pk for pk in self.streams if self._may_be_claimed(pk, who)][:limit]
        won = lifecycle.claim(self.workers[who], limit)
        assert [stream.pk for stream in won] == due
        for stream in won:
            expected = self.streams[stream.pk]
            expected.attempts += expected.state == State.RUNNING and expected.worker is not None
            expected.state, expected.worker = State.RUNNING, who
            expected.epoch += 1
        self.claims += won

    @precondition(lambda self: any(map(self._holds, self.claims)))
    @rule(which=which)
    def append_again(self, which: int) -> None:
        """The answer to a commit got lost: the very same entry is written once all the same."""
        held = [claim for claim in self.claims if self._holds(claim)]
        claim = held[which % len(held)]
        entry = build_append(claim, "once")
        assert journal.append([entry]) == journal.append([entry], is_retry=True) == {claim.pk}
        assert journal.append([entry]) == set()
        self.streams[claim.pk].text += "once"
        self.streams[claim.pk].next_index += 1

    @precondition(lambda self: self.claims)
    @rule(which=which, behind=st.integers(0, 1), delta=st.text("aé😀", min_size=1, max_size=3))
    def append(self, which: int, behind: int, delta: str) -> None:
        claim = self.claims[-1 - which % len(self.claims)]
        expected = self.streams[claim.pk]
        first = max(expected.next_index - behind, 0)
        taken = journal.append([build_append(claim, delta, first=first)])
        if self._holds(claim) and first == expected.next_index:
            assert taken == {claim.pk}
            expected.text += delta
            expected.next_index += 1
        else:
            assert taken == set()

    @precondition(lambda self: self.claims)
    @rule(which=which, rest=st.sampled_from(["", "the end"]))
    def end(self, which: int, rest: str) -> None:
        claim = self.claims[-1 - which % len(self.claims)]
        entry = build_append(claim, rest) if rest else None
        holds = self._holds(claim)
        assert lifecycle.end(claim.pk, claim.epoch, COMPLETED, entry) == holds
        if holds:
            expected = self.streams[claim.pk]
            expected.state = State.COMPLETED
            expected.text += rest
            expected.next_index += bool(rest)

    @rule(who=st.integers(0, WORKERS - 1))
    def die(self, who: int) -> None:
        expire_lease(self.workers[who])
        self.dead.add(who)

    @rule(who=st.integers(0, WORKERS - 1))
    def wake(self, who: int) -> None:
        lifecycle.renew_lease(self.workers[who])
        self.dead.discard(who)

    @rule(who=st.integers(0, WORKERS - 1))
    def hand_over(self, who: int) -> None:
        mine = [e for e in self.streams.values() if (e.state, e.worker) == (State.RUNNING, who)]
        assert lifecycle.release_streams(self.workers[who]) == len(mine)
        for expected in mine:
            expected.worker = None
            expected.epoch += 1

    # Invariants after each step

    @invariant()
    def every_row_is_what_was_promised(self) -> None:
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

    def _stream(self, which: int) -> tuple[int, Expected]:
        return list(self.streams.items())[which % len(self.streams)]

    def _holds(self, claim: Stream) -> bool:
        expected = self.streams[claim.pk]
        return expected.state == State.RUNNING and expected.epoch == claim.epoch

    def _may_be_claimed(self, pk: int, who: int) -> bool:
        expected = self.streams[pk]
        if expected.state == State.RUNNING:
            return expected.worker is None or expected.worker in self.dead - {who}
        ahead = (
            other.lane == expected.lane != "" and not other.state.has_ended
            for before, other in self.streams.items()
            if before < pk
        )
        return expected.state == State.QUEUED and not any(ahead)


def test_no_interleaving_breaks_an_invariant(owner: User, settings: Settings) -> None:
    settings.STREAMING_MAX_STREAMS_PER_USER = 1000

    class OfOneOwner(Engine):
        def __init__(self) -> None:
            super().__init__(owner)

    run_state_machine_as_test(
        OfOneOwner, settings=hypothesis_settings(max_examples=25, stateful_step_count=40)
    )

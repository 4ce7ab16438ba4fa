"""The worker stores exactly the text of its source, and ends every stream once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from django.db.models.functions import Now
from pytest_django import Settings

from accounts.models import User
from streaming import hub as hubs
from streaming import journal, lifecycle
from streaming.database import run_in_db
from streaming.events import StreamText
from streaming.follow import Snapshot, follow_stream
from streaming.hub import STREAMS_GROUP, WORKERS_GROUP, Hub, Notification
from streaming.lifecycle import MAX_RESTARTS, MAX_TAKEOVERS, notifications
from streaming.models import Kind, State, Stream, Worker
from streaming.providers import errors
from streaming.providers.types import Usage
from streaming.worker import buffer as buffers
from streaming.worker import worker as workers
from tests.factories import Piece
from tests.streaming.conftest import WorkerPool, on_postgresql
from tests.streaming.factories import (
    append_chunks,
    claim_stream,
    expire_lease,
    join_deltas,
    queue_stream,
    read_rows,
    register_worker,
    reload_stream,
    start_stream,
    wait_for_end,
    wait_for_text,
    wait_until,
)
from tests.streaming.fake_source import FakeSource, SourceScript
from tests.streaming.journal_gate import JournalGate
from tools.services import Postgres
from tools.waiting import until_async

pytestmark = pytest.mark.django_db(transaction=True)


def create_orphan(owner: User, *pieces: Piece, attempts: int = 0) -> Stream:
    """A stream with this text whose worker is dead."""
    dead = register_worker()
    stream = start_stream(owner, dead)
    if pieces:
        append_chunks(stream, *pieces)
    Stream.objects.filter(pk=stream.pk).update(attempts=attempts)
    expire_lease(dead)
    return stream


# From the first delta to the end


async def test_the_text_and_the_end_of_a_source_are_stored(
    owner: User, worker_pool: WorkerPool, fake_source: FakeSource
) -> None:
    await worker_pool.start()
    script = fake_source.script()
    stream = await run_in_db(queue_stream, owner)
    script.write("hm", kind="reasoning")
    script.write("the ", "tide ", "\N{WATER WAVE}")
    await wait_for_text(stream, "the tide \N{WATER WAVE}")
    script.write(" comes")
    script.finish("length", Usage(input=3, output=4))
    row = await wait_for_end(stream)
    assert (row.state, row.finish_reason, row.error_class) == ("completed", "length", "")
    assert row.usage == {"input": 3, "output": 4}
    assert (await run_in_db(journal.read_text, stream.pk)).reasoning == "hm"
    assert join_deltas(await run_in_db(read_rows, stream)) == "the tide \N{WATER WAVE} comes"
    assert (script.calls, script.closed, row.attempts) == (1, 1, 0)
    assert fake_source.finalized == [(stream.pk, State.COMPLETED)]


async def test_a_reply_without_text_fails(
    owner: User, worker_pool: WorkerPool, fake_source: FakeSource
) -> None:
    await worker_pool.start()
    fake_source.script().finish()
    row = await wait_for_end(await run_in_db(queue_stream, owner))
    assert (row.state, row.error_class, row.next_index) == ("failed", "empty_reply", 0)


async def test_an_endless_source_is_ended_at_the_maximum_length(
    owner: User, worker_pool: WorkerPool, fake_source: FakeSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(buffers, "MAX_STREAM_CHARS", 100)
    await worker_pool.start()
    stream, script = await run_in_db(queue_stream, owner), fake_source.script()
    written = 0
    while (row := await run_in_db(reload_stream, stream)).ended_at is None:
        script.write("on and on ")
        written += 10
        await asyncio.sleep(0.01)
    assert (row.state, row.finish_reason) == ("completed", "length")
    assert 100 <= row.length <= written
    assert script.closed == 1


async def test_a_source_that_drips_letters_is_ended_at_the_maximum_number_of_chunks(
    owner: User, worker_pool: WorkerPool, fake_source: FakeSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(buffers, "MAX_STREAM_CHUNKS", 5)
    await worker_pool.start()
    stream, script = await run_in_db(queue_stream, owner), fake_source.script()
    while (row := await run_in_db(reload_stream, stream)).ended_at is None:
        script.write("x")
        await asyncio.sleep(0.01)
    assert (row.state, row.finish_reason) == ("completed", "length")
    assert row.next_index >= 5
    assert script.closed == 1


async def test_streams_of_a_deactivated_user_are_stopped(
    owner: User,
    colleague: User,
    worker_pool: WorkerPool,
    fake_source: FakeSource,
    settings: Settings,
) -> None:
    settings.STREAMING_MAX_STREAMS_PER_USER = 1
    await worker_pool.start()
    scripts = {name: fake_source.script(name) for name in ("runs", "waits", "theirs")}
    runs = await run_in_db(queue_stream, owner, script="runs")
    theirs = await run_in_db(queue_stream, colleague, script="theirs")
    await wait_until(lambda: scripts["runs"].calls and scripts["theirs"].calls)
    waits = await run_in_db(queue_stream, owner, script="waits")
    await run_in_db(User.objects.filter(pk=owner.pk).update, is_active=False)
    assert [(await wait_for_end(stream)).state for stream in (runs, waits)] == [State.STOPPED] * 2
    await wait_until(lambda: scripts["runs"].closed)
    assert (scripts["waits"].calls, scripts["theirs"].closed) == (0, 0)
    await run_in_db(User.objects.filter(pk=owner.pk).update, is_active=True)
    scripts["waits"].write("brief")
    scripts["waits"].finish()
    again = await wait_for_end(await run_in_db(queue_stream, owner, script="waits"))
    assert (again.state, scripts["waits"].calls) == (State.COMPLETED, 1)
    assert (await run_in_db(reload_stream, theirs)).state == State.RUNNING


async def test_a_deleted_users_run_ends_and_leaves_nothing(
    owner: User, worker_pool: WorkerPool, fake_source: FakeSource
) -> None:
    await worker_pool.start()
    stream, script = await run_in_db(queue_stream, owner), fake_source.script()
    script.write("once upon a time")
    await wait_for_text(stream, "once upon a time")
    await run_in_db(owner.delete)
    script.write(" and on")
    await wait_until(lambda: script.closed)
    assert await run_in_db(read_rows, stream) == []


async def test_text_that_cannot_be_stored_is_not_published(
    owner: User, worker_pool: WorkerPool, fake_source: FakeSource, hub: Hub
) -> None:
    """Adapters remove such characters; this source does not."""
    await worker_pool.start()
    fake_source.script().write("a", "half a character \ud83c")
    fake_source.script().finish()
    published: list[Notification] = []
    with hub.listen(STREAMS_GROUP, published.append):
        stream = await run_in_db(queue_stream, owner)
        assert (await wait_for_end(stream)).state == State.FAILED
        await wait_until(
            lambda: any(body["head"][2] == "failed" for body in published if "head" in body)
        )
    assert not [body for body in published if "half" in str(body)]
    assert join_deltas(await run_in_db(read_rows, stream)) in ("", "a"), (
        "text of an earlier commit may be there"
    )


async def test_streams_run_concurrently_and_those_of_a_lane_in_turn(
    owner: User, worker_pool: WorkerPool, fake_source: FakeSource
) -> None:
    await worker_pool.start()
    names = ("first", "second", "beside")
    first, second, beside = (fake_source.script(name) for name in names)
    lanes = ("talk", "talk", "other")
    made = [
        await run_in_db(queue_stream, owner, lane=lane, script=name)
        for name, lane in zip(names, lanes, strict=True)
    ]
    await wait_until(lambda: first.calls and beside.calls)
    beside.finish()
    await wait_for_end(made[2])
    assert second.calls == 0
    first.finish()
    await wait_for_end(made[0])
    second.finish()
    await wait_for_end(made[1])


async def test_a_full_worker_leaves_streams_in_the_queue(
    owner: User, worker_pool: WorkerPool, fake_source: FakeSource, settings: Settings
) -> None:
    settings.STREAMING_MAX_STREAMS_PER_WORKER = 2
    await worker_pool.start()
    scripts = [fake_source.script(str(n)) for n in range(3)]
    streams = [await run_in_db(queue_stream, owner, script=str(n)) for n in range(3)]
    await wait_until(lambda: scripts[0].calls and scripts[1].calls)
    assert (await run_in_db(reload_stream, streams[2])).state == State.QUEUED
    scripts[0].finish()
    await wait_until(lambda: scripts[2].calls)


async def test_a_stream_is_found_without_any_notification(
    owner: User, worker_pool: WorkerPool, fake_source: FakeSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notifications, "notify", lambda group, body: None)
    await worker_pool.start()
    script = fake_source.script()
    script.write("brief")
    script.finish()
    assert (
        await wait_for_end(await run_in_db(queue_stream, owner), within=4)
    ).state == State.COMPLETED


async def test_a_notification_during_an_outage_is_not_forgotten(
    owner: User, worker_pool: WorkerPool, fake_source: FakeSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim, failures = lifecycle.claim, ["the connection is gone"]

    def claim_after_failures(*arguments: Any) -> list[Stream]:
        with transaction.atomic():
            got = claim(*arguments)
            if got and failures:
                raise OperationalError(failures.pop())
        return got

    monkeypatch.setattr(lifecycle, "claim", claim_after_failures)
    await worker_pool.start()
    script = fake_source.script()
    await run_in_db(queue_stream, owner)
    await wait_until(lambda: script.calls, within=workers.POLL_SECONDS * 1.5)
    assert not failures


async def test_an_unknown_notification_does_not_stop_the_worker_from_receiving(
    owner: User,
    worker_pool: WorkerPool,
    hub: Hub,
    fake_source: FakeSource,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(workers, "POLL_SECONDS", 1000.0)
    await worker_pool.start()
    for body in ({}, {"type": "stream.unheard_of"}, {"type": "stream.ended"}, {"type": None}):
        hub.notify(WORKERS_GROUP, body)
    script = fake_source.script()
    script.write("brief")
    script.finish()
    assert (await wait_for_end(await run_in_db(queue_stream, owner))).state == State.COMPLETED


async def test_constant_notifications_starve_no_stream(
    owner: User, worker_pool: WorkerPool, fake_source: FakeSource
) -> None:
    """Another worker is alive by its lease, and claims nothing."""
    await run_in_db(register_worker)
    await worker_pool.start()
    scripts = [fake_source.script(str(n)) for n in range(4)]

    async def notify_repeatedly() -> None:
        while True:
            lifecycle.notify_workers()
            await asyncio.sleep(0.05)

    notifying = asyncio.create_task(notify_repeatedly())
    for n in range(4):
        await run_in_db(queue_stream, owner, script=str(n))
    await wait_until(lambda: all(script.calls for script in scripts), within=5)
    notifying.cancel()


async def test_notifications_after_an_empty_poll_are_answered_together(
    owner: User, worker_pool: WorkerPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim, polls = lifecycle.claim, []

    def claim_and_count(*arguments: Any) -> list[Stream]:
        polls.append(arguments)
        return claim(*arguments)

    monkeypatch.setattr(lifecycle, "claim", claim_and_count)
    monkeypatch.setattr(workers, "POLL_SECONDS", 1000.0)
    monkeypatch.setattr(workers, "LEFTOVER_DELAY_SECONDS", 1000.0)
    monkeypatch.setattr(workers, "DEBOUNCE_SECONDS", 2.0)
    await worker_pool.start()
    await wait_until(lambda: polls)
    for _ in range(20):
        lifecycle.notify_workers()
        await asyncio.sleep(0.02)
    assert len(polls) <= 3


# Stop


async def test_a_stop_before_the_first_token_closes_the_source(
    owner: User, worker_pool: WorkerPool, fake_source: FakeSource
) -> None:
    await worker_pool.start()
    script = fake_source.script()
    stream = await run_in_db(queue_stream, owner)
    await wait_until(lambda: script.calls)
    await run_in_db(lifecycle.stop, stream.pk)
    await wait_until(lambda: script.closed)
    assert await run_in_db(read_rows, stream) == []
    assert fake_source.finalized == [(stream.pk, State.STOPPED)]


async def test_a_stop_keeps_the_text_so_far_and_nothing_later(
    owner: User, worker_pool: WorkerPool, fake_source: FakeSource
) -> None:
    await worker_pool.start()
    script = fake_source.script()
    stream = await run_in_db(queue_stream, owner)
    script.write("so far")
    await wait_for_text(stream, "so far")
    await run_in_db(lifecycle.stop, stream.pk)
    script.write(" and no further")
    script.finish()
    await wait_until(lambda: script.closed)
    row = await run_in_db(reload_stream, stream)
    assert (row.state, join_deltas(await run_in_db(read_rows, stream))) == (
        "stopped",
        "so far",
    )


async def test_a_stop_whose_notification_was_lost_still_closes_a_silent_source(
    owner: User, worker_pool: WorkerPool, fake_source: FakeSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    await worker_pool.start()
    script = fake_source.script()
    stream = await run_in_db(queue_stream, owner)
    await wait_until(lambda: script.calls)
    monkeypatch.setattr(notifications, "notify", lambda group, body: None)
    await run_in_db(lifecycle.stop, stream.pk)
    await wait_until(lambda: script.closed, within=4)


async def test_a_stream_stopped_in_the_queue_never_runs(
    owner: User, worker_pool: WorkerPool, fake_source: FakeSource
) -> None:
    script, after = fake_source.script(), fake_source.script("after")
    stream = await run_in_db(queue_stream, owner, lane="talk")
    await run_in_db(lifecycle.stop, stream.pk)
    later = await run_in_db(queue_stream, owner, lane="talk", script="after")
    await worker_pool.start()
    after.finish()
    await wait_for_end(later)
    assert script.calls == 0


# Endings


def fail_with(error: errors.ProviderError, *written: str) -> Callable[[SourceScript], None]:
    def run_script(script: SourceScript) -> None:
        script.write(*written)
        script.fail(error)

    return run_script


def fail_with_bug(script: SourceScript) -> None:
    script.write("so far")
    script.fail(ZeroDivisionError("a bug"))


def break_off(script: SourceScript) -> None:
    script.write("so far")
    script.break_off()


@pytest.mark.parametrize(
    ("run_script", "state", "code", "text"),
    [
        (fail_with(errors.InvalidKey()), State.FAILED, "invalid_key", ""),
        (fail_with(errors.ConnectionFailed(retryable=False)), State.FAILED, "network", ""),
        (
            fail_with(errors.ConnectionFailed(), "so far"),
            State.INTERRUPTED,
            "network",
            "so far",
        ),
        (fail_with(errors.Interrupted(), "a"), State.INTERRUPTED, "interrupted", "a"),
        (fail_with(errors.BadRequest(), "a"), State.INTERRUPTED, "bad_request", "a"),
        (fail_with_bug, State.FAILED, "internal", "so far"),
        (break_off, State.INTERRUPTED, "interrupted", "so far"),
        (SourceScript.break_off, State.FAILED, "empty_reply", ""),
    ],
)
async def test_every_failure_ends_the_stream_with_a_reason_and_keeps_the_text(
    owner: User,
    worker_pool: WorkerPool,
    fake_source: FakeSource,
    run_script: Callable[[SourceScript], None],
    state: State,
    code: str,
    text: str,
) -> None:
    await worker_pool.start()
    run_script(fake_source.script())  # before a worker can look for it
    stream = await run_in_db(queue_stream, owner)
    row = await wait_for_end(stream)
    assert (row.state, row.error_class) == (state, code)
    assert row.error.endswith(".")
    assert join_deltas(await run_in_db(read_rows, stream)) == text
    await wait_until(lambda: fake_source.script().closed)
    assert fake_source.finalized == [(stream.pk, state)]


async def test_a_source_that_cannot_be_prepared_fails_the_stream(
    owner: User, worker_pool: WorkerPool, fake_source: FakeSource
) -> None:
    def without_key(stream: Stream) -> None:
        raise errors.InvalidKey("No key here. Add one in settings.", detail="no key")

    fake_source.on_prepare = without_key
    await worker_pool.start()
    row = await wait_for_end(await run_in_db(queue_stream, owner))
    assert (row.state, row.error_class) == ("failed", "invalid_key")
    assert (row.error, row.error_detail) == ("No key here. Add one in settings.", "no key")


async def test_a_bug_in_prepare_or_an_unregistered_source_fails_the_stream(
    owner: User, worker_pool: WorkerPool, fake_source: FakeSource
) -> None:
    def broken(stream: Stream) -> None:
        raise ZeroDivisionError

    fake_source.on_prepare = broken
    await worker_pool.start()
    for source in ("scripted", "unregistered"):
        row = await wait_for_end(await run_in_db(queue_stream, owner, source=source))
        assert (row.state, row.error_class) == ("failed", "internal")


async def test_a_bug_in_finalize_leaves_no_stream_running(
    owner: User, worker_pool: WorkerPool, fake_source: FakeSource
) -> None:
    def broken(stream: Stream) -> None:
        raise ZeroDivisionError

    fake_source.on_finalize = broken
    await worker_pool.start()
    fake_source.script().write("kept")
    fake_source.script().finish()
    stream = await run_in_db(queue_stream, owner)
    row = await wait_for_end(stream)
    assert (row.state, row.error_class) == ("failed", "internal")
    assert join_deltas(await run_in_db(read_rows, stream)) == "kept"
    assert fake_source.script().calls == 1


@pytest.mark.parametrize("finishes", [True, False])
async def test_text_that_cannot_be_stored_fails_only_its_own_stream(
    owner: User, worker_pool: WorkerPool, fake_source: FakeSource, gate: JournalGate, finishes: bool
) -> None:
    """The same holds if the source has finished, and it is the last text of a complete reply."""
    gate.rejected_text = "bad"
    await worker_pool.start()
    script, beside = fake_source.script("spoiled"), fake_source.script("beside")
    stream = await run_in_db(queue_stream, owner, script="spoiled")
    other = await run_in_db(queue_stream, owner, script="beside")
    script.write("good ")
    await wait_for_text(stream, "good ")
    script.write("bad")
    if finishes:
        script.finish()
    row = await wait_for_end(stream)
    assert (row.state, row.error_class) == ("failed", "internal")
    assert join_deltas(await run_in_db(read_rows, stream)) == "good "
    assert script.calls == 1
    beside.write("fine")
    beside.finish()
    assert (await wait_for_end(other)).state == State.COMPLETED


async def test_uncommitted_text_at_the_end_must_be_stored_too(
    owner: User, worker_pool: WorkerPool, fake_source: FakeSource, gate: JournalGate
) -> None:
    """The source has finished while its last text is being refused."""
    gate.rejected_text = "bad"
    gate.may_commit.clear()
    await worker_pool.start()
    script = fake_source.script()
    stream = await run_in_db(queue_stream, owner)
    script.write("bad")
    await wait_until(lambda: gate.calls)
    script.finish()
    await wait_until(lambda: script.closed)
    gate.may_commit.set()
    assert (await wait_for_end(stream)).state == State.FAILED


# Taking over


async def test_a_dead_workers_stream_without_text_is_started_again(
    owner: User, worker_pool: WorkerPool, fake_source: FakeSource
) -> None:
    stream = await run_in_db(create_orphan, owner)
    fake_source.script().write("from the start")
    fake_source.script().finish()
    await worker_pool.start()
    row = await wait_for_end(stream)
    assert (row.state, row.attempts, row.epoch) == ("completed", 1, 2)
    assert fake_source.prepared == [(stream.pk, StreamText())]
    assert [(kind, delta) for _, kind, delta, _ in await run_in_db(read_rows, stream)] == [
        (Kind.TEXT, "from the start")
    ]


async def test_a_dead_workers_stream_with_text_continues_after_a_seam(
    owner: User, worker_pool: WorkerPool, fake_source: FakeSource
) -> None:
    stream = await run_in_db(create_orphan, owner, "\N{WATER WAVE} the tide comes in", " and it")
    fake_source.script().write("comes in a", "nd it", " goes out again.")
    fake_source.script().finish()
    await worker_pool.start()
    row = await wait_for_end(stream)
    assert (row.state, row.attempts) == ("completed", 1)
    before = "\N{WATER WAVE} the tide comes in and it"
    assert fake_source.prepared == [(stream.pk, StreamText(before, "", (), 2))]
    assert await run_in_db(journal.read_text, stream.pk) == StreamText(
        before + " goes out again.", "", (len(before),), row.next_index
    )


async def test_reasoning_after_a_seam_gets_another_seam_at_the_next_takeover(
    owner: User, worker_pool: WorkerPool, fake_source: FakeSource
) -> None:
    stream = await run_in_db(
        create_orphan, owner, "Low water", (Kind.SEAM, ""), (Kind.REASONING, "When?")
    )
    fake_source.script().write("Then?", kind="reasoning")
    fake_source.script().write(" comes twice a day.")
    fake_source.script().finish()
    await worker_pool.start()
    await wait_for_end(stream)
    assert [(kind, delta) for _, kind, delta, _ in await run_in_db(read_rows, stream)] == [
        (Kind.TEXT, "Low water"),
        (Kind.SEAM, ""),
        (Kind.REASONING, "When?"),
        (Kind.SEAM, ""),
        (Kind.REASONING, "Then?"),
        (Kind.TEXT, " comes twice a day."),
    ]
    held = await run_in_db(journal.read_text, stream.pk)
    assert (held.content, held.seams) == ("Low water comes twice a day.", (9,))
    snapshot = await anext(follow_stream(stream, 99))
    assert isinstance(snapshot, Snapshot)
    assert snapshot.seams == (9,)


async def test_a_complete_text_of_a_dead_worker_gets_no_seam(
    owner: User, worker_pool: WorkerPool, fake_source: FakeSource
) -> None:
    stream = await run_in_db(create_orphan, owner, "All there is to say.")
    fake_source.script().finish()
    await worker_pool.start()
    assert (await wait_for_end(stream)).state == State.COMPLETED
    assert await run_in_db(journal.read_text, stream.pk) == StreamText(
        "All there is to say.", "", (), 1
    )


@pytest.mark.parametrize(
    ("texts", "attempts"),
    [(["some text"], MAX_TAKEOVERS), ([], MAX_RESTARTS)],
    ids=["text", "nothing"],
)
async def test_after_too_many_dead_workers_a_stream_is_interrupted_and_not_run_again(
    owner: User, worker_pool: WorkerPool, fake_source: FakeSource, texts: list[str], attempts: int
) -> None:
    stream = await run_in_db(create_orphan, owner, *texts, attempts=attempts)
    await worker_pool.start()
    row = await wait_for_end(stream)
    assert (row.state, row.error_class) == ("interrupted", "interrupted")
    assert fake_source.prepared == []
    assert join_deltas(await run_in_db(read_rows, stream)) == "".join(texts)


async def test_a_run_ends_when_another_worker_has_claimed_its_stream(
    owner: User, worker_pool: WorkerPool, fake_source: FakeSource
) -> None:
    await worker_pool.start()
    script = fake_source.script()
    stream = await run_in_db(queue_stream, owner)
    script.write("mine")
    await wait_for_text(stream, "mine")
    await run_in_db(claim_stream, stream, await run_in_db(register_worker))
    script.write(" no more")
    await wait_until(lambda: script.closed)
    row = await run_in_db(reload_stream, stream)
    assert (row.state, row.epoch) == ("running", 2)
    assert join_deltas(await run_in_db(read_rows, stream)) == "mine"


async def test_a_stream_lost_and_claimed_again_at_once_has_one_run(
    owner: User, worker_pool: WorkerPool, fake_source: FakeSource
) -> None:
    """Another worker claimed the stream and died, before this worker noticed it."""
    await worker_pool.start()
    script = fake_source.script()
    stream = await run_in_db(queue_stream, owner)
    script.write("one")
    await wait_for_text(stream, "one")

    def lose_stream() -> None:
        other = register_worker()
        claim_stream(stream, other)
        expire_lease(other)
        Stream.objects.filter(pk=stream.pk).update(attempts=0)
        lifecycle.notify_workers()

    await run_in_db(lose_stream)
    await wait_until(lambda: script.calls == 2)
    await wait_until(lambda: script.closed == 1)
    script.write(" two")
    await wait_for_text(stream, "one two")
    script.finish()
    assert (await wait_for_end(stream)).state == State.COMPLETED
    await wait_until(lambda: script.closed == 2)


@pytest.mark.parametrize("lost", ["the answer", "half of it"])
async def test_a_claim_whose_answer_was_lost_is_released_and_repeated(
    owner: User,
    worker_pool: WorkerPool,
    fake_source: FakeSource,
    monkeypatch: pytest.MonkeyPatch,
    lost: str,
) -> None:
    claim = lifecycle.claim
    failures = ["lost"]

    def claim_and_fail(worker: Worker, limit: int, *more: Any) -> list[Stream]:
        got = claim(worker, 1 if lost == "half of it" else limit, *more)
        if got and failures:
            raise OperationalError(failures.pop())
        return got

    monkeypatch.setattr(lifecycle, "claim", claim_and_fail)
    streams = [await run_in_db(queue_stream, owner, script=str(n)) for n in range(2)]
    for n in range(2):
        script = fake_source.script(str(n))
        script.write("brief")
        script.finish()
    await worker_pool.start()
    for stream in streams:
        row = await wait_for_end(stream)
        assert (row.state, row.attempts) == ("completed", 0)


# Draining


async def test_a_draining_worker_finishes_streams_that_end_in_time(
    owner: User, worker_pool: WorkerPool, fake_source: FakeSource
) -> None:
    worker = await worker_pool.start()
    script = fake_source.script()
    stream = await run_in_db(queue_stream, owner)
    script.write("one ")
    await wait_for_text(stream, "one ")
    draining = asyncio.create_task(worker_pool.drain(worker, 30))
    script.write("two")
    script.finish()
    await asyncio.wait_for(draining, 10)
    row = await run_in_db(reload_stream, stream)
    assert (row.state, row.epoch) == ("completed", 1)
    assert not await run_in_db(Worker.objects.exists)


async def test_a_stream_that_does_not_end_in_time_has_another_worker_within_two_seconds(
    owner: User, worker_pool: WorkerPool, fake_source: FakeSource
) -> None:
    leaving = await worker_pool.start()
    script = fake_source.script()
    stream = await run_in_db(queue_stream, owner)
    script.write("said before ")
    await wait_until(lambda: script.is_consumed)
    await worker_pool.start()
    began = time.monotonic()
    await worker_pool.drain(leaving)
    await wait_until(lambda: script.calls == 2, within=2 - (time.monotonic() - began))
    assert join_deltas(await run_in_db(read_rows, stream)) == "said before "
    script.write("and after")
    script.finish()
    row = await wait_for_end(stream)
    assert (row.state, row.attempts) == ("completed", 0)
    text = await run_in_db(journal.read_text, stream.pk)
    assert (text.content, text.seams) == ("said before and after", (12,))


async def test_uncommitted_text_is_written_before_a_stream_is_released(
    owner: User, worker_pool: WorkerPool, fake_source: FakeSource, gate: JournalGate
) -> None:
    worker = await worker_pool.start()
    script = fake_source.script()
    stream = await run_in_db(queue_stream, owner)
    gate.may_commit.clear()
    script.write("in flight")
    await wait_until(lambda: gate.calls)
    script.write(" and waiting")
    await wait_until(lambda: script.is_consumed)
    draining = asyncio.create_task(worker_pool.drain(worker))
    await wait_until(lambda: script.closed)
    gate.may_commit.set()
    await asyncio.wait_for(draining, 10)
    assert join_deltas(await run_in_db(read_rows, stream)) == "in flight and waiting"
    assert (await run_in_db(reload_stream, stream)).worker_id is None


async def test_a_draining_worker_claims_nothing_new(
    owner: User, worker_pool: WorkerPool, fake_source: FakeSource
) -> None:
    worker = await worker_pool.start()
    running_script, late = fake_source.script("running"), fake_source.script("late")
    first = await run_in_db(queue_stream, owner, script="running")
    await wait_until(lambda: running_script.calls)
    draining = asyncio.create_task(worker_pool.drain(worker, 30))

    async def is_draining() -> bool:
        return await run_in_db(Worker.objects.filter(draining=True).exists)

    await until_async(is_draining)
    second = await run_in_db(queue_stream, owner, script="late")
    running_script.write("brief")
    running_script.finish()
    await asyncio.wait_for(draining, 10)
    assert (await run_in_db(reload_stream, first)).state == State.COMPLETED
    assert ((await run_in_db(reload_stream, second)).state, late.calls) == ("queued", 0)


async def test_a_stream_that_is_stopped_during_the_drain_ends_there(
    owner: User, worker_pool: WorkerPool, fake_source: FakeSource
) -> None:
    worker = await worker_pool.start()
    script = fake_source.script()
    stream = await run_in_db(queue_stream, owner)
    await wait_until(lambda: script.calls)
    draining = asyncio.create_task(worker_pool.drain(worker, 30))
    await run_in_db(lifecycle.stop, stream.pk)
    await asyncio.wait_for(draining, 10)
    assert (script.closed, (await run_in_db(reload_stream, stream)).state) == (1, "stopped")


# The lease


async def test_the_lease_is_renewed_repeatedly_and_after_a_failure(
    worker_pool: WorkerPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "LEASE_RENEWAL_SECONDS", 0.02)
    renew, failures = lifecycle.renew_lease, [OperationalError("gone"), ZeroDivisionError()]

    def renew_or_fail(worker: Worker) -> None:
        if failures:
            raise failures.pop()
        renew(worker)

    monkeypatch.setattr(lifecycle, "renew_lease", renew_or_fail)
    worker = await worker_pool.start()
    assert worker.row is not None
    await run_in_db(expire_lease, worker.row)

    async def is_alive() -> bool:
        return await run_in_db(Worker.objects.filter(lease_until__gt=Now()).exists)

    await until_async(is_alive)


# A database that goes away


async def write_until(script: SourceScript, done: asyncio.Event) -> str:
    """Write a word every few milliseconds until `done` is set. Return the complete text."""
    written = []
    for n in range(10_000):
        written.append(f"{n} ")
        script.write(written[-1])
        await asyncio.sleep(0.005)
        if done.is_set():
            break
    script.finish()
    return "".join(written)


@pytest.mark.parametrize("fault", ["connections cut", "server restarted"])
@on_postgresql
@pytest.mark.usefixtures("reconnect_after_test")
async def test_a_short_outage_of_postgresql_loses_nothing(
    owner: User,
    worker_pool: WorkerPool,
    fake_source: FakeSource,
    postgres_server: Postgres,
    fault: str,
) -> None:
    await worker_pool.start()
    script, done = fake_source.script(), asyncio.Event()
    stream = await run_in_db(queue_stream, owner)
    writing = asyncio.create_task(write_until(script, done))
    for _ in range(3 if fault == "connections cut" else 1):
        await wait_for_growth(stream)
        await (cut_connections() if fault == "connections cut" else restart_server(postgres_server))
    await wait_for_growth(stream)
    done.set()
    written = await writing
    row = await wait_for_end(stream, within=30)
    assert (row.state, row.attempts, script.calls) == ("completed", 0, 1)
    assert join_deltas(await run_in_db(read_rows, stream)) == written
    assert fake_source.finalized == [(stream.pk, State.COMPLETED)]


async def wait_for_growth(stream: Stream) -> None:
    """Wait until the stream has grown, also through an outage of the database."""
    start: list[int] = []

    async def has_grown() -> bool:
        try:
            length = (await run_in_db(reload_stream, stream)).length
        except OperationalError:
            return False
        start.append(length)
        return length > start[0]

    await until_async(has_grown, within=30, what=f"{stream} grows")


async def cut_connections() -> None:
    def terminate() -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

    await run_in_db(terminate)


async def restart_server(server: Postgres) -> None:
    await asyncio.to_thread(server.restart)


async def test_a_database_locked_for_a_moment_loses_nothing(
    owner: User, worker_pool: WorkerPool, fake_source: FakeSource
) -> None:
    await worker_pool.start()
    script, done = fake_source.script(), asyncio.Event()
    stream = await run_in_db(queue_stream, owner)
    writing = asyncio.create_task(write_until(script, done))
    await wait_for_growth(stream)

    def lock_for_a_moment() -> None:
        with transaction.atomic():
            Stream.objects.select_for_update().get(pk=stream.pk)
            time.sleep(0.5)

    await run_in_db(lock_for_a_moment)
    await wait_for_growth(stream)
    done.set()
    written = await writing
    assert (await wait_for_end(stream)).state == State.COMPLETED
    assert join_deltas(await run_in_db(read_rows, stream)) == written


async def test_a_hub_without_a_layer_does_not_change_the_stored_text(
    owner: User, worker_pool: WorkerPool, fake_source: FakeSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*arguments: object) -> None:
        raise ConnectionError("the layer is down")

    await worker_pool.start()
    hub = hubs.get_hub()
    monkeypatch.setattr(type(hub._layer), "group_send", broken, raising=False)
    fake_source.script().write("all of it")
    fake_source.script().finish()
    stream = await run_in_db(queue_stream, owner)
    assert (await wait_for_end(stream)).state == State.COMPLETED
    assert join_deltas(await run_in_db(read_rows, stream)) == "all of it"

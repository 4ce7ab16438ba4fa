"""Workers run follow-ups after a stream has ended, in this worker or elsewhere."""

from __future__ import annotations

import asyncio

import pytest

from accounts.models import User
from streaming import lifecycle
from streaming.database import run_in_db
from streaming.models import State, Stream
from streaming.worker import maintenance
from tests.streaming.conftest import WorkerPool
from tests.streaming.factories import queue_stream, wait_for_end, wait_for_text
from tests.streaming.fake_source import FakeSource

pytestmark = pytest.mark.django_db(transaction=True)


class FollowUp:
    """Notes which streams were over when it ran, and fails each time."""

    def __init__(self) -> None:
        self.__qualname__ = "FollowUp"  # as functions have
        self.loop = asyncio.get_running_loop()
        self.runs: asyncio.Queue[set[int]] = asyncio.Queue()

    def __call__(self) -> None:
        ended = Stream.objects.exclude(ended_at=None).values_list("pk", flat=True)
        self.loop.call_soon_threadsafe(self.runs.put_nowait, {*ended})
        raise ValueError("It runs again nevertheless.")

    async def wait_for_end_of(self, stream: Stream) -> None:
        async with asyncio.timeout(20):
            while stream.pk not in await self.runs.get():
                pass


@pytest.fixture
async def follow_up(monkeypatch: pytest.MonkeyPatch) -> FollowUp:
    follow_up = FollowUp()
    monkeypatch.setattr(maintenance, "get_follow_ups", lambda: (follow_up,))
    monkeypatch.setattr(maintenance, "FOLLOW_UP_INTERVAL_SECONDS", 3_600)
    return follow_up


async def test_a_follow_up_runs_after_an_end_and_after_a_stop(
    owner: User, worker_pool: WorkerPool, fake_source: FakeSource, follow_up: FollowUp
) -> None:
    await worker_pool.start()
    await follow_up.runs.get()
    script = fake_source.script()
    stream = await run_in_db(queue_stream, owner)
    script.write("the tide")
    script.finish()
    await follow_up.wait_for_end_of(stream)
    script = fake_source.script()
    stopped = await run_in_db(queue_stream, owner)
    script.write("the moon")
    await wait_for_text(stopped, "the moon")
    assert await run_in_db(lifecycle.stop, stopped.pk)
    await follow_up.wait_for_end_of(stopped)
    assert (await wait_for_end(stopped)).state == State.STOPPED


async def test_a_follow_up_runs_again_if_nothing_ends(
    worker_pool: WorkerPool, follow_up: FollowUp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maintenance, "FOLLOW_UP_INTERVAL_SECONDS", 0.01)
    await worker_pool.start()
    async with asyncio.timeout(20):
        for _ in range(3):
            await follow_up.runs.get()

"""Fixtures of the engine's tests. Other threads read the rows, so they are committed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from django.conf import settings
from django.db import connection
from hypothesis import settings as hypothesis_settings

from streaming import hub as hubs
from streaming import journal
from streaming.hub import Hub
from streaming.worker import StreamWorker
from tests.streaming.fake_source import Stage
from tests.streaming.journal_gate import Press

# The same examples every time, however busy the machine is.
hypothesis_settings.register_profile("steady", derandomize=True, deadline=None, database=None)
hypothesis_settings.load_profile("steady")

on_postgresql = pytest.mark.skipif(
    not settings.DATABASES["default"]["ENGINE"].endswith("postgresql"),
    reason="this is about PostgreSQL",
)

on_redis = pytest.mark.skipif(not settings.REDIS_URL, reason="this is about Redis")


@pytest.fixture
def stage() -> Stage:
    """The scripted source, registered; streams made by `making` play on it."""
    stage = Stage()
    stage.register()
    return stage


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    """The process's hub, on this test's loop."""
    yield hubs.get_hub()
    await hubs.close()


class Crew:
    """Real workers on this test's loop."""

    def __init__(self) -> None:
        self._working: list[StreamWorker] = []

    async def start(self) -> StreamWorker:
        worker = StreamWorker()
        self._working.append(worker)
        await worker.start()
        return worker

    async def drain(self, worker: StreamWorker, seconds: float = 0) -> None:
        self._working.remove(worker)
        await worker.drain(seconds)

    async def go_home(self) -> None:
        while self._working:
            await self.drain(self._working[0])


@pytest.fixture
async def crew(hub: Hub, stage: Stage, transactional_db: None) -> AsyncIterator[Crew]:
    """Nobody at first; who was started hands over and goes when the test ends."""
    crew = Crew()
    yield crew
    await crew.go_home()


@pytest.fixture
def press(monkeypatch: pytest.MonkeyPatch) -> Press:
    press = Press()
    monkeypatch.setattr(journal, "append", press)
    return press


@pytest.fixture
def hurt_database(transactional_db: None) -> Iterator[None]:
    """For tests that cut connections: this thread's own is opened anew afterwards."""
    yield
    connection.close()

"""Fixtures of the engine's tests. Rows are committed, because other threads read them."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from hypothesis import settings as hypothesis_settings

from streaming import hub as hubs
from streaming import journal
from streaming.hub import Hub
from streaming.hub import hub as hub_module
from streaming.worker import StreamWorker
from tests.daily import run_one_of_each
from tests.streaming.fake_source import FakeSource
from tests.streaming.faulty_layer import FaultyLayer
from tests.streaming.journal_gate import JournalGate
from tools.deployment.deployment import Server, Web
from tools.services import Postgres
from tools.services.program import scratch_folder

# The same examples every time, however busy the machine is.
hypothesis_settings.register_profile("steady", derandomize=True, deadline=None, database=None)
hypothesis_settings.load_profile("steady")

on_postgresql = pytest.mark.skipif(
    not settings.DATABASES["default"]["ENGINE"].endswith("postgresql"),
    reason="needs PostgreSQL",
)

on_redis = pytest.mark.skipif(not settings.REDIS_URL, reason="needs Redis")


@pytest.fixture
def fake_source() -> FakeSource:
    """The source of all streams that `queue_stream` creates."""
    fake_source = FakeSource()
    fake_source.register()
    return fake_source


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    """The hub of the process, on the loop of the test."""
    yield hubs.get_hub()
    await hubs.close()


@pytest.fixture
async def faulty_layer(monkeypatch: pytest.MonkeyPatch) -> FaultyLayer:
    """The channel layer of the next hub of the process."""
    await hubs.close()
    layer = FaultyLayer()
    monkeypatch.setattr(hub_module, "get_channel_layer", lambda: layer)
    monkeypatch.setattr(hub_module, "PUBLISH_BACKOFF_SECONDS", 0.05)
    return layer


class WorkerPool:
    """Starts and drains real workers on the loop of the test."""

    def __init__(self) -> None:
        self._workers: list[StreamWorker] = []

    async def start(self) -> StreamWorker:
        worker = StreamWorker()
        self._workers.append(worker)
        await worker.start()
        return worker

    async def drain(self, worker: StreamWorker, seconds: float = 0) -> None:
        self._workers.remove(worker)
        await worker.drain(seconds)

    async def drain_all(self) -> None:
        while self._workers:
            await self.drain(self._workers[0])


@pytest.fixture
async def worker_pool(
    hub: Hub, fake_source: FakeSource, transactional_db: None
) -> AsyncIterator[WorkerPool]:
    """An empty pool. The workers that a test starts are drained at its end."""
    worker_pool = WorkerPool()
    yield worker_pool
    await worker_pool.drain_all()


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> JournalGate:
    gate = JournalGate()
    monkeypatch.setattr(journal, "append", gate)
    return gate


@pytest.fixture
def reconnect_after_test(transactional_db: None) -> Iterator[None]:
    """Reopen this thread's connection after a test that cuts connections."""
    yield
    connection.close()


@contextmanager
def run_web(request: pytest.FixtureRequest, server: Server, **environment: str) -> Iterator[Web]:
    """Run a web process on the database of this run, without a worker. The tests write the
    chunks."""
    name = connection.settings_dict["NAME"]
    url = f"sqlite:///{name}"
    if settings.REDIS_URL:
        postgres: Postgres = request.getfixturevalue("postgres_server")
        url = postgres.url_of(name)
    # Tests of odd frames send thousands of them.
    own = {"DATABASE_URL": url, "EMBEDDED_WORKER": "off", "MAX_FRAMES_PER_SECOND": "1000000"}
    environment = {**os.environ, **own, **environment}
    web = Web("web", scratch_folder("door") / "log", environment, server)
    web.start()
    try:
        yield web
    finally:
        web.stop()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test for two servers runs on one of them every day; `make prove` runs it on the other,
    too."""
    run_one_of_each(items, remove_server_from_name)


def remove_server_from_name(item: pytest.Item) -> str | None:
    name, _, server = item.nodeid.partition("[")
    is_own = Path(__file__).parent in item.path.parents
    return name if is_own and server in {"daphne]", "uvicorn]"} else None

"""What tests of the engine share. Its rows are read by other threads, so they are committed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from unittest.mock import patch

import pytest
from django.conf import settings
from django.core.management.sql import emit_post_migrate_signal
from django.db import DEFAULT_DB_ALIAS, connection
from pytest_django.plugin import DjangoDbBlocker

from streaming import hub as hubs
from streaming.hub import Hub
from streaming.worker import StreamWorker
from tests.streaming.scripted import Stage

on_postgresql = pytest.mark.skipif(
    not settings.DATABASES["default"]["ENGINE"].endswith("postgresql"),
    reason="this is about PostgreSQL",
)


@pytest.fixture(autouse=True, scope="module")
def quick_flushes(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """After each test with committed rows Django empties every table, and makes all content
    types and permissions anew, which takes longer than most tests. Here once a module will do."""
    with patch("django.core.management.commands.flush.emit_post_migrate_signal"):
        yield
    with django_db_blocker.unblock():
        emit_post_migrate_signal(0, False, DEFAULT_DB_ALIAS)


@pytest.fixture
def stage() -> Stage:
    """The scripted source, registered; streams made by `making` play on it."""
    stage = Stage()
    stage.register()
    return stage


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    """The process's hub, on this test's loop."""
    yield hubs.hub()
    await hubs.close()


StartWorker = Callable[[], Awaitable[StreamWorker]]


@pytest.fixture
async def start_worker(hub: Hub, transactional_db: None) -> AsyncIterator[StartWorker]:
    """Start real workers on this test's loop; they hand over and go when it ends."""
    started: list[StreamWorker] = []

    async def start() -> StreamWorker:
        worker = StreamWorker()
        started.append(worker)
        await worker.start()
        return worker

    yield start
    for worker in started:
        await worker.drain(0)


@pytest.fixture
def hurt_database(transactional_db: None) -> Iterator[None]:
    """For tests that cut connections: this thread's own is opened anew afterwards."""
    yield
    connection.close()

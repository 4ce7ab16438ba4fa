"""Start the services of a run, then set the environment, and only then load Django's settings.

`TEST_DATABASE=sqlite` runs on SQLite and a channel layer in memory instead of PostgreSQL and Redis.
It leaves out the tests that use neither, and runs one variant of each other test. pytest loads this
module with `-p`, because pytest-django reads the settings before it loads a conftest.
"""

import atexit
import base64
import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests import loopback
from tests.daily import run_one_of_each
from tools.services.postgresql import Postgres, postgres
from tools.services.program import scratch_folder
from tools.services.redis_server import Redis, redis

TESTS = Path(__file__).parent
ON_SQLITE = os.environ.get("TEST_DATABASE", "postgresql") == "sqlite"
SERVICE_FIXTURES = {"db", "transactional_db", "hub", "faulty_layer"}
"""Fixtures of the tests that use a database or a channel layer."""
MARK_BY_FOLDER = {"chaos": "death", "e2e": "death", "js": "page"}
"""The mark of a folder's tests without a mark `page` or `death` of their own."""
FIXED_SETTINGS = {
    "DEBUG": "off",
    "ALLOWED_HOSTS": "localhost,127.0.0.1,[::1],testserver",
    "TRUSTED_ORIGINS": "",
    "TRUSTED_PROXY_COUNT": "0",
    "EMBEDDED_WORKER": "off",
    "DRAIN_SECONDS": "5",
    "FOLD_AFTER_SECONDS": "86400",
    "OPENAI_BASE_URL": "",
    "ANTHROPIC_BASE_URL": "",
    "GOOGLE_GEMINI_BASE_URL": "",
    "COMPATIBLE_PROVIDERS": "[]",
    "EMAIL_URL": "memorymail://",
    "EMAIL_VERIFICATION": "none",
    "LOG_LEVEL": "WARNING",
}


class Services:
    """The servers of this run. Each starts at its first use."""

    def __init__(self) -> None:
        self._open = ExitStack()
        self._postgres: Postgres | None = None
        self._redis: Redis | None = None

    @property
    def postgres(self) -> Postgres:
        self._postgres = self._postgres or self._open.enter_context(postgres())
        return self._postgres

    @property
    def redis(self) -> Redis:
        self._redis = self._redis or self._open.enter_context(redis())
        return self._redis

    def close(self) -> None:
        self._open.close()


services = Services()
atexit.register(services.close)  # even if the settings cannot be loaded


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests() -> None:
    """Override the machine's own settings and those in a `.env` beside manage.py."""
    os.environ.update(FIXED_SETTINGS)
    os.environ["SECRET_KEY"] = secrets.token_urlsafe(40)
    os.environ["MASTER_KEYS"] = f"tests:{base64.b64encode(secrets.token_bytes(32)).decode()}"
    if ON_SQLITE:
        folder = scratch_folder("sqlite")
        os.environ.update(DATABASE_URL=f"sqlite:///{folder}/holdfast.sqlite3", REDIS_URL="")
    else:
        os.environ.update(DATABASE_URL=services.postgres.url, REDIS_URL=services.redis.url)


def pytest_configure() -> None:
    loopback.forbid_external_connections()


def pytest_unconfigure() -> None:
    services.close()


def pytest_report_header() -> str:
    if ON_SQLITE:
        return "holdfast: SQLite, channel layer in memory"
    return f"holdfast: {services.postgres.command[0]} and {services.redis.command[0]}"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark, sort and select tests.

    Tests with a browser come last: Playwright's loop occupies this thread until the end, and
    neither asyncio's own tests nor Django's connections work beside it. A test that uses neither a
    database nor a channel layer is the same on SQLite; of the others one variant runs there.
    """
    for item in items:
        mark_folder(item)
    items.sort(key=lambda item: get_folder(item) in {"js", "e2e"})
    if ON_SQLITE:
        deselected = [item for item in items if not uses_services(item)]
        config.hook.pytest_deselected(items=deselected)
        items[:] = [item for item in items if item not in set(deselected)]
        run_one_of_each(items, lambda item: item.nodeid.split("[")[0])


def mark_folder(item: pytest.Item) -> None:
    mark = MARK_BY_FOLDER.get(get_folder(item))
    if mark and not any(item.get_closest_marker(name) for name in MARK_BY_FOLDER.values()):
        item.add_marker(mark)


def get_folder(item: pytest.Item) -> str:
    """Return the folder of a test below `tests`."""
    return item.path.relative_to(TESTS).parts[0] if item.path.is_relative_to(TESTS) else ""


def uses_services(item: pytest.Item) -> bool:
    names = set(getattr(item, "fixturenames", ()))
    return item.get_closest_marker("django_db") is not None or bool(SERVICE_FIXTURES & names)


@pytest.fixture(scope="session")
def postgres_server() -> Postgres:
    """The run's own PostgreSQL. A test that kills or stops it starts it again."""
    return services.postgres


@pytest.fixture
def redis_server() -> Iterator[Redis]:
    """The run's own Redis. After a test that stopped or killed it, it runs again and is empty."""
    server = services.redis
    pid = server.pid
    yield server
    server.resume()
    if server.pid != pid or not server.running:
        server.restart_empty()

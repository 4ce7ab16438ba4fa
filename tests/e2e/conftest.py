"""A real browser against a real deployment. Everything here is synchronous: Playwright's own
loop holds this thread, so neither asyncio nor Django's database is used beside it.

    def test_two_people(deployment, open_page):
        page = open_page(deployment.person("owner"))
"""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Error,
    Page,
    WebError,
    expect,
)

from tests.daily import run_one_of_each
from tools.deployment import deployment as deployments
from tools.deployment.deployment import Deployment, Kind
from tools.deployment.http_user import Person
from tools.fake_provider import Fake
from tools.services import Postgres
from tools.waiting import until

HERE = Path(__file__).parent
PICTURES = deployments.ROOT / "test-results"
PATIENCE = 15_000  # milliseconds that a locator waits
KINDS = [{"embedded", "stack"}, {"daphne", "uvicorn"}]
expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="session", params=["embedded", "stack"])
def deployment(
    request: pytest.FixtureRequest, postgres_server: Postgres, provider: Fake
) -> Iterator[Deployment]:
    """One of each kind, shared by all tests that leave it healthy."""
    asks = {"OPENAI_BASE_URL": provider.openai}
    with Deployment(request.param, environment=asks, database_server=postgres_server) as running:
        yield running


@pytest.fixture(autouse=True)
def no_reply_left_running(request: pytest.FixtureRequest) -> Iterator[None]:
    """Replies that a test leaves running would call the provider during the next test, and get the
    answer that was scripted there."""
    yield
    used = getattr(request.node, "funcargs", {})
    if "deployment" in used:
        used["provider"].release()
        until(used["deployment"].stop_replies, what="no reply runs")


class Deploy(Protocol):
    def __call__(self, kind: Kind, **options: Any) -> Deployment: ...


@pytest.fixture
def deploy(postgres_server: Postgres, provider: Fake) -> Iterator[Deploy]:
    """Start deployments for this test alone, which it may damage; takes the arguments of
    `Deployment`."""
    with ExitStack() as stack:

        def make(kind: Kind, **options: Any) -> Deployment:
            options.setdefault("database_server", postgres_server)
            asks = {"OPENAI_BASE_URL": provider.openai}
            options["environment"] = asks | options.get("environment", {})
            return stack.enter_context(Deployment(kind, **options))

        yield make


@pytest.fixture
def asker(deployment: Deployment) -> Person:
    """A person with a key. The tests of a deployment share this account."""
    person = deployment.person("asker")
    person.add_key("openai")
    return person


@pytest.fixture
def person(deployment: Deployment) -> Person:
    """A person with a key and a new account."""
    person = deployment.person(f"person-{uuid4().hex[:8]}")
    person.add_key("openai")
    return person


class Complaints:
    """The errors of pages: on the console, uncaught exceptions, and violations of the content
    security policy, which Chromium prints on the console too."""

    def __init__(self) -> None:
        self._heard: list[str] = []
        self._allowed: list[str] = []

    def listen(self, context: BrowserContext) -> None:
        context.on("console", self._console)
        context.on("weberror", self._uncaught)

    def allow(self, pattern: str) -> None:
        """This test provokes such messages, for example by cutting the network."""
        self._allowed.append(pattern)

    def remaining(self) -> list[str]:
        return [
            text
            for text in self._heard
            if not any(re.search(pattern, text) for pattern in self._allowed)
        ]

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error" or "Content Security Policy" in message.text:
            self._heard.append(f"{message.text} ({message.location['url']})")

    def _uncaught(self, error: WebError) -> None:
        self._heard.append(str(error.error))


@pytest.fixture
def complaints() -> Iterator[Complaints]:
    """Empty at the end of every test with a page, except for allowed messages."""
    complaints = Complaints()
    yield complaints
    assert complaints.remaining() == []


@pytest.fixture
def browser_context(
    browser: Browser, complaints: Complaints
) -> Iterator[Callable[..., BrowserContext]]:
    """Create independent browsers: own cookies, storage and cache; takes the options of
    Playwright's `new_context`."""
    with ExitStack() as stack:

        def make(**options: Any) -> BrowserContext:
            options.setdefault("permissions", ["clipboard-read", "clipboard-write"])
            context = browser.new_context(**options)
            context.set_default_timeout(PATIENCE)
            context.set_default_navigation_timeout(PATIENCE)
            complaints.listen(context)
            stack.callback(context.close)
            return context

        yield make


@pytest.fixture
def open_page(browser_context: Callable[..., BrowserContext]) -> Callable[..., Page]:
    """`open_page(person, path="/", base_url=…, **options)`: a page in that person's browser."""

    def open_(person: Person, path: str = "/", *, base_url: str = "", **options: Any) -> Page:
        context = browser_context(base_url=base_url or person.base_url, **options)
        context.add_cookies(person.browser_cookies())  # type: ignore[arg-type]
        page = context.new_page()
        page.goto(path)
        return page

    return open_


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test for two kinds of deployment, or for two servers, runs on one of them every day, always
    the same one. `make prove` runs it on the other, too."""
    for kinds in KINDS:
        run_one_of_each(items, partial(without_the_kind, kinds))


def without_the_kind(kinds: set[str], item: pytest.Item) -> str | None:
    """Return the name of a test with variants, without the variant."""
    kind = kinds.intersection(re.split(r"[\[\]-]", item.name))
    return item.nodeid.replace(kind.pop(), "*") if kind and HERE in item.path.parents else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """A failure shows the output of the processes, and saves a picture of every page."""
    report: pytest.TestReport = yield  # type: ignore[assignment]
    if report.failed:
        for running in deployments.running:
            report.sections.append((f"{running.kind} deployment", running.logs()))
        for number, page in enumerate(_pages(item)):
            picture = PICTURES / f"{item.name}-{number}.png"
            with suppress(Error):  # an error here must not hide the failure
                page.screenshot(path=picture)
                report.sections.append((page.url, f"shown in {picture}"))
    return report  # type: ignore[return-value]


def _pages(item: pytest.Item) -> list[Page]:
    browser: Browser | None = getattr(item, "funcargs", {}).get("browser")
    return [page for context in browser.contexts for page in context.pages] if browser else []

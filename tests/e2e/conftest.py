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


@pytest.fixture(scope="session")
def provider() -> Iterator[Fake]:
    """The provider every deployment here asks, as a process of its own; tests take `fake`."""
    with Fake.spawn() as provider:
        yield provider


@pytest.fixture
def fake(provider: Fake) -> Fake:
    """The provider, with nothing scripted and nothing remembered."""
    provider.reset()
    return provider


@pytest.fixture(scope="session", params=["embedded", "stack"])
def deployment(
    request: pytest.FixtureRequest, postgres_server: Postgres, provider: Fake
) -> Iterator[Deployment]:
    """One of each kind, shared by all tests that leave it as healthy as they found it."""
    asks = {"OPENAI_BASE_URL": provider.openai}
    with Deployment(request.param, environment=asks, database_server=postgres_server) as running:
        yield running


@pytest.fixture(autouse=True)
def no_reply_left_running(request: pytest.FixtureRequest) -> Iterator[None]:
    """What a test leaves running would ask the provider during the next test, and get the answer
    that was scripted there."""
    yield
    used = getattr(request.node, "funcargs", {})
    if "deployment" in used:
        used["provider"].release()
        until(used["deployment"].stop_replies, what="no reply runs")


class Deploy(Protocol):
    def __call__(self, kind: Kind, **options: Any) -> Deployment: ...


@pytest.fixture
def deploy(postgres_server: Postgres, provider: Fake) -> Iterator[Deploy]:
    """Make deployments for this test alone, to be hurt; takes what `Deployment` takes."""
    with ExitStack() as stack:

        def make(kind: Kind, **options: Any) -> Deployment:
            options.setdefault("database_server", postgres_server)
            asks = {"OPENAI_BASE_URL": provider.openai}
            options["environment"] = asks | options.get("environment", {})
            return stack.enter_context(Deployment(kind, **options))

        yield make


class Complaints:
    """What pages complained about: errors on the console, uncaught exceptions, and violations
    of the content security policy, which Chromium prints on the console too."""

    def __init__(self) -> None:
        self._heard: list[str] = []
        self._allowed: list[str] = []

    def listen(self, context: BrowserContext) -> None:
        context.on("console", self._console)
        context.on("weberror", self._uncaught)

    def allow(self, pattern: str) -> None:
        """This test provokes messages like that, such as of a network it cuts itself."""
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
    """Empty at the end of every test with a page, but for what the test allowed."""
    complaints = Complaints()
    yield complaints
    assert complaints.remaining() == []


@pytest.fixture
def browser_context(
    browser: Browser, complaints: Complaints
) -> Iterator[Callable[..., BrowserContext]]:
    """Make independent browsers: cookies, storage and cache of their own; takes the options of
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
    """`open_page(person, path="/", base_url=…, **options)`: their browser, on that page."""

    def open_(person: Person, path: str = "/", *, base_url: str = "", **options: Any) -> Page:
        context = browser_context(base_url=base_url or person.base_url, **options)
        context.add_cookies(person.browser_cookies())  # type: ignore[arg-type]
        page = context.new_page()
        page.goto(path)
        return page

    return open_


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test of two kinds of deployment, or of two servers, runs on one of them every day, always
    on the same one. `make prove` runs it on the other, too."""
    for kinds in KINDS:
        run_one_of_each(items, partial(without_the_kind, kinds))


def without_the_kind(kinds: set[str], item: pytest.Item) -> str | None:
    """The name of a test that has variants of this sort, without which of them it is."""
    kind = kinds.intersection(re.split(r"[\[\]-]", item.name))
    return item.nodeid.replace(kind.pop(), "*") if kind and HERE in item.path.parents else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """A failure shows what the processes printed, and keeps a picture of every page."""
    report: pytest.TestReport = yield  # type: ignore[assignment]
    if report.failed:
        for running in deployments.running:
            report.sections.append((f"{running.kind} deployment", running.logs()))
        for number, page in enumerate(_pages(item)):
            picture = PICTURES / f"{item.name}-{number}.png"
            with suppress(Error):  # which must not hide what failed
                page.screenshot(path=picture)
                report.sections.append((page.url, f"shown in {picture}"))
    return report  # type: ignore[return-value]


def _pages(item: pytest.Item) -> list[Page]:
    browser: Browser | None = getattr(item, "funcargs", {}).get("browser")
    return [page for context in browser.contexts for page in context.pages] if browser else []

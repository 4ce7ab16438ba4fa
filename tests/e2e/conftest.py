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

FOLDER = Path(__file__).parent
PICTURES = deployments.ROOT / "test-results"
TIMEOUT_MS = 15_000  # that a locator waits
VARIANTS = [{"embedded", "stack"}, {"daphne", "uvicorn"}]
expect.set_options(timeout=TIMEOUT_MS)


def name_fakes(provider: Fake) -> dict[str, str]:
    """The environment of a deployment whose providers are the fake."""
    return {"OPENAI_BASE_URL": provider.openai, "GOOGLE_GEMINI_BASE_URL": provider.google}


@pytest.fixture(scope="session", params=["embedded", "stack"])
def deployment(
    request: pytest.FixtureRequest, postgres_server: Postgres, provider: Fake
) -> Iterator[Deployment]:
    """Run one of each kind for all tests that leave it healthy."""
    environment = name_fakes(provider)
    with Deployment(
        request.param, environment=environment, database_server=postgres_server
    ) as running:
        yield running


@pytest.fixture(autouse=True)
def stop_remaining_replies(request: pytest.FixtureRequest) -> Iterator[None]:
    """Stop the replies of a test. They would call the provider during the next test, and get the
    answer that was scripted there."""
    yield
    fixtures = getattr(request.node, "funcargs", {})
    if "deployment" in fixtures:
        fixtures["provider"].release()
        until(fixtures["deployment"].stop_replies, what="no reply runs")


class StartDeployment(Protocol):
    def __call__(self, kind: Kind, **options: Any) -> Deployment: ...


@pytest.fixture
def start_deployment(postgres_server: Postgres, provider: Fake) -> Iterator[StartDeployment]:
    """Start deployments for this test alone, which it may damage; it takes the arguments of
    `Deployment`."""
    with ExitStack() as stack:

        def create(kind: Kind, **options: Any) -> Deployment:
            options.setdefault("database_server", postgres_server)
            options["environment"] = name_fakes(provider) | options.get("environment", {})
            return stack.enter_context(Deployment(kind, **options))

        yield create


@pytest.fixture
def shared_user(deployment: Deployment) -> Person:
    """Return a person with a key. The tests of a deployment share this account."""
    person = deployment.person("asker")
    person.add_key("openai")
    return person


@pytest.fixture
def person(deployment: Deployment) -> Person:
    """Return a person with a key and a new account."""
    person = deployment.person(f"person-{uuid4().hex[:8]}")
    person.add_key("openai")
    return person


class PageErrors:
    """The errors of pages: on the console, uncaught exceptions, and violations of the content
    security policy, which Chromium prints on the console too."""

    def __init__(self) -> None:
        self._errors: list[str] = []
        self._allowed: list[str] = []

    def watch(self, context: BrowserContext) -> None:
        context.on("console", self._add_console_error)
        context.on("weberror", self._add_exception)

    def allow(self, pattern: str) -> None:
        """Accept such messages in this test, which for example cuts the network."""
        self._allowed.append(pattern)

    def list_unexpected(self) -> list[str]:
        return [
            text
            for text in self._errors
            if not any(re.search(pattern, text) for pattern in self._allowed)
        ]

    def _add_console_error(self, message: ConsoleMessage) -> None:
        if message.type == "error" or "Content Security Policy" in message.text:
            self._errors.append(f"{message.text} ({message.location['url']})")

    def _add_exception(self, error: WebError) -> None:
        self._errors.append(str(error.error))


@pytest.fixture
def page_errors() -> Iterator[PageErrors]:
    """Collect the errors of pages. At the end of a test only allowed ones may remain."""
    page_errors = PageErrors()
    yield page_errors
    assert page_errors.list_unexpected() == []


@pytest.fixture
def browser_context(
    browser: Browser, page_errors: PageErrors
) -> Iterator[Callable[..., BrowserContext]]:
    """Create independent browsers: own cookies, storage and cache; takes the options of
    Playwright's `new_context`."""
    with ExitStack() as stack:

        def create(**options: Any) -> BrowserContext:
            options.setdefault("permissions", ["clipboard-read", "clipboard-write"])
            context = browser.new_context(**options)
            context.set_default_timeout(TIMEOUT_MS)
            context.set_default_navigation_timeout(TIMEOUT_MS)
            page_errors.watch(context)
            stack.callback(context.close)
            return context

        yield create


@pytest.fixture
def open_page(browser_context: Callable[..., BrowserContext]) -> Callable[..., Page]:
    """Return `open_page(person, path="/", base_url=…, **options)`: it opens a page as a person."""

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
    for kinds in VARIANTS:
        run_one_of_each(items, partial(remove_kind_from_name, kinds))


def remove_kind_from_name(kinds: set[str], item: pytest.Item) -> str | None:
    """Return the name of a test with variants, without the variant."""
    kind = kinds.intersection(re.split(r"[\[\]-]", item.name))
    return item.nodeid.replace(kind.pop(), "*") if kind and FOLDER in item.path.parents else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Add the output of the processes to a failure, and save a picture of every page."""
    report: pytest.TestReport = yield  # type: ignore[assignment]
    if report.failed:
        for running in deployments.running:
            report.sections.append((f"{running.kind} deployment", running.logs()))
        for number, page in enumerate(_list_pages(item)):
            picture = PICTURES / f"{item.name}-{number}.png"
            with suppress(Error):  # an error here must not hide the failure
                page.screenshot(path=picture)
                report.sections.append((page.url, f"shown in {picture}"))
    return report  # type: ignore[return-value]


def _list_pages(item: pytest.Item) -> list[Page]:
    browser: Browser | None = getattr(item, "funcargs", {}).get("browser")
    return [page for context in browser.contexts for page in context.pages] if browser else []

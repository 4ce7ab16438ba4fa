"""The tests of pages with every module of ours empty, to see each of them fail:

    python -m pytest -p tests.js.without_modules tests/js tests/e2e

Left out are those that say that they need no script (`still`), those that open no page, and what
is run on one deployment already. The names of the others that pass all the same are printed at the
end, and make the run fail; so do those that did not come as far as a page.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Route, expect
from playwright.sync_api._generated import LocatorAssertions, PageAssertions

OURS = "**/js/*.js"  # what a test serves of its own comes before
EMPTY = "export {};"
PATIENCE = 2_000  # milliseconds; nothing here is worth waiting for
NAVIGATION = 5_000
PAGES = {"open_page", "browser_context", "page"}
NOTICED = (AssertionError, Error)

passed: list[str] = []
noticed: list[str] = []
broke: list[str] = []  # by something else, which proves nothing


def pytest_configure() -> None:
    make = Browser.new_context

    def new_context(browser: Browser, **options: Any) -> BrowserContext:
        context = make(browser, **options)
        context.route(OURS, empty)
        context.set_default_timeout(PATIENCE)
        context.set_default_navigation_timeout(NAVIGATION)
        context.set_default_timeout = ignore  # type: ignore[method-assign]
        context.set_default_navigation_timeout = ignore  # type: ignore[method-assign]
        return context

    Browser.new_context = new_context  # type: ignore[method-assign, assignment]
    expect.set_options(timeout=PATIENCE)
    for kind in (LocatorAssertions, PageAssertions):
        for name, method in vars(kind).items():
            if name.startswith(("to_", "not_to_")):
                setattr(kind, name, impatient(method))


def empty(route: Route) -> None:
    route.fulfill(body=EMPTY, content_type="text/javascript")


def ignore(timeout: Any) -> None:
    pass


def impatient(method: Callable[..., None]) -> Callable[..., None]:
    def hurried(*arguments: Any, timeout: float | None = None, **options: Any) -> None:
        method(*arguments, **options)

    return hurried


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    wanted = [item for item in items if of_a_live_page(item)]
    config.hook.pytest_deselected(items=[item for item in items if item not in wanted])
    items[:] = wanted


def of_a_live_page(item: pytest.Item) -> bool:
    given = item.callspec.params if hasattr(item, "callspec") else {}
    return (
        bool(PAGES & set(getattr(item, "fixturenames", ())))
        and "stack" not in (given.get("deployment"), given.get("kind"))
        and item.get_closest_marker("still") is None
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    if call.excinfo is None and call.when == "call":
        passed.append(item.nodeid)
    elif call.excinfo is not None and call.when != "teardown":
        (noticed if call.excinfo.errisinstance(NOTICED) else broke).append(item.nodeid)
    return (yield)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Success is that all of them failed."""
    proven = noticed and not passed and not broke
    session.exitstatus = pytest.ExitCode.OK if proven else pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any) -> None:
    terminalreporter.write_line(f"{len(noticed)} noticed that nothing is live")
    for name in passed:
        terminalreporter.write_line(f"passes without a live module: {name}")
    for name in broke:
        terminalreporter.write_line(f"failed before it could notice: {name}")

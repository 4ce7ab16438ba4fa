"""The tests of pages with every live module empty, to see each of them fail:

    python -m pytest -p tests.js.emptied tests/js tests/e2e

Left out are those that say that they need no script (`still`), and those that open no page. The
names of the others that pass all the same are printed at the end, and make the run fail.
"""

from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Route, expect

LIVE = "**/js/{main,live-reply,socket}*.js"
EMPTY = """export class LiveReply extends HTMLElement {}
export const connection = new EventTarget();
"""
PATIENCE = 1500  # milliseconds; nothing here is worth waiting for
LONGEST = 20  # seconds of a test that waits by itself
PAGES = {"open_page", "browser_context", "page"}
OTHERS = ("test_markdown.py", "test_reading.py")  # of modules that are live by nobody's help

passed: list[str] = []
failed: list[str] = []


def pytest_configure() -> None:
    make = Browser.new_context

    def new_context(browser: Browser, **options: Any) -> BrowserContext:
        context = make(browser, **options)
        context.route(LIVE, empty)
        context.set_default_timeout = lambda timeout: None  # type: ignore[method-assign]
        BrowserContext.set_default_timeout(context, PATIENCE)
        return context

    Browser.new_context = new_context  # type: ignore[method-assign, assignment]
    expect.set_options(timeout=PATIENCE)


def empty(route: Route) -> None:
    route.fulfill(body=EMPTY, content_type="text/javascript")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    wanted = [item for item in items if of_a_live_page(item)]
    config.hook.pytest_deselected(items=[item for item in items if item not in wanted])
    items[:] = wanted
    for item in items:
        item.add_marker(pytest.mark.timeout(LONGEST), append=False)


def of_a_live_page(item: pytest.Item) -> bool:
    fixtures = set(getattr(item, "fixturenames", ()))
    kind = item.callspec.params.get("deployment") if hasattr(item, "callspec") else None
    return (
        bool(fixtures & PAGES)
        and kind != "stack"
        and "deploy" not in fixtures
        and item.path.name not in OTHERS
        and item.get_closest_marker("still") is None
    )


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call":
        (passed if report.passed else failed).append(report.nodeid)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Success is that all of them failed."""
    session.exitstatus = (
        pytest.ExitCode.OK if failed and not passed else pytest.ExitCode.TESTS_FAILED
    )


def pytest_terminal_summary(terminalreporter: Any) -> None:
    terminalreporter.write_line(f"{len(failed)} noticed that nothing is live")
    for name in passed:
        terminalreporter.write_line(f"passes without a live module: {name}")

"""The tests of pages with every module of ours empty, to see each of them fail:

    python -m pytest -p tests.js.without_modules tests/js tests/e2e

It leaves out tests that need no script (marked `still`), tests that open no page, and the second
variants of tests that run on one deployment already. It prints the names of the others that pass
all the same, or fail before they open a page; either makes the run fail.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Route, expect
from playwright.sync_api._generated import LocatorAssertions, PageAssertions

OWN_MODULES = re.compile(r"/js/.+\.js$")  # routes of a test take precedence
EMPTY_MODULE = "export {};"
TIMEOUT_MS = 2_000  # nothing here is worth waiting for
NAVIGATION_TIMEOUT_MS = 5_000
PAGE_FIXTURES = {"open_page", "browser_context", "page"}
EXPECTED_FAILURES = (AssertionError, Error)

passed: list[str] = []
failed: list[str] = []
errors: list[str] = []  # failed for another reason, which proves nothing


def pytest_configure() -> None:
    original_new_context = Browser.new_context

    def new_context(browser: Browser, **options: Any) -> BrowserContext:
        context = original_new_context(browser, **options)
        context.route(OWN_MODULES, serve_empty_module)
        context.set_default_timeout(TIMEOUT_MS)
        context.set_default_navigation_timeout(NAVIGATION_TIMEOUT_MS)
        context.set_default_timeout = ignore  # type: ignore[method-assign]
        context.set_default_navigation_timeout = ignore  # type: ignore[method-assign]
        return context

    Browser.new_context = new_context  # type: ignore[method-assign, assignment]
    expect.set_options(timeout=TIMEOUT_MS)
    for kind in (LocatorAssertions, PageAssertions):
        for name, method in vars(kind).items():
            if name.startswith(("to_", "not_to_")):
                setattr(kind, name, ignore_timeout(method))


def serve_empty_module(route: Route) -> None:
    route.fulfill(body=EMPTY_MODULE, content_type="text/javascript")


def ignore(timeout: Any) -> None:
    pass


def ignore_timeout(method: Callable[..., None]) -> Callable[..., None]:
    def call_without_timeout(*arguments: Any, timeout: float | None = None, **options: Any) -> None:
        method(*arguments, **options)

    return call_without_timeout


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    selected = [item for item in items if opens_live_page(item)]
    config.hook.pytest_deselected(items=[item for item in items if item not in selected])
    items[:] = selected


def opens_live_page(item: pytest.Item) -> bool:
    params = item.callspec.params if hasattr(item, "callspec") else {}
    return (
        bool(PAGE_FIXTURES & set(getattr(item, "fixturenames", ())))
        and "stack" not in (params.get("deployment"), params.get("kind"))
        and item.get_closest_marker("still") is None
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    if call.excinfo is None and call.when == "call":
        passed.append(item.nodeid)
    elif call.excinfo is not None and call.when != "teardown":
        (failed if call.excinfo.errisinstance(EXPECTED_FAILURES) else errors).append(item.nodeid)
    return (yield)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """The run succeeds if all tests failed."""
    all_failed = failed and not passed and not errors
    session.exitstatus = pytest.ExitCode.OK if all_failed else pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any) -> None:
    terminalreporter.write_line(f"{len(failed)} noticed that nothing is live")
    for name in passed:
        terminalreporter.write_line(f"passes without a live module: {name}")
    for name in errors:
        terminalreporter.write_line(f"failed before it could notice: {name}")

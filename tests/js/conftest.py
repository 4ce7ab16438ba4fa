"""Our scripts in a real Chromium, from a server on loopback that has the static files and the
content security policy, but no database and no Django."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tools.static_site import serve_static


@pytest.fixture(scope="session")
def site() -> Iterator[str]:
    with serve_static() as address:
        yield address


@pytest.fixture
def complaints() -> Iterator[list[str]]:
    """Errors of the page and violations of the policy. A test fails if there are any at its end."""
    heard: list[str] = []
    yield heard
    assert heard == []


@pytest.fixture
def page(browser: Browser, site: str, complaints: list[str]) -> Iterator[Page]:
    context = browser.new_context(base_url=site)
    page = context.new_page()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda message: complaints.append(message.text) if message.type == "error" else None,
    )
    page.goto("/")
    yield page
    context.close()

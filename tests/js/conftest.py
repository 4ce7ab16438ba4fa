"""Our scripts in a real Chromium, from a server on loopback that has the static files and the
content security policy, but no database and no Django."""

from collections.abc import Iterator

import pytest
from django.test import override_settings
from playwright.sync_api import Browser, Page

from tests.factories import PLAIN_STORAGES
from tests.js.chat_page import CHAT, ChatServer, render_chat_page
from tools.static_site import Files, serve_static


@pytest.fixture(scope="session")
def site() -> Iterator[str]:
    with serve_static() as address:
        yield address


@pytest.fixture
def page_errors() -> Iterator[list[str]]:
    """Collect errors of the page and violations of the policy. At the end none may remain."""
    errors: list[str] = []
    yield errors
    assert errors == []


@pytest.fixture
def page(browser: Browser, site: str, page_errors: list[str]) -> Iterator[Page]:
    context = browser.new_context(base_url=site)
    page = context.new_page()
    page.on("pageerror", lambda error: page_errors.append(str(error)))
    page.on(
        "console",
        lambda message: page_errors.append(message.text) if message.type == "error" else None,
    )
    # This server has neither drafts nor event streams, which a page tries if a socket greets late.
    page.route("**/api/streams/**", lambda route: route.fulfill(status=204))
    page.route("**/drafts/**", lambda route: route.fulfill(json={}))
    page.goto("/")
    yield page
    context.close()


@pytest.fixture
def chat_server(page: Page) -> Iterator[ChatServer]:
    with override_settings(STORAGES=PLAIN_STORAGES, STATIC_URL="/static/"):
        Files.pages[CHAT] = render_chat_page(f"{CHAT}messages/")
        Files.pages["/new/"] = render_chat_page("/c/")
        yield ChatServer(page)
    Files.pages.clear()

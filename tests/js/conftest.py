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


@pytest.fixture
def chat_server(page: Page) -> Iterator[ChatServer]:
    with override_settings(STORAGES=PLAIN_STORAGES, STATIC_URL="/static/"):
        Files.pages[CHAT] = render_chat_page(f"{CHAT}messages/")
        Files.pages["/new/"] = render_chat_page("/c/")
        yield ChatServer(page)
    Files.pages.clear()

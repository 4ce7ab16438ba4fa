"""The keyboard of other layouts and systems, and a box that has the focus without being used."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.js.chat_page import (
    CHAT,
    ChatServer,
    build_ended_exchange,
    find_articles,
    render_chat_page,
)
from tests.page_elements import find_text_box
from tools.static_site import Files

PRESS = """(event) => document.activeElement.dispatchEvent(
  new KeyboardEvent("keydown", { bubbles: true, cancelable: true, ...event }))"""


@pytest.fixture
def read(page: Page, chat_server: ChatServer) -> Page:
    """A chat that is longer than the screen."""
    Files.pages[CHAT] = render_chat_page(f"{CHAT}messages/", build_ended_exchange("Why?\n" * 200))
    page.goto(CHAT)
    expect(find_text_box(page)).to_be_focused()
    return page


def press(page: Page, **event: Any) -> None:
    page.evaluate(PRESS, event)


def top(page: Page) -> float:
    return float(page.evaluate("document.scrollingElement.scrollTop"))


def test_an_unused_message_box_leaves_the_keys_to_scrolling(read: Page) -> None:
    end = top(read)
    assert end > 0
    read.keyboard.press("ArrowUp")
    assert 0 < top(read) < end
    read.keyboard.press("Home")
    assert top(read) == 0
    read.keyboard.press("PageDown")
    assert top(read) > 100
    read.keyboard.press("End")
    assert top(read) == end
    expect(find_text_box(read)).to_be_focused()
    read.route("**/edit/", lambda route: route.fulfill(status=204))
    find_text_box(read).click()
    with read.expect_request("**/edit/"):
        read.keyboard.press("ArrowUp")


@pytest.mark.parametrize(
    ("event", "opened"),
    [
        ({"key": "/", "code": "Digit7", "shiftKey": True}, "#keyboard"),
        ({"key": "/", "code": "Slash"}, "#keyboard"),
        ({"key": ".", "code": "Comma", "shiftKey": True}, "#settings"),
        ({"key": "Ь", "code": "KeyM", "shiftKey": True}, "#model-picker"),
    ],
)
def test_other_keyboard_layouts_have_the_same_shortcuts(
    read: Page, event: dict[str, Any], opened: str
) -> None:
    press(read, ctrlKey=True, **event)
    expect(read.locator(opened)).to_be_visible()


def test_an_option_letter_on_a_mac_sends_nothing(read: Page) -> None:
    read.add_init_script(
        "for (const [name, value] of [['platform', 'MacIntel'], ['userAgentData', undefined]])"
        "Object.defineProperty(navigator, name, { value })"
    )
    asked: list[str] = []
    read.on("request", lambda request: asked.append(request.method))
    read.reload()
    press(read, key="k", code="KeyK", ctrlKey=True)
    expect(find_articles(read, "demo")).to_be_focused()
    for letter in "rc":
        press(read, key=letter, code=f"Key{letter.upper()}", ctrlKey=True)
    press(read, key="ć", code="KeyC", altKey=True)
    expect(find_text_box(read)).to_be_focused()
    press(read, key="®", code="KeyR", altKey=True)
    assert "POST" not in asked
    expect(read.locator("#keyboard [data-mac]").first).to_have_text("Ctrl")

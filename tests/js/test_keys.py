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

DISPATCH_KEY = """(event) => document.activeElement.dispatchEvent(
  new KeyboardEvent("keydown", { bubbles: true, cancelable: true, ...event }))"""


@pytest.fixture
def opened_chat(page: Page, chat_server: ChatServer) -> Page:
    """A chat that is longer than the screen."""
    Files.pages[CHAT] = render_chat_page(f"{CHAT}messages/", build_ended_exchange("Why?\n" * 200))
    page.goto(CHAT)
    expect(find_text_box(page)).to_be_focused()
    return page


def press_key(page: Page, **event: Any) -> None:
    page.evaluate(DISPATCH_KEY, event)


def get_scroll_top(page: Page) -> float:
    return float(page.evaluate("document.scrollingElement.scrollTop"))


def test_an_unused_message_box_leaves_the_keys_to_scrolling(opened_chat: Page) -> None:
    end = get_scroll_top(opened_chat)
    assert end > 0
    opened_chat.keyboard.press("ArrowUp")
    assert 0 < get_scroll_top(opened_chat) < end
    opened_chat.keyboard.press("Home")
    assert get_scroll_top(opened_chat) == 0
    opened_chat.keyboard.press("PageDown")
    assert get_scroll_top(opened_chat) > 100
    opened_chat.keyboard.press("End")
    assert get_scroll_top(opened_chat) == end
    expect(find_text_box(opened_chat)).to_be_focused()
    opened_chat.route("**/edit/", lambda route: route.fulfill(status=204))
    find_text_box(opened_chat).click()
    with opened_chat.expect_request("**/edit/"):
        opened_chat.keyboard.press("ArrowUp")


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"key": "/", "code": "Digit7", "shiftKey": True}, "#keyboard"),
        ({"key": "/", "code": "Slash"}, "#keyboard"),
        ({"key": ".", "code": "Comma", "shiftKey": True}, "#settings"),
        ({"key": "Ь", "code": "KeyM", "shiftKey": True}, "#model-picker"),
    ],
)
def test_other_keyboard_layouts_have_the_same_shortcuts(
    opened_chat: Page, event: dict[str, Any], expected: str
) -> None:
    press_key(opened_chat, ctrlKey=True, **event)
    expect(opened_chat.locator(expected)).to_be_visible()


def test_an_option_letter_on_a_mac_sends_nothing(opened_chat: Page) -> None:
    opened_chat.add_init_script(
        "for (const [name, value] of [['platform', 'MacIntel'], ['userAgentData', undefined]])"
        "Object.defineProperty(navigator, name, { value })"
    )
    urls: list[str] = []
    opened_chat.on("request", lambda request: urls.append(request.method))
    opened_chat.reload()
    press_key(opened_chat, key="k", code="KeyK", ctrlKey=True)
    expect(find_articles(opened_chat, "demo")).to_be_focused()
    for letter in "rc":
        press_key(opened_chat, key=letter, code=f"Key{letter.upper()}", ctrlKey=True)
    press_key(opened_chat, key="ć", code="KeyC", altKey=True)
    expect(find_text_box(opened_chat)).to_be_focused()
    press_key(opened_chat, key="®", code="KeyR", altKey=True)
    assert "POST" not in urls
    expect(opened_chat.locator("#keyboard [data-mac]").first).to_have_text("Ctrl")

"""The keyboard of other layouts and systems, and a box that has the focus without being used."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.js.chat_page import (
    CHAT,
    ChatServer,
    build_ended_exchange,
    build_running_exchange,
    find_articles,
    render_chat_page,
)
from tests.page_elements import find_stop_button, find_text_box
from tools.static_site import STATIC, Files

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


# Keys of an input method, as WebKit sends them: the composition has ended, and only the code tells

COMPOSED = {"isComposing": False, "keyCode": 229}
KEYDOWN = re.compile(r'addEventListener\(\s*"keydown"')
KEY_HANDLERS = {
    "composer/composer.js": 1,  # Enter sends
    "composer/model-picker.js": 2,  # the field opens the list; arrows and Enter choose
    "conversation/message-actions.js": 1,  # Escape leaves an edit
    "keyboard.js": 1,  # shortcuts of the page
}
"""How many handlers each script has. Rename and search have none: their forms are the browser's."""


def test_every_handler_of_keys_asks_whether_an_input_method_has_the_key() -> None:
    scripts = STATIC / "js"
    sources = {str(path.relative_to(scripts)): path.read_text() for path in scripts.rglob("*.js")}
    found = {name: len(KEYDOWN.findall(source)) for name, source in sources.items()}
    assert {name: count for name, count in found.items() if count} == KEY_HANDLERS
    for name, count in KEY_HANDLERS.items():
        assert sources[name].count("isComposing(event)") >= count, name
    unhelped = re.compile(r"\.isComposing|keyup|keypress|onkey|229")
    assert [name for name, source in sources.items() if unhelped.search(source)] == ["elements.js"]


def test_keys_of_an_input_method_do_nothing_on_the_page(
    page: Page, chat_server: ChatServer
) -> None:
    Files.pages[CHAT] = render_chat_page(f"{CHAT}messages/", build_running_exchange("Why?"))
    page.goto(CHAT)
    expect(find_stop_button(page)).to_be_visible()  # Escape would stop the reply
    box = find_text_box(page)
    box.fill("かな")
    page.evaluate("""() => {
        const form = document.querySelector("main").appendChild(document.createElement("form"));
        form.className = "edit";
        const button = document.createElement("button");
        button.type = "button";
        button.dataset.cancelEdit = "";
        button.addEventListener("click", () => form.remove());
        form.append(document.createElement("textarea"), button);
    }""")
    for key in ("Enter", "Escape", "ArrowUp", "ArrowDown", " "):
        press_key(page, key=key, **COMPOSED)
    press_key(page, key="/", ctrlKey=True, **COMPOSED)
    page.locator(".edit textarea").focus()
    press_key(page, key="Escape", **COMPOSED)
    page.locator("#model").focus()
    press_key(page, key="Enter", **COMPOSED)
    expect(page.locator("dialog[open]")).to_have_count(0)
    expect(page.locator(".edit")).to_have_count(1)
    expect(box).to_have_value("かな")
    assert (chat_server.sent, chat_server.stopped) == ([], [])

    page.locator(".edit textarea").focus()
    press_key(page, key="Escape")
    expect(page.locator(".edit")).to_have_count(0)
    box.focus()
    press_key(page, key="Escape")
    chat_server.wait_until(lambda: bool(chat_server.stopped))


def test_keys_of_an_input_method_choose_no_model(opened_chat: Page) -> None:
    press_key(opened_chat, key="m", code="KeyM", ctrlKey=True, shiftKey=True)
    active = opened_chat.locator("#model-picker [data-active]")
    before = active.inner_text()
    for key in ("ArrowDown", "Enter"):
        press_key(opened_chat, key=key, **COMPOSED)
    expect(opened_chat.locator("#model-picker")).to_be_visible()
    assert active.inner_text() == before
    press_key(opened_chat, key="ArrowDown")
    assert active.inner_text() != before
    press_key(opened_chat, key="Enter")
    expect(opened_chat.locator("#model-picker")).to_be_hidden()

"""The keyboard reaches everything, and its list of shortcuts is correct."""

from __future__ import annotations

import re
from collections.abc import Callable
from uuid import uuid4

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.replies import find_newest_reply, read_clipboard, send_message, wait_for_buttons
from tests.page_elements import find_text_box
from tools.deployment.deployment import Deployment
from tools.waiting import until

pytestmark = [pytest.mark.page, pytest.mark.parametrize("deployment", ["embedded"], indirect=True)]


@pytest.fixture
def page(deployment: Deployment, open_page: Callable[..., Page]) -> Page:
    return open_page(deployment.person(f"typist-{uuid4().hex[:8]}"))


class Sheet:
    """Presses keys by the rows of the list, and records the remaining rows.

    A key that leads to another page shows it before its scripts run; the next key waits for them.
    """

    def __init__(self, page: Page) -> None:
        self.page = page
        self.rows = set(page.locator("#keyboard dt").all_inner_texts())

    def press(self, row: str, key: str = "") -> None:
        self.rows.discard(row)
        self.page.wait_for_load_state()
        self.page.keyboard.press(key or row.replace(" ", "+"))


def cancel_edit(page: Page) -> None:
    expect(page.get_by_role("textbox", name="Edit your message")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="Edit")).to_be_focused()


def test_every_shortcut_of_the_list_works(page: Page) -> None:
    page.get_by_role("button", name="Keyboard shortcuts").click()
    sheet = Sheet(page)
    page.keyboard.press("Escape")
    page.get_by_role("combobox", name="Model").select_option("demo-slow")
    find_text_box(page).fill("One")
    sheet.press("Shift Enter")
    page.keyboard.type("two")
    sheet.press("Enter")
    expect(page.get_by_role("article", name="You")).to_contain_text("One\ntwo")
    expect(find_newest_reply(page).locator(".prose").last).not_to_be_empty()
    page.keyboard.press("Shift+Escape")
    expect(find_newest_reply(page)).to_have_attribute("data-state", "running")
    sheet.press("Esc", "Escape")
    expect(find_newest_reply(page).get_by_text("Stopped", exact=True)).to_be_visible()
    wait_for_buttons(page)

    sheet.press("↑", "ArrowUp")
    cancel_edit(page)
    sheet.press("Alt J K", "Alt+j")
    expect(find_newest_reply(page)).to_be_focused()
    sheet.press("Alt J K", "Alt+k")
    expect(page.get_by_role("article", name="You")).to_be_focused()
    sheet.press("E", "e")
    cancel_edit(page)
    page.keyboard.press("Alt+j")

    sheet.press("Y", "y")
    until(lambda: read_clipboard(page) != "", what="something was copied")
    page.evaluate("navigator.clipboard.writeText('')")
    sheet.press("Ctrl Shift C", "Control+Shift+C")
    until(lambda: read_clipboard(page) != "", what="something was copied")
    sheet.press("M", "m")
    expect(page.get_by_role("dialog", name="Choose a model")).to_be_visible()
    page.keyboard.press("Escape")
    sheet.press("Alt C", "Alt+c")
    expect(find_newest_reply(page)).to_have_attribute("data-state", "running")
    expect(find_newest_reply(page)).to_be_focused()
    sheet.press("Esc", "Escape")
    expect(find_newest_reply(page).get_by_role("button", name="Regenerate")).to_be_visible()
    sheet.press("Alt R", "Alt+r")
    expect(find_newest_reply(page).get_by_text("2/2")).to_be_visible()
    expect(find_newest_reply(page)).to_be_focused()
    sheet.press("[ ]", "[")
    expect(find_newest_reply(page).get_by_text("1/2")).to_be_visible()
    sheet.press("Alt J K", "Alt+j")
    sheet.press("[ ]", "]")
    expect(find_newest_reply(page).get_by_text("2/2")).to_be_visible()

    page.get_by_role("heading", level=1).click()
    sheet.press("Shift Esc", "Shift+Escape")
    expect(find_text_box(page)).to_be_focused()
    sheet.press("Ctrl .", "Control+.")
    expect(page.get_by_role("textbox", name="System prompt")).to_be_visible()
    page.keyboard.press("Escape")
    sheet.press("Ctrl Shift M", "Control+Shift+M")
    expect(page.get_by_role("dialog", name="Choose a model")).to_be_visible()
    page.keyboard.press("Escape")
    sheet.press("Ctrl Shift O", "Control+Shift+O")
    page.wait_for_url(lambda url: "/c/" not in url)
    send_message(page, "Be brief", "demo-fast")
    wait_for_buttons(page)
    here = page.get_by_role("link", name="Be brief", exact=True)
    expect(here).to_have_attribute("aria-current", "page")
    sheet.press("Alt ↑ ↓", "Alt+ArrowDown")
    expect(page.get_by_role("article", name="You")).to_contain_text("One")
    sheet.press("Alt ↑ ↓", "Alt+ArrowUp")
    expect(page.get_by_role("article", name="You")).to_contain_text("Be brief")
    sheet.press("Ctrl /", "Control+/")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    assert sheet.rows == set()


def press_letters(page: Page) -> None:
    for key in "eymrc[]jk":
        page.keyboard.press(key)


def test_letter_shortcuts_work_only_in_a_focused_message_and_can_be_switched_off(
    page: Page,
) -> None:
    send_message(page, "Be brief", "demo-fast")
    wait_for_buttons(page)
    page.keyboard.press("Alt+k")
    page.keyboard.press("m")
    expect(page.get_by_role("dialog", name="Choose a model")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("Control+/")
    sheet = page.get_by_role("dialog", name="Keyboard shortcuts")
    sheet.get_by_role("checkbox", name="Single-key shortcuts").uncheck()
    sheet.get_by_role("button", name="Close").click()
    page.reload()
    page.keyboard.press("Alt+k")
    expect(find_newest_reply(page)).to_be_focused()
    press_letters(page)
    expect(find_text_box(page)).to_have_value("eymrc[]jk")


def test_typing_anywhere_goes_into_the_message_box_and_sends_nothing(
    deployment: Deployment, page: Page
) -> None:
    send_message(page, "Be brief", "demo-fast")
    wait_for_buttons(page)
    streams = len(deployment.rows.of("streaming_stream"))
    page.reload()
    expect(find_text_box(page)).to_be_focused()
    for away in (
        page.get_by_role("heading", level=1),
        find_newest_reply(page).get_by_role("button", name="Copy"),
        find_newest_reply(page).locator(".prose").last,
    ):
        find_text_box(page).fill("")
        away.click()
        page.keyboard.type("rewrite this, /maybe? [1] é")
        expect(find_text_box(page)).to_have_value("rewrite this, /maybe? [1] é")
    page.goto(f"{page.url}#{find_newest_reply(page).get_attribute('id')}")
    page.get_by_role("heading", level=1).click()
    find_text_box(page).fill("")
    page.get_by_role("heading", level=1).click()
    page.keyboard.type("Are you sure?")
    expect(find_text_box(page)).to_have_value("Are you sure?")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert len(deployment.rows.of("streaming_stream")) == streams


def test_keys_that_type_no_character_do_not_move_the_focus(page: Page) -> None:
    send_message(page, "Be brief", "demo-fast")
    wait_for_buttons(page)
    find_newest_reply(page).locator(".prose p").first.click(click_count=3)
    page.keyboard.press("Control+c")
    until(lambda: read_clipboard(page) != "", what="the selected text was copied")
    for key in ("Space", "PageDown", "Home", "Shift", "F2", "Alt+x"):
        page.keyboard.press(key)
        expect(find_text_box(page)).not_to_be_focused()
    expect(find_text_box(page)).to_have_value("")


RING = """() => {
    const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
    const within = document.activeElement.closest(".composer, .model-select");
    const seen = within !== null || document.activeElement === document.body; // round the end
    return seen || (outlineStyle !== "none" && parseFloat(outlineWidth) >= 2);
}"""


def move_focus_to(page: Page, target: Locator, key: str = "Tab") -> None:
    """Move the focus by keyboard alone. It must be visible on the way."""
    for _ in range(60):
        page.keyboard.press(key)
        assert page.evaluate(RING), page.evaluate("document.activeElement.outerHTML.slice(0, 200)")
        if target.evaluate("(element) => element === document.activeElement"):
            return
    raise AssertionError(f"no way by {key} to {target}")


def test_a_conversation_needs_no_mouse(page: Page) -> None:
    expect(page.get_by_role("textbox", name="Message", exact=True)).to_be_focused()
    page.keyboard.press("Control+Shift+M")
    page.keyboard.type("slow")
    page.keyboard.press("Enter")
    page.keyboard.press("Shift+Escape")
    page.keyboard.type("Tell me slowly.")
    page.keyboard.press("Enter")
    expect(find_newest_reply(page)).to_have_attribute("data-state", "running")
    expect(find_newest_reply(page).get_by_text("I am the demo")).to_be_visible()
    page.keyboard.press("Escape")
    expect(find_newest_reply(page).get_by_text("Stopped", exact=True)).to_be_visible()
    move_focus_to(page, find_newest_reply(page).get_by_role("button", name="Continue"), "Shift+Tab")
    page.keyboard.press("Enter")
    expect(find_newest_reply(page)).to_have_attribute("data-state", "running")
    page.keyboard.press("Shift+Escape")
    page.keyboard.press("Escape")
    wait_for_buttons(page)
    page.keyboard.press("Control+Shift+O")
    page.wait_for_url(lambda url: "/c/" not in url)
    page.keyboard.press("Alt+ArrowDown")
    page.wait_for_url("**/c/*/")
    move_focus_to(page, page.get_by_role("link", name=re.compile("^More: ")))
    page.keyboard.press("Enter")
    menu = page.get_by_role("dialog", name="Chat")
    expect(menu).to_be_visible()
    move_focus_to(page, menu.get_by_role("button", name="Delete"))
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "/c/" not in url)
    move_focus_to(page, page.get_by_role("button", name="Undo"))
    page.keyboard.press("Enter")
    page.wait_for_url("**/c/*/")

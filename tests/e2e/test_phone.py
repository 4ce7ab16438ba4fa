"""On a phone of 360 pixels everything fits, and everything can be reached with a thumb."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.e2e.conftest import PageErrors
from tests.e2e.replies import (
    find_newest_reply,
    read_conversation_path,
    send_message,
    wait_for_reply,
)
from tests.e2e.states import ENDED_STATES, LONG_WORD, WIDE_REPLY, end_reply, mark_for_prove
from tests.page_elements import find_text_box
from tools.deployment.deployment import Deployment
from tools.deployment.http_user import Person
from tools.deployment.tcp_proxy import Line
from tools.fake_provider import Behaviour, Fake

pytestmark = [pytest.mark.page, pytest.mark.parametrize("deployment", ["embedded"], indirect=True)]

WIDTH = 360
PHONE = {"viewport": {"width": WIDTH, "height": 740}, "has_touch": True, "is_mobile": True}

TOO_WIDE = """() => [...document.querySelectorAll("body *")].filter((element) => {
    const { right, width, height } = element.getBoundingClientRect();
    const scrolls = (one) => one && (/auto|scroll|hidden|clip/.test(getComputedStyle(one).overflowX)
        || scrolls(one.parentElement));
    return width && height && right > innerWidth + 1 && !scrolls(element.parentElement);
}).map((element) => element.outerHTML.slice(0, 120))"""


def assert_fits(page: Page) -> None:
    """Nothing is cut off at the side, and the page can't be scrolled there."""
    assert page.evaluate("innerWidth") == WIDTH
    assert page.evaluate("document.documentElement.scrollWidth") == WIDTH
    assert page.evaluate(TOO_WIDE) == []


@pytest.mark.still
@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/settings/keys/",
        *mark_for_prove(
            "/settings/replies/", "/settings/webhooks/", "/accounts/email/", "/nowhere/"
        ),
    ],
)
def test_every_page_fits_a_phone(
    page_errors: PageErrors, person: Person, open_page: Callable[..., Page], path: str
) -> None:
    page_errors.allow("404")
    assert_fits(open_page(person, path, **PHONE))


@pytest.mark.still
@pytest.mark.parametrize("path", ["/", *mark_for_prove("/accounts/login/", "/accounts/signup/")])
def test_every_page_for_visitors_fits_a_phone(
    deployment: Deployment, browser_context: Callable[..., BrowserContext], path: str
) -> None:
    page = browser_context(base_url=deployment.base_url, **PHONE).new_page()
    page.goto(path)
    assert_fits(page)


def test_any_content_fits_while_it_streams_and_after_a_reload(
    person: Person, fake: Fake, open_page: Callable[..., Page]
) -> None:
    fake.script(Behaviour.of(WIDE_REPLY, "\n\nThe end.", hold_after=(1,)))
    page = open_page(person, **PHONE)
    send_message(page, LONG_WORD)
    expect(find_newest_reply(page).locator("table")).to_be_visible()
    assert_fits(page)
    fake.release()
    expect(wait_for_reply(page)).to_contain_text("The end.")
    expect(find_newest_reply(page).locator("math")).to_have_count(2)
    find_newest_reply(page).get_by_text("Details").tap()
    assert_fits(page)
    page.reload()
    expect(find_newest_reply(page).locator("math")).to_have_count(2)
    assert_fits(page)


@pytest.mark.prove
def test_every_ending_of_a_reply_fits_a_phone(
    deployment: Deployment, person: Person, fake: Fake, open_page: Callable[..., Page]
) -> None:
    chat = None
    for ending in ENDED_STATES:
        chat = end_reply(deployment, person, fake, ending, chat)
    page = open_page(person, f"/c/{chat}/", **PHONE)
    for details in page.get_by_text("Details", exact=True).all():
        details.tap()
    expect(page.get_by_role("button", name="Copy code").first).to_be_attached()
    assert_fits(page)


def test_enter_starts_a_new_line_on_a_phone(person: Person, open_page: Callable[..., Page]) -> None:
    page = open_page(person, **PHONE)
    find_text_box(page).fill("One")
    find_text_box(page).press("Enter")
    find_text_box(page).press_sequentially("two. Be brief.")
    expect(find_text_box(page)).to_have_value("One\ntwo. Be brief.")
    page.get_by_role("combobox", name="Model").select_option("demo-fast")
    page.get_by_role("button", name="Send").tap()
    expect(page.get_by_role("article", name="You")).to_contain_text("two. Be brief.")
    wait_for_reply(page)


def test_everything_is_reachable_by_tapping(person: Person, open_page: Callable[..., Page]) -> None:
    page = open_page(person, **PHONE)
    page.get_by_role("button", name="Chat settings", exact=True).tap()
    expect(page.get_by_role("spinbutton", name="Max tokens")).to_be_in_viewport(ratio=1)
    assert_fits(page)
    page.get_by_role("button", name="Done").tap()
    send_message(page, "Be brief", "demo-fast")
    wait_for_reply(page)
    path = read_conversation_path(page)
    chats = page.get_by_role("list", name="Chats")
    expect(chats).to_be_hidden()
    page.get_by_role("button", name="Menu").tap()
    chats.get_by_role("link", name="More: Be brief").tap()
    menu = page.get_by_role("dialog", name="Chat")
    expect(menu.get_by_role("button", name="Delete")).to_be_in_viewport(ratio=1)
    assert_fits(page)
    menu.get_by_role("button", name="Cancel").tap()
    expect(menu).to_be_hidden()
    expect(page.get_by_role("button", name="Menu")).to_be_focused()
    page.get_by_role("button", name="Menu").tap()
    page.get_by_role("button", name="Keyboard shortcuts").tap()
    expect(page.get_by_role("heading", name="Keyboard shortcuts")).to_be_in_viewport(ratio=1)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Menu").tap()
    page.get_by_role("link", name="New chat").tap()
    page.wait_for_url(lambda url: "/c/" not in url)
    page.get_by_role("button", name="Menu").tap()
    chats.get_by_role("link", name="Be brief", exact=True).tap()
    page.wait_for_url(f"**{path}")
    expect(chats).to_be_hidden()
    expect(find_newest_reply(page)).to_be_visible()


AT_THE_BOTTOM = """(dialog) => {
    const { left, right, bottom } = dialog.getBoundingClientRect();
    return left === 0 && right === innerWidth && Math.abs(bottom - innerHeight) < 1;
}"""


def test_the_menu_of_a_row_has_its_title_and_opens_no_keyboard(
    person: Person, open_page: Callable[..., Page]
) -> None:
    page = open_page(person, **PHONE)
    for text in ("Another one. Be brief", "This one. Be brief"):
        page.goto("/")
        send_message(page, text, "demo-fast")
        wait_for_reply(page)
    page.get_by_role("button", name="Menu").tap()
    page.get_by_role("link", name="More: Another one").tap()
    menu = page.get_by_role("dialog", name="Chat")
    expect(menu.get_by_role("heading")).to_have_text("Another one. Be brief")
    assert menu.evaluate(AT_THE_BOTTOM)
    assert page.evaluate("document.activeElement.matches('input, textarea')") is False
    menu.locator("summary").tap()
    expect(menu.get_by_role("textbox", name="Title")).to_be_focused()
    assert_fits(page)
    menu.get_by_role("button", name="Delete").tap()
    expect(page.get_by_text("Deleted “Another one. Be brief”")).to_be_visible()
    expect(page.get_by_role("article", name="You")).to_contain_text("This one.")


def test_a_lost_network_is_reported_in_words(
    deployment: Deployment, person: Person, open_page: Callable[..., Page], page_errors: PageErrors
) -> None:
    page_errors.allow("WebSocket|ERR_|Failed to (load|fetch)")
    with Line(deployment.web.port) as line:
        page = open_page(person, base_url=line.url, **PHONE)
        expect(page.get_by_role("button", name="Send")).to_be_disabled()  # the script runs
        line.cut()
        words = page.get_by_text("Reconnecting. Your draft is saved.")
        expect(words).to_be_in_viewport(ratio=1)
        box = words.bounding_box()
        assert box
        assert box["width"] > WIDTH / 3
        assert_fits(page)

"""Unsent text on several devices and in several tabs: it follows its account, and what is written
in two places at once is kept twice."""

from __future__ import annotations

import re
from collections.abc import Callable
from uuid import uuid4

import pytest
from playwright.sync_api import Locator, Page, Response, Route, expect

from tests.e2e.conftest import PageErrors
from tests.e2e.replies import send_message, wait_for_reply
from tests.e2e.routes import intercept
from tests.page_elements import find_questions, find_text_box, wait_for_drafts
from tools.deployment.deployment import Deployment
from tools.deployment.http_user import Person
from tools.waiting import until

pytestmark = [pytest.mark.page, pytest.mark.parametrize("deployment", ["embedded"], indirect=True)]

WITHIN_MS = 5000  # from one device to the other
WITHOUT_LOCKS = "Object.defineProperty(Navigator.prototype, 'locks', { value: undefined })"
"""Browsers have them only over https and on localhost."""


@pytest.fixture
def writer(deployment: Deployment) -> Person:
    return deployment.person(f"writer-{uuid4().hex[:8]}")


@pytest.fixture
def conversation(writer: Person, open_page: Callable[..., Page]) -> str:
    """Return the path of a conversation."""
    page = open_page(writer)
    send_message(page, "Be brief", "demo-fast")
    wait_for_reply(page)
    page.wait_for_url("**/c/*/")
    path = "/c/" + page.url.rsplit("/c/", 1)[1]
    page.context.close()
    return path


def expect_text(page: Page, text: str) -> None:
    wait_for_drafts(page)
    expect(find_text_box(page)).to_have_value(text, timeout=WITHIN_MS)


def find_other_drafts(page: Page) -> Locator:
    return page.get_by_role("group", name="Another draft")


def open_tab(page: Page, path: str = "/") -> Page:
    tab = page.context.new_page()
    tab.goto(path)
    return tab


def test_a_draft_follows_its_account_to_another_device_and_back(
    writer: Person, open_page: Callable[..., Page]
) -> None:
    laptop, phone = open_page(writer), open_page(writer)
    find_text_box(laptop).fill("Half a thought")
    expect_text(phone, "Half a thought")
    find_text_box(phone).press("End")
    find_text_box(phone).press_sequentially(" and more")
    expect_text(laptop, "Half a thought and more")
    tablet = open_page(writer)
    expect_text(tablet, "Half a thought and more")
    find_text_box(phone).fill("")
    expect_text(laptop, "")
    expect(find_other_drafts(laptop)).to_have_count(0)


@pytest.mark.prove
def test_sending_on_one_device_empties_the_box_of_the_other(
    conversation: str, writer: Person, open_page: Callable[..., Page]
) -> None:
    laptop, phone = open_page(writer, conversation), open_page(writer, conversation)
    find_text_box(laptop).fill("A reply. Be brief")
    expect_text(phone, "A reply. Be brief")
    find_text_box(phone).press("Enter")
    expect_text(laptop, "")
    expect(find_questions(phone)).to_have_count(2)
    wait_for_reply(phone)
    for page in (laptop, phone):
        page.reload()
        expect(find_questions(page)).to_have_count(2)
        expect_text(page, "")
        expect(find_other_drafts(page)).to_have_count(0)


@pytest.mark.parametrize(
    "place", [pytest.param("new chat", marks=pytest.mark.prove), "conversation"]
)
def test_what_two_devices_write_at_once_is_kept_twice(
    place: str, conversation: str, writer: Person, open_page: Callable[..., Page]
) -> None:
    path = "/" if place == "new chat" else conversation
    laptop, phone = open_page(writer, path), open_page(writer, path)
    find_text_box(laptop).fill("From the laptop")
    find_text_box(phone).fill("From the phone")
    for page, own, other in (
        (laptop, "From the laptop", "From the phone"),
        (phone, "From the phone", "From the laptop"),
    ):
        expect(find_other_drafts(page)).to_contain_text(other, timeout=WITHIN_MS)
        expect_text(page, own)
    laptop.reload()
    expect_text(laptop, "From the laptop")
    find_other_drafts(laptop).get_by_role("button", name="Insert").click()
    expect_text(laptop, "From the laptop\n\nFrom the phone")
    expect(find_other_drafts(laptop)).to_have_count(0)
    expect(find_other_drafts(phone)).to_contain_text("From the laptop\n\nFrom the phone")
    expect_text(phone, "")
    find_other_drafts(phone).get_by_role("button", name="Discard").click()
    expect(find_other_drafts(phone)).to_have_count(0)
    expect_text(laptop, "")


@pytest.mark.prove
def test_a_box_that_another_device_empties_does_not_take_the_text_of_that_device(
    conversation: str, writer: Person, open_page: Callable[..., Page]
) -> None:
    laptop, phone = open_page(writer, conversation), open_page(writer, conversation)
    find_text_box(laptop).fill("From the laptop")
    find_text_box(phone).fill("From the phone")
    expect(find_other_drafts(phone)).to_contain_text("From the laptop", timeout=WITHIN_MS)
    held: list[Route] = []
    intercept(phone, "**/drafts/?*", lambda route: held.append(route))
    with laptop.expect_response(is_discard):
        find_other_drafts(laptop).get_by_role("button", name="Insert").click()
    until(lambda: phone.title() and held, what="the phone asks for both changes at once")
    for route in held:
        route.continue_()
    phone.unroute("**/drafts/?*")
    expect(find_other_drafts(phone)).to_contain_text("From the laptop\n\nFrom the phone")
    expect_text(phone, "")


def is_discard(response: Response) -> bool:
    return "/drafts/" in response.url and "text=" not in (response.request.post_data or "text=")


@pytest.mark.prove
def test_a_device_that_was_offline_keeps_its_text_beside_that_of_the_other(
    writer: Person, open_page: Callable[..., Page], page_errors: PageErrors
) -> None:
    page_errors.allow("WebSocket|ERR_|Failed to (load|fetch)")
    laptop, phone = open_page(writer), open_page(writer)
    find_text_box(laptop).fill("Together")
    expect_text(phone, "Together")
    intercept(phone, "**/drafts/**", lambda route: route.abort())
    find_text_box(phone).press("End")
    find_text_box(phone).press_sequentially(" on the phone")
    find_text_box(laptop).press("End")
    find_text_box(laptop).press_sequentially(" on the laptop")
    phone.unroute("**/drafts/**")
    phone.reload()
    expect_text(phone, "Together on the phone")
    expect(find_other_drafts(phone)).to_contain_text("Together on the laptop")
    expect_text(laptop, "Together on the laptop")


@pytest.mark.prove
def test_typing_over_the_text_of_another_device_keeps_it(
    writer: Person, open_page: Callable[..., Page]
) -> None:
    laptop, phone = open_page(writer), open_page(writer)
    find_text_box(laptop).fill("From the laptop")
    expect_text(phone, "From the laptop")
    find_text_box(phone).fill("From the phone")
    expect(find_other_drafts(phone)).to_contain_text("From the laptop")
    expect(find_other_drafts(laptop)).to_contain_text("From the phone", timeout=WITHIN_MS)
    expect_text(laptop, "From the laptop")


# Tabs of one browser


@pytest.mark.parametrize(
    "script",
    [pytest.param("", id="https", marks=pytest.mark.prove), pytest.param(WITHOUT_LOCKS, id="http")],
)
def test_new_chats_in_two_tabs_have_two_drafts_and_a_closed_one_is_offered_again(
    writer: Person, open_page: Callable[..., Page], script: str
) -> None:
    first = open_page(writer)
    first.context.add_init_script(script)
    first.reload()
    find_text_box(first).fill("First")
    second = open_tab(first)
    expect_text(second, "")
    find_text_box(second).fill("Second")
    for _ in range(2):
        expect_text(first, "First")
        expect_text(second, "Second")
        for page in (first, second):
            expect(find_other_drafts(page)).to_have_count(0)
        first.reload()
        second.reload()
    second.close()
    third = open_tab(first)
    expect_text(third, "Second")
    find_text_box(third).press("Enter")
    third.wait_for_url("**/c/*/")
    fourth = open_tab(first)
    expect_text(fourth, "")
    expect_text(first, "First")


@pytest.mark.prove
def test_the_draft_of_a_tab_is_offered_to_another_only_while_it_is_loaded_again(
    writer: Person, open_page: Callable[..., Page]
) -> None:
    first = open_page(writer)
    second = open_tab(first)
    find_text_box(first).fill("First")
    with second.expect_response("**/drafts/*/"):
        find_text_box(second).fill("Second")
    held: list[Route] = []
    second.route("**/js/main*.js", lambda route: held.append(route))
    second.reload(wait_until="commit")
    until(lambda: second.title() and held, what="the second tab has no draft yet")
    first.evaluate("document.dispatchEvent(new CustomEvent('drafts-changed'))")
    expect(find_other_drafts(first)).to_contain_text("Second")
    held.pop().continue_()
    expect_text(second, "Second")
    expect(find_other_drafts(first)).to_have_count(0)
    expect_text(first, "First")


@pytest.mark.prove
def test_one_conversation_in_two_tabs_keeps_both_texts(
    conversation: str, writer: Person, open_page: Callable[..., Page]
) -> None:
    first = open_page(writer, conversation)
    second = open_tab(first, conversation)
    find_text_box(first).fill("First")
    find_text_box(second).fill("Second")
    for page, text in ((first, "First"), (second, "Second")):
        page.reload()
        expect_text(page, text)
    second.close()
    first.reload()
    expect_text(first, "First")
    expect(find_other_drafts(first)).to_contain_text("Second")


@pytest.mark.prove
def test_two_tabs_that_edit_the_same_message_keep_both_texts(
    conversation: str, writer: Person, open_page: Callable[..., Page]
) -> None:
    first = open_page(writer, conversation)
    second = open_tab(first, conversation)
    for page, text in ((first, "First"), (second, "Second")):
        open_edit(page).fill(text)
    for page, text in ((first, "First"), (second, "Second")):
        page.reload()
        expect(open_edit(page)).to_have_value(text)
    second.close()
    expect(open_edit(open_tab(first, conversation))).to_have_value("Second")


@pytest.mark.prove
def test_typing_at_once_into_a_form_leaves_the_text_that_it_is_filled_with(
    conversation: str, writer: Person, open_page: Callable[..., Page]
) -> None:
    page = open_page(writer, conversation)
    page.context.add_init_script(WITHOUT_LOCKS)  # then the other tabs are asked first
    page.reload()
    open_edit(page).fill("First")
    page.reload()
    box = open_edit(page)
    box.press_sequentially("typed too early")
    expect(box).to_be_editable()
    box.press("End")
    box.press_sequentially(" and second")
    expect(box).to_have_value(re.compile("^First.* and second$"))


def open_edit(page: Page) -> Locator:
    find_questions(page).first.hover()
    find_questions(page).first.get_by_role("link", name="Edit").click()
    return page.get_by_role("textbox", name="Edit your message")


@pytest.mark.prove
def test_a_duplicate_of_a_tab_does_not_overwrite_its_draft(
    writer: Person, open_page: Callable[..., Page]
) -> None:
    page = open_page(writer)
    find_text_box(page).fill("Once")
    with page.context.expect_page() as opened:
        page.evaluate("void window.open(location.href)")  # with a copy of the session storage
    duplicate = opened.value
    expect_text(duplicate, "Once")
    find_text_box(duplicate).press("End")
    find_text_box(duplicate).press_sequentially(" more")
    page.reload()
    duplicate.reload()
    expect_text(page, "Once")
    expect_text(duplicate, "Once more")


@pytest.mark.prove
def test_an_unsent_message_is_shown_in_its_tab_and_elsewhere_once_that_is_closed(
    writer: Person, open_page: Callable[..., Page], page_errors: PageErrors
) -> None:
    page_errors.allow("ERR_|Failed to (load|fetch)")
    page = open_page(writer)
    intercept(page, "**/c/", lambda route: route.abort())
    find_text_box(page).fill("Hold fast")
    find_text_box(page).press("Enter")
    expect(find_questions(page)).to_contain_text("Not sent.")
    page.reload()
    expect(find_questions(page)).to_contain_text("Not sent.")
    other = open_tab(page)
    expect_text(other, "")
    expect(find_questions(other)).to_have_count(0)
    page.close()
    expect(find_questions(other)).to_contain_text("Hold fast")
    find_questions(other).get_by_role("button", name="Remove").click()
    expect(find_questions(other)).to_have_count(0)
    other.reload()
    expect(find_questions(other)).to_have_count(0)
    expect_text(other, "")

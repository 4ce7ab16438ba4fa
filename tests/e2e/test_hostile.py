"""Unintended but frequent actions lose no text, and look right."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.conftest import PageErrors
from tests.e2e.people import fill_in_sign_in_form
from tests.e2e.replies import (
    MODEL,
    find_newest_reply,
    read_conversation_path,
    send_message,
    wait_for_reply,
)
from tests.e2e.test_listing import find_row, open_chat_menu
from tests.e2e.test_phone import assert_fits
from tests.page_elements import find_questions, find_text_box
from tools.deployment.deployment import Deployment
from tools.deployment.http_user import Person
from tools.fake_provider import Behaviour, Fake

pytestmark = [pytest.mark.page, pytest.mark.parametrize("deployment", ["embedded"], indirect=True)]

ARABIC = "لماذا يتأخر المد عن القمر؟"
LONG_WORD = "Supercalifragilistic" * 15  # 300 characters without a place to break


def find_edit_form(page: Page) -> Locator:
    """Return the form that replaces the only question."""
    find_questions(page).hover()
    find_questions(page).get_by_role("link", name="Edit").click()
    return page.get_by_role("textbox", name="Edit your message")


def test_a_hundred_thousand_characters_are_sent_as_they_are(
    deployment: Deployment, person: Person, fake: Fake, open_page: Callable[..., Page]
) -> None:
    pasted = ("kelp " * 140 + "🌊\n") * 142
    pasted = pasted.ljust(100_000, "x")
    fake.script(Behaviour.of("Long."))
    page = open_page(person)
    page.get_by_role("combobox", name="Model").select_option(MODEL)
    page.evaluate("text => navigator.clipboard.writeText(text)", pasted)
    find_text_box(page).press("Control+V")
    page.get_by_role("button", name="Send").click()
    expect(wait_for_reply(page)).to_contain_text("Long.")
    assert find_questions(page).locator(".user-text").inner_text() == pasted
    assert deployment.rows.of("chat_message", content=pasted)
    assert pasted in fake.requests()[0].body["input"][-1]["content"]


def test_a_blank_message_is_not_sent(person: Person, open_page: Callable[..., Page]) -> None:
    page = open_page(person)
    find_text_box(page).fill(" \n\t ")
    expect(page.get_by_role("button", name="Send")).to_be_disabled()
    find_text_box(page).press("Enter")
    find_text_box(page).press_sequentially("x")
    expect(find_questions(page)).to_have_count(0)
    expect(page.get_by_role("button", name="Send")).to_be_enabled()


@pytest.mark.prove
def test_an_emoji_is_a_message_and_a_title(
    person: Person, fake: Fake, open_page: Callable[..., Page]
) -> None:
    fake.script(Behaviour.of("👋🏽"))
    page = open_page(person)
    send_message(page, "👩‍🚀")
    expect(wait_for_reply(page)).to_contain_text("👋🏽")
    expect(find_questions(page).locator(".user-text")).to_have_text("👩‍🚀")
    expect(page.get_by_role("heading", level=1)).to_have_text("👩‍🚀")
    expect(find_row(page, "👩‍🚀")).to_be_visible()


SIDES = """(element) => {
    const line = document.createRange();
    line.selectNodeContents(element);
    const [text, block] = [line.getBoundingClientRect(), element.getBoundingClientRect()];
    return text.left - block.left > block.right - text.right ? "right" : "left";
}"""


@pytest.mark.prove
def test_right_to_left_text_is_aligned_right(
    person: Person, fake: Fake, open_page: Callable[..., Page]
) -> None:
    fake.script(Behaviour.of(f"{ARABIC}\n\nIn English."))
    page = open_page(person)
    expect(find_text_box(page)).to_have_css("unicode-bidi", "plaintext")
    send_message(page, ARABIC)
    reply = wait_for_reply(page).locator("live-reply > .prose > p")
    assert find_questions(page).locator(".user-text").evaluate(SIDES) == "right"
    assert reply.first.evaluate(SIDES) == "right"
    assert reply.last.evaluate(SIDES) == "left"
    title = page.get_by_role("heading", level=1)
    expect(title).to_have_text(ARABIC)
    assert title.evaluate(SIDES) == "right"
    assert find_row(page, ARABIC).locator("bdi").evaluate(SIDES) == "right"
    page.reload()
    assert find_newest_reply(page).locator(".prose > p").first.evaluate(SIDES) == "right"


# Titles


def test_a_title_may_be_long_but_not_empty(
    person: Person, fake: Fake, open_page: Callable[..., Page]
) -> None:
    fake.script(Behaviour.of("Yes."))
    page = open_page(person)
    send_message(page, "A name")
    wait_for_reply(page)
    rename(page, "A name", "   ")
    expect(page.get_by_role("dialog", name="Chat")).to_be_hidden()
    expect(page.get_by_role("heading", level=1)).to_have_text("A name")
    rename(page, "A name", LONG_WORD)
    expect(page.get_by_role("heading", level=1)).to_have_text(LONG_WORD[:200])
    page.set_viewport_size({"width": 360, "height": 740})
    assert_fits(page)
    page.get_by_role("button", name="Menu").click()
    chat = page.get_by_role("link", name=re.compile("^More: Super"))
    expect(chat).to_be_in_viewport(ratio=1)
    chat.click()
    expect(page.get_by_role("button", name="Delete")).to_be_in_viewport(ratio=1)
    assert_fits(page)


def rename(page: Page, title: str, to: str) -> None:
    menu = open_chat_menu(page, title)
    menu.locator("summary").click()
    menu.get_by_role("textbox", name="Title").fill(to)
    menu.get_by_role("button", name="Rename").click()


def test_a_conversation_deleted_during_a_reply_is_restored_with_its_text(
    person: Person, fake: Fake, open_page: Callable[..., Page], page_errors: PageErrors
) -> None:
    page_errors.allow("404")  # the page requests the ended reply, and its conversation is gone
    fake.script(Behaviour.of("Half of it ", "never", hold_after=(1,)))
    page = open_page(person)
    expect(send_message(page, "Say it all")).to_contain_text("Half of it")
    path = read_conversation_path(page)
    open_chat_menu(page, "Say it all").get_by_role("button", name="Delete").click()
    page.wait_for_url(lambda url: "/c/" not in url)
    page.get_by_role("button", name="Undo").click()
    page.wait_for_url(f"**{path}")
    expect(find_newest_reply(page)).to_contain_text("Half of it")
    expect(find_newest_reply(page).get_by_text("Stopped", exact=True)).to_be_visible()
    expect(find_newest_reply(page).get_by_role("button", name="Continue")).to_be_visible()


# Edits of a message


def test_an_unsent_edit_survives_a_reload_until_it_is_sent_or_cancelled(
    person: Person, fake: Fake, open_page: Callable[..., Page]
) -> None:
    fake.script(Behaviour.of("Yes.", times=2))
    page = open_page(person)
    send_message(page, "First words")
    wait_for_reply(page)
    find_edit_form(page).fill("Second words, half")
    page.reload()
    expect(find_edit_form(page)).to_have_value("Second words, half")
    page.get_by_role("link", name="Cancel").click()
    expect(find_edit_form(page)).to_have_value("First words")
    page.get_by_role("textbox", name="Edit your message").fill("Third words")
    page.locator("form.edit").get_by_role("button", name="Send").click()
    expect(find_questions(page)).to_contain_text("Third words")
    expect(find_edit_form(page)).to_have_value("Third words")


def test_escape_belongs_to_an_input_method_while_it_composes(
    person: Person, fake: Fake, open_page: Callable[..., Page]
) -> None:
    fake.script(Behaviour.of("Yes."))
    page = open_page(person)
    send_message(page, "First words")
    wait_for_reply(page)
    field = find_edit_form(page)
    field.fill("潮")
    field.dispatch_event("keydown", {"key": "Escape", "isComposing": True, "bubbles": True})
    field.press_sequentially("汐")
    expect(field).to_have_value("潮汐")
    field.press("Escape")
    expect(field).to_have_count(0)


@pytest.mark.still
@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])
def test_an_unsent_edit_survives_being_signed_out(
    person: Person,
    fake: Fake,
    open_page: Callable[..., Page],
    page_errors: PageErrors,
    scripts: bool,
) -> None:
    page_errors.allow("WebSocket|401")
    fake.script(Behaviour.of("Yes.", times=2))
    page = open_page(person, java_script_enabled=scripts)
    page.route_web_socket("**/ws/", lambda socket: None)  # nothing notifies this page
    send_message(page, "First words")
    read_conversation_path(page)
    page.reload()
    find_edit_form(page).fill("Second words")
    person.post("/accounts/logout/", {})
    page.locator("form.edit").get_by_role("button", name="Send").click()
    page.wait_for_url("**/accounts/login/?next=/m/**")
    fill_in_sign_in_form(page, person)
    expect(page.get_by_role("textbox", name="Edit your message")).to_have_value("Second words")
    expect(find_text_box(page)).to_have_value("")
    page.locator("form.edit").get_by_role("button", name="Send").click()
    expect(find_questions(page)).to_contain_text("Second words")


def test_edits_of_one_message_in_two_tabs_both_become_versions(
    person: Person, fake: Fake, open_page: Callable[..., Page]
) -> None:
    fake.script(*(Behaviour.of(f"Answer {number}.") for number in (1, 2, 3)))
    here = open_page(person)
    send_message(here, "First words")
    wait_for_reply(here)
    there = open_page(person, read_conversation_path(here))
    find_edit_form(there).fill("Words of there")
    find_edit_form(here).fill("Words of here")
    here.locator("form.edit").get_by_role("button", name="Send").click()
    expect(wait_for_reply(here)).to_contain_text("Answer 2.")
    expect(there.get_by_role("alert")).to_contain_text("This chat continued in another tab")
    words = there.get_by_role("textbox", name="Edit your message")
    expect(words).to_have_value("Words of there")
    there.locator("form.edit").get_by_role("button", name="Send").click()
    expect(wait_for_reply(there)).to_contain_text("Answer 3.")
    expect(find_questions(there).get_by_text("3/3")).to_be_visible()
    there.get_by_role("link", name="Previous version").click()
    expect(find_questions(there)).to_contain_text("Words of here")


# Back and forward


def test_back_and_forward_navigate_chats_and_each_has_its_draft(
    person: Person, fake: Fake, open_page: Callable[..., Page]
) -> None:
    fake.script(*(Behaviour.of(f"Answer {number}.") for number in (1, 2)))
    page = open_page(person)
    send_message(page, "One")
    wait_for_reply(page)
    one = read_conversation_path(page)
    find_text_box(page).fill("More of one")
    page.get_by_role("link", name="New chat").click()
    page.wait_for_url(lambda url: "/c/" not in url)
    expect(find_text_box(page)).to_have_value("")
    send_message(page, "Two")
    wait_for_reply(page)
    two = read_conversation_path(page)
    page.go_back()
    expect(page.get_by_role("heading", name="What would you like to know?")).to_be_visible()
    page.go_back()
    page.wait_for_url(f"**{one}")
    expect(find_newest_reply(page)).to_contain_text("Answer 1.")
    expect(find_text_box(page)).to_have_value("More of one")
    page.go_forward()
    page.wait_for_url(lambda url: "/c/" not in url)
    page.go_forward()
    page.wait_for_url(f"**{two}")
    expect(find_newest_reply(page)).to_contain_text("Answer 2.")
    expect(page.get_by_role("heading", level=1)).to_have_text("Two")
    expect(find_text_box(page)).to_have_value("")

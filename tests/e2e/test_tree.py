"""Versions of messages in a browser: nothing is lost, and the browser's own buttons lead back."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.conftest import PageErrors
from tests.e2e.replies import (
    find_newest_reply,
    read_conversation_path,
    send_message,
    wait_for_reply,
)
from tests.page_elements import find_questions
from tools.deployment.deployment import Deployment

pytestmark = [pytest.mark.page, pytest.mark.parametrize("deployment", ["embedded"], indirect=True)]


def ask_short_question(page: Page, text: str) -> Locator:
    """Ask a question with a short reply, and wait for its end."""
    send_message(page, f"{text} Be brief.", "demo-fast")
    return wait_for_reply(page)


def test_an_edited_question_is_a_version_and_back_leads_to_the_old_one(
    deployment: Deployment, open_page: Callable[..., Page]
) -> None:
    page = open_page(deployment.person("owner"))
    ask_short_question(page, "First words.")
    path = read_conversation_path(page)
    find_questions(page).hover()
    find_questions(page).get_by_role("link", name="Edit").click()
    box = page.get_by_role("textbox", name="Edit your message")
    expect(box).to_be_focused()
    box.fill("Second words. Be brief.")
    page.locator("form.edit").get_by_role("button", name="Send").click()
    expect(find_questions(page)).to_contain_text("Second words.")
    wait_for_reply(page)
    expect(find_questions(page).get_by_text("2/2")).to_be_visible()
    page.go_back()
    expect(find_questions(page)).to_contain_text("First words.")
    page.get_by_role("link", name="Next version").click()
    expect(find_questions(page)).to_contain_text("Second words.")
    page.goto(path)
    expect(find_questions(page)).to_contain_text("Second words.")


def test_escape_cancels_an_edit(deployment: Deployment, open_page: Callable[..., Page]) -> None:
    page = open_page(deployment.person("owner"))
    ask_short_question(page, "Keep me.")
    find_questions(page).hover()
    find_questions(page).get_by_role("link", name="Edit").click()
    page.get_by_role("textbox", name="Edit your message").fill("No, not this")
    page.keyboard.press("Escape")
    expect(find_questions(page)).to_contain_text("Keep me.")
    expect(find_questions(page).get_by_role("link", name="Edit")).to_be_focused()


def test_a_regenerated_reply_and_the_old_one_are_a_click_apart(
    deployment: Deployment, open_page: Callable[..., Page]
) -> None:
    page = open_page(deployment.person("owner"))
    ask_short_question(page, "Once more.")
    first = find_newest_reply(page).get_attribute("id")
    find_newest_reply(page).get_by_role("button", name="Regenerate").click()
    expect(find_newest_reply(page)).not_to_have_attribute("id", str(first))
    wait_for_reply(page)
    expect(find_newest_reply(page).get_by_text("2/2")).to_be_visible()
    find_newest_reply(page).get_by_role("link", name="Previous version").click()
    expect(find_newest_reply(page)).to_have_attribute("id", str(first))
    expect(find_newest_reply(page).get_by_text("1/2")).to_be_visible()


def test_a_stopped_reply_continues_in_place(
    deployment: Deployment, open_page: Callable[..., Page]
) -> None:
    page = open_page(deployment.person("owner"))
    reply = send_message(page, "Tell me slowly.", "demo")
    expect(reply.locator("live-reply > .prose")).not_to_be_empty()
    page.get_by_role("button", name="Stop").click()
    wait_for_reply(page)
    expect(reply.get_by_text("Stopped", exact=True)).to_be_visible()
    before = reply.locator(".prose").last.inner_text().split()[:3]
    reply.get_by_role("button", name="Continue").click()
    expect(reply).to_have_attribute("aria-busy", "true")
    assert reply.locator(".prose").last.inner_text().split()[: len(before)] == before
    page.get_by_role("button", name="Stop").click()
    wait_for_reply(page)


def test_an_open_page_is_told_that_the_chat_has_changed(
    deployment: Deployment, open_page: Callable[..., Page]
) -> None:
    owner = deployment.person("owner")
    here = open_page(owner)
    ask_short_question(here, "Together.")
    there = open_page(owner, read_conversation_path(here))
    find_questions(there).hover()
    find_questions(there).get_by_role("link", name="Edit").click()
    there.get_by_role("textbox", name="Edit your message").fill("Apart. Be brief.")
    there.locator("form.edit").get_by_role("button", name="Send").click()
    expect(here.get_by_role("alert")).to_contain_text("This chat continued in another tab")
    expect(find_questions(here)).to_contain_text("Together.")
    here.get_by_role("textbox", name="Message").fill("I stay here. Be brief.")
    here.get_by_role("button", name="Send from here").click()
    expect(find_questions(here).last).to_contain_text("I stay here.")
    expect(find_questions(here).first).to_contain_text("Together.")
    expect(there.get_by_role("alert")).to_contain_text("This chat continued in another tab")
    there.get_by_role("link", name="Show latest").click()
    expect(find_questions(there).last).to_contain_text("I stay here.")


def test_a_message_of_one_tab_appears_in_the_other(
    deployment: Deployment, open_page: Callable[..., Page]
) -> None:
    owner = deployment.person("owner")
    here = open_page(owner)
    ask_short_question(here, "One.")
    there = open_page(owner, read_conversation_path(here))
    ask_short_question(here, "Two.")
    expect(find_questions(there).last).to_contain_text("Two.")
    ask_short_question(there, "Three.")
    expect(find_questions(here).last).to_contain_text("Three.")
    ask_short_question(here, "Four.")
    ask_short_question(here, "Five.")
    expect(find_questions(there).last).to_contain_text("Five.")
    expect(there.get_by_role("alert")).to_have_count(0)
    expect(here.get_by_role("alert")).to_have_count(0)


@pytest.mark.parametrize(
    "refused",
    [
        pytest.param("", marks=pytest.mark.prove),
        pytest.param("#composer", marks=pytest.mark.prove),
        "form.edit",
    ],
)
def test_a_page_at_the_address_of_a_form_is_updated_too(
    deployment: Deployment, open_page: Callable[..., Page], page_errors: PageErrors, refused: str
) -> None:
    page_errors.allow("422")
    owner = deployment.person("owner")
    here = open_page(owner)
    ask_short_question(here, "One.")
    edit = find_questions(here).get_by_role("link", name="Edit").get_attribute("href")
    there = open_page(owner, edit)
    if refused:  # before the scripts ran
        there.get_by_role("textbox", name="Edit your message").fill("")
        with there.expect_navigation():
            there.locator(refused).evaluate("(form) => form.submit()")
        expect(there.get_by_role("alert")).to_contain_text("Write a message first.")
    ask_short_question(here, "Two.")
    expect(find_questions(there).last).to_contain_text("Two.")

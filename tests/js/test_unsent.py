"""A message that could not be sent goes back into the box, whatever the reason was, and no text is
lost."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect

from tests.js.chat_page import CHAT, NOTHING_IS_UNSENT, ChatServer, find_articles
from tests.page_elements import find_send_button, find_text_box, wait_for_drafts

NOT_SENT: dict[str, Callable[[Route], None]] = {
    "no network": Route.abort,
    "a page of a proxy": lambda route: route.fulfill(body="<h1>Welcome to our network"),
    "an empty page": lambda route: route.fulfill(body=""),
    "half of the articles": lambda route: route.fulfill(body="<article></article>"),
} | {
    str(status): lambda route, status=status: route.fulfill(status=status, body="<h1>No")
    for status in (400, 401, 403, 404, 408, 413, 423, 429, 431, 500, 502, 503, 504)
}


@pytest.fixture
def chat(page: Page, chat_server: ChatServer) -> Page:
    page.goto(CHAT)
    expect(find_send_button(page)).to_be_disabled()  # the script runs
    return page


def send(page: Page, text: str) -> None:
    find_text_box(page).fill(text)
    find_send_button(page).click()


def test_a_message_that_failed_for_any_reason_goes_back_into_the_box(
    chat: Page, chat_server: ChatServer, page_errors: list[str]
) -> None:
    for name, answer in NOT_SENT.items():
        chat_server.answer = answer
        send(chat, f"Hold fast: {name}")
        expect(find_articles(chat, "You")).to_contain_text("Not sent.")
        find_text_box(chat).fill("Typed since")
        chat.get_by_role("button", name="Edit").click()
        expect(find_text_box(chat)).to_have_value(f"Hold fast: {name}\n\nTyped since")
        expect(chat.get_by_role("article")).to_have_count(0)
    page_errors.clear()


@pytest.mark.parametrize("status", [409, 422])
def test_a_refused_message_is_back_in_the_box_before_the_text_typed_since(
    chat: Page, chat_server: ChatServer, page_errors: list[str], status: int
) -> None:
    chat_server.answer = chat_server.held.append
    send(chat, "Hold fast")
    find_text_box(chat).fill("Typed since")
    chat_server.wait_until(lambda: len(chat_server.held) == 1)
    chat_server.held.pop().fulfill(status=status, body="")
    expect(find_text_box(chat)).to_have_value("Hold fast\n\nTyped since")
    expect(chat.get_by_role("article")).to_have_count(0)
    page_errors.clear()


def test_several_unsent_messages_are_retried_edited_or_removed_one_by_one(
    chat: Page, chat_server: ChatServer, page_errors: list[str]
) -> None:
    chat_server.answer = Route.abort
    for text in ("One", "Two", "Three"):
        send(chat, text)
    questions = find_articles(chat, "You")
    expect(questions.get_by_text("Not sent.")).to_have_count(3)
    questions.filter(has_text="Two").get_by_role("button", name="Remove").click()
    expect(questions).to_have_count(2)
    chat.reload()
    expect(questions).to_have_count(2)
    questions.filter(has_text="Three").get_by_role("button", name="Edit").click()
    expect(find_text_box(chat)).to_have_value("Three")
    chat_server.answer = chat_server.accept
    questions.filter(has_text="One").get_by_role("button", name="Retry").click()
    expect(chat.locator("article[id^='m-']")).to_have_count(2)
    chat.wait_for_function(NOTHING_IS_UNSENT)
    chat.reload()
    wait_for_drafts(chat)
    expect(chat.get_by_text("Not sent.")).to_have_count(0)
    expect(find_text_box(chat)).to_have_value("Three")
    page_errors.clear()

"""The modules that a page does not wait for, when their requests fail or take long."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from playwright.sync_api import Page, Route, expect

from tests.js.chat_page import (
    CHAT,
    ChatServer,
    build_running_exchange,
    find_articles,
    render_chat_page,
)
from tests.page_elements import find_stop_button, find_text_box
from tools.static_site import Files

LOAD_AT_THE_THIRD_ATTEMPT = """async () => {
    const { loadModule } = await import("/js/late-modules.js");
    window.setTimeout = (act) => queueMicrotask(act); // no test need wait
    let [loads, calls] = [0, 0];
    const load = () => ++loads < 3 ? Promise.reject(new TypeError()) : Promise.resolve("module");
    return [await loadModule(load, () => calls++), loads, calls];
}"""


@pytest.mark.parametrize(
    "file", ["live-reply", pytest.param("reply-renderer", marks=pytest.mark.prove)]
)
def test_a_reply_is_shown_to_its_end_without_the_code_that_renders_it(
    page: Page, chat_server: ChatServer, page_errors: list[str], file: str
) -> None:
    """Chromium remembers a module that failed for as long as the page is open."""
    question, reply = build_running_exchange("Why?")
    Files.pages[CHAT] = render_chat_page(f"{CHAT}messages/", (question, reply))
    current = [reply]

    def serve_reply(route: Route) -> None:
        body = render_to_string("chat/messages/_message.html", {"message": current[0]})
        route.fulfill(body=body)

    page.route(f"**/live/{file}.js", lambda route: route.abort())
    page.route(f"**/m/{reply.id}/", serve_reply)
    page.goto(CHAT)
    article = page.locator(f"#m-{reply.id}")
    for text in ("Low", "Low water"):
        current[0] = replace(reply, html=SafeString(text))
        expect(article.locator(".prose").last).to_have_text(text)
        expect(article).to_have_attribute("aria-busy", "true")
    current[0] = replace(reply, html=SafeString("Low water lags"), state="completed", stream_id="")
    expect(article.locator(".prose").last).to_have_text("Low water lags")
    expect(article).not_to_have_attribute("aria-busy", "true")
    page_errors.clear()


def test_a_module_whose_request_failed_is_requested_again(page: Page) -> None:
    assert page.evaluate(LOAD_AT_THE_THIRD_ATTEMPT) == ["module", 3, 2]


def test_a_message_can_be_sent_before_the_code_of_its_reply_is_loaded(
    page: Page, chat_server: ChatServer
) -> None:
    held: list[Route] = []
    page.route("**/live/live-reply.js", lambda route: held.append(route))
    page.goto(CHAT)
    chat_server.answer = lambda route: chat_server.held.append(route)
    find_text_box(page).fill("Why?")
    find_text_box(page).press("Enter")
    expect(find_articles(page, "demo")).to_contain_text("Connecting")
    chat_server.wait_until(lambda: len(chat_server.held) == 1)
    chat_server.accept(chat_server.held.pop())
    expect(page.locator("article[id^='m-']")).to_have_count(2)
    held.pop().continue_()
    expect(find_stop_button(page)).to_be_visible()

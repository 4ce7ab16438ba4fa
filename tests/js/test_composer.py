"""Writing and sending on the real page (its templates, without a database), with the server's
answers in the test's hands."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.template.loader import render_to_string
from django.test import override_settings
from playwright.sync_api import Page, Route, expect

from streaming.providers.catalog import all_models
from tests.factories import PLAIN_STORAGES
from tests.js.chat_page import (
    CHAT,
    NOTHING_IS_UNSENT,
    STREAM,
    ChatServer,
    build_ended_exchange,
    build_running_exchange,
    find_articles,
    render_chat_page,
)
from tests.page_elements import (
    find_send_button,
    find_stop_button,
    find_text_box,
    wait_for_drafts,
)
from tools.static_site import Files


@pytest.fixture
def chat(page: Page, chat_server: ChatServer) -> Page:
    page.goto(CHAT)
    expect(find_send_button(page)).to_be_disabled()  # the script runs
    return page


def test_the_send_button_is_disabled_without_text_and_says_why(chat: Page) -> None:
    expect(find_send_button(chat)).to_have_attribute("title", "Write a message first")
    find_text_box(chat).fill("  ")
    expect(find_send_button(chat)).to_be_disabled()
    find_text_box(chat).fill("Why?")
    expect(find_send_button(chat)).to_be_enabled()


def test_the_message_and_an_empty_reply_appear_before_the_response(
    chat: Page, chat_server: ChatServer
) -> None:
    chat_server.answer = chat_server.held.append
    find_text_box(chat).fill("Why do tides lag?")
    find_text_box(chat).press("Enter")
    expect(find_articles(chat, "You")).to_contain_text("Why do tides lag?")
    expect(find_articles(chat, "demo")).to_contain_text("Connecting")
    expect(find_articles(chat, "demo")).to_have_attribute("aria-busy", "true")
    expect(find_stop_button(chat)).to_be_visible()
    expect(find_send_button(chat)).to_be_hidden()
    expect(find_text_box(chat)).to_have_value("")
    expect(find_text_box(chat)).to_be_focused()
    chat_server.accept(chat_server.held[0])
    expect(chat.locator("article[id^='m-']")).to_have_count(2)
    expect(chat.get_by_role("article")).to_have_count(2)


def test_stop_replaces_send_until_there_is_text_to_send(
    page: Page, chat_server: ChatServer
) -> None:
    question, answer = build_running_exchange("Before")
    Files.pages[CHAT] = render_chat_page(
        f"{CHAT}messages/", (question, replace(answer, state="completed"))
    )
    page.goto(CHAT)
    before = get_corner(find_send_button(page))
    find_text_box(page).fill("Go on for ever")
    find_send_button(page).click()
    expect(find_send_button(page)).to_be_hidden()
    assert get_corner(find_stop_button(page)) == before
    find_text_box(page).fill("And then?")
    expect(find_send_button(page)).to_be_enabled()
    expect(find_stop_button(page)).to_be_visible()
    find_text_box(page).fill("")
    assert get_corner(find_stop_button(page)) == before


def get_corner(button: Any) -> tuple[float, float]:
    """Where it ends, at the right and at the bottom."""
    box = button.bounding_box()
    return box["x"] + box["width"], box["y"] + box["height"]


def test_shift_enter_and_an_input_method_s_enter_do_not_send(
    chat: Page, chat_server: ChatServer
) -> None:
    find_text_box(chat).fill("one")
    find_text_box(chat).press("Shift+Enter")
    find_text_box(chat).press_sequentially("two")
    find_text_box(chat).dispatch_event("keydown", {"key": "Enter", "isComposing": True})
    expect(find_text_box(chat)).to_have_value("one\ntwo")
    assert chat_server.sent == []


@pytest.mark.parametrize(
    "way",
    [Route.abort, Route.continue_, lambda route: route.fulfill(body="<p>Welcome to our network")],
    ids=["no answer", "half of one", "another one"],
)
def test_an_unsent_message_stays_and_is_repeated_with_the_same_id(
    chat: Page, chat_server: ChatServer, page_errors: list[str], way: Callable[[Route], None]
) -> None:
    chat_server.answer = way
    find_text_box(chat).fill("Hold fast")
    find_send_button(chat).click()
    expect(find_articles(chat, "You")).to_contain_text("Not sent.")
    expect(find_articles(chat, "demo")).to_have_count(0)
    chat_server.answer = chat_server.accept
    chat.get_by_role("button", name="Retry").click()
    expect(chat.locator("article[id^='m-']")).to_have_count(2)
    assert len({sent["request_id"] for sent in chat_server.sent}) == 1
    assert len(chat_server.sent) == 2
    page_errors.clear()


def test_an_unsent_message_is_not_announced_as_answered(
    chat: Page, chat_server: ChatServer, page_errors: list[str]
) -> None:
    status = chat.locator("#status")
    answers: list[Callable[[Route], None]] = [
        Route.abort,
        lambda route: route.fulfill(status=409, headers={"X-Account": "another"}),
    ]
    for answer, status_text in zip(
        answers, ("", "Another account is signed in. Your draft is saved."), strict=True
    ):
        chat_server.answer = chat_server.held.append
        find_text_box(chat).fill("Hold fast")
        find_send_button(chat).click()
        expect(status).to_have_text("Replying…")
        chat_server.wait_until(lambda: len(chat_server.held) > 0)
        answer(chat_server.held.pop())
        expect(status).to_have_text(status_text)
    dialog = chat.get_by_role("dialog", name="You’re signed in to another account")
    dialog.get_by_role("button", name="Close").click()
    expect(find_text_box(chat)).to_have_value("Hold fast")
    chat_server.answer = answers[1]
    find_send_button(chat).click()
    expect(dialog).to_be_visible()
    page_errors.clear()


def test_an_unsent_message_stays_when_a_reply_above_is_regenerated(
    page: Page, chat_server: ChatServer, page_errors: list[str]
) -> None:
    Files.pages[CHAT] = render_chat_page(f"{CHAT}messages/", build_ended_exchange("Yes"))
    _, again = build_running_exchange("Yes")
    body = render_to_string("chat/messages/_new.html", {"message_views": [again]})
    page.route(
        "**/versions/", lambda route: route.fulfill(body=body, headers={"HX-Push-Url": CHAT})
    )
    page.goto(CHAT)
    chat_server.answer = Route.abort
    find_text_box(page).fill("Hold fast")
    find_send_button(page).click()
    expect(find_articles(page, "You").last).to_contain_text("Not sent.")
    page.get_by_role("button", name="Regenerate").click()
    expect(page.locator(f"#m-{again.id}")).to_be_visible()
    expect(find_articles(page, "You").last).to_contain_text("Not sent.")
    page_errors.clear()


@pytest.mark.parametrize(("whose", "act"), [("You", "Edit"), ("demo", "Regenerate")])
def test_a_message_stays_when_the_response_is_another_page(
    page: Page, chat_server: ChatServer, whose: str, act: str
) -> None:
    Files.pages[CHAT] = render_chat_page(f"{CHAT}messages/", build_ended_exchange("Yes"))
    page.route("**/m/**", lambda route: route.fulfill(body="<p>Welcome to our network"))
    page.goto(CHAT)
    message = find_articles(page, whose)
    message.hover()
    message.get_by_text(act, exact=True).or_(message.get_by_label(act)).first.click()
    expect(message).to_contain_text("Not sent. Try again.")
    expect(find_articles(page, "You")).to_contain_text("Yes")


def test_an_unsent_message_survives_a_reload(
    chat: Page, chat_server: ChatServer, page_errors: list[str]
) -> None:
    chat_server.answer = lambda route: route.fulfill(status=503)
    find_text_box(chat).fill("Hold fast")
    find_send_button(chat).click()
    expect(find_articles(chat, "You")).to_contain_text("Not sent.")
    chat.reload()
    expect(find_articles(chat, "You")).to_contain_text("Hold fast")
    chat_server.answer = chat_server.accept
    chat.get_by_role("button", name="Retry").click()
    expect(chat.locator("article[id^='m-']")).to_have_count(2)
    assert len({sent["request_id"] for sent in chat_server.sent}) == 1
    page_errors.clear()


def test_an_earlier_message_with_the_same_text_is_not_taken_for_the_unsent_one(
    page: Page, chat_server: ChatServer, page_errors: list[str]
) -> None:
    Files.pages[CHAT] = render_chat_page(f"{CHAT}messages/", build_ended_exchange("Yes"))
    chat_server.answer = lambda route: route.fulfill(status=503)
    page.goto(CHAT)
    find_text_box(page).fill("Yes")
    find_send_button(page).click()
    expect(find_articles(page, "You").last).to_contain_text("Not sent.")
    page.reload()
    expect(find_articles(page, "You")).to_have_count(2)
    expect(find_articles(page, "You").last).to_contain_text("Not sent.")
    page_errors.clear()


def test_a_message_whose_response_was_lost_is_not_shown_twice(
    chat: Page, chat_server: ChatServer, page_errors: list[str]
) -> None:
    chat_server.answer = lambda route: route.abort()
    find_text_box(chat).fill("Hold fast")
    find_send_button(chat).click()
    expect(find_articles(chat, "You")).to_contain_text("Not sent.")
    question, answer = build_running_exchange("Hold fast")
    arrived = (question, replace(answer, request_id=chat_server.sent[0]["request_id"]))
    Files.pages[CHAT] = render_chat_page(f"{CHAT}messages/", arrived)
    chat.reload()
    expect(find_stop_button(chat)).to_be_visible()
    chat.wait_for_function(NOTHING_IS_UNSENT)
    expect(find_articles(chat, "You")).to_have_count(1)
    expect(chat.get_by_text("Not sent.")).to_have_count(0)
    page_errors.clear()


def test_a_refused_message_returns_its_text(
    chat: Page, chat_server: ChatServer, page_errors: list[str]
) -> None:
    body = render_to_string("chat/composer/_rejection.html", {"rejection": "No OpenAI API key."})
    chat_server.answer = lambda route: route.fulfill(status=422, body=body)
    find_text_box(chat).fill("Hold fast")
    find_send_button(chat).click()
    expect(chat.get_by_role("alert")).to_contain_text("No OpenAI API key.")
    expect(find_text_box(chat)).to_have_value("Hold fast")
    expect(chat.get_by_role("article")).to_have_count(0)
    page_errors.clear()


def test_a_draft_survives_signing_in(chat: Page, chat_server: ChatServer) -> None:
    Files.pages["/sign-in/"] = b"<!doctype html><link rel=icon href=/img/favicon.svg>Sign in"
    chat_server.answer = lambda route: route.fulfill(headers={"HX-Redirect": "/sign-in/"})
    find_text_box(chat).fill("Hold fast")
    find_send_button(chat).click()
    chat.wait_for_url("**/sign-in/")
    chat.goto(CHAT)
    expect(find_text_box(chat)).to_have_value("Hold fast")
    expect(chat.get_by_role("article")).to_have_count(0)


def test_a_draft_and_its_settings_survive_a_reload(chat: Page) -> None:
    find_text_box(chat).fill("Half a tho")
    chat.get_by_role("combobox", name="Model").select_option("demo-slow")
    chat.locator(".settings-button").click()
    chat.get_by_label("Max tokens").fill("50")
    chat.reload()
    expect(find_text_box(chat)).to_have_value("Half a tho")
    expect(chat.get_by_role("combobox", name="Model")).to_have_value("demo-slow")
    expect(chat.locator("#settings-summary")).to_have_text("50 tokens")


def test_a_draft_drops_the_demo_once_there_is_a_better_model(
    page: Page, chat_server: ChatServer
) -> None:
    """Unless it was chosen over that."""
    with override_settings(STORAGES=PLAIN_STORAGES, STATIC_URL="/static/"):
        openai = next(m.id for m in all_models() if m.provider == "openai")
        usable = render_chat_page("/c/", model=openai).replace(b" disabled>", b">")
    Files.pages |= {"/?model=demo-fast": render_demo_page("demo-fast"), "/better/": usable}
    model = page.get_by_role("combobox", name="Model")
    for chosen in ("demo", "demo-slow"):
        page.goto("/new/")
        model.select_option(chosen)
        find_text_box(page).fill("Half a thought")
        page.goto("/better/")
        expect(find_text_box(page)).to_have_value("Half a thought")
        expect(model).to_have_value(openai)
    model.select_option("demo-slow")
    page.reload()
    expect(model).to_have_value("demo-slow")
    page.goto("/?model=demo-fast")
    expect(find_text_box(page)).to_have_value("Half a thought")
    expect(model).to_have_value("demo-fast")


def render_demo_page(model: str) -> bytes:
    with override_settings(STORAGES=PLAIN_STORAGES, STATIC_URL="/static/"):
        return render_chat_page("/c/", model=model)


def test_a_draft_follows_the_branch_that_is_shown(page: Page, chat_server: ChatServer) -> None:
    """Written under one version of a reply, it goes to the one that it is sent from."""
    Files.pages[CHAT] = render_chat_page(f"{CHAT}messages/", parent_id="one", known_leaf_id="one")
    page.goto(CHAT)
    find_text_box(page).fill("And then?")
    Files.pages[CHAT] = render_chat_page(f"{CHAT}messages/", parent_id="two", known_leaf_id="three")
    page.reload()
    expect(find_text_box(page)).to_have_value("And then?")
    find_send_button(page).click()
    chat_server.wait_until(lambda: len(chat_server.sent) == 1)
    assert (chat_server.sent[0]["parent"], chat_server.sent[0]["seen"]) == ("two", "three")


def test_signing_out_leaves_no_draft_behind(chat: Page) -> None:
    find_text_box(chat).fill("Between us")
    chat.route("**/accounts/logout/", lambda route: route.fulfill(body="Bye"))
    with chat.expect_navigation():  # the draft is saved before
        chat.get_by_role("button", name="Sign out").click()
    chat.goto(CHAT)
    wait_for_drafts(chat)
    expect(find_text_box(chat)).to_have_value("")


def test_stop_ends_the_reply_that_runs(chat: Page, chat_server: ChatServer) -> None:
    find_text_box(chat).fill("Go on for ever")
    find_send_button(chat).click()
    expect(chat.locator("article[id^='m-']")).to_have_count(2)
    find_stop_button(chat).click()
    expect(find_articles(chat, "demo")).to_contain_text("Stopping…")
    chat_server.wait_until(lambda: len(chat_server.stopped) == 1)
    assert chat_server.stopped[0].endswith(f"/s/{STREAM}/stop/")


def test_a_stop_before_the_response_waits_until_there_is_a_stream_to_stop(
    chat: Page, chat_server: ChatServer
) -> None:
    chat_server.answer = chat_server.held.append
    find_text_box(chat).fill("Never mind")
    find_send_button(chat).click()
    find_stop_button(chat).click()
    chat_server.accept(chat_server.held[0])
    chat_server.wait_until(lambda: len(chat_server.stopped) == 1)


def test_a_double_click_on_send_sends_once_and_stops_nothing(
    page: Page, chat_server: ChatServer
) -> None:
    Files.pages[CHAT] = render_chat_page(f"{CHAT}messages/", build_ended_exchange("Before"))
    page.goto(CHAT)
    find_text_box(page).fill("Once, please")
    find_send_button(page).dblclick()
    expect(page.locator("article[id^='m-']")).to_have_count(4)
    find_text_box(page).fill("Next")
    find_send_button(page).click()
    expect(page.locator("article[id^='m-']")).to_have_count(6)
    assert [sent["text"] for sent in chat_server.sent] == ["Once, please", "Next"]
    assert chat_server.stopped == []


def test_a_next_message_can_be_sent_while_a_reply_runs(chat: Page, chat_server: ChatServer) -> None:
    find_text_box(chat).fill("First")
    find_send_button(chat).click()
    expect(chat.locator("article[id^='m-']")).to_have_count(2)
    find_text_box(chat).fill("Second")
    find_send_button(chat).click()
    expect(chat.locator("article[id^='m-']")).to_have_count(4)
    assert [sent["text"] for sent in chat_server.sent] == ["First", "Second"]


def test_a_new_chat_gets_its_own_address(page: Page, chat_server: ChatServer) -> None:
    page.goto("/new/")
    find_text_box(page).fill("Begin")
    find_send_button(page).click()
    page.wait_for_url(f"**{CHAT}")
    find_text_box(page).fill("Go on")
    find_send_button(page).click()
    expect(page.locator("article[id^='m-']")).to_have_count(4)


def test_text_typed_before_a_new_chat_has_its_address_stays_with_it(
    page: Page, chat_server: ChatServer
) -> None:
    chat_server.answer = chat_server.held.append
    page.goto("/new/")
    find_text_box(page).fill("Begin")
    find_send_button(page).click()
    find_text_box(page).fill("And then")
    chat_server.wait_until(lambda: len(chat_server.held) == 1)
    chat_server.accept(chat_server.held[0])
    page.wait_for_url(f"**{CHAT}")
    page.reload()
    expect(find_text_box(page)).to_have_value("And then")
    page.goto("/new/")
    wait_for_drafts(page)
    expect(find_text_box(page)).to_have_value("")


def test_request_ids_work_on_plain_http(page: Page, chat_server: ChatServer) -> None:
    page.add_init_script("delete Crypto.prototype.randomUUID")
    page.goto(CHAT)
    from_the_server = page.locator("input[name='request_id']").input_value()
    find_text_box(page).fill("Over the local network")
    find_send_button(page).click()
    expect(page.locator("article[id^='m-']")).to_have_count(2)
    assert chat_server.sent[0]["request_id"][14] == "4"
    assert len(chat_server.sent[0]["request_id"]) == 36
    assert chat_server.sent[0]["request_id"] != from_the_server


def test_a_model_without_a_key_cannot_be_used(page: Page, chat_server: ChatServer) -> None:
    with override_settings(STORAGES=PLAIN_STORAGES, STATIC_URL="/static/"):
        openai = next(m.id for m in all_models() if m.provider == "openai")
        hint = "No OpenAI API key."
        Files.pages[CHAT] = render_chat_page(f"{CHAT}messages/", model=openai, hint=hint)
    page.goto(CHAT)
    find_text_box(page).fill("Anybody?")
    expect(find_send_button(page)).to_be_disabled()
    expect(page.get_by_text(hint)).to_be_visible()
    page.get_by_role("combobox", name="Model").select_option("demo")
    expect(find_send_button(page)).to_be_enabled()
    expect(page.get_by_text(hint)).to_have_count(0)


REPEAT_NOTICE = """async () => {
    const { showMoved } = await import("/static/js/composer/form.js");
    showMoved("first");
    const button = document.querySelector("#rejection button");
    showMoved("second");
    return [button.isConnected, button.dataset.knownLeaf];
}"""


def test_a_repeated_notice_of_a_moved_chat_keeps_its_buttons(chat: Page) -> None:
    """A button that is replaced during a click does nothing."""
    assert chat.evaluate(REPEAT_NOTICE) == [True, "second"]

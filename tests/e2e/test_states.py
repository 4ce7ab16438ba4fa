"""Every state of a reply has its own text and actions below the kept text: live, and the same after
a reload."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, WebSocket, expect

from tests.e2e.conftest import PageErrors
from tests.e2e.replies import (
    copy_newest_reply,
    find_newest_reply,
    read_conversation_path,
    send_message,
    wait_for_buttons,
    wait_for_reply,
)
from tests.e2e.states import (
    ENDED_STATES,
    RUNNING_STATES,
    SAVED_TEXT,
    EndedState,
    RunningState,
    build_cases,
    find_reply_in_state,
    mark_for_prove,
)
from tests.page_elements import find_stop_button
from tools.deployment.deployment import Deployment
from tools.deployment.http_user import Person
from tools.deployment.tcp_proxy import Line
from tools.fake_provider import Behaviour, Fake
from tools.fake_provider.behaviour import ErrorAnswer

pytestmark = pytest.mark.page

embedded = pytest.mark.parametrize("deployment", ["embedded"], indirect=True)

COUNTING = Behaviour.of("One, ", "two, ", "three.", hold_after=(1, 2))

LIST_ACTIONS = """(foot) => [...foot.querySelectorAll("a, button")]
    .filter((way) => way.checkVisibility()).map((way) => way.textContent.trim())"""


def find_status(reply: Locator) -> Locator:
    return reply.locator(".message-footer-row .state")


def release_held(fake: Fake) -> None:
    fake.wait_for("held")
    fake.release()


def mark_document(page: Page) -> None:
    """Mark the page, to detect that an action on a live page loads no other one."""
    page.evaluate("window.marked = true")


def is_same_document(page: Page) -> bool:
    return bool(page.evaluate("window.marked"))


@embedded
@pytest.mark.parametrize("case", build_cases(RUNNING_STATES, "queued", "silent"))
def test_the_page_shows_the_state_of_a_reply_and_can_stop_it(
    shared_user: Person, fake: Fake, open_page: Callable[..., Page], case: RunningState
) -> None:
    fake.script(case.behaviour)
    page = open_page(shared_user)
    for _ in range(case.message_count):
        reply = send_message(page, "Why do tides lag?")
        read_conversation_path(page)
    find_reply_in_state(page, case)
    mark_document(page)
    if case.message_count > 1:
        reply.get_by_role("button", name="Cancel").click()
    else:
        find_stop_button(page).click()
    expect(find_status(reply)).to_have_text("Stopped")
    expect(reply.get_by_role("button", name="Regenerate")).to_be_visible()
    assert is_same_document(page)
    if case.message_count > 1:
        find_stop_button(page).click()
    fake.release()


@embedded
def test_the_notice_of_a_silence_ends_with_the_next_text(
    shared_user: Person, fake: Fake, open_page: Callable[..., Page]
) -> None:
    fake.script(COUNTING)
    page = open_page(shared_user)
    reply = send_message(page, "Count.")
    expect(reply).to_contain_text("One,")
    silent = next(case for case in RUNNING_STATES if case.name == "silent")
    find_reply_in_state(page, silent)
    release_held(fake)
    expect(reply).to_contain_text("two,")
    expect(find_status(reply)).to_have_text("Writing")
    release_held(fake)
    expect(wait_for_reply(page)).to_contain_text("One, two, three.")


@embedded
def test_a_busy_provider_is_retried_and_the_page_says_when(
    shared_user: Person, fake: Fake, open_page: Callable[..., Page]
) -> None:
    fake.script(Behaviour(error=ErrorAnswer(503)), Behaviour.of(SAVED_TEXT))
    page = open_page(shared_user)
    reply = send_message(page, "Why do tides lag?")
    expect(find_status(reply)).to_have_text(
        re.compile(r"^Overloaded\. Retrying in \d+ s \(2 of 3\)$")
    )
    expect(find_status(reply)).to_have_attribute("data-severity", "waiting")
    expect(wait_for_reply(page)).to_contain_text(SAVED_TEXT)
    expect(find_status(reply)).to_have_text("")


@embedded
@pytest.mark.parametrize(
    "case",
    build_cases(ENDED_STATES, "truncated", "without a word", "rate limited"),
)
def test_the_page_says_how_a_reply_ended_and_what_to_do(
    shared_user: Person, fake: Fake, open_page: Callable[..., Page], case: EndedState
) -> None:
    fake.script(case.behaviour)
    page = open_page(shared_user)
    mark_document(page)
    reply = send_message(page, "Why do tides lag?")
    if case.is_stopped:
        expect(find_status(reply)).to_have_text("Writing" if case.saved_text else "Connecting")
        fake.wait_for("held")
        find_stop_button(page).click()
    wait_for_reply(page)
    foot = reply.locator(".message-footer")
    expect(foot.get_by_role("button", name="Try another model", exact=True)).to_be_visible()
    expect(find_status(reply)).to_have_text(case.status_text)
    expect(reply).to_contain_text(case.saved_text)
    for line in case.messages:
        expect(foot.get_by_role("group", name="What happened")).to_contain_text(line)
    assert tuple(foot.evaluate(LIST_ACTIONS)) == case.first_actions
    assert is_same_document(page)
    live = foot.inner_text()
    page.reload()
    expect(reply).to_contain_text(case.saved_text)
    assert foot.inner_text() == live
    follow_action(page, foot, case.first_actions[0])


@embedded
def test_thoughts_without_an_answer_stand_open_and_can_be_copied(
    shared_user: Person, fake: Fake, open_page: Callable[..., Page]
) -> None:
    case = next(ending for ending in ENDED_STATES if ending.name == "only thoughts")
    fake.script(case.behaviour)
    page = open_page(shared_user)
    send_message(page, "Why do tides lag?")
    reply = wait_for_buttons(page)
    expect(reply.locator(".reasoning > .prose")).to_be_visible()
    assert copy_newest_reply(page) == "The sea, hm."
    page.reload()
    expect(reply.locator(".reasoning > .prose")).to_be_visible()
    assert copy_newest_reply(page) == "The sea, hm."


def follow_action(page: Page, foot: Locator, action: str) -> None:
    """Use the first action, and check that it leads on."""
    foot.get_by_text(action, exact=True).first.click()
    match action:
        case "Update key":
            page.wait_for_url("**/settings/keys/")
        case "New chat":
            expect(page.get_by_text("What would you like to know?")).to_be_visible()
        case "Edit your message":
            expect(page.get_by_role("textbox", name="Edit your message")).to_be_focused()
        case "Choose another model":
            expect(page.get_by_role("dialog", name="Choose a model")).to_be_visible()
        case "Regenerate" | "Try again":
            expect(find_newest_reply(page).get_by_text("2/2")).to_be_visible()
        case "Continue":
            expect(find_newest_reply(page).get_by_role("note")).to_contain_text("reply continued")
        case "Copy":
            expect(foot.get_by_text("Copied")).to_be_visible()


@embedded
@pytest.mark.parametrize("name", [*mark_for_prove("stopped", "truncated"), "interrupted"])
def test_a_cut_reply_continues_in_place(
    shared_user: Person, fake: Fake, open_page: Callable[..., Page], name: str
) -> None:
    case = next(ending for ending in ENDED_STATES if ending.name == name)
    fake.script(case.behaviour)
    page = open_page(shared_user)
    reply = send_message(page, "Why do tides lag?")
    if case.is_stopped:
        expect(reply).to_contain_text(SAVED_TEXT)
        find_stop_button(page).click()
    wait_for_reply(page)
    id = reply.get_attribute("id")
    fake.reset()
    fake.script(Behaviour.of("And on it goes."))
    reply.get_by_role("button", name="Continue").click()
    expect(reply).to_contain_text("And on it goes.")
    wait_for_reply(page)
    expect(reply).to_contain_text(SAVED_TEXT)
    expect(reply).to_have_attribute("id", str(id))
    expect(reply.get_by_role("button", name="Continue")).to_have_count(0)


# The network

RECONNECTING = "Reconnecting. Your draft is saved."


def test_the_page_reports_a_lost_network_after_a_second(
    deployment: Deployment,
    shared_user: Person,
    fake: Fake,
    open_page: Callable[..., Page],
    page_errors: PageErrors,
) -> None:
    page_errors.allow("WebSocket|ERR_|Failed to (load|fetch)")
    fake.script(COUNTING)
    with Line(deployment.web.port) as line:
        page = open_page(shared_user, base_url=line.url)
        reply = send_message(page, "Count.")
        expect(reply).to_contain_text("One,")
        page.clock.install()
        sockets: list[WebSocket] = []
        page.on("websocket", lambda socket: sockets.append(socket))
        page.reload()
        release_held(fake)
        expect(reply).to_contain_text("two,")
        page.clock.pause_at(page.evaluate("Date.now() / 1000 + 1"))
        with sockets[0].expect_event("close"):
            line.cut()
        page.clock.run_for(900)
        status = page.get_by_role("status").first
        assert status.inner_text() == "Replying…", "for a second nobody needs to hear of it"
        page.clock.run_for(200)
        expect(status).to_have_text(RECONNECTING)
        expect(reply).to_contain_text("One, two,")
        release_held(fake)
        line.mend()
        page.clock.resume()
        expect(status).to_have_text(re.compile("Back online|Reply finished"))
        expect(wait_for_reply(page)).to_contain_text("One, two, three.")


@embedded
def test_offline_nothing_is_sent_and_nothing_is_lost(
    deployment: Deployment,
    shared_user: Person,
    fake: Fake,
    open_page: Callable[..., Page],
    page_errors: PageErrors,
) -> None:
    page_errors.allow("WebSocket|ERR_|Failed to (load|fetch)")
    fake.script(Behaviour.of("One, ", "two, ", "three.", hold_after=(1,), delay=0.02))
    with Line(deployment.web.port) as line:
        page = open_page(shared_user, base_url=line.url)
        reply = send_message(page, "Count.")
        expect(reply).to_contain_text("One,")
        page.context.set_offline(True)
        line.cut()
        status, send = page.get_by_role("status").first, page.get_by_role("button", name="Send")
        expect(status).to_have_text("You’re offline. Your draft is saved.")
        page.get_by_role("textbox", name="Message", exact=True).fill("And back?")
        expect(send).to_be_disabled()
        expect(send).to_have_attribute("title", "You’re offline. Your draft is saved.")
        fake.release()
        line.mend()
        page.context.set_offline(False)
        expect(wait_for_reply(page)).to_contain_text("One, two, three.")
        expect(send).to_be_enabled()
        fake.script(Behaviour.of("Three, two, one."))
        send.click()
        expect(find_newest_reply(page)).to_contain_text("Three, two, one.")

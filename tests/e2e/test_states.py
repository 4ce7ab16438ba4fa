"""Every state of a reply has its own text and actions below the kept text: live, and the same after
a reload."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, WebSocket, expect

from tests.e2e.conftest import Complaints
from tests.e2e.replies import (
    find_newest_reply,
    read_conversation_path,
    send_message,
    wait_for_reply,
)
from tests.e2e.states import (
    ENDINGS,
    KEPT,
    RUNNING,
    Ending,
    Running,
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

OFFERS = """(foot) => [...foot.querySelectorAll("a, button")]
    .filter((way) => way.checkVisibility()).map((way) => way.textContent.trim())"""


def state(reply: Locator) -> Locator:
    return reply.locator(".message-footer-row .state")


def held_and_released(fake: Fake) -> None:
    fake.wait_for("held")
    fake.release()


def mark(page: Page) -> None:
    """Mark the page, to detect that an action on a live page loads no other one."""
    page.evaluate("window.marked = true")


def is_the_same(page: Page) -> bool:
    return bool(page.evaluate("window.marked"))


@embedded
@pytest.mark.parametrize("case", build_cases(RUNNING, "queued", "silent"))
def test_the_page_shows_the_state_of_a_reply_and_can_stop_it(
    asker: Person, fake: Fake, open_page: Callable[..., Page], case: Running
) -> None:
    fake.script(case.behaviour)
    page = open_page(asker)
    for _ in range(case.sent):
        reply = send_message(page, "Why do tides lag?")
        read_conversation_path(page)
    find_reply_in_state(page, case)
    mark(page)
    if case.sent > 1:
        reply.get_by_role("button", name="Cancel").click()
    else:
        find_stop_button(page).click()
    expect(state(reply)).to_have_text("Stopped")
    expect(reply.get_by_role("button", name="Regenerate")).to_be_visible()
    assert is_the_same(page)
    if case.sent > 1:
        find_stop_button(page).click()
    fake.release()


@embedded
def test_the_notice_of_a_silence_ends_with_the_next_text(
    asker: Person, fake: Fake, open_page: Callable[..., Page]
) -> None:
    fake.script(COUNTING)
    page = open_page(asker)
    reply = send_message(page, "Count.")
    expect(reply).to_contain_text("One,")
    silent = next(case for case in RUNNING if case.name == "silent")
    find_reply_in_state(page, silent)
    held_and_released(fake)
    expect(reply).to_contain_text("two,")
    expect(state(reply)).to_have_text("Writing")
    held_and_released(fake)
    expect(wait_for_reply(page)).to_contain_text("One, two, three.")


@embedded
def test_a_busy_provider_is_retried_and_the_page_says_when(
    asker: Person, fake: Fake, open_page: Callable[..., Page]
) -> None:
    fake.script(Behaviour(error=ErrorAnswer(503)), Behaviour.of(KEPT))
    page = open_page(asker)
    reply = send_message(page, "Why do tides lag?")
    expect(state(reply)).to_have_text(re.compile(r"^Overloaded\. Retrying in \d+ s \(2 of 3\)$"))
    expect(state(reply)).to_have_attribute("data-severity", "waiting")
    expect(wait_for_reply(page)).to_contain_text(KEPT)
    expect(state(reply)).to_have_text("")


@embedded
@pytest.mark.parametrize(
    "case",
    build_cases(ENDINGS, "truncated", "without a word", "rate limited"),
)
def test_the_page_says_how_a_reply_ended_and_what_to_do(
    asker: Person, fake: Fake, open_page: Callable[..., Page], case: Ending
) -> None:
    fake.script(case.behaviour)
    page = open_page(asker)
    mark(page)
    reply = send_message(page, "Why do tides lag?")
    if case.stopped:
        expect(state(reply)).to_have_text("Writing" if case.keeps else "Connecting")
        fake.wait_for("held")
        find_stop_button(page).click()
    wait_for_reply(page)
    foot = reply.locator(".message-footer")
    expect(foot.get_by_role("button", name="Try another model", exact=True)).to_be_visible()
    expect(state(reply)).to_have_text(case.says)
    expect(reply).to_contain_text(case.keeps)
    for line in case.told:
        expect(foot.get_by_role("group", name="What happened")).to_contain_text(line)
    assert tuple(foot.evaluate(OFFERS)) == case.offers
    assert is_the_same(page)
    live = foot.inner_text()
    page.reload()
    expect(reply).to_contain_text(case.keeps)
    assert foot.inner_text() == live
    follow(page, foot, case.offers[0])


def follow(page: Page, foot: Locator, way: str) -> None:
    """Use the first action, and check that it leads on."""
    foot.get_by_text(way, exact=True).first.click()
    match way:
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
    asker: Person, fake: Fake, open_page: Callable[..., Page], name: str
) -> None:
    case = next(ending for ending in ENDINGS if ending.name == name)
    fake.script(case.behaviour)
    page = open_page(asker)
    reply = send_message(page, "Why do tides lag?")
    if case.stopped:
        expect(reply).to_contain_text(KEPT)
        find_stop_button(page).click()
    wait_for_reply(page)
    id = reply.get_attribute("id")
    fake.reset()
    fake.script(Behaviour.of("And on it goes."))
    reply.get_by_role("button", name="Continue").click()
    expect(reply).to_contain_text("And on it goes.")
    wait_for_reply(page)
    expect(reply).to_contain_text(KEPT)
    expect(reply).to_have_attribute("id", str(id))
    expect(reply.get_by_role("button", name="Continue")).to_have_count(0)


# The network

SAFE = "Reconnecting. Your draft is saved."


def test_the_page_reports_a_lost_network_after_a_second(
    deployment: Deployment,
    asker: Person,
    fake: Fake,
    open_page: Callable[..., Page],
    complaints: Complaints,
) -> None:
    complaints.allow("WebSocket|ERR_|Failed to (load|fetch)")
    fake.script(COUNTING)
    with Line(deployment.web.port) as line:
        page = open_page(asker, base_url=line.url)
        reply = send_message(page, "Count.")
        expect(reply).to_contain_text("One,")
        page.clock.install()
        sockets: list[WebSocket] = []
        page.on("websocket", lambda socket: sockets.append(socket))
        page.reload()
        held_and_released(fake)
        expect(reply).to_contain_text("two,")
        page.clock.pause_at(page.evaluate("Date.now() / 1000 + 1"))
        with sockets[0].expect_event("close"):
            line.cut()
        page.clock.run_for(900)
        status = page.get_by_role("status").first
        assert status.inner_text() == "Replying…", "for a second nobody needs to hear of it"
        page.clock.run_for(200)
        expect(status).to_have_text(SAFE)
        expect(reply).to_contain_text("One, two,")
        held_and_released(fake)
        line.mend()
        page.clock.resume()
        expect(status).to_have_text(re.compile("Back online|Reply finished"))
        expect(wait_for_reply(page)).to_contain_text("One, two, three.")


@embedded
def test_offline_nothing_is_sent_and_nothing_is_lost(
    deployment: Deployment,
    asker: Person,
    fake: Fake,
    open_page: Callable[..., Page],
    complaints: Complaints,
) -> None:
    complaints.allow("WebSocket|ERR_|Failed to (load|fetch)")
    fake.script(Behaviour.of("One, ", "two, ", "three.", hold_after=(1,), delay=0.02))
    with Line(deployment.web.port) as line:
        page = open_page(asker, base_url=line.url)
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

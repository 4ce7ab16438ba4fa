"""A page without sockets polls its running replies, and is live as soon as a socket opens."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from uuid import uuid4

import pytest
from django.template.loader import render_to_string
from django.test import override_settings
from playwright.sync_api import Locator, Page, Route, WebSocket, WebSocketRoute, expect

from tests.factories import PLAIN_STORAGES
from tests.js.chat_page import CHAT, SIDEBAR, STREAM, build_running_exchange, render_chat_page
from tools.static_site import Files

POLLING_STATUS = "Live updates don’t get through here. The page checks every few seconds."
MENU = f"""<details open><form method=post action="{CHAT}title/">
<input name=title value=Moons><button>Rename</button></form></details>"""
LIST = '<ul class="conversations"></ul>'


class PollServer:
    """Answers everything but sockets, as long as it is reachable."""

    def __init__(self, page: Page) -> None:
        question, self.reply = build_running_exchange("Why?")
        self.sockets: list[WebSocketRoute] = []
        self.message_requests = 0
        self.list_requests = 0
        self.is_reachable = True
        Files.pages[CHAT] = render_chat_page(f"{CHAT}messages/", (question, self.reply))
        page.route(SIDEBAR, self.serve_list)
        page.route("**/m/*/", self.serve_message)

    def serve_list(self, route: Route) -> None:
        self.list_requests += 1
        route.fulfill(body=LIST) if self.is_reachable else route.abort()

    def serve_message(self, route: Route) -> None:
        self.message_requests += 1
        body = render_to_string("chat/messages/_message.html", {"message": self.reply})
        route.fulfill(body=body) if self.is_reachable else route.abort()

    def set_reply(self, text: str, index: int, **fields: object) -> None:
        self.reply = replace(self.reply, text=text, index=index, **fields)  # type: ignore[arg-type]


@pytest.fixture
def poll_server(page: Page, page_errors: list[str]) -> Iterator[PollServer]:
    with override_settings(STORAGES=PLAIN_STORAGES, STATIC_URL="/static/"):
        page.clock.install()
        yield PollServer(page)
    page.goto("about:blank")  # nothing is tried any more
    Files.pages.clear()
    page_errors[:] = [one for one in page_errors if not re.search("WebSocket|ERR_FAILED", one)]


def find_prose(page: Page) -> Locator:
    return page.locator("article[data-role=assistant] .prose").last


def pass_time(page: Page, until: Callable[[], bool], seconds: int = 120) -> None:
    """Advance the page's clock, and let responses arrive."""
    for _ in range(seconds):
        if until():
            return
        page.clock.run_for(1000)
        page.wait_for_timeout(10)
    pytest.fail("it never came")


def has_text(page: Page, text: str) -> Callable[[], bool]:
    return lambda: find_prose(page).inner_text().strip() == text


def has_status(page: Page, sentence: str) -> Callable[[], bool]:
    return lambda: page.locator("#status").inner_text().strip() == sentence


def test_a_reply_grows_and_ends_without_sockets(page: Page, poll_server: PollServer) -> None:
    sockets: list[WebSocket] = []
    page.on("websocket", lambda socket: sockets.append(socket))
    page.goto(CHAT)  # the server of these tests knows no sockets and answers them with 404
    pass_time(page, has_status(page, POLLING_STATUS))
    for index, text in enumerate(("One", "One two", "One two three")):
        poll_server.set_reply(text, index, state="running")
        pass_time(page, has_text(page, text))
    poll_server.set_reply("One two three. The end.", 3, state="completed")
    pass_time(page, lambda: page.locator("article[aria-busy]").count() == 0)
    expect(find_prose(page)).to_have_text("One two three. The end.")
    message_count, list_count = poll_server.message_requests, poll_server.list_requests
    # Somebody may rename a chat elsewhere.
    pass_time(page, lambda: poll_server.list_requests > list_count)
    pass_time(page, lambda: len(sockets) > 9)  # the pauses between two sockets don't grow any more
    list_count = poll_server.list_requests
    page.clock.run_for(60_000)
    assert poll_server.message_requests <= message_count + 1, "nothing runs: no reply is requested"
    # One for each round and one for each socket that fails, every fifteen seconds at most.
    assert poll_server.list_requests <= list_count + 10, "and the list seldom"


def test_polling_shows_a_reply_continued_elsewhere(page: Page, poll_server: PollServer) -> None:
    page.goto(CHAT)
    poll_server.set_reply("One two three", 9, state="running")
    pass_time(page, has_text(page, "One two three"))
    poll_server.set_reply("One two three four", 0, state="running", stream_id=str(uuid4()))
    pass_time(page, has_text(page, "One two three four"))
    poll_server.set_reply("One two three four five", 1, state="completed", stream_id="")
    pass_time(page, lambda: page.locator("article[aria-busy]").count() == 0)
    expect(find_prose(page)).to_have_text("One two three four five")


@pytest.mark.parametrize("state", ["completed", "running"])
def test_a_reply_that_ended_and_continued_between_two_polls_is_shown(
    page: Page, poll_server: PollServer, state: str
) -> None:
    page.goto(CHAT)
    poll_server.set_reply("One two", 9, state="running")
    pass_time(page, has_text(page, "One two"))
    poll_server.set_reply("Two, differently", 3, state=state, stream_id=str(uuid4()))
    source = page.locator("article script")
    pass_time(page, lambda: "Two, differently" in (source.text_content() or ""))
    runs = 1 if state == "running" else 0
    expect(page.locator("article[aria-busy]")).to_have_count(runs)
    expect(page.locator("#composer[data-running]")).to_have_count(runs)


def test_an_unreadable_response_does_not_end_polling(
    page: Page, poll_server: PollServer, page_errors: list[str]
) -> None:
    page.goto(CHAT)
    poll_server.set_reply("One", 0, state="running")
    pass_time(page, has_text(page, "One"))
    page.route("**/m/*/", lambda route: route.fulfill(body="<article>Welcome to our network"))
    list_count = poll_server.list_requests
    pass_time(page, lambda: poll_server.list_requests > list_count + 1)
    page.unroute("**/m/*/")
    page.route("**/m/*/", poll_server.serve_message)
    poll_server.set_reply("One two", 1, state="running")
    pass_time(page, has_text(page, "One two"))


def test_another_signed_in_account_is_reported_once_and_ends_polling(
    page: Page, poll_server: PollServer, page_errors: list[str]
) -> None:
    page.goto(CHAT)
    pass_time(page, has_status(page, POLLING_STATUS))
    refusal = {"X-Account": "another"}
    page.route(SIDEBAR, lambda route: route.fulfill(status=409, headers=refusal))
    page.route("**/m/*/", lambda route: route.fulfill(status=404))
    dialog = page.get_by_role("dialog", name="You’re signed in to another account")
    page.evaluate("document.querySelector('live-reply').dataset.state = 'completed'")
    pass_time(page, dialog.is_visible)
    dialog.get_by_role("button", name="Close").click()
    status = "Another account is signed in. Your draft is saved."
    assert has_status(page, status)()
    page.clock.run_for(60_000)
    page.wait_for_timeout(100)
    expect(dialog).to_be_hidden()
    assert has_status(page, status)()
    page_errors[:] = [one for one in page_errors if "409" not in one]


def test_polling_updates_the_list_of_conversations(page: Page, poll_server: PollServer) -> None:
    row = (
        '<li><a id="c-1" href="{0}">{1}</a>'
        '<a class="conversation-menu-button" href="{0}menu/">More</a></li>'
    )
    list_count = [row.format(CHAT, "Tides")]
    page.route(SIDEBAR, lambda route: route.fulfill(body=LIST.replace("><", f">{list_count[-1]}<")))
    page.route("**/menu/", lambda route: route.fulfill(body=MENU))
    page.route("**/title/", lambda route: route.fulfill(status=204))
    page.goto(CHAT)
    pass_time(page, has_status(page, POLLING_STATUS))
    pass_time(page, lambda: page.locator("#c-1").count() == 1)
    page.evaluate("document.querySelector('live-reply').dataset.state = 'completed'")
    page.locator("#c-1 + .conversation-menu-button").dispatch_event("click")
    list_count.append(row.format(CHAT, "Moons"))
    page.get_by_role("button", name="Rename").click()
    expect(page.locator("#c-1")).to_have_text("Moons")  # at once: the page's clock stands still


def test_a_late_socket_replaces_polling_without_doubling_text(
    page: Page, poll_server: PollServer
) -> None:
    refused = [True]
    frames: list[dict[str, object]] = []

    def accept(socket: WebSocketRoute) -> None:
        if refused[0]:
            return socket.close(code=1011)
        poll_server.sockets.append(socket)
        socket.on_message(lambda text: frames.append(json.loads(text)))
        return socket.send(json.dumps({"type": "hello", "version": 1, "revision": 1}))

    page.route_web_socket("**/ws/", accept)
    page.goto(CHAT)
    pass_time(page, has_status(page, POLLING_STATUS))
    poll_server.set_reply("One two ", 1, state="running")
    pass_time(page, has_text(page, "One two"))
    refused[0] = False
    page.evaluate("dispatchEvent(new Event('online'))")
    pass_time(page, lambda: {"type": "follow", "stream": STREAM, "after": 1} in frames)
    chunk = {"type": "chunk", "stream": STREAM, "kind": "text"}
    poll_server.sockets[-1].send(json.dumps({**chunk, "first": 2, "index": 2, "delta": "three"}))
    pass_time(page, has_text(page, "One two three"))
    assert page.locator("#status").inner_text().strip() in {"Back online", "Replying…"}
    message_count = poll_server.message_requests
    page.clock.run_for(60_000)
    assert poll_server.message_requests == message_count


@pytest.mark.parametrize("how", ["upgrade", "greeting"])
def test_an_unanswered_socket_is_reported(page: Page, poll_server: PollServer, how: str) -> None:
    if how == "greeting":
        page.route_web_socket("**/ws/", lambda socket: None)
    with Files.unanswered("/ws/"):
        page.goto(CHAT)
        poll_server.set_reply("One", 0, state="running")
        pass_time(page, has_status(page, POLLING_STATUS))
        pass_time(page, has_text(page, "One"))


def test_without_any_response_the_socket_keeps_reconnecting(
    page: Page, poll_server: PollServer
) -> None:
    page.goto(CHAT)
    poll_server.is_reachable = False
    pass_time(page, has_status(page, "Reconnecting. Your draft is saved."))
    page.clock.run_for(30_000)
    assert has_status(page, "Reconnecting. Your draft is saved.")()
    assert poll_server.message_requests == 0

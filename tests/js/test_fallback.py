"""A page without sockets reads what it follows over HTTP, and is live as soon as a socket opens."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest
from django.template.loader import render_to_string
from django.test import override_settings
from playwright.sync_api import Locator, Page, Request, Route, WebSocket, WebSocketRoute, expect

from tests.factories import PLAIN_STORAGES
from tests.js.chat_page import CHAT, SIDEBAR, STREAM, build_running_exchange, render_chat_page
from tools.static_site import Files

POLLING_STATUS = "Live updates don’t get through here. The page checks every few seconds."
RECONNECTING_STATUS = "Reconnecting. Your draft is saved."
MENU = f"""<details open><form method=post action="{CHAT}title/">
<input name=title value=Moons><button>Rename</button></form></details>"""
LIST = '<ul class="conversations"></ul>'
EVENTS = re.compile(r"/api/streams/events\?")
WITHOUT_LOCKS = "Object.defineProperty(Navigator.prototype, 'locks', { value: undefined })"
"""Browsers have them only over https and on localhost."""
HIDDEN = """
globalThis.isHidden = true;
Object.defineProperty(Document.prototype, "hidden", { get: () => globalThis.isHidden });"""
HOLD_ALL_PLACES = """
for (const place of [0, 1, 2])
  navigator.locks?.request(`event-stream-${place}`, () => new Promise((leave) =>
    (globalThis.leavePlace = leave)));"""

Frame = dict[str, Any]


class EventServer:
    """Answers everything but sockets, as long as it is reachable. Responses that wait are refused,
    unless `serves_streams` is true; then each ends after what there is."""

    def __init__(self, page: Page) -> None:
        question, self.reply = build_running_exchange("Why?")
        self.chunks: dict[str, list[str]] = {STREAM: []}
        self.ends: dict[str, str] = {}
        self.revision = 0
        self.sockets: list[WebSocketRoute] = []
        self.requests: list[dict[str, list[str]]] = []
        self.list_requests = 0
        self.is_reachable = True
        self.serves_streams = False
        Files.pages[CHAT] = render_chat_page(f"{CHAT}messages/", (question, self.reply))
        page.route(SIDEBAR, self.serve_list)
        page.route("**/m/*/", self.serve_message)
        page.route(EVENTS, self.serve_events)

    def serve_list(self, route: Route) -> None:
        self.list_requests += 1
        route.fulfill(body=LIST) if self.is_reachable else route.abort()

    def serve_message(self, route: Route) -> None:
        body = render_to_string("chat/messages/_message.html", {"message": self.reply})
        route.fulfill(body=body) if self.is_reachable else route.abort()

    def serve_events(self, route: Route) -> None:
        if not self.is_reachable:
            return route.abort()
        query = parse_qs(urlsplit(route.request.url).query)
        if "wait" not in query and not self.serves_streams:
            return route.fulfill(status=502, body="<title>Bad gateway</title>")
        self.requests.append(query)
        frames: list[Frame] = [{"type": "hello", "version": 1, "revision": self.revision}]
        for follow in query.get("follow", []):
            stream, _, cursor = follow.partition(":")
            frames += self.list_frames(stream, int(cursor))
        return fulfill_events(route, frames)

    def list_frames(self, stream: str, cursor: int) -> Iterator[Frame]:
        chunks = self.chunks.get(stream)
        if chunks is None:
            yield {"type": "error", "code": "not_found", "message": "", "stream": stream}
            return
        delta = "".join(chunks[cursor + 1 :])
        chunk = {"type": "chunk", "stream": stream, "kind": "text", "delta": delta, "offset": 0}
        if delta:
            yield {**chunk, "first": cursor + 1, "index": len(chunks) - 1}
        if state := self.ends.get(stream):
            yield {
                "type": "end",
                "stream": stream,
                "state": state,
                "next": len(chunks),
                "finish_reason": "stop",
                "error": None,
            }
        else:
            yield {"type": "state", "stream": stream, "state": "running", "note": ""}

    def end_stream(self, stream: str = STREAM, **fields: Any) -> None:
        text = "".join(self.chunks[stream])
        self.ends[stream] = "completed"
        ended = {"state": "completed", "stream_id": "", "text": text} | fields
        self.reply = replace(self.reply, index=len(self.chunks[stream]) - 1, **ended)


def fulfill_events(route: Route, frames: list[Frame]) -> None:
    blocks = [f"event: {frame['type']}\ndata: {json.dumps(frame)}\n\n" for frame in frames]
    headers = {"Content-Type": "text/event-stream"}
    route.fulfill(body=f"retry: 1000\n\n{''.join(blocks)}:\n\n", headers=headers)


@pytest.fixture
def event_server(page: Page, page_errors: list[str]) -> Iterator[EventServer]:
    with override_settings(STORAGES=PLAIN_STORAGES, STATIC_URL="/static/"):
        page.clock.install()
        yield EventServer(page)
    page.goto("about:blank")  # nothing is tried any more
    Files.pages.clear()
    page_errors[:] = [one for one in page_errors if not re.search("WebSocket|ERR_FAILED|502", one)]


LOAD_LATE_MODULES = """Promise.all(["fallback", "live-reply"].map((name) =>
    import(`/static/js/live/${name}.js`))).then(() => null)"""


def open_chat(page: Page) -> None:
    """Wait for the modules that are loaded late, so that no time passes without them."""
    page.goto(CHAT)
    page.evaluate(LOAD_LATE_MODULES)


def find_prose(page: Page) -> Locator:
    return page.locator("article[data-role=assistant] .prose").last


def pass_time(page: Page, until: Callable[[], bool], seconds: int = 120) -> None:
    """Advance the page's clock, and let responses arrive. They take real time, which is the longer
    for each second the fewer seconds there are: a busy machine answers late."""
    for _ in range(seconds):
        if until():
            return
        page.clock.run_for(1000)
        for _ in range(max(1, 300 // seconds)):
            page.wait_for_timeout(10)
            if until():
                return
    raise AssertionError("it never came")


def has_text(page: Page, text: str) -> Callable[[], bool]:
    return lambda: find_prose(page).inner_text().strip() == text


def has_stream_request(server: EventServer) -> bool:
    return any("wait" not in query for query in server.requests)


def has_status(page: Page, sentence: str) -> Callable[[], bool]:
    return lambda: page.locator("#status").inner_text().strip() == sentence


def test_a_reply_grows_and_ends_without_sockets(page: Page, event_server: EventServer) -> None:
    sockets: list[WebSocket] = []
    page.on("websocket", lambda socket: sockets.append(socket))
    open_chat(page)  # the server of these tests knows no sockets and answers them with 404
    pass_time(page, has_status(page, POLLING_STATUS))
    for text in ("One", " two", " three"):
        event_server.chunks[STREAM].append(text)
        pass_time(page, has_text(page, "".join(event_server.chunks[STREAM])))
    event_server.chunks[STREAM].append(". The end.")
    event_server.end_stream()
    pass_time(page, lambda: page.locator("article[aria-busy]").count() == 0)
    expect(find_prose(page)).to_have_text("One two three. The end.")
    pass_time(page, lambda: len(sockets) > 8)  # the pauses between two sockets have grown
    pass_time(page, lambda: "follow" not in event_server.requests[-1])  # no reply is requested


def test_an_idle_page_soon_shows_changes_and_fetches_nothing_without_one(
    page: Page, event_server: EventServer
) -> None:
    fetched_drafts: list[str] = []

    def note_fetch(request: Request) -> None:
        if "/drafts/" in request.url:
            fetched_drafts.append(request.url)

    page.on("request", note_fetch)
    event_server.end_stream()
    open_chat(page)
    pass_time(page, has_status(page, POLLING_STATUS))
    pass_time(page, lambda: len(event_server.requests) > 4)  # the new status has been dealt with
    request_count, list_count = len(event_server.requests), event_server.list_requests
    pass_time(page, lambda: len(event_server.requests) >= request_count + 6, seconds=30)
    assert event_server.list_requests == list_count
    fetched_drafts.clear()
    event_server.revision += 1  # another device sends a message or saves a draft
    pass_time(page, lambda: event_server.list_requests > list_count, seconds=6)
    pass_time(page, lambda: bool(fetched_drafts), seconds=3)
    pass_time(page, lambda: event_server.list_requests > list_count + 1, seconds=65)


def test_a_refused_stream_is_not_tried_again_after_a_reload(
    page: Page, event_server: EventServer
) -> None:
    open_chat(page)
    pass_time(page, has_status(page, POLLING_STATUS))
    event_server.chunks[STREAM].append("One")
    event_server.requests.clear()
    page.reload()
    pass_time(page, has_text(page, "One"), seconds=3)
    assert all("wait" in query for query in event_server.requests)


def test_responses_that_end_at_once_are_replaced_by_polls(
    page: Page, event_server: EventServer
) -> None:
    event_server.serves_streams = True
    open_chat(page)
    event_server.chunks[STREAM].append("One")
    pass_time(page, has_text(page, "One"))
    pass_time(page, has_status(page, POLLING_STATUS))


def test_without_locks_no_tab_reads_a_stream(page: Page, event_server: EventServer) -> None:
    event_server.serves_streams = True
    page.add_init_script(WITHOUT_LOCKS)
    open_chat(page)
    pass_time(page, has_status(page, POLLING_STATUS))
    event_server.chunks[STREAM].append("One")
    pass_time(page, has_text(page, "One"), seconds=10)
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    pass_time(page, lambda: len(event_server.requests) > 12)
    assert all("wait" in query for query in event_server.requests)


def test_a_page_opened_in_the_background_reads_a_stream_once_it_is_visible(
    page: Page, event_server: EventServer
) -> None:
    event_server.serves_streams = True
    page.add_init_script(HIDDEN)
    open_chat(page)
    pass_time(page, lambda: len(event_server.requests) > 3)
    assert all("wait" in query for query in event_server.requests)
    event_server.requests.clear()
    page.evaluate("isHidden = false; document.dispatchEvent(new Event('visibilitychange'))")
    pass_time(page, lambda: has_stream_request(event_server), seconds=3)


def test_a_page_soon_takes_the_place_of_a_stream_that_ended(
    page: Page, event_server: EventServer
) -> None:
    event_server.serves_streams = True
    page.add_init_script(HOLD_ALL_PLACES)
    open_chat(page)
    pass_time(page, lambda: len(event_server.requests) > 3)
    assert not has_stream_request(event_server)
    page.evaluate("leavePlace()")  # as another tab does that was hidden or closed
    pass_time(page, lambda: has_stream_request(event_server), seconds=10)


def test_a_reply_continued_elsewhere_is_shown(page: Page, event_server: EventServer) -> None:
    open_chat(page)
    event_server.chunks[STREAM] += ["One ", "two ", "three"]
    pass_time(page, has_text(page, "One two three"))
    other = str(uuid4())
    event_server.end_stream(stream_id=other, state="running")
    event_server.chunks[other] = []
    event_server.reply = replace(event_server.reply, index=-1)
    source = page.locator(f"live-reply[data-stream='{other}']")
    pass_time(page, lambda: source.count() == 1)
    event_server.chunks[other].append(" four")
    pass_time(page, has_text(page, "One two three four"))
    event_server.end_stream(other, text="One two three four")
    pass_time(page, lambda: page.locator("article[aria-busy]").count() == 0)
    expect(find_prose(page)).to_have_text("One two three four")


def test_a_page_of_the_network_does_not_end_the_fallback(
    page: Page, event_server: EventServer
) -> None:
    open_chat(page)
    event_server.chunks[STREAM].append("One")
    pass_time(page, has_text(page, "One"))
    page.route(EVENTS, lambda route: route.fulfill(body="<article>Welcome to our network"))
    pass_time(page, has_status(page, RECONNECTING_STATUS))
    page.unroute(EVENTS)
    page.route(EVENTS, event_server.serve_events)
    event_server.chunks[STREAM].append(" two")
    pass_time(page, has_text(page, "One two"))
    pass_time(page, has_status(page, POLLING_STATUS))


def test_a_session_that_ended_is_reported(
    page: Page, event_server: EventServer, page_errors: list[str]
) -> None:
    open_chat(page)
    pass_time(page, has_status(page, POLLING_STATUS))
    page.route(EVENTS, lambda route: route.fulfill(status=401))
    page.route(SIDEBAR, lambda route: route.fulfill(status=401))
    pass_time(page, has_status(page, "You’re signed out."))
    page_errors[:] = [one for one in page_errors if "401" not in one]


def test_another_signed_in_account_is_reported_once_and_ends_the_fallback(
    page: Page, event_server: EventServer, page_errors: list[str]
) -> None:
    open_chat(page)
    pass_time(page, has_status(page, POLLING_STATUS))
    refusal = {"X-Account": "another"}
    page.route(SIDEBAR, lambda route: route.fulfill(status=409, headers=refusal))
    page.route("**/m/*/", lambda route: route.fulfill(status=409, headers=refusal))
    event_server.chunks.clear()  # it knows none of the streams of the first account
    dialog = page.get_by_role("dialog", name="You’re signed in to another account")
    pass_time(page, dialog.is_visible)
    dialog.get_by_role("button", name="Close").click()
    status = "Another account is signed in. Your draft is saved."
    assert has_status(page, status)()
    event_server.requests.clear()
    page.clock.run_for(60_000)
    page.wait_for_timeout(100)
    expect(dialog).to_be_hidden()
    assert has_status(page, status)()
    assert event_server.requests == []
    page_errors[:] = [one for one in page_errors if "409" not in one]


def test_polling_updates_the_list_of_conversations(page: Page, event_server: EventServer) -> None:
    row = (
        '<li><a id="c-1" href="{0}">{1}</a>'
        '<a class="conversation-menu-button" href="{0}menu/">More</a></li>'
    )
    rows = [row.format(CHAT, "Tides")]
    page.route(SIDEBAR, lambda route: route.fulfill(body=LIST.replace("><", f">{rows[-1]}<")))
    page.route("**/menu/", lambda route: route.fulfill(body=MENU))
    page.route("**/title/", lambda route: route.fulfill(status=204))
    open_chat(page)
    pass_time(page, has_status(page, POLLING_STATUS))
    event_server.revision += 1
    pass_time(page, lambda: page.locator("#c-1").count() == 1)
    rows.append(row.format(CHAT, "Seas"))
    event_server.revision += 1  # somebody renames the chat elsewhere
    pass_time(page, lambda: page.locator("#c-1").inner_text() == "Seas", seconds=6)
    page.locator("#c-1 + .conversation-menu-button").dispatch_event("click")
    rows.append(row.format(CHAT, "Moons"))
    page.get_by_role("button", name="Rename").click()
    expect(page.locator("#c-1")).to_have_text("Moons")  # at once: the page's clock stands still


def test_a_late_socket_replaces_the_fallback_without_doubling_text(
    page: Page, event_server: EventServer
) -> None:
    refused = [True]
    frames: list[Frame] = []

    def accept(socket: WebSocketRoute) -> None:
        if refused[0]:
            return socket.close(code=1011)
        event_server.sockets.append(socket)
        socket.on_message(lambda text: frames.append(json.loads(text)))
        return socket.send(json.dumps({"type": "hello", "version": 1, "revision": 1}))

    page.route_web_socket("**/ws/", accept)
    open_chat(page)
    pass_time(page, has_status(page, POLLING_STATUS))
    event_server.chunks[STREAM] += ["One ", "two "]
    pass_time(page, has_text(page, "One two"))
    refused[0] = False
    page.evaluate("dispatchEvent(new Event('online'))")
    pass_time(page, lambda: {"type": "follow", "stream": STREAM, "after": 1} in frames)
    chunk = {"type": "chunk", "stream": STREAM, "kind": "text"}
    event_server.sockets[-1].send(json.dumps({**chunk, "first": 2, "index": 2, "delta": "three"}))
    pass_time(page, has_text(page, "One two three"))
    assert page.locator("#status").inner_text().strip() in {"Back online", "Replying…"}
    event_server.requests.clear()
    page.clock.run_for(13_000)
    assert event_server.requests == []
    assert page.evaluate("localStorage.getItem('fallback')") is None, "a stable socket works here"


def test_sockets_that_are_cut_again_and_again_deliver_nothing_until_one_is_stable(
    page: Page, event_server: EventServer
) -> None:
    sockets: list[WebSocketRoute] = []
    frames: list[Frame] = []

    def accept(socket: WebSocketRoute) -> None:
        sockets.append(socket)
        socket.on_message(lambda text: frames.append(json.loads(text)))
        socket.send(json.dumps({"type": "hello", "version": 1, "revision": 0}))

    page.route_web_socket("**/ws/", accept)
    open_chat(page)
    for count in (1, 2, 3):
        pass_time(page, lambda count=count: len(sockets) >= count)  # type: ignore[misc]
        sockets[-1].close(code=1011)
    pass_time(page, has_status(page, POLLING_STATUS))
    event_server.chunks[STREAM] += ["One ", "two "]
    frames.clear()
    pass_time(page, lambda: len(sockets) == 4)
    pass_time(page, has_text(page, "One two"))
    assert [frame for frame in frames if frame["type"] == "follow"] == []
    assert has_status(page, POLLING_STATUS)()
    pass_time(page, lambda: {"type": "follow", "stream": STREAM, "after": 1} in frames, seconds=20)


@pytest.mark.parametrize("how", ["upgrade", "greeting"])
def test_an_unanswered_socket_is_reported(page: Page, event_server: EventServer, how: str) -> None:
    if how == "greeting":
        page.route_web_socket("**/ws/", lambda socket: None)
    with Files.unanswered("/ws/"):
        open_chat(page)
        event_server.chunks[STREAM].append("One")
        pass_time(page, has_status(page, POLLING_STATUS))
        pass_time(page, has_text(page, "One"))


def test_a_socket_that_failed_before_the_fallback_was_loaded_is_reported_to_it(
    page: Page, event_server: EventServer
) -> None:
    held: list[Route] = []
    page.route_web_socket("**/ws/", lambda socket: None)
    page.route("**/live/fallback.js", lambda route: held.append(route))
    with page.expect_request("**/live/fallback.js"):
        page.goto(CHAT)
    page.clock.run_for(5000)  # a greeting would have come by now
    pass_time(page, lambda: bool(held))
    held.pop().continue_()
    pass_time(page, has_status(page, POLLING_STATUS), seconds=9)


def test_without_any_response_the_socket_keeps_reconnecting(
    page: Page, event_server: EventServer
) -> None:
    open_chat(page)
    event_server.is_reachable = False
    pass_time(page, has_status(page, RECONNECTING_STATUS))
    page.clock.run_for(30_000)
    assert has_status(page, RECONNECTING_STATUS)()
    assert event_server.requests == []


PARSER = """async (sizes) => {
  const { EventParser } = await import("/js/live/event-reader.js");
  const frames = [{ type: "hello" }, { type: "chunk", delta: "a\\n\\nb\\r: 日本 data: x" }];
  const body = "retry: 1000\\n\\n" + frames.map((frame) =>
    `event: ${frame.type}\\nid: 4\\ndata: ${JSON.stringify(frame)}\\n\\n:\\n\\n`).join("");
  return sizes.map((size) => {
    const parser = new EventParser();
    const found = [];
    for (let at = 0; at < body.length; at += size)
      found.push(...parser.parse(body.slice(at, at + size)));
    return JSON.stringify(found) === JSON.stringify(frames);
  });
}"""


def test_events_are_parsed_wherever_the_pieces_end(page: Page) -> None:
    assert page.evaluate(PARSER, [*range(1, 40), 1000]) == [True] * 40

"""A reply in the page against a socket that drops, doubles, withholds and lies."""

import json
import re
from collections.abc import Callable, Iterator
from time import monotonic
from typing import Any

import pytest
from playwright.sync_api import Page, Route, WebSocketRoute, expect

from tools.static_site import Files

STREAM = "9b2e0000-0000-4000-8000-000000000001"
MESSAGE = "9b2e0000-0000-4000-8000-000000000002"

ARTICLE = """<article class="message" id="m-{message}" data-role="assistant" data-state="{state}"
  aria-label="demo" {busy}>{before}{body}{after}
  <footer class="message-footer">
    <div class="message-footer-row"><span class="state">{words}</span></div>
  </footer>
</article>"""

BODY = """<details class="reasoning" hidden><summary>Thinking</summary><div class="prose"></div>
</details><div class="prose">{html}</div>
<script type="application/json" id="source-{message}">{source}</script>"""

PAGE = """<!doctype html><html lang=en><title>Live</title><link rel=icon href=/img/favicon.svg>
<body><main>{article}</main><script type=module src="/js/live.test.js"></script>"""

SCRIPT = """import { LiveReply } from "/js/live/live-reply.js";
import { connection } from "/js/live/socket.js";
customElements.define("live-reply", LiveReply);
connection.addEventListener("status", ({ detail }) => { document.body.dataset.status = detail; });
connection.start();
"""


def build_article(
    text: str = "", html: str = "", *, index: int = -1, seams: tuple[int, ...] = (), end: str = ""
) -> str:
    source = {"text": text, "reasoning": "", "index": index, "seams": list(seams)}
    live = f'<live-reply data-stream="{STREAM}" data-message="{MESSAGE}" data-state="running">'
    body = BODY.format(html=html, message=MESSAGE, source=json.dumps(source))
    return ARTICLE.format(
        message=MESSAGE,
        state=end or "running",
        busy="" if end else 'aria-busy="true"',
        before="" if end else live,
        body=body,
        after="" if end else "</live-reply>",
        words="Server’s word" if end else "Writing",
    )


def build_chunk(
    index: int, delta: str, *, first: int | None = None, kind: str = "text"
) -> dict[str, Any]:
    first = index if first is None else first
    return {"type": "chunk", "first": first, "index": index, "kind": kind, "delta": delta}


def build_end(state: str = "completed", *, after: int) -> dict[str, Any]:
    return {"type": "end", "state": state, "next": after + 1, "finish_reason": "", "error": None}


class Server:
    """The server's end of the socket, for a test to control."""

    def __init__(self) -> None:
        self.socket: WebSocketRoute | None = None
        self.received: list[dict[str, Any]] = []
        self.connection_count = 0

    def accept(self, socket: WebSocketRoute) -> None:
        self.socket = socket
        self.connection_count += 1
        socket.on_message(lambda text: self.received.append(json.loads(text)))
        self.send({"type": "hello", "version": 1, "revision": 1})

    def send(self, *frames: dict[str, Any]) -> None:
        assert self.socket is not None
        for frame in frames:
            self.socket.send(json.dumps({"stream": STREAM, **frame}))

    def close(self, code: int) -> None:
        assert self.socket is not None
        self.socket.close(code=code)

    def get_cursors(self) -> list[int]:
        return [frame["after"] for frame in self.received if frame["type"] == "follow"]


@pytest.fixture
def server(page: Page) -> Iterator[Server]:
    server = Server()
    page.route_web_socket("**/ws/", server.accept)
    page.route("**/js/live.test.js", serve_script)
    yield server
    Files.pages.clear()


def serve_script(route: Route) -> None:
    route.fulfill(body=SCRIPT, content_type="text/javascript")


def wait_until(page: Page, condition: Callable[[], bool]) -> None:
    """Let the page run until the condition is true; fail after ten seconds."""
    deadline = monotonic() + 10
    while not condition():
        assert monotonic() < deadline
        page.wait_for_timeout(20)


OpenPage = Callable[[str], None]


@pytest.fixture
def open_live_page(page: Page, server: Server) -> OpenPage:
    def open_page(html: str) -> None:
        Files.pages["/live"] = PAGE.format(article=html).encode()
        page.goto("/live")
        expect(page.locator("body")).to_have_attribute("data-status", "connected")

    return open_page


def serve_ended(page: Page, text: str) -> None:
    """Serve the reply's HTML as the server renders it after the end."""
    body = build_article(text, "<p>as the server has it</p>", end="completed")
    page.route(f"**/m/{MESSAGE}/", lambda route: route.fulfill(body=body))


def find_prose(page: Page) -> Any:
    return page.locator("article .prose").last


def test_it_continues_from_the_index_of_the_rendered_page(
    page: Page, server: Server, open_live_page: OpenPage
) -> None:
    open_live_page(build_article("One ", "<p>One</p>", index=4))
    server.send(build_chunk(5, "and two"))
    expect(find_prose(page)).to_have_text("One and two")
    assert server.get_cursors() == [4]


def test_chunks_that_were_shown_already_are_dropped(
    page: Page, server: Server, open_live_page: OpenPage
) -> None:
    open_live_page(build_article("One", "<p>One</p>", index=0))
    server.send(
        build_chunk(0, "One"),
        build_chunk(1, " two"),
        build_chunk(1, " two"),
        build_chunk(2, " three"),
    )
    expect(find_prose(page)).to_have_text("One two three")


def test_a_hole_is_requested_again(page: Page, server: Server, open_live_page: OpenPage) -> None:
    open_live_page(build_article("One", "<p>One</p>", index=0))
    server.send(build_chunk(2, " three"))
    wait_until(page, lambda: server.get_cursors() == [0, 0])
    server.send(build_chunk(2, " two three", first=1))
    expect(find_prose(page)).to_have_text("One two three")


def test_a_partly_known_piece_is_requested_again(
    page: Page, server: Server, open_live_page: OpenPage
) -> None:
    open_live_page(build_article("One", "<p>One</p>", index=0))
    server.send(build_chunk(1, " two"), build_chunk(2, " two three", first=1))
    wait_until(page, lambda: server.get_cursors() == [0, 1])
    server.send(build_chunk(2, " three"))
    expect(find_prose(page)).to_have_text("One two three")


def test_a_snapshot_replaces_everything(
    page: Page, server: Server, open_live_page: OpenPage
) -> None:
    open_live_page(build_article("Wrong", "<p>Wrong</p>", index=7))
    snapshot = {"type": "snapshot", "index": 3, "text": "🐙 Right.\n\nOn", "reasoning": ""}
    server.send({**snapshot, "seams": [4]}, build_chunk(4, "ward"))
    expect(find_prose(page).locator("p")).to_have_text(["🐙 Right.", "Onward"])
    expect(find_prose(page).locator(".seam + p")).to_have_text("Onward")


def test_a_lost_socket_does_not_end_the_reply(
    page: Page, server: Server, open_live_page: OpenPage
) -> None:
    open_live_page(build_article("One", "<p>One</p>", index=0))
    server.send(build_chunk(1, " two"))
    expect(find_prose(page)).to_have_text("One two")
    server.close(4012)
    wait_until(page, lambda: server.connection_count == 2)
    wait_until(page, lambda: server.get_cursors() == [0, 1])
    expect(page.locator("article")).to_have_attribute("aria-busy", "true")
    server.send(build_chunk(2, " three"))
    expect(find_prose(page)).to_have_text("One two three")


def test_a_signed_out_page_does_not_reconnect(
    page: Page, server: Server, open_live_page: OpenPage, page_errors: list[str]
) -> None:
    page.route("**/sidebar/", lambda route: route.fulfill(status=401))
    open_live_page(build_article())
    server.close(4401)
    expect(page.locator("body")).to_have_attribute("data-status", "signed-out")
    page.clock.install()
    page.evaluate("window.dispatchEvent(new Event('online'))")
    page.clock.run_for(60_000)
    assert page.evaluate("0") == 0  # a socket would have been reported before this
    assert server.connection_count == 1
    assert ["401" in error for error in page_errors] == [True]
    page_errors.clear()


def test_a_page_with_a_new_session_reconnects(
    page: Page, server: Server, open_live_page: OpenPage
) -> None:
    page.route("**/sidebar/", lambda route: route.fulfill(body="<nav></nav>"))
    open_live_page(build_article())
    server.close(4401)
    wait_until(page, lambda: server.connection_count == 2)
    expect(page.locator("body")).to_have_attribute("data-status", "connected")


def test_a_ping_is_answered_with_its_number(
    page: Page, server: Server, open_live_page: OpenPage
) -> None:
    open_live_page(build_article())
    server.send({"type": "ping", "n": 7, "revision": 1})
    wait_until(page, lambda: {"type": "pong", "n": 7} in server.received)


def test_a_silent_socket_is_replaced_when_the_browser_goes_offline(
    page: Page, server: Server, open_live_page: OpenPage
) -> None:
    open_live_page(build_article())
    page.evaluate("window.dispatchEvent(new Event('offline'))")
    wait_until(page, lambda: server.connection_count == 2)
    wait_until(page, lambda: server.get_cursors() == [-1, -1])


def test_a_socket_that_answers_is_kept(
    page: Page, server: Server, open_live_page: OpenPage
) -> None:
    open_live_page(build_article())
    page.clock.install()
    page.evaluate("window.dispatchEvent(new Event('offline'))")
    wait_until(page, lambda: {"type": "ping", "n": 0} in server.received)
    server.send({"type": "pong", "n": 0})
    page.clock.run_for(5000)
    assert server.connection_count == 1


def test_the_end_adopts_the_servers_footer_and_keeps_the_text(
    page: Page, server: Server, open_live_page: OpenPage
) -> None:
    open_live_page(build_article("One", "<p>One</p>", index=0))
    serve_ended(page, "One two")
    page.evaluate("window.firstParagraph = document.querySelector('article .prose > p')")
    server.send(build_chunk(1, " two"), build_end(after=1))
    expect(page.locator(".state")).to_have_text("Server’s word")
    expect(page.locator("article")).not_to_have_attribute("aria-busy", "true")
    expect(find_prose(page)).to_have_text("One two")
    assert page.evaluate(
        "window.firstParagraph === document.querySelector('article > live-reply > .prose > p')"
    )


def test_an_end_beyond_the_known_index_is_followed_again(
    page: Page, server: Server, open_live_page: OpenPage
) -> None:
    open_live_page(build_article("One", "<p>One</p>", index=0))
    server.send(build_end(after=5))
    wait_until(page, lambda: server.get_cursors() == [0, 0])
    expect(page.locator("article")).to_have_attribute("aria-busy", "true")


def test_a_text_that_differs_from_the_stored_one_is_replaced(
    page: Page, server: Server, open_live_page: OpenPage
) -> None:
    """This can't happen; if it does, the page shows the stored text."""
    open_live_page(build_article("One", "<p>One</p>", index=0))
    serve_ended(page, "One, differently")
    server.send(build_end(after=0))
    expect(find_prose(page)).to_have_text("as the server has it")


def test_a_text_nested_too_deeply_for_a_browser_is_shown_and_ends(
    page: Page, server: Server, open_live_page: OpenPage
) -> None:
    """The text stays as written, and the page reports no error."""
    text = "> " * 20_000
    open_live_page(build_article())
    serve_ended(page, f"{text}\nThe end.")
    server.send(build_chunk(0, text), build_chunk(1, "\nThe end."), build_end(after=1))
    expect(find_prose(page)).to_contain_text("> > >\nThe end.")
    expect(page.locator("article")).not_to_have_attribute("aria-busy", "true")


def test_the_markdown_source_is_kept_byte_for_byte(
    page: Page, server: Server, open_live_page: OpenPage
) -> None:
    open_live_page(build_article("a\r\nb ", "<p>a\nb</p>", index=0))
    server.send(build_chunk(1, "🐙 e\u0301\r"), build_chunk(2, "\n\r\nend\t"))
    expect(find_prose(page).locator("p")).to_have_count(2)
    text = page.evaluate("document.querySelector('live-reply').text")
    assert text == "a\r\nb 🐙 e\u0301\r\n\r\nend\t"


def test_chunks_of_an_unknown_kind_show_nothing_and_leave_no_gap(
    page: Page, server: Server, open_live_page: OpenPage
) -> None:
    open_live_page(build_article())
    server.send(
        build_chunk(0, "Low"), build_chunk(1, '{"url": 7}', kind="7"), build_chunk(2, " water")
    )
    expect(find_prose(page)).to_have_text("Low water")


def test_reasoning_is_collapsed_beside_the_text(
    page: Page, server: Server, open_live_page: OpenPage
) -> None:
    open_live_page(build_article())
    expect(page.locator(".reasoning")).to_be_hidden()
    server.send(build_chunk(0, "Hm, *tides*", kind="reasoning"))
    expect(page.locator(".state")).to_have_text("Thinking")
    page.get_by_text("Thinking").first.click()
    expect(page.locator(".reasoning em")).to_have_text("tides")
    server.send(build_chunk(1, "They lag."))
    expect(find_prose(page)).to_have_text("They lag.")
    expect(page.locator("summary")).to_have_text(re.compile(r"^Thought for (a moment|\d+ s)$"))


def test_text_becomes_reasoning_when_its_end_is_marked(
    page: Page, server: Server, open_live_page: OpenPage
) -> None:
    open_live_page(build_article())
    server.send(build_chunk(0, "Hm, 潮 "), build_chunk(1, "*tides*\n"))
    expect(find_prose(page)).to_have_text("Hm, 潮 tides")
    server.send(build_chunk(2, "\ufdd0They lag."), build_chunk(3, " Always."))
    expect(find_prose(page)).to_have_text("They lag. Always.")
    expect(page.locator("summary")).to_have_text("Thought")
    page.locator("summary").click()
    expect(page.locator(".reasoning em")).to_have_text("tides")


def test_reasoning_that_was_text_is_shown_as_text(
    page: Page, server: Server, open_live_page: OpenPage
) -> None:
    open_live_page(build_article())
    server.send(build_chunk(0, "They *lag*.", kind="reasoning"))
    expect(page.locator(".reasoning")).to_be_visible()
    server.send(build_chunk(1, "They *lag*."), build_chunk(2, "\ufdd1"))
    expect(find_prose(page)).to_have_text("They lag.")
    expect(page.locator(".reasoning")).to_be_hidden()


def test_the_text_before_a_seam_stays_text_when_the_rest_was_reasoning(
    page: Page, server: Server, open_live_page: OpenPage
) -> None:
    open_live_page(build_article("The 🌊 ", "<p>The 🌊</p>", index=0))
    server.send(build_chunk(1, "", kind="seam"), build_chunk(2, "Hm, "))
    server.send(build_chunk(3, "tides.\ufdd0lags"))
    expect(find_prose(page).get_by_role("paragraph")).to_have_text("The 🌊 lags")
    expect(find_prose(page).get_by_role("note")).to_have_count(1)
    snapshot = {"text": "The 🌊 Hm.\ufdd0lags again", "reasoning": "", "seams": [6], "index": 3}
    server.send({"type": "snapshot", **snapshot})
    expect(find_prose(page).get_by_role("paragraph")).to_have_text("The 🌊 lags again")


NOT_FOUND = {"type": "error", "code": "not_found", "message": "No such stream."}


def test_a_deleted_stream_is_no_longer_busy(
    page: Page, server: Server, open_live_page: OpenPage, page_errors: list[str]
) -> None:
    open_live_page(build_article())
    page.route("**/m/*/", lambda route: route.fulfill(status=404))
    server.send(NOT_FOUND)
    expect(page.locator(".state")).to_have_text("Deleted")
    expect(page.locator("article")).not_to_have_attribute("aria-busy", "true")
    page_errors.clear()


def test_a_socket_of_another_account_deletes_nothing(
    page: Page, server: Server, open_live_page: OpenPage, page_errors: list[str]
) -> None:
    open_live_page(build_article("One", "<p>One</p>", index=0))
    page.evaluate(
        "addEventListener('account-mismatch', () => (document.title = 'Someone else'), true)"
    )
    refusal = {"X-Account": "another"}
    page.route("**/m/*/", lambda route: route.fulfill(status=409, headers=refusal))
    server.send(NOT_FOUND)
    expect(page).to_have_title("Someone else")
    expect(page.locator("article")).to_have_attribute("data-state", "running")
    expect(page.locator("article")).not_to_contain_text("Deleted")
    page_errors.clear()


def test_a_reply_continued_elsewhere_switches_to_its_new_stream(
    page: Page, server: Server, open_live_page: OpenPage
) -> None:
    """Its indexes begin at 0 again, and are unrelated to those of the older stream."""
    open_live_page(build_article("One", "<p>One</p>", index=7))
    body = build_article("One", "<p>One</p>", index=-1).replace(STREAM, MESSAGE[:-1] + "9")
    page.route("**/m/*/", lambda route: route.fulfill(body=body))
    server.send(build_end(after=7))
    wait_until(page, lambda: server.received[-1].get("stream") == MESSAGE[:-1] + "9")
    server.send({**build_chunk(0, " two"), "stream": MESSAGE[:-1] + "9"})
    expect(find_prose(page)).to_have_text("One two")


def test_the_caret_follows_the_text_and_disappears_at_the_end(
    page: Page, server: Server, open_live_page: OpenPage
) -> None:
    open_live_page(build_article())
    carets = find_prose(page).locator(".caret")
    grows = (("One", "P"), ("\n\n- a\n  - b", "LI"), ("\n\n```\nx", "CODE"))
    for index, (delta, tip) in enumerate(grows):
        server.send(build_chunk(index, delta))
        expect(find_prose(page)).to_contain_text(delta.strip("\n `")[-1:])
        expect(carets).to_have_count(1)
        assert carets.evaluate("caret => caret.tagName") == tip
    serve_ended(page, "One\n\n- a\n  - b\n\n```\nx")
    server.send(build_end(after=2))
    expect(carets).to_have_count(0)
    assert page.locator("[class='']").count() == 0


def test_many_chunks_are_one_write_per_frame(
    page: Page, server: Server, open_live_page: OpenPage
) -> None:
    open_live_page(build_article())
    page.evaluate("""() => {
        window.writes = 0;
        window.frames = 0;
        const prose = document.querySelector("live-reply > .prose");
        new MutationObserver(() => { window.writes += 1; })
            .observe(prose, { subtree: true, childList: true, characterData: true });
        const count = () => { window.frames += 1; requestAnimationFrame(count); };
        requestAnimationFrame(count);
    }""")
    server.send(*(build_chunk(i, f"{i} ") for i in range(500)))
    expect(find_prose(page)).to_contain_text("498 499")
    assert page.evaluate("window.writes <= window.frames + 1")


@pytest.mark.parametrize("state", ["completed", "stopped", "failed"])
def test_reasoning_opened_after_the_end_is_not_doubled(
    page: Page, server: Server, open_live_page: OpenPage, state: str
) -> None:
    open_live_page(build_article("Before. ", "<p>Before.</p>", index=2, seams=(8,)))
    page.route(f"**/m/{MESSAGE}/", lambda route: route.fulfill(body=""))
    server.send(
        build_chunk(3, "Hm.\n\n- *tides*", kind="reasoning"), build_chunk(4, "They\n\n- lag")
    )
    expect(find_prose(page).locator("li")).to_have_text("lag")
    server.send(build_end(state, after=4))
    expect(page.locator("article")).not_to_have_attribute("aria-busy", "true")
    html = page.locator("article > live-reply > .prose").inner_html()
    for _ in range(3):
        page.locator("summary").click()
        expect(page.locator(".reasoning em")).to_have_count(1)
    assert page.locator("article > live-reply > .prose").inner_html() == html

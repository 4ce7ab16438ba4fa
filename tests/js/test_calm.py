"""A reply that grows and ends moves nothing but its text, on the real page (its templates, without
a database)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.template.loader import render_to_string
from django.test import override_settings
from playwright.sync_api import Page, WebSocketRoute, expect

from chat.presentation.message_views import MessageView
from tests.factories import PLAIN_STORAGES
from tests.js.chat_page import CHAT, SIDEBAR, STREAM, build_running_exchange, render_chat_page
from tools.static_site import Files

WATCH = """() => {
    // The words at the end of the bar are others now, and as long as they are; the pill has come.
    window.shifted = [];
    new PerformanceObserver((list) => {
        for (const { sources } of list.getEntries())
            for (const { node } of sources)
                if (node && !node.parentElement?.closest(".topbar") && !node.matches?.(".new-text"))
                    window.shifted.push(node.className || node.nodeName);
    }).observe({ type: "layout-shift" });
    window.announced = new Set();
    const regions = "[role=status], [role=alert], [aria-live=polite]";
    const listen = () => document.querySelectorAll(regions)
        .forEach((region) => window.announced.add(region.textContent.trim()));
    new MutationObserver(listen).observe(document.body, { subtree: true, childList: true });
    listen();
}"""

PARAGRAPH = "The moon is late by fifty minutes a day, and the water follows it as well as it can. "
FIRST_TEXT = "\n\n".join(
    [
        "Words to hold on to.",
        "```python\nprint('tide')\n```",
        *(f"{number}. {PARAGRAPH * 3}" for number in range(12)),
    ]
)
PIECES = [
    "\n\nMore of it, ",
    "and *more* still.\n\n",
    "| a | b |\n",
    "|---|---|\n| 1 | 2 |\n\n",
    "```sql\nselect 1;\n",
    "```\n\nThe last words",
    " of all.",
]


# A block with another below it keeps its content and its position, counted from the text's top.
WATCH_BLOCKS = """() => {
    const prose = document.querySelector("live-reply > .prose");
    const place = (block, top) => {
        const { x, y, width, height } = block.getBoundingClientRect();
        return [x, y - top, width, height].map(Math.round).join();
    };
    let finished = [];
    window.jumped = [];
    const look = () => {
        const { top } = prose.getBoundingClientRect();
        for (const [block, where] of finished)
            if (place(block, top) !== where)
                window.jumped.push(`${block.nodeName} ${where} -> ${place(block, top)}`);
        const blocks = [...prose.querySelectorAll(":scope > *, li, tr")];
        finished = blocks.filter((block) => !block.contains(blocks.at(-1)))
            .map((block) => [block, place(block, top)]);
        requestAnimationFrame(look);
    };
    look();
}"""

MATHS_PIECES = [
    "\n\nThe sum $\\sum_{i=1}^n i$ is",
    " known.\n\n$$\n\\frac{a}{b}\n",
    "$$\n\nAfter it:\n\n- one, $\\frac{1}{2}$, of\n",
    "- two\n\n| a | b |\n|---|---|\n| $\\frac{x}{y}$ | z |\n",
    "| c | d |\n\nMore $\\int_0^1 x\\,dx$ than\n\n```python\nx = 1\n```\n\n",
    "enough.\n\n> It is \\(\\sqrt{\\frac{1}{2}}\\), or about $0.7$.\n\n",
    "The last words of all.",
]


class GrowingReply:
    """A long reply in the middle of its text, and the server at the other end of its socket."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.index = 0
        self.text = FIRST_TEXT
        self.socket: WebSocketRoute | None = None
        self.question, self.answer = build_running_exchange("Why do tides lag?")
        self.answer = replace(self.answer, text=FIRST_TEXT, index=0)
        with override_settings(STORAGES=PLAIN_STORAGES, STATIC_URL="/static/"):
            Files.pages[CHAT] = render_chat_page(f"{CHAT}messages/", (self.question, self.answer))
        page.route_web_socket("**/ws/", self.accept)
        page.route(SIDEBAR, lambda route: route.fulfill(body=""))
        page.goto(CHAT)
        expect(page.locator("live-reply .caret")).to_have_count(1)
        page.evaluate("() => document.fonts.ready.then(() => null)")
        page.evaluate(WATCH)

    def accept(self, socket: WebSocketRoute) -> None:
        self.socket = socket
        self.send({"type": "hello", "version": 1, "revision": 1})

    def send(self, frame: dict[str, Any]) -> None:
        assert self.socket is not None
        self.socket.send(json.dumps({"stream": STREAM, **frame}))

    def send_pieces(self, pieces: Iterable[str] = PIECES) -> None:
        """Send all pieces, each once the page shows the one before."""
        for piece in pieces:
            self.send_piece(piece)
        expect(self.page.locator("live-reply .prose > p").last).to_have_text(
            "The last words of all."
        )

    def send_piece(self, piece: str) -> None:
        self.index += 1
        self.text += piece
        frame = {"type": "chunk", "first": self.index, "index": self.index, "kind": "text"}
        self.send(frame | {"delta": piece})
        has_text = "text => document.querySelector('live-reply').text === text"
        self.page.wait_for_function(has_text, arg=self.text)
        self.wait_for_frame()

    def finish(self) -> None:
        """End the reply as completed, with the footer that the server renders."""
        details = (("Model", "demo"), ("Duration", "3 s"))
        ended_view = replace(self.answer, state="completed", text=self.text, details=details)
        body = self.render(ended_view)
        self.page.route("**/m/*/", lambda route: route.fulfill(body=body))
        end_frame = {"type": "end", "state": "completed", "next": self.index + 1}
        self.send(end_frame | {"finish_reason": "stop", "error": None})
        expect(self.page.get_by_role("button", name="Regenerate")).to_be_visible()
        self.wait_for_frame()

    def render(self, article: MessageView) -> str:
        with override_settings(STORAGES=PLAIN_STORAGES, STATIC_URL="/static/"):
            return render_to_string("chat/messages/_message.html", {"message": article})

    def wait_for_frame(self) -> None:
        self.page.evaluate("() => new Promise(requestAnimationFrame)")

    def get_top(self, text: str) -> float:
        """Return the distance of a paragraph from the top of the window."""
        top: float = self.page.evaluate(
            """(text) => [...document.querySelectorAll("live-reply :is(p, li)")]
                .findLast((block) => block.textContent.includes(text))
                .getBoundingClientRect().top""",
            text,
        )
        return top


@pytest.fixture
def growing_reply(page: Page) -> Iterator[GrowingReply]:
    yield GrowingReply(page)
    Files.pages.clear()


def test_the_page_does_not_jump_while_a_reply_grows_and_ends(growing_reply: GrowingReply) -> None:
    page = growing_reply.page
    page.evaluate("scrollTo(0, 40)")
    growing_reply.wait_for_frame()
    growing_reply.wait_for_frame()
    before = (growing_reply.get_top("The moon"), page.evaluate("scrollY"))
    growing_reply.send_pieces()
    expect(page.get_by_role("button", name="Latest")).to_be_visible()
    growing_reply.finish()
    assert (growing_reply.get_top("The moon"), page.evaluate("scrollY")) == before
    assert page.evaluate("window.shifted") == []
    page.get_by_role("button", name="Latest").click()
    expect(page.get_by_text("The last words of all.")).to_be_in_viewport()


def test_the_last_line_does_not_move_when_a_reply_ends(growing_reply: GrowingReply) -> None:
    growing_reply.send_pieces()
    expect(growing_reply.page.locator("live-reply .prose > p").last).to_be_in_viewport()
    before = growing_reply.get_top("The last words")
    growing_reply.page.evaluate("window.shifted = []")
    growing_reply.finish()
    assert growing_reply.get_top("The last words") == before
    assert growing_reply.page.evaluate("window.shifted") == []


def test_no_formula_moves_the_content_below_it(growing_reply: GrowingReply) -> None:
    formulas = growing_reply.page.locator("live-reply math")
    growing_reply.send_piece("\n\nHere is $a$ first one.")  # what sets formulas is fetched by now
    expect(formulas).to_have_count(1)
    growing_reply.page.evaluate(WATCH_BLOCKS)
    growing_reply.send_pieces(MATHS_PIECES)
    growing_reply.finish()
    expect(formulas).to_have_count(8)
    assert growing_reply.page.evaluate("window.jumped") == []


def test_katex_is_loaded_when_a_formula_begins(growing_reply: GrowingReply) -> None:
    with growing_reply.page.expect_request("**/katex.min.js"):
        growing_reply.send_piece("\n\n$$\nx^2")
    expect(growing_reply.page.locator("live-reply math")).to_have_count(0)
    growing_reply.send_piece("\n$$\n\nThat is it.")
    expect(growing_reply.page.locator("live-reply math")).to_have_count(1)


def test_the_last_words_are_no_formula_while_they_may_be_a_price(
    growing_reply: GrowingReply,
) -> None:
    growing_reply.send_piece("\n\nFirst $a$ formula.\n\n")
    formulas = growing_reply.page.locator("live-reply math")
    expect(formulas).to_have_count(1)
    growing_reply.send_piece("Beer is $5-$")
    expect(growing_reply.page.locator("live-reply .math")).to_have_count(2)
    last = growing_reply.page.locator("live-reply .prose > p").last
    expect(last).to_have_text("Beer is $5-$")
    growing_reply.send_piece("6, and $x$")
    expect(last).to_have_text("Beer is $5-$6, and $x$")
    expect(formulas).to_have_count(1)
    growing_reply.send_piece(" is not.")
    expect(formulas).to_have_count(2)


def test_selection_and_focus_survive_streaming_text(growing_reply: GrowingReply) -> None:
    page = growing_reply.page
    words = page.get_by_text("Words to hold on to.")
    words.evaluate("(block) => getSelection().selectAllChildren(block)")
    copy = page.get_by_role("button", name="Copy code").first
    copy.focus()
    words.evaluate("(block) => getSelection().selectAllChildren(block)")
    growing_reply.send_pieces()
    growing_reply.finish()
    assert page.evaluate("getSelection().toString()") == "Words to hold on to."
    expect(copy).to_be_focused()


def test_the_focus_stays_on_a_button_when_a_reply_ends(growing_reply: GrowingReply) -> None:
    copy = growing_reply.page.get_by_role("button", name="Copy", exact=True)
    copy.focus()
    growing_reply.send_pieces()
    growing_reply.finish()
    expect(copy).to_be_focused()


def test_screen_readers_announce_the_state_and_never_the_text(growing_reply: GrowingReply) -> None:
    growing_reply.send_pieces()
    growing_reply.finish()
    expect(growing_reply.page.get_by_role("status").first).to_have_text("Reply finished")
    announced = set(growing_reply.page.evaluate("[...window.announced]"))
    assert announced <= {"", "Replying…", "Reply finished"}


def test_with_reduced_motion_nothing_is_animated(growing_reply: GrowingReply) -> None:
    page = growing_reply.page
    moving = """() => document.getAnimations().filter((one) =>
        one.playState === "running" && one.effect.getTiming().iterations === Infinity).length"""
    assert page.evaluate(moving) > 0, "the caret, otherwise"
    page.emulate_media(reduced_motion="reduce")
    growing_reply.wait_for_frame()
    assert page.evaluate(moving) == 0
    expect(page.locator("live-reply .caret")).to_have_count(1)

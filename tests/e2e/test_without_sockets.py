"""Proxies that let no socket through, or not for long: the text comes over HTTP, once and in order,
and soon after a reload, because the page remembers."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from uuid import UUID

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import PageErrors
from tests.e2e.replies import (
    MODEL,
    copy_newest_reply,
    find_newest_reply,
    read_conversation_path,
    read_stream_id,
    send_message,
    wait_for_reply,
)
from tools.deployment.deployment import Deployment
from tools.deployment.http_proxy import Faults, HttpProxy
from tools.deployment.http_user import Person
from tools.fake_provider import Behaviour, Fake
from tools.waiting import until

CUT_THRICE_MS = 30_000
"""Before that a page may believe in its sockets."""
STORED_SECONDS = 10.0
"""How long after it was stored a text may take to the page."""
RELOADED_SECONDS = 3.0
EVENTS_STATUS = "WebSockets don’t get through here. Replies arrive over plain HTTP."
POLLING_STATUS = "Live updates don’t get through here. The page checks every few seconds."
NETWORK_ERRORS = "WebSocket|ERR_|Failed to (load|fetch)|502"
WORDS = [f"word {number}, " for number in range(40)]
HELD_AFTER = (10, 20, 30)

REFUSED = Faults(upgrade="refuse")
UNANSWERED = Faults(upgrade="hang")
CUT = Faults(cut_sockets_after=3)
HELD = Faults(upgrade="refuse", holds_events=True)
CASES = [
    ("refused", REFUSED, EVENTS_STATUS),
    ("unanswered", UNANSWERED, EVENTS_STATUS),
    ("cut", CUT, EVENTS_STATUS),
    ("held", HELD, POLLING_STATUS),
    ("idle connections are cut", Faults(idle_seconds=5), EVENTS_STATUS),
    ("muted", Faults(upgrade="mute"), EVENTS_STATUS),
    ("buffered", Faults(upgrade="refuse", buffer_bytes=64 * 1024), POLLING_STATUS),
    ("answered with a page", Faults(upgrade="page"), EVENTS_STATUS),
    ("http 1.0", Faults(upgrade="refuse", speaks_http_10=True), EVENTS_STATUS),
    ("events refused", Faults(upgrade="hang", refuses_events=True), POLLING_STATUS),
    ("events cut soon", Faults(upgrade="refuse", cut_events_after=1), POLLING_STATUS),
    ("events cut", Faults(cut_sockets_after=5, cut_events_after=5), EVENTS_STATUS),
    ("both held", Faults(upgrade="mute", holds_events=True), POLLING_STATUS),
]


@pytest.fixture
def open_behind(
    deployment: Deployment, person: Person, open_page: Callable[..., Page], page_errors: PageErrors
) -> Callable[[HttpProxy], Page]:
    page_errors.allow(NETWORK_ERRORS)
    return lambda proxy: open_page(person, base_url=proxy.url)


def expect_words(page: Page, count: int, seconds: float) -> None:
    """Expect the first words, each once and in order, and no other text."""
    prose = find_newest_reply(page).locator(".prose").last
    expect(prose).to_have_text("".join(WORDS[:count]).strip(), timeout=seconds * 1000)


def test_four_proxies_let_text_through_soon_whole_and_in_order(
    deployment: Deployment,
    fake: Fake,
    person: Person,
    open_page: Callable[..., Page],
    page_errors: PageErrors,
) -> None:
    """One reply, and a page behind each proxy. Here sockets are cut after a second already."""
    page_errors.allow(NETWORK_ERRORS)
    fake.script(Behaviour.of(*WORDS, hold_after=HELD_AFTER))
    stream = str(deployment.send(person, "Tell me about the tide.", model=MODEL))
    conversation = UUID(str(deployment.rows.message(stream)["conversation_id"]))
    faults = [REFUSED, UNANSWERED, replace(CUT, cut_sockets_after=1), HELD]
    statuses = [EVENTS_STATUS] * 3 + [POLLING_STATUS]
    with ExitStack() as stack:
        proxies = [stack.enter_context(HttpProxy(deployment.web.port, each)) for each in faults]
        pages = [open_page(person, f"/c/{conversation}/", base_url=proxy.url) for proxy in proxies]
        wait_until_stored(deployment, stream, 10)
        for page, status in zip(pages, statuses, strict=True):
            expect(page.locator("#status")).to_have_text(status)
        fake.release()
        wait_until_stored(deployment, stream, 20)
        for page in pages:
            expect_words(page, 20, STORED_SECONDS)
        fake.release()
        wait_until_stored(deployment, stream, 30)
        for page in pages:
            page.reload()
            expect_words(page, 30, RELOADED_SECONDS)
        pages[-1].get_by_role("button", name="Stop").click()
        for page in pages:
            stopped = find_newest_reply(page).get_by_text("Stopped", exact=True)
            expect(stopped).to_be_visible(timeout=STORED_SECONDS * 1000)
            expect_words(page, 30, 1)


@pytest.mark.prove
@pytest.mark.parametrize(
    ("faults", "status"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_text_comes_soon_whole_and_in_order(
    deployment: Deployment,
    fake: Fake,
    open_behind: Callable[[HttpProxy], Page],
    faults: Faults,
    status: str,
) -> None:
    fake.script(Behaviour.of(*WORDS, hold_after=HELD_AFTER))
    with HttpProxy(deployment.web.port, faults) as proxy:
        page = open_behind(proxy)
        send_message(page, "Tell me about the tide.")
        stream = read_stream_id(page)
        wait_until_stored(deployment, stream, 10)
        expect_words(page, 10, STORED_SECONDS)
        expect(page.locator("#status")).to_have_text(status, timeout=CUT_THRICE_MS)
        fake.release()
        wait_until_stored(deployment, stream, 20)
        expect_words(page, 20, STORED_SECONDS)

        path = read_conversation_path(page)
        page.reload()
        fake.release()
        wait_until_stored(deployment, stream, 30)
        expect_words(page, 30, RELOADED_SECONDS)
        expect(page.locator("#status")).to_have_text(status)

        fake.release()
        wait_for_reply(page, within=STORED_SECONDS)
        expect_words(page, 40, 0.1)
        assert copy_newest_reply(page) == "".join(WORDS)
        assert path == read_conversation_path(page)


def wait_until_stored(deployment: Deployment, stream: str, count: int) -> None:
    until(lambda: deployment.rows.text(stream) == "".join(WORDS[:count]))


@pytest.mark.prove
@pytest.mark.parametrize("faults", [REFUSED, UNANSWERED, CUT, HELD], ids=[c[0] for c in CASES[:4]])
def test_a_stop_works_without_sockets(
    deployment: Deployment, fake: Fake, open_behind: Callable[[HttpProxy], Page], faults: Faults
) -> None:
    fake.script(Behaviour.of(*WORDS, hold_after=HELD_AFTER))
    with HttpProxy(deployment.web.port, faults) as proxy:
        page = open_behind(proxy)
        send_message(page, "Tell me about the tide.")
        wait_until_stored(deployment, read_stream_id(page), 10)
        expect_words(page, 10, STORED_SECONDS)
        page.get_by_role("button", name="Stop").click()
        stopped = find_newest_reply(page).get_by_text("Stopped", exact=True)
        expect(stopped).to_be_visible(timeout=STORED_SECONDS * 1000)
        expect_words(page, 10, 0.1)


@pytest.mark.prove
def test_seven_tabs_of_a_browser_leave_connections_to_pages(
    deployment: Deployment, fake: Fake, open_behind: Callable[[HttpProxy], Page]
) -> None:
    """Chromium opens six connections to a host, and all these tabs are visible."""
    fake.script(Behaviour.of(*WORDS, hold_after=HELD_AFTER))
    with HttpProxy(deployment.web.port, REFUSED) as proxy:
        first = open_behind(proxy)
        send_message(first, "Tell me about the tide.")
        wait_until_stored(deployment, read_stream_id(first), 10)
        path = read_conversation_path(first)
        pages = [first, *(first.context.new_page() for _ in range(6))]
        for page in pages[1:]:
            page.goto(path, timeout=60_000)
        for page in pages:
            status = re.compile(f"{EVENTS_STATUS}|{POLLING_STATUS}")
            expect(page.locator("#status")).to_have_text(status)
        statuses = [page.locator("#status").inner_text().strip() for page in pages]
        assert statuses.count(EVENTS_STATUS) == 3
        fake.release()
        wait_until_stored(deployment, read_stream_id(first), 20)
        for page in pages:
            expect_words(page, 20, STORED_SECONDS)
        pages[-1].get_by_role("button", name="Stop").click()
        for page in pages:
            stopped = find_newest_reply(page).get_by_text("Stopped", exact=True)
            expect(stopped).to_be_visible(timeout=STORED_SECONDS * 1000)

"""Proxies that let no socket through, or not for long: the text comes over HTTP, once and in order,
and soon after a reload, because the page remembers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import PageErrors
from tests.e2e.replies import (
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

STORED_SECONDS = 10.0
"""How long after it was stored a text may take to the page."""
RELOADED_SECONDS = 3.0
EVENTS_STATUS = "WebSockets don’t get through here. Replies arrive over plain HTTP."
POLLING_STATUS = "Live updates don’t get through here. The page checks every few seconds."
NETWORK_ERRORS = "WebSocket|ERR_|Failed to (load|fetch)|502"
WORDS = [f"word {number}, " for number in range(40)]
HELD_AFTER = (10, 20, 30)

DAILY = [
    pytest.param(Faults(upgrade="refuse"), EVENTS_STATUS, id="refused"),
    pytest.param(Faults(upgrade="hang"), EVENTS_STATUS, id="unanswered"),
    pytest.param(Faults(cut_sockets_after=3), EVENTS_STATUS, id="cut"),
    pytest.param(Faults(upgrade="refuse", holds_events=True), POLLING_STATUS, id="held"),
]
RARE = [
    pytest.param(faults, status, id=name, marks=pytest.mark.prove)
    for name, faults, status in (
        ("idle connections are cut", Faults(idle_seconds=5), EVENTS_STATUS),
        ("muted", Faults(upgrade="mute"), EVENTS_STATUS),
        ("buffered", Faults(upgrade="refuse", buffer_bytes=64 * 1024), POLLING_STATUS),
        ("answered with a page", Faults(upgrade="page"), EVENTS_STATUS),
        ("http 1.0", Faults(upgrade="refuse", speaks_http_10=True), EVENTS_STATUS),
        ("events refused", Faults(upgrade="hang", refuses_events=True), POLLING_STATUS),
        ("events cut soon", Faults(upgrade="refuse", cut_events_after=1), POLLING_STATUS),
        ("events cut", Faults(cut_sockets_after=5, cut_events_after=5), EVENTS_STATUS),
        ("both held", Faults(upgrade="mute", holds_events=True), POLLING_STATUS),
    )
]


@pytest.fixture
def open_behind(
    deployment: Deployment, person: Person, open_page: Callable[..., Page], page_errors: PageErrors
) -> Callable[[HttpProxy], Page]:
    page_errors.allow(NETWORK_ERRORS)
    return lambda proxy: open_page(person, base_url=proxy.url)


def has_words(page: Page, count: int, seconds: float) -> None:
    """Expect the first words, each once and in order, and no other text."""
    prose = find_newest_reply(page).locator(".prose").last
    expect(prose).to_have_text("".join(WORDS[:count]).strip(), timeout=seconds * 1000)


@pytest.mark.parametrize(("faults", "status"), [*DAILY, *RARE])
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
        has_words(page, 10, STORED_SECONDS)
        if faults.upgrade == "pass":
            page.wait_for_timeout(12_000)  # the page needs three cut sockets
        expect(page.locator("#status")).to_have_text(status)
        fake.release()
        wait_until_stored(deployment, stream, 20)
        has_words(page, 20, STORED_SECONDS)

        path = read_conversation_path(page)
        page.reload()
        fake.release()
        wait_until_stored(deployment, stream, 30)
        has_words(page, 30, RELOADED_SECONDS)
        expect(page.locator("#status")).to_have_text(status)

        fake.release()
        wait_for_reply(page, within=STORED_SECONDS)
        has_words(page, 40, 0.1)
        assert copy_newest_reply(page) == "".join(WORDS)
        assert path == read_conversation_path(page)


def wait_until_stored(deployment: Deployment, stream: str, count: int) -> None:
    until(lambda: deployment.rows.text(stream) == "".join(WORDS[:count]))


@pytest.mark.parametrize(
    "faults",
    [
        pytest.param(Faults(upgrade="refuse"), marks=pytest.mark.prove, id="refused"),
        pytest.param(Faults(upgrade="hang"), marks=pytest.mark.prove, id="unanswered"),
        pytest.param(Faults(cut_sockets_after=3), marks=pytest.mark.prove, id="cut"),
        pytest.param(Faults(upgrade="refuse", holds_events=True), id="held"),
    ],
)
def test_a_stop_works_without_sockets(
    deployment: Deployment, fake: Fake, open_behind: Callable[[HttpProxy], Page], faults: Faults
) -> None:
    fake.script(Behaviour.of(*WORDS, hold_after=HELD_AFTER))
    with HttpProxy(deployment.web.port, faults) as proxy:
        page = open_behind(proxy)
        send_message(page, "Tell me about the tide.")
        wait_until_stored(deployment, read_stream_id(page), 10)
        has_words(page, 10, STORED_SECONDS)
        page.get_by_role("button", name="Stop").click()
        stopped = find_newest_reply(page).get_by_text("Stopped", exact=True)
        expect(stopped).to_be_visible(timeout=STORED_SECONDS * 1000)
        has_words(page, 10, 0.1)

"""A page is corrected by the reader's clock: its first visit, another day, another time zone."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import override_settings
from playwright.sync_api import Browser, Page, expect

from chat.conversations.sidebar import Sidebar, SidebarRow
from chat.presentation.details import format_time
from tests.factories import PLAIN_STORAGES
from tests.js.chat_page import CHAT, SIDEBAR, build_ended_exchange, render_chat_page
from tools.static_site import Files

EVENING = datetime(2026, 11, 28, 5, 50, tzinfo=UTC)  # 21:50 of the 27th in Los Angeles
HOURS_AGO = {"lunch": 7, "morning": 16, "day before": 24, "last week": 150, "month": 700}

HEADINGS = """async (cases) => {
    const { getDayHeading } = await import("/js/clock.js");
    return cases.map(([moment, now]) => getDayHeading(new Date(moment), new Date(now)));
}"""


def build_row(title: str, hours: int) -> SidebarRow:
    """A row with the heading of a server that knows no zone."""
    return SidebarRow(uuid4(), title, "", "", updated_at=EVENING - timedelta(hours=hours))


@pytest.fixture
def local_page(browser: Browser, site: str) -> Iterator[Page]:
    """The page of a chat in Los Angeles, rendered in UTC. Its clock stands still."""
    rows = [build_row(title, hours) for title, hours in HOURS_AGO.items()]
    rows[0] = replace(rows[0], heading="Yesterday")
    question, answer = build_ended_exchange("Tides")
    answer = replace(answer, details=(("Finished", format_time(EVENING)),))
    with override_settings(STORAGES=PLAIN_STORAGES, STATIC_URL="/static/"):
        html = render_chat_page(f"{CHAT}messages/", (question, answer), sidebar=Sidebar(rows))
        Files.pages[CHAT] = html
        context = browser.new_context(base_url=site, timezone_id="America/Los_Angeles")
        page = context.new_page()
        page.clock.install(time=EVENING)
        page.route_web_socket("**/ws/", lambda socket: None)
        page.route(SIDEBAR, lambda route: route.abort())
        page.goto(CHAT)
        yield page
        context.close()
    Files.pages.clear()


def list_groups(page: Page) -> list[str]:
    texts: list[str] = page.locator("#sidebar-list h2, #sidebar-list bdi").all_inner_texts()
    return texts


def test_a_page_without_a_cookie_is_corrected_and_sets_one(local_page: Page) -> None:
    expect(local_page.locator("#sidebar-list h2").first).to_have_text("Today")
    assert list_groups(local_page) == [
        *("Today", "lunch", "morning", "Yesterday", "day before"),
        *("Previous 7 days", "last week", "Older", "month"),
    ]
    expect(local_page.locator(".details time")).to_have_text(
        "27 November 2026, 21:50:00 GMT-8", use_inner_text=False
    )
    [cookie] = [c for c in local_page.context.cookies() if c["name"] == "timezone"]
    assert (cookie["value"], cookie["path"], cookie["sameSite"]) == (
        "America/Los_Angeles",
        "/",
        "Lax",
    )


def test_headings_change_at_midnight(local_page: Page) -> None:
    expect(local_page.locator("#sidebar-list h2").first).to_have_text("Today")
    local_page.clock.fast_forward("02:20:00")
    expect(local_page.locator("#sidebar-list h2").first).to_have_text("Yesterday")
    assert list_groups(local_page)[:4] == ["Yesterday", "lunch", "morning", "Previous 7 days"]


def test_rows_that_arrive_later_stand_under_the_day_of_the_reader(local_page: Page) -> None:
    expect(local_page.locator("#sidebar-list h2").first).to_have_text("Today")
    local_page.evaluate("""() => {
        const list = document.querySelector("#sidebar-list ul");
        const row = list.firstElementChild.cloneNode(true);
        row.querySelector("h2").textContent = "Yesterday";
        list.prepend(row);
    }""")
    expect(local_page.locator("#sidebar-list h2").first).to_have_text("Today")
    assert list_groups(local_page)[:4] == ["Today", "lunch", "lunch", "morning"]


DST_CASES: list[tuple[str, str, str, str]] = [
    # zone, moment, now, heading: days of 23 and 25 hours, midnights that are left out, half hours
    ("Europe/Berlin", "2026-03-28T22:59:00Z", "2026-03-29T22:30:00Z", "Previous 7 days"),
    ("Europe/Berlin", "2026-03-28T23:01:00Z", "2026-03-29T21:59:00Z", "Today"),
    ("Europe/Berlin", "2026-10-24T22:01:00Z", "2026-10-25T22:59:00Z", "Today"),
    ("Europe/Berlin", "2026-10-24T21:59:00Z", "2026-10-25T22:59:00Z", "Yesterday"),
    ("Africa/Cairo", "2026-04-23T21:59:00Z", "2026-04-23T22:01:00Z", "Yesterday"),
    ("Australia/Lord_Howe", "2026-04-04T12:59:00Z", "2026-04-05T13:29:00Z", "Yesterday"),
    ("Pacific/Apia", "2026-11-28T09:59:00Z", "2026-11-28T10:01:00Z", "Today"),
    ("Asia/Kathmandu", "2026-11-27T18:14:00Z", "2026-11-27T18:16:00Z", "Yesterday"),
]


def test_days_begin_where_the_reader_is(browser: Browser, site: str) -> None:
    for zone, moment, now, heading in DST_CASES:
        context = browser.new_context(base_url=site, timezone_id=zone)
        page: Any = context.new_page()
        page.goto("/")
        assert page.evaluate(HEADINGS, [[moment, now]]) == [heading], (zone, moment)
        context.close()

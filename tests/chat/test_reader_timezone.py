"""Days and times are those of the reader's clock, whose time zone is in a cookie."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.utils import timezone

from accounts.models import User
from chat.models import Conversation
from chat.presentation.details import format_time
from config.reader_timezone import activate_timezone
from tests.chat.factories import read_html

MORNING = datetime(2026, 11, 28, 5, 50, tzinfo=ZoneInfo("UTC"))


def list_headings(html: str) -> list[str]:
    """The heading of each row."""
    headings = [""]
    for heading, row in re.findall(r"<h2>(.*?)</h2>|(<bdi>)", html):
        if row:
            headings.append(headings[-1])
        else:
            headings[-1] = heading
    return headings[:-1]


@pytest.mark.parametrize(
    "zone", ["UTC", "America/Los_Angeles", "Pacific/Auckland", "Pacific/Kiritimati", "Etc/GMT+12"]
)
def test_headings_name_the_days_of_the_reader(as_owner: Client, owner: User, zone: str) -> None:
    """Somewhere in these zones it is another day than in UTC, whenever the test runs."""
    now = timezone.now()
    moments = [now - timedelta(hours=hours) for hours in range(1, 47, 5)]
    Conversation.objects.bulk_create(
        Conversation(user=owner, title="Tides", updated_at=moment) for moment in moments
    )
    as_owner.cookies["timezone"] = zone
    today = now.astimezone(ZoneInfo(zone)).date()
    ages = [(today - moment.astimezone(ZoneInfo(zone)).date()).days for moment in moments]
    expected = [["Today", "Yesterday", "Previous 7 days"][age] for age in ages]
    for address in ("/sidebar/", "/"):
        assert list_headings(read_html(as_owner.get(address))) == expected


@pytest.mark.parametrize(
    "name", ["", "Nowhere/City", "../../etc/passwd", "Europe", "x" * 3_000, "UTC\\x00", "Zürich"]
)
def test_an_unknown_zone_counts_as_utc(as_owner: Client, name: str) -> None:
    as_owner.cookies["timezone"] = name
    html = read_html(as_owner.get("/"))
    assert 'data-timezone="UTC"' in html


@pytest.mark.parametrize(
    ("zone", "text"),
    [
        ("UTC", "28 November 2026, 05:50:00 UTC"),
        ("America/Los_Angeles", "27 November 2026, 21:50:00 PST"),
        ("Pacific/Auckland", "28 November 2026, 18:50:00 NZDT"),
        ("Asia/Kathmandu", "28 November 2026, 11:35:00 +0545"),
    ],
)
def test_times_of_details_are_local_and_name_their_zone(zone: str, text: str) -> None:
    with timezone.override(ZoneInfo(zone)):
        html = format_time(MORNING)
    assert html == f'<time datetime="2026-11-28T05:50:00+00:00">{text}</time>'


def test_the_admin_keeps_utc_and_no_zone_outlives_its_request() -> None:
    def answer(request: HttpRequest) -> HttpResponse:
        return HttpResponse(timezone.get_current_timezone_name())

    middleware = activate_timezone(answer)
    found = []
    for path in ("/", "/admin/", "/admin/accounts/user/"):
        request = HttpRequest()
        request.path = path
        request.COOKIES = {"timezone": "Asia/Tokyo"}
        found.append(middleware(request).getvalue().decode())
    assert found == ["Asia/Tokyo", "UTC", "UTC"]
    assert timezone.get_current_timezone_name() == "UTC"

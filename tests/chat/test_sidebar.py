"""The pages of the list contain each conversation once, even if some move during scrolling."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from html import unescape
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from chat.conversations import sidebar
from chat.conversations.sidebar import RowPosition, Sidebar, load_sidebar
from chat.models import Conversation
from tests.chat.factories import read_html

CHAT_COUNT = 450
PINNED_COUNT = 3


@pytest.fixture
def chats(owner: User) -> list[Conversation]:
    """Conversations in the order of the list. Two of every three were used at the same time. Those
    of today were used in its last hours, so that the test works shortly after midnight."""
    now = timezone.localtime().replace(hour=23)
    conversations = [
        Conversation(
            user=owner,
            title=f"Chat {number:03d}",
            pinned=number < PINNED_COUNT,
            updated_at=now - timedelta(minutes=90 * (number - number % 3 // 2)),
        )
        for number in range(CHAT_COUNT)
    ]
    Conversation.objects.bulk_create(conversations)
    return sorted(conversations, key=lambda c: (c.pinned, c.updated_at, c.id), reverse=True)


def load_all_pages(user: User) -> list[Sidebar]:
    pages = [load_sidebar(user)]
    while pages[-1].has_next:
        pages.append(
            load_sidebar(user, RowPosition.parse(pages[-1].end_position), is_appended=True)
        )
    return pages


def list_titles(listings: list[Sidebar]) -> list[str]:
    return [row.title for page in listings for row in page.rows]


def test_pages_contain_every_conversation_once_and_in_order(
    owner: User, chats: list[Conversation]
) -> None:
    pages = load_all_pages(owner)
    assert [len(page.rows) for page in pages] == [200, 200, 50]
    assert list_titles(pages) == [chat.title for chat in chats]


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_a_page_can_end_among_pinned_or_simultaneous_conversations(
    owner: User, chats: list[Conversation], size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sidebar, "PAGE_SIZE", size)
    Conversation.objects.filter(pk__in=[chat.pk for chat in chats[20:]]).delete()
    assert list_titles(load_all_pages(owner)) == [chat.title for chat in chats[:20]]


def test_each_heading_appears_once_across_pages(owner: User, chats: list[Conversation]) -> None:
    headings = [row.heading for page in load_all_pages(owner) for row in page.rows if row.heading]
    assert headings == ["Pinned", "Today", "Yesterday", "Previous 7 days", "Older"]
    first = load_sidebar(owner)
    assert load_sidebar(owner, RowPosition.parse(first.end_position)).rows[0].heading == "Older", (
        "a page of its own"
    )


def test_a_conversation_that_moves_during_scrolling_is_neither_missed_nor_doubled(
    owner: User, chats: list[Conversation]
) -> None:
    first = load_sidebar(owner)
    for moved in (chats[100], chats[199], chats[300]):  # the last one begins the next page
        Conversation.objects.filter(pk=moved.pk).update(updated_at=timezone.now())
    second = load_sidebar(owner, RowPosition.parse(first.end_position), is_appended=True)
    refreshed = load_sidebar(owner, through=RowPosition.parse(first.end_position))
    third = load_sidebar(owner, RowPosition.parse(second.end_position), is_appended=True)
    assert sorted(list_titles([refreshed, second, third])) == sorted(chat.title for chat in chats)


def test_a_reloaded_list_reaches_as_far_as_the_reader_has_scrolled(
    owner: User, chats: list[Conversation]
) -> None:
    pages = load_all_pages(owner)
    Conversation.objects.create(user=owner, title="A new one")
    assert len(load_sidebar(owner, through=RowPosition.parse(pages[1].end_position)).rows) == 401
    complete = load_sidebar(owner, through=RowPosition.parse(pages[2].end_position))
    assert len(complete.rows) == CHAT_COUNT + 1
    assert not complete.has_next


def test_a_reloaded_list_is_bounded_and_continues_from_there(
    owner: User, chats: list[Conversation], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sidebar, "MAX_REFRESHED_ROWS", 300)
    refreshed = load_sidebar(
        owner, through=RowPosition.parse(load_all_pages(owner)[-1].end_position)
    )
    assert len(refreshed.rows) == 300
    assert (
        load_sidebar(owner, RowPosition.parse(refreshed.end_position)).rows[0].title
        == chats[300].title
    )


def test_a_page_far_down_needs_no_more_queries_and_no_offset(
    owner: User, chats: list[Conversation]
) -> None:
    last_position = RowPosition.parse(
        load_sidebar(
            owner, through=RowPosition(False, chats[350].updated_at, chats[350].id)
        ).end_position
    )
    with CaptureQueriesContext(
        connection,
    ) as queries:
        load_sidebar(owner, last_position)
    assert len(queries) == 1
    assert "OFFSET" not in queries[0]["sql"]


def find_older_link(shown: str) -> str:
    found = re.search(r'href="([^"]+)">Older chats</a>', shown)
    return unescape(found[1]) if found else ""


def test_without_scripts_links_lead_to_the_oldest_and_back(
    as_owner: Client, chats: list[Conversation]
) -> None:
    seen: list[str] = []
    address = first_address = f"/c/{chats[0].pk}/"
    while address:
        shown = read_html(as_owner.get(address))
        seen += re.findall(r"<bdi>(Chat \d+)</bdi>", shown)
        assert ("Newest chats</a>" in shown) is (address != first_address)
        address = find_older_link(shown)
        assert not address or address.startswith(f"{first_address}?chats=")
    assert seen == [chat.title for chat in chats]


def test_the_fragment_has_only_the_rows_after_a_position(
    as_owner: Client, chats: list[Conversation]
) -> None:
    end = re.search(r'data-through="([^"]+)"', read_html(as_owner.get("/sidebar/")))
    assert end
    shown = read_html(as_owner.get("/sidebar/", {"after": end[1], "open": str(chats[250].pk)}))
    assert re.findall(r"<bdi>(Chat \d+)</bdi>", shown) == [c.title for c in chats[200:400]]
    assert "<ul" not in shown
    assert shown.count('aria-current="page"') == 1


def test_a_stranger_with_a_position_of_the_owner_finds_nothing(
    as_stranger: Client, owner: User, chats: list[Conversation]
) -> None:
    end = load_sidebar(owner).end_position
    for name in ("after", "through"):
        assert not re.search(r"Chat \d", read_html(as_stranger.get("/sidebar/", {name: end})))


INVALID_POSITIONS: list[Any] = [
    "",
    "1",
    "x_y_z",
    "1__",
    "1_20261128T000000000000_nonsense",
    "9" * 5000,
    "1_½_²",
]


@pytest.mark.parametrize("name", ["after", "through", "chats"])
def test_an_invalid_position_is_the_top(
    as_owner: Client, chats: list[Conversation], name: str
) -> None:
    for position in INVALID_POSITIONS:
        address = "/" if name == "chats" else "/sidebar/"
        shown = read_html(as_owner.get(address, {name: position}))
        assert chats[0].title in shown, position


@pytest.mark.parametrize("year", [1, 1969, 9999])
def test_a_position_of_any_year_is_valid(as_owner: Client, owner: User, year: int) -> None:
    Conversation.objects.create(user=owner, title="The only one")
    position = RowPosition(
        False, datetime(year, 1, 1, tzinfo=timezone.get_current_timezone()), get_conversation_id()
    )
    for name in ("after", "through"):
        assert as_owner.get("/sidebar/", {name: str(position)}).status_code == 200


def get_conversation_id() -> Any:
    return Conversation.objects.get().pk

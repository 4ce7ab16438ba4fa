"""The list of conversations, in every tab at once."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.replies import read_conversation_path, send_message, wait_for_reply
from tools.deployment.deployment import Deployment
from tools.deployment.http_user import Person
from tools.fake_provider import Behaviour, Fake
from tools.waiting import until

pytestmark = pytest.mark.page

AGES = {"Today": 0, "Yesterday": 1, "Previous 7 days": 4, "Older": 30}

SET_AGE = """
from datetime import timedelta
from django.utils import timezone
from chat.models import Conversation
for title, days in {ages!r}.items():
    used = timezone.now() - timedelta(days=days)
    Conversation.objects.filter(user__email={email!r}, title=title).update(updated_at=used)
"""

CREATE_CHATS = """
from datetime import timedelta
from django.utils import timezone
from accounts.models import User
from chat.models import Conversation
user, now = User.objects.get(email={email!r}), timezone.now()
Conversation.objects.bulk_create(
    Conversation(user=user, title=f"Chat {{n:03d}}", updated_at=now - timedelta(hours=n))
    for n in range({chats})
)
"""


def find_row(page: Page, title: str) -> Locator:
    listed = page.get_by_role("list", name="Chats").get_by_role("listitem")
    return listed.filter(has_text=title)


def open_chat_menu(page: Page, title: str) -> Locator:
    """Open the menu of a conversation."""
    find_row(page, title).hover()
    find_row(page, title).get_by_role("link", name=f"More: {title}").click()
    return page.get_by_role("dialog", name="Chat")


def open_two_tabs(
    deployment: Deployment, open_page: Callable[..., Page], key: str = ""
) -> tuple[Page, Page]:
    """Return two pages of a person. The first shows the only conversation, "Be brief"."""
    person = deployment.person(f"lister-{uuid4().hex[:8]}")
    if key:
        person.add_key(key)
    here = open_page(person)
    send_message(here, "Be brief", "demo-fast")
    wait_for_reply(here)
    return here, open_page(person)


@pytest.mark.still
@pytest.mark.parametrize("deployment", ["embedded"], indirect=True)
def test_conversations_are_listed_under_the_day_they_were_last_used(
    deployment: Deployment, open_page: Callable[..., Page]
) -> None:
    person = deployment.person(f"lister-{uuid4().hex[:8]}")
    streams = [deployment.send(person, f"It is {title}") for title in AGES]
    until(lambda: all(deployment.rows.stream(s)["state"] == "completed" for s in streams))
    ages = {f"It is {title}": days for title, days in AGES.items()}
    deployment.manage("shell", "-c", SET_AGE.format(ages=ages, email=person.email))
    page = open_page(person)
    listed = page.get_by_role("list", name="Chats").locator("h2, bdi")
    expect(listed).to_have_text([line for day in AGES for line in (day, f"It is {day}")])


def test_a_pin_and_a_new_title_appear_in_the_other_tab(
    deployment: Deployment, open_page: Callable[..., Page]
) -> None:
    here, there = open_two_tabs(deployment, open_page)
    menu = open_chat_menu(here, "Be brief")
    menu.locator("summary").click()
    menu.get_by_role("textbox", name="Title").fill("A quiet name")
    menu.get_by_role("button", name="Rename").click()
    expect(find_row(there, "A quiet name")).to_be_visible()
    expect(here.get_by_role("heading", level=1)).to_have_text("A quiet name")
    open_chat_menu(there, "A quiet name").get_by_role("button", name="Pin").click()
    expect(here.get_by_role("heading", name="Pinned")).to_be_visible()


@pytest.mark.parametrize("deployment", ["embedded"], indirect=True)
def test_a_deleted_conversation_can_be_restored(
    deployment: Deployment, open_page: Callable[..., Page]
) -> None:
    here, there = open_two_tabs(deployment, open_page)
    path = read_conversation_path(here)
    open_chat_menu(there, "Be brief").get_by_role("button", name="Delete").click()
    expect(find_row(here, "Be brief")).to_have_count(0)
    there.get_by_role("button", name="Undo").click()
    expect(find_row(here, "Be brief")).to_be_visible()
    open_chat_menu(here, "Be brief").get_by_role("button", name="Delete").click()
    here.wait_for_url(lambda url: "/c/" not in url)
    here.get_by_role("button", name="Undo").click()
    here.wait_for_url(f"**{path}")
    expect(here.get_by_role("article", name="You")).to_contain_text("Be brief")


@pytest.mark.parametrize("deployment", ["embedded"], indirect=True)
def test_a_reply_that_ended_elsewhere_is_unread_until_it_is_opened(
    deployment: Deployment, open_page: Callable[..., Page]
) -> None:
    here, there = open_two_tabs(deployment, open_page)
    here.get_by_role("link", name="New chat").click()
    there.get_by_role("link", name="Be brief", exact=True).click()
    send_message(there, "Once more. Be brief", "demo-fast")
    there.get_by_role("link", name="New chat").click()
    unread = find_row(here, "Be brief").get_by_text("unread:")
    expect(unread).to_have_count(1)
    find_row(here, "Be brief").get_by_role("link").first.click()
    expect(find_row(there, "Be brief").get_by_text("unread:")).to_have_count(0)


@pytest.mark.parametrize("deployment", ["embedded"], indirect=True)
def test_running_and_failed_conversations_are_marked_in_every_tab(
    deployment: Deployment, fake: Fake, open_page: Callable[..., Page]
) -> None:
    here, there = open_two_tabs(deployment, open_page, key="openai")
    here.get_by_role("link", name="New chat").click()
    here.wait_for_url(lambda url: "/c/" not in url)
    there.get_by_role("link", name="Be brief", exact=True).click()
    fake.script(Behaviour.of("Half", "more", hold_after=(1,), cut_after=1, times=None))
    send_message(there, "Once more.")
    expect(find_row(here, "Be brief").get_by_text("running:")).to_have_count(1)
    fake.wait_for("held")
    there.get_by_role("link", name="New chat").click()
    there.wait_for_url(lambda url: "/c/" not in url)
    fake.release()
    for page in (here, there):
        expect(find_row(page, "Be brief").get_by_text("failed:")).to_have_count(1)
    find_row(here, "Be brief").get_by_role("link").first.click()
    expect(find_row(there, "Be brief").get_by_text("failed:")).to_have_count(0)


CHAT_COUNT = 450


@pytest.fixture
def user_with_many_chats(deployment: Deployment) -> Person:
    """Return a user with more conversations than a list shows at a time."""
    person = deployment.person(f"lister-{uuid4().hex[:8]}")
    deployment.manage("shell", "-c", CREATE_CHATS.format(email=person.email, chats=CHAT_COUNT))
    return person


@pytest.mark.parametrize("deployment", ["embedded"], indirect=True)
def test_the_oldest_of_many_conversations_is_reached_by_scrolling(
    deployment: Deployment, user_with_many_chats: Person, open_page: Callable[..., Page]
) -> None:
    page = open_page(user_with_many_chats)
    rows = page.locator("#sidebar-list li > a[id]")
    expect(rows).to_have_count(200)
    for loaded in (400, CHAT_COUNT):
        page.locator("#chats-end").scroll_into_view_if_needed()
        expect(rows).to_have_count(loaded)
    page.locator("#chats-end").scroll_into_view_if_needed()
    expect(page.get_by_role("link", name="Older chats")).to_have_count(0)
    expect(page.locator("#sidebar-list h2")).to_have_text(
        ["Today", "Yesterday", "Previous 7 days", "Older"]
    )

    far = page.locator("#sidebar-list").evaluate("list => list.scrollTop")
    with page.expect_response("**/sidebar/?*through=*"):
        deployment.send(user_with_many_chats, "Be brief")
    expect(find_row(page, "Be brief")).to_have_count(1)
    expect(rows).to_have_count(CHAT_COUNT + 1)
    assert page.locator("#sidebar-list").evaluate("list => list.scrollTop") >= far
    expect(find_row(page, f"Chat {CHAT_COUNT - 1}")).to_be_in_viewport()
    find_row(page, f"Chat {CHAT_COUNT - 1}").get_by_role("link").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Chat {CHAT_COUNT - 1}")


@pytest.mark.still
@pytest.mark.parametrize("deployment", ["embedded"], indirect=True)
@pytest.mark.prove
def test_the_oldest_of_many_conversations_is_reached_without_scripts(
    user_with_many_chats: Person, open_page: Callable[..., Page]
) -> None:
    page = open_page(user_with_many_chats, java_script_enabled=False)
    page.get_by_role("link", name="Older chats").click()
    page.get_by_role("link", name="Older chats").click()
    expect(page.get_by_role("link", name="Older chats")).to_have_count(0)
    find_row(page, f"Chat {CHAT_COUNT - 1}").get_by_role("link").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Chat {CHAT_COUNT - 1}")

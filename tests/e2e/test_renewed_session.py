"""A page that was open while its person signed in again does all that it can do: the token of the
session is another one now."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from functools import partial
from uuid import uuid4

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.conftest import PageErrors
from tests.e2e.replies import find_newest_reply, send_message, wait_for_buttons
from tests.page_elements import find_text_box
from tools.deployment.deployment import Deployment
from tools.deployment.http_user import Person

pytestmark = pytest.mark.parametrize("deployment", ["embedded"], indirect=True)


@pytest.fixture
def owner(deployment: Deployment) -> Person:
    return deployment.person(f"owner-{uuid4().hex[:8]}")


def sign_in_again(page: Page, owner: Person) -> None:
    """The session and its token are new, as after a sign-in in another tab."""
    with closing(Person(owner.base_url, owner.name)) as elsewhere:
        elsewhere.sign_in()
        page.context.add_cookies(elsewhere.browser_cookies())  # type: ignore[arg-type]


def delete_token(page: Page, owner: Person) -> None:
    page.context.clear_cookies(name="csrftoken")


def open_menu(page: Page) -> Locator:
    page.locator(".conversation-menu-button").first.click()
    return page.get_by_role("dialog", name="Chat", exact=True)


@pytest.mark.parametrize("change", [sign_in_again, delete_token])
def test_every_action_of_an_open_page_works_with_a_new_token(
    owner: Person,
    open_page: Callable[..., Page],
    page_errors: PageErrors,
    change: Callable[[Page, Person], None],
) -> None:
    page_errors.allow("403")
    page = open_page(owner)
    send_message(page, "Be brief", "demo-fast")
    wait_for_buttons(page)
    renew = partial(change, page, owner)
    send_and_stop(page, renew)
    write_again(page, renew)
    change_conversation(page, renew)


def send_and_stop(page: Page, renew: Callable[[], None]) -> None:
    page.get_by_role("combobox", name="Model").select_option("demo-slow")
    find_text_box(page).fill("Tell me slowly.")
    renew()
    find_text_box(page).press("Enter")
    expect(find_newest_reply(page)).to_have_attribute("data-state", "running")
    renew()
    page.get_by_role("button", name="Stop").click()
    expect(find_newest_reply(page).get_by_text("Stopped", exact=True)).to_be_visible()


def write_again(page: Page, renew: Callable[[], None]) -> None:
    page.get_by_role("combobox", name="Model").select_option("demo-fast")
    questions = page.get_by_role("article", name="You")
    questions.last.hover()
    questions.last.get_by_role("link", name="Edit").click()
    page.get_by_role("textbox", name="Edit your message").fill("Edited. Be brief")
    renew()
    page.locator(".edit").get_by_role("button", name="Send").click()
    expect(questions.last).to_contain_text("Edited. Be brief")
    wait_for_buttons(page)
    renew()
    find_newest_reply(page).get_by_role("button", name="Regenerate").click()
    expect(find_newest_reply(page).get_by_text("2/2")).to_be_visible()
    wait_for_buttons(page)


def change_conversation(page: Page, renew: Callable[[], None]) -> None:
    menu = open_menu(page)
    menu.get_by_text("Rename").first.click()
    menu.get_by_role("textbox", name="Title").fill("Renamed")
    renew()
    menu.get_by_role("textbox", name="Title").press("Enter")
    expect(page.get_by_role("heading", name="Renamed")).to_be_visible()
    menu = open_menu(page)
    renew()
    menu.get_by_role("button", name="Pin").click()
    expect(page.locator("#sidebar-list").get_by_text("Pinned")).to_be_visible()
    menu = open_menu(page)
    renew()
    menu.get_by_role("button", name="Delete").click()
    renew()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("heading", name="Renamed")).to_be_visible()

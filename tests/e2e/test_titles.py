"""Titles as a person sees them: the first words at once, better ones after the first reply, and
never in place of a title given by hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import StartDeployment
from tests.e2e.replies import send_message, wait_for_reply
from tests.e2e.test_listing import find_row, open_chat_menu
from tools.deployment.http_user import Person
from tools.fake_provider import Behaviour, Fake

pytestmark = pytest.mark.page

QUESTION = "Why does the sea lag behind the moon?"
GENERATED_TITLE = "The late sea"
TITLE = Behaviour.of(GENERATED_TITLE, prompt="Write a title", hold_after=(0,))


@pytest.fixture
def owner(start_deployment: StartDeployment) -> Person:
    """A deployment whose conversations get their titles from a model."""
    owner = start_deployment("embedded", environment={"GENERATE_TITLES": "on"}).person("owner")
    owner.add_key("openai")
    return owner


def test_a_title_appears_after_the_first_reply_and_delays_nothing(
    owner: Person, fake: Fake, open_page: Callable[..., Page]
) -> None:
    fake.script(TITLE, Behaviour.of("It lags.", times=2))
    page, there = open_page(owner), open_page(owner)
    send_message(page, QUESTION)
    expect(find_row(there, QUESTION)).to_be_visible()
    wait_for_reply(page)
    fake.wait_for("held")
    send_message(page, "Once more.")
    expect(wait_for_reply(page)).to_contain_text("It lags.")
    expect(page.get_by_role("heading", level=1)).to_have_text(QUESTION)
    fake.release()
    expect(page.get_by_role("heading", level=1)).to_have_text(GENERATED_TITLE)
    expect(page).to_have_title(f"{GENERATED_TITLE} · Holdfast")
    expect(find_row(there, GENERATED_TITLE)).to_be_visible()
    expect(find_row(there, QUESTION)).to_have_count(0)


@pytest.mark.prove
def test_a_title_given_by_hand_stays(
    owner: Person, fake: Fake, open_page: Callable[..., Page]
) -> None:
    fake.script(TITLE, Behaviour.of("It lags.", times=2))
    page = open_page(owner)
    send_message(page, QUESTION)
    wait_for_reply(page)
    fake.wait_for("held")
    menu = open_chat_menu(page, QUESTION)
    menu.locator("summary").click()
    menu.get_by_role("textbox", name="Title").fill("Mine")
    menu.get_by_role("button", name="Rename").click()
    expect(find_row(page, "Mine")).to_be_visible()
    fake.release()
    fake.wait_for("finished", count=2)
    send_message(page, "Once more.")  # its effect comes after that of a title would
    expect(wait_for_reply(page)).to_contain_text("It lags.")
    expect(page.get_by_role("heading", level=1)).to_have_text("Mine")
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("Mine")

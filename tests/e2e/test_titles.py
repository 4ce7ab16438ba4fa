"""Titles as a person sees them come: the first words at once, better ones after the first reply,
and never in place of one that was given by hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Deploy
from tests.e2e.replies import ask, finished
from tests.e2e.test_listing import more, row
from tools.deployment.http_user import Person
from tools.fake_provider import Behaviour, Fake

pytestmark = pytest.mark.page

QUESTION = "Why does the sea lag behind the moon?"
WRITTEN = "The late sea"
TITLE = Behaviour.of(WRITTEN, prompt="Write a title", hold_after=(0,))


@pytest.fixture
def owner(deploy: Deploy) -> Person:
    """Of a deployment whose conversations get their titles from a model."""
    owner = deploy("embedded", environment={"TITLES": "on"}).person("owner")
    owner.add_key("openai")
    return owner


def test_a_title_comes_after_the_first_reply_and_nothing_waits_for_it(
    owner: Person, fake: Fake, open_page: Callable[..., Page]
) -> None:
    fake.script(TITLE, Behaviour.of("It lags.", times=2))
    page, there = open_page(owner), open_page(owner)
    ask(page, QUESTION)
    expect(row(there, QUESTION)).to_be_visible()
    finished(page)
    fake.wait_for("held")
    ask(page, "Once more.")
    expect(finished(page)).to_contain_text("It lags.")
    expect(page.get_by_role("heading", level=1)).to_have_text(QUESTION)
    fake.release()
    expect(page.get_by_role("heading", level=1)).to_have_text(WRITTEN)
    expect(page).to_have_title(f"{WRITTEN} · Holdfast")
    expect(row(there, WRITTEN)).to_be_visible()
    expect(row(there, QUESTION)).to_have_count(0)


@pytest.mark.prove
def test_a_title_that_was_given_by_hand_stays(
    owner: Person, fake: Fake, open_page: Callable[..., Page]
) -> None:
    fake.script(TITLE, Behaviour.of("It lags.", times=2))
    page = open_page(owner)
    ask(page, QUESTION)
    finished(page)
    fake.wait_for("held")
    menu = more(page, QUESTION)
    menu.locator("summary").click()
    menu.get_by_role("textbox", name="Title").fill("Mine")
    menu.get_by_role("button", name="Rename").click()
    expect(row(page, "Mine")).to_be_visible()
    fake.release()
    fake.wait_for("finished", count=2)
    ask(page, "Once more.")  # what it brings about comes after what the title would have
    expect(finished(page)).to_contain_text("It lags.")
    expect(page.get_by_role("heading", level=1)).to_have_text("Mine")
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("Mine")

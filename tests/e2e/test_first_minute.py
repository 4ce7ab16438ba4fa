"""A stranger's first minute: no account, no key, no instructions, and nothing is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import uuid4

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from streaming.providers.demo import prose
from tests.e2e.replies import (
    copy_newest_reply,
    find_newest_reply,
    read_conversation_path,
    send_message,
    wait_for_reply,
)
from tests.e2e.routes import intercept
from tests.e2e.test_listing import find_row
from tools.deployment.deployment import Deployment
from tools.deployment.http_user import PASSWORD
from tools.fake_provider import Behaviour, Fake

pytestmark = [pytest.mark.page, pytest.mark.parametrize("deployment", ["embedded"], indirect=True)]

QUESTION = "Why do tides lag the moon? Be brief."


def test_a_stranger_signs_up_asks_reloads_and_loses_nothing(
    deployment: Deployment, browser_context: Callable[..., BrowserContext]
) -> None:
    deployment.person("owner")
    page = browser_context(base_url=deployment.base_url).new_page()
    page.goto("/")
    page.get_by_role("main").get_by_role("link", name="Sign up").click()
    sign_up(page)
    page.wait_for_load_state()  # Enter starts a new line until the page's scripts can send

    expect(page.get_by_role("heading", name="What would you like to know?")).to_be_visible()
    expect(page.get_by_text("The demo only talks about kelp.")).to_be_visible()
    expect(page.get_by_role("link", name="Add an API key")).to_have_attribute(
        "href", "/settings/keys/"
    )
    expect(page.get_by_text("Your chats will appear here.")).to_be_visible()
    box = page.get_by_role("textbox", name="Message", exact=True)
    expect(box).to_be_focused()
    page.keyboard.type(QUESTION)
    expect(page.get_by_role("button", name="Send")).to_be_enabled()

    with hold_requests(page) as posted:  # the server has not answered yet
        page.keyboard.press("Enter")
        expect(page.get_by_role("article", name="You")).to_contain_text(QUESTION)
        expect(find_newest_reply(page)).to_contain_text("Connecting")
        expect(box).to_have_value("")
        expect(page.get_by_role("heading", name="What would you like to know?")).to_be_hidden()
    assert len(posted) == 1, "sent once"

    path = read_conversation_path(page)
    text = find_newest_reply(page).locator("live-reply > .prose")
    expect(text).not_to_be_empty()
    so_far = text.inner_text()
    expect(text).not_to_have_text(so_far)  # it grows
    so_far = text.inner_text()
    page.reload()
    expect(page.get_by_role("article", name="You")).to_contain_text(QUESTION)
    expect(find_newest_reply(page)).to_have_attribute("aria-busy", "true")
    assert text.inner_text().startswith(so_far.rstrip())

    wait_for_reply(page, within=60)
    assert copy_newest_reply(page) == prose.compose_reply(QUESTION)
    expect(page.get_by_role("heading", level=1)).to_have_text(QUESTION)
    page.get_by_role("link", name="New chat").click()
    page.wait_for_url(lambda url: "/c/" not in url)
    find_row(page, QUESTION).get_by_role("link", name=QUESTION, exact=True).click()
    page.wait_for_url(f"**{path}")
    assert copy_newest_reply(page) == prose.compose_reply(QUESTION)


def test_a_suggestion_is_a_question_ready_to_send(
    deployment: Deployment, open_page: Callable[..., Page]
) -> None:
    page = open_page(deployment.person(f"stranger-{uuid4().hex[:8]}"))
    page.get_by_role("link", name="Why do tides lag the moon?").click()
    page.wait_for_url("**/?text=*")
    box = page.get_by_role("textbox", name="Message", exact=True)
    expect(box).to_have_value("Why do tides lag the moon?")
    box.press("Enter")
    expect(find_newest_reply(page).locator("live-reply > .prose")).not_to_be_empty()
    page.get_by_role("button", name="Stop").click()
    wait_for_reply(page)


def sign_up(page: Page) -> None:
    page.get_by_label("Email").fill(f"stranger-{uuid4().hex[:8]}@holdfast.test")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Sign up").click()


@contextmanager
def hold_requests(page: Page) -> Iterator[list[Route]]:
    """Delay the composer's posts, as a slow network would, until the end of the block."""
    routes: list[Route] = []
    intercept(page, "**/c/", lambda route: routes.append(route))
    yield routes
    while not routes:  # the page's own message may appear before the request is reported
        page.wait_for_timeout(10)
    for route in routes:
        route.continue_()
    page.unroute("**/c/")


def test_with_a_key_the_first_question_goes_to_its_provider(
    deployment: Deployment, fake: Fake, open_page: Callable[..., Page]
) -> None:
    page = open_page(deployment.person(f"keyed-{uuid4().hex[:8]}"))
    send_message(page, "Be brief", "demo-fast")
    wait_for_reply(page)
    page.get_by_role("link", name="Settings").click()
    openai = page.get_by_role("region", name="OpenAI", exact=True)
    openai.get_by_label("Key").fill("sk-e2e-0123456789abcdef")
    openai.get_by_role("button", name="Add key").click()
    page.get_by_role("link", name="Start a chat with GPT-6.2 Astra").click()
    model = page.get_by_role("combobox", name="Model")
    expect(model).to_have_value("gpt-6.2-astra")
    page.goto("/")
    expect(model).to_have_value("gpt-6.2-astra")
    model.click()
    picker = page.get_by_role("dialog", name="Choose a model")
    expect(picker.get_by_role("group").last).to_have_attribute("aria-label", "Demo")
    expect(picker.get_by_role("group", name="Recent")).to_have_count(0)
    page.keyboard.press("Escape")
    fake.script(Behaviour.of("Biscuit."))
    page.get_by_role("textbox", name="Message", exact=True).fill("A good name for a cat?")
    page.get_by_role("button", name="Send").click()
    expect(find_newest_reply(page)).to_contain_text("Biscuit.")
    expect(page.get_by_role("article", name="gpt-6.2-astra")).to_be_visible()

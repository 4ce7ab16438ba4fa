"""Reasoning that a server leaves in the text, as a person sees it."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import StartDeployment
from tests.e2e.replies import send_message, wait_for_reply
from tools.fake_provider import Behaviour, Fake

pytestmark = [pytest.mark.page, pytest.mark.prove]

MODEL = "lab-1"
TITLE = "<think>\nThey want a title.\n</think>\n\nFriendly greeting"


def test_reasoning_without_an_opening_tag_leaves_the_text_live_and_for_good(
    start_deployment: StartDeployment, fake: Fake, open_page: Callable[..., Page]
) -> None:
    row = {"id": "lab", "name": "Lab", "url": fake.openai, "needs_key": True, "models": ["lab-1"]}
    environment = {"GENERATE_TITLES": "on", "COMPATIBLE_PROVIDERS": json.dumps([row])}
    owner = start_deployment("embedded", environment=environment).person("owner")
    owner.add_key("lab")
    fake.script(
        Behaviour.of(TITLE, prompt="Write a title"),
        Behaviour.of("They greet *me*.\n", "</think>\n\n**Hello!**", " Bye.", hold_after=(1, 2)),
        Behaviour.of("Once more."),
    )
    page = open_page(owner)
    send_message(page, "Hi", MODEL)
    reply = page.locator("article[data-role=assistant]").last
    prose = reply.locator("live-reply > .prose, article > .prose").last
    fake.wait_for("held")
    expect(prose).to_contain_text("They greet me.")
    fake.release()
    expect(prose).to_have_text("Hello!")
    expect(reply.locator("summary").first).to_be_visible()
    fake.release()
    wait_for_reply(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Friendly greeting")
    page.reload()
    expect(reply.locator(".prose").last).to_have_text("Hello! Bye.")
    expect(reply.locator(".reasoning em")).to_have_text("me")
    send_message(page, "And now?", MODEL)
    wait_for_reply(page)
    sent = fake.requests()[-1].body["messages"]
    assert [turn["content"] for turn in sent] == ["Hi", "**Hello!** Bye.", "And now?"]

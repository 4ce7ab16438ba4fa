"""Choosing a model, settings, waiting messages, details and dropped sockets, as a person sees
them."""

from __future__ import annotations

import re
from collections.abc import Callable
from uuid import uuid4

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.replies import find_newest_reply, send_message, wait_for_reply
from tools.deployment.deployment import Deployment
from tools.fake_provider import Behaviour, Fake

pytestmark = [pytest.mark.page, pytest.mark.parametrize("deployment", ["embedded"], indirect=True)]


def read_model(page: Page) -> str:
    return page.get_by_role("combobox", name="Model").input_value()


def test_a_model_is_found_by_typing_and_recent_ones_come_first(
    deployment: Deployment, open_page: Callable[..., Page]
) -> None:
    page = open_page(deployment.person(f"picker-{uuid4().hex[:8]}"))
    page.get_by_role("combobox", name="Model").click()
    picker = page.get_by_role("dialog", name="Choose a model")
    expect(picker.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("fast")
    page.keyboard.press("Enter")
    assert read_model(page) == "demo-fast"
    send_message(page, "Be brief", "demo-fast")
    wait_for_reply(page)
    page.get_by_role("link", name="New chat").click()
    page.wait_for_url(lambda url: "/c/" not in url)
    page.get_by_role("combobox", name="Model").click()
    expect(picker.get_by_role("group").first).to_have_attribute("aria-label", "Recent")
    expect(picker.get_by_role("option").first).to_have_text("Demo (fast)")
    openai = picker.get_by_role("group", name="OpenAI")
    expect(openai.get_by_text("No API key.")).to_be_visible()
    expect(openai.get_by_role("option").nth(1)).to_be_disabled()
    openai.get_by_role("option", name="Add one").click()
    page.wait_for_url("**/settings/keys/")


def test_a_reply_is_regenerated_by_another_model(
    deployment: Deployment, open_page: Callable[..., Page]
) -> None:
    page = open_page(deployment.person("owner"))
    send_message(page, "Be brief", "demo-fast")
    wait_for_reply(page)
    find_newest_reply(page).get_by_role("button", name="Try another model").click()
    picker = page.get_by_role("dialog", name="Choose a model")
    picker.get_by_role("option", name="Demo (slow)").click()
    expect(page.get_by_role("article", name="demo-slow")).to_be_visible()
    page.get_by_role("button", name="Stop").click()
    wait_for_reply(page)


def test_settings_are_offered_only_if_the_model_takes_them(
    deployment: Deployment, open_page: Callable[..., Page]
) -> None:
    person = deployment.person(f"tuner-{uuid4().hex[:8]}")
    person.add_key("openai")
    page = open_page(person)
    choose_model = page.get_by_role("combobox", name="Model")
    effort = page.get_by_role("combobox", name="Reasoning effort")
    choose_model.select_option("demo-fast")
    page.get_by_role("button", name=re.compile("^Chat settings")).click()
    expect(page.get_by_role("spinbutton", name="Max tokens")).to_be_visible()
    expect(effort).to_be_hidden()
    choose_model.select_option("gpt-5.5")
    expect(effort).to_be_visible()
    effort.select_option("low")
    page.reload()
    page.get_by_role("button", name="low effort").click()
    expect(effort).to_have_value("low")


def test_each_chat_has_its_own_settings_and_sends_them(
    deployment: Deployment, fake: Fake, open_page: Callable[..., Page]
) -> None:
    person = deployment.person(f"tuner-{uuid4().hex[:8]}")
    person.add_key("openai")
    person.add_key("google")
    page = open_page(person)
    fake.script(*(Behaviour.of(f"Answer {number}.") for number in (1, 2, 3)))

    choose_model(page, "gemini-3.5-flash")
    open_settings(page)
    page.get_by_role("spinbutton", name="Temperature").fill("0.5")
    page.get_by_role("spinbutton", name="Max tokens").fill("200")
    page.get_by_role("textbox", name="System prompt").fill("Be a gull.")
    page.get_by_role("button", name="Done").click()
    expect(page.get_by_role("button", name="0.5 · 200 tokens · system prompt")).to_be_visible()
    send_message(page, "Who are you?", "gemini-3.5-flash")
    expect(wait_for_reply(page)).to_contain_text("Answer 1.")

    page.get_by_role("link", name="New chat").click()
    page.wait_for_url(lambda url: "/c/" not in url)
    choose_model(page, "gpt-5.5")
    open_settings(page)
    expect(page.get_by_role("textbox", name="System prompt")).to_have_value("")
    expect(page.get_by_role("spinbutton", name="Temperature")).to_be_hidden()
    page.get_by_role("combobox", name="Reasoning effort").select_option("low")
    page.get_by_role("button", name="Done").click()
    send_message(page, "And you?", "gpt-5.5")
    expect(wait_for_reply(page)).to_contain_text("Answer 2.")

    page.locator("#sidebar-list a:not(.conversation-menu-button)", has_text="Who are you?").click()
    expect(page.get_by_role("button", name="0.5 · 200 tokens · system prompt")).to_be_visible()
    send_message(page, "Still?", "gemini-3.5-flash")
    expect(wait_for_reply(page)).to_contain_text("Answer 3.")

    first, second, third = (request.body for request in fake.requests())
    for body in (first, third):
        config = body["generationConfig"]
        assert (config["temperature"], config["maxOutputTokens"]) == (0.5, 200)
        assert "Be a gull." in str(body)
    assert second["reasoning"]["effort"] == "low"
    assert "temperature" not in second
    assert "Be a gull." not in str(second)


def choose_model(page: Page, read_model: str) -> None:
    page.get_by_role("combobox", name="Model").select_option(read_model)


def open_settings(page: Page) -> None:
    page.get_by_role("button", name=re.compile("^Chat settings")).click()


def test_a_single_waiting_message_can_be_taken_back(
    deployment: Deployment, open_page: Callable[..., Page]
) -> None:
    page = open_page(deployment.person("owner"))
    replies = page.locator("article[data-role=assistant]")
    send_message(page, "Tell me slowly.", "demo-slow")
    expect(replies.nth(0)).to_have_attribute("data-state", "running")
    send_message(page, "And then?", "demo-slow")
    send_message(page, "And after that?", "demo-slow")
    for waiting in (replies.nth(1), replies.nth(2)):
        expect(waiting.get_by_text("Queued after the previous one")).to_be_visible()
    replies.nth(1).get_by_role("button", name="Cancel").click()
    expect(replies.nth(1).get_by_text("Stopped", exact=True)).to_be_visible()
    expect(replies.nth(0)).to_have_attribute("aria-busy", "true")
    page.get_by_role("button", name="Stop").click()
    expect(replies.nth(0).get_by_text("Stopped", exact=True)).to_be_visible()
    expect(replies.nth(2)).to_have_attribute("data-state", "running")
    expect(replies.nth(2).locator(".prose").last).not_to_be_empty()
    page.get_by_role("button", name="Stop").click()
    wait_for_reply(page)


def test_the_details_of_a_reply_show_its_origin(
    deployment: Deployment, open_page: Callable[..., Page]
) -> None:
    page = open_page(deployment.person("owner"))
    send_message(page, "Be brief", "demo-fast")
    reply = wait_for_reply(page)
    reply.get_by_text("Details").click()
    for name in ("Model", "First token", "Duration", "Tokens", "Finish reason"):
        expect(reply.get_by_role("term").get_by_text(name, exact=True)).to_be_visible()


PRICED = """
from chat.models import ModelOverride
prices = {"input_price": 200, "output_price": 800}
ModelOverride.objects.update_or_create(model_id="gpt-5.5", defaults=prices)
"""


@pytest.mark.prove
def test_the_cost_of_a_reply_is_shown_if_its_prices_are_known(
    deployment: Deployment, fake: Fake, open_page: Callable[..., Page]
) -> None:
    deployment.manage("shell", "-c", PRICED)
    person = deployment.person(f"payer-{uuid4().hex[:8]}")
    person.add_key("openai")
    page = open_page(person)
    fake.script(Behaviour.of("Yes."))
    send_message(page, "Is it dear?", "gpt-5.5")
    reply = wait_for_reply(page)
    reply.get_by_text("Details").click()
    details = reply.get_by_role("definition")
    expect(details.get_by_text(re.compile(r"^\$0\.0\d+$"))).to_be_visible()
    expect(details.get_by_text(re.compile(r"^\d+ in, \d+ out"))).to_be_visible()
    expect(details.get_by_text("stop", exact=True)).to_be_visible()


LISTEN = """() => {
    const status = document.getElementById("status");
    window.announced = new Set();
    new MutationObserver(() => window.announced.add(status.textContent.trim()))
        .observe(status, { subtree: true, childList: true });
}"""


@pytest.mark.prove
def test_readers_do_not_notice_dropped_sockets(
    deployment: Deployment, open_page: Callable[..., Page]
) -> None:
    page = open_page(deployment.person("owner"))
    sockets: list[int] = []
    page.on("websocket", lambda socket: sockets.append(1))
    page.evaluate(LISTEN)
    reply = send_message(page, "Be brief: a storm.", "demo-storm")
    wait_for_reply(page, within=60)
    assert len(sockets) >= 2, "the socket was dropped"
    assert set(page.evaluate("[...window.announced]")) <= {"", "Replying…", "Reply finished"}
    stream = deployment.rows.query(
        "SELECT content FROM chat_message WHERE model = 'demo-storm' ORDER BY created_at DESC"
    )[0]
    visible_text = reply.locator(".prose").last.inner_text()
    assert stream["content"].split()[-1].strip("*_.`") in visible_text
    reply.get_by_text("Details").click()
    expect(reply.get_by_text(re.compile(r"\d+ times, by this page"))).to_be_visible()

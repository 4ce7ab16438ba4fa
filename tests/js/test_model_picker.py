"""The picker with servers of the administrator: the same name twice, names of other providers, a
server without models, and a name of 300 characters on a phone."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.test import override_settings
from playwright.sync_api import Locator, Page, expect

from chat.presentation.model_groups import ModelGroup
from streaming.providers import catalog
from streaming.providers.catalog import Provider, all_models, group_by_provider, model_from_id
from tests.factories import PLAIN_STORAGES
from tests.js.chat_page import CHAT, ChatServer, find_articles, render_chat_page
from tools.static_site import Files

LONG_NAME = "accounts/fireworks/models/" + "kelp-forest-of-the-north-" * 10 + "x" * 24
PHONE = {"width": 360, "height": 740}


def build_groups() -> tuple[ModelGroup, ...]:
    groups = [
        ModelGroup(provider, not provider.needs_key, models)
        for provider, models in group_by_provider(all_models()).items()
        if not provider.base_url
    ]
    for id, name, models, note in (
        ("hosta", "Host A", ["llama3.3", LONG_NAME], "It does not respond."),
        ("hostb", "Host B", ["llama3.3"], ""),
        ("router", "Router", ["gpt-5.5", "with blanks"], ""),
        ("hostc", "Host C", [], "It lists no models."),
    ):
        server = Provider(id, name, needs_key=False, base_url="http://127.0.0.1:1/v1")
        rows = tuple(model_from_id(model, server) for model in models)
        groups.append(ModelGroup(server, is_usable=True, models=rows, note=note))
    return tuple(replace(group, shared_labels=frozenset({"llama3.3"})) for group in groups)


@pytest.fixture
def chat(page: Page, chat_server: ChatServer, monkeypatch: pytest.MonkeyPatch) -> Page:
    groups = build_groups()
    known = {group.provider.id: group.provider for group in groups}
    monkeypatch.setattr(catalog, "PROVIDERS", known)
    with override_settings(STORAGES=PLAIN_STORAGES, STATIC_URL="/static/"):
        Files.pages[CHAT] = render_chat_page(
            f"{CHAT}messages/",
            groups=groups,
            recent_models="router:with%20blanks hostb:llama3.3",
        )
    page.goto(CHAT)
    return page


def open_picker(chat: Page, words: str = "") -> Locator:
    chat.get_by_role("combobox", name="Model").press("Enter")
    chat.get_by_role("searchbox", name="Search models").fill(words)
    return chat.get_by_role("listbox", name="Models")


def find_model(chat: Page) -> Locator:
    return chat.get_by_role("combobox", name="Model")


def test_the_same_name_of_two_servers_is_picked_by_the_keyboard(
    chat: Page, chat_server: ChatServer
) -> None:
    models = open_picker(chat, "llama3.3")
    expect(models.get_by_role("option")).to_have_text(["llama3.3 · Host B", "llama3.3 · Host A"])
    expect(models.get_by_role("group", name="Recent").get_by_role("option")).to_have_count(1)
    chat.keyboard.press("ArrowDown")
    chat.keyboard.press("Enter")
    expect(find_model(chat)).to_have_value("hosta:llama3.3")
    chat.get_by_role("textbox", name="Message").fill("Who is there?")
    chat.keyboard.press("Enter")
    chat_server.wait_until(lambda: bool(chat_server.sent))
    assert chat_server.sent[0]["model"] == "hosta:llama3.3"


def test_a_reply_names_its_server_before_the_server_answers(
    chat: Page, chat_server: ChatServer
) -> None:
    chat_server.answer = chat_server.held.append
    find_model(chat).select_option("hostb:llama3.3")
    chat.get_by_role("textbox", name="Message").fill("Who is there?")
    chat.keyboard.press("Enter")
    expect(find_articles(chat, "llama3.3 · Host B")).to_have_count(1)
    chat_server.held[0].fulfill(status=204)
    expect(chat.get_by_text("Not sent.")).to_be_visible()


def test_a_server_without_models_is_shown_with_the_reason(chat: Page) -> None:
    models = open_picker(chat)
    expect(models.get_by_role("group", name="Host C")).to_contain_text("It lists no models.")
    expect(models.get_by_role("group", name="Host A")).to_contain_text("It does not respond.")
    chat.get_by_role("searchbox", name="Search models").fill("c host")
    expect(models.get_by_role("group", name="Host C")).to_be_visible()
    expect(models.get_by_role("group", name="Host B")).to_have_count(0)


def test_every_option_has_an_id_that_a_screen_reader_can_follow(chat: Page) -> None:
    models = open_picker(chat, "blanks")
    active = chat.get_by_role("searchbox", name="Search models").get_attribute(
        "aria-activedescendant"
    )
    assert models.get_by_role("option").get_attribute("id") == active
    assert active
    assert " " not in active
    chat.keyboard.press("Enter")
    expect(find_model(chat)).to_have_value("router:with blanks")


def test_on_a_phone_a_long_name_fits_and_nothing_zooms_in(
    chat: Page, chat_server: ChatServer
) -> None:
    chat.set_viewport_size(PHONE)  # type: ignore[arg-type]
    models = open_picker(chat, "accounts")
    option = models.get_by_role("option")
    box = option.bounding_box()
    assert box
    assert box["x"] + box["width"] <= PHONE["width"]
    assert option.evaluate("(option) => option.scrollWidth <= option.clientWidth")
    option.click()
    expect(find_model(chat)).to_have_value(f"hosta:{LONG_NAME}")
    chat.get_by_role("textbox", name="Message").fill("Who is there?")
    chat_server.answer = chat_server.held.append
    chat.keyboard.press("Enter")
    expect(find_articles(chat, f"{LONG_NAME} · Host A")).to_have_count(1)
    assert chat.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    chat_server.held[0].fulfill(status=204)
    expect(chat.get_by_text("Not sent.")).to_be_visible()
    sizes = chat.evaluate(
        "[...document.querySelectorAll('input[type=search], input[type=number], select, textarea')]"
        ".map((field) => parseFloat(getComputedStyle(field).fontSize))"
    )
    assert min(sizes) >= 16

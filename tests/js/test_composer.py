"""Writing and sending on the real page (its templates, without a database), with the server's
answers in the test's hands."""

from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from time import monotonic
from typing import Any
from urllib.parse import parse_qs
from uuid import uuid4

import pytest
from django.template.loader import render_to_string
from django.test import RequestFactory, override_settings
from playwright.sync_api import Page, Route, expect

from accounts.models import User
from chat.conversations.sidebar import Sidebar
from chat.presentation.composer import Composer, ModelGroup
from chat.presentation.message_views import MessageView, build_blank_views
from chat.presentation.setting_rows import build_setting_rows
from streaming.providers.catalog import all_models, group_by_provider
from tests.js.conftest import SIDEBAR
from tools.static_site import Files

PLAIN_FILES = {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
CONVERSATION = str(uuid4())
CHAT = f"/c/{CONVERSATION}/"
STREAM = str(uuid4())


def page_of(action: str, articles: tuple[MessageView, ...] = (), **composer: Any) -> bytes:
    groups = tuple(
        ModelGroup(provider, not provider.needs_key, models)
        for provider, models in group_by_provider(all_models()).items()
    )
    usual = dict.fromkeys((field.name for field in fields(Composer)), "")
    model = next(model for model in all_models() if model.id == composer.get("model", "demo"))
    given = {
        "action": action,
        "request_id": str(uuid4()),
        "model": "demo",
        "is_model_unavailable": False,
        "settings": build_setting_rows({}, model),
    }
    form = Composer(**(usual | given | {"groups": groups} | composer))  # type: ignore[arg-type]
    context = {
        "conversation": action != "/c/",
        "title": "Tides",
        "message_views": articles,
        "composer": form,
        "sidebar": Sidebar([]),
        "open": "",
        "starters": (),
        **build_blank_views(),
        "user": User(email="owner@holdfast.test"),
    }
    request = RequestFactory().get("/")
    return render_to_string("chat/page.html", context, request).encode()


def exchange(text: str) -> tuple[MessageView, MessageView]:
    question = MessageView(id=str(uuid4()), role="user", name="You", text=text, state="completed")
    answer = MessageView(
        id=str(uuid4()),
        role="assistant",
        name="demo",
        conversation_id=CONVERSATION,
        state="running",
        stream_id=STREAM,
    )
    return question, answer


def ended(text: str) -> tuple[MessageView, MessageView]:
    question, answer = exchange(text)
    return question, replace(answer, state="completed")


class Server:
    """Answers what the page asks, and remembers it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.sent: list[dict[str, str]] = []
        self.stopped: list[str] = []
        self.answer: Callable[[Route], None] = self.accept
        self.held: list[Route] = []
        page.route_web_socket("**/ws/", lambda socket: None)
        page.route(SIDEBAR, lambda route: route.fulfill(body=""))
        page.route("**/messages/", self.hear)
        page.route("**/c/", self.hear)
        page.route("**/stop/", self.hear_stop)

    def hear(self, route: Route) -> None:
        fields = parse_qs(route.request.post_data or "", keep_blank_values=True)
        self.sent.append({name: values[0] for name, values in fields.items()})
        self.answer(route)

    def hear_stop(self, route: Route) -> None:
        self.stopped.append(route.request.url)
        route.fulfill(status=204)

    def accept(self, route: Route) -> None:
        articles = exchange(self.sent[-1]["text"])
        body = render_to_string("chat/messages/_new.html", {"message_views": articles})
        headers = {"HX-Push-Url": CHAT} if route.request.url.endswith("/c/") else {}
        route.fulfill(body=body, headers=headers)

    def until(self, true: Callable[[], bool]) -> None:
        deadline = monotonic() + 10
        while not true():
            assert monotonic() < deadline
            self.page.wait_for_timeout(20)


@pytest.fixture
def server(page: Page) -> Iterator[Server]:
    with override_settings(STORAGES=PLAIN_FILES, STATIC_URL="/static/"):
        Files.pages[CHAT] = page_of(f"{CHAT}messages/")
        Files.pages["/new/"] = page_of("/c/")
        yield Server(page)
    Files.pages.clear()


@pytest.fixture
def chat(page: Page, server: Server) -> Page:
    page.goto(CHAT)
    expect(send(page)).to_be_disabled()  # the script runs
    return page


def box(page: Page) -> Any:
    return page.get_by_role("textbox", name="Message")


def send(page: Page) -> Any:
    return page.get_by_role("button", name="Send")


def stop(page: Page) -> Any:
    return page.get_by_role("button", name="Stop")


def named(page: Page, name: str) -> Any:
    return page.get_by_role("article", name=name, exact=True)


def test_the_send_button_is_disabled_without_text_and_says_why(chat: Page) -> None:
    expect(send(chat)).to_have_attribute("title", "Write a message first")
    box(chat).fill("  ")
    expect(send(chat)).to_be_disabled()
    box(chat).fill("Why?")
    expect(send(chat)).to_be_enabled()


def test_the_message_and_an_empty_reply_appear_before_the_response(
    chat: Page, server: Server
) -> None:
    server.answer = server.held.append
    box(chat).fill("Why do tides lag?")
    box(chat).press("Enter")
    expect(named(chat, "You")).to_contain_text("Why do tides lag?")
    expect(named(chat, "demo")).to_contain_text("Connecting")
    expect(named(chat, "demo")).to_have_attribute("aria-busy", "true")
    expect(stop(chat)).to_be_visible()
    expect(send(chat)).to_be_hidden()
    expect(box(chat)).to_have_value("")
    expect(box(chat)).to_be_focused()
    server.accept(server.held[0])
    expect(chat.locator("article[id^='m-']")).to_have_count(2)
    expect(chat.get_by_role("article")).to_have_count(2)


def test_stop_replaces_send_until_there_is_text_to_send(page: Page, server: Server) -> None:
    question, answer = exchange("Before")
    Files.pages[CHAT] = page_of(f"{CHAT}messages/", (question, replace(answer, state="completed")))
    page.goto(CHAT)
    before = corner(send(page))
    box(page).fill("Go on for ever")
    send(page).click()
    expect(send(page)).to_be_hidden()
    assert corner(stop(page)) == before
    box(page).fill("And then?")
    expect(send(page)).to_be_enabled()
    expect(stop(page)).to_be_visible()
    box(page).fill("")
    assert corner(stop(page)) == before


def corner(button: Any) -> tuple[float, float]:
    """Where it ends, at the right and at the bottom."""
    box = button.bounding_box()
    return (box["x"] + box["width"], box["y"] + box["height"])


def test_shift_enter_and_an_input_method_s_enter_do_not_send(chat: Page, server: Server) -> None:
    box(chat).fill("one")
    box(chat).press("Shift+Enter")
    box(chat).press_sequentially("two")
    box(chat).dispatch_event("keydown", {"key": "Enter", "isComposing": True})
    expect(box(chat)).to_have_value("one\ntwo")
    assert server.sent == []


@pytest.mark.parametrize(
    "way",
    [Route.abort, Route.continue_, lambda route: route.fulfill(body="<p>Welcome to our network")],
    ids=["no answer", "half of one", "another one"],
)
def test_an_unsent_message_stays_and_is_repeated_with_the_same_id(
    chat: Page, server: Server, complaints: list[str], way: Callable[[Route], None]
) -> None:
    server.answer = way
    box(chat).fill("Hold fast")
    send(chat).click()
    expect(named(chat, "You")).to_contain_text("Not sent.")
    expect(named(chat, "demo")).to_have_count(0)
    server.answer = server.accept
    chat.get_by_role("button", name="Retry").click()
    expect(chat.locator("article[id^='m-']")).to_have_count(2)
    assert len({sent["request_id"] for sent in server.sent}) == 1
    assert len(server.sent) == 2
    complaints.clear()


def test_an_unsent_message_is_not_announced_as_answered(
    chat: Page, server: Server, complaints: list[str]
) -> None:
    status = chat.locator("#status")
    answers: list[Callable[[Route], None]] = [
        Route.abort,
        lambda route: route.fulfill(status=409, headers={"X-Account": "another"}),
    ]
    for answer, told in zip(
        answers, ("", "Another account is signed in. Your draft is saved."), strict=True
    ):
        server.answer = server.held.append
        box(chat).fill("Hold fast")
        send(chat).click()
        expect(status).to_have_text("Replying…")
        server.until(lambda: len(server.held) > 0)
        answer(server.held.pop())
        expect(status).to_have_text(told)
    dialog = chat.get_by_role("dialog", name="You’re signed in to another account")
    dialog.get_by_role("button", name="Close").click()
    expect(box(chat)).to_have_value("Hold fast")
    server.answer = answers[1]
    send(chat).click()
    expect(dialog).to_be_visible()
    complaints.clear()


def test_an_unsent_message_stays_when_a_reply_above_is_regenerated(
    page: Page, server: Server, complaints: list[str]
) -> None:
    Files.pages[CHAT] = page_of(f"{CHAT}messages/", ended("Yes"))
    _, again = exchange("Yes")
    body = render_to_string("chat/messages/_new.html", {"message_views": [again]})
    page.route(
        "**/versions/", lambda route: route.fulfill(body=body, headers={"HX-Push-Url": CHAT})
    )
    page.goto(CHAT)
    server.answer = Route.abort
    box(page).fill("Hold fast")
    send(page).click()
    expect(named(page, "You").last).to_contain_text("Not sent.")
    page.get_by_role("button", name="Regenerate").click()
    expect(page.locator(f"#m-{again.id}")).to_be_visible()
    expect(named(page, "You").last).to_contain_text("Not sent.")
    complaints.clear()


@pytest.mark.parametrize(("whose", "act"), [("You", "Edit"), ("demo", "Regenerate")])
def test_a_message_stays_when_the_response_is_another_page(
    page: Page, server: Server, whose: str, act: str
) -> None:
    Files.pages[CHAT] = page_of(f"{CHAT}messages/", ended("Yes"))
    page.route("**/m/**", lambda route: route.fulfill(body="<p>Welcome to our network"))
    page.goto(CHAT)
    message = named(page, whose)
    message.hover()
    message.get_by_text(act, exact=True).or_(message.get_by_label(act)).first.click()
    expect(message).to_contain_text("Not sent. Try again.")
    expect(named(page, "You")).to_contain_text("Yes")


def test_an_unsent_message_survives_a_reload(
    chat: Page, server: Server, complaints: list[str]
) -> None:
    server.answer = lambda route: route.fulfill(status=503)
    box(chat).fill("Hold fast")
    send(chat).click()
    expect(named(chat, "You")).to_contain_text("Not sent.")
    chat.reload()
    expect(named(chat, "You")).to_contain_text("Hold fast")
    server.answer = server.accept
    chat.get_by_role("button", name="Retry").click()
    expect(chat.locator("article[id^='m-']")).to_have_count(2)
    assert len({sent["request_id"] for sent in server.sent}) == 1
    complaints.clear()


def test_an_earlier_message_with_the_same_text_is_not_taken_for_the_unsent_one(
    page: Page, server: Server, complaints: list[str]
) -> None:
    Files.pages[CHAT] = page_of(f"{CHAT}messages/", ended("Yes"))
    server.answer = lambda route: route.fulfill(status=503)
    page.goto(CHAT)
    box(page).fill("Yes")
    send(page).click()
    expect(named(page, "You").last).to_contain_text("Not sent.")
    page.reload()
    expect(named(page, "You")).to_have_count(2)
    expect(named(page, "You").last).to_contain_text("Not sent.")
    complaints.clear()


def test_a_message_whose_response_was_lost_is_not_shown_twice(
    chat: Page, server: Server, complaints: list[str]
) -> None:
    server.answer = lambda route: route.abort()
    box(chat).fill("Hold fast")
    send(chat).click()
    expect(named(chat, "You")).to_contain_text("Not sent.")
    question, answer = exchange("Hold fast")
    arrived = (question, replace(answer, request_id=server.sent[0]["request_id"]))
    Files.pages[CHAT] = page_of(f"{CHAT}messages/", arrived)
    chat.reload()
    expect(stop(chat)).to_be_visible()
    expect(named(chat, "You")).to_have_count(1)
    expect(chat.get_by_text("Not sent.")).to_have_count(0)
    complaints.clear()


def test_a_refused_message_returns_its_text(
    chat: Page, server: Server, complaints: list[str]
) -> None:
    body = render_to_string("chat/composer/_rejection.html", {"rejection": "No OpenAI API key."})
    server.answer = lambda route: route.fulfill(status=422, body=body)
    box(chat).fill("Hold fast")
    send(chat).click()
    expect(chat.get_by_role("alert")).to_contain_text("No OpenAI API key.")
    expect(box(chat)).to_have_value("Hold fast")
    expect(chat.get_by_role("article")).to_have_count(0)
    complaints.clear()


def test_a_draft_survives_signing_in(chat: Page, server: Server) -> None:
    Files.pages["/sign-in/"] = b"<!doctype html><link rel=icon href=/img/favicon.svg>Sign in"
    server.answer = lambda route: route.fulfill(headers={"HX-Redirect": "/sign-in/"})
    box(chat).fill("Hold fast")
    send(chat).click()
    chat.wait_for_url("**/sign-in/")
    chat.goto(CHAT)
    expect(box(chat)).to_have_value("Hold fast")
    expect(chat.get_by_role("article")).to_have_count(0)


def test_a_draft_and_its_settings_survive_a_reload(chat: Page) -> None:
    box(chat).fill("Half a tho")
    chat.get_by_role("combobox", name="Model").select_option("demo-slow")
    chat.locator(".settings-button").click()
    chat.get_by_label("Max tokens").fill("50")
    chat.reload()
    expect(box(chat)).to_have_value("Half a tho")
    expect(chat.get_by_role("combobox", name="Model")).to_have_value("demo-slow")
    expect(chat.locator("#settings-summary")).to_have_text("50 tokens")


def test_a_draft_drops_the_demo_once_there_is_a_better_model(page: Page, server: Server) -> None:
    """Unless it was chosen over that."""
    with override_settings(STORAGES=PLAIN_FILES, STATIC_URL="/static/"):
        openai = next(m.id for m in all_models() if m.provider == "openai")
        usable = page_of("/c/", model=openai).replace(b" disabled>", b">")
    Files.pages |= {"/?model=demo-fast": page_of_demo("demo-fast"), "/better/": usable}
    model = page.get_by_role("combobox", name="Model")
    for chosen in ("demo", "demo-slow"):
        page.goto("/new/")
        model.select_option(chosen)
        box(page).fill("Half a thought")
        page.goto("/better/")
        expect(box(page)).to_have_value("Half a thought")
        expect(model).to_have_value(openai)
    model.select_option("demo-slow")
    page.reload()
    expect(model).to_have_value("demo-slow")
    page.goto("/?model=demo-fast")
    expect(box(page)).to_have_value("Half a thought")
    expect(model).to_have_value("demo-fast")


def page_of_demo(model: str) -> bytes:
    with override_settings(STORAGES=PLAIN_FILES, STATIC_URL="/static/"):
        return page_of("/c/", model=model)


def test_a_draft_follows_the_branch_that_is_shown(page: Page, server: Server) -> None:
    """Written under one version of a reply, it goes to the one that it is sent from."""
    Files.pages[CHAT] = page_of(f"{CHAT}messages/", parent_id="one", known_leaf_id="one")
    page.goto(CHAT)
    box(page).fill("And then?")
    Files.pages[CHAT] = page_of(f"{CHAT}messages/", parent_id="two", known_leaf_id="three")
    page.reload()
    expect(box(page)).to_have_value("And then?")
    send(page).click()
    server.until(lambda: len(server.sent) == 1)
    assert (server.sent[0]["parent"], server.sent[0]["seen"]) == ("two", "three")


def test_signing_out_leaves_no_draft_behind(chat: Page) -> None:
    box(chat).fill("Between us")
    chat.route("**/accounts/logout/", lambda route: route.fulfill(status=204))
    chat.get_by_role("button", name="Sign out").click()
    chat.reload()
    expect(box(chat)).to_have_value("")


def test_stop_ends_the_reply_that_runs(chat: Page, server: Server) -> None:
    box(chat).fill("Go on for ever")
    send(chat).click()
    expect(chat.locator("article[id^='m-']")).to_have_count(2)
    stop(chat).click()
    expect(named(chat, "demo")).to_contain_text("Stopping…")
    server.until(lambda: len(server.stopped) == 1)
    assert server.stopped[0].endswith(f"/s/{STREAM}/stop/")


def test_a_stop_before_the_response_waits_until_there_is_a_stream_to_stop(
    chat: Page, server: Server
) -> None:
    server.answer = server.held.append
    box(chat).fill("Never mind")
    send(chat).click()
    stop(chat).click()
    server.accept(server.held[0])
    server.until(lambda: len(server.stopped) == 1)


def test_a_double_click_on_send_sends_once_and_stops_nothing(page: Page, server: Server) -> None:
    Files.pages[CHAT] = page_of(f"{CHAT}messages/", ended("Before"))
    page.goto(CHAT)
    box(page).fill("Once, please")
    send(page).dblclick()
    expect(page.locator("article[id^='m-']")).to_have_count(4)
    box(page).fill("Next")
    send(page).click()
    expect(page.locator("article[id^='m-']")).to_have_count(6)
    assert [sent["text"] for sent in server.sent] == ["Once, please", "Next"]
    assert server.stopped == []


def test_a_next_message_can_be_sent_while_a_reply_runs(chat: Page, server: Server) -> None:
    box(chat).fill("First")
    send(chat).click()
    expect(chat.locator("article[id^='m-']")).to_have_count(2)
    box(chat).fill("Second")
    send(chat).click()
    expect(chat.locator("article[id^='m-']")).to_have_count(4)
    assert [sent["text"] for sent in server.sent] == ["First", "Second"]


def test_a_new_chat_gets_its_own_address(page: Page, server: Server) -> None:
    page.goto("/new/")
    box(page).fill("Begin")
    send(page).click()
    page.wait_for_url(f"**{CHAT}")
    box(page).fill("Go on")
    send(page).click()
    expect(page.locator("article[id^='m-']")).to_have_count(4)


def test_text_typed_before_a_new_chat_has_its_address_stays_with_it(
    page: Page, server: Server
) -> None:
    server.answer = server.held.append
    page.goto("/new/")
    box(page).fill("Begin")
    send(page).click()
    box(page).fill("And then")
    server.until(lambda: len(server.held) == 1)
    server.accept(server.held[0])
    page.wait_for_url(f"**{CHAT}")
    page.reload()
    expect(box(page)).to_have_value("And then")
    page.goto("/new/")
    expect(send(page)).to_be_disabled()
    expect(box(page)).to_have_value("")


def test_request_ids_work_on_plain_http(page: Page, server: Server) -> None:
    page.add_init_script("delete Crypto.prototype.randomUUID")
    page.goto(CHAT)
    from_the_server = page.locator("input[name='request_id']").input_value()
    box(page).fill("Over the local network")
    send(page).click()
    expect(page.locator("article[id^='m-']")).to_have_count(2)
    assert server.sent[0]["request_id"][14] == "4"
    assert len(server.sent[0]["request_id"]) == 36
    assert server.sent[0]["request_id"] != from_the_server


def test_a_model_without_a_key_cannot_be_used(page: Page, server: Server) -> None:
    with override_settings(STORAGES=PLAIN_FILES, STATIC_URL="/static/"):
        openai = next(m.id for m in all_models() if m.provider == "openai")
        hint = "No OpenAI API key."
        Files.pages[CHAT] = page_of(f"{CHAT}messages/", model=openai, hint=hint)
    page.goto(CHAT)
    box(page).fill("Anybody?")
    expect(send(page)).to_be_disabled()
    expect(page.get_by_text(hint)).to_be_visible()
    page.get_by_role("combobox", name="Model").select_option("demo")
    expect(send(page)).to_be_enabled()
    expect(page.get_by_text(hint)).to_have_count(0)

"""The real page of a chat, from its templates and without a database, and a server whose answers a
test decides."""

import re
from collections.abc import Callable
from dataclasses import fields, replace
from time import monotonic
from typing import Any
from urllib.parse import parse_qs
from uuid import uuid4

from django.template.loader import render_to_string
from django.test import RequestFactory
from playwright.sync_api import Locator, Page, Route

from accounts.models import User
from chat.conversations.sidebar import Sidebar
from chat.presentation.composer import Composer
from chat.presentation.message_views import MessageView, build_blank_views
from chat.presentation.model_groups import ModelGroup
from chat.presentation.setting_rows import build_setting_rows
from streaming.providers.catalog import all_models, group_by_provider

SIDEBAR = re.compile(r"/sidebar/(?:\?|$)")  # its URL, and not those of its scripts
CONVERSATION = str(uuid4())
CHAT = f"/c/{CONVERSATION}/"
STREAM = str(uuid4())
NOTHING_IS_UNSENT = "!Object.keys(localStorage).some((key) => key.startsWith('unsent'))"


def render_chat_page(
    action: str,
    articles: tuple[MessageView, ...] = (),
    *,
    sidebar: Sidebar | None = None,
    **composer: Any,
) -> bytes:
    groups = tuple(
        ModelGroup(provider, not provider.needs_key, models)
        for provider, models in group_by_provider(all_models()).items()
    )
    blank_fields = dict.fromkeys((field.name for field in fields(Composer)), "")
    model = next(model for model in all_models() if model.id == composer.get("model", "demo"))
    defaults = {
        "action": action,
        "request_id": str(uuid4()),
        "model": "demo",
        "is_model_unavailable": False,
        "settings": build_setting_rows({}, model),
    }
    form = Composer(**(blank_fields | defaults | {"groups": groups} | composer))  # type: ignore[arg-type]
    context = {
        "conversation": action != "/c/",
        "title": "Tides",
        "message_views": articles,
        "composer": form,
        "sidebar": sidebar or Sidebar([]),
        "open": "",
        "starters": (),
        **build_blank_views(),
        "user": User(email="owner@holdfast.test"),
    }
    request = RequestFactory().get("/")
    return render_to_string("chat/page.html", context, request).encode()


def build_running_exchange(text: str) -> tuple[MessageView, MessageView]:
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


def build_ended_exchange(text: str) -> tuple[MessageView, MessageView]:
    question, answer = build_running_exchange(text)
    return question, replace(answer, state="completed")


class ChatServer:
    """Answers the requests of the page, and records them."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.sent: list[dict[str, str]] = []
        self.stopped: list[str] = []
        self.answer: Callable[[Route], None] = self.accept
        self.held: list[Route] = []
        page.route_web_socket("**/ws/", lambda socket: None)
        page.route(SIDEBAR, lambda route: route.fulfill(body=""))
        page.route("**/messages/", self.record_message)
        page.route("**/c/", self.record_message)
        page.route("**/stop/", self.record_stop)
        page.route("**/drafts/**", lambda route: route.fulfill(json={}))

    def record_message(self, route: Route) -> None:
        fields = parse_qs(route.request.post_data or "", keep_blank_values=True)
        self.sent.append({name: values[0] for name, values in fields.items()})
        self.answer(route)

    def record_stop(self, route: Route) -> None:
        self.stopped.append(route.request.url)
        route.fulfill(status=204)

    def accept(self, route: Route) -> None:
        articles = build_running_exchange(self.sent[-1]["text"])
        body = render_to_string("chat/messages/_new.html", {"message_views": articles})
        headers = {"HX-Push-Url": CHAT} if route.request.url.endswith("/c/") else {}
        route.fulfill(body=body, headers=headers)

    def wait_until(self, condition: Callable[[], bool]) -> None:
        deadline = monotonic() + 10
        while not condition():
            assert monotonic() < deadline
            self.page.wait_for_timeout(20)


def find_articles(page: Page, name: str) -> Locator:
    return page.get_by_role("article", name=name, exact=True)

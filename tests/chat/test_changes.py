"""Every tab and device of a person shows the same list: old state + events == freshly
fetched state, with bells and without."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore

from accounts.models import User
from chat import conversations, replies
from chat.conversations.sidebar import SidebarRow, load_sidebar
from chat.models import Conversation
from chat.replies import ReplySettings
from streaming import hub as hubs
from streaming import lifecycle
from streaming.database import run_in_db
from streaming.doors.websocket import consumer
from streaming.doors.websocket.consumer import FollowConsumer
from streaming.models import Stream
from tools.waiting import until_async

pytestmark = pytest.mark.django_db(transaction=True)

A_SECOND = 1.0
STEPS = 25


class Tab:
    """A page that fetches its list again whenever it sees another revision than its own."""

    def __init__(self, user: User, session: SessionStore) -> None:
        self.user = user
        self.list: list[SidebarRow] = []
        self._revision = -1
        cookie = f"{settings.SESSION_COOKIE_NAME}={session.session_key}".encode()
        headers = [(b"cookie", cookie)]
        self._socket = WebsocketCommunicator(FollowConsumer.as_asgi(), "/ws/", headers)

    async def open(self) -> None:
        await self._socket.connect()
        self._reading = asyncio.create_task(self._read())

    async def close(self) -> None:
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)
        await self._socket.disconnect()

    async def _read(self) -> None:
        while True:
            frame: dict[str, Any] = json.loads(await self._socket.receive_from(timeout=60))
            if frame["type"] == "ping":
                pong = {"type": "pong", "n": frame["n"]}
                await self._socket.send_to(text_data=json.dumps(pong))
            if frame.get("revision", self._revision) != self._revision:
                self._revision = frame["revision"]
                self.list = (await run_in_db(load_sidebar, self.user)).rows


@pytest.fixture
async def tabs(owner: User) -> AsyncIterator[list[Tab]]:
    hubs.get_hub()
    session = await run_in_db(signed_in, owner)
    tabs = [Tab(owner, session), Tab(owner, session)]
    for tab in tabs:
        await tab.open()
    yield tabs
    for tab in tabs:
        await tab.close()
    await hubs.close()


def signed_in(user: User) -> SessionStore:
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.create()
    return session


def do_something(user: User, dice: random.Random) -> None:
    """Start, answer, stop, rename or delete, as it falls."""
    mine = list(Conversation.objects.filter(user=user).order_by("id"))
    chosen = dice.choice(mine) if mine else None
    match dice.choice(["start", "answer", "stop", "rename", "delete"]):
        case "rename" if chosen:
            conversations.rename(chosen, f"Renamed {dice.random()}")
        case "delete" if chosen:
            conversations.delete(chosen)
        case "stop" if chosen:
            for stream in Stream.objects.unfinished().filter(lane=str(chosen.pk)):
                lifecycle.stop(stream.pk)
        case "answer" if chosen:
            ask(user, chosen)
        case _:
            ask(user, None)


def ask(user: User, conversation: Conversation | None) -> None:
    replies.start_reply(
        user,
        text=f"Question {uuid4()}",
        request_id=uuid4(),
        reply_settings=ReplySettings("demo"),
        conversation=conversation,
    )


async def agree(tabs: list[Tab], user: User, within: float) -> None:
    fresh = (await run_in_db(load_sidebar, user)).rows

    async def same() -> bool:
        return all(tab.list == fresh for tab in tabs)

    await until_async(same, within=within, what="both tabs show what is fetched now")


async def test_old_state_and_events_make_the_freshly_fetched_state(
    owner: User, tabs: list[Tab]
) -> None:
    dice = random.Random(7)
    for _ in range(STEPS):
        await run_in_db(do_something, owner, dice)
        await agree(tabs, owner, within=10 * A_SECOND)


async def test_lost_bells_heal_with_the_next_ping(
    owner: User, tabs: list[Tab], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hubs.get_hub(), "notify", lambda group, body: None)
    dice = random.Random(8)
    for _ in range(5):
        await run_in_db(do_something, owner, dice)
    await agree(tabs, owner, within=3 * consumer.PING_INTERVAL_SECONDS)


async def test_nobody_hears_of_somebody_elses_conversations(
    owner: User, stranger: User, tabs: list[Tab]
) -> None:
    await run_in_db(ask, stranger, None)
    await run_in_db(ask, owner, None)
    await agree(tabs, owner, within=10 * A_SECOND)
    assert all(len(tab.list) == 1 for tab in tabs)

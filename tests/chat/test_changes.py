"""All tabs of a person show the same list: an old list and the notifications since then give the
list that is loaded now, even if notifications are lost."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest
from channels.testing import WebsocketCommunicator
from django.conf import settings

from accounts.models import User
from chat import conversations
from chat.conversations.sidebar import SidebarRow, load_sidebar
from chat.models import Conversation
from streaming import hub as hubs
from streaming import lifecycle
from streaming.database import run_in_db
from streaming.doors import session_holder
from streaming.doors.websocket.consumer import FollowConsumer
from streaming.models import Stream
from tests.chat.factories import start_reply
from tests.factories import create_session_key
from tools.waiting import until_async

pytestmark = pytest.mark.django_db(transaction=True)

SYNC_TIMEOUT_SECONDS = 10.0
STEPS = 25


class SidebarTab:
    """A page that reloads its list when it sees another revision than its own."""

    def __init__(self, user: User, session_key: str) -> None:
        self.user = user
        self.list: list[SidebarRow] = []
        self._revision = -1
        cookie = f"{settings.SESSION_COOKIE_NAME}={session_key}".encode()
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
async def tabs(owner: User) -> AsyncIterator[list[SidebarTab]]:
    hubs.get_hub()
    session_key = await run_in_db(create_session_key, owner)
    tabs = [SidebarTab(owner, session_key), SidebarTab(owner, session_key)]
    for tab in tabs:
        await tab.open()
    yield tabs
    for tab in tabs:
        await tab.close()
    await hubs.close()


def change_something(user: User, random_choices: random.Random) -> None:
    """Start, answer, stop, rename or delete a random conversation."""
    own = list(Conversation.objects.filter(user=user).order_by("id"))
    chosen = random_choices.choice(own) if own else None
    match random_choices.choice(["start", "answer", "stop", "rename", "delete"]):
        case "rename" if chosen:
            conversations.rename(chosen, f"Renamed {random_choices.random()}")
        case "delete" if chosen:
            conversations.delete(chosen)
        case "stop" if chosen:
            for stream in Stream.objects.unfinished().filter(lane=str(chosen.pk)):
                lifecycle.stop(stream.pk)
        case "answer" if chosen:
            start_reply(user, conversation=chosen)
        case _:
            start_reply(user)


async def expect_same_list(tabs: list[SidebarTab], user: User, within: float) -> None:
    fresh = (await run_in_db(load_sidebar, user)).rows

    async def is_same() -> bool:
        return all(tab.list == fresh for tab in tabs)

    await until_async(is_same, within=within, what="both tabs show the current list")


async def test_a_list_that_follows_events_equals_a_freshly_loaded_one(
    owner: User, tabs: list[SidebarTab]
) -> None:
    random_choices = random.Random(7)
    for _ in range(STEPS):
        await run_in_db(change_something, owner, random_choices)
        await expect_same_list(tabs, owner, within=SYNC_TIMEOUT_SECONDS)


async def test_the_next_ping_makes_up_for_lost_notifications(
    owner: User, tabs: list[SidebarTab], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hubs.get_hub(), "notify", lambda group, body: None)
    random_choices = random.Random(8)
    for _ in range(5):
        await run_in_db(change_something, owner, random_choices)
    await expect_same_list(tabs, owner, within=3 * session_holder.SESSION_CHECK_SECONDS)


async def test_changes_of_another_user_are_not_notified(
    owner: User, stranger: User, tabs: list[SidebarTab]
) -> None:
    await run_in_db(start_reply, stranger)
    await run_in_db(start_reply, owner)
    await expect_same_list(tabs, owner, within=SYNC_TIMEOUT_SECONDS)
    assert all(len(tab.list) == 1 for tab in tabs)

"""One value that can't be stored or found fails alone, whatever was handled together with it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.db import DataError
from django.db.models.functions import Now

from accounts import server_lists
from accounts.models import ListStatus, ServerList, User
from chat import conversations
from chat.conversations import actions
from chat.models import Conversation
from streaming import journal
from streaming.access import find_stream
from streaming.batching import BatchLoader
from streaming.database import run_in_db
from streaming.doors import sessions
from streaming.models import Stream
from tests.factories import create_session_key
from tests.streaming.factories import queue_stream

pytestmark = pytest.mark.django_db(transaction=True)

HUGE = 10**30
BAD_USER_IDS = [str(HUGE), "-1", "1" * 400, "x", "", "\0", "1.5", "\ud800"]


@pytest.mark.parametrize("bad", BAD_USER_IDS)
async def test_a_session_with_an_impossible_user_fails_alone(owner: User, bad: str) -> None:
    """Its data is signed, so only a bug of ours or an older version can have written it."""
    good = [await run_in_db(create_session_key, owner) for _ in range(5)]
    store = SessionStore()
    store[SESSION_KEY] = bad
    await run_in_db(store.save)
    assert store.session_key
    keys = [*good[:3], store.session_key, "\0" * 32, "a" * 5_000, *good[3:]]
    loads = [sessions.load_session_user(key) for key in keys]
    found = await asyncio.gather(*loads, return_exceptions=True)
    assert [user == owner for user in found] == [True] * 3 + [False] * 3 + [True] * 2


async def test_ids_that_no_database_holds_fail_alone(owner: User) -> None:
    streams = [await run_in_db(queue_stream, owner) for _ in range(4)]
    loader = BatchLoader(journal.read_chunks, max_batch_size=20)
    cursors = [(stream.pk, -1) for stream in streams]
    cursors[2:2] = [(HUGE, -1), (streams[0].pk, HUGE)]
    found = await asyncio.gather(*map(loader.load, cursors), return_exceptions=True)
    heads = [entry[0].id if isinstance(entry, tuple) else None for entry in found]
    first, second, third, fourth = (stream.pk for stream in streams)
    assert heads[:2] + heads[4:] == [first, second, third, fourth]
    assert heads[2] is None


async def test_streams_asked_for_together_fail_alone(owner: User, stranger: User) -> None:
    mine = [await run_in_db(queue_stream, owner) for _ in range(4)]
    theirs = await run_in_db(queue_stream, stranger)
    wanted = [*(stream.uuid for stream in mine[:2]), uuid4(), theirs.uuid, mine[2].uuid]
    loads = [find_stream(owner, uuid) for uuid in wanted]
    found = await asyncio.gather(*loads, return_exceptions=True)
    assert [isinstance(one, Stream) for one in found] == [True, True, False, False, True]


def test_a_list_that_can_t_be_stored_leaves_those_of_other_servers_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    addresses = {name: f"http://{name}.example/v1" for name in ("bad", "kelp", "wrack")}
    monkeypatch.setattr(server_lists, "_list_addresses", lambda: addresses)
    monkeypatch.setattr(server_lists, "_request_list", lambda _: (ListStatus.REFUSED, ()))
    save = server_lists._save

    def save_or_fail(provider: str, address: str, answer: server_lists.Answer) -> None:
        if provider == "bad":
            raise DataError("unsupported Unicode escape sequence")
        save(provider, address, answer)

    monkeypatch.setattr(server_lists, "_save", save_or_fail)
    server_lists.refresh_lists()
    listed = ServerList.objects.filter(status=ListStatus.REFUSED).order_by("provider")
    assert [row.provider for row in listed] == ["kelp", "wrack"]
    assert "bad can't be stored" in caplog.text


def test_a_conversation_that_can_t_be_deleted_does_not_hold_up_others(
    owner: User, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    past = Now() - timedelta(minutes=1)
    rows = [Conversation.objects.create(user=owner, deleted_at=past) for _ in range(4)]
    delete = conversations.delete

    def delete_or_fail(conversation: Conversation) -> None:
        if conversation.pk == rows[1].pk:
            raise ValueError("broken")
        delete(conversation)

    monkeypatch.setattr(actions, "delete", delete_or_fail)
    conversations.purge_deleted()
    assert [row.pk for row in Conversation.objects.all()] == [rows[1].pk]
    assert "could not be deleted" in caplog.text

"""Deactivated means stopped: nothing of the person runs, is stored or is shown any more."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from chat.drafts.models import Draft
from chat.models import Message
from streaming import lifecycle
from streaming.doors import sessions
from streaming.models import State, Stream
from tests.chat.factories import HTMX, build_message_form, start_reply
from tests.factories import create_session_key, create_signed_in_client

pytestmark = pytest.mark.django_db(transaction=True)


def deactivate_by_save(user: User) -> None:
    user.is_active = False
    user.save()


def deactivate_by_sql(user: User) -> None:
    """As an operator does; a worker notices within a second."""
    User.objects.filter(pk=user.pk).update(is_active=False)
    lifecycle.stop_streams_of_inactive_owners()


DEACTIVATE = {"save": deactivate_by_save, "sql": deactivate_by_sql}


@pytest.mark.parametrize("way", DEACTIVATE)
def test_running_and_queued_replies_and_titles_stop(owner: User, colleague: User, way: str) -> None:
    streams = [start_reply(owner).stream for _ in range(3)]
    lifecycle.claim(lifecycle.register_worker("test"), 1)
    titles = [
        lifecycle.enqueue(owner=owner, request_id=uuid4(), source="title", arguments={})
        for _ in range(2)
    ]
    theirs = start_reply(colleague).stream
    DEACTIVATE[way](owner)
    ids = [stream.pk for stream in streams]
    states = Stream.objects.filter(pk__in=ids).values_list("state", flat=True)
    assert [*states] == [State.STOPPED] * 3
    assert all(Stream.objects.get(pk=title.pk).ended_at for title in titles)
    assert Stream.objects.get(pk=theirs.pk).state == State.QUEUED
    assert lifecycle.claim(lifecycle.register_worker("later"), 10) != []
    assert not Stream.objects.unfinished().filter(owner=owner).exists()


@pytest.mark.parametrize("way", DEACTIVATE)
def test_every_browser_is_signed_out(owner: User, way: str) -> None:
    browsers = [create_signed_in_client(owner) for _ in range(2)]
    keys = [create_session_key(owner) for _ in range(2)]
    DEACTIVATE[way](owner)
    for browser in browsers:
        assert browser.get("/settings/keys/").headers["Location"].startswith("/accounts/login/")
    assert sessions._load_session_users(keys) == {}


def post_draft(client: Client) -> int:
    form = {"text": "half", "base": 0, "version": 1, "writer": str(uuid4())}
    return client.post(f"/drafts/{uuid4()}/", form, headers=HTMX).status_code


def test_no_message_draft_key_or_check_is_accepted(owner: User) -> None:
    client = create_signed_in_client(owner)
    reply = start_reply(owner)
    deactivate_by_save(owner)
    before = Message.objects.count()
    with CaptureQueriesContext(connection) as queries:
        post_draft(client)
        client.post("/settings/keys/openai/", {"key": "sk-harbour-0123456789"})
        client.post("/settings/keys/openai/check/")
        client.post(f"/m/{reply.answer.pk}/versions/", {"request_id": str(uuid4())})
        client.post(f"/s/{reply.stream.uuid}/stop/")
    assert not any("accounts_apikey" in query["sql"] for query in queries)
    assert (Message.objects.count(), Draft.objects.count()) == (before, 0)
    client.post("/c/", build_message_form(), headers=HTMX)  # becomes the draft of a visitor
    assert Message.objects.count() == before

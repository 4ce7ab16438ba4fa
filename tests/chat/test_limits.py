"""Limits for one person: unfinished replies, messages per minute and characters."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from uuid import uuid4

import pytest
from django.db.models import F
from django.test import Client
from pytest_django import Settings

from accounts.api_keys import keys
from accounts.models import User
from chat import model_catalog, replies
from chat.conversations.deletion import delete
from chat.deleted_sizes import delete_old_sizes, remember_sizes
from chat.models import Conversation, DeletedSize, Message
from chat.replies import Reply, ReplyRejected
from chat.replies.limits import ROW_CHARS
from streaming import lifecycle
from streaming.lifecycle import Ending
from streaming.models import State, Stream
from streaming.providers import catalog
from streaming.providers.catalog import Model, Provider
from tests.accounts.connections import create_connection
from tests.chat.factories import HTMX, finish_reply, start_reply
from tests.factories import create_signed_in_client, run_at_once

pytestmark = pytest.mark.django_db


def expect_rejection(user: User, text: str = "Why?", *, system_prompt: str = "") -> str:
    """The sentence of the rejection. Nothing may have been written."""
    before = Conversation.objects.count(), Message.objects.count(), Stream.objects.count()
    with pytest.raises(ReplyRejected) as refused:
        start_reply(user, text, system_prompt=system_prompt)
    after = Conversation.objects.count(), Message.objects.count(), Stream.objects.count()
    assert after == before
    return refused.value.message


def age_streams(**time: float) -> None:
    Stream.objects.update(created_at=F("created_at") - timedelta(**time))


def test_unfinished_replies_are_limited_until_one_ends(
    owner: User, colleague: User, settings: Settings
) -> None:
    settings.MAX_UNFINISHED_REPLIES_PER_USER = 3
    streams = [start_reply(owner).stream for _ in range(3)]
    expected = "You have 3 replies running or waiting. Wait for one to finish, or stop one."
    assert expect_rejection(owner) == expected
    start_reply(colleague)
    lifecycle.stop(streams[1].pk)
    start_reply(owner)
    assert expect_rejection(owner) == expected


def test_a_repeated_request_is_answered_at_the_limit(owner: User, settings: Settings) -> None:
    settings.MAX_UNFINISHED_REPLIES_PER_USER = 1
    request = uuid4()
    first = start_reply(owner, request_id=request)
    assert start_reply(owner, request_id=request).answer == first.answer
    assert Stream.objects.count() == 1


def test_messages_per_minute_are_limited_and_titles_do_not_count(
    owner: User, settings: Settings
) -> None:
    settings.MAX_MESSAGES_PER_MINUTE = 2
    for _ in range(5):
        lifecycle.enqueue(owner=owner, request_id=uuid4(), source="title", arguments={})
    start_reply(owner)
    start_reply(owner)
    assert "within a minute" in expect_rejection(owner)
    age_streams(seconds=61)
    start_reply(owner)


@pytest.mark.parametrize("verb", ["edit", "regenerate", "continue"])
def test_versions_and_continuations_count_as_messages(
    owner: User, settings: Settings, verb: str
) -> None:
    reply = start_reply(owner)
    finish_reply(reply, ending=Ending(State.STOPPED))
    settings.MAX_MESSAGES_PER_MINUTE = 2
    chosen = replies.ReplySettings("demo")
    calls = {
        "edit": partial(
            replies.edit_question,
            owner,
            question=reply.question,
            text="How?",
            reply_settings=chosen,
        ),
        "regenerate": partial(
            replies.regenerate_answer, owner, answer=reply.answer, reply_settings=chosen
        ),
        "continue": partial(
            replies.continue_reply, owner, answer=Message.objects.get(pk=reply.answer.pk)
        ),
    }
    created = calls[verb](request_id=uuid4())
    assert created.stream.pool == "demo"
    lifecycle.stop(created.stream.pk)
    with pytest.raises(ReplyRejected, match="within a minute"):
        calls[verb](request_id=uuid4())


def test_characters_are_limited_per_minute_and_per_day(owner: User, settings: Settings) -> None:
    settings.MAX_CHARS_PER_MINUTE, settings.MAX_CHARS_PER_DAY = 1_000, 2_500
    assert start_reply(owner, "x" * 400, system_prompt="y" * 500).stream.size == 900
    assert "a lot of text within a minute" in expect_rejection(owner, "x" * 101)
    assert "a lot of text within a minute" in expect_rejection(owner, "x", system_prompt="y" * 100)
    start_reply(owner, "x" * 100)
    age_streams(seconds=61)
    start_reply(owner, "x" * 1_000)
    age_streams(seconds=61)
    assert "limit of text for one day" in expect_rejection(owner, "x" * 501)
    start_reply(owner, "x" * 500)
    age_streams(days=1)
    start_reply(owner, "x" * 1_000)


def test_a_single_long_message_is_always_accepted(owner: User, settings: Settings) -> None:
    settings.MAX_CHARS_PER_MINUTE = settings.MAX_CHARS_PER_DAY = 10
    start_reply(owner, "x" * 400_000)


def test_a_continuation_counts_with_the_text_of_its_reply(owner: User, settings: Settings) -> None:
    reply = start_reply(owner)
    finish_reply(reply, "word " * 100, Ending(State.STOPPED))
    settings.MAX_CHARS_PER_MINUTE = 100
    answer = Message.objects.get(pk=reply.answer.pk)
    with pytest.raises(ReplyRejected, match="a lot of text"):
        replies.continue_reply(owner, answer=answer, request_id=uuid4())


@pytest.mark.django_db(transaction=True)
def test_messages_sent_at_once_cannot_exceed_the_limit_together(
    owner: User, settings: Settings
) -> None:
    settings.MAX_UNFINISHED_REPLIES_PER_USER = 2
    results = run_at_once(*[partial(start_reply, owner) for _ in range(5)])
    assert sum(isinstance(result, Reply) for result in results) == 2
    assert sum(isinstance(result, ReplyRejected) for result in results) == 3


@pytest.mark.django_db(transaction=True)
def test_equal_requests_at_once_create_one_reply_even_at_the_limit(
    owner: User, settings: Settings
) -> None:
    settings.MAX_UNFINISHED_REPLIES_PER_USER = 1
    created = run_at_once(*[partial(start_reply, owner, request_id=uuid4())] * 3)
    assert [isinstance(result, Reply) for result in created] == [True] * 3
    assert Stream.objects.count() == 1


@pytest.mark.parametrize("headers", [HTMX, {}], ids=["with scripts", "without"])
def test_a_page_explains_the_limit_and_keeps_the_text(
    owner: User, settings: Settings, headers: dict[str, str]
) -> None:
    settings.MAX_UNFINISHED_REPLIES_PER_USER = 0
    client: Client = create_signed_in_client(owner)
    form = {"text": "Half a thought", "model": "demo", "request_id": str(uuid4())}
    answer = client.post("/c/", form, headers=headers)
    assert answer.status_code == 422
    shown = answer.content.decode()
    assert "Wait for one to finish, or stop one." in shown
    assert headers or "Half a thought</textarea>" in shown
    settings.MAX_UNFINISHED_REPLIES_PER_USER = 1
    assert client.post("/c/", form, headers=HTMX).status_code == 200


def test_models_without_a_key_share_limited_places(
    owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = Provider("ollama", "Ollama", needs_key=False)
    monkeypatch.setitem(catalog.PROVIDERS, "ollama", provider)
    own_model = Model("ollama/llama", "ollama", "Llama")
    keys.save(owner, "openai", "sk-test-0123456789abcdef")
    known = model_catalog.load_models(owner) | {own_model.key: own_model}
    monkeypatch.setattr(model_catalog, "load_models", lambda user: known)
    models = ("demo", "ollama/llama", "gpt-4o-mini")
    assert [start_reply(owner, model=id).stream.pool for id in models] == ["demo", "keyless", ""]


# Deactivated users


@pytest.mark.django_db(transaction=True)
def test_deactivating_a_person_stops_their_replies(owner: User, colleague: User) -> None:
    [runs, waits], theirs = [start_reply(owner), start_reply(owner)], start_reply(colleague)
    lifecycle.claim(lifecycle.register_worker("test"), 1)
    owner.is_active = False
    owner.save()
    states = [Stream.objects.get(pk=reply.stream.pk).state for reply in (runs, waits, theirs)]
    assert states == ["stopped", "stopped", "queued"]
    statuses = Conversation.objects.filter(user=owner).values_list("status", flat=True)
    assert set(statuses) == {Conversation.ReplyStatus.COMPLETED}


@pytest.mark.django_db(transaction=True)
def test_another_change_of_a_person_stops_nothing(owner: User) -> None:
    reply = start_reply(owner)
    owner.name = "Olive"
    owner.save()
    assert Stream.objects.get(pk=reply.stream.pk).state == State.QUEUED


def test_deleting_chats_makes_no_room_for_the_limit_of_a_day(
    owner: User, settings: Settings
) -> None:
    settings.MAX_CHARS_PER_DAY = 100
    conversation = start_reply(owner, "x" * 80).conversation
    remember_sizes(conversation.pk, owner.pk, Stream.objects.all())  # a deletion that broke off
    delete(conversation)
    assert not Stream.objects.exists()
    assert [row.size for row in DeletedSize.objects.all()] == [80]
    assert "one day" in expect_rejection(owner, "x" * 30)
    DeletedSize.objects.update(sent_at=F("sent_at") - timedelta(days=1, seconds=1))
    start_reply(owner, "x" * 30)
    delete_old_sizes()
    assert not DeletedSize.objects.exists()


def test_the_system_prompt_of_each_reply_counts_as_stored(owner: User) -> None:
    reply = start_reply(owner, "Why?", system_prompt="y" * 1_000)
    rows = 2 * ROW_CHARS
    assert Conversation.objects.get().stored_chars == 1_004 + rows
    finish_reply(reply, "Because.", Ending(State.STOPPED))
    replies.continue_reply(owner, answer=reply.answer, request_id=uuid4())
    assert Conversation.objects.get().stored_chars == 2_004 + len("Because.") + rows + ROW_CHARS


def test_replies_with_keys_of_the_installation_have_a_pool(owner: User, settings: Settings) -> None:
    """People with keys of their own have the rest of a worker."""
    create_connection()
    assert start_reply(owner, model="gpt-4o-mini").stream.pool == "shared"
    keys.save(owner, "openai", "sk-own-0123456789")
    assert start_reply(owner, model="gpt-4o-mini").stream.pool == ""
    assert settings.STREAMING_POOLS["shared"] < settings.STREAMING_MAX_STREAMS_PER_WORKER

"""A person may store a number of characters in all; deleting chats makes room."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.db import connection
from django.db.models import Sum
from django.db.models.functions import Length
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from accounts.models import User
from chat import conversations, replies
from chat.models import Conversation, Message
from chat.replies import ReplyRejected, limits, storage
from chat.replies.limits import ROW_CHARS
from streaming import lifecycle
from streaming.lifecycle import Ending
from streaming.models import State
from streaming.sources import get_periodic_tasks
from tests.chat.factories import finish_reply, start_reply
from tests.chat.test_limits import expect_rejection
from tests.factories import create_signed_in_client
from tests.streaming.factories import append_chunks

pytestmark = pytest.mark.django_db


def count_messages(user: User) -> int:
    """Scan all messages. Each row counts, also that of a conversation."""
    own = Message.objects.filter(conversation__user=user, conversation__deleted_at=None)
    total = int(own.aggregate(total=Sum(Length("content") + Length("reasoning")))["total"] or 0)
    chats = Conversation.objects.filter(user=user, deleted_at=None)
    return total + ROW_CHARS * (own.count() + chats.count())


def test_the_count_is_that_of_all_messages_after_every_verb(owner: User) -> None:
    reply = start_reply(owner, "Why do kelp forests hold fast?")
    rows = 3 * ROW_CHARS
    assert limits.sum_stored_chars(owner) == count_messages(owner) == 30 + rows
    finish_reply(reply, "They hold ", Ending(State.STOPPED))
    assert limits.sum_stored_chars(owner) == count_messages(owner) == 40 + rows
    chosen = replies.ReplySettings("demo")
    answer = Message.objects.get(pk=reply.answer.pk)
    continued = replies.continue_reply(owner, answer=answer, request_id=uuid4())
    [stream] = lifecycle.claim(lifecycle.register_worker("test"), 1)
    append_chunks(stream, "on to rock.")
    lifecycle.stop(continued.stream.pk)
    another = ROW_CHARS  # a continuation has a stream of its own
    assert limits.sum_stored_chars(owner) == count_messages(owner) + another == 51 + rows + another
    edited = replies.edit_question(
        owner, question=reply.question, text="How? 🌊", request_id=uuid4(), reply_settings=chosen
    )
    finish_reply(edited, "So.")
    again = replies.regenerate_answer(
        owner, answer=answer, request_id=uuid4(), reply_settings=chosen
    )
    finish_reply(again, "Otherwise.", Ending(State.FAILED, "broken", "It broke."))
    assert limits.sum_stored_chars(owner) == count_messages(owner) + another


def test_stored_text_is_limited_and_a_deleted_chat_makes_room(
    owner: User, colleague: User, settings: Settings
) -> None:
    rows = 3 * ROW_CHARS
    settings.MAX_STORED_CHARS_PER_USER = 100 + rows
    reply = start_reply(owner, "x" * 60)
    finish_reply(reply, "y" * 30)
    sentence = expect_rejection(owner, "x" * 11)
    assert sentence.startswith("Your chats have reached the limit of stored text. Delete chats")
    settings.MAX_STORED_CHARS_PER_USER = 100 + 2 * rows
    start_reply(owner, "x" * 10)
    start_reply(colleague, "x" * 90)
    conversations.soft_delete(reply.conversation)
    start_reply(owner, "x" * 80)


def test_chats_with_hardly_any_text_are_limited(owner: User, settings: Settings) -> None:
    settings.MAX_STORED_CHARS_PER_USER = 20 * ROW_CHARS
    for _ in range(6):
        finish_reply(start_reply(owner, "?"), "!", Ending(State.STOPPED))
    assert "limit of stored text" in expect_rejection(owner, "?" * 2 * ROW_CHARS)


def test_the_form_says_so_and_keeps_the_text(owner: User, settings: Settings) -> None:
    settings.MAX_STORED_CHARS_PER_USER = 10
    start_reply(owner, "x" * 10)
    client = create_signed_in_client(owner)
    form = {"text": "One more", "model": "demo", "request_id": str(uuid4())}
    page = client.post("/c/", form).content.decode()
    assert "reached the limit of stored text" in page
    assert "One more" in page


def test_versions_are_limited_too(owner: User, settings: Settings) -> None:
    reply = start_reply(owner, "x" * 50)
    finish_reply(reply, "y" * 50)
    settings.MAX_STORED_CHARS_PER_USER = 90
    chosen = replies.ReplySettings("demo")
    with pytest.raises(ReplyRejected, match="limit of stored text"):
        replies.regenerate_answer(
            owner, answer=reply.answer, request_id=uuid4(), reply_settings=chosen
        )


def test_a_check_reads_no_messages(owner: User) -> None:
    start_reply(owner)
    with CaptureQueriesContext(connection) as queries:
        limits.sum_stored_chars(owner)
    assert len(queries) == 1
    assert Message._meta.db_table not in queries[0]["sql"]


def test_a_worker_counts_the_chats_of_an_older_version_in_bounded_batches(
    owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert storage.count_stored_chars in get_periodic_tasks()
    for number in range(5):
        finish_reply(start_reply(owner, "x" * number + "?"), "an answer")
    Conversation.objects.create(user=owner)
    total = limits.sum_stored_chars(owner)
    Conversation.objects.update(stored_chars=None)
    monkeypatch.setattr(storage, "CONVERSATIONS_PER_BATCH", 2)
    monkeypatch.setattr(storage, "MAX_BATCHES", 1)
    for remaining in (4, 2, 0):
        storage.count_stored_chars()
        assert Conversation.objects.filter(stored_chars=None).count() == remaining
    assert limits.sum_stored_chars(owner) == total == count_messages(owner)


def test_a_chat_without_a_count_stays_so_until_a_worker_counts_it(owner: User) -> None:
    reply = start_reply(owner)
    Conversation.objects.update(stored_chars=None)
    finish_reply(reply, "An answer")
    assert Conversation.objects.get().stored_chars is None
    storage.count_stored_chars()
    assert limits.sum_stored_chars(owner) == count_messages(owner)


def test_the_page_of_a_person_at_the_limit_works(owner: User, settings: Settings) -> None:
    settings.MAX_STORED_CHARS_PER_USER = 1
    start_reply(owner)
    assert Client().get("/").status_code == 200
    assert create_signed_in_client(owner).get("/").status_code == 200

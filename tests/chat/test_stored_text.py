"""The reasoning of a reply stays out of its text, the title and the next turns, however it came."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.test import Client

from accounts.api_keys import keys
from accounts.models import User
from chat import replies
from chat.models import Message
from chat.replies import Reply, titles
from chat.replies.stored_text import remove_stored_reasoning
from streaming import lifecycle
from streaming.events import Finish, StreamText
from streaming.lifecycle import Ending
from streaming.models import Stream
from streaming.providers.reasoning_mark import REASONING_MARK
from streaming.providers.reply_source import ReplySource
from streaming.providers.types import CONTINUE_PROMPT, Turn
from tests.chat.factories import (
    claim_reply,
    find_article,
    finish_reply,
    get_path,
    read_html,
    start_reply,
    write_reply,
)

pytestmark = pytest.mark.django_db
TAGGED = "<think>\nThey greet me.\n</think>\n\n**Hello!**"


@pytest.fixture
def tagged_reply(owner: User) -> Reply:
    """A reply that an earlier version stored as a server sent it."""
    keys.save(owner, "openai", "sk-harbour-0123456789-ab12")
    reply = start_reply(owner, "Hi", model="gpt-4.1")
    finish_reply(reply)
    Message.objects.filter(pk=reply.answer.pk).update(content=TAGGED, provider="removed")
    reply.answer.refresh_from_db()
    return reply


def prepare_next(owner: User, reply: Reply) -> ReplySource:
    later = start_reply(owner, "And now?", reply.conversation, model="gpt-4.1")
    source = replies.prepare(claim_reply(later), StreamText())
    assert isinstance(source, ReplySource)
    return source


def test_text_before_the_mark_is_stored_as_reasoning(owner: User, reply: Reply) -> None:
    finish_reply(reply, f"They greet me.\n{REASONING_MARK}**Hello!**")
    answer = Message.objects.get(pk=reply.answer.pk)
    assert (answer.content, answer.reasoning) == ("**Hello!**", "They greet me.")


def test_text_before_the_mark_is_reasoning_on_the_page_of_a_running_reply(
    as_owner: Client, reply: Reply
) -> None:
    write_reply(reply, f"They greet me.\n{REASONING_MARK}Hello ")
    shown = find_article(read_html(as_owner.get(get_path(reply))), reply.answer)
    assert '"text": "Hello ", "reasoning": "They greet me."' in shown
    assert REASONING_MARK not in shown


def test_a_reply_continues_without_what_was_reasoning(reply: Reply) -> None:
    text = StreamText(f"They greet me.\n{REASONING_MARK}Hello ", next_index=3)
    source = replies.prepare(claim_reply(reply), text)
    assert isinstance(source, ReplySource)
    assert source.request.turns[-2:] == (Turn("assistant", "Hello "), Turn("user", CONTINUE_PROMPT))


def test_stored_tags_are_sent_in_no_later_turn(owner: User, tagged_reply: Reply) -> None:
    turns = prepare_next(owner, tagged_reply).request.turns
    assert turns == (Turn("user", "Hi"), Turn("assistant", "**Hello!**"), Turn("user", "And now?"))


def test_a_stored_reply_of_reasoning_alone_is_no_turn(owner: User, tagged_reply: Reply) -> None:
    Message.objects.filter(pk=tagged_reply.answer.pk).update(content="<think>\nThey greet")
    assert prepare_next(owner, tagged_reply).request.turns == (Turn("user", "Hi\n\nAnd now?"),)


def test_an_excerpt_for_a_title_has_no_reasoning(owner: User, tagged_reply: Reply) -> None:
    stream = Stream.objects.get(source="title")
    source = titles.prepare(stream, StreamText())
    (turn,) = source.request.turns
    assert "**Hello!**" in turn.text
    assert "greet" not in turn.text
    assert source.request.max_tokens == titles.MAX_TITLE_TOKENS


@pytest.mark.parametrize(
    ("written", "title"),
    [
        (f"They want a title.\n{REASONING_MARK}Friendly greeting", "Friendly greeting"),
        ("<think>\nThey want a title.\n</think>\n\nFriendly greeting", "Friendly greeting"),
        ("They want a title.\n</think>\nFriendly greeting", "Friendly greeting"),
        ("<think>\nThey want", "Hi"),
        (f"They want a title.{REASONING_MARK}", "Hi"),
    ],
)
def test_a_title_is_the_text_after_the_reasoning(
    tagged_reply: Reply, written: str, title: str
) -> None:
    stream = Stream.objects.get(source="title")
    write_reply(replace(tagged_reply, stream=stream), written)
    stream.refresh_from_db()
    assert lifecycle.end(stream.pk, stream.epoch, Ending.from_finish(Finish("stop")))
    tagged_reply.conversation.refresh_from_db()
    assert tagged_reply.conversation.title == title


@pytest.mark.parametrize(
    ("provider", "is_separated"), [("anthropic", False), ("google", False), ("ollama", True)]
)
def test_tags_of_providers_that_mean_them_stay(provider: str, is_separated: bool) -> None:
    assert remove_stored_reasoning(TAGGED, provider, is_separated=is_separated) == TAGGED

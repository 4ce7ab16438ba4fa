"""Titles: the first words, then one that a model writes, unless a person sets one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import override_settings

from accounts.api_keys import keys
from accounts.models import User
from chat import conversations
from chat.models import Conversation, ModelOverride
from chat.replies import Reply, titles
from streaming import journal, lifecycle
from streaming.events import Finish, StreamText
from streaming.journal import Append, Chunk
from streaming.lifecycle import Ending
from streaming.models import Kind, Stream
from streaming.providers.catalog import MODELS
from tests.chat.factories import finish_reply, start_reply

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def enable_titles() -> Iterator[None]:
    with override_settings(GENERATE_TITLES=True):
        yield


@pytest.fixture
def ended_reply(owner: User) -> Reply:
    """The first reply of a conversation, by a model that needs a key."""
    keys.save(owner, "openai", "sk-harbour-0123456789-ab12")
    ended_reply = start_reply(owner, "Why do tides lag the moon? " * 20, model="gpt-4.1")
    finish_reply(ended_reply)
    return ended_reply


def list_title_streams() -> list[Stream]:
    return list(Stream.objects.filter(source="title"))


def write_title(text: str, ending: Ending | None = None) -> None:
    """Run the stream of the title as a worker."""
    worker = lifecycle.register_worker("titles")
    (stream,) = lifecycle.claim(worker, 10)
    assert stream.source == "title"
    chunk = Chunk(0, 0, Kind.TEXT, text, 0)
    assert journal.append([Append(stream.pk, stream.uuid, stream.epoch, (chunk,))])
    ending = ending or Ending.from_finish(Finish("stop"))
    assert lifecycle.end(stream.pk, stream.epoch, ending)


def read_title(ended_reply: Reply) -> str:
    return Conversation.objects.get(pk=ended_reply.conversation.pk).title


def test_the_first_words_are_the_title_until_a_model_writes_one(ended_reply: Reply) -> None:
    assert read_title(ended_reply) == "Why do tides lag the moon? Why do tides lag the mo"
    write_title("Tides behind the moon")
    assert read_title(ended_reply) == "Tides behind the moon"


def test_a_title_is_written_once_after_the_first_reply(owner: User, ended_reply: Reply) -> None:
    assert len(list_title_streams()) == 1
    second = start_reply(owner, "Shorter", ended_reply.conversation, model="gpt-4.1")
    lifecycle.stop(list_title_streams()[0].pk)
    finish_reply(second)
    assert len(list_title_streams()) == 1


def test_no_message_is_delayed_by_a_title(owner: User, ended_reply: Reply) -> None:
    second = start_reply(owner, "Shorter", ended_reply.conversation, model="gpt-4.1")
    assert second.stream.note == ""
    claimable = Stream.objects.claimable().values_list("pk", flat=True)
    assert second.stream.pk in claimable


def test_a_written_title_does_not_replace_a_custom_one(ended_reply: Reply) -> None:
    conversations.rename(ended_reply.conversation, "Mine")
    write_title("Theirs")
    assert read_title(ended_reply) == "Mine"


def test_no_title_is_requested_for_a_conversation_with_a_custom_one(owner: User) -> None:
    keys.save(owner, "openai", "sk-harbour-0123456789-ab12")
    ended_reply = start_reply(owner, "Tides", model="gpt-4.1")
    conversations.rename(ended_reply.conversation, "Mine")
    finish_reply(ended_reply)
    assert list_title_streams() == []


def test_the_demo_writes_no_titles(owner: User) -> None:
    finish_reply(start_reply(owner, "Tides"))
    assert list_title_streams() == []


def test_a_reply_that_failed_gets_no_title(owner: User) -> None:
    keys.save(owner, "openai", "sk-harbour-0123456789-ab12")
    finish_reply(start_reply(owner, "Tides", model="gpt-4.1"), "Half", Ending.internal_error())
    assert list_title_streams() == []


def test_the_cheapest_model_of_the_same_provider_writes_the_title(
    owner: User, ended_reply: Reply
) -> None:
    keys.save(owner, "anthropic", "sk-ant-harbour-0123456789")
    model = list_title_streams()[0].arguments["model"]
    openai = [
        m for m in MODELS if m.provider == "openai" and m.availability == "active" and m.price
    ]
    costs = {
        m.id: cost
        for m in openai
        if m.price and (cost := m.price.calculate_cost(titles.TYPICAL_USAGE))
    }
    assert costs[model] == min(costs.values())
    request = titles.prepare(list_title_streams()[0], StreamText()).request
    assert request.model == model
    assert len(request.turns[0].text) < 2 * titles.MAX_EXCERPT_CHARS + 400
    assert "Because of friction." in request.turns[0].text


@pytest.mark.parametrize(("max_output", "limit"), [(None, 2_000), (512, 512), (64_000, 2_000)])
def test_a_title_is_limited_to_what_its_model_writes(
    ended_reply: Reply, max_output: int | None, limit: int
) -> None:
    (stream,) = list_title_streams()
    model = stream.arguments["model"]
    ModelOverride.objects.create(model_id=model, provider="openai", max_output=max_output)
    assert titles.prepare(stream, StreamText()).request.max_tokens == limit


def test_a_worker_of_an_earlier_version_finds_the_names_it_reads(ended_reply: Reply) -> None:
    (title,) = list_title_streams()
    assert title.source == "title"
    assert title.arguments.keys() >= {"message", "model"}
    assert title.arguments["message"] == str(ended_reply.answer.pk)


@pytest.mark.parametrize("ending", [Ending.internal_error(), lifecycle.STOPPED])
def test_a_failed_title_leaves_the_first_words(ended_reply: Reply, ending: Ending) -> None:
    before = read_title(ended_reply)
    write_title("Half a ti", ending)
    assert read_title(ended_reply) == before


@pytest.mark.parametrize(
    ("written", "title"),
    [
        ('"Tides and Moons."', "Tides and Moons"),
        ("**Title: Tides**", "Tides"),
        ("\n\n# Ebbe und Flut\n\nMore", "Ebbe und Flut"),
        ("“潮汐”", "潮汐"),
        ("  ", ""),
        ("x" * 300, "x" * 80),
    ],
)
def test_a_title_is_one_line_without_marks(written: str, title: str) -> None:
    assert titles.clean_title(written) == title


def test_deleting_a_conversation_deletes_the_stream_of_its_title(ended_reply: Reply) -> None:
    conversations.delete(ended_reply.conversation)
    assert not Stream.objects.exists()

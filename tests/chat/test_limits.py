"""What one person may ask for: enough for anybody who is busy, and not the whole server."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from uuid import UUID, uuid4

import pytest
from django.db.models import F
from django.test import Client
from pytest_django import Settings

from accounts import keys
from accounts.models import User
from chat import model_catalog, replies
from chat.models import Conversation, Message
from chat.replies import Reply, ReplyRejected
from streaming import lifecycle
from streaming.lifecycle import Ending
from streaming.models import State, Stream
from streaming.providers import catalog
from streaming.providers.catalog import Model, Provider
from tests.chat.factories import HTMX, finish, signed_in
from tests.streaming.factories import at_once

pytestmark = pytest.mark.django_db


def ask(
    user: User,
    text: str = "Why?",
    *,
    system_prompt: str = "",
    request_id: UUID | None = None,
    model: str = "demo",
) -> Reply:
    chosen = replies.ReplySettings(model, system_prompt=system_prompt)
    return replies.start_reply(
        user, text=text, request_id=request_id or uuid4(), reply_settings=chosen
    )


def refusal(user: User, text: str = "Why?", *, system_prompt: str = "") -> str:
    """The sentence that this is refused with; nothing is written then."""
    before = Conversation.objects.count(), Message.objects.count(), Stream.objects.count()
    with pytest.raises(ReplyRejected) as refused:
        ask(user, text, system_prompt=system_prompt)
    after = Conversation.objects.count(), Message.objects.count(), Stream.objects.count()
    assert after == before
    return refused.value.message


def later(**time: float) -> None:
    Stream.objects.update(created_at=F("created_at") - timedelta(**time))


def test_so_many_replies_run_or_wait_and_further_ones_are_refused_until_one_is_over(
    owner: User, colleague: User, settings: Settings
) -> None:
    settings.MAX_UNFINISHED_PER_USER = 3
    streams = [ask(owner).stream for _ in range(3)]
    told = "You have 3 replies running or waiting. Wait for one to finish, or stop one."
    assert refusal(owner) == told
    ask(colleague)
    lifecycle.stop(streams[1].pk)
    ask(owner)
    assert refusal(owner) == told


def test_what_was_accepted_is_answered_again_and_not_refused(
    owner: User, settings: Settings
) -> None:
    settings.MAX_UNFINISHED_PER_USER = 1
    request = uuid4()
    first = ask(owner, request_id=request)
    assert ask(owner, request_id=request).answer == first.answer
    assert Stream.objects.count() == 1


def test_so_many_messages_a_minute_are_taken_and_titles_are_none(
    owner: User, settings: Settings
) -> None:
    settings.MAX_MESSAGES_PER_MINUTE = 2
    for _ in range(5):
        lifecycle.enqueue(owner=owner, request_id=uuid4(), source="title", arguments={})
    ask(owner)
    ask(owner)
    assert "within a minute" in refusal(owner)
    later(seconds=61)
    ask(owner)


@pytest.mark.parametrize("verb", ["edit", "regenerate", "go_on"])
def test_other_versions_and_going_on_count_as_well(
    owner: User, settings: Settings, verb: str
) -> None:
    reply = ask(owner)
    finish(reply, ending=Ending(State.STOPPED))
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
        "go_on": partial(
            replies.continue_reply, owner, answer=Message.objects.get(pk=reply.answer.pk)
        ),
    }
    made = calls[verb](request_id=uuid4())
    assert made.stream.pool == "demo"
    lifecycle.stop(made.stream.pk)
    with pytest.raises(ReplyRejected, match="within a minute"):
        calls[verb](request_id=uuid4())


def test_text_and_system_prompt_are_limited_a_minute_and_a_day(
    owner: User, settings: Settings
) -> None:
    settings.MAX_CHARS_PER_MINUTE, settings.MAX_CHARS_PER_DAY = 1_000, 2_500
    assert ask(owner, "x" * 400, system_prompt="y" * 500).stream.size == 900
    assert "a lot of text within a minute" in refusal(owner, "x" * 101)
    assert "a lot of text within a minute" in refusal(owner, "x", system_prompt="y" * 100)
    ask(owner, "x" * 100)
    later(seconds=61)
    ask(owner, "x" * 1_000)
    later(seconds=61)
    assert "limit of text for one day" in refusal(owner, "x" * 501)
    ask(owner, "x" * 500)
    later(days=1)
    ask(owner, "x" * 1_000)


def test_a_single_long_message_is_always_taken(owner: User, settings: Settings) -> None:
    settings.MAX_CHARS_PER_MINUTE = settings.MAX_CHARS_PER_DAY = 10
    ask(owner, "x" * 400_000)


def test_a_long_reply_that_is_continued_counts_with_its_text(
    owner: User, settings: Settings
) -> None:
    reply = ask(owner)
    finish(reply, "word " * 100, Ending(State.STOPPED))
    settings.MAX_CHARS_PER_MINUTE = 100
    answer = Message.objects.get(pk=reply.answer.pk)
    with pytest.raises(ReplyRejected, match="a lot of text"):
        replies.continue_reply(owner, answer=answer, request_id=uuid4())


@pytest.mark.django_db(transaction=True)
def test_messages_sent_at_once_do_not_pass_together(owner: User, settings: Settings) -> None:
    settings.MAX_UNFINISHED_PER_USER = 2
    results = at_once(*[partial(ask, owner) for _ in range(5)])
    assert sum(isinstance(result, Reply) for result in results) == 2
    assert sum(isinstance(result, ReplyRejected) for result in results) == 3


@pytest.mark.django_db(transaction=True)
def test_one_request_made_twice_at_once_is_one_reply_also_at_the_limit(
    owner: User, settings: Settings
) -> None:
    settings.MAX_UNFINISHED_PER_USER = 1
    made = at_once(*[partial(ask, owner, request_id=uuid4())] * 3)
    assert [isinstance(result, Reply) for result in made] == [True] * 3
    assert Stream.objects.count() == 1


@pytest.mark.parametrize("headers", [HTMX, {}], ids=["with scripts", "without"])
def test_a_page_says_what_to_do_and_keeps_the_text(
    owner: User, settings: Settings, headers: dict[str, str]
) -> None:
    settings.MAX_UNFINISHED_PER_USER = 0
    client: Client = signed_in(owner)
    form = {"text": "Half a thought", "model": "demo", "request_id": str(uuid4())}
    answer = client.post("/c/", form, headers=headers)
    assert answer.status_code == 422
    shown = answer.content.decode()
    assert "Wait for one to finish, or stop one." in shown
    assert headers or "Half a thought</textarea>" in shown
    settings.MAX_UNFINISHED_PER_USER = 1
    assert client.post("/c/", form, headers=HTMX).status_code == 200


def test_models_that_cost_nobody_a_key_share_limited_places(
    owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = Provider("ollama", "Ollama", needs_key=False)
    monkeypatch.setitem(catalog.PROVIDERS, "ollama", provider)
    mine = Model("ollama/llama", "ollama", "Llama")
    keys.save(owner, "openai", "sk-test-0123456789abcdef")
    known = model_catalog.load_models(owner) | {mine.id: mine}
    monkeypatch.setattr(model_catalog, "load_models", lambda user: known)
    models = ("demo", "ollama/llama", "gpt-4o-mini")
    assert [ask(owner, model=id).stream.pool for id in models] == ["demo", "keyless", ""]


# Who may not use this any more


@pytest.mark.django_db(transaction=True)
def test_a_person_who_is_deactivated_has_nothing_running_or_waiting(
    owner: User, colleague: User
) -> None:
    [runs, waits], theirs = [ask(owner), ask(owner)], ask(colleague)
    lifecycle.claim(lifecycle.register_worker("test"), 1)
    owner.is_active = False
    owner.save()
    states = [Stream.objects.get(pk=reply.stream.pk).state for reply in (runs, waits, theirs)]
    assert states == ["stopped", "stopped", "queued"]
    statuses = Conversation.objects.filter(user=owner).values_list("status", flat=True)
    assert set(statuses) == {Conversation.ReplyStatus.COMPLETED}


@pytest.mark.django_db(transaction=True)
def test_a_person_who_is_saved_otherwise_goes_on(owner: User) -> None:
    reply = ask(owner)
    owner.name = "Olive"
    owner.save()
    assert Stream.objects.get(pk=reply.stream.pk).state == State.QUEUED

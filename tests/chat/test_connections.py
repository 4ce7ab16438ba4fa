"""Replies with a key of the installation: who can pick a model, which key is sent, what a person
may use in a month."""

from __future__ import annotations

import asyncio
import hashlib
import os
from contextlib import aclosing
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.api_keys import keys
from accounts.connections.models import Connection
from accounts.ledger.counting import Consumption, add_consumption
from accounts.models import KeyStatus, LedgerEntry, User
from chat import conversations, model_catalog, replies
from chat.models import ModelOverride
from chat.presentation.reply_error import build_reply_error
from chat.replies import Reply, ReplyRejected
from streaming import lifecycle
from streaming.events import Delta, Finish, SourceError, StreamText
from streaming.lifecycle import Ending
from streaming.models import State, Stream
from tests.accounts.connections import SECRET, create_connection
from tests.chat.factories import claim_reply, finish_reply, read_html, start_reply
from tests.factories import run_at_once
from tools.fake_provider import Behaviour, ErrorAnswer, Fake

pytestmark = pytest.mark.django_db

LAB_MODEL = "kelp-7b"
NO_CREDIT = {"error": {"message": "You exceeded it", "code": "insufficient_quota"}}


@pytest.fixture(autouse=True)
def allow_private_addresses(settings: Settings) -> None:
    settings.PRIVATE_ADDRESSES = "allow"
    settings.GENERATE_TITLES = False


def create_lab(fake: Fake, *people: User, **fields: Any) -> Connection:
    return create_connection(
        "compatible", *people, address=fake.openai, models=(LAB_MODEL,), **fields
    )


def prepare(reply: Reply) -> tuple[Stream, Any]:
    stream = claim_reply(reply)
    return stream, replies.prepare(stream, StreamText())


def read_events(source: Any) -> list[Any]:
    async def read() -> list[Any]:
        async with aclosing(source.events(StreamText(), "")) as events:
            return [event async for event in events]

    return asyncio.run(read())


def use(user: User, connection: Connection, dollars: str = "0", tokens: int = 0) -> None:
    used = Consumption(input_tokens=tokens, cost=Decimal(dollars))
    add_consumption(user.pk, connection.pk, connection.provider, "gpt-4.1", used)


def expect_rejection(user: User, model: str = "gpt-4.1", **settings: Any) -> str:
    with pytest.raises(ReplyRejected) as refused:
        start_reply(user, model=model, **settings)
    return refused.value.message


# Models


def test_people_of_a_connection_pick_its_models_and_others_see_nothing_of_it(
    as_owner: Client, as_stranger: Client, owner: User, fake: Fake
) -> None:
    lab = create_lab(fake, owner)
    html = read_html(as_owner.get("/"))
    assert 'label="Lab (from this installation)"' in html
    assert f'value="{lab.slug}:{LAB_MODEL}"' in html
    html = read_html(as_stranger.get("/"))
    assert "Lab" not in html
    assert LAB_MODEL not in html
    assert lab.slug not in html


def test_a_stranger_can_not_use_a_connection_by_its_id(stranger: User, owner: User) -> None:
    lab = create_connection(
        "compatible", owner, address="http://127.0.0.1:9/v1", models=(LAB_MODEL,)
    )
    model_catalog.load_models(owner)
    expect_rejection(stranger, f"{lab.slug}:{LAB_MODEL}")


def test_models_of_a_provider_are_usable_through_the_installation(
    as_owner: Client, owner: User
) -> None:
    assert "(No API key)" in read_html(as_owner.get("/"))
    create_connection("openai", models=("gpt-9-preview",))
    html = read_html(as_owner.get("/"))
    assert 'label="OpenAI (from this installation)"' in html
    assert "gpt-9-preview" in html
    keys.save(owner, "openai", "sk-own-0123456789-ab12")
    assert 'label="OpenAI"' in read_html(as_owner.get("/"))


@pytest.mark.parametrize("keeps_id", [False, True])
def test_a_key_whose_master_key_is_gone_is_asked_for_again_in_the_composer(
    as_owner: Client, owner: User, settings: Settings, keeps_id: bool
) -> None:
    keys.save(owner, "openai", "sk-own-0123456789-ab12")
    finish_reply(start_reply(owner, model="gpt-4.1"))
    lost = next(iter(settings.MASTER_KEYS))
    settings.MASTER_KEYS = {lost if keeps_id else "newer": os.urandom(32)}
    html = read_html(as_owner.get("/"))
    assert "Your key can’t be decrypted any more. Please enter it again." in html
    expected = "Your OpenAI API key can’t be decrypted any more. Please enter it again."
    assert expect_rejection(owner) == expected
    create_connection()
    start_reply(owner, model="gpt-4.1")


@pytest.mark.parametrize("keeps_id", [False, True])
def test_a_lost_key_of_the_installation_sends_people_to_their_administrator(
    as_owner: Client, owner: User, settings: Settings, keeps_id: bool
) -> None:
    create_connection()
    reply = start_reply(owner, model="gpt-4.1")
    lost = next(iter(settings.MASTER_KEYS))
    settings.MASTER_KEYS = {lost if keeps_id else "newer": os.urandom(32)}
    expected = (
        "The API key of this installation can’t be decrypted any more. Ask your administrator to "
        "enter it again."
    )
    html = read_html(as_owner.get(f"/c/{reply.conversation.pk}/"))
    assert f'data-note="{expected}"' in html
    assert f'id="hint">{expected}' in html
    assert expect_rejection(owner) == expected
    with pytest.raises(SourceError, match="of this installation can’t be decrypted"):
        prepare(reply)


# Calls


def test_a_reply_is_sent_with_the_key_of_the_installation_and_counted(
    owner: User, fake: Fake
) -> None:
    lab = create_lab(fake)
    fake.script(Behaviour.of("Because ", "of friction."))
    stream, source = prepare(start_reply(owner, model=f"{lab.slug}:{LAB_MODEL}"))
    events = read_events(source)
    assert "".join(e.text for e in events if isinstance(e, Delta)) == "Because of friction."
    (sent,) = fake.requests()
    assert sent.key == hashlib.sha256(SECRET.encode()).hexdigest()[:12]
    assert isinstance(events[-1], Finish)
    assert lifecycle.end(stream.pk, stream.epoch, Ending.from_finish(events[-1]))
    entry = LedgerEntry.objects.get()
    assert (entry.connection_id, entry.provider, entry.model) == (lab.pk, lab.slug, LAB_MODEL)
    assert (entry.input_tokens, entry.output_tokens, entry.unpriced) == (11, 7, 1)
    lab.delete()
    assert LedgerEntry.objects.count() == 1


def test_a_queued_reply_fails_clearly_if_the_connection_is_removed(owner: User) -> None:
    connection = create_connection()
    reply = start_reply(owner, model="gpt-4.1")
    connection.delete()
    with pytest.raises(SourceError, match=r"No OpenAI API key\."):
        prepare(reply)


def test_a_queued_reply_fails_clearly_if_the_own_key_is_removed(owner: User) -> None:
    keys.save(owner, "openai", "sk-own-0123456789-ab12")
    reply = start_reply(owner, model="gpt-4.1")
    keys.remove(owner, "openai")
    with pytest.raises(SourceError, match=r"No OpenAI API key\."):
        prepare(reply)


def test_a_running_reply_goes_on_with_the_key_that_it_began_with(owner: User, fake: Fake) -> None:
    lab = create_lab(fake)
    fake.script(Behaviour.of("On."))
    _, source = prepare(start_reply(owner, model=f"{lab.slug}:{LAB_MODEL}"))
    lab.delete()
    assert isinstance(read_events(source)[-1], Finish)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "answer", [ErrorAnswer(401), ErrorAnswer(403), ErrorAnswer(429, NO_CREDIT)], ids=str
)
def test_an_error_about_the_key_of_the_installation_names_no_key_of_the_person(
    owner: User, fake: Fake, answer: ErrorAnswer
) -> None:
    lab = create_lab(fake)
    fake.script(Behaviour(error=answer))
    reply = start_reply(owner, model=f"{lab.slug}:{LAB_MODEL}")
    stream, source = prepare(reply)
    with pytest.raises(SourceError) as failed:
        read_events(source)
    assert "sk your administrator" in failed.value.message
    assert "your API key" not in failed.value.message
    assert SECRET not in str(failed.value)
    lifecycle.end(stream.pk, stream.epoch, Ending.from_error(failed.value))
    stream.refresh_from_db()
    card = build_reply_error(stream, reply.answer)
    assert card
    assert card.fix == "model"


def test_a_damaged_key_of_the_installation_sends_people_to_their_administrator(
    owner: User,
) -> None:
    create_connection()
    reply = start_reply(owner, model="gpt-4.1")
    Connection.objects.update(slug="connection-moved")
    with pytest.raises(SourceError, match="Ask your administrator to enter it again"):
        prepare(reply)


# Limits


def test_a_reply_is_refused_once_the_limit_is_reached(owner: User, colleague: User) -> None:
    connection = create_connection(monthly_dollars=5)
    use(owner, connection, "4.99")
    finish_reply(start_reply(owner, model="gpt-4.1"))
    use(owner, connection, "0.02")
    message = expect_rejection(owner)
    assert message.startswith("You have used $5.01 of your $5.00 for Lab this month.")
    assert message.endswith("(UTC).")
    start_reply(colleague, model="gpt-4.1")


def test_a_limit_of_tokens_counts_prompts_and_replies(owner: User) -> None:
    connection = create_connection(monthly_tokens=1_000)
    use(owner, connection, tokens=1_000)
    assert "You have used 1,000 of your 1,000 tokens for Lab" in expect_rejection(owner)


def test_a_key_of_ones_own_has_no_limit(owner: User) -> None:
    connection = create_connection(monthly_dollars=5)
    use(owner, connection, "6")
    keys.save(owner, "openai", "sk-own-0123456789-ab12")
    start_reply(owner, model="gpt-4.1")


def test_a_raised_limit_counts_at_once(owner: User) -> None:
    connection = create_connection(monthly_dollars=5)
    use(owner, connection, "6")
    expect_rejection(owner)
    Connection.objects.update(monthly_dollars=7)
    start_reply(owner, model="gpt-4.1")


def test_a_model_without_a_price_needs_a_limit_of_tokens(owner: User, fake: Fake) -> None:
    lab = create_lab(fake, monthly_dollars=5)
    name = f"{lab.slug}:{LAB_MODEL}"
    assert "has no known price" in expect_rejection(owner, name)
    ModelOverride.objects.create(
        provider=lab.slug, model_id=LAB_MODEL, input_price=1, output_price=2
    )
    start_reply(owner, model=name)
    ModelOverride.objects.all().delete()
    Connection.objects.update(monthly_tokens=1_000)
    lifecycle.stop(Stream.objects.get().pk)
    start_reply(owner, model=name)


@pytest.mark.django_db(transaction=True)
def test_replies_that_are_sent_at_once_pass_the_limit_together_by_one_at_most(
    owner: User,
) -> None:
    """Just below the limit, each of ten replies may use more than what is left."""
    connection = create_connection(monthly_dollars=5)
    use(owner, connection, "4.99")
    sent = run_at_once(*[partial(start_reply, owner, model="gpt-4.1", max_tokens=10_000)] * 10)
    accepted = [reply for reply in sent if isinstance(reply, Reply)]
    refused = [str(error) for error in sent if not isinstance(error, Reply)]
    assert len(accepted) == 1
    assert len(refused) == 9
    assert all(text.startswith("Your running replies may use up the rest") for text in refused)
    lifecycle.stop(accepted[0].stream.pk)
    start_reply(owner, model="gpt-4.1")


def test_small_replies_run_side_by_side_below_the_limit(owner: User) -> None:
    create_connection(monthly_dollars=5)
    for _ in range(3):
        start_reply(owner, model="gpt-4.1", max_tokens=100)


def test_a_continued_or_regenerated_reply_is_limited_too(owner: User) -> None:
    connection = create_connection(monthly_dollars=5)
    reply = start_reply(owner, model="gpt-4.1")
    finish_reply(reply, ending=Ending.from_finish(Finish("length")))
    reply.answer.refresh_from_db()
    use(owner, connection, "6")
    settings = replies.ReplySettings("gpt-4.1")
    for ask in (
        partial(replies.continue_reply, answer=reply.answer),
        partial(replies.regenerate_answer, answer=reply.answer, reply_settings=settings),
        partial(replies.edit_question, question=reply.question, text="?", reply_settings=settings),
    ):
        with pytest.raises(ReplyRejected, match="You have used") as refused:
            ask(owner, request_id=uuid4())
        assert refused.value.code == "limit_reached"


def test_a_queued_reply_fails_if_the_limit_is_reached_before_its_turn(owner: User) -> None:
    connection = create_connection(monthly_dollars=5)
    reply = start_reply(owner, model="gpt-4.1")
    use(owner, connection, "6")
    with pytest.raises(SourceError, match="used up this month’s limit for OpenAI") as failed:
        prepare(reply)
    assert failed.value.code == "limit_reached"
    stream = Stream.objects.get(pk=reply.stream.pk)
    lifecycle.end(stream.pk, stream.epoch, Ending.from_error(failed.value))
    stream.refresh_from_db()
    assert stream.state == State.FAILED
    assert LedgerEntry.objects.get().replies == 1  # that of `use`


def test_deleting_chats_gives_nothing_back(owner: User) -> None:
    connection = create_connection(monthly_tokens=1_000)
    reply = start_reply(owner, model="gpt-4.1", max_tokens=10)
    usage = {"input": 900, "output": 200}
    stream, _ = prepare(reply)
    lifecycle.end(stream.pk, stream.epoch, Ending.from_finish(Finish("stop", usage)))
    conversations.delete(reply.conversation)
    assert LedgerEntry.objects.get().connection_id == connection.pk
    assert "You have used 1,100 of your 1,000 tokens" in expect_rejection(owner)


# Answers about keys


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_shared", [True, False])
def test_a_rejected_key_is_shown_as_rejected_until_a_reply_is_accepted(
    owner: User, fake: Fake, settings: Settings, is_shared: bool
) -> None:
    settings.OPENAI_BASE_URL = fake.openai
    if is_shared:
        row: Any = create_connection(models=("gpt-4.1",))
    else:
        row = keys.save(owner, "openai", "sk-own-0123456789-ab12")

    def send(behaviour: Behaviour) -> str:
        fake.script(behaviour)
        stream, source = prepare(start_reply(owner, model="gpt-4.1"))
        try:
            ending = Ending.from_finish(read_events(source)[-1])
        except SourceError as error:
            ending = Ending.from_error(error)
        assert lifecycle.end(stream.pk, stream.epoch, ending)
        row.refresh_from_db()
        return str(row.check_result)

    assert send(Behaviour.of("Low.")) == ""
    checked_at = row.last_checked_at
    assert checked_at is None
    assert send(Behaviour(error=ErrorAnswer(401))) == KeyStatus.INVALID
    assert row.last_checked_at is not None
    assert send(Behaviour(error=ErrorAnswer(404))) == KeyStatus.INVALID
    assert send(Behaviour.of("Low.")) == KeyStatus.VALID


@pytest.mark.django_db(transaction=True)
def test_a_late_rejection_says_nothing_about_a_newer_key(
    owner: User, fake: Fake, settings: Settings
) -> None:
    settings.OPENAI_BASE_URL = fake.openai
    keys.save(owner, "openai", "sk-own-0123456789-ab12")
    fake.script(Behaviour(error=ErrorAnswer(401)))
    _, source = prepare(start_reply(owner, model="gpt-4.1"))
    newer = keys.save(owner, "openai", "sk-own-0123456789-cd34")
    with pytest.raises(SourceError):
        read_events(source)
    newer.refresh_from_db()
    assert newer.check_result == ""

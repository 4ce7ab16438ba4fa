"""A stream that begins with a limited connection has a reserve, whatever it was queued for."""

from __future__ import annotations

from decimal import Decimal
from functools import partial

import pytest
from pytest_django import Settings

from accounts.api_keys import keys
from accounts.ledger.counting import Consumption, add_consumption
from accounts.models import Connection, User
from chat import replies
from chat.replies import Reply, ReplyRejected, titles
from chat.replies.limits import RESERVE
from streaming import lifecycle
from streaming.events import SourceError, StreamText
from streaming.models import Stream
from tests.accounts.connections import create_connection
from tests.chat.factories import claim_reply, finish_reply, start_reply
from tests.factories import run_at_once

pytestmark = pytest.mark.django_db

RESERVED = "Your running replies may use up the rest of this month’s limit for OpenAI"


@pytest.fixture(autouse=True)
def switch_titles_off(settings: Settings) -> None:
    settings.GENERATE_TITLES = False


def save_own_key(user: User) -> None:
    keys.save(user, "openai", "sk-own-0123456789-ab12")


def queue_with_own_key(user: User, count: int) -> list[Reply]:
    """Queue long replies that a key of the person's own would pay for, and remove the key."""
    save_own_key(user)
    queued = [start_reply(user, "x" * 20_000, model="gpt-4.1") for _ in range(count)]
    keys.remove(user, "openai")
    return queued


def begin(stream: Stream) -> Stream:
    replies.prepare(stream, StreamText())
    return stream


def read_reserve(stream: Stream) -> int | None:
    """The connection of the reserve."""
    stored = Stream.objects.get(pk=stream.pk).arguments.get(RESERVE)
    return stored["connection"] if stored else None


def test_one_reply_begins_at_most_when_the_own_key_is_removed(owner: User) -> None:
    lab = create_connection(monthly_dollars=Decimal("0.05"))
    first, *others = queue_with_own_key(owner, 12)
    assert read_reserve(begin(claim_reply(first))) == lab.pk
    for reply in others:
        with pytest.raises(SourceError, match=RESERVED) as failed:
            begin(claim_reply(reply))
        assert failed.value.code == "limit_reached"
        assert read_reserve(reply.stream) is None
    with pytest.raises(ReplyRejected, match="may use up the rest"):
        start_reply(owner, model="gpt-4.1")
    lifecycle.stop(first.stream.pk)
    begin(Stream.objects.get(pk=others[0].stream.pk))


@pytest.mark.django_db(transaction=True)
def test_replies_that_begin_at_once_pass_the_limit_together_by_one_at_most(owner: User) -> None:
    create_connection(monthly_dollars=Decimal("0.05"))
    streams = [claim_reply(reply) for reply in queue_with_own_key(owner, 6)]
    begun = run_at_once(*[partial(begin, stream) for stream in streams])
    assert len([each for each in begun if isinstance(each, Stream)]) == 1
    assert [str(e) for e in begun if not isinstance(e, Stream) and RESERVED not in str(e)] == []


def test_a_reply_that_another_connection_would_have_paid_for_needs_a_reserve(owner: User) -> None:
    unlimited = create_connection()
    queued = [start_reply(owner, model="gpt-4.1") for _ in range(2)]
    lab = create_connection(monthly_dollars=Decimal("0.05"))
    unlimited.delete()
    assert read_reserve(begin(claim_reply(queued[0]))) == lab.pk
    other = create_connection(monthly_dollars=Decimal("0.05"))
    lab.delete()
    assert read_reserve(begin(Stream.objects.get(pk=queued[0].stream.pk))) == other.pk
    with pytest.raises(SourceError, match=RESERVED):
        begin(claim_reply(queued[1]))


def test_a_reply_that_was_queued_before_the_limit_needs_a_reserve(owner: User) -> None:
    create_connection()
    reply = start_reply(owner, model="gpt-4.1")
    Connection.objects.update(monthly_dollars=Decimal("0.05"))
    begin(claim_reply(reply))
    assert read_reserve(reply.stream)


def test_a_model_without_a_price_begins_only_with_a_limit_of_tokens(owner: User) -> None:
    create_connection(models=("gpt-9-preview",))
    reply = start_reply(owner, model="gpt-9-preview")
    Connection.objects.update(monthly_dollars=5)
    stream = claim_reply(reply)
    with pytest.raises(SourceError, match="no known price"):
        begin(stream)
    Connection.objects.update(monthly_tokens=1_000)
    begin(stream)


def test_a_reply_keeps_the_reserve_that_it_was_queued_with(owner: User) -> None:
    """It begins, though it alone may use more than the rest of the limit."""
    create_connection(monthly_dollars=Decimal("0.05"))
    stream = claim_reply(start_reply(owner, "x" * 20_000, model="gpt-4.1"))
    reserve = stream.arguments[RESERVE]
    begin(stream)
    stream.refresh_from_db()
    assert begin(stream).arguments[RESERVE] == reserve


def test_a_reply_with_a_reserve_may_begin_with_an_own_key(owner: User) -> None:
    lab = create_connection(monthly_dollars=5)
    reply = start_reply(owner, model="gpt-4.1")
    add_consumption(owner.pk, lab.pk, "openai", "gpt-4.1", Consumption(cost=Decimal(6)))
    save_own_key(owner)
    begin(claim_reply(reply))


def test_a_title_takes_a_reserve_too(owner: User, settings: Settings) -> None:
    settings.GENERATE_TITLES = True
    lab = create_connection(monthly_dollars=Decimal("0.05"))
    save_own_key(owner)
    finish_reply(start_reply(owner, model="gpt-4.1"))
    other = start_reply(owner, "x" * 20_000, model="gpt-4.1")
    keys.remove(owner, "openai")
    title = Stream.objects.get(source=titles.SOURCE)
    begin(claim_reply(other))
    with pytest.raises(SourceError, match=RESERVED):
        titles.prepare(title, StreamText())
    lifecycle.stop(other.stream.pk)
    titles.prepare(title, StreamText())
    assert read_reserve(title) == lab.pk

"""An administrator gives one person other limits than the installation's."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from accounts.connections.access import find_paying_connection
from accounts.connections.limits import describe_use, is_limit_reached
from accounts.ledger.counting import Consumption, Total, add_consumption
from accounts.models import Connection, User, UserLimits
from chat.replies import ReplyRejected
from chat.replies.limits import LIMITS, lock_user
from tests.accounts.connections import create_connection
from tests.chat.factories import start_reply

pytestmark = pytest.mark.django_db


def limit(user: User, **values: Any) -> None:
    UserLimits.objects.update_or_create(user=user, defaults=values)


def expect_rejection(user: User, text: str = "Why?") -> str:
    with pytest.raises(ReplyRejected) as refused:
        start_reply(user, text)
    return refused.value.message


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("unfinished_replies", "x", "You have 1 reply running or waiting."),
        ("messages_per_minute", "x", "You have sent many messages within a minute."),
        ("chars_per_minute", "x", "You have sent a lot of text within a minute."),
        ("chars_per_day", "x", "You have reached the limit of text for one day."),
        ("stored_chars", "x", "Your chats have reached the limit of stored text."),
    ],
)
def test_a_limit_of_a_person_replaces_the_setting(
    owner: User, colleague: User, settings: Settings, name: str, text: str, sentence: str
) -> None:
    start_reply(owner, text)
    limit(owner, **{name: 1})
    assert sentence in expect_rejection(owner, text)
    for _ in range(2):
        start_reply(colleague, text)
    setattr(settings, LIMITS[name], 1)
    limit(owner, **{name: 1_000})
    start_reply(owner, text)
    assert sentence in expect_rejection(colleague, text).replace("2 replies", "1 reply")


@pytest.mark.parametrize("name", LIMITS)
def test_a_limit_of_none_at_all_says_so(owner: User, name: str) -> None:
    limit(owner, **{name: 0})
    assert expect_rejection(owner).startswith("Your account may not send messages at present.")
    limit(owner, **{name: None})
    start_reply(owner)


def test_the_lock_reads_the_limits_in_its_query(owner: User) -> None:
    for _ in range(2):
        with CaptureQueriesContext(connection) as queries:
            lock_user(owner)
        assert len(queries) == 1
        assert connection.vendor == "sqlite" or "FOR NO KEY UPDATE OF" in queries[0]["sql"]
        limit(owner, chars_per_day=7)
    assert lock_user(owner).chars_per_day == 7


def test_a_monthly_limit_of_a_person_replaces_that_of_a_connection(
    owner: User, colleague: User
) -> None:
    create_connection(monthly_dollars=Decimal(5))
    limit(owner, monthly_dollars=Decimal("0.50"), monthly_tokens=100)
    theirs, ours = (find_paying_connection(user, "openai") for user in (colleague, owner))
    assert theirs
    assert ours
    assert (theirs.dollar_limit, theirs.token_limit) == (Decimal(5), None)
    assert (ours.dollar_limit, ours.token_limit) == (Decimal("0.50"), 100)
    assert "of your $0.50 " in describe_use(ours, Total())
    for user in (owner, colleague):
        add_consumption(user.pk, ours.pk, "openai", "gpt-4.1", Consumption(1, cost=Decimal("0.6")))
    assert is_limit_reached(owner, ours)
    assert not is_limit_reached(colleague, theirs)
    assert Connection.objects.get().monthly_dollars == Decimal(5)

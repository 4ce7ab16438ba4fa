"""How much one person may ask for: replies that are not finished, messages a minute, and text.

It is counted under a lock on the person's row, in the transaction that makes the reply, so that
messages sent at once can't pass together.
"""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db.models import Count, Q, Sum
from django.db.models.functions import Coalesce, Now

from accounts.models import User
from streaming.models import StreamQuerySet


def lock_user(user: User) -> None:
    """Until the transaction ends nobody else counts what this person has sent. Rows that refer to
    the person may be inserted meanwhile."""
    list(User.objects.select_for_update(no_key=True).filter(pk=user.pk).values_list("pk"))


def find_exceeded_limit(replies: StreamQuerySet, size: int) -> str:
    """Why one more reply, for which `size` characters are stored, is too much beside the
    `replies` of this person: a sentence that says what to do. Empty: it is not."""
    unfinished = replies.unfinished().count()
    if unfinished >= settings.MAX_UNFINISHED_PER_USER:
        waiting = "1 reply" if unfinished == 1 else f"{unfinished} replies"
        return f"You have {waiting} running or waiting. Wait for one to finish, or stop one."
    minute = Q(created_at__gt=Now() - timedelta(minutes=1))
    sent = replies.filter(created_at__gt=Now() - timedelta(days=1)).aggregate(
        messages=Count("id", filter=minute),
        in_a_minute=Coalesce(Sum("size", filter=minute), 0),
        in_a_day=Coalesce(Sum("size"), 0),
    )
    if sent["messages"] >= settings.MAX_MESSAGES_PER_MINUTE:
        return "You have sent many messages within a minute. Wait a minute, then send this again."
    if _is_over_limit(sent["in_a_minute"], size, settings.MAX_CHARS_PER_MINUTE):
        return "You have sent a lot of text within a minute. Wait a minute, then send this again."
    if _is_over_limit(sent["in_a_day"], size, settings.MAX_CHARS_PER_DAY):
        return "You have sent as much text as one day allows. Send this again tomorrow."
    return ""


def _is_over_limit(sent: int, size: int, limit: int) -> bool:
    """A single message that is longer than the limit is taken from who has sent nothing else."""
    return sent > 0 and sent + size > limit

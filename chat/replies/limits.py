"""Limits for one person: unfinished replies, messages per minute, characters, per time and in all,
and the use of a connection in a month.

They are checked under a lock on the person's row, in the transaction that creates the reply, so
that messages sent at the same time can't pass together.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Q, Sum
from django.db.models.functions import Coalesce, Length, Now
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.connections.access import find_paying_connection
from accounts.connections.limits import Reserve, describe_refusal, find_refusal
from accounts.connections.models import Connection
from accounts.models import User, UserLimits
from chat.models import Conversation, DeletedSize
from chat.replies.context import DEFAULT_CONTEXT_WINDOW, DEFAULT_RESERVE_TOKENS
from chat.replies.errors import ReplyRejected
from chat.replies.shared_key import MESSAGE_BY_REFUSAL, LimitReached
from chat.tool_parts.storage import count_door_chars
from streaming.models import Stream, StreamQuerySet
from streaming.providers import catalog
from streaming.providers.catalog import Model
from streaming.providers.types import Request, Usage

LIMITS = {
    "unfinished_replies": "MAX_UNFINISHED_REPLIES_PER_USER",
    "messages_per_minute": "MAX_MESSAGES_PER_MINUTE",
    "chars_per_minute": "MAX_CHARS_PER_MINUTE",
    "chars_per_day": "MAX_CHARS_PER_DAY",
    "stored_chars": "MAX_STORED_CHARS_PER_USER",
}
"""The column of each limit, and its setting."""

NO_LIMITS = UserLimits()

ROW_CHARS = 50
"""A row counts as so many characters beside its text, so that empty ones can't fill the disk."""

OTHER_CHARS = "other_chars"
"""The argument of a stream with the characters that a program's request stores beside its text:
tools, and what the door keeps. They end with the stream."""

RESERVE = "reserve"
"""The argument of a stream with the most that it may use of a connection."""


@dataclass(frozen=True, slots=True)
class PersonLimits:
    """`is_blocked`: a limit in the person's own row is 0, so no reply is accepted."""

    unfinished_replies: int
    messages_per_minute: int
    chars_per_minute: int
    chars_per_day: int
    stored_chars: int
    is_blocked: bool


def lock_user(user: User) -> PersonLimits:
    """Let no other process check this person's limits until the transaction ends, and return them,
    in one query. Others may insert rows that refer to the person."""
    people = User.objects.select_for_update(no_key=True, of=("self",)).select_related("limits")
    person = people.only("pk", *(f"limits__{name}" for name in LIMITS)).filter(pk=user.pk).first()
    return _combine_limits(getattr(person, "limits", NO_LIMITS))


def _combine_limits(row: UserLimits) -> PersonLimits:
    own = {name: getattr(row, name) for name in LIMITS}
    values = {
        name: getattr(settings, LIMITS[name]) if value is None else value
        for name, value in own.items()
    }
    return PersonLimits(**values, is_blocked=0 in own.values())


def find_exceeded_limit(
    user: User, limits: PersonLimits, replies: StreamQuerySet, size: int
) -> str:
    """A sentence that says why this person, who has these replies, can't have another one of `size`
    characters, and what to do. Empty if they can."""
    if limits.is_blocked:
        return _("Your account may not send messages at present. Ask your administrator.")
    unfinished = replies.unfinished().count()
    if unfinished >= limits.unfinished_replies:
        return ngettext(
            "You have %(count)d reply running or waiting. Wait for it to finish, or stop it.",
            "You have %(count)d replies running or waiting. Wait for one to finish, or stop one.",
            unfinished,
        ) % {"count": unfinished}
    minute = Q(created_at__gt=Now() - timedelta(minutes=1))
    sent = replies.filter(created_at__gt=Now() - timedelta(days=1)).aggregate(
        messages=Count("id", filter=minute),
        in_a_minute=Coalesce(Sum("size", filter=minute), 0),
        in_a_day=Coalesce(Sum("size"), 0),
    )
    if sent["messages"] >= limits.messages_per_minute:
        return _(
            "You have sent many messages within a minute. Wait a minute, then send this again."
        )
    others = _sum_deleted_sizes(user)
    if _is_over_limit(sent["in_a_minute"] + others["in_a_minute"], size, limits.chars_per_minute):
        return _("You have sent a lot of text within a minute. Wait a minute, then send it again.")
    if _is_over_limit(sent["in_a_day"] + others["in_a_day"], size, limits.chars_per_day):
        return _("You have reached the limit of text for one day. Send this again tomorrow.")
    if _is_over_limit(sum_stored_chars(user), size, limits.stored_chars):
        return _(
            "Your chats have reached the limit of stored text. Delete chats that you no longer "
            "need, then send this again."
        )
    return ""


def add_stored_chars(conversation: Conversation, count: int, *, rows: int = 0) -> None:
    """A conversation's row has the number of its characters, with ROW_CHARS for each message, so
    that a message needs no scan of all messages. The caller has locked the row, or has just made
    it, and saves it."""
    if conversation.stored_chars is not None:
        count += ROW_CHARS * rows
        conversation.stored_chars = max(0, conversation.stored_chars + count)


def count_chars_of_streams(streams: Iterable[Stream]) -> int:
    """The characters that count as stored for replies, beside those of their messages: system
    prompts, what programs have asked for, and the row of each continuation."""
    return sum(
        len(stream.arguments.get("system_prompt", ""))
        + stream.arguments.get(OTHER_CHARS, 0)
        + (ROW_CHARS if stream.continues_id else 0)
        for stream in streams
    )


def sum_stored_chars(user: User) -> int:
    """Without the conversations that were just deleted. Those of an older version that no worker
    has counted yet (`storage`) count as empty."""
    owned = Conversation.objects.owned_by(user)
    sums = owned.aggregate(chars=Coalesce(Sum("stored_chars"), 0), rows=Count("pk"))
    return int(sums["chars"] + ROW_CHARS * sums["rows"])


def _sum_deleted_sizes(user: User) -> dict[str, int]:
    """Characters in chats that were deleted since, and those that programs stored without a
    reply."""
    recent = DeletedSize.objects.filter(user=user, sent_at__gt=Now() - timedelta(days=1))
    minute = Q(sent_at__gt=Now() - timedelta(minutes=1))
    return recent.aggregate(
        in_a_minute=Coalesce(Sum("size", filter=minute), 0), in_a_day=Coalesce(Sum("size"), 0)
    )


def _is_over_limit(sent: int, size: int, limit: int) -> bool:
    """A message that is longer than the limit alone is accepted if it is the only one."""
    return sent > 0 and sent + size > limit


def select_pool(model: Model, connection: Connection | None) -> str:
    """The pool of a new stream. One that needs no key of the person's own has a bounded share of a
    worker (docs/decisions/0013). `connection` is the one that pays, if there is one."""
    if not catalog.PROVIDERS[model.provider].needs_key:
        return "demo" if model.provider == "demo" else "keyless"
    return "shared" if connection else ""


def find_connection(user: User, model: Model) -> Connection | None:
    """The connection that pays for a reply; None for a key of the person's own, or for none."""
    if not catalog.PROVIDERS[model.provider].needs_key:
        return None
    return find_paying_connection(user, model.provider)


def reserve_use(
    conversation: Conversation,
    connection: Connection | None,
    model: Model,
    max_tokens: int | None,
    size: int,
) -> dict[str, Any]:
    """The reserve of a new reply, for the arguments of its stream; empty without a limit. Call it
    under the lock of `lock_user`, so that replies that are sent at once can't pass together. Raises
    ReplyRejected."""
    if connection is None or not connection.has_limit:
        return {}
    user = conversation.user
    stored = conversation.messages.aggregate(chars=Sum(Length("content")))["chars"] or 0
    stored += count_door_chars(conversation)
    reserve = _estimate_reserve(connection, model, stored + size, max_tokens)
    reserves = _list_reserves(Stream.objects.owned_by(user))
    if refusal := find_refusal(user, connection, reserve, reserves):
        raise ReplyRejected("limit_reached", describe_refusal(refusal, user, connection))
    return {RESERVE: reserve.to_json()}


def ensure_reserve(stream: Stream, connection: Connection, model: Model, request: Request) -> None:
    """Take the reserve of a stream that begins, if it has none for this connection: a title, or a
    reply that was queued for a key of the person's own, for another connection, before there was a
    limit or by an older process. Raises LimitReached."""
    stored = stream.arguments.get(RESERVE)
    if not connection.has_limit or (stored and stored["connection"] == connection.pk):
        return
    size = len(request.system) + sum(turn.length for turn in request.turns)
    reserve = _estimate_reserve(connection, model, size, request.max_tokens)
    arguments = {**stream.arguments, RESERVE: reserve.to_json()}
    name = catalog.PROVIDERS[model.provider].name
    with transaction.atomic():
        # The stream's row before the person's, as where a stream ends: neither waits for the other.
        mine = Stream.objects.filter(pk=stream.pk, epoch=stream.epoch, state=stream.state)
        mine.update(arguments=arguments)
        lock_user(stream.owner)
        reserves = _list_reserves(Stream.objects.owned_by(stream.owner).exclude(pk=stream.pk))
        if refusal := find_refusal(stream.owner, connection, reserve, reserves):
            raise LimitReached(MESSAGE_BY_REFUSAL[refusal].format(provider=name))
    stream.arguments = arguments


def _list_reserves(streams: StreamQuerySet) -> list[dict[str, Any]]:
    arguments = streams.unfinished().values_list("arguments", flat=True)
    return [each[RESERVE] for each in arguments if RESERVE in each]


def _estimate_reserve(
    connection: Connection, model: Model, chars: int, max_tokens: int | None
) -> Reserve:
    """A token has at least one character, as a rule. The prompt is at most the window."""
    prompt = min(chars, model.context_window or DEFAULT_CONTEXT_WINDOW)
    output = max_tokens or model.max_output or DEFAULT_RESERVE_TOKENS
    dollars: Decimal | None = None
    if model.price:
        dollars = model.price.calculate_cost(Usage(prompt, output))
    return Reserve(connection.pk, prompt + output, dollars)

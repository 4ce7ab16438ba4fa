"""The monthly limit of a connection, for a reply that is about to be queued."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.db.models import Sum
from django.db.models.functions import Length

from accounts.connections.access import find_paying_connection
from accounts.connections.limits import Reserve, find_reached_limit
from accounts.connections.models import Connection
from accounts.models import User
from chat.models import Conversation
from chat.replies.context import DEFAULT_CONTEXT_WINDOW, DEFAULT_RESERVE_TOKENS
from chat.replies.errors import ReplyRejected
from chat.replies.settings import ReplySettings
from streaming.models import Stream
from streaming.providers import catalog
from streaming.providers.catalog import Model
from streaming.providers.types import Usage

RESERVE = "reserve"
"""The argument of a stream with the most that it may use of a connection."""


def reserve_use(
    user: User, conversation: Conversation, model: Model, chosen: ReplySettings, size: int
) -> dict[str, Any]:
    """The reserve of a new reply, for the arguments of its stream; empty without a limit. Call it
    under the lock of `lock_user`, so that replies that are sent at once can't pass together. Raises
    ReplyRejected."""
    if not catalog.PROVIDERS[model.provider].needs_key:
        return {}
    connection = find_paying_connection(user, model.provider)
    if connection is None or not connection.has_limit:
        return {}
    reserve = _estimate_reserve(connection, conversation, model, chosen, size)
    unfinished = Stream.objects.owned_by(user).unfinished()
    arguments = unfinished.values_list("arguments", flat=True)
    reserves = [each[RESERVE] for each in arguments if RESERVE in each]
    if sentence := find_reached_limit(user, connection, reserve, reserves):
        raise ReplyRejected("limit_reached", sentence)
    return {RESERVE: reserve.to_json()}


def _estimate_reserve(
    connection: Connection,
    conversation: Conversation,
    model: Model,
    chosen: ReplySettings,
    size: int,
) -> Reserve:
    """A token has at least one character, as a rule. The prompt is at most the window."""
    stored = conversation.messages.aggregate(chars=Sum(Length("content")))["chars"] or 0
    prompt = min(stored + size, model.context_window or DEFAULT_CONTEXT_WINDOW)
    output = chosen.max_tokens or model.max_output or DEFAULT_RESERVE_TOKENS
    dollars: Decimal | None = None
    if model.price:
        dollars = model.price.calculate_cost(Usage(prompt, output))
    return Reserve(connection.pk, prompt + output, dollars)

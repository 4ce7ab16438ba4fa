"""The list of conversations beside the page: those that are pinned, then the newest, under the
day they were last used."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from django.utils import timezone

from accounts.models import User
from chat.models import Conversation

SHOWN = 200


@dataclass(frozen=True, slots=True)
class Row:
    """A conversation in the list; `day` is the heading before it, where a new one begins, and
    `leaf` the message by which a page knows whether it shows the newest."""

    id: UUID
    title: str
    dot: str
    day: str
    leaf: UUID | None = None
    pinned: bool = False


def rows(user: User) -> list[Row]:
    """What is pinned, and the newest conversations of this user."""
    newest = Conversation.objects.of(user).order_by("-pinned", "-updated_at")
    newest = newest.only("title", "status", "read", "pinned", "updated_at", "leaf")
    listed: list[Row] = []
    today, before = timezone.localdate(), ""
    for one in newest[:SHOWN]:
        day = "Pinned" if one.pinned else day_of(timezone.localdate(one.updated_at), today)
        heading = "" if day == before else day
        listed.append(Row(one.id, one.title, dot_of(one), heading, one.leaf_id, one.pinned))
        before = day
    return listed


def dot_of(conversation: Conversation) -> str:
    """What is going on, or has happened since its owner looked."""
    if conversation.status == Conversation.Status.STREAMING:
        return "running"
    if conversation.read:
        return ""
    return "failed" if conversation.status == Conversation.Status.ERROR else "unread"


def day_of(used: date, today: date) -> str:
    """The heading for what was last used on a day."""
    if used >= today:
        return "Today"
    if used == today - timedelta(days=1):
        return "Yesterday"
    return "Previous 7 days" if used >= today - timedelta(days=7) else "Older"

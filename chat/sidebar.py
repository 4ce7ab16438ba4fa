"""The list of conversations beside the page: the newest first, under the day they were last
used."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from django.utils import timezone

from accounts.models import User
from chat.models import Conversation

SHOWN = 200

DOTS = {
    Conversation.Status.STREAMING: "running",
    Conversation.Status.ERROR: "failed",
}


@dataclass(frozen=True, slots=True)
class Row:
    """A conversation in the list; `day` is the heading before it, where a new one begins, and
    `leaf` the message by which a page knows whether it shows the newest."""

    id: UUID
    title: str
    dot: str
    day: str
    leaf: UUID | None = None


def rows(user: User) -> list[Row]:
    """The newest conversations of this user."""
    mine = Conversation.objects.filter(user=user)
    newest = mine.order_by("-updated_at").only("title", "status", "updated_at", "leaf")
    listed: list[Row] = []
    today, before = timezone.localdate(), ""
    for conversation in newest[:SHOWN]:
        day = day_of(timezone.localdate(conversation.updated_at), today)
        dot = DOTS.get(Conversation.Status(conversation.status), "")
        heading = "" if day == before else day
        listed.append(Row(conversation.id, conversation.title, dot, heading, conversation.leaf_id))
        before = day
    return listed


def day_of(used: date, today: date) -> str:
    """The heading for what was last used on a day."""
    if used >= today:
        return "Today"
    if used == today - timedelta(days=1):
        return "Yesterday"
    return "Previous 7 days" if used >= today - timedelta(days=7) else "Older"

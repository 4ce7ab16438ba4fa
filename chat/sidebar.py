"""The list of conversations beside the page: those that are pinned, then the newest, under the
day they were last used."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from django.db.models import Q
from django.utils import timezone

from accounts.models import User
from chat.models import Conversation, ConversationQuerySet

SHOWN = 200
"""Rows that the list begins with, and that are fetched at a time of those after them."""
MAX_REFRESHED = 2_000
"""Rows of a list that is made anew while its reader has come further; the rest is fetched again."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a row stands in the list. It stays where it is when the conversation moves."""

    pinned: bool
    used: datetime
    id: UUID

    def __str__(self) -> str:
        return f"{self.pinned:d}_{self.used.astimezone(UTC):%Y%m%dT%H%M%S%f}_{self.id.hex}"

    @classmethod
    def read(cls, written: str) -> Place | None:
        """The place as an address names it; None for anything else."""
        pinned, _, rest = written.partition("_")
        used, _, id = rest.partition("_")
        try:
            at = datetime.strptime(used, "%Y%m%dT%H%M%S%f").replace(tzinfo=UTC)
            return cls(pinned == "1", at, UUID(id))
        except (ValueError, OverflowError):
            return None


@dataclass(frozen=True, slots=True)
class SidebarRow:
    """A conversation in the list; `day` is the heading before it, where a new one begins, and
    `leaf` the message by which a page knows whether it shows the newest."""

    id: UUID
    title: str
    dot: str
    day: str
    leaf: UUID | None = None
    pinned: bool = False


@dataclass(frozen=True, slots=True)
class Sidebar:
    """Rows that follow one another; `end` is the place of the last one, and `more` whether there
    are any after it. `later` is whether they begin further down than the list does."""

    rows: list[SidebarRow]
    end: str = ""
    more: bool = False
    later: bool = False


def listing(
    user: User,
    after: Place | None = None,
    through: Place | None = None,
    *,
    joined: bool = False,
) -> Sidebar:
    """The conversations of this user from the top or `after` a place, as many as are shown at a
    time, and all of those `through` a place that the reader has come to. What is `joined` to the
    rows before it does not repeat their heading."""
    mine = Conversation.objects.of(user)
    size = SHOWN
    if through:
        size = max(size, min(_count(mine, through), MAX_REFRESHED))
    found = _following(mine, after, size + 1)
    listed: list[SidebarRow] = []
    today = timezone.localdate()
    before = _heading(after.pinned, after.used, today) if after and joined else ""
    for one in found[:size]:
        day = _heading(one.pinned, one.updated_at, today)
        heading = "" if day == before else day
        listed.append(SidebarRow(one.id, one.title, dot_of(one), heading, one.leaf_id, one.pinned))
        before = day
    last = found[: len(listed)][-1:]
    end = str(Place(last[0].pinned, last[0].updated_at, last[0].id)) if last else ""
    return Sidebar(listed, end, more=len(found) > size, later=after is not None)


def _following(mine: ConversationQuerySet, after: Place | None, size: int) -> list[Conversation]:
    """So many rows, those that are pinned first. Each half is read along the index."""
    found: list[Conversation] = []
    for pinned in (True, False):
        if len(found) == size or (after and after.pinned < pinned):
            continue
        half = mine.filter(pinned=pinned).order_by("-updated_at", "-id")
        if after and after.pinned == pinned:
            half = half.filter(
                Q(updated_at__lt=after.used) | Q(id__lt=after.id), updated_at__lte=after.used
            )
        shown = half.only("title", "status", "read", "pinned", "updated_at", "leaf")
        found += shown[: size - len(found)]
    return found


def _count(mine: ConversationQuerySet, through: Place) -> int:
    """How many rows stand before a place or at it."""
    half = mine.filter(pinned=through.pinned, updated_at__gte=through.used)
    count = half.filter(Q(updated_at__gt=through.used) | Q(id__gte=through.id)).count()
    return count if through.pinned else count + mine.filter(pinned=True).count()


def _heading(pinned: bool, used: datetime, today: date) -> str:
    return "Pinned" if pinned else day_of(timezone.localdate(used), today)


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

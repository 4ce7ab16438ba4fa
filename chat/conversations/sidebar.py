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

PAGE_SIZE = 200
"""Rows that the list begins with, and that are fetched at a time of those after them."""
MAX_REFRESHED_ROWS = 2_000
"""Rows of a list that is made anew while its reader has come further; the rest is fetched again."""


@dataclass(frozen=True, slots=True)
class RowPosition:
    """Where a row stands in the list. It stays where it is when the conversation moves."""

    pinned: bool
    updated_at: datetime
    id: UUID

    def __str__(self) -> str:
        return f"{self.pinned:d}_{self.updated_at.astimezone(UTC):%Y%m%dT%H%M%S%f}_{self.id.hex}"

    @classmethod
    def parse(cls, text: str) -> RowPosition | None:
        """The place as an address names it; None for anything else."""
        pinned, _, rest = text.partition("_")
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
    activity: str
    heading: str
    leaf_id: UUID | None = None
    pinned: bool = False


@dataclass(frozen=True, slots=True)
class Sidebar:
    """Rows that follow one another; `end` is the place of the last one, and `more` whether there
    are any after it. `later` is whether they begin further down than the list does."""

    rows: list[SidebarRow]
    end_position: str = ""
    has_next: bool = False
    has_previous: bool = False


def load_sidebar(
    user: User,
    after: RowPosition | None = None,
    through: RowPosition | None = None,
    *,
    is_appended: bool = False,
) -> Sidebar:
    """The conversations of this user from the top or `after` a place, as many as are shown at a
    time, and all of those `through` a place that the reader has come to. A list that is `joined`
    to the rows before it does not repeat their heading."""
    mine = Conversation.objects.owned_by(user)
    size = PAGE_SIZE
    if through:
        size = max(size, min(_count_rows(mine, through), MAX_REFRESHED_ROWS))
    found = _load_rows(mine, after, size + 1)
    listed: list[SidebarRow] = []
    today = timezone.localdate()
    before = _get_heading(after.pinned, after.updated_at, today) if after and is_appended else ""
    for one in found[:size]:
        day = _get_heading(one.pinned, one.updated_at, today)
        heading = "" if day == before else day
        listed.append(
            SidebarRow(
                one.id, one.title, get_activity(one), heading, one.current_leaf_id, one.pinned
            )
        )
        before = day
    last = found[: len(listed)][-1:]
    end = str(RowPosition(last[0].pinned, last[0].updated_at, last[0].id)) if last else ""
    return Sidebar(listed, end, has_next=len(found) > size, has_previous=after is not None)


def _load_rows(
    conversations: ConversationQuerySet, after: RowPosition | None, size: int
) -> list[Conversation]:
    """So many rows, those that are pinned first. Each half is read along the index."""
    found: list[Conversation] = []
    for pinned in (True, False):
        if len(found) == size or (after and after.pinned < pinned):
            continue
        half = conversations.filter(pinned=pinned).order_by("-updated_at", "-id")
        if after and after.pinned == pinned:
            half = half.filter(
                Q(updated_at__lt=after.updated_at) | Q(id__lt=after.id),
                updated_at__lte=after.updated_at,
            )
        shown = half.only("title", "status", "is_read", "pinned", "updated_at", "current_leaf")
        found += shown[: size - len(found)]
    return found


def _count_rows(conversations: ConversationQuerySet, through: RowPosition) -> int:
    """How many rows stand before a place or at it."""
    half = conversations.filter(pinned=through.pinned, updated_at__gte=through.updated_at)
    count = half.filter(Q(updated_at__gt=through.updated_at) | Q(id__gte=through.id)).count()
    return count if through.pinned else count + conversations.filter(pinned=True).count()


def _get_heading(pinned: bool, updated_at: datetime, today: date) -> str:
    return "Pinned" if pinned else get_day_heading(timezone.localdate(updated_at), today)


def get_activity(conversation: Conversation) -> str:
    """Return the mark of a row: running, failed, unread or none."""
    if conversation.status == Conversation.ReplyStatus.STREAMING:
        return "running"
    if conversation.is_read:
        return ""
    return "failed" if conversation.status == Conversation.ReplyStatus.ERROR else "unread"


def get_day_heading(last_used: date, today: date) -> str:
    """The heading for what was last used on a day."""
    if last_used >= today:
        return "Today"
    if last_used == today - timedelta(days=1):
        return "Yesterday"
    return "Previous 7 days" if last_used >= today - timedelta(days=7) else "Older"

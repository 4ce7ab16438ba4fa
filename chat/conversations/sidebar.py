"""The list of conversations beside the page: pinned ones first, then the newest under headings for
the day of their last change."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from chat.models import Conversation, ConversationQuerySet

PAGE_SIZE = 200
"""Rows that are loaded at a time."""
MAX_REFRESHED_ROWS = 2_000
"""Rows that a reload of the list contains, however far its reader has scrolled."""


@dataclass(frozen=True, slots=True)
class RowPosition:
    """The position of a row in the list. It does not move with the conversation."""

    pinned: bool
    updated_at: datetime
    id: UUID

    def __str__(self) -> str:
        return f"{self.pinned:d}_{self.updated_at.astimezone(UTC):%Y%m%dT%H%M%S%f}_{self.id.hex}"

    @classmethod
    def parse(cls, text: str) -> RowPosition | None:
        pinned, _separator, rest = text.partition("_")
        updated_at, _separator, id = rest.partition("_")
        try:
            at = datetime.strptime(updated_at, "%Y%m%dT%H%M%S%f").replace(tzinfo=UTC)
            return cls(pinned == "1", at, UUID(id))
        except (ValueError, OverflowError):
            return None


@dataclass(frozen=True, slots=True)
class SidebarRow:
    """`heading` is set on the first row under it. `leaf_id` tells a page whether it shows the
    newest message."""

    id: UUID
    title: str
    activity: str
    heading: str
    leaf_id: UUID | None = None
    pinned: bool = False
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Sidebar:
    """A part of the list; `end_position` is that of its last row."""

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
    """Load rows from the top or after a position. With `through`, load at least all rows up to that
    position, to which the reader has scrolled. Rows that are appended to others don't repeat their
    heading."""
    conversations = Conversation.objects.listed_for(user).only(
        "title", "status", "is_read", "pinned", "updated_at", "current_leaf"
    )
    size = PAGE_SIZE
    if through:
        size = max(size, min(_count_rows(conversations, through), MAX_REFRESHED_ROWS))
    found = _load_rows(conversations, after, size + 1)
    shown = found[:size]
    end = RowPosition(shown[-1].pinned, shown[-1].updated_at, shown[-1].id) if shown else ""
    return Sidebar(
        _build_rows(shown, after if is_appended else None),
        str(end),
        has_next=len(found) > size,
        has_previous=after is not None,
    )


def load_page(
    user: User, after: RowPosition | None, size: int
) -> tuple[list[Conversation], RowPosition | None]:
    """The conversations after a position, and the position for the next page; None at the end."""
    conversations = Conversation.objects.listed_for(user).defer("system_prompt")
    found = _load_rows(conversations, after, size + 1)
    shown = found[:size]
    if len(found) <= size:
        return shown, None
    return shown, RowPosition(shown[-1].pinned, shown[-1].updated_at, shown[-1].id)


def _load_rows(
    conversations: ConversationQuerySet, after: RowPosition | None, size: int
) -> list[Conversation]:
    """Two queries, because each can use the index."""
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
        found += half[: size - len(found)]
    return found


def _count_rows(conversations: ConversationQuerySet, through: RowPosition) -> int:
    half = conversations.filter(pinned=through.pinned, updated_at__gte=through.updated_at)
    count = half.filter(Q(updated_at__gt=through.updated_at) | Q(id__gte=through.id)).count()
    return count if through.pinned else count + conversations.filter(pinned=True).count()


def _build_rows(
    conversations: list[Conversation], previous: RowPosition | None
) -> list[SidebarRow]:
    today = timezone.localdate()
    heading = _get_heading(previous.pinned, previous.updated_at, today) if previous else ""
    rows = []
    for conversation in conversations:
        last_heading = heading
        heading = _get_heading(conversation.pinned, conversation.updated_at, today)
        rows.append(
            SidebarRow(
                conversation.id,
                conversation.title,
                get_activity(conversation),
                heading if heading != last_heading else "",
                conversation.current_leaf_id,
                conversation.pinned,
                conversation.updated_at,
            )
        )
    return rows


def _get_heading(pinned: bool, updated_at: datetime, today: date) -> str:
    return _("Pinned") if pinned else get_day_heading(timezone.localdate(updated_at), today)


def get_activity(conversation: Conversation) -> str:
    if conversation.status == Conversation.ReplyStatus.STREAMING:
        return "running"
    if conversation.is_read:
        return ""
    return "failed" if conversation.status == Conversation.ReplyStatus.ERROR else "unread"


def get_day_heading(last_used: date, today: date) -> str:
    if last_used >= today:
        return _("Today")
    if last_used == today - timedelta(days=1):
        return _("Yesterday")
    return _("Previous 7 days") if last_used >= today - timedelta(days=7) else _("Older")

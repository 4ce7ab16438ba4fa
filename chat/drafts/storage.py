"""Saves, lists, clears and purges drafts.

Several pages and devices may have the same draft open. Each save names the version that it
continues. If the draft has another one by now, the save is refused, and its page stores the text as
a draft of its own: so both texts are kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid5

from django.db import IntegrityError, transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from accounts.models import User
from chat import changes
from chat.drafts.models import Draft
from chat.models import Conversation
from chat.replies.limits import lock_user
from streaming.sources import register_periodic_task

MAX_DRAFT_BYTES = 50_000
"""Bytes in UTF-8 of the text and the settings together. A longer draft stays in its browser."""
MAX_DRAFTS_PER_USER = 100
MAX_LISTED_TEXTS = 10
"""Drafts of one place whose texts a page gets, newest first."""
DRAFT_LIFETIME = timedelta(days=90)
CLEARED_LIFETIME = timedelta(hours=1)
"""Longer than any save is on its way."""
MAX_PURGED_AT_ONCE = 1_000
"""Rows that one part of a run of a worker reads."""


class TooManyDrafts(Exception):
    """The person has MAX_DRAFTS_PER_USER drafts."""


class DraftConflict(Exception):
    """Another page has changed the draft. `draft` is None if nothing more can be said."""

    def __init__(self, draft: Draft | None) -> None:
        super().__init__()
        self.draft = draft


@dataclass(frozen=True, slots=True)
class DraftChange:
    """A save of one page: it continues the version `base`, 0 for a new draft, and makes a higher
    `version`. `writer` is an id of the page."""

    text: str
    settings: Mapping[str, str]
    base: int
    version: int
    writer: str

    @property
    def size(self) -> int:
        """In bytes."""
        texts = [self.text, *self.settings.values()]
        return sum(len(text.encode("utf-8", "replace")) for text in texts)


@dataclass(frozen=True, slots=True)
class SavedDraft:
    """`revision` is the owner's, after the save; 0 if nothing was written."""

    version: int
    revision: int


def save_draft(
    user: User, id: UUID, change: DraftChange, conversation: Conversation | None
) -> SavedDraft:
    """Raises DraftConflict and TooManyDrafts."""
    rows = _select_draft(user, id)
    fields: dict[str, Any] = {
        "conversation": conversation,
        "text": change.text,
        "settings": dict(change.settings) if change.text else {},
        "version": change.version,
        "writer": change.writer,
    }
    with transaction.atomic():
        current = rows.select_for_update().first()
        if current and not _continues(change, current):
            return _confirm_or_refuse(current, change)
        if change.text and not (current and current.text):
            _require_room(user)
        if current:
            rows.update(**fields, updated_at=Now())
        else:
            _create_draft(user, id, fields)
        revision = changes.bump_revision(user.pk, changes.DRAFTS)
    return SavedDraft(change.version, revision)


def _continues(change: DraftChange, current: Draft) -> bool:
    """The page may not know its last version, because the response of a save was lost."""
    is_own = current.writer == change.writer and current.version < change.version
    return current.version == change.base or is_own


def _confirm_or_refuse(current: Draft, change: DraftChange) -> SavedDraft:
    """A save that arrives twice, or that would change nothing, is no conflict."""
    if current.text == change.text:
        return SavedDraft(current.version, 0)
    raise DraftConflict(current)


def _require_room(user: User) -> None:
    lock_user(user)
    if _select_written(user).count() >= MAX_DRAFTS_PER_USER:
        raise TooManyDrafts


def _create_draft(user: User, id: UUID, fields: Mapping[str, Any]) -> None:
    for free_id in (id, _derive_id(user, id)):
        try:
            with transaction.atomic():
                Draft.objects.create(pk=free_id, user=user, **fields)
            return
        except IntegrityError:
            if row := _select_draft(user, id).first():  # made meanwhile by another page
                raise DraftConflict(row) from None


def _select_draft(user: User, id: UUID) -> QuerySet[Draft]:
    """The draft that the person's page knows by this id."""
    return Draft.objects.owned_by(user).filter(pk__in=[id, _derive_id(user, id)])


def _derive_id(user: User, id: UUID) -> UUID:
    """Used if another person has a draft of the same id, which nobody can tell from the answer."""
    return uuid5(id, str(user.pk))


def clear_draft(user: User, id: UUID) -> None:
    """The text was sent. A save that is still on its way is refused from now on."""
    rows = _select_draft(user, id)
    with transaction.atomic():
        cleared = _empty_drafts(rows)
        if not cleared:
            # This waits for a first save that is not committed yet, and then inserts nothing.
            row = Draft(pk=id, user=user, version=1)
            Draft.objects.bulk_create([row], ignore_conflicts=True)
            cleared = _empty_drafts(rows.exclude(writer=""))
        if cleared:
            changes.bump_revision(user.pk, changes.DRAFTS)


def _empty_drafts(rows: QuerySet[Draft]) -> int:
    """No page knows the versions that they get."""
    return rows.update(text="", settings={}, version=F("version") + 1, writer="", updated_at=Now())


def list_drafts(user: User, conversation: Conversation | None) -> list[dict[str, Any]]:
    """The drafts of one place as JSON, newest first: `id`, `version` and `age` in seconds. Only the
    first MAX_LISTED_TEXTS have `text` and `settings`."""
    rows = _select_written(user).filter(conversation=conversation).annotate(now=Now())
    drafts: list[dict[str, Any]] = [
        {
            "id": str(row.pk),
            "version": row.version,
            "age": max(0.0, (row.now - row.updated_at).total_seconds()),
        }
        for row in rows.order_by("-updated_at", "pk").only("version", "updated_at")
    ]
    newest = Draft.objects.in_bulk([draft["id"] for draft in drafts[:MAX_LISTED_TEXTS]])
    return [draft | _describe_content(newest.get(UUID(draft["id"]))) for draft in drafts]


def _describe_content(row: Draft | None) -> dict[str, Any]:
    return {"text": row.text, "settings": row.settings, "version": row.version} if row else {}


def describe_draft(row: Draft) -> dict[str, Any]:
    return {"id": str(row.pk), "age": 0, **_describe_content(row)}


def _select_written(user: User) -> QuerySet[Draft]:
    return Draft.objects.owned_by(user).exclude(text="")


def purge_drafts() -> None:
    """Delete old drafts, cleared ones, and those that processes of a version without this table
    left behind when they deleted a conversation or an account. Each part reads a bounded number of
    rows; the next run follows in a minute."""
    _delete_first(Draft.objects.filter(updated_at__lt=Now() - DRAFT_LIFETIME))
    _delete_first(Draft.objects.filter(text="", updated_at__lt=Now() - CLEARED_LIFETIME))
    _purge_orphans()


def _delete_first(rows: QuerySet[Draft]) -> None:
    ids = list(rows.order_by("updated_at").values_list("pk", flat=True)[:MAX_PURGED_AT_ONCE])
    rows.filter(pk__in=ids).delete()  # a draft that was saved meanwhile stays


_last_checked_id: UUID | None = None
"""Of this process: where its last search for orphans ended."""


def _purge_orphans() -> None:
    """No index finds them, so each run searches the next rows, and begins again after the last."""
    global _last_checked_id
    rows = Draft.objects.order_by("pk")
    if _last_checked_id is not None:
        rows = rows.filter(pk__gt=_last_checked_id)
    ids = list(rows.values_list("pk", flat=True)[:MAX_PURGED_AT_ONCE])
    _last_checked_id = ids[-1] if len(ids) == MAX_PURGED_AT_ONCE else None
    has_conversation = Exists(Conversation.objects.filter(pk=OuterRef("conversation_id")))
    is_orphan = ~Exists(User.objects.filter(pk=OuterRef("user_id"))) | (
        Q(conversation__isnull=False) & ~has_conversation
    )
    Draft.objects.filter(pk__in=ids).filter(is_orphan).delete()


def register_tasks() -> None:
    register_periodic_task(purge_drafts)

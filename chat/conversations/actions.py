"""Rename, pin, read, delete, restore and purge conversations."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.db.models.functions import Now

from chat import changes
from chat.models import Conversation
from chat.replies import titles
from streaming import journal, lifecycle
from streaming.models import Stream
from streaming.sources import register_periodic_task

UNDO_PERIOD = timedelta(seconds=10)
"""How long a person is offered to have back what they deleted."""
UNDO_GRACE = timedelta(seconds=5)
"""For a click at the last moment."""


def rename(conversation: Conversation, title: str) -> None:
    """Give it another title, in one line. An empty one changes nothing."""
    if title := " ".join(title.replace("\0", "\ufffd").split())[:200]:
        _update_fields(conversation, title=title, title_is_custom=True)


def set_pinned(conversation: Conversation, pinned: bool) -> None:
    """Keep it at the top of the list, or no longer."""
    _update_fields(conversation, pinned=pinned)


def mark_read(conversation: Conversation) -> None:
    """Its owner has seen how the newest reply ended."""
    if not conversation.is_read:
        _update_fields(conversation, is_read=True)


def _update_fields(conversation: Conversation, **fields: object) -> None:
    with transaction.atomic():
        Conversation.objects.filter(pk=conversation.pk).update(**fields)
        changes.bump_revision(conversation.user_id)


# Deleting


def soft_delete(conversation: Conversation) -> None:
    """Delete it as far as its owner sees: what it is writing is stopped, and it is gone from
    every list. For a moment it can be restored."""
    _update_fields(conversation, deleted_at=Now())
    _stop_streams(conversation)


def restore(conversation: Conversation) -> None:
    """Have it back, as long as it is not really gone."""
    _update_fields(conversation, deleted_at=None)


def delete(conversation: Conversation) -> None:
    """Stop its replies, then remove it with its messages, streams and chunks."""
    _stop_streams(conversation)
    with transaction.atomic():
        # Under the lock nothing new can be asked for here; what was asked for since the
        # streams were stopped is refused by its worker's next append.
        list(Conversation.objects.select_for_update().filter(pk=conversation.pk))
        ids = list(
            Stream.objects.filter(lane__in=_list_lanes(conversation)).values_list("id", flat=True)
        )
        Conversation.objects.filter(pk=conversation.pk).delete()
        journal.delete_streams(ids)
        changes.bump_revision(conversation.user_id)


def purge_deleted() -> None:
    """Really delete what was deleted long enough ago; a worker does it, again and again."""
    gone = Conversation.objects.filter(deleted_at__lt=Now() - UNDO_PERIOD - UNDO_GRACE)
    for conversation in gone[:100]:
        delete(conversation)


def register_tasks() -> None:
    register_periodic_task(purge_deleted)


def _stop_streams(conversation: Conversation) -> None:
    unfinished = Stream.objects.filter(lane__in=_list_lanes(conversation)).unfinished()
    for stream_id in unfinished.values_list("id", flat=True):
        lifecycle.stop(stream_id)


def _list_lanes(conversation: Conversation) -> tuple[str, str]:
    """Of its replies, and of its title."""
    return str(conversation.pk), titles.get_title_lane(conversation)

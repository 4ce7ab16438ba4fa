"""Actions on a whole conversation: rename, pin, mark as read, delete, restore."""

from __future__ import annotations

import logging
from datetime import timedelta

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from chat import changes
from chat.conversations.deletion import delete, stop_streams
from chat.models import MAX_TITLE_CHARS, Conversation
from streaming.outage import is_outage_error
from streaming.sources import register_periodic_task

logger = logging.getLogger(__name__)

UNDO_PERIOD = timedelta(seconds=10)
"""How long a person can restore what they deleted."""
UNDO_GRACE = timedelta(seconds=5)
"""A click at the last moment still counts."""
MAX_PURGED_AT_ONCE = 100


def rename(conversation: Conversation, title: str) -> None:
    if title := " ".join(title.replace("\0", "\ufffd").split())[:MAX_TITLE_CHARS]:
        _update_fields(conversation, title=title, title_is_custom=True)


def set_pinned(conversation: Conversation, pinned: bool) -> None:
    _update_fields(conversation, pinned=pinned)


def mark_read(conversation: Conversation) -> None:
    if not conversation.is_read:
        _update_fields(conversation, is_read=True)


def _update_fields(conversation: Conversation, **fields: object) -> None:
    with transaction.atomic():
        Conversation.objects.filter(pk=conversation.pk).update(**fields)
        changes.bump_revision(conversation.user_id)


# Deleting


def soft_delete(conversation: Conversation) -> None:
    """The owner can restore it for `UNDO_PERIOD`."""
    _update_fields(conversation, deleted_at=Now())
    stop_streams(conversation)


def restore(conversation: Conversation) -> None:
    _update_fields(conversation, deleted_at=None)


def is_restorable() -> Q:
    """The condition under which a deleted conversation can be restored. The purge of older ones may
    have begun."""
    return Q(deleted_at__gt=Now() - UNDO_PERIOD - UNDO_GRACE)


def purge_deleted() -> None:
    """A restoration that began in time has ended by then. The newest go first, so that
    conversations whose deletion fails do not hold up the others."""
    expired = Conversation.objects.filter(deleted_at__lt=Now() - UNDO_PERIOD - 2 * UNDO_GRACE)
    for conversation in expired.order_by("-deleted_at")[:MAX_PURGED_AT_ONCE]:
        try:
            delete(conversation)
        except Exception as error:
            if is_outage_error(error):
                raise  # all others would fail as well
            logger.exception("Conversation %s could not be deleted", conversation.pk)


def register_tasks() -> None:
    register_periodic_task(purge_deleted)

"""Deletes chats some days after their last message, if their owner or the installation wants that.

The rule of a person spares pinned chats. The rule of the installation (RETENTION_DAYS) is a maximum
that holds for all. Temporary chats have a time of their own. A chat with a running or queued reply
is never deleted.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from accounts.models import User
from chat import changes
from chat.models import Conversation, ConversationQuerySet
from streaming.sources import register_periodic_task

CHATS_PER_BATCH = 100
MAX_BATCHES = 20
"""Batches of one rule in one run of a worker; the next run follows in a minute."""
MAX_SHOWN_CHATS = 20
RUNNING = Q(status=Conversation.ReplyStatus.STREAMING)


@dataclass(frozen=True, slots=True)
class RetentionRule:
    """Days after the last message. None: for ever."""

    own_days: int | None
    installation_days: int | None

    @classmethod
    def for_user(cls, user: User, own_days: int | None) -> RetentionRule:
        return cls(own_days, settings.RETENTION_DAYS or None)

    def get_days(self, *, pinned: bool) -> int | None:
        days = [self.installation_days, None if pinned else self.own_days]
        return min((n for n in days if n is not None), default=None)

    def build_condition(self, at: datetime) -> Q:
        """The chats that are due at this time."""
        condition = Q(pk__in=[])
        for pinned in (False, True):
            if days := self.get_days(pinned=pinned):
                condition |= Q(pinned=pinned, updated_at__lt=at - timedelta(days=days))
        return condition


@dataclass(frozen=True, slots=True)
class ExpiringChat:
    conversation: Conversation
    expires_at: datetime


def count_due(user: User, rule: RetentionRule, *, within: timedelta = timedelta()) -> int:
    due = rule.build_condition(timezone.now() + within)
    return Conversation.objects.owned_by(user).filter(due).count()


def list_expiring(user: User, rule: RetentionRule, *, within: timedelta) -> list[ExpiringChat]:
    """The first chats that will be deleted, the next one first."""
    due = rule.build_condition(timezone.now() + within)
    rows = Conversation.objects.owned_by(user).filter(due).order_by("updated_at")
    rows = rows.only("title", "updated_at", "pinned")
    chats = [
        ExpiringChat(chat, chat.updated_at + timedelta(days=days))
        for chat in rows[:MAX_SHOWN_CHATS]
        if (days := rule.get_days(pinned=chat.pinned))
    ]
    return sorted(chats, key=lambda chat: chat.expires_at)


def delete_expired() -> None:
    """Hide them as if their owners had deleted them. `purge_deleted` deletes them soon after."""
    chats = Conversation.objects.all()
    _hide_all(chats.filter(~RUNNING, deleted_at=None, expires_at__lt=Now()))
    if days := settings.RETENTION_DAYS:
        _delete_unchanged(chats, days)
    choices = User.objects.exclude(retention_days=None).values_list("retention_days", flat=True)
    for chosen in choices.distinct():
        if chosen is not None:
            _delete_unchanged(chats.filter(user__retention_days=chosen, pinned=False), chosen)


def _delete_unchanged(chats: ConversationQuerySet, days: int) -> None:
    _hide_all(chats.filter(~RUNNING, deleted_at=None, updated_at__lt=Now() - timedelta(days=days)))


def _hide_all(expired: ConversationQuerySet) -> None:
    for _ in range(MAX_BATCHES):
        if _hide_batch(expired) < CHATS_PER_BATCH:
            return


def _hide_batch(expired: ConversationQuerySet) -> int:
    with transaction.atomic():
        rows = expired.order_by("pk").select_for_update(of=("self",), skip_locked=True)
        chats = list(rows.only("user_id")[:CHATS_PER_BATCH])
        ids = [chat.pk for chat in chats]
        Conversation.objects.filter(pk__in=ids).update(deleted_at=Now())
        for user_id in sorted({chat.user_id for chat in chats}):
            changes.bump_revision(user_id)
    return len(chats)


def register_tasks() -> None:
    register_periodic_task(delete_expired)

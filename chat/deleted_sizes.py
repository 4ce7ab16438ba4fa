"""Remembers for a day how much text a person has sent that no reply in the database counts: in
chats that were deleted since, and what programs stored without a reply. Otherwise either would make
room for the limit of characters a day."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar
from uuid import UUID, uuid4

from django.conf import settings
from django.db import models
from django.db.models import Max, Sum
from django.db.models.functions import Now

from streaming.models import StreamQuerySet
from streaming.sources import register_periodic_task

DAY = timedelta(days=1)


class DeletedSize(models.Model):
    """Characters of the replies of one deleted chat, at the time of the newest of them; or of what
    a program stored at once, under an id of its own."""

    conversation_id = models.UUIDField(primary_key=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="+",
        db_constraint=False,  # an older process deletes people without this table
    )
    size = models.PositiveBigIntegerField()
    sent_at = models.DateTimeField()

    class Meta:
        app_label = "chat"
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["user", "sent_at"], name="deleted_size_recent")
        ]

    def __str__(self) -> str:
        return f"deleted size {self.pk}"


def remember_sizes(conversation_id: UUID, user_id: int, streams: StreamQuerySet) -> None:
    """Call it before these streams of the conversation are deleted. A deletion that was broken off
    and continues counts once."""
    recent = streams.filter(created_at__gt=Now() - DAY)
    sums = recent.aggregate(size=Sum("size"), sent_at=Max("created_at"))
    if sums["size"]:
        DeletedSize.objects.get_or_create(
            conversation_id=conversation_id, defaults={"user_id": user_id, **sums}
        )


def remember_other_chars(user_id: int, size: int) -> None:
    """Count characters that are stored now, and that are no part of a reply's size."""
    if size:
        DeletedSize.objects.create(
            conversation_id=uuid4(), user_id=user_id, size=size, sent_at=Now()
        )


def delete_old_sizes() -> None:
    DeletedSize.objects.filter(sent_at__lt=Now() - DAY).delete()


def register_tasks() -> None:
    register_periodic_task(delete_old_sizes)

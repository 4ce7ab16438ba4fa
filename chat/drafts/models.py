"""The table of drafts."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class DraftQuerySet(models.QuerySet["Draft"]):
    def owned_by(self, user: AbstractBaseUser) -> DraftQuerySet:
        return self.filter(user_id=user.pk)


class Draft(models.Model):
    """Unsent text of one box, in a conversation or for a new one. A draft that was sent or emptied
    keeps its row without text for a while, so that a late save can't bring the text back.

    There are no foreign key constraints, because processes of an older version delete accounts and
    conversations and don't know this table."""

    id = models.UUIDField(
        primary_key=True,
        default=uuid.uuid4,
        editable=False,
        help_text=_("The page that begins the draft chooses it."),
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="drafts",
        db_constraint=False,
        db_index=False,
    )
    conversation = models.ForeignKey(
        "chat.Conversation",
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="drafts",
        db_constraint=False,
        help_text=_("Empty for a new one."),
    )
    text = models.TextField(blank=True)
    settings = models.JSONField(
        default=dict, blank=True, help_text=_("Model and settings that differ from the default.")
    )
    version = models.PositiveIntegerField(help_text=_("Grows with each change."))
    writer = models.CharField(
        max_length=36, blank=True, help_text=_("The page that wrote this version.")
    )
    updated_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = DraftQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["user", "conversation"], name="draft_of_user"),
            models.Index(fields=["updated_at"], name="draft_updated"),
            models.Index(fields=["updated_at"], name="draft_cleared", condition=models.Q(text="")),
        ]

    def __str__(self) -> str:
        return str(self.pk)

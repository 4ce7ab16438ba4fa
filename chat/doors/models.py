"""The names that clients of other protocols give to conversations."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

MAX_CLIENT_NAME_CHARS = 200


class ClientThread(models.Model):
    """A conversation under the name that a client chose for it, in one door."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="+",
        db_constraint=False,  # an older process deletes people without this table
    )
    door = models.CharField(max_length=20)
    name = models.CharField(max_length=MAX_CLIENT_NAME_CHARS, help_text=_("Any text."))
    conversation = models.ForeignKey(
        "chat.Conversation",
        null=True,
        on_delete=models.CASCADE,
        related_name="client_threads",
        db_constraint=False,
        help_text=_("Empty until its first message."),
    )

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["user", "door", "name"], name="client_thread_once")
        ]

    def __str__(self) -> str:
        """The name is the client's own text."""
        return f"{self.door} thread {self.pk}"

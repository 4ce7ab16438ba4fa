"""The rows of tool calls and their outputs."""

from __future__ import annotations

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models
from django.utils.translation import gettext_lazy as _

from streaming.providers.tools import MAX_CALL_ID_CHARS, MAX_FUNCTION_NAME_CHARS


class ToolPartQuerySet(models.QuerySet["ToolPart"]):
    def owned_by(self, user: AbstractBaseUser) -> ToolPartQuerySet:
        """Without those of conversations that were just deleted."""
        return self.filter(
            message__conversation__user_id=user.pk, message__conversation__deleted_at=None
        )


class ToolPart(models.Model):
    """A tool call in a message of the assistant, or an output in a message of the user.

    It is a table of its own, because few messages have any, and because a provider's state of a
    call is found by the call's id: a program that sends the whole history each time has only that.
    """

    class PartKind(models.TextChoices):
        CALL = "call", _("Call")
        OUTPUT = "output", _("Output")

    message = models.ForeignKey(
        "chat.Message",
        on_delete=models.CASCADE,
        related_name="tool_parts",
        db_constraint=False,  # that of the migration deletes a row with its message
    )
    kind = models.CharField(max_length=6, choices=PartKind)
    call_id = models.CharField(max_length=MAX_CALL_ID_CHARS, db_index=True)
    name = models.CharField(max_length=MAX_FUNCTION_NAME_CHARS, blank=True)
    text = models.TextField(blank=True, help_text=_("The arguments in JSON, or the output."))
    state = models.TextField(blank=True, help_text=_("What the provider wants back with the call."))

    objects = ToolPartQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"

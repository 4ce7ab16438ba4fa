"""The row that lets an administrator read the conversations of one person for a time."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

MAX_REASON_CHARS = 200


class ContentGrant(models.Model):
    """Nobody has this access without a row, not even a superuser, and nobody gives it to
    themselves."""

    # Without constraints: an older process deletes people without this table.
    reader = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        db_constraint=False,
        on_delete=models.CASCADE,
        related_name="+",
        verbose_name=_("reader"),
        help_text=_("The administrator who may read."),
    )
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        db_constraint=False,
        on_delete=models.CASCADE,
        related_name="+",
        verbose_name=_("person"),
        help_text=_("The person whose conversations may be read."),
    )
    reason = models.CharField(
        _("reason"),
        max_length=MAX_REASON_CHARS,
        help_text=_("The person sees it, so say why in a sentence."),
    )
    until = models.DateTimeField(_("until"))
    granted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        db_constraint=False,
        null=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="+",
        verbose_name=_("granted by"),
        help_text=_("Empty: by a command on the server, or the account was deleted since."),
    )
    created_at = models.DateTimeField(_("granted"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("access to content")
        verbose_name_plural = _("access to content")
        ordering: ClassVar[list[str]] = ["-id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(granted_by=None) | ~Q(granted_by=F("reader")),
                name="content_grant_by_another",
                violation_error_message=_("Another administrator has to give you access."),
            )
        ]

    def __str__(self) -> str:
        return f"grant {self.pk}"

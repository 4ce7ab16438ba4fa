"""The row with the limits of one person."""

from __future__ import annotations

from decimal import Decimal

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _


class UserLimits(models.Model):
    """Limits of a person that differ from those of the installation. An empty field means the limit
    of the installation, and 0 means none at all.

    There is no foreign key constraint, because processes of an older version delete accounts and
    don't know this table.
    """

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="limits",
        db_constraint=False,
        verbose_name=_("person"),
    )
    unfinished_replies = models.PositiveBigIntegerField(
        _("replies that run or wait"), null=True, blank=True
    )
    messages_per_minute = models.PositiveBigIntegerField(
        _("messages a minute"), null=True, blank=True
    )
    chars_per_minute = models.PositiveBigIntegerField(
        _("characters a minute"), null=True, blank=True
    )
    chars_per_day = models.PositiveBigIntegerField(_("characters a day"), null=True, blank=True)
    stored_chars = models.PositiveBigIntegerField(
        _("stored characters"),
        null=True,
        blank=True,
        help_text=_("In all chats, replies included."),
    )
    monthly_dollars = models.DecimalField(
        _("dollars a month"),
        max_digits=10,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal())],
        help_text=_("At each connection, instead of the limit of the connection."),
    )
    monthly_tokens = models.PositiveBigIntegerField(
        _("tokens a month"),
        null=True,
        blank=True,
        help_text=_("At each connection, instead of the limit of the connection."),
    )

    class Meta:
        verbose_name = _("limits of a person")
        verbose_name_plural = _("limits of people")

    def __str__(self) -> str:
        return f"limits of account {self.user_id}"

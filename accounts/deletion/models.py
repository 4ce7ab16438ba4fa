"""The row of a deletion that has begun."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class AccountDeletion(models.Model):
    """An account whose data is being deleted by the workers. The account is deactivated, and is
    deleted last, together with this row.

    There is no foreign key constraint, because processes of an older version delete accounts and
    don't know this table."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        primary_key=True,
        on_delete=models.CASCADE,
        related_name="deletion",
        db_constraint=False,
    )
    actor_id = models.BigIntegerField(help_text=_("The account that asked for it."))
    requested_at = models.DateTimeField(db_default=Now(), editable=False)
    claimed_until = models.DateTimeField(
        null=True, blank=True, help_text=_("No other worker continues it before this time.")
    )

    def __str__(self) -> str:
        return f"deletion of {self.pk}"

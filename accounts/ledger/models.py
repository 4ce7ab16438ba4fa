"""The rows of the ledger: how much each person has used."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from streaming.providers.catalog.naming import MAX_MODEL_NAME_CHARS

OWN_KEY = 0
"""The `connection_id` of use with the person's own key, or of a server that needs none."""


class LedgerEntry(models.Model):
    """One person’s use of one model in one month. Only `ledger.counting` adds to it.

    It refers to no chat, so deleting one changes nothing. `connection_id` is no foreign key,
    because the entry outlives the connection. There is no foreign key constraint for the person
    either, because processes of an older version delete accounts and don't know this table.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="ledger",
        db_constraint=False,
        verbose_name=_("user"),
    )
    month = models.DateField(_("month"), help_text=_("Its first day, in UTC."))
    connection_id = models.BigIntegerField(
        _("connection"), default=OWN_KEY, help_text=_("0 is the person’s own key, or none.")
    )
    provider = models.CharField(_("provider"), max_length=50)
    model = models.CharField(_("model"), max_length=MAX_MODEL_NAME_CHARS)
    replies = models.BigIntegerField(_("replies"), default=0)
    titles = models.BigIntegerField(_("titles"), default=0)
    input_tokens = models.BigIntegerField(_("input tokens"), default=0)
    output_tokens = models.BigIntegerField(
        _("output tokens"), default=0, help_text=_("With those of the reasoning.")
    )
    reasoning_tokens = models.BigIntegerField(_("reasoning tokens"), default=0)
    cached_tokens = models.BigIntegerField(
        _("cached tokens"), default=0, help_text=_("Input tokens from the provider’s cache.")
    )
    cost = models.DecimalField(
        _("cost"), max_digits=18, decimal_places=6, default=0, help_text=_("In dollars.")
    )
    estimated = models.BigIntegerField(
        _("estimated"),
        default=0,
        help_text=_("How many of the replies and titles the provider did not count."),
    )
    unpriced = models.BigIntegerField(
        _("without a price"),
        default=0,
        help_text=_("How many of the replies and titles have no known cost."),
    )

    class Meta:
        verbose_name = _("ledger entry")
        verbose_name_plural = _("ledger")
        ordering = ["-month", "user", "provider", "model"]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "month", "connection_id", "provider", "model"],
                name="ledger_entry_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m} {self.provider} {self.model}"

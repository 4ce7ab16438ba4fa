"""The row of an audit event."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class AuditEventQuerySet(models.QuerySet["AuditEvent"]):
    def owned_by(self, user: AbstractBaseUser) -> AuditEventQuerySet:
        """The events that a person may see: those about the own account."""
        return self.filter(account_id=user.pk)


class AuditEvent(models.Model):
    """Something that was done to an account, a key or the installation, and by whom.

    The ids are no foreign keys, because an event outlives the accounts that it names. It holds no
    content, no secret and no e-mail address. When an account is deleted, the `ip` and `facts` of
    its events are emptied, so that only the id remains.
    """

    created_at = models.DateTimeField(_("time"), db_default=Now(), db_index=True)
    kind = models.CharField(_("event"), max_length=50)
    account_id = models.BigIntegerField(
        _("account"), null=True, blank=True, help_text=_("The account that it is about.")
    )
    actor_id = models.BigIntegerField(
        _("actor"), null=True, blank=True, help_text=_("The account that did it.")
    )
    ip = models.GenericIPAddressField(_("address"), null=True, blank=True)
    facts = models.JSONField(_("facts"), default=dict, blank=True)

    objects = AuditEventQuerySet.as_manager()

    class Meta:
        verbose_name = _("audit event")
        verbose_name_plural = _("audit events")
        ordering: ClassVar[list[str]] = ["-id"]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["account_id", "created_at"], name="audit_of_account"),
            models.Index(fields=["actor_id"], name="audit_of_actor"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"

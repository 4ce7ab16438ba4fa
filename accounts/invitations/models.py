"""The rows of invitations, and of the accounts that were made with them."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class Invitation(models.Model):
    """The right to create some accounts until a time. The link is stored as a hash. The address is
    emptied by the sign-up that uses it: the account has it then."""

    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    email = models.EmailField(
        _("email address"),
        blank=True,
        help_text=_("Only this address may sign up. Leave it empty to invite anybody."),
    )
    is_mailed = models.BooleanField(
        _("sent by mail"),
        db_default=False,
        help_text=_("Only the mail contains the link, so the link proves that the address works."),
    )
    max_uses = models.PositiveIntegerField(_("accounts"), default=1)
    use_count = models.PositiveIntegerField(_("used"), db_default=0, editable=False)
    created_at = models.DateTimeField(_("created"), db_default=Now())
    expires_at = models.DateTimeField(_("expires"))
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True)
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="invitations",
        verbose_name=_("made by"),
        db_constraint=False,
        help_text=_("Empty if it was made on the command line."),
    )

    class Meta:
        verbose_name = _("invitation")
        verbose_name_plural = _("invitations")
        ordering: ClassVar[list[str]] = ["-id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(use_count__lte=F("max_uses")), name="invitation_not_used_too_often"
            )
        ]

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.pk}"

    def find_refusal(self) -> str | Promise:
        """Return why it can't be used, or an empty text."""
        if self.revoked_at:
            return _("This invitation was revoked.")
        if self.expires_at <= timezone.now():
            return _("This invitation has expired.")
        if self.use_count >= self.max_uses:
            return _("This invitation has been used already.")
        return ""


class InvitationUse(models.Model):
    """An account that was made with an invitation. It is deleted with the account."""

    invitation = models.ForeignKey(Invitation, on_delete=models.CASCADE, related_name="uses")
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="invitation_use",
        db_constraint=False,  # an older process deletes people without this table
    )
    used_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"{self.invitation} {self.pk}"

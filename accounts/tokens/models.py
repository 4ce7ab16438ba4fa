"""The row of an access token."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

MAX_NAME_CHARS = 100


class Scope(models.TextChoices):
    """The rights of a token. “write” includes “read”."""

    READ = "read", _("read: chats, models, and which keys there are")
    WRITE = "write", _("write: also send messages, stop replies, change and delete chats")
    GATEWAY = "gateway", _("gateway: ask models through the OpenAI-compatible API")


class AccessTokenQuerySet(models.QuerySet["AccessToken"]):
    def owned_by(self, user: AbstractBaseUser) -> AccessTokenQuerySet:
        return self.filter(user_id=user.pk)


class AccessToken(models.Model):
    """The right to act for a person. The token itself is shown once and stored as a hash."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="access_tokens",
        db_constraint=False,  # an older process deletes people without this table
    )
    name = models.CharField(
        _("name"), max_length=MAX_NAME_CHARS, help_text=_("Such as the program that uses it.")
    )
    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    last_four = models.CharField(max_length=4)
    scopes = models.JSONField(_("rights"), default=list)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True, editable=False)

    objects = AccessTokenQuerySet.as_manager()

    class Meta:
        verbose_name = _("access token")
        verbose_name_plural = _("access tokens")
        ordering: ClassVar[list[str]] = ["-id"]

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.pk}"

    @property
    def has_expired(self) -> bool:
        return self.expires_at is not None and self.expires_at <= timezone.now()

    def allows(self, right: Scope) -> bool:
        return self.may_read if right is Scope.READ else right in self.scopes

    @property
    def may_read(self) -> bool:
        """Each change is answered with the changed thing, so a right to change without one to read
        would be none."""
        return Scope.READ in self.scopes or self.may_write

    @property
    def may_write(self) -> bool:
        return Scope.WRITE in self.scopes

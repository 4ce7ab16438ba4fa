"""The rows of webhooks and of their deliveries."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar
from uuid import uuid4

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

MAX_ADDRESS_CHARS = 500
RETRY_DURATION = timedelta(hours=24)
"""So long a delivery is tried again."""


class WebhookQuerySet(models.QuerySet["Webhook"]):
    def owned_by(self, user: AbstractBaseUser) -> WebhookQuerySet:
        return self.filter(user_id=user.pk)

    def active(self) -> WebhookQuerySet:
        """Those that get messages: a deactivated account has none."""
        return self.filter(is_active=True, user__is_active=True)


class Webhook(models.Model):
    """An address that gets a message about each ending. Its secret is sealed for this row and this
    address, so neither can be changed."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="webhooks",
        db_constraint=False,  # an older process deletes people without this table
    )
    address = models.CharField(
        _("address"),
        max_length=MAX_ADDRESS_CHARS,
        help_text=_("Of your server, such as https://example.org/holdfast."),
    )
    sealed = models.BinaryField(default=b"")
    master_key_id = models.CharField(max_length=32, blank=True)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    claimed_until = models.DateTimeField(
        null=True,
        blank=True,
        help_text=_("Until then one worker sends to it. In the past: when the last one did."),
    )
    resting_until = models.DateTimeField(
        null=True, blank=True, help_text=_("Its server has failed, and is left alone until then.")
    )

    objects = WebhookQuerySet.as_manager()

    class Meta:
        ordering: ClassVar[list[str]] = ["created_at", "pk"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["user", "address"], name="webhook_once")
        ]

    def __str__(self) -> str:
        """The address is the person's own text, and may contain a password."""
        return f"webhook {self.pk}"


class WebhookDeliveryQuerySet(models.QuerySet["WebhookDelivery"]):
    def owned_by(self, user: AbstractBaseUser) -> WebhookDeliveryQuerySet:
        return self.filter(webhook__user_id=user.pk)

    def waiting(self) -> WebhookDeliveryQuerySet:
        return self.filter(next_attempt_at__isnull=False)

    def due(self) -> WebhookDeliveryQuerySet:
        return self.filter(next_attempt_at__lte=Now())


class WebhookDelivery(models.Model):
    """One ending, for one webhook. The body is made of this row at each attempt."""

    class Status(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        DELIVERED = "delivered", _("Delivered")
        GIVEN_UP = "given_up", _("Given up")

    class Failure(models.TextChoices):
        """Why the last attempt has no usable answer."""

        REFUSED = "refused", _("the address is refused")
        NO_ANSWER = "no_answer", _("no answer")
        BAD_STATUS = "bad_status", _("the answer is no success")
        SEALED = "sealed", _("the secret can’t be decrypted any more")
        TOO_MANY = "too_many", _("too many others were waiting")

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    webhook = models.ForeignKey(
        Webhook, on_delete=models.CASCADE, related_name="deliveries", db_index=False
    )
    # Ids, and no foreign keys: the log outlives what it is about.
    stream = models.UUIDField()
    message = models.UUIDField()
    conversation = models.UUIDField(db_index=True)
    state = models.CharField(max_length=12)
    finish_reason = models.CharField(max_length=30, blank=True)
    ended_at = models.DateTimeField(db_index=True)

    status = models.CharField(max_length=10, choices=Status, default=Status.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True, blank=True, default=timezone.now)
    retry_until = models.DateTimeField()
    last_attempt_at = models.DateTimeField(null=True, blank=True)
    last_status = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text=_("The HTTP status of the last answer.")
    )
    failure = models.CharField(max_length=10, choices=Failure, blank=True)

    objects = WebhookDeliveryQuerySet.as_manager()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["webhook", "stream"], name="webhook_delivery_once")
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["webhook", "ended_at"], name="webhook_delivery_log"),
            models.Index(
                fields=["next_attempt_at"],
                name="webhook_delivery_due",
                condition=Q(next_attempt_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"delivery {self.pk}"

    @property
    def type(self) -> str:
        return f"reply.{self.state}"

    @property
    def is_waiting(self) -> bool:
        return self.status == self.Status.WAITING

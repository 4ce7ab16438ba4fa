"""The rows of the gateway: what a program has asked for, beside the reply itself."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models
from django.utils.translation import gettext_lazy as _


class GatewayResponseQuerySet(models.QuerySet["GatewayResponse"]):
    def owned_by(self, user: AbstractBaseUser) -> GatewayResponseQuerySet:
        """Without those of conversations that were just deleted."""
        return self.filter(user_id=user.pk, conversation__deleted_at=None)


class GatewayResponse(models.Model):
    """A reply that a program asked for. Its text and its state are those of the stream."""

    stream = models.OneToOneField(
        "streaming.Stream",
        primary_key=True,
        on_delete=models.CASCADE,
        related_name="+",
        db_constraint=False,  # here and below: an older process deletes rows without this table
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_constraint=False
    )
    conversation = models.ForeignKey(
        "chat.Conversation",
        on_delete=models.CASCADE,
        related_name="gateway_responses",
        db_constraint=False,
    )
    answer = models.ForeignKey(
        "chat.Message", on_delete=models.CASCADE, related_name="+", db_constraint=False
    )
    parameters = models.JSONField(
        default=dict, help_text=_("Those of the request that are no settings of the reply.")
    )
    developer_text = models.TextField(
        blank=True,
        default="",
        help_text=_("Messages of the developer up to this reply, which the next one inherits."),
    )

    input_count = models.PositiveIntegerField(
        default=0, help_text=_("Messages before the answer that the request has added.")
    )

    objects = GatewayResponseQuerySet.as_manager()

    def __str__(self) -> str:
        return f"response {self.pk}"


class GatewayConversation(models.Model):
    """A conversation that a program has made by its own request."""

    conversation = models.OneToOneField(
        "chat.Conversation",
        primary_key=True,
        on_delete=models.CASCADE,
        related_name="gateway_conversation",
        db_constraint=False,
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_constraint=False
    )
    metadata = models.JSONField(default=dict)

    def __str__(self) -> str:
        return f"conversation {self.pk}"

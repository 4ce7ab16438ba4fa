"""Conversations and their messages: what people see. The text of a reply while it grows is
the stream's journal; a message holds it once the stream has ended. And what is known here of the
models that reply."""

from __future__ import annotations

import uuid
from decimal import Decimal

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

MAX_FIRST_TITLE_CHARS = 50
MAX_ENDPOINT_CHARS = 300


class ConversationQuerySet(models.QuerySet["Conversation"]):
    def owned_by(self, user: AbstractBaseUser) -> ConversationQuerySet:
        """What this person has, without what they have just deleted."""
        return self.filter(user_id=user.pk, deleted_at=None)


class Conversation(models.Model):
    class ReplyStatus(models.TextChoices):
        IDLE = "idle"
        STREAMING = "streaming"
        COMPLETED = "completed"
        ERROR = "error"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="conversations"
    )
    title = models.CharField(max_length=200)
    title_is_custom = models.BooleanField(
        default=False, db_column="named", help_text="A person has given the title."
    )
    status = models.CharField(max_length=10, choices=ReplyStatus, default=ReplyStatus.IDLE)
    current_leaf = models.ForeignKey(
        "Message",
        db_column="leaf_id",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text="The message at the end of the branch that is shown.",
    )

    model = models.CharField(max_length=100, blank=True)
    max_tokens = models.PositiveIntegerField(null=True, blank=True)
    temperature = models.FloatField(null=True, blank=True)
    reasoning_effort = models.CharField(max_length=20, blank=True)
    system_prompt = models.TextField(blank=True)

    pinned = models.BooleanField(default=False)
    is_read = models.BooleanField(default=True, db_column="read")
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(db_default=Now(), editable=False)
    deleted_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="Gone for its owner; really gone soon."
    )

    objects = ConversationQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index("user", models.F("updated_at").desc(), name="conversation_newest"),
            models.Index(fields=["status"], name="conversation_status"),
            models.Index(
                fields=["deleted_at"],
                name="conversation_deleted",
                condition=Q(deleted_at__isnull=False),
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=["idle", "streaming", "completed", "error"]),
                name="conversation_known_status",
            )
        ]

    def __str__(self) -> str:
        return self.title


class Message(models.Model):
    class Role(models.TextChoices):
        USER = "user"
        ASSISTANT = "assistant"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    conversation = models.ForeignKey(
        Conversation, on_delete=models.CASCADE, related_name="messages"
    )
    parent = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.CASCADE, related_name="children"
    )
    role = models.CharField(max_length=9, choices=Role)
    content = models.TextField(blank=True)
    reasoning = models.TextField(blank=True)
    reasoning_ms = models.PositiveIntegerField(
        null=True,
        blank=True,
        db_column="thought",
        help_text="Milliseconds that its reasoning took.",
    )
    seams = models.JSONField(
        default=list, blank=True, help_text="Where it was carried on: code points of content."
    )
    is_complete = models.BooleanField(
        default=False, help_text="The provider's own end marker was seen."
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    stream = models.ForeignKey(
        "streaming.Stream", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    model = models.CharField(max_length=100, blank=True)
    provider = models.CharField(max_length=50, blank=True)
    input_tokens = models.PositiveIntegerField(null=True, blank=True)
    output_tokens = models.PositiveIntegerField(null=True, blank=True)
    reasoning_tokens = models.PositiveIntegerField(null=True, blank=True)
    cost = models.DecimalField(max_digits=12, decimal_places=6, null=True, blank=True)
    finish_reason = models.CharField(max_length=30, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(role__in=["user", "assistant"]), name="message_known_role"
            )
        ]

    def __str__(self) -> str:
        return f"{self.role}: {self.content[:40]}"


class RenderedText(models.Model):
    """The HTML of an ended reply: see `chat.rendering.cache`. It can be deleted at any time.

    There is no constraint on the message, as processes of the version before delete messages and
    know nothing of this table."""

    message = models.ForeignKey(
        Message, on_delete=models.CASCADE, related_name="+", db_constraint=False
    )
    field = models.CharField(max_length=9, help_text="Which of the message's texts.")
    digest = models.CharField(max_length=64, help_text="Of all that the HTML was made of.")
    html = models.TextField()
    size = models.PositiveIntegerField(help_text="Bytes of the HTML.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["message", "field"], name="rendered_text_once")
        ]

    def __str__(self) -> str:
        return f"{self.field} of {self.message_id}"


class ModelOverride(models.Model):
    """An administrator's settings for a model. They override the catalog and the provider's list;
    an empty field overrides nothing. A row for an unknown model adds it to its provider."""

    model_id = models.CharField("model", max_length=100, unique=True)
    provider = models.CharField(
        max_length=50, blank=True, help_text="Needed only for a model that is not known yet."
    )
    label = models.CharField(max_length=100, blank=True)
    hidden = models.BooleanField(default=False, help_text="Nobody can pick it.")
    context_window = models.PositiveIntegerField(
        null=True, blank=True, help_text="In tokens.", validators=[MinValueValidator(1)]
    )
    max_output = models.PositiveIntegerField(
        null=True, blank=True, help_text="In tokens.", validators=[MinValueValidator(1)]
    )
    takes_temperature = models.BooleanField(null=True, blank=True)
    efforts = models.CharField(
        "reasoning efforts",
        max_length=100,
        blank=True,
        help_text="In the provider's words, with commas between; “-” for none.",
    )
    input_price = models.DecimalField(
        max_digits=12,
        decimal_places=6,
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal())],
        help_text="Dollars for a million tokens.",
    )
    output_price = models.DecimalField(
        max_digits=12,
        decimal_places=6,
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal())],
        help_text="Dollars for a million tokens. Both prices or none.",
    )

    class Meta:
        ordering = ["model_id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(input_price=None, output_price=None)
                | Q(input_price__isnull=False, output_price__isnull=False),
                name="model_override_both_prices_or_none",
                violation_error_message="Give both prices or none.",
            )
        ]

    def __str__(self) -> str:
        return self.model_id


class RefusedParameter(models.Model):
    """A parameter that a model does not take, as its provider said when it was sent one. It is
    never sent again, until somebody deletes this row."""

    endpoint = models.CharField(
        max_length=MAX_ENDPOINT_CHARS, help_text="The provider, and its address if set."
    )
    model_id = models.CharField("model", max_length=100)
    parameter = models.CharField(max_length=30)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["endpoint", "model_id", "parameter"]
        constraints = [
            models.UniqueConstraint(
                fields=["endpoint", "model_id", "parameter"], name="refused_parameter_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.model_id}: {self.parameter}"

"""Conversations with their messages.

While a reply is running, its text stands in the stream's journal; then in its message."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

# Django looks for the models of an app here.
from chat.api.models import IdempotentRequest as IdempotentRequest
from chat.content_access.models import ContentGrant as ContentGrant
from chat.deleted_sizes import DeletedSize as DeletedSize
from chat.doors.durable_streams.models import DurableProducer as DurableProducer
from chat.doors.durable_streams.models import DurableRecord as DurableRecord
from chat.doors.durable_streams.models import DurableSpace as DurableSpace
from chat.doors.durable_streams.models import DurableStream as DurableStream
from chat.doors.gateway.models import GatewayConversation as GatewayConversation
from chat.doors.gateway.models import GatewayResponse as GatewayResponse
from chat.doors.models import ClientThread as ClientThread
from chat.drafts.models import Draft as Draft
from chat.model_overrides import ModelOverride as ModelOverride
from chat.model_overrides import RefusedParameter as RefusedParameter
from chat.querysets import ConversationQuerySet as ConversationQuerySet
from chat.querysets import MessageQuerySet
from chat.tool_parts.models import ToolPart as ToolPart
from chat.webhooks.models import Webhook as Webhook
from chat.webhooks.models import WebhookDelivery as WebhookDelivery
from streaming.providers.catalog.naming import MAX_MODEL_NAME_CHARS

MAX_TITLE_CHARS = 200
MAX_FIRST_TITLE_CHARS = 50


class Conversation(models.Model):
    class ReplyStatus(models.TextChoices):
        IDLE = "idle", _("Idle")
        STREAMING = "streaming", _("Streaming")
        COMPLETED = "completed", _("Completed")
        ERROR = "error", _("Error")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="conversations"
    )
    title = models.CharField(max_length=MAX_TITLE_CHARS)
    title_is_custom = models.BooleanField(
        default=False, db_column="named", help_text=_("A person has given the title.")
    )
    status = models.CharField(max_length=10, choices=ReplyStatus, default=ReplyStatus.IDLE)
    current_leaf = models.ForeignKey(
        "Message",
        db_column="leaf_id",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text=_("The message at the end of the branch that is shown."),
    )

    model = models.CharField(max_length=MAX_MODEL_NAME_CHARS, blank=True)
    provider = models.CharField(max_length=50, blank=True, db_default="")
    max_tokens = models.PositiveIntegerField(null=True, blank=True)
    temperature = models.FloatField(null=True, blank=True)
    reasoning_effort = models.CharField(max_length=20, blank=True)
    system_prompt = models.TextField(blank=True)

    pinned = models.BooleanField(default=False)
    is_read = models.BooleanField(default=True, db_column="read")
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(db_default=Now(), editable=False)
    deleted_at = models.DateTimeField(
        null=True,
        blank=True,
        editable=False,
        help_text=_("Hidden from its owner, and removed soon after."),
    )
    door = models.CharField(
        max_length=20,
        blank=True,
        default="",
        db_default="",
        help_text=_("The protocol of the programs that it belongs to; empty for a chat."),
    )
    expires_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text=_("When workers delete it.")
    )
    stored_chars = models.PositiveBigIntegerField(
        null=True,
        default=0,
        editable=False,
        help_text=_("Characters of its messages. Empty until a worker has counted them."),
    )

    objects = ConversationQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index("user", models.F("updated_at").desc(), name="conversation_newest"),
            models.Index(
                "user",
                models.F("updated_at").desc(),
                name="conversation_listed",
                condition=Q(door=""),
            ),
            models.Index(fields=["status"], name="conversation_status"),
            models.Index(
                fields=["deleted_at"],
                name="conversation_deleted",
                condition=Q(deleted_at__isnull=False),
            ),
            models.Index(
                fields=["expires_at"],
                name="conversation_expiring",
                condition=Q(expires_at__isnull=False),
            ),
            models.Index(
                fields=["id"],
                name="conversation_uncounted",
                condition=Q(stored_chars__isnull=True),
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=["idle", "streaming", "completed", "error"]),
                name="conversation_known_status",
            )
        ]

    def __str__(self) -> str:
        """No content: logs and the admin's history store it."""
        return f"conversation {self.pk}"

    @property
    def model_provider(self) -> str:
        """The provider of `model`; empty if it is unknown. During a deployment processes of the
        version before write a model without its provider; then the last reply has it."""
        if self.current_leaf_id is None:
            return self.provider
        last = Message.objects.filter(pk=self.current_leaf_id, model=self.model)
        return last.values_list("provider", flat=True).first() or self.provider


class Message(models.Model):
    class Role(models.TextChoices):
        USER = "user", _("User")
        ASSISTANT = "assistant", _("Assistant")

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
        help_text=_("Milliseconds that the reasoning took."),
    )
    seams = models.JSONField(
        default=list,
        blank=True,
        help_text=_("Code points of the content at which another attempt continued."),
    )
    is_complete = models.BooleanField(
        default=False, help_text=_("The provider's own end marker was seen.")
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    stream = models.ForeignKey(
        "streaming.Stream", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    model = models.CharField(max_length=MAX_MODEL_NAME_CHARS, blank=True)
    provider = models.CharField(max_length=50, blank=True)
    input_tokens = models.PositiveIntegerField(null=True, blank=True)
    output_tokens = models.PositiveIntegerField(null=True, blank=True)
    reasoning_tokens = models.PositiveIntegerField(null=True, blank=True)
    cost = models.DecimalField(max_digits=12, decimal_places=6, null=True, blank=True)
    finish_reason = models.CharField(max_length=30, blank=True)

    objects = MessageQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(role__in=["user", "assistant"]), name="message_known_role"
            )
        ]

    def __str__(self) -> str:
        return f"{self.role} {self.pk}"


class FailedReply(Message):
    """The report of errors in the admin, with a permission of its own."""

    class Meta:
        proxy = True
        default_permissions = ("view",)
        verbose_name = _("error of a reply")
        verbose_name_plural = _("errors of replies")


class RenderedText(models.Model):
    """The HTML of an ended reply: see `chat.rendering.cache`. Rows can be deleted at any time.

    There is no foreign key constraint, because processes of an older version delete messages and
    don't know this table."""

    message = models.ForeignKey(
        Message, on_delete=models.CASCADE, related_name="+", db_constraint=False
    )
    field = models.CharField(max_length=9, help_text=_("The text field of the message."))
    digest = models.CharField(
        max_length=64, help_text=_("Hash of everything that the HTML depends on.")
    )
    html = models.TextField()
    size = models.PositiveIntegerField(help_text=_("Bytes of the HTML."))

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["message", "field"], name="rendered_text_once")
        ]

    def __str__(self) -> str:
        return f"{self.field} of {self.message_id}"

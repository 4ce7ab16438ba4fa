"""The streams that programs write.

A stream is a sequence of units: messages in JSON mode, bytes otherwise. A position is the number of
units before it, so every offset of the protocol follows from the rows (docs/decisions/0024).
"""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

MAX_STREAM_NAME_CHARS = 300
MAX_HEADER_CHARS = 200
"""The longest content type, producer id and sequence name of a writer."""


class DurableSpace(models.Model):
    """The space that a person's streams take. Each change of them first locks this row, so that
    forks and deletions meet no half-made change of another request."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        primary_key=True,
        on_delete=models.CASCADE,
        related_name="+",
        db_constraint=False,  # an older process deletes people without this table
    )
    stream_count = models.PositiveIntegerField(default=0)
    byte_count = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.stream_count} streams of account {self.pk}"


class DurableStreamQuerySet(models.QuerySet["DurableStream"]):
    def owned_by(self, user: AbstractBaseUser) -> DurableStreamQuerySet:
        return self.filter(owner_id=user.pk)


class DurableStream(models.Model):
    """A stream under the name that its owner chose."""

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="+",
        db_constraint=False,
    )
    name = models.CharField(max_length=MAX_STREAM_NAME_CHARS)
    content_type = models.CharField(max_length=MAX_HEADER_CHARS)
    tail = models.PositiveBigIntegerField(default=0, help_text=_("The position after its end."))
    byte_count = models.PositiveBigIntegerField(
        default=0, help_text=_("Bytes that count for its owner, with the rows themselves.")
    )

    source = models.ForeignKey(
        "self",
        null=True,
        # A source stays, hidden, until its last fork is gone.
        on_delete=models.DO_NOTHING,
        related_name="forks",
        db_constraint=False,
        help_text=_("The stream that it was forked from."),
    )
    anchor = models.PositiveBigIntegerField(
        default=0, help_text=_("The position that the fork named, without its sub-offset.")
    )
    fork_position = models.PositiveBigIntegerField(
        default=0, help_text=_("Everything before it is read from the source.")
    )
    depth = models.PositiveSmallIntegerField(default=0, help_text=_("Forks above it."))

    last_sequence = models.CharField(max_length=MAX_HEADER_CHARS, blank=True)
    closed_at = models.DateTimeField(null=True)
    closed_by = models.CharField(
        max_length=MAX_HEADER_CHARS, blank=True, help_text=_("The producer that closed it.")
    )
    ttl_seconds = models.PositiveBigIntegerField(null=True)
    expiry_text = models.CharField(
        max_length=MAX_HEADER_CHARS, blank=True, help_text=_("The expiry as its writer named it.")
    )
    expires_at = models.DateTimeField(null=True)
    deleted_at = models.DateTimeField(
        null=True, help_text=_("Hidden, because forks still need its content.")
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = DurableStreamQuerySet.as_manager()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["owner", "name"], name="durable_stream_once")
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["expires_at"],
                name="durable_stream_expiry",
                condition=Q(expires_at__isnull=False),
            )
        ]

    def __str__(self) -> str:
        """The name is the client's own text."""
        return f"durable stream {self.pk}"

    @property
    def is_closed(self) -> bool:
        return self.closed_at is not None


class DurableRecord(models.Model):
    """The content of one request: bytes, or JSON messages with a line feed between them. Its key is
    the position after it."""

    pk = models.CompositePrimaryKey("stream_id", "end")
    stream = models.ForeignKey(
        DurableStream,
        on_delete=models.CASCADE,
        db_constraint=False,
        db_index=False,
        related_name="records",
    )
    end = models.PositiveBigIntegerField()
    data = models.BinaryField()

    def __str__(self) -> str:
        return f"{self.stream_id}:{self.end}"


class DurableProducer(models.Model):
    """The last request of a writer that numbers its requests, so that one that is sent again is
    written once."""

    pk = models.CompositePrimaryKey("stream_id", "producer")
    stream = models.ForeignKey(
        DurableStream,
        on_delete=models.CASCADE,
        db_constraint=False,
        db_index=False,
        related_name="producers",
    )
    producer = models.CharField(max_length=MAX_HEADER_CHARS)
    epoch = models.PositiveBigIntegerField()
    sequence = models.PositiveBigIntegerField()

    def __str__(self) -> str:
        return f"a producer of {self.stream_id}"

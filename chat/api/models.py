"""The row of a request that may be sent again."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class IdempotentRequest(models.Model):
    """A POST with an idempotency key. The key itself is not stored."""

    request_id = models.UUIDField(primary_key=True, help_text=_("Made of the person and the key."))
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="+",
        db_constraint=False,  # an older process deletes people without this table
    )
    digest = models.CharField(max_length=64, help_text=_("Hash of the method, address and body."))
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["created_at"], name="idempotent_request_age")
        ]

    def __str__(self) -> str:
        return str(self.request_id)

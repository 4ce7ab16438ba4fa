"""Idempotency keys: a POST that is sent again with the same key has one effect.

The key becomes the id of the request, which makes a reply idempotent for ever
(chat/replies/creation.py). The row remembers what was asked, so that a key that is used twice by
mistake is noticed.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta
from uuid import UUID, uuid4, uuid5

from django.db.models.functions import Now
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from chat.api.models import IdempotentRequest
from chat.api.problems import Problem
from streaming.sources import register_periodic_task

HEADER = "Idempotency-Key"
MAX_KEY_CHARS = 200
NAMESPACE = UUID("6f0c7a35-4c0b-4f7c-9d5e-1c9f3f0f7a51")
KEPT_FOR = timedelta(days=30)
ROWS_PER_RUN = 1_000

KEY_REUSED = Problem(
    409,
    "key_reused",
    _("This idempotency key was used for another request. Use a new key for a new request."),
)


def get_request_id(request: HttpRequest, user: User) -> UUID:
    """The id of a POST: the same for the same key of the same person. Without a key each request
    has its own. Raises Problem."""
    key = request.headers.get(HEADER, "")
    if not key:
        return uuid4()
    if len(key) > MAX_KEY_CHARS:
        text = _("An idempotency key may have up to %(count)s characters.")
        raise Problem(422, "bad_key", text % {"count": MAX_KEY_CHARS})
    request_id = uuid5(NAMESPACE, f"{user.pk} {key}")
    digest = hashlib.sha256(f"{request.method} {request.path}\n".encode() + request.body)
    row, is_new = IdempotentRequest.objects.get_or_create(
        request_id=request_id, defaults={"user": user, "digest": digest.hexdigest()}
    )
    if not is_new and row.digest != digest.hexdigest():
        raise KEY_REUSED
    return request_id


def delete_old_requests() -> None:
    old = IdempotentRequest.objects.filter(created_at__lt=Now() - KEPT_FOR)
    ids = list(old.values_list("pk", flat=True)[:ROWS_PER_RUN])
    IdempotentRequest.objects.filter(pk__in=ids).delete()


def register_tasks() -> None:
    register_periodic_task(delete_old_requests)

"""Idempotency keys: a POST that is sent again with the same key has one effect.

The key becomes the id of the request, which makes a reply idempotent for ever
(chat/replies/creation.py). The row remembers the request, so that a key that is used twice by
mistake is noticed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4, uuid5

from django.db import transaction
from django.db.models.functions import Now
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from chat.api.models import IdempotentRequest
from chat.api.problems import Problem
from chat.replies import find_reply
from streaming.sources import register_periodic_task

HEADER = "Idempotency-Key"
MAX_KEY_CHARS = 200
NAMESPACE = UUID("6f0c7a35-4c0b-4f7c-9d5e-1c9f3f0f7a51")
KEPT_FOR = timedelta(days=30)
ROWS_PER_BATCH = 1_000
MAX_BATCHES = 50


@dataclass(frozen=True, slots=True)
class RequestOnce:
    """`id` is the same for the same key of the same person. `first_at` is the time of the first
    request with the key."""

    id: UUID
    is_repeated: bool
    first_at: datetime


HasEffect = Callable[[User, UUID], bool]
"""Whether that which the request with this id has made is still there."""


def has_reply(user: User, request_id: UUID) -> bool:
    reply = find_reply(user, request_id)
    return reply is not None and reply.conversation.deleted_at is None


def check_later(user: User, request_id: UUID) -> bool:
    """For requests whose view looks for the effect itself."""
    return True


@contextmanager
def idempotent_request(
    request: HttpRequest,
    user: User,
    key: str | None = None,
    *,
    has_effect: HasEffect = has_reply,
) -> Iterator[RequestOnce]:
    """Run a POST in this context. The key is that of the header, if none is given. The row and its
    effect are one transaction: a request that is refused, or whose process dies, leaves its key
    free. Without a key each request has an id of its own. Raises Problem, also if the effect is
    gone."""
    key = request.headers.get(HEADER, "") if key is None else key
    described = f"{request.method} {request.path}\n".encode() + request.body
    with run_once(user, key, described, has_effect) as once:
        yield once


def check_key(request: HttpRequest) -> None:
    """For a POST that has no second effect anyway, so its key is not stored. Raises Problem."""
    _check_length(request.headers.get(HEADER, ""))


def _check_length(key: str) -> None:
    if len(key) > MAX_KEY_CHARS:
        text = _("An idempotency key may have up to %(count)s characters.")
        raise Problem(422, "bad_key", text % {"count": MAX_KEY_CHARS})


@contextmanager
def run_once(
    user: User, key: str, described: bytes, has_effect: HasEffect = has_reply
) -> Iterator[RequestOnce]:
    """The same for a request of any form, which `described` tells from others."""
    _check_length(key)
    with transaction.atomic():
        if not key:
            yield RequestOnce(uuid4(), is_repeated=False, first_at=timezone.now())
            return
        id = uuid5(NAMESPACE, f"{user.pk} {key}")
        digest = hashlib.sha256(described).hexdigest()
        row, is_new = IdempotentRequest.objects.get_or_create(
            request_id=id, defaults={"user": user, "digest": digest}
        )
        if not is_new:
            _check_repetition(row, digest, user, has_effect)
        first_at = timezone.now() if is_new else row.created_at
        yield RequestOnce(id, is_repeated=not is_new, first_at=first_at)


def _check_repetition(
    row: IdempotentRequest, digest: str, user: User, has_effect: HasEffect
) -> None:
    if row.digest != digest:
        raise build_key_reused()
    if not has_effect(user, row.request_id):
        raise build_gone()


def build_key_reused() -> Problem:
    text = _("This idempotency key was used for another request. Use a new key for a new one.")
    return Problem(409, "key_reused", text)


def build_gone() -> Problem:
    return Problem(410, "gone", _("What this request has written was deleted since."))


def delete_old_requests() -> None:
    old = IdempotentRequest.objects.filter(created_at__lt=Now() - KEPT_FOR)
    for _batch in range(MAX_BATCHES):
        ids = list(old.values_list("pk", flat=True)[:ROWS_PER_BATCH])
        IdempotentRequest.objects.filter(pk__in=ids).delete()
        if len(ids) < ROWS_PER_BATCH:
            return


def register_tasks() -> None:
    register_periodic_task(delete_old_requests)

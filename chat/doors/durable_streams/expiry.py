"""Deletes streams whose time is over, a few at a time."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from chat.doors.durable_streams.models import DurableStream
from chat.doors.durable_streams.space import is_expired, lock_space, remove
from streaming.sources import register_periodic_task

MAX_STREAMS_PER_RUN = 500


def delete_expired_streams() -> None:
    expired = DurableStream.objects.filter(expires_at__lte=timezone.now(), deleted_at=None)
    rows = expired.select_related("owner").order_by("expires_at")[:MAX_STREAMS_PER_RUN]
    for stream in rows:
        with transaction.atomic():
            space = lock_space(stream.owner)
            present = DurableStream.objects.filter(pk=stream.pk).first()
            if present is not None and is_expired(present):
                remove(space, present)


def register_tasks() -> None:
    register_periodic_task(delete_expired_streams)

"""The limits of a person's streams, and the deletion of streams that nobody can read any more."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from chat.api.problems import Problem
from chat.doors.durable_streams.models import DurableRecord, DurableSpace, DurableStream

MAX_DURABLE_STREAMS_PER_USER = 10_000
STREAM_BYTES = 512
ROW_BYTES = 64
"""About the bytes that a stream and a row take beside their content."""


def lock_space(user: User) -> DurableSpace:
    """Call it first in each transaction that changes streams of this person."""
    return DurableSpace.objects.select_for_update().get_or_create(user=user)[0]


def charge(space: DurableSpace, stream: DurableStream, byte_count: int) -> None:
    """Count bytes for a stream; the caller saves the stream. Raises Problem if the person has no
    space left."""
    most = settings.MAX_STREAM_BYTES_PER_USER
    if space.byte_count + byte_count > most:
        text = _("Your streams may hold %(count)s bytes. Delete some of them.")
        raise Problem(413, "no_space", text % {"count": most})
    space.byte_count += byte_count
    stream.byte_count += byte_count
    space.save(update_fields=["byte_count"])


def count_stream(space: DurableSpace) -> None:
    if space.stream_count >= MAX_DURABLE_STREAMS_PER_USER:
        text = _("You may have %(count)s streams. Delete some of them.")
        raise Problem(413, "too_many_streams", text % {"count": MAX_DURABLE_STREAMS_PER_USER})
    space.stream_count += 1
    space.save(update_fields=["stream_count"])


def is_expired(stream: DurableStream) -> bool:
    return stream.expires_at is not None and stream.expires_at <= timezone.now()


def is_gone(stream: DurableStream) -> bool:
    """Its owner can't read it, only its forks can."""
    return stream.deleted_at is not None or is_expired(stream)


def compute_expiry(ttl_seconds: int) -> datetime:
    return timezone.now() + timedelta(seconds=ttl_seconds)


def extend_life(stream: DurableStream) -> None:
    """The time to live of a stream counts from its last use. Uses within a hundredth of it cause
    one write."""
    if stream.ttl_seconds is None or stream.expires_at is None:
        return
    expires_at = compute_expiry(stream.ttl_seconds)
    if expires_at - stream.expires_at >= timedelta(seconds=stream.ttl_seconds / 100):
        rows = DurableStream.objects.filter(pk=stream.pk, deleted_at=None)
        rows.update(expires_at=expires_at)


def remove(space: DurableSpace, stream: DurableStream) -> None:
    """Delete a stream; hide it if forks need its content. Its source goes too, if the source was
    only kept for this fork."""
    if stream.forks.exists():
        if stream.deleted_at is None:
            stream.deleted_at = timezone.now()
            stream.save(update_fields=["deleted_at"])
        return
    next_one: DurableStream | None = stream
    while next_one is not None:
        source = next_one.source
        _erase(space, next_one)
        is_needed = source is None or not is_gone(source) or source.forks.exists()
        next_one = None if is_needed else source


def _erase(space: DurableSpace, stream: DurableStream) -> None:
    DurableStream.objects.filter(pk=stream.pk).delete()
    space.stream_count = max(space.stream_count - 1, 0)
    space.byte_count = max(space.byte_count - stream.byte_count, 0)
    space.save(update_fields=["stream_count", "byte_count"])


def delete_batch(user_id: int, limit: int) -> int:
    """Delete the first stream of an account, or the first of its records if there are many."""
    stream = DurableStream.objects.filter(owner_id=user_id).order_by("pk").first()
    if stream is None:
        return DurableSpace.objects.filter(user_id=user_id).delete()[0]
    records = DurableRecord.objects.filter(stream=stream).order_by("end")
    ends = list(records.values_list("end", flat=True)[:limit])
    if len(ends) == limit:
        return records.filter(end__lte=ends[-1]).order_by().delete()[0]
    DurableStream.objects.filter(pk=stream.pk).delete()
    return 1 + len(ends)

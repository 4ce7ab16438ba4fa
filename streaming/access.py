"""Who may see a stream: its owner. The rule itself stands in `StreamQuerySet`."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser

from streaming.batching import BatchLoader
from streaming.hub import get_hub
from streaming.models import Stream


class StreamNotFound(Exception):
    """There is no such stream (any more), or not for this user."""


async def find_stream(user: AbstractBaseUser, uuid: UUID) -> Stream:
    """The stream with this UUID, if this user may see it. Raises StreamNotFound for a stream of
    another user just as for one that does not exist."""
    stream = get_hub().get_running_stream(uuid)
    if stream is None or stream.owner_id != user.pk:
        stream = await _stream_loader.load((user.pk, uuid))
    if stream is None:
        raise StreamNotFound
    return stream


_stream_loader = BatchLoader(Stream.objects.find_owned)

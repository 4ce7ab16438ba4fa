"""Access to a stream: only its owner may see it. `StreamQuerySet` contains the rule."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser

from streaming.batching import BatchLoader
from streaming.hub import get_hub
from streaming.models import Stream


class StreamNotFound(Exception):
    """The stream does not exist (any more), or belongs to another user."""


async def find_stream(user: AbstractBaseUser, uuid: UUID) -> Stream:
    """Raises StreamNotFound for a stream of another user just as for one that does not exist."""
    stream = get_hub().get_running_stream(uuid)
    if stream is None or stream.owner_id != user.pk:
        stream = await _stream_loader.load((user.pk, uuid))
    if stream is None:
        raise StreamNotFound
    return stream


_stream_loader = BatchLoader(Stream.objects.find_owned)

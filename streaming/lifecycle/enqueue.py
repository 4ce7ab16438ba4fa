"""A new stream."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction

from streaming import journal
from streaming.events import StreamText
from streaming.lifecycle.notifications import notify_workers
from streaming.models import Stream
from streaming.sentences import gettext_noop

NOTE_LANE_BUSY = gettext_noop("Queued after the previous one")


def enqueue(
    *,
    owner: AbstractBaseUser,
    request_id: UUID,
    source: str,
    arguments: dict[str, Any],
    lane: str = "",
    pool: str = "",
    size: int = 0,
    continues: Stream | None = None,
    text: StreamText | None = None,
) -> Stream:
    """Create a queued stream, and notify the workers once the transaction commits.

    `source` is the name of a registered handler. Streams of one `lane` run one after the other.
    STREAMING_POOLS limits how many streams of a `pool` run at once. `size` is how many characters
    the application stored to ask for this stream.

    A stream that continues another begins with `text`, all that was written before, and a seam. So
    the journal of every stream holds its whole text.

    Raises IntegrityError if this owner has made this request before: roll everything back, and
    answer with the existing stream.
    """
    is_lane_busy = lane and Stream.objects.filter(lane=lane).unfinished().exists()
    stream = Stream.objects.create(
        owner_id=owner.pk,
        request_id=request_id,
        source=source,
        arguments=arguments,
        lane=lane,
        pool=pool,
        size=size,
        continues=continues,
        note=NOTE_LANE_BUSY if is_lane_busy else "",
    )
    if text is not None:
        journal.copy_prefix(stream, text)
    transaction.on_commit(notify_workers)
    return stream

"""The journal of folded streams: fold the chunks of one, and build them again.

The application holds the text of such a stream. Only the cuts of its chunks are stored here, so the
caller brings the text.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from functools import lru_cache

from django.db import transaction
from django.db.models.functions import Now

from streaming.events import StreamText
from streaming.journal.chunks import Chunk
from streaming.journal.cuts import ResumePoint, UnusableCuts, unpack_chunks
from streaming.models import FoldedJournal, Stream, StreamChunk

STREAMS_WITH_POINTS = 256
"""A long reply has 40 KB of them."""


def fold_chunks(stream_id: int, cuts: bytes | None = None) -> None:
    """Delete the chunks and store their cuts. The application must hold the text. Without cuts, a
    cursor into the stream is answered by a snapshot from then on."""
    with transaction.atomic():
        unfolded = Stream.objects.filter(id=stream_id, folded_at=None)
        if not unfolded.update(folded_at=Now()):
            return  # another worker was faster, or it is deleted
        StreamChunk.objects.filter(stream_id=stream_id).delete()
        if cuts is not None:
            FoldedJournal.objects.create(stream_id=stream_id, cuts=cuts)


def read_rows(stream_id: int, after: int, text: StreamText) -> Iterator[Chunk] | None:
    """All rows after an index as they were before the stream was folded. None if its cuts are
    missing, or don't belong to this text."""
    cuts = FoldedJournal.objects.filter(stream_id=stream_id).values_list("cuts", flat=True).first()
    if cuts is None:
        return None
    packed = bytes(cuts)
    try:
        return unpack_chunks(packed, text, after, _get_resume_points(stream_id, zlib.crc32(packed)))
    except UnusableCuts:
        return None


@lru_cache(STREAMS_WITH_POINTS)
def _get_resume_points(stream_id: int, checksum: int) -> dict[int, ResumePoint]:
    """Points in the cuts that earlier reads have passed. A replay is many reads, and each would
    build all chunks before its own. These have no text."""
    return {}

"""Folding: keep only the cuts of the chunks of ended streams whose text the application holds."""

from __future__ import annotations

import logging

from streaming import journal
from streaming.events import StreamText
from streaming.models import Stream
from streaming.outage import is_outage_error
from streaming.sources import get_handler

logger = logging.getLogger(__name__)


def fold_ended_streams(limit: int = 100, after: int = 0) -> int:
    """Fold streams that ended long enough ago, from the id `after` on.

    Returns the id to go on after, 0 at the end, so that streams that can't be folded do not hold up
    the others. A stream that was never finalized keeps its chunks: there is no other copy.
    """
    streams = list(Stream.objects.foldable().filter(id__gt=after)[:limit])
    for stream in streams:
        try:
            _fold_stream(stream)
        except Exception as error:
            if is_outage_error(error):
                raise  # all other streams would fail as well
            logger.exception("Stream %s could not be folded", stream.uuid)
    return streams[-1].id if len(streams) == limit else 0


def _fold_stream(stream: Stream) -> None:
    handler = get_handler(stream.source)
    text, rows = journal.read_text_and_rows(stream.id)
    stored = handler.load_text(stream)
    if stored is None:
        journal.fold_chunks(stream.id)
    elif _has_text(stored, handler.convert_text(text)):
        cuts = journal.pack_chunks(rows, keeps_text=not _has_text(stored, text))
        journal.fold_chunks(stream.id, cuts)
    else:
        logger.error("Stream %s differs from its stored text; its chunks stay", stream.uuid)


def _has_text(stored: StreamText, text: StreamText) -> bool:
    """Text that was continued by a later stream is longer."""
    return stored.content.startswith(text.content) and stored.reasoning.startswith(text.reasoning)

"""Going on from the copy that a provider keeps of a reply: no second bill, no seam.

Where the copy stands is committed in the statement that commits the text, so the two never
disagree: whoever re-attaches gets the very next character.
"""

from __future__ import annotations

from dataclasses import replace

from streaming.models import Stream
from streaming.providers.base import BackgroundAdapter, Upstream
from streaming.providers.errors import ProviderError
from streaming.sources import Source

MAX_REATTACHMENTS = 5
"""How often one worker goes back to a copy after the connection broke."""
REATTACH_DELAY_SECONDS = 0.5
"""Seconds before it does."""

NO_CHECKPOINT = Upstream("")
MAX_COLUMN_CHARS = 200
"""Characters that the columns hold."""
NETWORK_ERROR_CODES = {"network", "timeout", "interrupted"}


def get_stored_checkpoint(stream: Stream) -> Upstream | None:
    """Where the copy stood when the journal was written last; None if there never was one."""
    if not stream.upstream_id:
        return None
    return Upstream(stream.upstream_id, stream.upstream_cursor)


def ensure_storable(checkpoint: Upstream) -> Upstream:
    """The place, or nowhere if it does not fit the columns."""
    fits = len(checkpoint.id) <= MAX_COLUMN_CHARS >= len(checkpoint.cursor)
    return checkpoint if fits and "\0" not in checkpoint.id + checkpoint.cursor else NO_CHECKPOINT


def reattach_source(source: Source, checkpoint: Upstream | None) -> Source | None:
    """The same source going on from the copy; None where there is none to go on from."""
    if (
        checkpoint is None
        or not checkpoint.cursor
        or not isinstance(source.adapter, BackgroundAdapter)
    ):
        return None
    return replace(source, request=replace(source.request, upstream=checkpoint))


def is_expired(error: ProviderError) -> bool:
    """Whether the copy is no good any more, rather than out of reach for now."""
    answered = error.status is not None and error.retryable
    return error.code not in NETWORK_ERROR_CODES and not answered

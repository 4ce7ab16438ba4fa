"""Going on from the copy that a provider keeps of a reply: no second bill, no seam.

Where the copy stands is committed in the statement that commits the text, so the two never
disagree: whoever re-attaches gets the very next character.
"""

from __future__ import annotations

from dataclasses import replace

from streaming.models import Stream
from streaming.providers.base import Keeper, Upstream
from streaming.providers.errors import ProviderError
from streaming.sources import Source

REATTACHMENTS = 5
"""How often one worker goes back to a copy after the connection broke."""
PAUSE = 0.5
"""Seconds before it does."""

NOWHERE = Upstream("")
LONGEST = 200
"""Characters that the columns hold."""
CONNECTION = {"network", "timeout", "interrupted"}


def left_at(stream: Stream) -> Upstream | None:
    """Where the copy stood when the journal was written last; None if there never was one."""
    if not stream.upstream_id:
        return None
    return Upstream(stream.upstream_id, stream.upstream_cursor)


def storable(place: Upstream) -> Upstream:
    """The place, or nowhere if it does not fit the columns."""
    fits = len(place.id) <= LONGEST >= len(place.cursor)
    return place if fits and "\0" not in place.id + place.cursor else NOWHERE


def kept(source: Source, place: Upstream | None) -> Source | None:
    """The same source going on from the copy; None where there is none to go on from."""
    if place is None or not place.cursor or not isinstance(source.adapter, Keeper):
        return None
    return replace(source, request=replace(source.request, upstream=place))


def is_gone(error: ProviderError) -> bool:
    """Whether the copy is no good any more, rather than out of reach for now."""
    answered = error.status is not None and error.retryable
    return error.code not in CONNECTION and not answered

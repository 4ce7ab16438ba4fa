"""Facts about a stream that its worker learns, kept in its arguments."""

from __future__ import annotations

from typing import Any

from streaming.models import Stream


def save_facts(stream: Stream, **facts: Any) -> None:
    """Store facts, unless the stream has ended or moved meanwhile."""
    stream.arguments = {**stream.arguments, **facts}
    mine = Stream.objects.filter(pk=stream.pk, epoch=stream.epoch, state=stream.state)
    mine.update(arguments=stream.arguments)

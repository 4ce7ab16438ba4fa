"""Notifications that a change of state publishes."""

from __future__ import annotations

from streaming.hub import STREAMS_GROUP, WORKERS_GROUP, build_stream_notification, notify
from streaming.hub.messages import build_ended_notification, build_queued_notification
from streaming.journal import StreamHead
from streaming.models import Stream


def notify_workers() -> None:
    """Tell workers that there may be something to claim."""
    notify(WORKERS_GROUP, build_queued_notification())


def notify_ended(stream: Stream) -> None:
    """Tell followers and the worker that a stream is over, and all workers that its lane is
    free."""
    notify(STREAMS_GROUP, build_stream_notification(head=StreamHead.of(stream)))
    notify(WORKERS_GROUP, build_ended_notification(stream.id))

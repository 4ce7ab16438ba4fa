"""The hub: all notifications go through it, on one channel for each process.

The channel layer carries notifications only. Their content was committed before. They may be lost,
doubled, late or out of order, and they may stop altogether. Once a second the hub reads from the
database the positions of the followed streams that had no notification since. So followers get
everything in any case, only later.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from streaming.hub.hub import Hub
from streaming.hub.messages import (
    STREAMS_GROUP,
    WORKERS_GROUP,
    Notification,
    build_revision_notification,
    build_sessions_notification,
    build_stream_notification,
    user_group,
)
from streaming.hub.recent import RecentChunks

__all__ = [
    "STREAMS_GROUP",
    "WORKERS_GROUP",
    "Hub",
    "Notification",
    "RecentChunks",
    "build_revision_notification",
    "build_sessions_notification",
    "build_stream_notification",
    "close",
    "get_hub",
    "notify",
    "user_group",
]

_hub: Hub | None = None


def get_hub() -> Hub:
    """The hub of this process. The first call creates it on the running loop."""
    global _hub
    if _hub is None or _hub.loop is not asyncio.get_running_loop():
        _hub = Hub()
    return _hub


async def close() -> None:
    """Close the hub of this process, if there is one."""
    global _hub
    if _hub is not None:
        closing, _hub = _hub, None
        await closing.close()


def notify(group: str, body: Notification) -> None:
    """Publish from anywhere, also from synchronous code. Never raises and never waits.

    A process without a hub (a shell, a command) publishes nothing: the others poll the database.
    """
    if _hub is not None and not _hub.loop.is_closed():
        with suppress(RuntimeError):  # the loop closed just now
            _hub.loop.call_soon_threadsafe(_hub.notify, group, body)

"""The worker as a Channels consumer: it gets notifications of queued and of ended streams."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from channels.consumer import AsyncConsumer

from streaming.hub import WORKERS_GROUP, Notification, get_hub


class NotificationHandler(Protocol):
    def wake(self) -> None: ...

    def on_stream_ended(self, stream_id: int) -> None: ...


class WorkerConsumer(AsyncConsumer):
    """Passes notifications on to a worker."""

    channel_layer_alias = "none"  # only the hub uses the channel layer

    def __init__(self, worker: NotificationHandler) -> None:
        self._worker = worker

    async def listen(self) -> None:
        """Handle notifications until the task is cancelled."""
        notifications: asyncio.Queue[Notification] = asyncio.Queue()
        consumer: Any = self  # Channels' types know sockets and requests only
        scope = {"type": "channel", "channel": WORKERS_GROUP}
        with get_hub().listen(WORKERS_GROUP, notifications.put_nowait):
            await consumer(scope, notifications.get, _send_nothing)

    async def dispatch(self, message: Notification) -> None:
        """Ignore the notifications of a newer version."""
        if message.get("type") in ("stream.queued", "stream.ended"):
            await super().dispatch(message)

    async def stream_queued(self, message: Notification) -> None:
        self._worker.wake()

    async def stream_ended(self, message: Notification) -> None:
        self._worker.on_stream_ended(message.get("stream_id", 0))


async def _send_nothing(message: Any) -> None:
    """A worker sends no answers."""

"""A consumer without Channels' hop through a thread."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncWebsocketConsumer

from streaming.doors.websocket.leaving import get_leaving_event


class DirectConsumer(AsyncWebsocketConsumer):
    """A WebSocket consumer that uses neither a channel nor a thread of its own, nor a task for each
    message.

    Channels subscribes each socket to the channel layer, which may be down, and closes database
    connections in a thread that all sockets share, before each message and after the last. The hub
    has the only channel of the process, and subclasses open no database connection.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._close_task: asyncio.Task[None] | None = None
        self._client_left = get_leaving_event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scope, self.base_send = scope, send
        try:
            with suppress(StopConsumer):
                while True:
                    await self.dispatch(await receive())
                    if not self.has_client_left:
                        await asyncio.sleep(0)  # others take turns with a client of many frames
        finally:
            self.clean_up()

    @property
    def has_client_left(self) -> bool:
        """Whether nobody reads the answers to the frames that still wait."""
        return self._client_left.is_set()

    def clean_up(self) -> None:
        """Called once, however the socket ends: a disconnect, an error or a shutdown."""

    async def dispatch(self, message: dict[str, Any]) -> None:
        await getattr(self, message["type"].replace(".", "_"))(message)

    async def websocket_disconnect(self, message: Any) -> None:
        raise StopConsumer

    async def send_frame(self, frame: str) -> None:
        """Send a text frame to the server, without Channels' dispatch."""
        event: Any = {"type": "websocket.send", "text": frame}
        await self.base_send(event)

    def schedule_close(self, code: int) -> None:
        """Close from synchronous code. Only the first call starts a task, because frames that
        exceed a limit come in masses."""
        if self._close_task is None:
            self._close_task = asyncio.create_task(self._close_if_open(code), name="socket close")

    async def _close_if_open(self, code: int) -> None:
        # Uvicorn raises these if the client has closed the socket meanwhile.
        with suppress(OSError, RuntimeError):
            await self.close(code)

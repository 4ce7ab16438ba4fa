"""A consumer per socket: first the stored text, row by row, then the messages of the group."""

from __future__ import annotations

from typing import Any

from channels.generic.websocket import AsyncJsonWebsocketConsumer

from benchmarks.usual.models import Chunk


def get_group_name(message: int) -> str:
    return f"message-{message}"


class ReplyConsumer(AsyncJsonWebsocketConsumer):
    async def connect(self) -> None:
        self.message = self.scope["url_route"]["kwargs"]["message"]
        self.last = -1
        await self.channel_layer.group_add(get_group_name(self.message), self.channel_name)
        await self.accept()
        async for chunk in Chunk.objects.filter(message_id=self.message).order_by("index"):
            await self._send_chunk(chunk.index, chunk.delta)
        await self.send_json({"type": "ready"})

    async def disconnect(self, code: int) -> None:
        await self.channel_layer.group_discard(get_group_name(self.message), self.channel_name)

    async def chunk(self, event: dict[str, Any]) -> None:
        if event["index"] > self.last:
            await self._send_chunk(event["index"], event["delta"])

    async def end(self, event: dict[str, Any]) -> None:
        await self.send_json({"type": "end"})

    async def _send_chunk(self, index: int, delta: str) -> None:
        self.last = index
        await self.send_json(
            {"type": "chunk", "message": self.message, "index": index, "delta": delta}
        )

"""Generates replies, like a usual background worker. Its orders are lines of JSON."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from channels.layers import get_channel_layer

from benchmarks.tokens import generate_tokens, make_token
from benchmarks.usual.consumers import get_group_name
from benchmarks.usual.models import Chunk, Message


class Worker:
    """Runs every reply as a task; with `full_text` as in the original sketch."""

    def __init__(self, full_text: bool) -> None:
        self._full_text = full_text
        self._layer: Any = get_channel_layer()
        self._tasks: set[asyncio.Task[None]] = set()

    async def run_order(self, order: dict[str, Any]) -> Any:
        match order["do"]:
            case "streams":
                messages = [await Message.objects.acreate() for _ in order["streams"]]
                for message, stream in zip(messages, order["streams"], strict=True):
                    task = asyncio.create_task(self._generate_reply(message, stream))
                    self._tasks.add(task)
                    task.add_done_callback(self._tasks.discard)
                return [message.pk for message in messages]
            case "create_stored_reply":
                return await self._create_stored_reply(order["tokens"])
            case "stop":
                for task in self._tasks:
                    task.cancel()
                await asyncio.gather(*self._tasks, return_exceptions=True)
                return 0

    async def _generate_reply(self, message: Message, stream: dict[str, Any]) -> None:
        index, text = 0, ""
        async for delta in generate_tokens(**stream):
            if self._full_text:
                text += delta
            await Chunk.objects.acreate(message=message, index=index, delta=delta, content=text)
            if self._full_text:
                await Message.objects.filter(pk=message.pk).aupdate(content=text)
            event = {"type": "chunk", "index": index, "delta": delta}
            await self._layer.group_send(get_group_name(message.pk), event)
            index += 1
        await Message.objects.filter(pk=message.pk).aupdate(is_complete=True)
        await self._layer.group_send(get_group_name(message.pk), {"type": "end"})

    async def _create_stored_reply(self, tokens: int) -> int:
        """Create a reply that has a number of tokens and continues."""
        message = await Message.objects.acreate()
        await Chunk.objects.abulk_create(
            Chunk(message=message, index=index, delta=make_token(index)) for index in range(tokens)
        )
        return message.pk


async def serve(worker: Worker) -> None:
    while line := await asyncio.to_thread(sys.stdin.readline):
        print(json.dumps(await worker.run_order(json.loads(line))), flush=True)

"""A channel layer in memory that fails when a test wants it to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from channels.layers import InMemoryChannelLayer

from streaming.hub.messages import PROBE_GROUP

Message = dict[str, Any]
Twist = Callable[[str, Message], Iterable[tuple[str, Message]]]


def straight(group: str, message: Message) -> Iterable[tuple[str, Message]]:
    return [(group, message)]


class FaultyLayer(InMemoryChannelLayer):
    """`errors` are raised by the next calls of a method, by its name; while `going` is clear
    every send waits; `twist` says what is delivered in place of each bell."""

    def __init__(self) -> None:
        super().__init__(capacity=10_000)
        self.errors: dict[str, list[Exception]] = {}
        self.broken: Exception | None = None
        self.going = asyncio.Event()
        self.going.set()
        self.twist: Twist = straight
        self.calls: list[str] = []

    async def group_send(self, group: str, message: Message) -> None:
        self._called("probe" if group == PROBE_GROUP else "group_send")
        if self.broken:
            raise self.broken
        await self.going.wait()
        for to, twisted in self.twist(group, message):
            await super().group_send(to, twisted)

    async def group_add(self, group: str, channel: str) -> None:
        self._called("group_add")
        await super().group_add(group, channel)

    async def group_discard(self, group: str, channel: str) -> None:
        self._called("group_discard")
        await super().group_discard(group, channel)

    async def new_channel(self, prefix: str = "specific.") -> str:
        self._called("new_channel")
        return str(await super().new_channel(prefix))

    async def receive(self, channel: str) -> Message:
        self._called("receive")
        message: Message = await super().receive(channel)
        return message

    def _called(self, name: str) -> None:
        self.calls.append(name)
        if errors := self.errors.get(name):
            raise errors.pop(0)

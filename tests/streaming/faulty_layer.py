"""A channel layer in memory with faults that a test chooses."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from channels.layers import InMemoryChannelLayer

from streaming.hub.messages import PROBE_GROUP

Message = dict[str, Any]
PlanDelivery = Callable[[str, Message], Iterable[tuple[str, Message]]]


def deliver_once(group: str, message: Message) -> Iterable[tuple[str, Message]]:
    return [(group, message)]


class FaultyLayer(InMemoryChannelLayer):
    """`errors` has the errors of the next calls of a method, by its name. A send raises
    `send_error`, if there is one, and waits while `may_send` is clear. `plan_delivery` returns the
    messages that are delivered in place of one."""

    def __init__(self) -> None:
        super().__init__(capacity=10_000)
        self.errors: dict[str, list[Exception]] = {}
        self.send_error: Exception | None = None
        self.may_send = asyncio.Event()
        self.may_send.set()
        self.plan_delivery: PlanDelivery = deliver_once
        self.calls: list[str] = []

    async def group_send(self, group: str, message: Message) -> None:
        self._record_call("probe" if group == PROBE_GROUP else "group_send")
        if self.send_error:
            raise self.send_error
        await self.may_send.wait()
        for recipient, delivered in self.plan_delivery(group, message):
            await super().group_send(recipient, delivered)

    async def group_add(self, group: str, channel: str) -> None:
        self._record_call("group_add")
        await super().group_add(group, channel)

    async def group_discard(self, group: str, channel: str) -> None:
        self._record_call("group_discard")
        await super().group_discard(group, channel)

    async def new_channel(self, prefix: str = "specific.") -> str:
        self._record_call("new_channel")
        return str(await super().new_channel(prefix))

    async def receive(self, channel: str) -> Message:
        self._record_call("receive")
        message: Message = await super().receive(channel)
        return message

    def _record_call(self, name: str) -> None:
        self.calls.append(name)
        if errors := self.errors.get(name):
            raise errors.pop(0)

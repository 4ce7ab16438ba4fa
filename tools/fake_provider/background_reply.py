"""A reply that the fake generates with or without readers, and stores for later requests."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Protocol

from tools.fake_provider.behaviour import Record
from tools.fake_provider.wire import Reply, Wire


class ReplyBody(Protocol):
    """The receiver of the events of a stored reply."""

    async def write(self, data: bytes) -> None: ...
    async def end(self) -> None: ...
    async def cut(self) -> None: ...


class StoredReply:
    """The growing events of a reply by number, with the interface of a connection's body for their
    producer."""

    def __init__(self, wire: Wire, reply: Reply, record: Record) -> None:
        self.wire = wire
        self.reply = reply
        self.record = record
        self.events: list[bytes] = []
        self.has_ended = False
        self._cuts: list[int] = []  # Numbers of the events before which followers are dropped.
        self._task: asyncio.Task[None] | None = None
        self._changed = asyncio.Condition()

    def generate(self, sending: Coroutine[Any, Any, None]) -> None:
        """Start generating; a client that leaves does not end it."""
        self._task = asyncio.create_task(sending)

    def cancel(self) -> None:
        """Stop generating. Followers get no end marker."""
        if self._task and not self.has_ended:
            self._task.cancel()
            self.record.state = "closed"
        self.has_ended = True
        self._notification = asyncio.create_task(self._notify())

    async def follow(self, first: int, body: ReplyBody) -> None:
        """Send the events from a number on, as they arrive, until the end or a cut."""
        index = first
        while True:
            async with self._changed:
                while not (index < len(self.events) or self.has_ended or index in self._cuts):
                    await self._changed.wait()
            if index in self._cuts:
                self._cuts.remove(index)  # The next follower gets past it.
                await body.cut()
            if index >= len(self.events):
                await body.end()
                return
            await body.write(self.events[index])
            index += 1

    # The interface of a body

    def send_headers(self, wire: Wire, more: dict[str, str]) -> None:
        """Do nothing: each following connection has a body with headers of its own."""

    async def write(self, data: bytes) -> None:
        """Add events."""
        self.events += [event + b"\n\n" for event in data.split(b"\n\n") if event]
        await self._notify()

    async def end(self) -> None:
        """Record that no further event follows."""
        self.has_ended = True
        await self._notify()

    async def cut(self) -> None:
        """Drop all followers now; the generation continues."""
        self._cuts.append(len(self.events))
        await self._notify()

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

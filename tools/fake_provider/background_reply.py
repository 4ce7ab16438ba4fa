"""A reply that the fake generates with or without readers, and stores for later requests."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Protocol

from tools.fake_provider.behaviour import Record
from tools.fake_provider.wire import Reply, Wire


class Body(Protocol):
    """The receiver of the events of a stored reply."""

    async def write(self, data: bytes) -> None: ...
    async def end(self) -> None: ...
    async def cut(self) -> None: ...


class Kept:
    """The growing events of a reply by number, with the interface of a connection's body for their
    producer."""

    def __init__(self, wire: Wire, said: Reply, record: Record) -> None:
        self.wire = wire
        self.said = said
        self.record = record
        self.events: list[bytes] = []
        self.over = False
        self._cuts: list[int] = []  # Numbers of the events before which followers are dropped.
        self._task: asyncio.Task[None] | None = None
        self._news = asyncio.Condition()

    def generate(self, playing: Coroutine[Any, Any, None]) -> None:
        """Start generating; a client that leaves does not end it."""
        self._task = asyncio.create_task(playing)

    def cancel(self) -> None:
        """Stop generating. Followers get no end marker."""
        if self._task and not self.over:
            self._task.cancel()
            self.record.state = "closed"
        self.over = True
        self._wake = asyncio.create_task(self._tell())

    async def follow(self, first: int, body: Body) -> None:
        """Send the events from a number on, as they arrive, until the end or a cut."""
        at = first
        while True:
            async with self._news:
                while not (at < len(self.events) or self.over or at in self._cuts):
                    await self._news.wait()
            if at in self._cuts:
                self._cuts.remove(at)  # The next follower gets past it.
                await body.cut()
            if at >= len(self.events):
                await body.end()
                return
            await body.write(self.events[at])
            at += 1

    # The interface of a body

    def headers(self, wire: Wire, more: dict[str, str]) -> None:
        """Each following connection has its own body."""

    async def write(self, data: bytes) -> None:
        """Add events."""
        self.events += [event + b"\n\n" for event in data.split(b"\n\n") if event]
        await self._tell()

    async def end(self) -> None:
        """No further event follows."""
        self.over = True
        await self._tell()

    async def cut(self) -> None:
        """Drop all followers now; the generation continues."""
        self._cuts.append(len(self.events))
        await self._tell()

    async def _tell(self) -> None:
        async with self._news:
            self._news.notify_all()

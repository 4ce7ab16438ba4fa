"""Tabs that follow streams through one-way doors, each stream over requests of its own.

At random times a connection is dropped, nothing is read for a while, or the page is reloaded.
"""

import asyncio
import json
import time
from abc import abstractmethod
from contextlib import suppress
from typing import ClassVar, NamedTuple

import httpx2

from tests.chaos.programs import AnnouncedReply
from tests.chaos.tab import (
    FREEZE_SECONDS,
    RECONNECT_SECONDS,
    FollowerTab,
    Reading,
    TabOptions,
)

TIMEOUT_SECONDS = 10.0
DISTURBANCE_SECONDS = (0.5, 8.0)
"""As those of a socket, which lasts longer than a reply: here each reply has a connection."""
POLL_SECONDS = (1.0, 3.0)
RELOADED_POLL_SHARE = 0.02
RUNNING_STATES = ("queued", "running")


class Event(NamedTuple):
    """`data` is all behind the colon: for some protocols a space is content. The id is that of this
    event only."""

    name: str
    id: str
    data: str


class HttpTab(FollowerTab):
    """Makes one request after the other for each stream, until its end was read."""

    pause_seconds = RECONNECT_SECONDS

    @abstractmethod
    async def read(self, reading: Reading, web: str) -> None:
        """Make one request to this web process, and add its frames."""

    def build_headers(self) -> dict[str, str]:
        """Return those that say who reads."""
        return {"Cookie": self.options.cookie}

    def __init__(self, options: TabOptions) -> None:
        super().__init__(options)
        self._tasks: set[asyncio.Task[None]] = set()
        self._client = httpx2.AsyncClient(
            headers=self.build_headers(),
            timeout=TIMEOUT_SECONDS,
            limits=httpx2.Limits(max_connections=None),
            trust_env=False,
        )

    async def run(self) -> None:
        async with self._client:
            await asyncio.Event().wait()

    async def follow(self, reply: AnnouncedReply) -> None:
        self._readings[reply.stream] = reading = Reading(reply.stream, self.kinds)
        task = asyncio.create_task(self._read_to_end(reading))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _read_to_end(self, reading: Reading) -> None:
        while reading.end is None:
            with suppress(httpx2.HTTPError):
                await self.read(reading, self._choose_web())
            await asyncio.sleep(self._random.uniform(*self.pause_seconds))
        self.record(reading)

    def count_refusal(self, response: httpx2.Response) -> None:
        self.counts[f"{self.door}: answered {response.status_code}"] += 1

    def reload(self, reading: Reading) -> None:
        self.counts[f"{self.door}: page reloaded"] += 1
        reading.restart()


class EventStreamTab(HttpTab):
    """Reads server-sent events, and disturbs their connections."""

    early_end_means_success: ClassVar[bool] = False
    """Whether the door's own clients take a body that ends properly for a complete reply."""

    @abstractmethod
    def add_event(self, reading: Reading, event: Event) -> None:
        """Add the text of an event to what was read."""

    async def read_events(self, reading: Reading, response: httpx2.Response) -> None:
        disturbed_at = time.monotonic() + self._random.uniform(*DISTURBANCE_SECONDS)
        name, id, lines = "", "", []
        async for line in response.aiter_lines():
            field, _, value = line.partition(":")
            if field == "event":
                name = value.strip()
            elif field == "id":
                id = value.strip()
            elif field == "data":
                lines.append(value)
            elif not line and lines:
                self.add_event(reading, Event(name, id, "\n".join(lines)))
                name, id, lines = "", "", []
            if self.has_disturbances and time.monotonic() > disturbed_at:
                disturbed_at += self._random.uniform(*DISTURBANCE_SECONDS)
                if not await self._continue_after_disturbance(reading):
                    return
        if self.early_end_means_success and reading.end is None:
            reading.count_early_end()

    async def _continue_after_disturbance(self, reading: Reading) -> bool:
        """Disturb the connection. Return whether it is still there."""
        kind = self._random.choice(["dropped", "frozen", "reloaded"])
        if kind == "reloaded":
            self.reload(reading)
            return False
        self.counts[f"{self.door}: {kind}"] += 1
        if kind == "dropped":
            return False
        frozen_until = time.monotonic() + self._random.uniform(*FREEZE_SECONDS)
        while time.monotonic() < frozen_until and self.has_disturbances:  # noqa: ASYNC110
            await asyncio.sleep(0.2)
        return True


class EventsTab(EventStreamTab):
    """Server-sent events, as a browser reads them."""

    door = "events"

    async def read(self, reading: Reading, web: str) -> None:
        headers = {"Last-Event-ID": str(reading.cursor)} if reading.cursor >= 0 else {}
        address = f"{web}/api/streams/{reading.stream}/events"
        async with self._client.stream("GET", address, headers=headers) as response:
            if response.status_code == 204:
                reading.end = {
                    "state": response.headers["Stream-State"],
                    "next": reading.cursor + 1,
                }
            elif response.status_code == 200:
                await self.read_events(reading, response)
            else:
                self.count_refusal(response)
        self.count_reconnect(reading.end is None)

    def add_event(self, reading: Reading, event: Event) -> None:
        reading.add_frame(json.loads(event.data))


class ChunksTab(HttpTab):
    """The JSON API, asked again and again."""

    door = "chunks"
    pause_seconds = POLL_SECONDS

    async def read(self, reading: Reading, web: str) -> None:
        if self.has_disturbances and self._random.random() < RELOADED_POLL_SHARE:
            self.reload(reading)
        response = await self._client.get(
            f"{web}/api/streams/{reading.stream}/chunks", params={"after": reading.cursor}
        )
        if response.status_code != 200:
            self.count_refusal(response)
            return
        page = response.json()
        reading.snapshots += page["isSnapshot"]
        for chunk in page["chunks"]:
            reading.add_frame({"type": "chunk", **chunk})
        state, next_index = page["stream"]["state"], page["stream"]["nextIndex"]
        if state not in RUNNING_STATES and reading.cursor + 1 == next_index:
            reading.end = {"state": state, "next": next_index}

"""A process with many readers, which know only the protocol of the WebSocket.

Each tab is a socket that follows all streams of its person, in a random web process. At random
times it is dropped, stops reading, floods the server, or is reloaded. Its frames are recorded
unchanged, so that `verdict` can check them.

Orders arrive on standard input, one JSON object a line.
"""

import argparse
import asyncio
import json
import random
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

RECONNECT_SECONDS = (0.1, 1.0)
OPEN_TIMEOUT_SECONDS = 10.0
DISTURBANCE_SECONDS = (4.0, 25.0)
"""Seconds between two disturbances of a tab: minimum and maximum."""
FREEZE_SECONDS = (2.0, 40.0)
FLOOD_FRAMES = 400
INVALID_FRAMES = ('{"type":', "[]", '{"type":"sing"}', '{"type":"follow","stream":"7"}', '{"n":1}')
UNREAD_SECONDS = 50.0
MAX_REFOLLOWED_STREAMS = 20
MAX_FRAME_BYTES = 4 * 1024 * 1024


class Reading:
    """The frames that one tab got of one stream, in their order.

    After `follow` was sent again from the start on the same socket, earlier frames may still
    arrive: they are skipped until the first of the new ones.
    """

    def __init__(self, stream: str) -> None:
        self.stream = stream
        self.cursor = -1
        self.frames: list[list[Any]] = []
        self.snapshots = 0
        self.end: dict[str, Any] | None = None
        self.is_skipping = False

    def add_frame(self, frame: dict[str, Any]) -> None:
        if self.is_skipping and frame.get("first") != 0:
            return
        self.is_skipping = False
        if frame["type"] == "chunk":
            self.frames.append([frame[n] for n in ("first", "index", "kind", "delta", "offset")])
            self.cursor = max(self.cursor, frame["index"])
        elif frame["type"] == "snapshot":
            self.snapshots += 1
            self.cursor = frame["index"]
        elif frame["type"] == "end":
            self.end = {"state": frame["state"], "next": frame["next"]}

    def to_json(self, tab: str) -> str:
        return json.dumps(
            {
                "tab": tab,
                "stream": self.stream,
                "frames": self.frames,
                "snapshots": self.snapshots,
                "end": self.end,
            }
        )


class FollowerTab:
    """A person's tab: one socket after the other."""

    def __init__(
        self,
        name: str,
        webs: list[str],
        cookie: str,
        seed: str,
        counts: Counter[str],
        write: Callable[[str], None],
    ) -> None:
        self.name = name
        self.counts = counts
        self._webs = webs
        self._cookie = cookie
        self._random = random.Random(seed)
        self._write = write
        self._readings: dict[str, Reading] = {}
        self._socket: ClientConnection | None = None
        self.has_disturbances = True
        self.never_reads = False

    @property
    def unfinished_count(self) -> int:
        return len(self._readings)

    async def follow(self, stream: str) -> None:
        self._readings[stream] = Reading(stream)
        await self._send_follow(stream)

    async def run(self) -> None:
        """Reconnect whenever the socket closes, until the process ends."""
        was_connected = False
        while True:
            self.counts["reconnects"] += was_connected
            with suppress(OSError, ConnectionClosed, InvalidHandshake, TimeoutError, EOFError):
                async with self._connect() as socket:
                    was_connected = True
                    await self._read_socket(socket)
            self._socket = None
            await asyncio.sleep(self._random.uniform(*RECONNECT_SECONDS))

    def _connect(self) -> connect:
        web = self._random.choice(self._webs)
        return connect(
            f"{web.replace('http', 'ws', 1)}/ws/",
            origin=web,  # type: ignore[arg-type]
            additional_headers={"Cookie": self._cookie},
            proxy=None,
            open_timeout=OPEN_TIMEOUT_SECONDS,
            close_timeout=1,
            ping_interval=None,
            compression=None,
            max_size=MAX_FRAME_BYTES,
        )

    async def _read_socket(self, socket: ClientConnection) -> None:
        self._socket = socket
        if self._random.random() < 0.1:
            self.counts["socket: page reloaded"] += 1
            self._readings = {stream: Reading(stream) for stream in self._readings}
        for stream in tuple(self._readings):
            await self._send_follow(stream)
        disturbing = asyncio.create_task(self._disturb(socket))
        self._frozen_until = 0.0
        if self.never_reads:
            await self._wait_without_reading()
            return
        try:
            while True:
                while time.monotonic() < self._frozen_until and self.has_disturbances:  # noqa: ASYNC110
                    await asyncio.sleep(0.2)
                await self._handle_frame(socket, json.loads(await socket.recv()))
        except ConnectionClosed as closed:
            self.counts[f"closed with {closed.rcvd.code if closed.rcvd else 'nothing'}"] += 1
        finally:
            disturbing.cancel()
            with suppress(asyncio.CancelledError, ConnectionClosed):
                await disturbing

    async def _wait_without_reading(self) -> None:
        """Wait until the server has closed the socket. The next one follows the newest streams
        only."""
        await asyncio.sleep(UNREAD_SECONDS)
        self._readings = dict(list(self._readings.items())[-MAX_REFOLLOWED_STREAMS:])

    async def _handle_frame(self, socket: ClientConnection, frame: dict[str, Any]) -> None:
        if frame["type"] == "ping":
            await socket.send(json.dumps({"type": "pong", "n": frame["n"]}))
        elif frame["type"] == "error" and "stream" in frame:
            self.counts[f"answered {frame['code']}"] += 1
        elif reading := self._readings.get(frame.get("stream", "")):
            reading.add_frame(frame)
            if reading.end is not None:
                self._write(reading.to_json(self.name))
                del self._readings[reading.stream]

    async def _send_follow(self, stream: str) -> None:
        if self._socket is None or (reading := self._readings.get(stream)) is None:
            return
        with suppress(ConnectionClosed):
            order = {"type": "follow", "stream": stream, "after": reading.cursor}
            await self._socket.send(json.dumps(order))

    # Disturbances

    async def _disturb(self, socket: ClientConnection) -> None:
        while True:
            await asyncio.sleep(self._random.uniform(*DISTURBANCE_SECONDS))
            if not self.has_disturbances:
                return
            await self._random.choice(
                [self._drop_socket, self._close_socket, self._freeze_reading, self._flood_server]
            )(socket)

    async def _drop_socket(self, socket: ClientConnection) -> None:
        self.counts["socket: dropped"] += 1
        socket.transport.abort()

    async def _close_socket(self, socket: ClientConnection) -> None:
        self.counts["socket: closed"] += 1
        await socket.close()

    async def _freeze_reading(self, socket: ClientConnection) -> None:
        self.counts["socket: frozen"] += 1
        self._frozen_until = time.monotonic() + self._random.uniform(*FREEZE_SECONDS)

    async def _flood_server(self, socket: ClientConnection) -> None:
        self.counts["socket: flooded"] += 1
        with suppress(ConnectionClosed):
            for number in range(FLOOD_FRAMES):
                invalid = self._random.choice(INVALID_FRAMES)
                ping = json.dumps({"type": "ping", "n": number})
                await socket.send(invalid if number % 2 else ping)
            started = [s for s, reading in self._readings.items() if reading.cursor >= 0]
            for stream in started[:3]:
                reading = self._readings[stream] = Reading(stream)
                reading.is_skipping = True
                await socket.send(json.dumps({"type": "follow", "stream": stream, "after": -1}))

    def record_unfinished(self) -> None:
        """Record the frames of the streams that never ended."""
        for reading in self._readings.values():
            self._write(reading.to_json(self.name))


async def read_orders() -> AsyncIterator[dict[str, Any]]:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    async for line in reader:
        yield json.loads(line)


async def run_tabs(name: str, seed: str, out: Path) -> None:
    """Follow streams until the order to finish, then to their ends or for the given time."""
    counts: Counter[str] = Counter()
    choices = random.Random(seed)
    orders = read_orders()
    options = await anext(orders)
    with out.open("w") as file:

        def write(line: str) -> None:
            if options["records_frames"]:
                file.write(f"{line}\n")

        def create_tab(person: int, number: int, cookie: str) -> FollowerTab:
            own_seed = f"{seed} {person} {number}"
            full_name = f"{name}-{person}-{number}"
            tab = FollowerTab(full_name, options["webs"], cookie, own_seed, counts, write)
            tab.has_disturbances = options["has_disturbances"]
            tab.never_reads = number < options["non_reading_tabs"]
            return tab

        tabs = [
            [create_tab(person, number, cookie) for number in range(options["tabs_per_person"])]
            for person, cookie in enumerate(options["cookies"])
        ]
        all_tabs = [tab for own_tabs in tabs for tab in own_tabs]
        tasks = [asyncio.create_task(tab.run()) for tab in all_tabs]
        async for order in orders:
            if "finish" in order:
                await wait_until_finished(
                    [tab for tab in all_tabs if not tab.never_reads], order["finish"]
                )
                break
            own_tabs = tabs[order["person"]]
            non_reading = [tab for tab in own_tabs if tab.never_reads]
            reading = [tab for tab in own_tabs if not tab.never_reads]
            for tab in non_reading + choices.sample(
                reading, min(len(reading), options["followers_per_stream"])
            ):
                await tab.follow(order["follow"])
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for tab in all_tabs:
            tab.record_unfinished()
        write(json.dumps({"counts": counts}))


async def wait_until_finished(tabs: list[FollowerTab], timeout: float) -> None:
    for tab in tabs:
        tab.has_disturbances = False
    deadline = time.monotonic() + timeout
    while any(tab.unfinished_count for tab in tabs) and time.monotonic() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(0.1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("seed")
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    asyncio.run(run_tabs(arguments.name, arguments.seed, arguments.out))

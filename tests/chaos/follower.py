"""A process with many readers, which know only the socket's protocol.

Each tab is a socket that follows all of its person's streams, in a random web process. From time to
time it is dropped, stops reading, floods the server, or is reloaded. Its frames are recorded
unchanged: nothing is repaired here, so that `verdict` can count.

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

BACK_OFF = (0.1, 1.0)
OPEN_WITHIN = 10.0
CALM = (4.0, 25.0)
"""Seconds between two disturbances of a tab."""
FREEZE = (2.0, 40.0)
FLOOD = 400
JUNK = ('{"type":', "[]", '{"type":"sing"}', '{"type":"follow","stream":"7"}', '{"n":1}')
MUTE_SECONDS = 50.0
STILL_WANTED = 20
LARGEST_FRAME = 4 * 1024 * 1024


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
        self.passing_over = False

    def take(self, frame: dict[str, Any]) -> None:
        if self.passing_over and frame.get("first") != 0:
            return
        self.passing_over = False
        if frame["type"] == "chunk":
            self.frames.append([frame[n] for n in ("first", "index", "kind", "delta", "offset")])
            self.cursor = max(self.cursor, frame["index"])
        elif frame["type"] == "snapshot":
            self.snapshots += 1
            self.cursor = frame["index"]
        elif frame["type"] == "end":
            self.end = {"state": frame["state"], "next": frame["next"]}

    def as_json(self, tab: str) -> str:
        return json.dumps(
            {
                "tab": tab,
                "stream": self.stream,
                "frames": self.frames,
                "snapshots": self.snapshots,
                "end": self.end,
            }
        )


class Tab:
    """One socket after another, for one person."""

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
        self.calm = False
        self.mute = False

    @property
    def unfinished(self) -> int:
        return len(self._readings)

    async def follow(self, stream: str) -> None:
        self._readings[stream] = Reading(stream)
        await self._say_follow(stream)

    async def run(self) -> None:
        """Reconnect whenever the socket closes, for the life of the process."""
        connected = False
        while True:
            self.counts["reconnects"] += connected
            with suppress(OSError, ConnectionClosed, InvalidHandshake, TimeoutError, EOFError):
                async with self._connected() as socket:
                    connected = True
                    await self._read(socket)
            self._socket = None
            await asyncio.sleep(self._random.uniform(*BACK_OFF))

    def _connected(self) -> connect:
        web = self._random.choice(self._webs)
        return connect(
            f"{web.replace('http', 'ws', 1)}/ws/",
            origin=web,  # type: ignore[arg-type]
            additional_headers={"Cookie": self._cookie},
            proxy=None,
            open_timeout=OPEN_WITHIN,
            close_timeout=1,
            ping_interval=None,
            compression=None,
            max_size=LARGEST_FRAME,
        )

    async def _read(self, socket: ClientConnection) -> None:
        self._socket = socket
        if self._random.random() < 0.1:
            self.counts["socket: page reloaded"] += 1
            self._readings = {stream: Reading(stream) for stream in self._readings}
        for stream in tuple(self._readings):
            await self._say_follow(stream)
        mischief = asyncio.create_task(self._misbehave(socket))
        self._frozen_until = 0.0
        if self.mute:
            await self._never_read()
            return
        try:
            while True:
                while time.monotonic() < self._frozen_until and not self.calm:  # noqa: ASYNC110
                    await asyncio.sleep(0.2)
                await self._hear(socket, json.loads(await socket.recv()))
        except ConnectionClosed as closed:
            self.counts[f"closed with {closed.rcvd.code if closed.rcvd else 'nothing'}"] += 1
        finally:
            mischief.cancel()
            with suppress(asyncio.CancelledError, ConnectionClosed):
                await mischief

    async def _never_read(self) -> None:
        """Wait until the server has certainly closed the socket; then reconnect for new frames."""
        await asyncio.sleep(MUTE_SECONDS)
        self._readings = dict(list(self._readings.items())[-STILL_WANTED:])

    async def _hear(self, socket: ClientConnection, frame: dict[str, Any]) -> None:
        if frame["type"] == "ping":
            await socket.send(json.dumps({"type": "pong", "n": frame["n"]}))
        elif frame["type"] == "error" and "stream" in frame:
            self.counts[f"answered {frame['code']}"] += 1
        elif reading := self._readings.get(frame.get("stream", "")):
            reading.take(frame)
            if reading.end is not None:
                self._write(reading.as_json(self.name))
                del self._readings[reading.stream]

    async def _say_follow(self, stream: str) -> None:
        if self._socket is None or (reading := self._readings.get(stream)) is None:
            return
        with suppress(ConnectionClosed):
            order = {"type": "follow", "stream": stream, "after": reading.cursor}
            await self._socket.send(json.dumps(order))

    # Disturbances

    async def _misbehave(self, socket: ClientConnection) -> None:
        while True:
            await asyncio.sleep(self._random.uniform(*CALM))
            if self.calm:
                return
            await self._random.choice([self._drop, self._leave, self._freeze, self._flood])(socket)

    async def _drop(self, socket: ClientConnection) -> None:
        self.counts["socket: dropped"] += 1
        socket.transport.abort()

    async def _leave(self, socket: ClientConnection) -> None:
        self.counts["socket: closed"] += 1
        await socket.close()

    async def _freeze(self, socket: ClientConnection) -> None:
        self.counts["socket: frozen"] += 1
        self._frozen_until = time.monotonic() + self._random.uniform(*FREEZE)

    async def _flood(self, socket: ClientConnection) -> None:
        self.counts["socket: flooded"] += 1
        with suppress(ConnectionClosed):
            for number in range(FLOOD):
                junk = self._random.choice(JUNK)
                ping = json.dumps({"type": "ping", "n": number})
                await socket.send(junk if number % 2 else ping)
            begun = [s for s, reading in self._readings.items() if reading.cursor >= 0]
            for stream in begun[:3]:
                reading = self._readings[stream] = Reading(stream)
                reading.passing_over = True
                await socket.send(json.dumps({"type": "follow", "stream": stream, "after": -1}))

    def close(self) -> None:
        """Record the streams that never ended."""
        for reading in self._readings.values():
            self._write(reading.as_json(self.name))


async def lines() -> AsyncIterator[dict[str, Any]]:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    async for line in reader:
        yield json.loads(line)


async def serve(name: str, seed: str, out: Path) -> None:
    """Follow until the order to finish; then until all has ended, or the given time is over."""
    counts: Counter[str] = Counter()
    shuffled = random.Random(seed)
    orders = lines()
    setting = await anext(orders)
    with out.open("w") as file:

        def write(line: str) -> None:
            if setting["kept"]:
                file.write(f"{line}\n")

        def tab(person: int, number: int, cookie: str) -> Tab:
            own_seed = f"{seed} {person} {number}"
            full_name = f"{name}-{person}-{number}"
            made = Tab(full_name, setting["webs"], cookie, own_seed, counts, write)
            made.calm = setting["calm"]
            made.mute = number < setting["mute"]
            return made

        tabs = [
            [tab(person, number, cookie) for number in range(setting["tabs"])]
            for person, cookie in enumerate(setting["cookies"])
        ]
        everyone = [one for of_person in tabs for one in of_person]
        tasks = [asyncio.create_task(one.run()) for one in everyone]
        async for order in orders:
            if "finish" in order:
                await finished([one for one in everyone if not one.mute], order["finish"])
                break
            of_person = tabs[order["person"]]
            mute = [one for one in of_person if one.mute]
            awake = [one for one in of_person if not one.mute]
            for one in mute + shuffled.sample(awake, min(len(awake), setting["followers"])):
                await one.follow(order["follow"])
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for one in everyone:
            one.close()
        write(json.dumps({"counts": counts}))


async def finished(tabs: list[Tab], within: float) -> None:
    for tab in tabs:
        tab.calm = True
    deadline = time.monotonic() + within
    while any(tab.unfinished for tab in tabs) and time.monotonic() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(0.1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("seed")
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    asyncio.run(serve(given.name, given.seed, given.out))

"""A tab that knows only the protocol of the WebSocket.

At random times its socket is dropped, stops reading, floods the server, or the page is reloaded.
"""

import asyncio
import json
import time
from contextlib import suppress
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from tests.chaos.programs import AnnouncedReply
from tests.chaos.tab import (
    DISTURBANCE_SECONDS,
    FREEZE_SECONDS,
    RECONNECT_SECONDS,
    FollowerTab,
    Reading,
)

OPEN_TIMEOUT_SECONDS = 10.0
FLOOD_FRAMES = 400
INVALID_FRAMES = ('{"type":', "[]", '{"type":"sing"}', '{"type":"follow","stream":"7"}', '{"n":1}')
UNREAD_SECONDS = 50.0
MAX_REFOLLOWED_STREAMS = 20
MAX_FRAME_BYTES = 4 * 1024 * 1024


class SocketTab(FollowerTab):
    """One socket after the other, for all streams."""

    door = "socket"
    _socket: ClientConnection | None = None

    async def follow(self, reply: AnnouncedReply) -> None:
        self._readings[reply.stream] = Reading(reply.stream)
        await self._send_follow(reply.stream)

    async def run(self) -> None:
        was_connected = False
        while True:
            self.count_reconnect(was_connected)
            with suppress(OSError, ConnectionClosed, InvalidHandshake, TimeoutError, EOFError):
                async with self._connect() as socket:
                    was_connected = True
                    await self._read_socket(socket)
            self._socket = None
            await asyncio.sleep(self._random.uniform(*RECONNECT_SECONDS))

    def _connect(self) -> connect:
        web = self._choose_web()
        return connect(
            f"{web.replace('http', 'ws', 1)}/ws/",
            origin=web,  # type: ignore[arg-type]
            additional_headers={"Cookie": self.options.cookie},
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
        if self.options.never_reads:
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
                self.record(reading)

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

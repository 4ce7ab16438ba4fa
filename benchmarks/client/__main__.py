"""The load client: a process that reads streams and reports its measurements. Its cost is not
counted.

It reads orders from its input, a JSON object each: `follow` reads live streams for a while,
`catch_up` opens connections one after the other or all at once and waits until each has the
complete text.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from collections.abc import Sequence
from typing import Any

from benchmarks.client.wires import WIRES, Connection, Events, Spec
from benchmarks.tokens import WIDTH, Tally

CONNECTED_AT_ONCE = 50


class Live:
    """Readers of running streams. Only data between `begin` and `end` of the monotonic clock
    counts, and only ages of tokens that were generated after their reader had subscribed."""

    def __init__(self, begin: float, end: float) -> None:
        self.begin, self.end = begin, end
        self.ages: list[float] = []
        self.tokens = 0
        self.tallies: dict[Connection, Tally] = {}
        self.before: dict[Connection, tuple[int, int]] = {}
        self.after: dict[Connection, tuple[int, int]] = {}

    def on_text(self, connection: Connection, text: str, now: float) -> None:
        ages = self.tallies[connection].add(text, now)
        if self.begin <= now < self.end:
            self.tokens += len(ages)
            subscribed = connection.subscribed or now
            self.ages += [age for age in ages if now - age >= subscribed]

    async def read(self, specs: Sequence[Spec], until: float) -> dict[str, Any]:
        connections = [WIRES[spec["wire"]](spec, self.on_text) for spec in specs]
        self.tallies = {connection: Tally() for connection in connections}
        gate = asyncio.Semaphore(CONNECTED_AT_ONCE)
        await asyncio.gather(*(_opened(connection, gate) for connection in connections))
        say(ready=time.monotonic())
        gc.collect()
        gc.disable()
        self.before = await self._wire_at(self.begin)
        self.after = await self._wire_at(self.end)
        try:
            async with asyncio.timeout(until - time.monotonic()):
                await asyncio.gather(*(connection.over.wait() for connection in connections))
        except TimeoutError:
            pass
        gc.enable()
        for connection in connections:
            connection.transport.abort()
        return self._told(connections)

    async def _wire_at(self, moment: float) -> dict[Connection, tuple[int, int]]:
        await asyncio.sleep(moment - time.monotonic())
        return {c: (c.bytes, c.frames) for c in self.tallies}

    def _told(self, connections: Sequence[Connection]) -> dict[str, Any]:
        tallies = self.tallies.values()
        return {
            "tokens": self.tokens,
            "ages": [round(1000 * age, 1) for age in self.ages],
            "bytes": sum(self.after[c][0] - self.before[c][0] for c in connections),
            "frames": sum(self.after[c][1] - self.before[c][1] for c in connections),
            "received": [tally.received for tally in tallies],
            "lost": sum(tally.lost for tally in tallies),
            "doubled": sum(tally.doubled for tally in tallies),
            "reordered": sum(tally.reordered for tally in tallies),
            "unended": sum(not c.over.is_set() for c in connections),
            "late": sum((c.subscribed or 0) > self.begin for c in connections),
            "troubles": [c.trouble for c in connections if c.trouble][:5],
        }


async def _opened(connection: Connection, gate: asyncio.Semaphore) -> None:
    async with gate:
        spec, loop = connection.spec, asyncio.get_running_loop()
        await loop.create_connection(lambda: connection, spec["host"], spec["port"])
        await connection.ready.wait()


class Replay:
    """A reader that waits until it has a given number of tokens of a stream."""

    def __init__(self, spec: Spec, tokens: int) -> None:
        self.left = tokens * WIDTH
        self.parts: list[str] = []
        self.caught_up: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self.connection = WIRES[spec["wire"]](spec, self._on_text)
        if isinstance(self.connection, Events):
            self.connection.only_count(tokens, self._all)

    def _on_text(self, connection: Connection, text: str, now: float) -> None:
        self.parts.append(text)
        self.left -= len(text)
        if self.left <= 0:
            self._all()

    def _all(self) -> None:
        if not self.caught_up.done():
            self.caught_up.set_result(time.monotonic())

    async def read(self, within: float) -> float | None:
        """Return the seconds from the first packet to the complete text; None if it did not
        arrive."""
        spec, loop = self.connection.spec, asyncio.get_running_loop()
        began = time.monotonic()
        try:
            async with asyncio.timeout(within):
                await loop.create_connection(lambda: self.connection, spec["host"], spec["port"])
                return await self.caught_up - began
        except (TimeoutError, OSError):
            return None
        finally:
            if self.connection.transport:
                self.connection.transport.abort()

    def wrong(self) -> int:
        """Count the tokens that are lost, doubled or out of order."""
        tally = Tally()
        if isinstance(self.connection, Events):
            self.parts.append(self.connection.counted_text())
        tally.add("".join(self.parts), time.monotonic())
        return tally.lost + tally.doubled + tally.reordered


async def catch_up(specs: Sequence[Spec], tokens: int, at_once: bool, within: float) -> Any:
    replays = [Replay(spec, tokens) for spec in specs]
    gc.collect()
    gc.disable()
    began = time.monotonic()
    if at_once:
        times = list(await asyncio.gather(*(replay.read(within) for replay in replays)))
    else:
        times = [await replay.read(within) for replay in replays]
    took = time.monotonic() - began
    gc.enable()
    return {
        "seconds": [seconds for seconds in times if seconds is not None],
        "failed": sum(seconds is None for seconds in times),
        "took": took,
        "bytes": [replay.connection.bytes for replay in replays],
        "wrong": sum(replay.wrong() for replay in replays),
        "troubles": [r.connection.trouble for r in replays if r.caught_up.cancelled()][:5],
    }


def say(**answer: Any) -> None:
    print(json.dumps(answer), flush=True)


async def obey(order: dict[str, Any]) -> dict[str, Any]:
    match order.pop("do"):
        case "follow":
            begin, end = order.pop("window")
            return await Live(begin, end).read(order["readers"], order["until"])
        case "catch_up":
            told: dict[str, Any] = await catch_up(**order)
            return told
        case other:
            raise ValueError(other)


def main() -> None:
    for line in sys.stdin:
        say(**asyncio.run(obey(json.loads(line))))


if __name__ == "__main__":
    main()

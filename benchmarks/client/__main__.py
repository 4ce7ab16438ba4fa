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
from benchmarks.tokens import TOKEN_CHARS, Tally

MAX_CONCURRENT_CONNECTS = 50


class LiveReaders:
    """Readers of running streams. Only data between `begin` and `end` of the monotonic clock
    counts, and only ages of tokens that were generated after their reader had subscribed."""

    def __init__(self, begin: float, end: float) -> None:
        self.begin, self.end = begin, end
        self.ages: list[float] = []
        self.tokens = 0
        self.tallies: dict[Connection, Tally] = {}
        self.wire_before: dict[Connection, tuple[int, int]] = {}
        self.wire_after: dict[Connection, tuple[int, int]] = {}

    def on_text(self, connection: Connection, text: str, now: float) -> None:
        ages = self.tallies[connection].add(text, now)
        if self.begin <= now < self.end:
            self.tokens += len(ages)
            subscribed_at = connection.subscribed_at or now
            self.ages += [age for age in ages if now - age >= subscribed_at]

    async def measure(self, specs: Sequence[Spec], until: float) -> dict[str, Any]:
        connections = [WIRES[spec["wire"]](spec, self.on_text) for spec in specs]
        self.tallies = {connection: Tally() for connection in connections}
        semaphore = asyncio.Semaphore(MAX_CONCURRENT_CONNECTS)
        await asyncio.gather(
            *(_open_connection(connection, semaphore) for connection in connections)
        )
        print_answer(ready=time.monotonic())
        gc.collect()
        gc.disable()
        self.wire_before = await self._count_wire_at(self.begin)
        self.wire_after = await self._count_wire_at(self.end)
        try:
            async with asyncio.timeout(until - time.monotonic()):
                await asyncio.gather(*(connection.ended.wait() for connection in connections))
        except TimeoutError:
            pass
        gc.enable()
        for connection in connections:
            connection.transport.abort()
        return self._build_result(connections)

    async def _count_wire_at(self, moment: float) -> dict[Connection, tuple[int, int]]:
        await asyncio.sleep(moment - time.monotonic())
        return {c: (c.bytes, c.frames) for c in self.tallies}

    def _build_result(self, connections: Sequence[Connection]) -> dict[str, Any]:
        tallies = self.tallies.values()
        return {
            "tokens": self.tokens,
            "ages": [round(1000 * age, 1) for age in self.ages],
            "bytes": sum(self.wire_after[c][0] - self.wire_before[c][0] for c in connections),
            "frames": sum(self.wire_after[c][1] - self.wire_before[c][1] for c in connections),
            "received": [tally.received for tally in tallies],
            "lost": sum(tally.lost for tally in tallies),
            "doubled": sum(tally.doubled for tally in tallies),
            "reordered": sum(tally.reordered for tally in tallies),
            "unended": sum(not c.ended.is_set() for c in connections),
            "late": sum((c.subscribed_at or 0) > self.begin for c in connections),
            "errors": [c.error for c in connections if c.error][:5],
        }


async def _open_connection(connection: Connection, semaphore: asyncio.Semaphore) -> None:
    async with semaphore:
        spec, loop = connection.spec, asyncio.get_running_loop()
        await loop.create_connection(lambda: connection, spec["host"], spec["port"])
        await connection.ready.wait()


class ReplayReader:
    """A reader that waits until it has a given number of tokens of a stream."""

    def __init__(self, spec: Spec, tokens: int) -> None:
        self.missing_chars = tokens * TOKEN_CHARS
        self.parts: list[str] = []
        self.caught_up: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self.connection = WIRES[spec["wire"]](spec, self._on_text)
        if isinstance(self.connection, Events):
            self.connection.count_only(tokens, self._set_caught_up)

    def _on_text(self, connection: Connection, text: str, now: float) -> None:
        self.parts.append(text)
        self.missing_chars -= len(text)
        if self.missing_chars <= 0:
            self._set_caught_up()

    def _set_caught_up(self) -> None:
        if not self.caught_up.done():
            self.caught_up.set_result(time.monotonic())

    async def measure(self, within: float) -> float | None:
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

    def count_wrong(self) -> int:
        """Count the tokens that are lost, doubled or out of order."""
        tally = Tally()
        if isinstance(self.connection, Events):
            self.parts.append(self.connection.get_counted_text())
        tally.add("".join(self.parts), time.monotonic())
        return tally.lost + tally.doubled + tally.reordered


async def catch_up(specs: Sequence[Spec], tokens: int, at_once: bool, within: float) -> Any:
    replays = [ReplayReader(spec, tokens) for spec in specs]
    gc.collect()
    gc.disable()
    began = time.monotonic()
    if at_once:
        times = list(await asyncio.gather(*(replay.measure(within) for replay in replays)))
    else:
        times = [await replay.measure(within) for replay in replays]
    took = time.monotonic() - began
    gc.enable()
    return {
        "seconds": [seconds for seconds in times if seconds is not None],
        "failed": sum(seconds is None for seconds in times),
        "took": took,
        "bytes": [replay.connection.bytes for replay in replays],
        "wrong": sum(replay.count_wrong() for replay in replays),
        "errors": [r.connection.error for r in replays if r.caught_up.cancelled()][:5],
    }


def print_answer(**answer: Any) -> None:
    print(json.dumps(answer), flush=True)


async def run_order(order: dict[str, Any]) -> dict[str, Any]:
    match order.pop("do"):
        case "follow":
            begin, end = order.pop("window")
            return await LiveReaders(begin, end).measure(order["readers"], order["until"])
        case "catch_up":
            result: dict[str, Any] = await catch_up(**order)
            return result
        case other:
            raise ValueError(other)


def main() -> None:
    for line in sys.stdin:
        print_answer(**asyncio.run(run_order(json.loads(line))))


if __name__ == "__main__":
    main()

"""The tokens of a benchmark: five characters that contain a number and the time of generation.

Two digits count up (modulo 4096), three give the machine's monotonic clock in tenths of a
millisecond (modulo 26 s). That clock is the same in every process, Node's `process.hrtime`
included, so the receiver of a token knows its age, and which tokens are missing or doubled.
`peers/tokens.mjs` generates the same tokens.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from string import ascii_letters, digits

DIGITS = ascii_letters + digits + "-_"
PAIRS = tuple(a + b for a in DIGITS for b in DIGITS)
VALUES = {text: value for digits_ in (DIGITS, PAIRS) for value, text in enumerate(digits_)}

WIDTH = 5
COUNTED = len(PAIRS)
TICK = 1e-4
"""Seconds."""
ROUND = len(DIGITS) ** 3
"""Ticks after which the clock of the tokens restarts."""
BEAT = 0.001
"""Seconds."""


def token(index: int) -> str:
    """Return the token with this index and the current time."""
    now = time.monotonic_ns() // 100_000 % ROUND
    return PAIRS[index % COUNTED] + PAIRS[now >> 6] + DIGITS[now & 63]


class Metronome:
    """Wakes waiting streams, at most once a millisecond, as Node's own timers do: a timer for each
    token would cost more than the token."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._due: list[tuple[float, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()
        self._ticks = False

    def at(self, moment: float) -> asyncio.Future[None]:
        """Wait until this moment, or until the next tick if it has passed."""
        waiting: asyncio.Future[None] = self.loop.create_future()
        heapq.heappush(self._due, (moment, next(self._numbers), waiting))
        if not self._ticks:
            self._ticks = True
            self.loop.call_later(BEAT, self._tick)
        return waiting

    def _tick(self) -> None:
        now, due = time.monotonic(), self._due
        while due and due[0][0] <= now:
            waiting = heapq.heappop(due)[2]
            if not waiting.done():
                waiting.set_result(None)
        self._ticks = bool(due)
        if due:
            self.loop.call_later(max(due[0][0] - now, BEAT), self._tick)


_metronome: Metronome | None = None


def metronome() -> Metronome:
    """Return the ticker of the running event loop."""
    global _metronome
    if _metronome is None or _metronome.loop is not asyncio.get_running_loop():
        _metronome = Metronome()
    return _metronome


async def steady(start: float, rate: float, count: int, first: int = 0) -> AsyncIterator[str]:
    """Yield tokens, each at its own moment (of the monotonic clock), stamped when it is generated.
    The index of the first one is `first`."""
    at = metronome().at
    for index in range(count):
        await at(start + index / rate)
        yield token(first + index)


@dataclass(slots=True)
class Tally:
    """The tokens that one reader has received of one stream."""

    next: int = 0
    received: int = 0
    doubled: int = 0
    reordered: int = 0
    missing: set[int] = field(default_factory=set)
    rest: str = ""

    @property
    def lost(self) -> int:
        return len(self.missing)

    def add(self, text: str, now: float) -> list[float]:
        """Add text that was received `now`. Return the age in seconds of each of its tokens."""
        text = self.rest + text
        whole = len(text) - len(text) % WIDTH
        self.rest = text[whole:]
        ticks, ages = int(now / TICK), []
        for at in range(0, whole, WIDTH):
            self._count(VALUES[text[at : at + 2]])
            made = (VALUES[text[at + 2 : at + 4]] << 6) + VALUES[text[at + 4]]
            ages.append((ticks - made) % ROUND * TICK)
        return ages

    def _count(self, said: int) -> None:
        self.received += 1
        ahead = (said - self.next) % COUNTED
        if ahead < COUNTED // 2:
            self.missing.update(range(self.next, self.next + ahead))
            self.next += ahead + 1
            return
        index = self.next + ahead - COUNTED
        if index in self.missing:
            self.missing.discard(index)
            self.reordered += 1
        else:
            self.doubled += 1

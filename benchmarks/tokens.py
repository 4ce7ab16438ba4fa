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

TOKEN_CHARS = 5
COUNTER_SIZE = len(PAIRS)
TICK_SECONDS = 1e-4
"""Seconds."""
CLOCK_TICKS = len(DIGITS) ** 3
"""Ticks after which the clock of the tokens restarts."""
MIN_SLEEP_SECONDS = 0.001
"""Seconds."""


def make_token(index: int) -> str:
    """Return the token with this index and the current time."""
    now = time.monotonic_ns() // 100_000 % CLOCK_TICKS
    return PAIRS[index % COUNTER_SIZE] + PAIRS[now >> 6] + DIGITS[now & 63]


class Metronome:
    """Wakes waiting streams, at most once a millisecond, as Node's own timers do: a timer for each
    token would cost more than the token."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._due: list[tuple[float, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()
        self._timer_is_set = False

    def sleep_until(self, moment: float) -> asyncio.Future[None]:
        """Return a future that is done at this moment, or soon if it has passed."""
        waiting: asyncio.Future[None] = self.loop.create_future()
        heapq.heappush(self._due, (moment, next(self._numbers), waiting))
        if not self._timer_is_set:
            self._timer_is_set = True
            self.loop.call_later(MIN_SLEEP_SECONDS, self._wake_due)
        return waiting

    def _wake_due(self) -> None:
        now, due = time.monotonic(), self._due
        while due and due[0][0] <= now:
            waiting = heapq.heappop(due)[2]
            if not waiting.done():
                waiting.set_result(None)
        self._timer_is_set = bool(due)
        if due:
            self.loop.call_later(max(due[0][0] - now, MIN_SLEEP_SECONDS), self._wake_due)


_metronome: Metronome | None = None


def get_metronome() -> Metronome:
    """Return the metronome of the running event loop."""
    global _metronome
    if _metronome is None or _metronome.loop is not asyncio.get_running_loop():
        _metronome = Metronome()
    return _metronome


async def generate_tokens(
    start: float, rate: float, count: int, first: int = 0
) -> AsyncIterator[str]:
    """Yield tokens, each at its own moment (of the monotonic clock), stamped when it is generated.
    The index of the first one is `first`."""
    sleep_until = get_metronome().sleep_until
    for index in range(count):
        await sleep_until(start + index / rate)
        yield make_token(first + index)


@dataclass(slots=True)
class Tally:
    """The tokens that one reader has received of one stream."""

    next_index: int = 0
    received: int = 0
    doubled: int = 0
    reordered: int = 0
    missing: set[int] = field(default_factory=set)
    incomplete: str = ""

    @property
    def lost(self) -> int:
        return len(self.missing)

    def add(self, text: str, now: float) -> list[float]:
        """Add text that was received `now`. Return the age in seconds of each of its tokens."""
        text = self.incomplete + text
        end = len(text) - len(text) % TOKEN_CHARS
        self.incomplete = text[end:]
        ticks, ages = int(now / TICK_SECONDS), []
        for start in range(0, end, TOKEN_CHARS):
            self._count_token(VALUES[text[start : start + 2]])
            generated_at = (VALUES[text[start + 2 : start + 4]] << 6) + VALUES[text[start + 4]]
            ages.append((ticks - generated_at) % CLOCK_TICKS * TICK_SECONDS)
        return ages

    def _count_token(self, counter: int) -> None:
        self.received += 1
        ahead = (counter - self.next_index) % COUNTER_SIZE
        if ahead < COUNTER_SIZE // 2:
            self.missing.update(range(self.next_index, self.next_index + ahead))
            self.next_index += ahead + 1
            return
        index = self.next_index + ahead - COUNTER_SIZE
        if index in self.missing:
            self.missing.discard(index)
            self.reordered += 1
        else:
            self.doubled += 1

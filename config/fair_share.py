"""Lets few requests compute at once. Next are clients who computed little lately, and of those the
older accounts. So a crowd of busy clients, each within its own limits, does not make the others
wait."""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import dataclass, field

MAX_COMPUTING = 3
"""Requests of a process, whose threads share one interpreter."""
MAX_VISITORS_COMPUTING = 1
"""Of these, those of visitors who are not known to be signed in."""
WAIT_SECONDS = 10.0
HALF_LIFE_SECONDS = 20.0
"""After which what a client has used counts half."""
FIRST_CHARGE_SECONDS = 0.05
"""What a request is taken to need until it is known."""
FREE_SECONDS = 0.5
"""Of use that don't count: more than a busy reader has, and less than an attacker. Of clients with
no more than that, older accounts come first, and visitors last: accounts that were there before an
attack come before those that were made for it."""
LONGEST_WAIT_EVERY = 4
"""Of so many turns for which several wait, one goes to whoever has waited longest."""
MAX_REMEMBERED = 5_000
"""Clients."""


class Busy(Exception):
    """Too many requests wait already, or this one waited for too long."""


@dataclass(frozen=True, slots=True)
class Client:
    """A person with all their sessions, or an address of visitors."""

    name: str
    is_visitor: bool
    account: int = sys.maxsize
    """The number of the person's account. Older accounts have smaller ones."""


@dataclass(slots=True)
class Usage:
    """Seconds of a processor that the requests of a client took. Older ones count less."""

    seconds: float = 0.0
    at: float = 0.0

    def until(self, now: float) -> float:
        return self.seconds * 0.5 ** ((now - self.at) / HALF_LIFE_SECONDS)

    def add(self, seconds: float, now: float) -> None:
        self.seconds, self.at = max(0.0, self.until(now) + seconds), now


@dataclass(eq=False, slots=True)
class Waiting:
    client: Client
    turn: asyncio.Future[None]


@dataclass(slots=True)
class FairShare:
    """Who computes and who waits, of one process."""

    most: int = MAX_COMPUTING
    most_visitors: int = MAX_VISITORS_COMPUTING
    by_clock: bool = False
    """Whether clients are charged for the time by the clock: here a turn waits, and computes
    little."""
    contested: int = 0
    """Turns for which more than one client waited."""
    computing: int = 0
    visitors: int = 0
    waiting: list[Waiting] = field(default_factory=list)
    used: dict[str, Usage] = field(default_factory=dict)

    async def take(self, client: Client) -> None:
        """Wait for a turn; whoever gets one has to call `leave`. Raises Busy."""
        mine = Waiting(client, asyncio.get_running_loop().create_future())
        self.waiting.append(mine)
        self._start()
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await mine.turn
        except BaseException as error:
            if mine in self.waiting:
                self.waiting.remove(mine)
            elif not mine.turn.cancelled():  # it was given in the same moment
                self.leave(client)
            if isinstance(error, TimeoutError):
                raise Busy from None
            raise

    def leave(self, client: Client, seconds: float = 0.0) -> None:
        """Give the turn back, and charge the client for what was computed."""
        self._usage(client).add(seconds - FIRST_CHARGE_SECONDS, time.monotonic())
        self.computing -= 1
        self.visitors -= client.is_visitor
        self._start()

    def _start(self) -> None:
        """Give the turns that are free."""
        now = time.monotonic()
        while self.computing < self.most and (able := self._able()):
            chosen = self._next_of(able, now)
            self.waiting.remove(chosen)
            if chosen.turn.done():  # nobody waits any more
                continue
            self._usage(chosen.client).add(FIRST_CHARGE_SECONDS, now)
            self.computing += 1
            self.visitors += chosen.client.is_visitor
            chosen.turn.set_result(None)

    def _next_of(self, able: list[Waiting], now: float) -> Waiting:
        """Whoever used little and has an old account; now and then whoever came first. Of equal
        ones the first."""
        self.contested += len(able) > 1
        if self.contested % LONGEST_WAIT_EVERY == 0:
            return able[0]

        def rank(one: Waiting) -> tuple[float, int]:
            used = self._usage(one.client).until(now)
            return max(used - FREE_SECONDS, 0.0), one.client.account

        return min(able, key=rank)

    def _able(self) -> list[Waiting]:
        if self.visitors < self.most_visitors:
            return self.waiting
        return [one for one in self.waiting if not one.client.is_visitor]

    def _usage(self, client: Client) -> Usage:
        usage = self.used.get(client.name)
        if usage is None:
            self._forget_the_idle()
            usage = self.used[client.name] = Usage(at=time.monotonic())
        return usage

    def _forget_the_idle(self) -> None:
        if len(self.used) >= MAX_REMEMBERED:
            now = time.monotonic()
            kept = sorted(self.used.items(), key=lambda one: -one[1].until(now))
            self.used = dict(kept[: MAX_REMEMBERED // 2])

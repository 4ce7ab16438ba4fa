"""Lets few requests compute at once. Next are clients who computed little lately, and of those the
older accounts. So a crowd of busy clients, each within its own limits, does not make the others
wait."""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import dataclass, field

MAX_RUNNING = 3
"""Requests of a process, whose threads share one interpreter."""
MAX_VISITORS_RUNNING = 1
"""Of these, those of visitors who are not known to be signed in."""
MAX_WAIT_SECONDS = 10.0
HALF_LIFE_SECONDS = 20.0
"""After which what a client has used counts half."""
INITIAL_CHARGE_SECONDS = 0.05
"""What a request is taken to need until it is known."""
FREE_USE_SECONDS = 0.5
"""Of use that don't count: more than a busy reader has, and less than an attacker. Of clients with
no more than that, older accounts come first, and visitors last: accounts that were there before an
attack come before those that were made for it."""
OLDEST_WAITER_EVERY = 4
"""Of so many turns for which several wait, one goes to whoever has waited longest."""
MAX_REMEMBERED_CLIENTS = 5_000
"""Clients."""


class ServerBusy(Exception):
    """Too many requests wait already, or this one waited for too long."""


@dataclass(frozen=True, slots=True)
class Client:
    """A person with all their sessions, or an address of visitors."""

    name: str
    is_visitor: bool
    user_id: int = sys.maxsize
    """The number of the person's account. Older accounts have smaller ones."""


@dataclass(slots=True)
class ClientUsage:
    """Seconds of a processor that the requests of a client took. Older ones count less."""

    seconds: float = 0.0
    updated_at: float = 0.0

    def decayed_seconds(self, now: float) -> float:
        return self.seconds * 0.5 ** ((now - self.updated_at) / HALF_LIFE_SECONDS)

    def add_seconds(self, seconds: float, now: float) -> None:
        self.seconds, self.updated_at = max(0.0, self.decayed_seconds(now) + seconds), now


@dataclass(eq=False, slots=True)
class WaitingRequest:
    client: Client
    slot: asyncio.Future[None]


@dataclass(slots=True)
class FairShare:
    """The running and the waiting requests of one process."""

    max_running: int = MAX_RUNNING
    max_visitors: int = MAX_VISITORS_RUNNING
    charges_wall_time: bool = False
    """Whether clients are charged for the time by the clock: here a turn waits, and computes
    little."""
    contested_count: int = 0
    """Turns for which more than one client waited."""
    running_count: int = 0
    visitor_count: int = 0
    waiting: list[WaitingRequest] = field(default_factory=list)
    usage_by_client: dict[str, ClientUsage] = field(default_factory=dict)

    async def acquire_slot(self, client: Client) -> None:
        """Wait for a turn; whoever gets one has to call `release_slot`. Raises Busy."""
        mine = WaitingRequest(client, asyncio.get_running_loop().create_future())
        self.waiting.append(mine)
        self._grant_free_slots()
        try:
            async with asyncio.timeout(MAX_WAIT_SECONDS):
                await mine.slot
        except BaseException as error:
            if mine in self.waiting:
                self.waiting.remove(mine)
            elif not mine.slot.cancelled():  # it was given in the same moment
                self.release_slot(client)
            if isinstance(error, TimeoutError):
                raise ServerBusy from None
            raise

    def release_slot(self, client: Client, seconds: float = 0.0) -> None:
        """Give the turn back, and charge the client for what was computed."""
        self._get_usage(client).add_seconds(seconds - INITIAL_CHARGE_SECONDS, time.monotonic())
        self.running_count -= 1
        self.visitor_count -= client.is_visitor
        self._grant_free_slots()

    def _grant_free_slots(self) -> None:
        """Give the turns that are free."""
        now = time.monotonic()
        while self.running_count < self.max_running and (able := self._eligible_requests()):
            chosen = self._choose_next(able, now)
            self.waiting.remove(chosen)
            if chosen.slot.done():  # nobody waits any more
                continue
            self._get_usage(chosen.client).add_seconds(INITIAL_CHARGE_SECONDS, now)
            self.running_count += 1
            self.visitor_count += chosen.client.is_visitor
            chosen.slot.set_result(None)

    def _choose_next(self, eligible: list[WaitingRequest], now: float) -> WaitingRequest:
        """Return the request of a client with little use and an old account, and every few turns
        the oldest request. Among equals the first one goes first."""
        self.contested_count += len(eligible) > 1
        if self.contested_count % OLDEST_WAITER_EVERY == 0:
            return eligible[0]

        def sort_key(one: WaitingRequest) -> tuple[float, int]:
            used = self._get_usage(one.client).decayed_seconds(now)
            return max(used - FREE_USE_SECONDS, 0.0), one.client.user_id

        return min(eligible, key=sort_key)

    def _eligible_requests(self) -> list[WaitingRequest]:
        if self.visitor_count < self.max_visitors:
            return self.waiting
        return [one for one in self.waiting if not one.client.is_visitor]

    def _get_usage(self, client: Client) -> ClientUsage:
        usage = self.usage_by_client.get(client.name)
        if usage is None:
            self._evict_idle_clients()
            usage = self.usage_by_client[client.name] = ClientUsage(updated_at=time.monotonic())
        return usage

    def _evict_idle_clients(self) -> None:
        if len(self.usage_by_client) >= MAX_REMEMBERED_CLIENTS:
            now = time.monotonic()
            kept = sorted(
                self.usage_by_client.items(), key=lambda one: -one[1].decayed_seconds(now)
            )
            self.usage_by_client = dict(kept[: MAX_REMEMBERED_CLIENTS // 2])

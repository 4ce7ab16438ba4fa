"""Limits the requests that run at once, and chooses the next one: clients that used little CPU
recently go first, and among those the older accounts. So many busy clients, each within its own
limits, do not make the others wait."""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import dataclass, field

MAX_RUNNING = 3
"""Requests that run at once in a process. Its threads share one interpreter."""
MAX_VISITORS_RUNNING = 1
"""How many of these may belong to visitors who are not known to be signed in."""
MAX_WAIT_SECONDS = 10.0
HALF_LIFE_SECONDS = 20.0
"""The time after which a client's use counts half."""
INITIAL_CHARGE_SECONDS = 0.05
"""The assumed use of a request until it is known."""
FREE_USE_SECONDS = 0.5
"""Use that does not count: more than that of a busy reader, and less than that of an attacker.
Among clients below it, older accounts go first and visitors last, because the targets of an attack
had their accounts before the attackers."""
OLDEST_WAITER_EVERY = 4
"""Every so many contested turns, the client that has waited longest goes first."""
MAX_REMEMBERED_CLIENTS = 5_000


class ServerBusy(Exception):
    """Too many requests wait already, or this one waited for too long."""


@dataclass(frozen=True, slots=True)
class Client:
    """A person with all their sessions, or an address of visitors."""

    name: str
    is_visitor: bool
    user_id: int = sys.maxsize
    """The primary key of the user. Older accounts have smaller ones."""


@dataclass(slots=True)
class ClientUsage:
    """CPU seconds that the requests of a client took. Older ones count less."""

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
    """Whether clients are charged elapsed time, for a queue that mostly waits and needs little
    CPU."""
    contested_count: int = 0
    """Turns for which more than one client waited."""
    running_count: int = 0
    visitor_count: int = 0
    waiting: list[WaitingRequest] = field(default_factory=list)
    usage_by_client: dict[str, ClientUsage] = field(default_factory=dict)

    async def acquire_slot(self, client: Client) -> None:
        """Wait for a slot. The caller has to call `release_slot`. Raises ServerBusy."""
        mine = WaitingRequest(client, asyncio.get_running_loop().create_future())
        self.waiting.append(mine)
        self._grant_free_slots()
        try:
            async with asyncio.timeout(MAX_WAIT_SECONDS):
                await mine.slot
        except BaseException as error:
            if mine in self.waiting:
                self.waiting.remove(mine)
            elif not mine.slot.cancelled():  # the slot was assigned in the same moment
                self.release_slot(client)
            if isinstance(error, TimeoutError):
                raise ServerBusy from None
            raise

    def release_slot(self, client: Client, seconds: float = 0.0) -> None:
        """Release the slot, and charge the client for its use."""
        self._get_usage(client).add_seconds(seconds - INITIAL_CHARGE_SECONDS, time.monotonic())
        self.running_count -= 1
        self.visitor_count -= client.is_visitor
        self._grant_free_slots()

    def _grant_free_slots(self) -> None:
        now = time.monotonic()
        while self.running_count < self.max_running and (able := self._eligible_requests()):
            chosen = self._choose_next(able, now)
            self.waiting.remove(chosen)
            if chosen.slot.done():  # the waiter was cancelled
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

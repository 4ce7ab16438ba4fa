"""Limits the requests that run at once, and chooses the next one: clients that used little CPU
recently go first, and among those the ones that had a request here for the least time. So many busy
clients, each within its own limits, do not make the others wait."""

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
"""The time after which what a client did counts half."""
INITIAL_CHARGE_SECONDS = 0.05
"""The assumed use of a request until it is known."""
FREE_USE_SECONDS = 0.5
"""Use that does not count: more than that of a busy reader, and less than that of an attacker.
Among clients below it, visitors go last."""
INITIAL_PRESENCE = 0.1
"""The assumed presence of a new client: more than that of a reader, so that being new is no
advantage, and less than that of an attacker."""
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
    """The primary key of the user. Older accounts have smaller ones, and the targets of an attack
    mostly had theirs before the attackers."""


@dataclass(slots=True)
class ClientUsage:
    """The use of a client. Older requests count less."""

    seconds: float = 0.0
    """CPU time."""
    updated_at: float = 0.0
    presence: float = INITIAL_PRESENCE
    """The share of the time in which it had requests here. Among clients that use equally little,
    a person who reads between two requests differs in this from a program that waits for its next
    turn all the time."""
    open_count: int = 0
    """Requests that wait or run."""

    def update(self, now: float) -> None:
        decay = 0.5 ** ((now - self.updated_at) / HALF_LIFE_SECONDS)
        self.seconds *= decay
        self.presence = self.presence * decay + (1 - decay) * (self.open_count > 0)
        self.updated_at = now

    def add_seconds(self, seconds: float, now: float) -> None:
        self.update(now)
        self.seconds = max(0.0, self.seconds + seconds)

    def count_request(self, change: int, now: float) -> None:
        self.update(now)
        self.open_count = max(0, self.open_count + change)


@dataclass(eq=False, slots=True)
class WaitingRequest:
    client: Client
    slot: asyncio.Future[None]


@dataclass(slots=True)
class FairShare:
    """The running and the waiting requests of one process."""

    max_running: int = MAX_RUNNING
    max_visitors: int = MAX_VISITORS_RUNNING
    free_use_seconds: float = FREE_USE_SECONDS
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
        self._get_usage(client).count_request(+1, time.monotonic())
        self.waiting.append(mine)
        self._grant_free_slots()
        try:
            async with asyncio.timeout(MAX_WAIT_SECONDS):
                await mine.slot
        except BaseException as error:
            if mine not in self.waiting and not mine.slot.cancelled():
                self.release_slot(client)  # the slot was assigned in the same moment
            else:
                self._get_usage(client).count_request(-1, time.monotonic())
            if mine in self.waiting:
                self.waiting.remove(mine)
            if isinstance(error, TimeoutError):
                raise ServerBusy from None
            raise

    def release_slot(self, client: Client, seconds: float = 0.0) -> None:
        """Release the slot, and charge the client for its use."""
        usage, now = self._get_usage(client), time.monotonic()
        usage.add_seconds(seconds - INITIAL_CHARGE_SECONDS, now)
        usage.count_request(-1, now)
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
        """Return the request of a client with little use and presence, and every few turns the
        oldest request. Among equals the older account goes first."""
        self.contested_count += len(eligible) > 1
        if self.contested_count % OLDEST_WAITER_EVERY == 0:
            return eligible[0]

        def sort_key(one: WaitingRequest) -> tuple[float, bool, float, int]:
            usage, user_id = self._get_usage(one.client), one.client.user_id
            usage.update(now)
            excess = max(usage.seconds - self.free_use_seconds, 0.0)
            return excess, user_id == sys.maxsize, round(usage.presence, 2), user_id

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
            for usage in self.usage_by_client.values():
                usage.update(now)
            kept = sorted(self.usage_by_client.items(), key=lambda one: -one[1].seconds)
            self.usage_by_client = dict(kept[: MAX_REMEMBERED_CLIENTS // 2])

"""Whoever sends many requests at once waits for their own, and nobody else does."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from config import turns
from config.known_sessions import KnownSessions
from config.turns import MAX_OF_A_PERSON, MAX_OF_AN_ADDRESS, MAX_WAITING, WHOSE, InTurns
from streaming.addresses import session_of

Message = dict[str, Any]


class Site:
    """A page that takes until it is let go; `signed_in` says whom each session signs in."""

    def __init__(self) -> None:
        self.app = InTurns(self._page, KnownSessions())
        self.running = 0
        self.statuses: list[int] = []
        self.signed_in: dict[str, int] = {}
        self.go = asyncio.Event()
        self.reads = asyncio.Event()
        self.reads.set()

    async def _page(self, scope: Message, receive: Any, send: Any) -> None:
        self.running += 1
        try:
            await self.go.wait()
        finally:
            self.running -= 1
        session = session_of(scope["headers"])
        scope[WHOSE] = self.signed_in.get(session or "")
        await send({"type": "http.response.start", "status": 200})

    def ask(self, session: str = "", address: str = "10.0.0.1", path: str = "/") -> Any:
        headers = [(b"cookie", f"sessionid={session}".encode())] if session else []
        scope = {"type": "http", "path": path, "headers": headers, "client": (address, 1)}
        return asyncio.create_task(self.app(scope, self._receive, self._send))

    async def _receive(self) -> Message:
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if "status" in message:
            self.statuses.append(message["status"])
        await self.reads.wait()


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.fixture
async def site() -> Site:
    return Site()


async def test_made_up_sessions_count_for_their_address(site: Site) -> None:
    asked = [site.ask(f"{n:032}") for n in range(50)]
    await settle()
    assert site.running == MAX_OF_AN_ADDRESS
    other, static = site.ask(address="10.0.0.2"), site.ask(path="/static/app.css")
    await settle()
    assert site.running == MAX_OF_AN_ADDRESS + 2
    site.go.set()
    await asyncio.gather(*asked, other, static)
    assert site.statuses == [200] * 52
    assert (site.app._turns.running, site.app._turns.waiting) == ({}, {})


async def test_a_person_is_one_client_with_all_sessions_and_apart_from_the_address(
    site: Site,
) -> None:
    site.signed_in = {"a" * 32: 1, "b" * 32: 1, "c" * 32: 2}
    site.go.set()
    await asyncio.gather(*(site.ask(session) for session in site.signed_in))
    site.go.clear()
    asked = [site.ask(session) for session in ["a" * 32, "b" * 32] * 20]
    asked += [site.ask() for _ in range(50)]
    await settle()
    assert site.running == MAX_OF_A_PERSON + MAX_OF_AN_ADDRESS
    asked.append(site.ask("c" * 32))
    await settle()
    assert site.running == MAX_OF_A_PERSON + MAX_OF_AN_ADDRESS + 1
    site.go.set()
    await asyncio.gather(*asked)


async def test_too_many_who_wait_are_told_to_come_again(site: Site) -> None:
    asked = [site.ask() for _ in range(MAX_OF_AN_ADDRESS + MAX_WAITING + 3)]
    await settle()
    assert site.statuses == [503] * 3
    site.go.set()
    await asyncio.gather(*asked)


async def test_nobody_waits_for_ever(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "WAIT_SECONDS", 0.01)
    asked = [site.ask() for _ in range(MAX_OF_AN_ADDRESS + 5)]
    await asyncio.gather(*asked[MAX_OF_AN_ADDRESS:])
    assert site.statuses == [503] * 5
    site.go.set()
    await asyncio.gather(*asked)
    assert (site.app._turns.running, site.app._turns.waiting) == ({}, {})


async def test_whoever_goes_away_gives_the_turn_back(site: Site) -> None:
    asked = [site.ask() for _ in range(MAX_OF_AN_ADDRESS + 20)]
    await settle()
    for each in (*asked[:5], *asked[-5:]):
        each.cancel()
        if each is asked[0]:
            await asyncio.sleep(0)
            asked[MAX_OF_AN_ADDRESS].cancel()  # just as it is given a turn
    await settle()
    assert site.running == MAX_OF_AN_ADDRESS
    site.go.set()
    ends = await asyncio.gather(*asked, return_exceptions=True)
    assert sum(isinstance(end, asyncio.CancelledError) for end in ends) == 11
    assert {end for end in ends if not isinstance(end, asyncio.CancelledError)} == {None}
    assert (site.app._turns.running, site.app._turns.waiting) == ({}, {})


async def test_whoever_does_not_read_the_answer_keeps_no_turn(site: Site) -> None:
    site.reads.clear()
    site.go.set()
    stuck = [site.ask() for _ in range(MAX_OF_AN_ADDRESS + MAX_WAITING)]
    await settle()
    assert len(site.statuses) == len(stuck)
    assert (site.app._turns.running, site.app._turns.waiting) == ({}, {})
    for each in stuck[:5]:
        each.cancel()
    site.reads.set()
    await asyncio.gather(*stuck, return_exceptions=True)
    assert site.app._turns.running == {}


async def test_a_reply_can_be_stopped_while_all_turns_are_taken(site: Site) -> None:
    stop = f"/s/{uuid4()}/stop/"
    asked = [site.ask() for _ in range(MAX_OF_AN_ADDRESS + MAX_WAITING)]
    await settle()
    asked += [site.ask(path=path) for path in (stop, "/accounts/logout/", f"{stop}x")]
    await settle()
    assert (site.running, site.statuses) == (MAX_OF_AN_ADDRESS + 2, [503])
    asked += [site.ask(path=stop) for _ in range(50)]
    await settle()
    assert site.running == 2 * MAX_OF_AN_ADDRESS
    site.go.set()
    await asyncio.gather(*asked)

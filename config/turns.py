"""Lets few requests of one client run at once, so that whoever loops an expensive page waits for
their own and not for others: a person counts as one client, and so does an address of visitors.
Those that may run share the process by `config/fair_share.py`."""

from __future__ import annotations

import asyncio
import re
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, fields
from typing import Any, cast

from django.conf import settings
from django.core.handlers.asgi import ASGIRequest
from django.db.utils import Error
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from accounts import devices
from accounts.devices import oldest_account
from config.bodies import App, Receive, Send
from config.fair_share import Busy, Client, FairShare
from config.known_sessions import KnownSessions, known_sessions
from streaming.addresses import address_of, cookie_of, session_of

MAX_OF_A_PERSON = 2
MAX_OF_AN_ADDRESS = 10
"""Requests of a kind that run at once; of an address only those whose session is not known to sign
in. One person never has all turns for pages."""
MAX_WAITING = 100
"""Requests of one client that may wait for their turn."""
WAIT_SECONDS = 10.0

ENDING = re.compile(r"/s/[0-9a-f-]{36}/stop/|/accounts/logout/")
"""What is posted there stops a reply or signs out. It waits for no page."""
SIGNING_IN = re.compile(r"/accounts/(login|reauthenticate)/")
"""What is posted there waits until the password is hashed."""
AWAITING = re.compile(r"/settings/keys/[^/]+/(check/)?|/accounts/.*")
"""What is posted there may wait for a provider or for a mail server, and hardly computes."""

ASKING = re.compile(r"/c/([0-9a-f-]{36}/messages/)?|/m/[0-9a-f-]{36}/(versions|continuations)/")
"""What is posted there makes a worker, the database and all readers work as well."""
REPLY_SECONDS = 0.25
"""Of a processor, for which it is charged besides."""

BUSY = b"You have too many requests under way. Please try again in a moment.\n"
WHOSE = "holdfast.user_id"
COMPUTED = "holdfast.seconds_computed"

Answer = Callable[[HttpRequest], HttpResponseBase]


class Turns:
    """Who runs and who waits, for each client."""

    def __init__(self) -> None:
        self.running: dict[str, int] = {}
        self.waiting: dict[str, deque[asyncio.Future[None]]] = {}

    async def take(self, client: str, most: int) -> None:
        """Wait for a turn; whoever gets one has to call `leave`. Raises Busy."""
        if self.running.get(client, 0) < most:
            self.running[client] = self.running.get(client, 0) + 1
            return
        queue = self.waiting.setdefault(client, deque())
        if len(queue) >= MAX_WAITING:
            raise Busy
        turn = asyncio.get_running_loop().create_future()
        queue.append(turn)
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self.leave(client)  # it was given in the same moment
            elif turn in queue:
                queue.remove(turn)
                self._tidy(client)
            if isinstance(error, TimeoutError):
                raise Busy from None
            raise

    def leave(self, client: str) -> None:
        """Hand the turn to who waits longest, if anybody does."""
        queue = self.waiting.get(client, deque())
        while queue:
            turn = queue.popleft()
            if not turn.done():
                turn.set_result(None)
                self._tidy(client)
                return
        self._tidy(client)
        self.running[client] -= 1
        if not self.running[client]:
            del self.running[client]

    def _tidy(self, client: str) -> None:
        if client in self.waiting and not self.waiting[client]:
            del self.waiting[client]


@dataclass(frozen=True, slots=True)
class Shares:
    """What is shared out of a process: a flood of one kind leaves the others their own."""

    pages: FairShare = field(default_factory=FairShare)
    static: FairShare = field(default_factory=lambda: FairShare(most=4, most_visitors=4))
    signing_in: FairShare = field(
        default_factory=lambda: FairShare(most=1, most_visitors=1, by_clock=True)
    )
    awaiting: FairShare = field(
        default_factory=lambda: FairShare(most=4, most_visitors=1, by_clock=True)
    )
    ending: FairShare = field(default_factory=lambda: FairShare(most=4, most_visitors=2))

    def of(self, method: str, path: str) -> FairShare:
        if path.startswith(settings.STATIC_URL):
            return self.static
        if method == "POST":
            for pattern, share in (
                (SIGNING_IN, self.signing_in),
                (ENDING, self.ending),
                (AWAITING, self.awaiting),
            ):
                if pattern.fullmatch(path):
                    return share
        return self.pages

    def name(self, share: FairShare, client: str) -> str:
        """By which a client's turns are counted: those of each kind apart, so that a provider that
        hangs bars nobody's pages."""
        kind = next(kind.name for kind in fields(self) if getattr(self, kind.name) is share)
        return f"{kind} {client}"


class InTurns:
    """An application whose requests wait for their turn among those of their client, and then
    among those of all."""

    def __init__(
        self,
        app: App,
        sessions: KnownSessions = known_sessions,
        shares: Shares | None = None,
    ) -> None:
        self._app = app
        self._sessions = sessions
        self._turns = Turns()
        self._shares = shares or Shares()

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        with ExitStack() as turn:
            try:
                await self._take(turn, scope)
            except Busy:
                turn.close()
                await _say_busy(send)
                return

            start: list[dict[str, Any]] = []

            async def send_after_turn(message: dict[str, Any]) -> None:
                # With the first piece of its body the work is done. A client that does not read
                # its answer keeps no turn, so nothing is sent before.
                if message["type"] == "http.response.start":
                    start.append(message)
                    return
                turn.close()
                while start:
                    await send(start.pop())
                await send(message)

            await self._app(scope, receive, send_after_turn)

    async def _take(self, turn: ExitStack, scope: dict[str, Any]) -> None:
        """Wait for the turn, which ends when the stack is closed. Raises Busy."""
        session = session_of(scope["headers"])
        share = self._shares.of(scope["method"], scope["path"])
        client = await self._client(scope, session, share)
        name = self._shares.name(share, client.name)
        most = MAX_OF_AN_ADDRESS if client.is_visitor else MAX_OF_A_PERSON
        await self._turns.take(name, most)
        turn.callback(self._turns.leave, name)
        turn.callback(self._learn, scope, session)
        await share.take(client)
        began = time.monotonic()

        def leave() -> None:
            by_clock = time.monotonic() - began
            share.leave(client, by_clock if share.by_clock else work_of(scope))

        turn.callback(leave)

    def _learn(self, scope: Mapping[str, Any], session: str | None) -> None:
        if session and WHOSE in scope:
            self._sessions.learn(session, scope[WHOSE])

    async def _client(
        self, scope: Mapping[str, Any], session: str | None, share: FairShare
    ) -> Client:
        """Who asks. A session that was made up counts for its address. A real one that this
        process does not know yet does, too, unless that would make its owner wait for visitors."""
        visitor = Client(f"address {address_of(scope)}", is_visitor=True)
        if share is self._shares.signing_in:
            visitor = known_browser(scope) or visitor
        name = self._shares.name(share, visitor.name)
        is_crowded = (
            self._turns.running.get(name, 0) >= MAX_OF_AN_ADDRESS
            or share.visitors >= share.most_visitors
            or share.computing >= share.most
        )
        owner = self._sessions.owner(session)
        if owner is None and is_crowded:
            with suppress(Error):  # the database is away
                owner = await self._sessions.find_owner(session)
        return visitor if owner is None else Client(f"user {owner}", False, account=owner)


def work_of(scope: Mapping[str, Any]) -> float:
    """Seconds of a processor that a request took, here and elsewhere."""
    asks = scope["method"] == "POST" and ASKING.fullmatch(scope["path"])
    return float(scope.get(COMPUTED, 0.0)) + (REPLY_SECONDS if asks else 0.0)


def known_browser(scope: Mapping[str, Any]) -> Client | None:
    """A browser that has signed in here before comes before those that have not. Otherwise a crowd
    of guessers would make its owner wait for each of their hashes."""
    account = oldest_account(cookie_of(scope["headers"], devices.COOKIE))
    if account is None:
        return None
    return Client(f"browser of {account}", is_visitor=True, account=account)


async def _say_busy(send: Send) -> None:
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(BUSY)).encode()),
        (b"retry-after", b"5"),
    ]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": BUSY})


def note_use(get_response: Answer) -> Answer:
    """Tell `InTurns` how long a request was computed, and for whom where its view has asked. This
    is the first middleware, and all of them run in the request's own thread."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        began = time.thread_time()
        try:
            return get_response(request)
        finally:
            if isinstance(request, ASGIRequest):
                scope = cast(dict[str, Any], request.scope)
                scope[COMPUTED] = time.thread_time() - began
                scope |= _whose(request)

    return middleware


def _whose(request: HttpRequest) -> dict[str, Any]:
    user = getattr(request, "_cached_user", None)
    if user is None:
        return {}
    is_over = request.session.session_key != request.COOKIES.get(settings.SESSION_COOKIE_NAME)
    return {WHOSE: None if is_over else user.pk}

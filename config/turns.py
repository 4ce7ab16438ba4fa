"""Lets few requests of one client run at once, so that whoever loops an expensive page waits for
their own and not for others: a person counts as one client, and so does an address of visitors.
Those that may run share the process by `config/fair_share.py`."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.conf import settings
from django.http import HttpRequest
from django.utils.decorators import sync_and_async_middleware

from config.bodies import App, Receive, Send
from config.fair_share import Busy, Client, FairShare
from config.known_sessions import KnownSessions, known_sessions
from streaming.addresses import address_of, session_of

MAX_OF_A_PERSON = 6
MAX_OF_AN_ADDRESS = 10
"""Requests that run at once; of an address only those whose session is not known to sign in."""
MAX_WAITING = 100
"""Requests of one client that may wait for their turn."""
WAIT_SECONDS = 10.0

ENDING = re.compile(r"/s/[0-9a-f-]{36}/stop/|/accounts/logout/")
"""To stop a reply and to sign out: they wait for no page, and have as many turns of their own."""
CHECKING = re.compile(r"/settings/keys/[^/]+/(check/)?")
"""These wait for a provider, and compute nothing meanwhile."""

BUSY = b"You have too many requests under way. Please try again in a moment.\n"
WHOSE = "holdfast.user_id"


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


class InTurns:
    """An application whose requests wait for their turn among those of their client, and then
    among those of all; static files and /healthz do not."""

    def __init__(
        self,
        app: App,
        sessions: KnownSessions = known_sessions,
        share: FairShare | None = None,
    ) -> None:
        self._app = app
        self._sessions = sessions
        self._turns = Turns()
        self._share = share or FairShare()

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        path = scope["path"]
        if path == "/healthz" or path.startswith(settings.STATIC_URL):
            await self._app(scope, receive, send)
            return
        with ExitStack() as turn:
            try:
                await self._take(turn, scope)
            except Busy:
                turn.close()
                await _say_busy(send)
                return

            async def send_after_turn(message: dict[str, Any]) -> None:
                # The work is done: a client that does not read its answer keeps no turn.
                turn.close()
                await send(message)

            await self._app(scope, receive, send_after_turn)

    async def _take(self, turn: ExitStack, scope: dict[str, Any]) -> None:
        """Wait for the turn, which ends when the stack is closed. Raises Busy."""
        session = session_of(scope["headers"])
        client, most = self._client(scope, session)
        is_ending = ENDING.fullmatch(scope["path"]) is not None
        name = f"ending {client.name}" if is_ending else client.name
        await self._turns.take(name, most)
        turn.callback(self._turns.leave, name)
        turn.callback(self._learn, scope, session)
        if not is_ending and not CHECKING.fullmatch(scope["path"]):
            began = await self._share.take(client)
            turn.callback(self._share.leave, client, began)

    def _learn(self, scope: Mapping[str, Any], session: str | None) -> None:
        if session and WHOSE in scope:
            self._sessions.learn(session, scope[WHOSE])

    def _client(self, scope: Mapping[str, Any], session: str | None) -> tuple[Client, int]:
        """Who asks, and how many at once. A session that was made up is not known, so it counts
        for its address."""
        owner = self._sessions.owner(session)
        if owner is not None:
            return Client(f"user {owner}", is_visitor=False), MAX_OF_A_PERSON
        return Client(f"address {address_of(scope)}", is_visitor=True), MAX_OF_AN_ADDRESS


async def _say_busy(send: Send) -> None:
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(BUSY)).encode()),
        (b"retry-after", b"5"),
    ]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": BUSY})


@sync_and_async_middleware
def note_whose(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Tell `InTurns` whom a request was answered to, where its view has asked."""
    if iscoroutinefunction(get_response):

        async def middleware_async(request: HttpRequest) -> Any:
            answering: Awaitable[Any] = get_response(request)
            with _noted(request):
                return await answering

        return middleware_async

    def middleware(request: HttpRequest) -> Any:
        with _noted(request):
            return get_response(request)

    return middleware


@contextmanager
def _noted(request: HttpRequest) -> Iterator[None]:
    yield
    user = getattr(request, "_cached_user", None) or getattr(request, "_acached_user", None)
    if user is not None and hasattr(request, "scope"):
        request.scope[WHOSE] = user.pk

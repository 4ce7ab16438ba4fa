"""The WebSocket door: one socket per tab, following many streams.

Authorise, join, hand over. Commands are short; what a stream yields is sent by a task per
followed stream, past Channels' dispatch, so that no token waits behind a command.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter, deque
from contextlib import ExitStack, aclosing
from typing import Any
from uuid import UUID

from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.db.utils import Error as DatabaseFailure

from streaming import lifecycle, protocol
from streaming.addresses import address_of, session_of
from streaming.database import UNANSWERED, in_db
from streaming.follow import Gone, find, follow
from streaming.hub import Body, hub, user_group
from streaming.outage import outage
from streaming.protocol import Follow, Hello, Ping, Pong, Refused, Stop, Unfollow
from streaming.providers.demo import STORM
from streaming.sessions import signed_in

logger = logging.getLogger(__name__)

PING_SECONDS = 10.0
SILENCE_SECONDS = 30.0
"""How long a ping may go unanswered by a client that says nothing else either."""
CREDIT = 512 * 1024
"""How many bytes may be on their way to a client that has not answered for them."""
PING_BYTES = 64 * 1024
"""After so many bytes the client is asked whether it keeps up."""
DOUBT_SECONDS = 1.0
"""How often a database that was away is asked whether a session is still good."""
COMPLAINT_SECONDS = 10.0
"""How often the log tells that sessions can't be asked about, however many sockets come."""
STORM_SECONDS = 2.0
"""How long a socket lives that follows a reply of the demo in a storm."""
FOLLOWED = 100
"""Streams that one socket may follow at once."""
UNWELCOME = 20
"""Sockets of one address that are accepted although they turn out to be nobody's, at once."""
UNWELCOME_ADDRESSES = 1_000
UNWELCOME_PER_SECOND = 10
"""Sockets of nobody, or of somebody who has too many, that this process tells to go. Each costs the
event loop milliseconds, and many come back at once."""
CROWD_SECONDS = 1.0
"""How far they may be ahead of that pace before they have to wait."""
MAX_UNTOLD_SECONDS = 10.0
"""Longest wait for that; Daphne ends a handshake after five seconds."""
MAX_UNTOLD = 200
"""Sockets that wait for it at once. Further ones are told to go at once."""
LEAVING_SECONDS = 10.0
"""How long a server waits for a client that was told to go; Uvicorn does as long as this."""


class Credit:
    """What was sent to a client and not yet answered for, in bytes. Daphne buffers without a limit
    what a client does not read, so the limit has to be ours."""

    def __init__(self) -> None:
        self.sent = 0
        self.full_at = CREDIT
        self.ask_at = PING_BYTES
        self._pings: dict[int, int] = {}
        self._room = asyncio.Event()
        self._last = 0

    def ping(self) -> int:
        """A new ping's number; its answer covers all that was sent before it."""
        self._last += 1
        self._pings[self._last] = self.sent
        self.ask_at = self.sent + PING_BYTES
        return self._last

    def pong(self, n: int) -> None:
        """An answer; one to a ping that was never sent counts for nothing."""
        if n in self._pings:
            self.full_at = self._pings[n] + CREDIT
            self._pings = {k: sent for k, sent in self._pings.items() if k > n}
            self._room.set()

    @property
    def full(self) -> bool:
        return self.sent >= self.full_at

    async def room(self) -> None:
        """Wait until something may be sent. All who wait are woken at once, and the first of them
        may take what there is."""
        while self.full:
            self._room.clear()
            await self._room.wait()

    @property
    def owed(self) -> bool:
        """Whether a ping is unanswered."""
        return bool(self._pings)


class FollowConsumer(AsyncWebsocketConsumer):
    """A person's socket. It reads streams and can stop them; it owns nothing."""

    # A socket has no channel of its own: it would have to be subscribed while the layer may
    # be down, and each message to it would pass through a thread. The hub has the only one.
    channel_layer_alias = "none"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._credit = Credit()
        self._tasks: dict[UUID, asyncio.Task[None]] = {}
        self._pulse: asyncio.Task[None] | None = None
        self._storm: asyncio.Task[None] | None = None
        self._doubt: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._bells = ExitStack()
        self.user: Any = None
        self._owner: Any = None
        self.revision = 0

    async def __call__(self, *args: Any) -> None:
        try:
            await super().__call__(*args)
        finally:
            self._let_go()  # however the socket ended: a disconnect, an error, a shutdown

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Channels' own would wait for the one thread that all sockets share, to close
        database connections that nothing here opens."""
        await getattr(self, message["type"].replace(".", "_"))(message)

    async def websocket_disconnect(self, message: Any) -> None:
        """The same wait again, and a group to leave that there is none of."""
        raise StopConsumer

    async def connect(self) -> None:
        self._session = session_of(self.scope["headers"])
        address = address_of(self.scope)
        if unwelcome.is_crowd() or not unwelcome.reserve(address):
            answer = await self._asked()
            if (reason := self._refusal(answer)) is not None:
                await unwelcome.wait_for_pace(reason)
                await self.close()  # before it is accepted: what it sends is taken by nobody
                return
            self._take_place(answer)
            await self.accept()
            await self._greet(answer)
            return
        refusal: int | None = protocol.BROKEN
        try:
            # The database answers while the handshake is on its way.
            answer, _ = await asyncio.gather(self._asked(), self.accept())
            refusal = self._refusal(answer)
        finally:
            unwelcome.settle(address, leaves=refusal is not None)
        if refusal is not None:
            unwelcome.take_pace(refusal)
            await self.close(refusal)
            return
        self._take_place(answer)
        await self._greet(answer)

    def _refusal(self, answer: Any) -> int | None:
        """The code to close with; None for somebody who is welcome."""
        if isinstance(answer, DatabaseFailure):
            _complain(answer)
            return protocol.BROKEN
        if answer is None:
            return protocol.SIGNED_OUT
        return protocol.TOO_MANY if _has_too_many(answer) else None

    def _take_place(self, user: Any) -> None:
        """At once: of many that come in the same moment, the next one has to see it."""
        self._owner = user.pk
        _open_of[user.pk] += 1

    async def _greet(self, user: Any) -> None:
        self.user = user
        self.revision = user.revision
        self._heard = asyncio.get_running_loop().time()
        self._bells.enter_context(hub().listen(user_group(user.pk), self._on_user_bell))
        sockets.add(self)
        await self._send(protocol.hello(self.revision))
        self._pulse = asyncio.create_task(self._keep_pulse(), name="socket pulse")

    def _let_go(self) -> None:
        sockets.discard(self)
        if self._owner is not None:
            _open_of[self._owner] -= 1
            if not _open_of[self._owner]:
                del _open_of[self._owner]
            self._owner = None
        self._bells.close()
        for task in (*self._tasks.values(), self._pulse, self._storm, self._doubt):
            if task is not None:
                task.cancel()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if self.user is None:
            return
        self._heard = asyncio.get_running_loop().time()
        try:
            await self._obey(protocol.parse(text_data))
        except Refused as refused:
            await self._send(protocol.error(refused))
        except DatabaseFailure as error:
            if not outage.explains(error):
                raise
            self._close_soon(protocol.BROKEN)  # the client comes back and asks again

    async def _obey(self, command: protocol.Command) -> None:
        match command:
            case Hello():
                if await self._still_signed_in():
                    await self._send(protocol.hello(self.revision))
            case Follow():
                await self._follow(command)
            case Unfollow():
                self._unfollow(command.stream)
            case Stop():
                await self._stop(command.stream)
            case Ping():
                await self._send(protocol.pong(command.n))
            case Pong():
                self._credit.pong(command.n)

    async def _follow(self, command: Follow) -> None:
        self._unfollow(command.stream)
        if len(self._tasks) >= FOLLOWED:
            raise Refused("too_many", f"A socket may follow up to {FOLLOWED} streams at once.")
        self._tasks[command.stream] = task = asyncio.create_task(
            self._deliver(command), name=f"follow {command.stream}"
        )
        task.add_done_callback(lambda done: self._delivered(command.stream, done))

    def _unfollow(self, stream: UUID) -> None:
        if task := self._tasks.pop(stream, None):
            task.cancel()

    async def _stop(self, uuid: UUID) -> None:
        try:
            stream = await find(self.user, uuid)
        except Gone:
            raise _not_found(uuid) from None
        await in_db(lifecycle.stop, stream.id)

    async def _deliver(self, command: Follow) -> None:
        """Send one stream's events for as long as it lasts, at the client's pace."""
        try:
            stream = await find(self.user, command.stream)
            if stream.arguments.get("model") == STORM and stream.ended_at is None:
                self._brew()
            name = str(command.stream)
            async with aclosing(follow(stream, command.after)) as events:
                async for event in events:
                    if self._credit.full:
                        await self._credit.room()
                    await self._send(protocol.event(name, event))
        except Gone:
            await self._send(protocol.error(_not_found(command.stream)))

    def _brew(self) -> None:
        """Drop this socket in a moment: its client is to show that nobody can tell."""

        async def drop() -> None:
            await asyncio.sleep(STORM_SECONDS)
            self._close_soon(protocol.STORM)

        if self._storm is None:
            self._storm = asyncio.create_task(drop(), name="socket storm")

    def _delivered(self, uuid: UUID, task: asyncio.Task[None]) -> None:
        if self._tasks.get(uuid) is task:
            del self._tasks[uuid]
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, OSError):  # the client went away
            # The client comes back with its cursor; a socket that goes on without one of its
            # streams would look like a stream that is silent.
            if not outage.explains(error):
                logger.error("Following %s failed", uuid, exc_info=error)
            self._close_soon(protocol.BROKEN)

    # Pulse and credit

    async def _send(self, frame: str) -> None:
        credit = self._credit
        credit.sent += len(frame) if frame.isascii() else len(frame.encode())
        if credit.sent > credit.full_at + CREDIT:
            # What is followed waits for room; this one asks and asks, and reads no answer.
            self._close_soon(protocol.TOO_SLOW)
            return
        await self._put(frame)
        if credit.sent >= credit.ask_at:
            await self._ping()

    async def _ping(self) -> None:
        await self._put(protocol.ping(self._credit.ping(), self.revision))

    async def _put(self, frame: str) -> None:
        """Straight to the server, past Channels' own layers: every frame comes this way."""
        event: Any = {"type": "websocket.send", "text": frame}
        await self.base_send(event)

    async def _keep_pulse(self) -> None:
        """Ping every few seconds; let go of a client that does not answer, or does not read."""
        loop = asyncio.get_running_loop()
        blocked_since: float | None = None
        while True:
            await asyncio.sleep(until_pulse(loop.time()))
            full = self._credit.full
            blocked_since = (blocked_since or loop.time()) if full else None
            silent = self._credit.owed and loop.time() - self._heard > SILENCE_SECONDS
            stuck = blocked_since is not None and loop.time() - blocked_since > SILENCE_SECONDS
            if silent or stuck:
                self._close_soon(protocol.TOO_SLOW)
                return
            if not await self._still_signed_in():
                return
            if not full:
                await self._ping()

    def _close_soon(self, code: int) -> None:
        """Only once: a flood that is not read any more would start a task for every frame."""
        if self._closing is None:
            self._closing = asyncio.create_task(self.close(code), name="socket close")

    # Sync of everything else

    def _on_user_bell(self, body: Body) -> None:
        if body.get("sessions"):
            self._checking = asyncio.create_task(self._still_signed_in())
        if (revision := body.get("revision", 0)) > self.revision:
            self.revision = revision
            self._telling = asyncio.create_task(self._send(protocol.changed(revision)))

    async def _still_signed_in(self) -> bool:
        """Whether the session that opened this socket is still good; if not, it is closed. The
        revision comes along, as the same rows tell it. While the database is away the socket stays,
        and it is asked every second."""
        return self._judge(await self._asked())

    def _judge(self, answer: Any) -> bool:
        if isinstance(answer, UNANSWERED):
            outage.explains(answer)
            if self._doubt is None:
                self._doubt = asyncio.create_task(self._ask_again(), name="socket in doubt")
            return True
        if isinstance(answer, DatabaseFailure):
            # Nobody can say whether this session is good: the client may come back and ask.
            _complain(answer)
            self._close_soon(protocol.BROKEN)
            return False
        if answer is None:
            self._close_soon(protocol.SIGNED_OUT)
            return False
        self.revision = answer.revision
        return True

    async def _ask_again(self) -> None:
        """A session that ended while the database was away must not live until the next pulse."""
        answer = await self._asked()
        while isinstance(answer, UNANSWERED):
            await asyncio.sleep(DOUBT_SECONDS)
            answer = await self._asked()
        self._doubt = None
        self._judge(answer)

    async def _asked(self) -> Any:
        """Whom the session signs in, or the error that the database answered with."""
        try:
            return await signed_in(self._session)
        except DatabaseFailure as error:
            return error

    def say_bye(self, retry_ms: int) -> None:
        """Tell the client that this process goes, and when to come back."""

        async def leave() -> None:
            await self.send(text_data=protocol.bye(retry_ms))
            await self.close(protocol.RESTARTING)

        self._leaving = asyncio.create_task(leave(), name="socket bye")


sockets: set[FollowConsumer] = set()
"""The open sockets of this process."""


_complained_at = -COMPLAINT_SECONDS


def _complain(error: DatabaseFailure) -> None:
    """A line in the log, without a traceback and not for every socket. An outage has its own."""
    global _complained_at
    if outage.explains(error):
        return
    now = time.monotonic()
    if now - _complained_at >= COMPLAINT_SECONDS:
        _complained_at = now
        logger.warning("Sessions of sockets can't be asked about (%s)", type(error).__name__)


def _has_too_many(user: Any) -> bool:
    """In this process, and once its new socket is one more."""
    return _open_of[user.pk] >= settings.SOCKETS_PER_USER


_open_of: Counter[int] = Counter()
"""How many open sockets each person has here."""


class Unwelcome:
    """Sockets that are accepted before it is known whose they are, and those that were told to go.
    Until its line is down such a client may keep what it sends here, so an address that has as many
    as it may is asked who it is first."""

    def __init__(self) -> None:
        self._held: Counter[str] = Counter()
        self._leaving: deque[tuple[float, str]] = deque()
        self._last_told = 0.0
        self._untold = 0

    def is_crowd(self) -> bool:
        """Whether so many come that they are asked who they are before they are accepted."""
        return self._last_told > asyncio.get_running_loop().time() + CROWD_SECONDS

    async def wait_for_pace(self, refusal: int) -> None:
        """Wait until one more may be told to go, unless too many wait already."""
        if self._untold >= MAX_UNTOLD:
            return
        self._untold += 1
        try:
            await asyncio.sleep(self.take_pace(refusal))
        finally:
            self._untold -= 1

    def take_pace(self, refusal: int) -> float:
        """Seconds until one more may be told to go. Without a database nobody is known, and all
        may be told at once to come again."""
        if refusal == protocol.BROKEN:
            return 0.0
        now = asyncio.get_running_loop().time()
        soonest = max(now, self._last_told + 1 / UNWELCOME_PER_SECOND)
        self._last_told = min(soonest, now + MAX_UNTOLD_SECONDS)
        return self._last_told - now

    def reserve(self, address: str) -> bool:
        """Take a place before the socket is accepted; whoever has one has to call `settle`."""
        now = asyncio.get_running_loop().time()
        while self._leaving and self._leaving[0][0] <= now:
            self._let_go(self._leaving.popleft()[1])
        held = self._held.get(address, 0)
        if held >= UNWELCOME or (not held and len(self._held) >= UNWELCOME_ADDRESSES):
            return False
        self._held[address] += 1
        return True

    def settle(self, address: str, *, leaves: bool) -> None:
        """Give the place back, of one that leaves in as long as its line may stay up."""
        if leaves:
            due = asyncio.get_running_loop().time() + LEAVING_SECONDS
            self._leaving.append((due, address))
        else:
            self._let_go(address)

    def _let_go(self, address: str) -> None:
        self._held[address] -= 1
        if not self._held[address]:
            del self._held[address]


unwelcome = Unwelcome()


def until_pulse(now: float) -> float:
    """Seconds. Those who came within the same second have it at the same moment, so that one query
    asks for all their sessions."""
    return PING_SECONDS - now % 1


def _not_found(stream: UUID) -> Refused:
    return Refused("not_found", "There is no such stream, or it is not yours.", stream)

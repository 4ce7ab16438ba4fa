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
from streaming.client_identity import get_rate_limit_address, get_session_key
from streaming.database import CONNECTION_ERRORS, run_in_db
from streaming.follow import StreamNotFound, find_stream, follow_stream
from streaming.hub import Notification, get_hub, user_group
from streaming.outage import outage_monitor
from streaming.protocol import Follow, FrameRejected, Hello, Ping, Pong, Stop, Unfollow
from streaming.providers.demo.adapter import STORM_MODEL
from streaming.sessions import load_session_user

logger = logging.getLogger(__name__)

PING_INTERVAL_SECONDS = 10.0
PONG_TIMEOUT_SECONDS = 30.0
"""How long a ping may go unanswered by a client that says nothing else either."""
MAX_UNACKED_BYTES = 512 * 1024
"""How many bytes may be on their way to a client that has not answered for them."""
PING_EVERY_BYTES = 64 * 1024
"""After so many bytes the client is asked whether it keeps up."""
SESSION_RECHECK_SECONDS = 1.0
"""How often a database that was away is asked whether a session is still good."""
LOG_INTERVAL_SECONDS = 10.0
"""How often the log tells that sessions can't be asked about, however many sockets come."""
SIMULATED_DROP_SECONDS = 2.0
"""How long a socket lives that follows a reply of the demo in a storm."""
MAX_FOLLOWS = 100
"""Streams that one socket may follow at once."""
MAX_UNVERIFIED_PER_ADDRESS = 20
"""Sockets of one address that are accepted although they turn out to be nobody's, at once."""
MAX_UNVERIFIED_ADDRESSES = 1_000
MAX_REFUSALS_PER_SECOND = 10
"""Sockets of nobody, or of somebody who has too many, that this process tells to go. Each costs the
event loop milliseconds, and many come back at once."""
OVERLOAD_BACKLOG_SECONDS = 1.0
"""How far they may be ahead of that pace before they have to wait."""
MAX_REFUSAL_DELAY_SECONDS = 10.0
"""Longest wait for that; Daphne ends a handshake after five seconds."""
MAX_WAITING_REFUSALS = 200
"""Sockets that wait for it at once. Further ones are told to go at once."""
CLOSE_HANDSHAKE_SECONDS = 10.0
"""How long a server waits for a client that was told to go; Uvicorn does as long as this."""


class SendWindow:
    """What was sent to a client and not yet answered for, in bytes. Daphne buffers without a limit
    what a client does not read, so the limit has to be ours."""

    def __init__(self) -> None:
        self.sent_bytes = 0
        self.limit_bytes = MAX_UNACKED_BYTES
        self.next_ping_at = PING_EVERY_BYTES
        self._sent_at_ping: dict[int, int] = {}
        self._space_freed = asyncio.Event()
        self._last_ping = 0

    def record_ping(self) -> int:
        """A new ping's number; its answer covers all that was sent before it."""
        self._last_ping += 1
        self._sent_at_ping[self._last_ping] = self.sent_bytes
        self.next_ping_at = self.sent_bytes + PING_EVERY_BYTES
        return self._last_ping

    def record_pong(self, n: int) -> None:
        """An answer; one to a ping that was never sent counts for nothing."""
        if n in self._sent_at_ping:
            self.limit_bytes = self._sent_at_ping[n] + MAX_UNACKED_BYTES
            self._sent_at_ping = {k: sent for k, sent in self._sent_at_ping.items() if k > n}
            self._space_freed.set()

    @property
    def is_full(self) -> bool:
        return self.sent_bytes >= self.limit_bytes

    async def wait_for_space(self) -> None:
        """Wait until something may be sent. All who wait are woken at once, and the first of them
        may take what there is."""
        while self.is_full:
            self._space_freed.clear()
            await self._space_freed.wait()

    @property
    def has_unacked_ping(self) -> bool:
        """Whether a ping is unanswered."""
        return bool(self._sent_at_ping)


class FollowConsumer(AsyncWebsocketConsumer):
    """A person's socket. It reads streams and can stop them; it owns nothing."""

    # A socket has no channel of its own: it would have to be subscribed while the layer may
    # be down, and each message to it would pass through a thread. The hub has the only one.
    channel_layer_alias = "none"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._send_window = SendWindow()
        self._follow_tasks: dict[UUID, asyncio.Task[None]] = {}
        self._heartbeat_task: asyncio.Task[None] | None = None
        self._drop_task: asyncio.Task[None] | None = None
        self._recheck_task: asyncio.Task[None] | None = None
        self._close_task: asyncio.Task[None] | None = None
        self._subscriptions = ExitStack()
        self.user: Any = None
        self._owner_id: Any = None
        self.revision = 0

    async def __call__(self, *args: Any) -> None:
        try:
            await super().__call__(*args)
        finally:
            self._clean_up()  # however the socket ended: a disconnect, an error, a shutdown

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Channels' own would wait for the one thread that all sockets share, to close
        database connections that nothing here opens."""
        await getattr(self, message["type"].replace(".", "_"))(message)

    async def websocket_disconnect(self, message: Any) -> None:
        """The same wait again, and a group to leave that there is none of."""
        raise StopConsumer

    async def connect(self) -> None:
        self._session_key = get_session_key(self.scope["headers"])
        address = get_rate_limit_address(self.scope)
        if unverified_sockets.is_overloaded() or not unverified_sockets.reserve_slot(address):
            answer = await self._load_user_or_error()
            if (reason := self._refusal_code(answer)) is not None:
                await unverified_sockets.wait_to_refuse(reason)
                await self.close()  # before it is accepted: what it sends is taken by nobody
                return
            self._count_socket(answer)
            await self.accept()
            await self._start_session(answer)
            return
        refusal: int | None = protocol.CLOSE_INTERNAL_ERROR
        try:
            # The database answers while the handshake is on its way.
            answer, _ = await asyncio.gather(self._load_user_or_error(), self.accept())
            refusal = self._refusal_code(answer)
        finally:
            unverified_sockets.release_slot(address, is_closing=refusal is not None)
        if refusal is not None:
            unverified_sockets.reserve_refusal(refusal)
            await self.close(refusal)
            return
        self._count_socket(answer)
        await self._start_session(answer)

    def _refusal_code(self, user_or_error: Any) -> int | None:
        """The code to close with; None for somebody who is welcome."""
        if isinstance(user_or_error, DatabaseFailure):
            _log_session_error(user_or_error)
            return protocol.CLOSE_INTERNAL_ERROR
        if user_or_error is None:
            return protocol.CLOSE_SIGNED_OUT
        return protocol.CLOSE_TOO_MANY_SOCKETS if _has_too_many_sockets(user_or_error) else None

    def _count_socket(self, user: Any) -> None:
        """At once: of many that come in the same moment, the next one has to see it."""
        self._owner_id = user.pk
        _socket_counts[user.pk] += 1

    async def _start_session(self, user: Any) -> None:
        self.user = user
        self.revision = user.revision
        self._last_received_at = asyncio.get_running_loop().time()
        self._subscriptions.enter_context(
            get_hub().listen(user_group(user.pk), self._on_user_notification)
        )
        sockets.add(self)
        await self._send_frame(protocol.encode_hello(self.revision))
        self._heartbeat_task = asyncio.create_task(self._heartbeat_loop(), name="socket pulse")

    def _clean_up(self) -> None:
        sockets.discard(self)
        if self._owner_id is not None:
            _socket_counts[self._owner_id] -= 1
            if not _socket_counts[self._owner_id]:
                del _socket_counts[self._owner_id]
            self._owner_id = None
        self._subscriptions.close()
        for task in (
            *self._follow_tasks.values(),
            self._heartbeat_task,
            self._drop_task,
            self._recheck_task,
        ):
            if task is not None:
                task.cancel()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if self.user is None:
            return
        self._last_received_at = asyncio.get_running_loop().time()
        try:
            await self._handle_command(protocol.parse_command(text_data))
        except FrameRejected as refused:
            await self._send_frame(protocol.encode_error(refused))
        except DatabaseFailure as error:
            if not outage_monitor.is_outage(error):
                raise
            self._schedule_close(
                protocol.CLOSE_INTERNAL_ERROR
            )  # the client comes back and asks again

    async def _handle_command(self, command: protocol.Command) -> None:
        match command:
            case Hello():
                if await self._check_session():
                    await self._send_frame(protocol.encode_hello(self.revision))
            case Follow():
                await self._start_following(command)
            case Unfollow():
                self._stop_following(command.stream)
            case Stop():
                await self._stop_stream(command.stream)
            case Ping():
                await self._send_frame(protocol.encode_pong(command.n))
            case Pong():
                self._send_window.record_pong(command.n)

    async def _start_following(self, command: Follow) -> None:
        self._stop_following(command.stream)
        if len(self._follow_tasks) >= MAX_FOLLOWS:
            raise FrameRejected(
                "too_many", f"A socket may follow up to {MAX_FOLLOWS} streams at once."
            )
        self._follow_tasks[command.stream] = task = asyncio.create_task(
            self._send_events(command), name=f"follow {command.stream}"
        )
        task.add_done_callback(lambda done: self._on_follow_done(command.stream, done))

    def _stop_following(self, stream: UUID) -> None:
        if task := self._follow_tasks.pop(stream, None):
            task.cancel()

    async def _stop_stream(self, uuid: UUID) -> None:
        try:
            stream = await find_stream(self.user, uuid)
        except StreamNotFound:
            raise _not_found(uuid) from None
        await run_in_db(lifecycle.stop, stream.id)

    async def _send_events(self, command: Follow) -> None:
        """Send one stream's events for as long as it lasts, at the client's pace."""
        try:
            stream = await find_stream(self.user, command.stream)
            if stream.arguments.get("model") == STORM_MODEL and stream.ended_at is None:
                self._simulate_drop()
            name = str(command.stream)
            async with aclosing(follow_stream(stream, command.after)) as events:
                async for event in events:
                    if self._send_window.is_full:
                        await self._send_window.wait_for_space()
                    await self._send_frame(protocol.encode_event(name, event))
        except StreamNotFound:
            await self._send_frame(protocol.encode_error(_not_found(command.stream)))

    def _simulate_drop(self) -> None:
        """Drop this socket in a moment: its client is to show that nobody can tell."""

        async def close_after_delay() -> None:
            await asyncio.sleep(SIMULATED_DROP_SECONDS)
            self._schedule_close(protocol.CLOSE_SIMULATED_DROP)

        if self._drop_task is None:
            self._drop_task = asyncio.create_task(close_after_delay(), name="socket storm")

    def _on_follow_done(self, uuid: UUID, task: asyncio.Task[None]) -> None:
        if self._follow_tasks.get(uuid) is task:
            del self._follow_tasks[uuid]
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, OSError):  # the client went away
            # The client comes back with its cursor; a socket that goes on without one of its
            # streams would look like a stream that is silent.
            if not outage_monitor.is_outage(error):
                logger.error("Following %s failed", uuid, exc_info=error)
            self._schedule_close(protocol.CLOSE_INTERNAL_ERROR)

    # Pulse and credit

    async def _send_frame(self, frame: str) -> None:
        credit = self._send_window
        credit.sent_bytes += len(frame) if frame.isascii() else len(frame.encode())
        if credit.sent_bytes > credit.limit_bytes + MAX_UNACKED_BYTES:
            # What is followed waits for room; this one asks and asks, and reads no answer.
            self._schedule_close(protocol.CLOSE_TOO_SLOW)
            return
        await self._send_raw(frame)
        if credit.sent_bytes >= credit.next_ping_at:
            await self._send_ping()

    async def _send_ping(self) -> None:
        await self._send_raw(protocol.encode_ping(self._send_window.record_ping(), self.revision))

    async def _send_raw(self, frame: str) -> None:
        """Straight to the server, past Channels' own layers: every frame comes this way."""
        event: Any = {"type": "websocket.send", "text": frame}
        await self.base_send(event)

    async def _heartbeat_loop(self) -> None:
        """Ping every few seconds; let go of a client that does not answer, or does not read."""
        loop = asyncio.get_running_loop()
        blocked_since: float | None = None
        while True:
            await asyncio.sleep(seconds_until_heartbeat(loop.time()))
            full = self._send_window.is_full
            blocked_since = (blocked_since or loop.time()) if full else None
            silent = (
                self._send_window.has_unacked_ping
                and loop.time() - self._last_received_at > PONG_TIMEOUT_SECONDS
            )
            stuck = blocked_since is not None and loop.time() - blocked_since > PONG_TIMEOUT_SECONDS
            if silent or stuck:
                self._schedule_close(protocol.CLOSE_TOO_SLOW)
                return
            if not await self._check_session():
                return
            if not full:
                await self._send_ping()

    def _schedule_close(self, code: int) -> None:
        """Only once: a flood that is not read any more would start a task for every frame."""
        if self._close_task is None:
            self._close_task = asyncio.create_task(self.close(code), name="socket close")

    # Sync of everything else

    def _on_user_notification(self, body: Notification) -> None:
        if body.get("sessions"):
            self._check_task = asyncio.create_task(self._check_session())
        if (revision := body.get("revision", 0)) > self.revision:
            self.revision = revision
            self._revision_task = asyncio.create_task(
                self._send_frame(protocol.encode_changed(revision))
            )

    async def _check_session(self) -> bool:
        """Whether the session that opened this socket is still good; if not, it is closed. The
        revision comes along, as the same rows tell it. While the database is away the socket stays,
        and it is asked every second."""
        return self._apply_session_check(await self._load_user_or_error())

    def _apply_session_check(self, user_or_error: Any) -> bool:
        if isinstance(user_or_error, CONNECTION_ERRORS):
            outage_monitor.is_outage(user_or_error)
            if self._recheck_task is None:
                self._recheck_task = asyncio.create_task(
                    self._recheck_session(), name="socket in doubt"
                )
            return True
        if isinstance(user_or_error, DatabaseFailure):
            # Nobody can say whether this session is good: the client may come back and ask.
            _log_session_error(user_or_error)
            self._schedule_close(protocol.CLOSE_INTERNAL_ERROR)
            return False
        if user_or_error is None:
            self._schedule_close(protocol.CLOSE_SIGNED_OUT)
            return False
        self.revision = user_or_error.revision
        return True

    async def _recheck_session(self) -> None:
        """A session that ended while the database was away must not live until the next pulse."""
        answer = await self._load_user_or_error()
        while isinstance(answer, CONNECTION_ERRORS):
            await asyncio.sleep(SESSION_RECHECK_SECONDS)
            answer = await self._load_user_or_error()
        self._recheck_task = None
        self._apply_session_check(answer)

    async def _load_user_or_error(self) -> Any:
        """Whom the session signs in, or the error that the database answered with."""
        try:
            return await load_session_user(self._session_key)
        except DatabaseFailure as error:
            return error

    def send_bye(self, retry_ms: int) -> None:
        """Tell the client that this process goes, and when to come back."""

        async def send_bye_and_close() -> None:
            await self.send(text_data=protocol.encode_bye(retry_ms))
            await self.close(protocol.CLOSE_RESTARTING)

        self._bye_task = asyncio.create_task(send_bye_and_close(), name="socket bye")


sockets: set[FollowConsumer] = set()
"""The open sockets of this process."""


_last_logged_at = -LOG_INTERVAL_SECONDS


def _log_session_error(error: DatabaseFailure) -> None:
    """A line in the log, without a traceback and not for every socket. An outage has its own."""
    global _last_logged_at
    if outage_monitor.is_outage(error):
        return
    now = time.monotonic()
    if now - _last_logged_at >= LOG_INTERVAL_SECONDS:
        _last_logged_at = now
        logger.warning("Sessions of sockets can't be asked about (%s)", type(error).__name__)


def _has_too_many_sockets(user: Any) -> bool:
    """In this process, and once its new socket is one more."""
    return _socket_counts[user.pk] >= settings.SOCKETS_PER_USER


_socket_counts: Counter[int] = Counter()
"""How many open sockets each person has here."""


class UnverifiedSockets:
    """Sockets that are accepted before it is known whose they are, and those that were told to go.
    Until its line is down such a client may keep what it sends here, so an address that has as many
    as it may is asked who it is first."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._closing: deque[tuple[float, str]] = deque()
        self._last_refusal_at = 0.0
        self._waiting_refusals = 0

    def is_overloaded(self) -> bool:
        """Whether so many come that they are asked who they are before they are accepted."""
        return self._last_refusal_at > asyncio.get_running_loop().time() + OVERLOAD_BACKLOG_SECONDS

    async def wait_to_refuse(self, refusal: int) -> None:
        """Wait until one more may be told to go, unless too many wait already."""
        if self._waiting_refusals >= MAX_WAITING_REFUSALS:
            return
        self._waiting_refusals += 1
        try:
            await asyncio.sleep(self.reserve_refusal(refusal))
        finally:
            self._waiting_refusals -= 1

    def reserve_refusal(self, refusal: int) -> float:
        """Seconds until one more may be told to go. Without a database nobody is known, and all
        may be told at once to come again."""
        if refusal == protocol.CLOSE_INTERNAL_ERROR:
            return 0.0
        now = asyncio.get_running_loop().time()
        soonest = max(now, self._last_refusal_at + 1 / MAX_REFUSALS_PER_SECOND)
        self._last_refusal_at = min(soonest, now + MAX_REFUSAL_DELAY_SECONDS)
        return self._last_refusal_at - now

    def reserve_slot(self, address: str) -> bool:
        """Take a place before the socket is accepted; whoever has one has to call
        `release_slot`."""
        now = asyncio.get_running_loop().time()
        while self._closing and self._closing[0][0] <= now:
            self._decrement_count(self._closing.popleft()[1])
        held = self._counts.get(address, 0)
        if held >= MAX_UNVERIFIED_PER_ADDRESS or (
            not held and len(self._counts) >= MAX_UNVERIFIED_ADDRESSES
        ):
            return False
        self._counts[address] += 1
        return True

    def release_slot(self, address: str, *, is_closing: bool) -> None:
        """Give the place back, of one that leaves in as long as its line may stay up."""
        if is_closing:
            due = asyncio.get_running_loop().time() + CLOSE_HANDSHAKE_SECONDS
            self._closing.append((due, address))
        else:
            self._decrement_count(address)

    def _decrement_count(self, address: str) -> None:
        self._counts[address] -= 1
        if not self._counts[address]:
            del self._counts[address]


unverified_sockets = UnverifiedSockets()


def seconds_until_heartbeat(now: float) -> float:
    """Seconds. Those who came within the same second have it at the same moment, so that one query
    asks for all their sessions."""
    return PING_INTERVAL_SECONDS - now % 1


def _not_found(stream: UUID) -> FrameRejected:
    return FrameRejected("not_found", "There is no such stream, or it is not yours.", stream)

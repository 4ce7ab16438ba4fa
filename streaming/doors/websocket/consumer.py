"""The socket: one per tab, following many streams.

It authorises, joins and hands over. Commands are short; a task for each followed stream sends its
events, so no token waits behind a command.
"""

from __future__ import annotations

import asyncio
from contextlib import ExitStack, aclosing
from typing import Any
from uuid import UUID

from django.db.utils import Error as DatabaseFailure

from streaming import lifecycle
from streaming.access import StreamNotFound, find_stream
from streaming.database import run_in_db
from streaming.doors import frames
from streaming.doors.frames import FrameRejected, build_not_found
from streaming.doors.hooks import get_revision, get_simulated_drop
from streaming.doors.session_holder import open_connections, seconds_until_check
from streaming.doors.websocket.command_queue import CommandQueue, run_command
from streaming.doors.websocket.flow_control import MAX_UNACKED_BYTES, FrameBudget, SendWindow
from streaming.doors.websocket.pace import FOLLOW_COST, get_pace
from streaming.doors.websocket.protocol import (
    ApplicationCommand,
    Command,
    Follow,
    Hello,
    Ping,
    Pong,
    Stop,
    Unfollow,
    parse_command,
)
from streaming.doors.websocket.session_consumer import SessionConsumer
from streaming.follow import follow_stream
from streaming.hub import Notification, get_hub, user_group
from streaming.outage import outage_monitor

PONG_TIMEOUT_SECONDS = 30.0
"""How long a client may be silent while a ping is unanswered."""
MAX_FOLLOWS = 100
"""Streams that one socket may follow at once."""


class FollowConsumer(SessionConsumer):
    """A user's socket. It reads streams, stops them, and passes the application's commands on; it
    owns nothing."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._send_window = SendWindow()
        self._frame_budget = FrameBudget()
        self._command_queue = CommandQueue()
        self._follow_tasks: dict[UUID, asyncio.Task[None]] = {}
        self._drop_task: asyncio.Task[None] | None = None
        self._subscriptions = ExitStack()
        self.user: Any = None
        self.revision = 0

    # Opening and closing

    async def on_session_opened(self, user: Any) -> None:
        self.user = user
        self._pace = get_pace(user.pk)
        self.revision = get_revision(user)
        self._last_received_at = asyncio.get_running_loop().time()
        self._subscriptions.enter_context(
            get_hub().listen(user_group(user.pk), self._on_user_notification)
        )
        open_connections.add(self)
        await self._send_counted(frames.encode_hello(self.revision))
        self.start_task(self._heartbeat_loop(), "heartbeat")

    def clean_up(self) -> None:
        super().clean_up()
        self._subscriptions.close()

    def send_bye(self, retry_ms: int) -> None:
        async def send_bye_and_close() -> None:
            await self.send(text_data=frames.encode_bye(retry_ms))
            await self.close(frames.CLOSE_RESTARTING)

        self._bye_task = asyncio.create_task(send_bye_and_close(), name="socket bye")

    # Commands

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if self.user is None:
            return
        self._last_received_at = asyncio.get_running_loop().time()
        if not self._frame_budget.try_consume():
            self.schedule_close(frames.CLOSE_TOO_MANY_FRAMES)
            return
        await self.wait_for_turn()
        try:
            await self._handle_command(parse_command(text_data))
        except FrameRejected as rejection:
            await self._send_counted(frames.encode_error(rejection))
        except DatabaseFailure as error:
            if not outage_monitor.is_outage(error):
                raise
            # The client reconnects and sends the command again.
            self.schedule_close(frames.CLOSE_INTERNAL_ERROR)

    async def _handle_command(self, command: Command) -> None:
        if self.has_client_left:
            await self._handle_last_command(command)
            return
        match command:
            case Hello():
                if await self.check_session():
                    await self._send_counted(frames.encode_hello(self.revision))
            case Follow():
                if await self.wait_for_turn(FOLLOW_COST - 1):
                    self._start_following(command)
            case Unfollow():
                self._stop_following(command.stream)
            case Stop():
                await self._stop_stream(command.stream)
            case Ping():
                await self._send_counted(frames.encode_pong(command.n))
            case Pong():
                if self._send_window.record_pong(command.n):
                    self._frame_budget.give_back()
            case ApplicationCommand():
                if await self.wait_for_turn(command.cost - 1):
                    self._command_queue.reserve_place(command)
                    self.start_task(self._run_command(command), command.name)

    async def _handle_last_command(self, command: Command) -> None:
        """A client that sent a stop and left wants it all the same. It is too late for the others,
        which end with the socket."""
        if isinstance(command, Stop):
            await asyncio.sleep(self._pace.reserve_turn())
            await self._stop_stream(command.stream)

    async def _run_command(self, command: ApplicationCommand) -> None:
        """A socket that closes meanwhile loses the answer. Its client sends the request again."""
        assert self._credential is not None
        async with self._command_queue.wait_for_turn():
            if not await self.check_session():
                return
            answer = await run_command(self.user, self._credential, command)
        await self._send_counted(answer)

    async def _stop_stream(self, uuid: UUID) -> None:
        if not self.may_write:
            text = "This access token does not have the right “write”."
            raise FrameRejected("missing_right", text, uuid)
        try:
            stream = await find_stream(self.user, uuid)
        except StreamNotFound:
            raise build_not_found(uuid) from None
        await run_in_db(lifecycle.stop, stream.id)

    # Following

    def _start_following(self, command: Follow) -> None:
        self._stop_following(command.stream)
        if len(self._follow_tasks) >= MAX_FOLLOWS:
            text = f"A socket may follow up to {MAX_FOLLOWS} streams at once."
            raise FrameRejected("too_many", text, command.stream)
        self._follow_tasks[command.stream] = task = self.start_task(
            self._send_events(command), f"follower of {command.stream}"
        )
        task.add_done_callback(lambda done: self._forget_follower(command.stream, done))

    def _stop_following(self, stream: UUID) -> None:
        if task := self._follow_tasks.pop(stream, None):
            task.cancel()

    async def _send_events(self, command: Follow) -> None:
        """Send the events of one stream until it ends, at the client's pace."""
        try:
            stream = await find_stream(self.user, command.stream)
            if (delay := get_simulated_drop(stream)) is not None:
                self._simulate_drop(delay)
            name = str(command.stream)
            async with aclosing(follow_stream(stream, command.after)) as events:
                async for event in events:
                    if self._send_window.is_full:
                        await self._send_window.wait_for_space()
                    await self._send_counted(frames.encode_event(name, event))
        except StreamNotFound:
            await self._send_counted(frames.encode_error(build_not_found(command.stream)))

    def _forget_follower(self, uuid: UUID, task: asyncio.Task[None]) -> None:
        if self._follow_tasks.get(uuid) is task:
            del self._follow_tasks[uuid]

    def _simulate_drop(self, delay: float) -> None:
        async def close_after_delay() -> None:
            await asyncio.sleep(delay)
            self.schedule_close(frames.CLOSE_SIMULATED_DROP)

        if self._drop_task is None:
            self._drop_task = self.start_task(close_after_delay(), "simulated drop")

    # Heartbeat and flow control

    async def _send_counted(self, frame: str) -> None:
        window = self._send_window
        window.sent_bytes += len(frame) if frame.isascii() else len(frame.encode())
        if window.sent_bytes > window.limit_bytes + MAX_UNACKED_BYTES:
            # Followed streams wait for space, so these are answers that this client does not read.
            self.schedule_close(frames.CLOSE_TOO_SLOW)
            return
        await self.send_frame(frame)
        if window.sent_bytes >= window.next_ping_at:
            await self._send_ping()

    async def _send_ping(self) -> None:
        await self.send_frame(frames.encode_ping(self._send_window.record_ping(), self.revision))

    async def _heartbeat_loop(self) -> None:
        """Send pings, check the session, and close the socket of a client that does not answer or
        does not read."""
        loop = asyncio.get_running_loop()
        full_since: float | None = None
        while True:
            await asyncio.sleep(seconds_until_check(loop.time()))
            now = loop.time()
            full_since = (full_since or now) if self._send_window.is_full else None
            is_silent = (
                self._send_window.has_unacked_ping
                and now - self._last_received_at > PONG_TIMEOUT_SECONDS
            )
            is_stuck = full_since is not None and now - full_since > PONG_TIMEOUT_SECONDS
            if is_silent or is_stuck:
                self.schedule_close(frames.CLOSE_TOO_SLOW)
                return
            if not await self.check_session():
                return
            if full_since is None:
                await self._send_ping()

    # Notifications to the user

    def _on_user_notification(self, body: Notification) -> None:
        if body.get("sessions"):
            self.start_task(self.check_session(), "session check")
        if (revision := body.get("revision", 0)) > self.revision:
            self.revision = revision
            frame = frames.encode_changed(revision, body.get("topic", ""))
            self.start_task(self._send_counted(frame), "report of a change")

    def on_session_checked(self, user: Any) -> None:
        self.revision = get_revision(user)

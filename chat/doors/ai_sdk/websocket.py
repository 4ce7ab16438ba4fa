"""The socket of the AI SDK: many answers at once, each under the number of its request.

The protocol has no acknowledgements. Uvicorn waits for a client that does not read, and Daphne
drops it (config/daphne_limits.py). The servers send pings of their own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import ExitStack, aclosing
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.db.utils import Error as DatabaseFailure
from django.utils.translation import gettext as _

from accounts.tokens.models import Scope
from chat.api.auth import authenticate_socket
from chat.doors.ai_sdk import frames
from chat.doors.ai_sdk.frames import Abort, BadFrame, Resume, Send
from chat.doors.ai_sdk.protocol import Part, UIMessageStream
from chat.doors.ai_sdk.requests import parse_fields
from chat.doors.ai_sdk.threads import find_answer, start_reply
from chat.doors.errors import KNOWN_ERRORS, to_problem
from streaming import lifecycle
from streaming.access import StreamNotFound
from streaming.database import run_in_db
from streaming.doors.commands import run_in_turn
from streaming.doors.credentials import get_credential
from streaming.doors.frames import (
    CLOSE_INTERNAL_ERROR,
    CLOSE_RESTARTING,
    CLOSE_SIMULATED_DROP,
    CLOSE_TOO_MANY_FRAMES,
    CLOSE_TOO_SLOW,
    FrameRejected,
)
from streaming.doors.hooks import get_simulated_drop
from streaming.doors.session_holder import get_bye_retry_ms, open_connections, seconds_until_check
from streaming.doors.websocket.flow_control import FrameBudget
from streaming.doors.websocket.pace import FOLLOW_COST, get_pace
from streaming.doors.websocket.session_consumer import SessionConsumer
from streaming.follow import Ended, follow_stream
from streaming.hub import Notification, get_hub, user_group
from streaming.models import Stream
from streaming.outage import outage_monitor

MAX_ANSWERS = 10
"""Answers that one socket may read at once."""
SEND_COST = 50
"""A message counts as so many commands: up to five a second and person start a reply."""
CHARS_PER_COMMAND = 8 * 1024
"""So many characters of a message count as one more command, because the event loop parses them."""
SEND_TIMEOUT_SECONDS = 30.0
"""How long a client may read nothing while the server has something to send."""
RESUME_GRACE_SECONDS = 1.0
"""A stock client gives up a resumed answer when it resumes once more, and says the same as when its
person stops it. Without another request within this time it was the person."""


@dataclass
class FollowedAnswer:
    """An answer that this socket reads. `stream_id` is 0 until it is known."""

    request_id: str
    chat: str
    is_resumed: bool
    task: asyncio.Task[None] | None = None
    stream_id: int = 0
    is_aborted: bool = False


Found = tuple[UIMessageStream, Stream] | None
Finder = Callable[[], Awaitable[Found]]


class ChatConsumer(SessionConsumer):
    """A person's socket with the chats of one front end."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._frame_budget = FrameBudget()
        self._followed: dict[str, FollowedAnswer] = {}
        self._subscriptions = ExitStack()
        self.user: Any = None

    # Opening and closing

    async def connect(self) -> None:
        """Its messages may be long, so nobody sends one before the session was checked."""
        self._credential = get_credential(self.scope["headers"])
        await self._connect_after_check()

    async def on_session_opened(self, user: Any) -> None:
        self.user = user
        self._pace = get_pace(user.pk)
        self._subscriptions.enter_context(
            get_hub().listen(user_group(user.pk), self._on_user_notification)
        )
        open_connections.add(self)
        self.start_task(self._check_sessions(), "session check")
        if (retry_ms := get_bye_retry_ms()) is not None:
            self.send_bye(retry_ms)

    def clean_up(self) -> None:
        super().clean_up()
        self._subscriptions.close()

    def send_bye(self, retry_ms: int) -> None:
        """A stock client takes this for a lost connection, after which it can resume."""
        self.schedule_close(CLOSE_RESTARTING)

    async def _check_sessions(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(seconds_until_check(loop.time()))
            await self.check_session()

    def _on_user_notification(self, body: Notification) -> None:
        if body.get("sessions"):
            self.start_task(self.check_session(), "session check")

    def on_session_checked(self, user: Any) -> None:
        """Nothing here depends on the user's row."""

    # Messages

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if self.user is None:
            return
        if not self._frame_budget.try_consume():
            self.schedule_close(CLOSE_TOO_MANY_FRAMES)
            return
        cost = 1 + len(text_data or "") // CHARS_PER_COMMAND
        if not await self.wait_for_turn(cost) and cost > 1:
            return  # only an abort still has an effect, and it is short
        try:
            await self._handle_frame(frames.parse_frame(text_data))
        except BadFrame as bad:
            await self._send(frames.encode_error(bad.request_id, bad.message))

    async def _handle_frame(self, frame: Send | Resume | Abort) -> None:
        match frame:
            case Send():
                if await self.wait_for_turn(SEND_COST - 1):
                    start = partial(self._start_reply, frame.fields)
                    self._start_following(frame, lambda: run_in_turn(self.user.pk, start))
            case Resume():
                if await self.wait_for_turn(FOLLOW_COST - 1):
                    find = partial(self._find_answer, frame.chat)
                    self._start_following(frame, lambda: run_in_db(find))
            case Abort():
                self._abort(frame.request_id)

    def _start_reply(self, fields: dict[str, Any]) -> Found:
        assert self._credential is not None
        user = authenticate_socket(self.user, self._credential, Scope.WRITE)
        reply = start_reply(user, parse_fields(fields))
        return UIMessageStream(reply.answer), reply.answer.stream or reply.stream

    def _find_answer(self, chat: str) -> Found:
        answer = find_answer(self.user, chat, None)
        return (UIMessageStream(answer), answer.stream) if answer and answer.stream else None

    def _start_following(self, frame: Send | Resume, find: Finder) -> None:
        if frame.request_id in self._followed:
            raise BadFrame(_("This request runs already."), frame.request_id)
        if len(self._followed) >= MAX_ANSWERS:
            raise BadFrame(_("You are reading too many answers at once."), frame.request_id)
        followed = FollowedAnswer(frame.request_id, frame.chat, isinstance(frame, Resume))
        self._followed[frame.request_id] = followed
        followed.task = self.start_task(self._follow_answer(followed, find), "answer")
        followed.task.add_done_callback(lambda done: self._forget(followed))

    def _forget(self, followed: FollowedAnswer) -> None:
        if self._followed.get(followed.request_id) is followed:
            del self._followed[followed.request_id]

    # Answers

    async def _follow_answer(self, followed: FollowedAnswer, find: Finder) -> None:
        """Send the answer that `find` returns."""
        id = followed.request_id
        try:
            found = await find()
        except KNOWN_ERRORS as error:
            await self._send(frames.encode_error(id, str(to_problem(error).detail)))
        except FrameRejected as rejection:
            await self._send(frames.encode_error(id, rejection.message))
        except DatabaseFailure as error:
            if not outage_monitor.is_outage(error):
                raise
            self.schedule_close(CLOSE_INTERNAL_ERROR)  # the client sends it again
        else:
            del find  # with the message of the client, which may be long
            if found is None:
                await self._send(frames.encode_no_active(id))
            elif followed.is_aborted:
                await self._stop(followed, found[1].pk)
            else:
                await self._send_answer(followed, *found)

    async def _send_answer(
        self, followed: FollowedAnswer, parts: UIMessageStream, stream: Stream
    ) -> None:
        id, followed.stream_id = followed.request_id, stream.pk
        if (delay := get_simulated_drop(stream)) is not None:
            asyncio.get_running_loop().call_later(delay, self.schedule_close, CLOSE_SIMULATED_DROP)
        await self._send(frames.encode_start(id))
        sequence = await self._send_parts(id, 0, list(parts.start(stream)))
        try:
            async with aclosing(follow_stream(stream, exact=True)) as events:
                async for event in events:
                    if isinstance(event, Ended):
                        new = await run_in_db(_build_end, parts, stream)
                    else:
                        new = list(parts.add(event))
                    sequence = await self._send_parts(id, sequence, new)
            await self._send(frames.encode_end(id))
        except StreamNotFound:
            await self._send(frames.encode_error(id, _("This chat was deleted.")))

    async def _send_parts(self, id: str, sequence: int, parts: list[Part]) -> int:
        for part in parts:
            await self._send(frames.encode_chunk(id, sequence, part))
            sequence += 1
        return sequence

    async def _send(self, frame: str) -> None:
        try:
            async with asyncio.timeout(SEND_TIMEOUT_SECONDS):
                await self.send_frame(frame)
        except TimeoutError:
            self.schedule_close(CLOSE_TOO_SLOW)

    # Stopping

    def _abort(self, request_id: str) -> None:
        """A client can stop only the answers that it reads on this socket."""
        followed = self._followed.pop(request_id, None)
        if followed is None:
            return
        followed.is_aborted = True
        if followed.task is not None and followed.stream_id:
            followed.task.cancel()
            self.start_task(self._stop(followed, followed.stream_id), "stop of an answer")

    async def _stop(self, followed: FollowedAnswer, stream_id: int) -> None:
        if followed.is_resumed:
            await asyncio.sleep(RESUME_GRACE_SECONDS)
            if any(other.chat == followed.chat for other in self._followed.values()):
                return
        if self.may_write:
            await run_in_db(lifecycle.stop, stream_id)


def _build_end(parts: UIMessageStream, stream: Stream) -> list[Part]:
    stream.refresh_from_db()
    return list(parts.end(stream))

"""One response: the events of the streams that a request follows, and the changes of its owner.

Nothing acknowledges what a response sends. So it ends with the event that reaches
`MAX_RESPONSE_BYTES`, and the client continues with another one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Iterable
from contextlib import ExitStack, aclosing
from typing import Any
from uuid import UUID

from streaming.access import StreamNotFound, find_stream
from streaming.asgi import Receive, Send
from streaming.doors import frames
from streaming.doors.credentials import Credential
from streaming.doors.hooks import get_revision, get_simulated_drop
from streaming.doors.session_holder import (
    SessionHolder,
    get_bye_retry_ms,
    open_connections,
    seconds_until_check,
)
from streaming.doors.sse.encoding import HEARTBEAT, PREAMBLE, encode_event_block
from streaming.doors.sse.request import EventRequest
from streaming.doors.unread import BoundedBody
from streaming.follow import Ended, Snapshot, StateChanged, StreamEvent, follow_stream
from streaming.hub import Notification, get_hub, user_group
from streaming.journal import Chunk
from streaming.models import Stream
from streaming.outage import outage_monitor

logger = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 3.0
"""How often a response sends a comment. A client that gets none for twice as long knows that
something holds its response back, and proxies see no idle connection."""
EVENT_NAMES = {Chunk: "chunk", Snapshot: "snapshot", StateChanged: "state", Ended: "end"}
MAX_RESPONSE_BYTES = 512 * 1024
"""How many bytes a response may have before its last event, the same limit as that of a socket. If
an event had to fit, one that is larger might never be sent."""


class EventStream(SessionHolder):
    """An open response. It ends when its streams have ended, when its session ends, or when its
    process ends; or at any moment, because the client continues where it was."""

    def __init__(self, credential: Credential | None, send: Send) -> None:
        super().__init__()
        self._credential = credential
        self._send = send
        self._body: BoundedBody | None = None
        self._send_lock = asyncio.Lock()
        self._is_over = asyncio.Event()
        self._has_news = asyncio.Event()
        self._is_connected = True
        self._sent_bytes = 0
        self._revision = 0
        self._topic = ""
        self._cursors: list[int] = []
        self._retry_ms: int | None = None
        self._has_finished = False

    def clean_up(self) -> None:
        super().clean_up()
        if self._body is not None:
            self._body.close()

    def schedule_close(self, code: int) -> None:
        """The next request of the client gets the reason, as its status."""
        self._is_over.set()

    def send_bye(self, retry_ms: int) -> None:
        self._retry_ms = retry_ms
        self._is_over.set()
        # Daphne cancels the task of the response as well, when its process ends.
        self._bye_task = asyncio.create_task(self._finish_response(), name="event stream bye")

    def on_session_checked(self, user: Any) -> None:
        self._set_revision(get_revision(user))

    def _set_revision(self, revision: int, topic: str = "") -> None:
        """Several revisions are sent as the newest. Then it has a topic only if all of them have
        the same."""
        if revision > self._revision:
            is_alone = not self._has_news.is_set()
            self._topic = topic if is_alone or topic == self._topic else ""
            self._revision = revision
            self._has_news.set()

    async def send_events(
        self, request: EventRequest, user: Any, first: Stream | None, receive: Receive
    ) -> None:
        """Send everything after the start of the response. `first` is the row of the only stream,
        if it was read already."""
        self._revision = get_revision(user)
        self._cursors = [*request.cursors]
        self._body = BoundedBody(self._send, user.pk)
        open_connections.add(self)
        await self._send_block(
            PREAMBLE + encode_event_block("hello", frames.encode_hello(self._revision))
        )
        if (retry_ms := get_bye_retry_ms()) is not None:
            self.send_bye(retry_ms)
        jobs = [self._follow_all(request, user, first), self._watch_disconnect(receive)]
        if request.waits:
            jobs += [self._send_heartbeats(), self._send_revisions(), self._check_sessions()]
        with ExitStack() as subscriptions:
            if request.waits:
                subscriptions.enter_context(
                    get_hub().listen(user_group(user.pk), self._on_user_notification)
                )
            await self._run_until_over(jobs)
        await self._finish_response()

    async def _run_until_over(self, jobs: Iterable[Coroutine[Any, Any, None]]) -> None:
        tasks = [self.start_task(job, "event stream") for job in jobs]
        try:
            await self._is_over.wait()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _finish_response(self) -> None:
        """The last part of the body. A client that has not read the end of a stream reconnects."""
        async with self._send_lock:
            body = b""
            if self._retry_ms is not None:
                bye = encode_event_block("bye", frames.encode_bye(self._retry_ms))
                body = f"retry: {self._retry_ms}\n{bye}".encode()
            await self._send_part(body, is_last=True)

    # Following

    async def _follow_all(self, request: EventRequest, user: Any, first: Stream | None) -> None:
        """Without a stream, or after the last one has ended, the response of several streams still
        tells what else has changed."""
        await asyncio.gather(
            *(
                self._follow_stream(user, stream, number, first, waits=request.waits)
                for number, stream in enumerate(request.streams)
            )
        )
        if request.is_single or not request.waits:
            self._is_over.set()

    async def _follow_stream(
        self, user: Any, uuid: UUID, number: int, first: Stream | None, *, waits: bool
    ) -> None:
        """Send the events of the stream with this number in the request."""
        try:
            stream = first or await find_stream(user, uuid)
            if waits and (delay := get_simulated_drop(stream)) is not None:
                asyncio.get_running_loop().call_later(delay, self._is_over.set)
            name, after = str(uuid), self._cursors[number]
            async with aclosing(follow_stream(stream, after, waits=waits)) as events:
                async for event in events:
                    await self._send_event(name, number, event)
        except StreamNotFound:
            rejection = frames.build_not_found(uuid)
            await self._send_block(encode_event_block("error", frames.encode_error(rejection)))
        except Exception as error:
            # The client comes back with its cursors. Without one of its streams, an open response
            # would look like a stream that is silent.
            if not outage_monitor.is_outage(error):
                logger.error("Following %s failed", uuid, exc_info=error)
            self._is_over.set()

    async def _send_event(self, name: str, number: int, event: StreamEvent) -> None:
        async with self._send_lock:  # ids must arrive in the order in which they were made
            frame = frames.encode_event(name, event)
            match event:
                case Chunk() | Snapshot():
                    self._cursors[number] = event.index
                case Ended():
                    # A stream without chunks has an end that was read, too.
                    self._cursors[number] = max(event.next_index - 1, 0)
            block = encode_event_block(EVENT_NAMES[type(event)], frame, self._cursors)
            await self._send_part(block.encode())

    # Beside the streams

    async def _watch_disconnect(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._is_connected = False
        self._is_over.set()

    async def _send_heartbeats(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            await self._send_block(HEARTBEAT)

    async def _check_sessions(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(seconds_until_check(loop.time()))
            await self.check_session()

    async def _send_revisions(self) -> None:
        while True:
            await self._has_news.wait()
            self._has_news.clear()
            frame = frames.encode_changed(self._revision, self._topic)
            await self._send_block(encode_event_block("changed", frame))

    def _on_user_notification(self, body: Notification) -> None:
        if body.get("sessions"):
            self.start_task(self.check_session(), "session check")
        self._set_revision(body.get("revision", 0), body.get("topic", ""))

    # Sending

    async def _send_block(self, block: str) -> None:
        async with self._send_lock:
            await self._send_part(block.encode())

    async def _send_part(self, body: bytes, *, is_last: bool = False) -> None:
        if self._body is None or self._has_finished or not self._is_connected:
            return
        if self._is_over.is_set() and not is_last:
            # Many streams may still wait for the lock. Once an event was left out, none may follow:
            # its id would have the cursor of the one that was left out.
            return
        self._has_finished = is_last
        try:
            await self._body.send_part(body, is_last=is_last)
        except OSError:  # the client went away, or reads nothing
            self._is_connected = False
            self._is_over.set()
        self._sent_bytes += len(body)
        if self._sent_bytes >= MAX_RESPONSE_BYTES:
            self._is_over.set()

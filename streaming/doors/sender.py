"""Sends responses that follow a stream, after their views have returned.

A view returns a FollowResponse. It is sent after the view has given back its thread and its place
in the queue of requests, because it may be open for as long as a reply takes.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import Any

from django.http import HttpResponse
from django.http.response import HttpResponseBase

from streaming.access import StreamNotFound
from streaming.asgi import ASGIApp, Receive, Send
from streaming.doors.credentials import Credential, get_credential
from streaming.doors.hooks import get_simulated_drop
from streaming.doors.session_holder import (
    SessionHolder,
    get_bye_retry_ms,
    has_too_many_connections,
    open_connections,
    seconds_until_check,
)
from streaming.doors.unread import BoundedBody
from streaming.hub import Notification, get_hub, user_group
from streaming.models import Stream

SCOPE_KEY = "holdfast.follow_response"
BREAK_KEY = "holdfast.break"
"""A part of a body with this key breaks the connection off, after the bytes before it. The servers'
own ways differ (config/daphne_limits.py, config/uvicorn_limits.py)."""
END_SECONDS = 2.0
"""How long a process that is about to end waits for the ends of its responses."""


class FollowResponse(HttpResponseBase, ABC):
    """Follows a stream of a user whose right the view has checked; None is a stream of another kind
    than the engine's. `refusal` is sent instead if the user has too many open connections.

    When this process ends, the body ends early: properly if `ends_cleanly`, otherwise the
    connection breaks. It depends on the protocol which of the two makes a client come back. A
    deleted stream or a revoked token always breaks it.
    """

    streaming = True
    is_async = False
    streaming_content = ()  # these three for middleware that asks

    def __init__(
        self, stream: Stream | None, user: Any, *, refusal: HttpResponse, ends_cleanly: bool = False
    ) -> None:
        super().__init__(content_type="text/event-stream")
        self.stream: Stream | None = stream
        self.user = user
        self.refusal, self.ends_cleanly = refusal, ends_cleanly

    @abstractmethod
    async def send_through(self, sender: Sender) -> None:
        """Send the start of the response and its body. Raises StreamNotFound."""


class Sender(SessionHolder):
    """Sends one FollowResponse to one client, for as long as its session or token is valid."""

    needs_read_right = False

    def __init__(self, credential: Credential | None, send: Send, user: Any) -> None:
        super().__init__()
        self._credential = credential
        self._send = send
        self._body = BoundedBody(send, user.pk)
        self._send_lock = asyncio.Lock()
        self._is_over = asyncio.Event()
        self._has_started = False
        self._has_finished = False
        self._breaks_off = False
        self._ends_cleanly = False
        self._ending: asyncio.Task[None] | None = None

    def clean_up(self) -> None:
        super().clean_up()
        if self._ending is None:
            self._body.close()
        else:  # it still sends the end of the body, even if the server has cancelled the rest
            self._ending.add_done_callback(lambda _: self._body.close())

    def schedule_close(self, code: int) -> None:
        self._breaks_off = True
        self._is_over.set()

    def send_bye(self, retry_ms: int) -> None:
        self._breaks_off = not (self._ends_cleanly and self._has_started)
        self._is_over.set()
        # Daphne cancels the task that sends this response, so another one sends its end.
        self._ending = asyncio.create_task(self._end_early())
        _endings.add(self._ending)
        self._ending.add_done_callback(_endings.discard)

    def on_session_checked(self, user: Any) -> None:
        """Nothing here depends on the user's row."""

    async def send_response(self, response: FollowResponse, receive: Receive) -> None:
        if has_too_many_connections(response.user):
            await self.start_response(response.refusal)
            await self.send_part(response.refusal.content, is_last=True)
            return
        self.count_connection(response.user)
        self._ends_cleanly = response.ends_cleanly
        open_connections.add(self)
        stream = response.stream
        if stream is not None and (delay := get_simulated_drop(stream)) is not None:
            asyncio.get_running_loop().call_later(delay, self.schedule_close, 0)
        if (retry_ms := get_bye_retry_ms()) is not None:
            self.send_bye(retry_ms)
        with get_hub().listen(user_group(response.user.pk), self._on_user_notification):
            self.start_task(self._send_all(response), "answer")
            self.start_task(self._watch_disconnect(receive), "answer disconnect")
            self.start_task(self._check_sessions(), "answer session check")
            await self._is_over.wait()
        await self._end_early()

    async def _send_all(self, response: FollowResponse) -> None:
        try:
            await response.send_through(self)
        except StreamNotFound:
            self._breaks_off = True
        except OSError:  # the client went away, or reads nothing
            self._has_finished = True
        self._is_over.set()

    async def _end_early(self) -> None:
        with suppress(OSError):  # the client went away, or reads nothing
            async with self._send_lock:
                if self._has_finished:
                    return
                self._has_finished = True
                if self._breaks_off:
                    await self._body.wait_until_read()
                    part = {"body": b"", "more_body": True, BREAK_KEY: True}
                    await self._send({"type": "http.response.body", **part})
                else:
                    await self._body.send_part(b"", is_last=True)

    async def _watch_disconnect(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._has_finished = True
        self._is_over.set()

    async def _check_sessions(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(seconds_until_check(loop.time()))
            await self.check_session()

    def _on_user_notification(self, body: Notification) -> None:
        if body.get("sessions"):
            self.start_task(self.check_session(), "session check")

    # Sending

    async def start_response(self, response: HttpResponseBase) -> None:
        headers = [
            (name.encode("ascii"), value.encode("latin-1"))
            for name, value in [
                *response.items(),
                *(("Set-Cookie", cookie.OutputString()) for cookie in response.cookies.values()),
            ]
        ]
        start = {"status": response.status_code, "headers": headers}
        self._has_started = True
        await self._send({"type": "http.response.start", **start})

    async def send_part(self, body: bytes, *, is_last: bool = False) -> None:
        """Raises OSError if the client does not read."""
        async with self._send_lock:
            if self._has_finished or self._is_over.is_set():
                return
            self._has_finished = is_last
            await self._body.send_part(body, is_last=is_last)


_endings: set[asyncio.Task[None]] = set()
"""The tasks that send the ends of responses after a bye."""


async def wait_for_ends() -> None:
    """After a bye: wait until the responses have sent their ends. A process that is gone before
    breaks them all off."""
    if _endings:
        await asyncio.wait(_endings, timeout=END_SECONDS)


def send_follow_responses(app: ASGIApp) -> ASGIApp:
    """Wrap the application of the `http` scopes. A FollowResponse that its handler left in the
    scope is sent when the handler has returned."""

    async def app_with_answers(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await app(scope, receive, send)
        response: FollowResponse | None = scope.pop(SCOPE_KEY, None)
        if response is not None:
            sender = Sender(get_credential(scope["headers"]), send, response.user)
            try:
                await sender.send_response(response, receive)
            finally:
                sender.clean_up()

    return app_with_answers

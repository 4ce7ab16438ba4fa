"""The application that serves server-sent events beside the pages. It takes no thread and no place
in the queue of the pages, because a response may be open for hours."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django.db.utils import Error as DatabaseFailure

from streaming.access import StreamNotFound, find_stream
from streaming.asgi import ASGIApp, Receive, Send
from streaming.doors import frames
from streaming.doors.credentials import get_credential
from streaming.doors.frames import FrameRejected
from streaming.doors.origin import get_header, is_same_origin_request
from streaming.doors.session_holder import TooManyRequests
from streaming.doors.sse.event_stream import EventStream
from streaming.doors.sse.request import EventRequest, parse_request
from streaming.doors.unverified import unverified_sockets
from streaming.journal import StreamHead
from streaming.models import Stream
from streaming.outage import outage_monitor

HEADERS = {"Cache-Control": "no-store, no-transform", "X-Content-Type-Options": "nosniff"}
EVENT_HEADERS = {"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}
"""The second header lets nginx pass each event on at once."""
RETRY_AFTER_SECONDS = 5

SIGNED_OUT = FrameRejected("signed_out", "Sign in first, or send a valid access token.")
MISSING_RIGHT = FrameRejected("missing_right", "This access token does not have the right “read”.")
TOO_MANY = FrameRejected("too_many", "You have too many open connections. Close a tab.")
USED_TOO_OFTEN = FrameRejected(
    "too_many", "This access token was used too often. Try again in a moment."
)
DATABASE_AWAY = FrameRejected("unavailable", "The database does not answer. Try again soon.")
FOREIGN_PAGE = FrameRejected("foreign_page", "Only our own pages may read this.")
WRONG_METHOD = FrameRejected("bad_method", "Read this address with GET.")

STATUS_BY_CLOSE_CODE = {
    frames.CLOSE_SIGNED_OUT: (401, SIGNED_OUT),
    frames.CLOSE_MISSING_RIGHT: (403, MISSING_RIGHT),
    frames.CLOSE_TOO_MANY_SOCKETS: (429, TOO_MANY),
    frames.CLOSE_TOO_MANY_REQUESTS: (429, USED_TOO_OFTEN),
    frames.CLOSE_INTERNAL_ERROR: (503, DATABASE_AWAY),
}


def add_event_streams(
    app: ASGIApp, route: str = "/api/streams/", headers: Mapping[str, str] | None = None
) -> ASGIApp:
    """Wrap the application of the `http` scopes, and answer `<route>events` and
    `<route><stream>/events` beside it. Each response gets `headers` in addition."""
    pattern = re.compile(f"{re.escape(route)}(?:([^/]*)/)?events")
    all_headers = HEADERS | dict(headers or {})

    async def app_with_events(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if match := pattern.fullmatch(scope["path"]):
            await _Responder(scope, send, all_headers).answer_request(match[1], receive)
        else:
            await app(scope, receive, send)

    return app_with_events


class _Responder:
    """Answers one request, from its checks to its last event."""

    def __init__(self, scope: dict[str, Any], send: Send, headers: Mapping[str, str]) -> None:
        self._scope = scope
        self._send = send
        self._headers = headers

    async def answer_request(self, name: str | None, receive: Receive) -> None:
        if self._scope["method"] != "GET":
            await self._send_refusal(405, WRONG_METHOD)
            return
        credential = get_credential(self._scope["headers"])
        sends_cookie = credential is None or not credential.is_token
        if sends_cookie and not is_same_origin_request(self._scope):
            await self._send_refusal(403, FOREIGN_PAGE)
            return
        stream = EventStream(credential, self._send)
        try:
            await self._respond_to_session(stream, name, receive)
        finally:
            stream.clean_up()

    async def _respond_to_session(
        self, response: EventStream, name: str | None, receive: Receive
    ) -> None:
        user = await response.open_session()
        if (code := response.get_refusal_code(user)) is not None:
            await unverified_sockets.wait_to_refuse(code)
            seconds = user.seconds if isinstance(user, TooManyRequests) else RETRY_AFTER_SECONDS
            await self._send_refusal(*STATUS_BY_CLOSE_CODE[code], retry_after=seconds)
            return
        response.count_connection(user)
        try:
            request = self._parse_request(name)
            first = await find_stream(user, request.streams[0]) if request.is_single else None
        except DatabaseFailure as error:
            if not outage_monitor.is_outage(error):
                raise
            await self._send_refusal(503, DATABASE_AWAY)
        except StreamNotFound:
            await self._send_refusal(404, frames.build_not_found(None))
        except FrameRejected as rejection:
            await self._send_refusal(404 if rejection.code == "not_found" else 400, rejection)
        else:
            if first is not None and has_read_all(first, request):
                await self._start_response(204, {"Stream-State": first.state})
                await self._send({"type": "http.response.body", "body": b""})
            else:
                await self._start_response(200, EVENT_HEADERS)
                await response.send_events(request, user, first, receive)

    def _parse_request(self, name: str | None) -> EventRequest:
        query = self._scope["query_string"].decode("latin-1")
        return parse_request(name, query, get_header(self._scope, b"last-event-id"))

    async def _send_refusal(
        self, status: int, rejection: FrameRejected, *, retry_after: int = RETRY_AFTER_SECONDS
    ) -> None:
        body = f"{frames.encode_error(rejection)}\n".encode()
        headers = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        if status == 405:
            headers["Allow"] = "GET"
        if status in (429, 503):
            headers["Retry-After"] = str(retry_after)
        await self._start_response(status, headers)
        is_head = self._scope["method"] == "HEAD"
        await self._send({"type": "http.response.body", "body": b"" if is_head else body})

    async def _start_response(self, status: int, headers: Mapping[str, str]) -> None:
        lines = [
            (name.lower().encode(), value.encode())
            for name, value in {**self._headers, **headers}.items()
        ]
        await self._send({"type": "http.response.start", "status": status, "headers": lines})


def has_read_all(stream: Stream, request: EventRequest) -> bool:
    """Whether the stream has ended, and the client has its last index. A client without any index
    has not read the end yet, even of a stream without chunks."""
    head, [cursor] = StreamHead.of(stream), request.cursors
    return head.has_ended and cursor >= 0 and cursor == max(head.next_index - 1, 0)

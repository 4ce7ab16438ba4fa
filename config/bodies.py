"""Bounds the bodies of requests: whoever is signed in may send a form, everybody else little."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from tempfile import SpooledTemporaryFile
from typing import Any

from django.conf import settings
from django.db.utils import Error

from config.known_sessions import known_sessions
from streaming.addresses import session_of

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
App = Any

MAX_ANONYMOUS_BYTES = 256 * 1024
"""Of a body whose session signs nobody in: a sign-in form, or a draft from before the sign-in."""
MAX_IDLE_BYTES = 16 * 1024
"""Of a body where none is expected."""
MAX_MEMORY_BYTES = 256 * 1024
"""Of a body that is kept in memory; the rest goes to a file."""
IDLE = ("GET", "HEAD", "OPTIONS", "TRACE", "DELETE")
BODY_SECONDS = 120
"""How long a body may take."""
FAREWELL_SECONDS = 2.0
"""How long a client that is refused may go on sending."""
PIECE_BYTES = 64 * 1024
UNAVAILABLE = 503

TOO_LARGE = b"This is more than this server takes at once. Please send less text.\n"
AWAY = b"The database is away for a moment. Please try again.\n"
TOO_SLOW = b"The request took too long to arrive. Please try again.\n"


def max_body_bytes(method: str, headers: Iterable[tuple[bytes, bytes]]) -> int:
    """How many bytes the body of such a request may have, as far as this process knows."""
    if method in IDLE:
        return MAX_IDLE_BYTES
    largest: int = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    is_known = known_sessions.owner(session_of(headers)) is not None
    return largest if is_known else min(MAX_ANONYMOUS_BYTES, largest)


def max_body_bytes_if_signed_in(method: str, headers: Iterable[tuple[bytes, bytes]]) -> int:
    """The same, if a session that this process does not know does sign somebody in."""
    if method in IDLE or session_of(headers) is None:
        return max_body_bytes(method, headers)
    largest: int = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    return largest


async def _max_body_bytes_when_asked(method: str, headers: Iterable[tuple[bytes, bytes]]) -> int:
    """The same, once the database has said whom the session signs in. Raises Error where it is
    away."""
    if method not in IDLE:
        await known_sessions.find_owner(session_of(headers))
    return max_body_bytes(method, headers)


class TooLarge(Exception):
    """There is more of a body than it may have."""


def bounded(app: App) -> App:
    """Call the application once the whole body is here. One that is too large is answered by 413,
    and one that does not come by 408."""

    async def bounded_app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        headers = scope["headers"]
        most = max_body_bytes(scope["method"], headers)
        with SpooledTemporaryFile(MAX_MEMORY_BYTES) as file:
            try:
                async with asyncio.timeout(BODY_SECONDS):
                    if (length := _length(headers)) > most:
                        if length > max_body_bytes_if_signed_in(scope["method"], headers):
                            raise TooLarge
                        most = await _max_body_bytes_when_asked(scope["method"], headers)
                    if length > most:
                        raise TooLarge
                    whole = await _take(receive, file, scope, most)
            except TooLarge:
                await _refuse(receive, send, 413, TOO_LARGE)
            except TimeoutError:
                await _refuse(receive, send, 408, TOO_SLOW)
            except Error:
                await _refuse(receive, send, UNAVAILABLE, AWAY)
            else:
                if whole:
                    file.seek(0)
                    await app(scope, _from(file, receive), send)

    return bounded_app


async def _take(receive: Receive, file: Any, scope: Mapping[str, Any], most: int) -> bool:
    """Put the body into the file. False when the client went away first."""
    taken, asked = 0, False
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return False
        body = message.get("body", b"")
        taken += len(body)
        if taken > most and not asked:
            asked = True
            most = await _max_body_bytes_when_asked(scope["method"], scope["headers"])
        if taken > most:
            raise TooLarge
        file.write(body)
        if not message.get("more_body"):
            return True


def _length(headers: Iterable[tuple[bytes, bytes]]) -> int:
    told = [value for name, value in headers if name == b"content-length" and value.isdigit()]
    return int(told[0][:20]) if told else 0


def _from(file: Any, receive: Receive) -> Receive:
    complete = False

    async def next_one() -> dict[str, Any]:
        nonlocal complete
        if complete:
            return await receive()
        piece = file.read(PIECE_BYTES)
        complete = len(piece) < PIECE_BYTES
        return {"type": "http.request", "body": piece, "more_body": not complete}

    return next_one


async def _refuse(receive: Receive, send: Send, status: int, text: bytes) -> None:
    """What still comes is dropped for a moment. To close at once would take the answer away from a
    client that is still sending."""
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(text)).encode()),
        (b"connection", b"close"),
        *([(b"retry-after", b"5")] if status == UNAVAILABLE else []),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text, "more_body": True})
    with suppress(TimeoutError):
        async with asyncio.timeout(FAREWELL_SECONDS):
            while (await receive()).get("more_body"):
                pass
    await send({"type": "http.response.body", "body": b""})

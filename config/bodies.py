"""Bounds the bodies of requests: whoever is signed in may send a form, everybody else little."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from tempfile import SpooledTemporaryFile
from typing import Any

from django.conf import settings

from streaming.addresses import session_of

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
App = Any

MAX_ANONYMOUS_BYTES = 256 * 1024
"""Of a body without a session's cookie: a sign-in form, or a draft from before the sign-in."""
MAX_IDLE_BYTES = 16 * 1024
"""Of a body where none is expected."""
MAX_MEMORY_BYTES = 256 * 1024
"""Of a body that is kept in memory; the rest goes to a file."""
BODY_SECONDS = 120
"""How long a body may take."""
FAREWELL_SECONDS = 2.0
"""How long a client that is refused may go on sending."""
PIECE_BYTES = 64 * 1024

TOO_LARGE = b"This is more than this server takes at once. Please send less text.\n"
TOO_SLOW = b"The request took too long to arrive. Please try again.\n"


def max_body_bytes(method: str, headers: Iterable[tuple[bytes, bytes]]) -> int:
    """How many bytes the body of such a request may have."""
    if method in ("GET", "HEAD", "OPTIONS", "TRACE", "DELETE"):
        return MAX_IDLE_BYTES
    largest: int = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    return largest if session_of(headers) else min(MAX_ANONYMOUS_BYTES, largest)


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
                if _length(headers) > most:
                    raise TooLarge
                async with asyncio.timeout(BODY_SECONDS):
                    whole = await _take(receive, file, most)
            except TooLarge:
                await _refuse(receive, send, 413, TOO_LARGE)
            except TimeoutError:
                await _refuse(receive, send, 408, TOO_SLOW)
            else:
                if whole:
                    file.seek(0)
                    await app(scope, _from(file, receive), send)

    return bounded_app


async def _take(receive: Receive, file: Any, most: int) -> bool:
    """Put the body into the file. False when the client went away first."""
    taken = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return False
        body = message.get("body", b"")
        taken += len(body)
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
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text, "more_body": True})
    with suppress(TimeoutError):
        async with asyncio.timeout(FAREWELL_SECONDS):
            while (await receive()).get("more_body"):
                pass
    await send({"type": "http.response.body", "body": b""})

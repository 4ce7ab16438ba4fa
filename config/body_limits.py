"""Limits the bodies of requests: large ones only for signed-in users."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress
from tempfile import SpooledTemporaryFile
from typing import Any

from django.conf import settings
from django.db.utils import Error
from django.utils.translation import gettext_lazy as _

from config.body_budget import BodyReservation
from config.credential_owners import credential_owners
from config.header_limits import BODY_TIMEOUT_SECONDS
from streaming.asgi import ASGIApp, Receive, Send
from streaming.doors.client_identity import get_rate_limit_address
from streaming.doors.credentials import get_credential

MAX_ANONYMOUS_BYTES = 256 * 1024
"""Bytes of a body whose session has no user: a sign-in form, or a visitor's draft."""
MAX_UNEXPECTED_BYTES = 16 * 1024
"""Bytes of a body where none is expected."""
MAX_BUFFERED_BODY_BYTES = 256 * 1024
"""Bytes of a body that stay in memory; the rest goes to a file."""
BODYLESS_METHODS = ("GET", "HEAD", "OPTIONS", "TRACE", "DELETE")
LINGERING_CLOSE_SECONDS = 2.0
"""The time for which a refused client may go on sending."""
READ_BLOCK_BYTES = 64 * 1024
RETRY_SECONDS = 5

REFUSALS = {
    408: _("The request took too long to arrive. Try again."),
    413: _("This is too long for one request. Send less text."),
    429: _("You are sending too much at once. Try again in a moment."),
    503: _("Holdfast can’t reach its database. Try again in a moment."),
}
"""The sentence by the status."""
RETRYABLE_STATUSES = (429, 503)
"""These say when to try again."""


def max_body_bytes(method: str, headers: Iterable[tuple[bytes, bytes]]) -> int:
    """The limit that follows from what this process knows about the session or token."""
    if method in BODYLESS_METHODS:
        return MAX_UNEXPECTED_BYTES
    largest: int = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    is_known = credential_owners.get_cached_owner(get_credential(headers)) is not None
    return largest if is_known else min(MAX_ANONYMOUS_BYTES, largest)


def max_body_bytes_if_signed_in(method: str, headers: Iterable[tuple[bytes, bytes]]) -> int:
    """The limit if the database knows the session or token, although this process does not."""
    if method in BODYLESS_METHODS or get_credential(headers) is None:
        return max_body_bytes(method, headers)
    largest: int = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    return largest


async def _look_up_max_body_bytes(method: str, headers: Iterable[tuple[bytes, bytes]]) -> int:
    """Query the session or token. Raises Error during an outage of the database."""
    if method not in BODYLESS_METHODS:
        await credential_owners.find_owner(get_credential(headers))
    return max_body_bytes(method, headers)


class BodyTooLarge(Exception):
    """The body is larger than it may be."""


class TooMuchAtOnce(Exception):
    """All bodies of this client together are larger than they may be."""


def limit_body(app: ASGIApp) -> ASGIApp:
    """Call the application once the body is complete. Answer 413 for a body that is too large, 429
    if the client sends too many of them, and 408 for one that does not arrive in time."""

    async def limited_app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        with (
            SpooledTemporaryFile(MAX_BUFFERED_BODY_BYTES) as file,
            BodyReservation(scope["headers"], get_rate_limit_address(scope)) as reservation,
        ):
            try:
                async with asyncio.timeout(BODY_TIMEOUT_SECONDS):
                    most = await _check_length(scope)
                    is_complete = await _read_body(receive, file, scope, most, reservation)
            except BodyTooLarge:
                await _refuse(receive, send, 413)
            except TooMuchAtOnce:
                await _refuse(receive, send, 429)
            except TimeoutError:
                await _refuse(receive, send, 408)
            except Error:
                await _refuse(receive, send, 503)
            else:
                if is_complete:
                    file.seek(0)
                    await app(scope, _replay_body(file, receive, reservation), send)

    return limited_app


async def _check_length(scope: Mapping[str, Any]) -> int:
    """Return the most bytes that the body may have. Raises BodyTooLarge, and Error during an outage
    of the database."""
    method, headers = scope["method"], scope["headers"]
    length, most = _content_length(headers), max_body_bytes(method, headers)
    if length > most:
        if length > max_body_bytes_if_signed_in(method, headers):
            raise BodyTooLarge
        most = await _look_up_max_body_bytes(method, headers)
    if length > most:
        raise BodyTooLarge
    return most


async def _read_body(
    receive: Receive,
    file: Any,
    scope: Mapping[str, Any],
    max_bytes: int,
    reservation: BodyReservation,
) -> bool:
    """Return False if the client disconnected first. A body is never refused for what visitors
    send, if the database knows its session or token."""
    taken, has_looked_up = 0, False
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return False
        body = message.get("body", b"")
        taken += len(body)
        is_reserved = reservation.try_add(len(body))
        if (taken > max_bytes or not is_reserved) and not has_looked_up:
            has_looked_up = True
            max_bytes = await _look_up_max_body_bytes(scope["method"], scope["headers"])
            is_reserved = is_reserved or reservation.try_add(len(body))
        if taken > max_bytes:
            raise BodyTooLarge
        if not is_reserved:
            raise TooMuchAtOnce
        file.write(body)
        if not message.get("more_body"):
            return True


def _content_length(headers: Iterable[tuple[bytes, bytes]]) -> int:
    lengths = [value for name, value in headers if name == b"content-length" and value.isdigit()]
    return int(lengths[0][:20]) if lengths else 0


def _replay_body(file: Any, receive: Receive, reservation: BodyReservation) -> Receive:
    complete = False

    async def receive_replayed() -> dict[str, Any]:
        nonlocal complete
        if complete:
            return await receive()
        piece = file.read(READ_BLOCK_BYTES)
        complete = len(piece) < READ_BLOCK_BYTES
        if complete:  # the answer may take as long as a reply
            file.close()
            reservation.release()
        return {"type": "http.request", "body": piece, "more_body": not complete}

    return receive_replayed


def build_refusal(status: int) -> tuple[dict[str, Any], bytes]:
    """The start of the response, and its body. Some requests have an end that nobody has read, so
    the connection ends as well."""
    text = f"{REFUSALS[status]}\n".encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(text)).encode()),
        (b"connection", b"close"),
    ]
    if status in RETRYABLE_STATUSES:
        headers.append((b"retry-after", str(RETRY_SECONDS).encode()))
    return {"type": "http.response.start", "status": status, "headers": headers}, text


async def _refuse(receive: Receive, send: Send, status: int) -> None:
    """Drop the rest of the body for a moment. Closing at once would lose the response for a client
    that is still sending."""
    start, text = build_refusal(status)
    await send(start)
    await send({"type": "http.response.body", "body": text, "more_body": True})
    with suppress(TimeoutError):
        async with asyncio.timeout(LINGERING_CLOSE_SECONDS):
            while (await receive()).get("more_body"):
                pass
    await send({"type": "http.response.body", "body": b""})

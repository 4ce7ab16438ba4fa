"""Adds the security headers to every response of the application, also to those that are made
before Django: refused bodies, a full queue, the health check, event streams and refused sockets.
The servers' own answers take the same headers from here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

from config.https import build_hsts_value, is_https
from config.security import SECURITY_HEADERS
from streaming.asgi import ASGIApp, Receive, Send

Headers = list[tuple[bytes, bytes]]

HSTS_NAME = "Strict-Transport-Security"
RESPONSE_STARTS = ("http.response.start", "websocket.http.response.start")
ERROR_MESSAGE = _("Something went wrong here. Try again in a moment.")


def choose_headers(scope: Mapping[str, Any]) -> dict[str, str]:
    """The headers of the answer to a request with this scheme and these headers. Over HTTPS, HSTS
    is one of them. A request that can't be read has no headers here, so it counts as one whose
    proxy names no scheme."""
    hsts = build_hsts_value()
    return SECURITY_HEADERS | {HSTS_NAME: hsts} if hsts and is_https(scope) else SECURITY_HEADERS


def encode_headers(headers: Mapping[str, str]) -> Headers:
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


def build_header_block(scope: Mapping[str, Any]) -> bytes:
    """The headers as they are sent, for responses that a server makes of bytes."""
    headers = choose_headers(scope)
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()


def add_missing_headers(headers: Iterable[tuple[bytes, bytes]], wanted: Headers) -> Headers:
    given = [*headers]
    names = {bytes(name).lower() for name, _value in given}
    return [*given, *(header for header in wanted if header[0] not in names)]


def add_response_headers(app: ASGIApp) -> ASGIApp:
    """Wrap the whole application, for requests and sockets."""

    async def app_with_headers(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        wanted = encode_headers(choose_headers(scope))

        async def send_with_headers(message: dict[str, Any]) -> None:
            if message["type"] in RESPONSE_STARTS:
                headers = add_missing_headers(message.get("headers", ()), wanted)
                message = {**message, "headers": headers}
            await send(message)

        await app(scope, receive, send_with_headers)

    return app_with_headers


def answer_crashes(app: ASGIApp) -> ASGIApp:
    """Wrap the application of the `http` scopes. The server's own answer to an error would have
    neither the headers nor the shape of its address. The server logs the error."""

    async def app_with_answer(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        has_started = False

        async def watched_send(message: dict[str, Any]) -> None:
            nonlocal has_started
            has_started = True
            await send(message)

        try:
            await app(scope, receive, watched_send)
        except Exception:
            if not has_started:
                await _send_error(send)
            raise

    return app_with_answer


async def _send_error(send: Send) -> None:
    text = f"{ERROR_MESSAGE}\n".encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(text)).encode()),
    ]
    await send({"type": "http.response.start", "status": 500, "headers": headers})
    await send({"type": "http.response.body", "body": text})

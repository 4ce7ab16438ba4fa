"""Lets pages of other sites use the API with an access token, if API_ORIGINS names them.

Cookies never count there: no answer allows credentials. See docs/api.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.conf import settings

from accounts.tokens.paths import API_PATHS
from chat.doors.registry import find_door
from streaming.asgi import ASGIApp, Receive, Send
from streaming.doors.origin import get_header

ALLOWED_METHODS = b"GET, HEAD, POST, PUT, PATCH, DELETE"
ALLOWED_HEADERS = b"Authorization, Content-Type, Idempotency-Key, Last-Event-ID"
EXPOSED_HEADERS = b"Retry-After, Stream-State"
PREFLIGHT_SECONDS = b"600"


def add_cors(app: ASGIApp) -> ASGIApp:
    """Wrap the application of the `http` scopes."""

    async def app_with_cors(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if not scope["path"].startswith(API_PATHS) or not settings.API_ORIGINS:
            await app(scope, receive, send)
            return
        origin = get_header(scope, b"origin")
        is_allowed = origin in settings.API_ORIGINS
        door = find_door(scope["path"])
        sent, told = (door.headers, door.answers) if door else ((), ())
        extra = [(b"vary", b"Origin")]  # a cache must not give the answer to another site
        if is_allowed:
            extra += [
                (b"access-control-allow-origin", origin.encode("latin-1")),
                (b"access-control-expose-headers", _join(EXPOSED_HEADERS, told)),
            ]
        if is_allowed and _is_preflight(scope):
            await _answer_preflight(send, extra, _join(ALLOWED_HEADERS, sent))
            return

        async def send_with_cors(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), *extra]}
            await send(message)

        await app(scope, receive, send_with_cors)

    return app_with_cors


def _is_preflight(scope: dict[str, Any]) -> bool:
    return scope["method"] == "OPTIONS" and bool(
        get_header(scope, b"access-control-request-method")
    )


def _join(common: bytes, of_door: Iterable[str]) -> bytes:
    return b", ".join([common, *(name.encode() for name in of_door)])


async def _answer_preflight(send: Send, extra: list[tuple[bytes, bytes]], allowed: bytes) -> None:
    headers = [
        *extra,
        (b"access-control-allow-methods", ALLOWED_METHODS),
        (b"access-control-allow-headers", allowed),
        (b"access-control-max-age", PREFLIGHT_SECONDS),
    ]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})

"""Gives errors of the API one shape, wherever they are made: a full queue, a body that is too long,
an address or a method that does not exist, and an error of the server are text or pages
elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from accounts.tokens.paths import API_PATHS
from chat.api.problems import encode_problem
from chat.doors.registry import find_door
from streaming.asgi import ASGIApp, Receive, Send

KEPT_HEADERS = frozenset({b"allow", b"connection", b"retry-after", b"vary", b"www-authenticate"})


def shape_api_errors(app: ASGIApp) -> ASGIApp:
    """Wrap the application of the `http` scopes. Errors that are JSON already stay."""

    async def app_with_shaped_errors(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        encode_error = _find_error_encoder(scope["path"])
        if encode_error is None:
            await app(scope, receive, send)
            return
        body: bytes | None = None  # of the problem, until it is sent; then empty

        async def send_shaped(message: dict[str, Any]) -> None:
            nonlocal body
            if message["type"] == "http.response.start":
                if _needs_shape(message):
                    body, content_type = encode_error(message["status"])
                    message = _build_start(message, len(body), content_type)
                    body = b"" if scope["method"] == "HEAD" else body
                await send(message)
            elif body is None:
                await send(message)
            else:
                # Each part is still a part: a refused upload is read on between the first and the
                # last one.
                await send({**message, "body": body})
                body = b""

        await app(scope, receive, send_shaped)

    return app_with_shaped_errors


def _needs_shape(start: dict[str, Any]) -> bool:
    kinds = [value for name, value in start.get("headers", ()) if name.lower() == b"content-type"]
    return start["status"] >= 400 and not any(b"json" in kind for kind in kinds)


def _find_error_encoder(path: str) -> Callable[[int], tuple[bytes, str]] | None:
    if door := find_door(path):
        return door.encode_error
    return encode_problem if path.startswith(API_PATHS) else None


def _build_start(start: dict[str, Any], length: int, content_type: str) -> dict[str, Any]:
    kept = [(name, value) for name, value in start["headers"] if name.lower() in KEPT_HEADERS]
    headers = [
        *kept,
        (b"content-type", content_type.encode()),
        (b"content-length", str(length).encode()),
        (b"cache-control", b"no-store"),
    ]
    return {**start, "headers": headers}

"""Gives errors of the API one shape, wherever they are made: a full queue, a body that is too long,
an address or a method that does not exist, and an error of the server are text or pages
elsewhere."""

from __future__ import annotations

import json
from typing import Any

from django.utils.translation import gettext_lazy as _

from accounts.tokens.paths import API_PATH
from chat.api.problems import CONTENT_TYPE, Problem
from streaming.asgi import ASGIApp, Receive, Send

KEPT_HEADERS = frozenset({b"allow", b"connection", b"retry-after", b"vary", b"www-authenticate"})
CODES = {
    400: ("bad_request", _("The server can’t read this request. See docs/api.md.")),
    403: ("forbidden", _("You may not do this.")),
    404: ("not_found", _("There is no such thing, or it is not yours.")),
    405: ("bad_method", _("This address does not take this method. See docs/api.md.")),
    408: ("too_slow", _("The request took too long to arrive. Try again.")),
    413: ("too_large", _("This is too long for one request. Send less text.")),
    429: ("too_many", _("That was too often. Try again in a moment.")),
    503: ("unavailable", _("The server is busy. Try again in a moment.")),
}
SERVER_ERROR = ("server_error", _("Something went wrong here. Try again in a moment."))


def shape_api_errors(app: ASGIApp) -> ASGIApp:
    """Wrap the application of the `http` scopes. Errors that are JSON already stay."""

    async def app_with_shaped_errors(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if not scope["path"].startswith(API_PATH):
            await app(scope, receive, send)
            return
        body: bytes | None = None  # of the problem, until it is sent; then empty

        async def send_shaped(message: dict[str, Any]) -> None:
            nonlocal body
            if message["type"] == "http.response.start":
                if _needs_shape(message):
                    body = _encode_problem(message["status"])
                    message = _build_start(message, len(body))
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


def _encode_problem(status: int) -> bytes:
    return json.dumps(Problem(status, *CODES.get(status, SERVER_ERROR)).to_body()).encode()


def _build_start(start: dict[str, Any], length: int) -> dict[str, Any]:
    kept = [(name, value) for name, value in start["headers"] if name.lower() in KEPT_HEADERS]
    headers = [
        *kept,
        (b"content-type", CONTENT_TYPE.encode()),
        (b"content-length", str(length).encode()),
        (b"cache-control", b"no-store"),
    ]
    return {**start, "headers": headers}

"""Requests and handshakes as a server passes them to the application, in this process."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

TIMEOUT_SECONDS = 60.0
Headers = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class RawRequest:
    """A request, printed if its response is a server error."""

    method: str
    target: str
    headers: Headers
    body: bytes = b""
    address: str = "127.0.0.1"

    def __str__(self) -> str:
        return f"{self.method} {self.target[:300]} {self.headers!r:.1500} {self.body[:500]!r}"


def _build_scope(request: RawRequest, kind: str) -> dict[str, Any]:
    path, _, query = request.target.partition("?")
    return {
        "type": kind,
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http" if kind == "http" else "ws",
        "path": unquote(path),  # as Daphne and Uvicorn do
        "raw_path": path.encode("latin-1", "replace"),
        "query_string": query.encode("latin-1", "replace"),
        "root_path": "",
        "headers": [*request.headers],
        "client": (request.address, 50_000),
        "server": ("127.0.0.1", 8000),
        "subprotocols": [],
        "extensions": {},
    }


async def send_http(application: Any, request: RawRequest) -> tuple[int, str, str]:
    """Send a request. Return the status, the content type and the text of the response."""
    parts: list[dict[str, Any]] = []
    incoming = [{"type": "http.request", "body": request.body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        if incoming:
            return incoming.pop()
        await asyncio.sleep(TIMEOUT_SECONDS)  # the client stays connected for the complete response
        return {"type": "http.disconnect"}

    async def send(part: dict[str, Any]) -> None:
        parts.append(part)

    await asyncio.wait_for(
        application(_build_scope(request, "http"), receive, send), TIMEOUT_SECONDS
    )
    start, *bodies = parts
    headers = {name.lower(): value for name, value in start["headers"]}
    text = b"".join(part.get("body", b"") for part in bodies).decode(errors="replace")
    return start["status"], headers.get(b"content-type", b"").decode("latin-1"), text


async def open_socket(
    application: Any,
    request: RawRequest,
    frames: Sequence[str | bytes],
    extensions: Mapping[str, Any] | None = None,
    awaited: str = "",
) -> list[Any]:
    """Return the messages that the application sends over a socket when a client sends these
    frames, on a server with these extensions. The client stays until a message holds the awaited
    text, or the application closes."""
    scope = _build_scope(request, "websocket") | {"extensions": extensions or {}}
    incoming: list[dict[str, Any]] = [{"type": "websocket.connect"}]
    for frame in frames:
        kind = "text" if isinstance(frame, str) else "bytes"
        incoming.append({"type": "websocket.receive", kind: frame})
    incoming.append({"type": "websocket.disconnect", "code": 1001})
    answers: list[Any] = []

    is_answered = asyncio.Event()

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0)
        if len(incoming) == 1 and awaited:
            await is_answered.wait()
        if incoming:
            return incoming.pop(0)
        await asyncio.sleep(TIMEOUT_SECONDS)  # a closed socket sends nothing more
        return {"type": "websocket.disconnect", "code": 1001}

    async def send(part: dict[str, Any]) -> None:
        answers.append(part)
        if part["type"] == "websocket.close" or awaited in (part.get("text") or ""):
            is_answered.set()

    await asyncio.wait_for(application(scope, receive, send), TIMEOUT_SECONDS)
    return answers

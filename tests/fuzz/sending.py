"""Requests and handshakes as a server passes them to the application, in this process."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

SECONDS = 60.0
Headers = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Sent:
    """A sent request, to be shown if its response is a server error."""

    method: str
    target: str
    headers: Headers
    body: bytes = b""
    address: str = "127.0.0.1"

    def __str__(self) -> str:
        return f"{self.method} {self.target[:300]} {self.headers!r:.1500} {self.body[:500]!r}"


def _scope(sent: Sent, kind: str) -> dict[str, Any]:
    path, _, query = sent.target.partition("?")
    return {
        "type": kind,
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": sent.method,
        "scheme": "http" if kind == "http" else "ws",
        "path": unquote(path),  # as Daphne and Uvicorn do
        "raw_path": path.encode("latin-1", "replace"),
        "query_string": query.encode("latin-1", "replace"),
        "root_path": "",
        "headers": [*sent.headers],
        "client": (sent.address, 50_000),
        "server": ("127.0.0.1", 8000),
        "subprotocols": [],
        "extensions": {},
    }


async def request(application: Any, sent: Sent) -> tuple[int, str, str]:
    """The status, the content type and the text of the response."""
    parts: list[dict[str, Any]] = []
    incoming = [{"type": "http.request", "body": sent.body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        if incoming:
            return incoming.pop()
        await asyncio.sleep(SECONDS)  # the client stays connected for the complete response
        return {"type": "http.disconnect"}

    async def send(part: dict[str, Any]) -> None:
        parts.append(part)

    await asyncio.wait_for(application(_scope(sent, "http"), receive, send), SECONDS)
    start, *bodies = parts
    headers = {name.lower(): value for name, value in start["headers"]}
    text = b"".join(part.get("body", b"") for part in bodies).decode(errors="replace")
    return start["status"], headers.get(b"content-type", b"").decode("latin-1"), text


async def socket(
    application: Any,
    sent: Sent,
    frames: Sequence[str | bytes],
    extensions: Mapping[str, Any] | None = None,
) -> list[Any]:
    """Return the messages that the application sends over a socket when a client sends these
    frames, on a server with these extensions."""
    scope = _scope(sent, "websocket") | {"extensions": extensions or {}}
    incoming: list[dict[str, Any]] = [{"type": "websocket.connect"}]
    for frame in frames:
        kind = "text" if isinstance(frame, str) else "bytes"
        incoming.append({"type": "websocket.receive", kind: frame})
    incoming.append({"type": "websocket.disconnect", "code": 1001})
    answers: list[Any] = []

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0)
        if incoming:
            return incoming.pop(0)
        await asyncio.sleep(SECONDS)  # a closed socket sends nothing more
        return {"type": "websocket.disconnect", "code": 1001}

    async def send(part: dict[str, Any]) -> None:
        answers.append(part)

    await asyncio.wait_for(application(scope, receive, send), SECONDS)
    return answers

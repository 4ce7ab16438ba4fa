"""Gives every answer the headers and the shape of its address: also those that a server makes of
bytes before it calls the application."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

from config.api_errors import shape_api_errors
from config.cors import add_cors
from config.response_headers import add_response_headers, answer_crashes
from streaming.asgi import ASGIApp, Receive, Send


def complete_answers(app: ASGIApp) -> ASGIApp:
    """Wrap the application of the `http` scopes."""
    return add_response_headers(add_cors(shape_api_errors(answer_crashes(app))))


def build_early_answer(
    scope: Mapping[str, Any], start: dict[str, Any], body: bytes
) -> tuple[dict[str, Any], bytes]:
    """The start and the body as a client gets them. Nothing here waits, so that a server can call
    this for each part of a request that arrives."""
    sent: list[dict[str, Any]] = []

    async def answer(_scope: dict[str, Any], _receive: Receive, send: Send) -> None:
        await send(start)
        await send({"type": "http.response.body", "body": body})

    async def collect(message: dict[str, Any]) -> None:
        sent.append(message)

    # Without a task, which would run later.
    steps = complete_answers(answer)(dict(scope), _receive_nothing, collect)
    try:
        steps.send(None)
    except StopIteration:
        first, *parts = sent
        return first, b"".join(part["body"] for part in parts)
    raise RuntimeError("an early answer waits for something")


def encode_early_answer(scope: Mapping[str, Any], start: dict[str, Any], body: bytes) -> bytes:
    """The same as bytes of HTTP/1.1."""
    start, body = build_early_answer(scope, start, body)
    lines = [f"HTTP/1.1 {start['status']} {HTTPStatus(start['status']).phrase}".encode()]
    lines += [name + b": " + value for name, value in start["headers"]]
    return b"\r\n".join([*lines, b"", b"" if scope["method"] == "HEAD" else body])


def build_scope(
    method: str, target: bytes, headers: list[tuple[bytes, bytes]], scheme: str
) -> dict[str, Any]:
    """The scope of a request that its server has not read to the end."""
    path = unquote(target.partition(b"?")[0].decode("latin-1"))
    names = {"method": method, "path": path, "scheme": scheme}
    return {"type": "http", **names, "headers": [(name.lower(), value) for name, value in headers]}


async def _receive_nothing() -> dict[str, Any]:
    return {"type": "http.disconnect"}

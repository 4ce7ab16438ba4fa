"""The application that serves the socket."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from channels.routing import URLRouter
from django.urls import path, re_path

from streaming.asgi import ASGIApp, Receive, Send
from streaming.doors.origin import require_same_origin
from streaming.doors.websocket.consumer import FollowConsumer


def build_websocket_app(route: str = "ws/", others: Mapping[str, ASGIApp] | None = None) -> ASGIApp:
    """The application for the `websocket` scopes of a server. `others` are further sockets by their
    addresses."""
    socket: Any = FollowConsumer.as_asgi()
    no_socket: Any = reject_unknown_socket
    sockets: Mapping[str, Any] = {route: socket, **(others or {})}
    routes = [path(where, app) for where, app in sockets.items()]
    return require_same_origin(URLRouter([*routes, re_path("", no_socket)]))


async def reject_unknown_socket(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Answer 404 at an address without a socket, or 403 where the server can send nothing else."""
    await receive()
    if "websocket.http.response" in (scope.get("extensions") or {}):
        headers = [(b"content-type", b"text/plain")]
        await send({"type": "websocket.http.response.start", "status": 404, "headers": headers})
        await send({"type": "websocket.http.response.body", "body": b"There is no socket here.\n"})
    else:
        await send({"type": "websocket.close"})

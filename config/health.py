"""Answers whether this process works. It queries neither the database nor Redis, so that their
outage does not make a supervisor restart a process that can continue without them. It also waits
for no thread, because a flood of requests may have taken all."""

from __future__ import annotations

from typing import Any

from streaming.asgi import ASGIApp, Receive, Send

HEALTH_PATH = "/healthz"
OK = b"ok\n"


def add_health_check(app: ASGIApp) -> ASGIApp:
    """Wraps the application and answers the health check beside it."""

    async def app_with_health(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["path"] != HEALTH_PATH:
            await app(scope, receive, send)
            return
        headers = [
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", b"%d" % len(OK)),
        ]
        body = b"" if scope["method"] == "HEAD" else OK
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app_with_health

"""Whether this process answers. It asks nothing of the database or of Redis, so that their
trouble does not make a supervisor restart a process that carries on without them; nor does it wait
for a thread, which a flood of requests may have taken."""

from __future__ import annotations

from typing import Any

from config.body_limits import ASGIApp, Receive, Send

HEALTH_PATH = "/healthz"
OK = b"ok\n"


def add_health_check(app: ASGIApp) -> ASGIApp:
    """The application, and beside it the address that says whether the process answers."""

    async def app_with_health(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["path"] != HEALTH_PATH:
            await app(scope, receive, send)
            return
        headers = [
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", b"%d" % len(OK)),
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
        ]
        body = b"" if scope["method"] == "HEAD" else OK
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app_with_health

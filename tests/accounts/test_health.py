"""The address that a supervisor polls."""

from __future__ import annotations

from typing import Any

import pytest

from config.health import add_health_check


async def application(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 404})


@pytest.mark.parametrize(
    ("path", "method", "status", "body"),
    [
        ("/healthz", "GET", 200, b"ok\n"),
        ("/healthz", "HEAD", 200, b""),
        ("/healthz/", "GET", 404, None),
        ("/", "GET", 404, None),
    ],
)
async def test_only_the_health_address_is_answered(
    path: str, method: str, status: int, body: bytes | None
) -> None:
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "http", "path": path, "method": method}
    await add_health_check(application)(scope, lambda: None, send)
    assert sent[0]["status"] == status
    assert sent[-1].get("body") == body

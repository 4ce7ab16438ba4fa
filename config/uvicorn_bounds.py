"""Lets no client of Uvicorn choose its own address: unless it is told otherwise, Uvicorn believes
X-Forwarded-For of whoever connects from this machine. What proxies say is read by `PROXIES`."""

from __future__ import annotations

from typing import Any

from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware


def bound() -> None:
    """From now on, for every request and socket."""
    ProxyHeadersMiddleware.__call__ = _pass_on  # type: ignore[method-assign]


async def _pass_on(self: Any, scope: Any, receive: Any, send: Any) -> None:
    await self.app(scope, receive, send)

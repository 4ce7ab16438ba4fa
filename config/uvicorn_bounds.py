"""Bounds what Uvicorn takes in before the application is asked: it would keep headers of any
length, wait for them for ever, and let each socket hold a frame of 16 MB.

And lets no client of it choose its own address: unless it is told otherwise, Uvicorn believes
X-Forwarded-For of whoever connects from this machine. What proxies say is read by `PROXIES`."""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import Any

import h11
from uvicorn.config import Config
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from config.headers import HEADERS_SECONDS, MAX_FRAME_BYTES, MAX_HEADER_BYTES
from config.health import PATH as HEALTH
from config.logs import MAX_METHOD_CHARS, path_for_log

TOO_LONG = "The headers of this request are too long."


class InTime(asyncio.Protocol):
    """A connection on which headers have to be complete in time, however busily it drips. Between
    two requests, Uvicorn closes it itself."""

    loop: asyncio.AbstractEventLoop
    transport: asyncio.Transport
    cycle: Any
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._expect_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._have_headers()
        super().connection_lost(exc)

    def _expect_headers(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(HEADERS_SECONDS, self._close_if_late)

    def _have_headers(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _close_if_late(self) -> None:
        self._deadline = None
        if self.cycle is not None and not self.cycle.response_complete:
            self._expect_headers()  # an earlier request on this connection is still being answered
        else:
            self.transport.close()


class BoundedHttpTools(InTime, HttpToolsProtocol):
    """Counts what the parser may have kept: all that came since the last byte of a body."""

    _awaits_headers = True
    _kept = 0

    def data_received(self, data: bytes) -> None:
        if self._awaits_headers:
            self._expect_headers()
        self._kept += len(data)
        super().data_received(data)
        if self._kept > MAX_HEADER_BYTES and not self.transport.is_closing():
            self.send_400_response(TOO_LONG)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._expect_headers()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Trailers are no headers: nobody reads them, and a proxy may not have looked at them."""
        if self._awaits_headers:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._have_headers()
        self._awaits_headers = False
        self._kept = 0
        length = sum(len(name) + len(value) for name, value in self.headers)
        if len(self.url) + length > MAX_HEADER_BYTES:
            raise ValueError(TOO_LONG)  # answered by 400
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._kept = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._kept = 0
        self._awaits_headers = True
        super().on_message_complete()


class BoundedH11(InTime, H11Protocol):
    """Its parser counts for itself."""

    def data_received(self, data: bytes) -> None:
        if self.conn.their_state is h11.IDLE:
            self._expect_headers()
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._have_headers()


def bound() -> None:
    """From now on, for every connection, request and socket."""
    ProxyHeadersMiddleware.__call__ = _pass_on  # type: ignore[method-assign]
    # Every kind of socket asks the configuration, which is there already.
    Config.ws_max_size = property(_max_frame_bytes, _set_max_frame_bytes)  # type: ignore[assignment]
    # Uvicorn has chosen its class by now, so that is what has to make another one.
    HttpToolsProtocol.__new__ = lambda *_, **__: object.__new__(BoundedHttpTools)  # type: ignore[method-assign,assignment]
    H11Protocol.__new__ = lambda *_, **__: object.__new__(BoundedH11)  # type: ignore[method-assign,assignment]
    for name, module in [*sys.modules.items()]:
        if name.startswith("uvicorn.protocols.") and hasattr(module, "get_path_with_query_string"):
            module.get_path_with_query_string = _path_to_log  # type: ignore[attr-defined]
    logging.getLogger("uvicorn.access").addFilter(_logs_access)


async def _pass_on(self: Any, scope: Any, receive: Any, send: Any) -> None:
    await self.app(scope, receive, send)


def _max_frame_bytes(self: Any) -> int:
    return min(vars(self)["ws_max_size"], MAX_FRAME_BYTES)


def _set_max_frame_bytes(self: Any, size: int) -> None:
    vars(self)["ws_max_size"] = size


def _path_to_log(scope: Any) -> str:
    return path_for_log(scope["path"])


def _logs_access(record: logging.LogRecord) -> bool:
    """Uvicorn gives client, method, path, version and status, and its own formatter wants them."""
    if not isinstance(record.args, tuple) or len(record.args) != 5:
        return True
    client, method, path, *rest = record.args
    record.args = (client, str(method)[:MAX_METHOD_CHARS], path, *rest)
    return path != HEALTH

"""Limits what Uvicorn reads before it calls the application: it would store headers of any length,
wait for them without limit, and let each socket hold a frame of 16 MB. Adds the security headers to
what Uvicorn answers itself.

Also prevents that a client chooses its own address: by default Uvicorn believes X-Forwarded-For of
every connection from this machine. Only `TRUSTED_PROXY_COUNT` decides which proxies are believed.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable, Sequence
from typing import Any, Literal

import h11
from uvicorn.config import Config
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware
from uvicorn.protocols.http import h11_impl, httptools_impl
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets import websockets_sansio_impl
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol

from config.early_answers import complete_answers
from config.header_limits import HEADER_TIMEOUT_SECONDS, MAX_FRAME_BYTES, MAX_HEADER_BYTES
from config.health import HEALTH_PATH as HEALTH
from config.https import FORWARDED_PROTO
from config.logs import NO_CLIENT, ErrorTextFilter, method_for_log, path_for_log
from config.response_headers import build_header_block, choose_headers
from config.uvicorn_chunks import PacedH11Protocol
from config.uvicorn_frames import PacedUvicornProtocol
from config.uvicorn_unread import WatchedUvicornProtocol
from config.uvicorn_upgrade import UpgradeIgnoringProtocol
from streaming.doors.sender import BREAK_KEY

HEADERS_TOO_LONG_MESSAGE = "The headers of this request are too long."
BAD_REQUEST_HEADERS = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"Connection: close\r\nContent-Length: %d\r\n%b\r\n"
)
SWITCHING_PROTOCOLS = 101


class HeaderTimeoutProtocol(WatchedUvicornProtocol):
    """A connection on which headers have to be complete in time, however slowly they arrive.
    Between two requests, Uvicorn closes it itself."""

    loop: asyncio.AbstractEventLoop
    scheme: Literal["http", "https"] | None
    cycle: Any
    running_cycle: Any
    _header_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._start_header_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_header_timer()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        cycle = self.running_cycle
        if cycle is not None and cycle.response_started and not cycle.response_complete:
            self.transport.close()  # a second answer would be wrong
            return
        block = build_header_block({"headers": (), "scheme": self.scheme})
        self.transport.write(BAD_REQUEST_HEADERS % (len(msg), block) + msg.encode())
        self.transport.close()

    def _start_header_timer(self) -> None:
        if self._header_timer is None:
            self._header_timer = self.loop.call_later(
                HEADER_TIMEOUT_SECONDS, self._on_header_timeout
            )

    def _cancel_header_timer(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def _on_header_timeout(self) -> None:
        self._header_timer = None
        if self.cycle is not None and not self.cycle.response_complete:
            self._start_header_timer()  # an earlier request on this connection is still running
        else:
            self.transport.close()


class LimitedHttpToolsProtocol(HeaderTimeoutProtocol, UpgradeIgnoringProtocol):
    """Counts the bytes that the parser may hold: all that arrived since the last byte of a body."""

    _is_reading_headers = True
    _unparsed_bytes = 0

    def parse(self, data: memoryview) -> None:
        if self._is_reading_headers:
            self._start_header_timer()
        self._unparsed_bytes += len(data)
        super().parse(data)
        if self._unparsed_bytes > MAX_HEADER_BYTES and not self.transport.is_closing():
            self.send_400_response(HEADERS_TOO_LONG_MESSAGE)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._start_header_timer()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Drop trailers: nothing reads them, and a proxy may not have checked them."""
        if self._is_reading_headers:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._cancel_header_timer()
        self._is_reading_headers = False
        self._unparsed_bytes = 0
        length = sum(len(name) + len(value) for name, value in self.headers)
        if len(self.url) + length > MAX_HEADER_BYTES:
            raise ValueError(HEADERS_TOO_LONG_MESSAGE)  # answered with 400
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._unparsed_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._unparsed_bytes = 0
        self._is_reading_headers = True
        super().on_message_complete()


class LimitedH11Protocol(HeaderTimeoutProtocol, PacedH11Protocol):
    """h11 counts its own bytes."""

    def parse(self, data: memoryview) -> None:
        if self.conn.their_state is h11.IDLE:
            self._start_header_timer()
        super().parse(data)
        if self.conn.their_state is not h11.IDLE:
            self._cancel_header_timer()


class RefusingServerProtocol(ServerProtocol):
    """Adds the security headers to the refusal of a handshake, also to that of the library."""

    _forwarded_protos: Sequence[tuple[bytes, bytes]] = ()

    def accept(self, request: Request) -> Response:
        values = request.headers.get_all(FORWARDED_PROTO.decode())
        self._forwarded_protos = [(FORWARDED_PROTO, v.encode(errors="replace")) for v in values]
        return super().accept(request)

    def send_response(self, response: Response) -> None:
        if response.status_code != SWITCHING_PROTOCOLS:
            self._add_headers(response)
        super().send_response(response)

    def encode_refusal(self, status: int, text: str) -> bytes:
        """For a handshake that the library could not read, after which it sends nothing."""
        response = self.reject(status, text)
        self._add_headers(response)
        return response.serialize()

    def _add_headers(self, response: Response) -> None:
        # The library does not know whether the socket is one of TLS.
        own = choose_headers({"headers": self._forwarded_protos, "scheme": "ws"})
        for name, value in own.items():
            if name not in response.headers:
                response.headers[name] = value


def install_limits() -> None:
    """Use these classes from now on, for every connection, request and socket."""
    websockets_sansio_impl.ServerProtocol = RefusingServerProtocol  # type: ignore[attr-defined]
    ProxyHeadersMiddleware.__call__ = _skip_proxy_headers  # type: ignore[method-assign]
    # Every kind of socket reads the configuration, which exists already.
    Config.ws_max_size = property(_get_ws_max_size, _set_ws_max_size)  # type: ignore[assignment]
    # Uvicorn has chosen its class already, so that class has to create ours.
    HttpToolsProtocol.__new__ = lambda *_, **__: object.__new__(LimitedHttpToolsProtocol)  # type: ignore[method-assign,assignment]
    websockets_sansio_impl.WebSocketsSansIOProtocol.__new__ = lambda *_, **__: object.__new__(  # type: ignore[method-assign,assignment]
        PacedUvicornProtocol
    )
    H11Protocol.__new__ = lambda *_, **__: object.__new__(LimitedH11Protocol)  # type: ignore[method-assign,assignment]
    for cycle in (httptools_impl.RequestResponseCycle, h11_impl.RequestResponseCycle):
        cycle.send = _make_breakable(cycle.send)  # type: ignore[method-assign]
    for name, module in [*sys.modules.items()]:
        if name.startswith("uvicorn.protocols.") and hasattr(module, "get_path_with_query_string"):
            module.get_path_with_query_string = _get_path_for_log  # type: ignore[attr-defined]
        if name.startswith("uvicorn.protocols.") and hasattr(module, "get_client_addr"):
            module.get_client_addr = _hide_client  # type: ignore[attr-defined]
        if name.startswith("uvicorn.protocols.") and hasattr(module, "service_unavailable"):
            module.service_unavailable = complete_answers(module.service_unavailable)  # type: ignore[attr-defined]
    logging.getLogger("uvicorn.access").addFilter(_filter_access_record)
    logging.getLogger("uvicorn.error").addFilter(ErrorTextFilter())


def _make_breakable(send: Callable[..., Any]) -> Callable[..., Any]:
    """Uvicorn breaks a connection whose response is incomplete, but logs an error as well."""

    async def send_or_break(self: Any, message: dict[str, Any]) -> None:
        if message.get(BREAK_KEY):
            self.disconnected = True
            self.transport.close()
        else:
            await send(self, message)

    return send_or_break


async def _skip_proxy_headers(self: Any, scope: Any, receive: Any, send: Any) -> None:
    await self.app(scope, receive, send)


def _get_ws_max_size(self: Any) -> int:
    return min(vars(self)["ws_max_size"], MAX_FRAME_BYTES)


def _set_ws_max_size(self: Any, size: int) -> None:
    vars(self)["ws_max_size"] = size


def _hide_client(scope: Any) -> str:
    return NO_CLIENT


def _get_path_for_log(scope: Any) -> str:
    return path_for_log(scope["path"])


def _filter_access_record(record: logging.LogRecord) -> bool:
    """Uvicorn's records have the arguments client, method, path, version and status; its formatter
    needs all of them."""
    if not isinstance(record.args, tuple) or len(record.args) != 5:
        return True
    client, method, path, *rest = record.args
    record.args = (client, method_for_log(method), path, *rest)
    return path != HEALTH

"""The network under the SDKs' HTTP library, straight on asyncio's own transports.

The library's own network, anyio, sets up and takes down a scope for each read, and puts the socket
into the selector and takes it out again. With one event to a read, as a rule, an event costs
56 µs of CPU with this and 70 µs with anyio, from the socket to the delta (0.80; with many events to
a read 0.97).
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from asyncio import FIRST_COMPLETED
from collections import deque
from collections.abc import Iterable
from typing import Any, cast

import httpcore2
import httpx2

from streaming.providers.catalog.options import AddressCheck

MAX_BUFFERED_BYTES = 256 * 1024
"""With more of them waiting here, the provider has to wait as well."""
HAPPY_EYEBALLS_DELAY_SECONDS = 0.25
"""How long one address of a host may be silent before the next one is tried beside it."""


class AsyncioTransport(httpx2.AsyncHTTPTransport):
    """The HTTP library's transport, over this network."""

    def __init__(
        self, ssl_context: ssl.SSLContext, check_addresses: AddressCheck | None = None
    ) -> None:
        super().__init__(verify=ssl_context)
        # The library hands no network backend on. If it renames its pool, this must fail.
        assert isinstance(self._pool, httpcore2.AsyncConnectionPool)
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=ssl_context, network_backend=AsyncioBackend(check_addresses)
        )


class AsyncioBackend(httpcore2.AsyncNetworkBackend):
    """Opens connections, to hosts whose addresses the check lets pass."""

    def __init__(self, check_addresses: AddressCheck | None = None) -> None:
        self.check_addresses = check_addresses

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> AsyncioConnection:
        """Raises ConnectTimeout and ConnectError. Local addresses and options are ignored."""
        try:
            async with asyncio.timeout(timeout):
                return await connect_happy_eyeballs(host, port, self.check_addresses)
        except TimeoutError as error:
            raise httpcore2.ConnectTimeout from error
        except OSError as error:
            raise httpcore2.ConnectError(str(error)) from error


async def connect_happy_eyeballs(
    host: str, port: int, check_addresses: AddressCheck | None = None
) -> AsyncioConnection:
    """Connect to the first of the host's addresses that answers; while one is silent, the next is
    tried beside it. asyncio's own loop could do this, but uvloop's can't.

    The name is resolved once: what is dialled is what was checked. Raises OSError."""
    loop = asyncio.get_running_loop()
    addresses = deque(await resolve_host(host, port, check_addresses))
    tries: set[asyncio.Task[AsyncioConnection]] = set()
    try:
        while True:
            if addresses:
                tries.add(loop.create_task(_connect_address(addresses.popleft(), port)))
            silence = HAPPY_EYEBALLS_DELAY_SECONDS if addresses else None
            over, _ = await asyncio.wait(tries, timeout=silence, return_when=FIRST_COMPLETED)
            for attempt in over:
                tries.discard(attempt)
                if (error := attempt.exception()) is None:
                    return attempt.result()
                if not tries and not addresses:
                    raise error
    finally:
        for attempt in tries:
            attempt.cancel()
            attempt.add_done_callback(_abort_late_connection)


async def resolve_host(
    host: str, port: int, check_addresses: AddressCheck | None = None
) -> list[str]:
    """All addresses of the host, which the check lets pass. Raises OSError."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(address[0]) for *_, address in found))
    if check_addresses:
        check_addresses(host, port, addresses)
    return addresses


def _abort_late_connection(attempt: asyncio.Task[AsyncioConnection]) -> None:
    if not attempt.cancelled() and attempt.exception() is None:
        attempt.result().transport.abort()


async def _connect_address(address: str, port: int) -> AsyncioConnection:
    _, connection = await asyncio.get_running_loop().create_connection(
        AsyncioConnection, address, port
    )
    return connection


class AsyncioConnection(asyncio.Protocol, httpcore2.AsyncNetworkStream):
    """One connection, read and written by one call."""

    def __init__(self) -> None:
        self.read_buffer = bytearray()
        self.read_waiter: asyncio.Future[None] | None = None
        self.writable = asyncio.Event()
        self.writable.set()
        self.is_closed = False
        self.error: Exception | None = None
        self.transport: asyncio.Transport

    # Called by the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is none by its class

    def data_received(self, data: bytes) -> None:
        self.read_buffer += data
        if len(self.read_buffer) > MAX_BUFFERED_BYTES:
            self.transport.pause_reading()
        self._wake_reader()

    def eof_received(self) -> None:
        self.is_closed = True
        self._wake_reader()

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_closed, self.error = True, exc
        self.writable.set()
        self._wake_reader()

    def pause_writing(self) -> None:
        self.writable.clear()

    def resume_writing(self) -> None:
        self.writable.set()

    def _wake_reader(self, error: Exception | None = None) -> None:
        if self.read_waiter is not None and not self.read_waiter.done():
            if error is None:
                self.read_waiter.set_result(None)
            else:
                self.read_waiter.set_exception(error)

    # Called by the HTTP library

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Received bytes, or the next ones; empty at the end. Raises ReadTimeout and ReadError."""
        if not self.read_buffer and not self.is_closed:
            await self._wait_for_data(timeout)
        data = bytes(self.read_buffer[:max_bytes])
        del self.read_buffer[:max_bytes]
        if not data and self.error is not None:
            raise httpcore2.ReadError(str(self.error))
        if not self.is_closed and len(self.read_buffer) <= MAX_BUFFERED_BYTES:
            self.transport.resume_reading()  # does nothing unless it was paused
        return data

    async def _wait_for_data(self, timeout: float | None) -> None:
        loop = asyncio.get_running_loop()
        self.read_waiter = loop.create_future()
        late = timeout and loop.call_later(timeout, self._wake_reader, httpcore2.ReadTimeout())
        try:
            await self.read_waiter
        finally:
            self.read_waiter = None
            if late:
                late.cancel()

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Returns when there is room for more. Raises WriteTimeout and WriteError."""
        if self.is_closed:
            raise httpcore2.WriteError(str(self.error or "The connection is closed."))
        self.transport.write(buffer)
        try:
            async with asyncio.timeout(timeout):
                await self.writable.wait()
        except TimeoutError as error:
            raise httpcore2.WriteTimeout from error

    async def aclose(self) -> None:
        """Close at once, without a TLS farewell that the other side would have to answer."""
        self.transport.abort()
        await asyncio.sleep(0)

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> AsyncioConnection:
        """Raises ConnectTimeout and ConnectError."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout):
                secure = await loop.start_tls(
                    self.transport, self, ssl_context, server_hostname=server_hostname
                )
        except TimeoutError as error:
            raise httpcore2.ConnectTimeout from error
        except OSError as error:  # an untrusted certificate is one, too
            raise httpcore2.ConnectError(str(error)) from error
        assert secure is not None
        self.transport = secure
        return self

    def get_extra_info(self, info: str) -> Any:
        """The negotiated protocol, and whether the other side closed an idle connection."""
        if info == "is_readable":
            return self.is_closed or bool(self.read_buffer)
        return self.transport.get_extra_info(info)

"""The bodies of one-way doors: sent as fast as their clients read, and broken off beyond a limit.

Nothing acknowledges the parts of an HTTP response. Only its server knows how many bytes it still
holds, because the client's machine has not taken them. A web server that registers its connections
here lets a body wait for its reader, and be broken off. Without one, `send` of the server has to
wait.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

from streaming.asgi import Send
from streaming.conf import engine_settings

READ_TIMEOUT_SECONDS = 30.0
"""How long a client may read nothing while the server has something to send."""
MAX_UNREAD_BYTES_PER_RESPONSE = 2 * 2**20
"""In its server. A response waits for its reader long before, unless many parts are sent at the
same time."""
PIECE_BYTES = 64 * 1024
"""The most bytes that are sent at once. Both servers let a body wait while they hold more."""
MAX_POLL_SECONDS = 0.5
CHECK_DELAY_SECONDS = 0.05
"""How long unread bytes may exceed a limit."""


class ClientConnection(Protocol):
    """The connection of one request, as its server sees it."""

    def is_writable(self) -> bool:
        """Whether the client keeps up."""

    async def wait_until_writable(self) -> None:
        """Wait until the client has read, or is gone."""

    def count_unread_bytes(self) -> int:
        """The bytes in this process that wait for the client. 0 for a client that is gone."""

    def abort(self) -> None:
        """Close without sending these bytes."""


_connection: ContextVar[ClientConnection | None] = ContextVar("client_connection", default=None)


@contextmanager
def use_connection(connection: ClientConnection) -> Iterator[None]:
    """Requests that start within this block answer over this connection."""
    token = _connection.set(connection)
    try:
        yield
    finally:
        _connection.reset(token)


class BrokenOff(ConnectionAbortedError):
    """Raised instead of sending more of a body that exceeded a limit, that nobody read, or that is
    closed."""


class BoundedBody:
    """The body of one response. Close it when the response is over."""

    def __init__(self, send: Send, owner_id: Any) -> None:
        self._send = send
        self._connection = _connection.get()
        self._is_over = False
        self._waiting_bytes = 0  # of a part that is not with the server yet
        self.owner_id = owner_id
        self.unread_bytes = 0
        _open_bodies.add(self)

    def close(self) -> None:
        self._is_over = True
        _open_bodies.remove(self)

    async def send_part(self, part: bytes, *, is_last: bool = False) -> None:
        """Wait until the client has read enough, and send; the end of the last part is sent after
        the client has read the rest. Raises an OSError if the client went away, reads nothing, or
        exceeded a limit."""
        if self._connection is None:
            async with asyncio.timeout(READ_TIMEOUT_SECONDS):
                await self._send_message(part, more_body=not is_last)
            return
        if len(part) > PIECE_BYTES:  # the server has a smaller one at once, or soon
            self._waiting_bytes = len(part)
            _open_bodies.record_unread_bytes(self, self.count_unread_bytes())
        try:
            await self._send_pieces(self._connection, part)
        finally:
            self._waiting_bytes = 0
        if is_last:
            await self.wait_until_read()
            await self._send_message(b"", more_body=False)

    async def _send_pieces(self, connection: ClientConnection, part: bytes) -> None:
        for number, piece in enumerate(_split(part)):
            try:
                await self._send_piece(connection, piece)
            except asyncio.CancelledError:
                if number:
                    self.break_off()  # whatever came next would stand in the middle of this part
                raise

    async def _send_piece(self, connection: ClientConnection, piece: bytes) -> None:
        if not connection.is_writable():
            await self._wait_until_writable(connection)
        self._check()
        await self._send_message(piece, more_body=True)
        self._check()
        self._waiting_bytes = max(0, self._waiting_bytes - len(piece))
        _open_bodies.record_unread_bytes(self, self.count_unread_bytes())

    async def _send_message(self, body: bytes, *, more_body: bool) -> None:
        await self._send({"type": "http.response.body", "body": body, "more_body": more_body})

    async def _wait_until_writable(self, connection: ClientConnection) -> None:
        while not connection.is_writable():
            unread = connection.count_unread_bytes()
            try:
                async with asyncio.timeout(READ_TIMEOUT_SECONDS):
                    await connection.wait_until_writable()
            except TimeoutError:
                if connection.count_unread_bytes() >= unread:
                    self.break_off()
                    raise

    async def wait_until_read(self) -> None:
        """Wait before the connection is closed: a server would hold what is left for as long as the
        client likes. Raises as `send_part`."""
        connection = self._connection
        if connection is None:
            return
        # No server tells when it holds nothing any more. For nearly all clients that is after two
        # turns of the event loop.
        loop = asyncio.get_running_loop()
        fewest, read_at, pause = connection.count_unread_bytes(), loop.time(), 0.0
        while unread := connection.count_unread_bytes():
            self._check()
            if unread < fewest:
                fewest, read_at = unread, loop.time()
            elif loop.time() - read_at > READ_TIMEOUT_SECONDS:
                self.break_off()
                raise TimeoutError
            await asyncio.sleep(pause)
            pause = min(pause * 2 + 0.001, MAX_POLL_SECONDS)
        self._check()

    def _check(self) -> None:
        if self._is_over:
            raise BrokenOff

    def count_unread_bytes(self) -> int:
        """With those of a part that waits for the client."""
        return self._waiting_bytes + self.count_server_bytes()

    def count_server_bytes(self) -> int:
        return 0 if self._connection is None else self._connection.count_unread_bytes()

    def break_off(self) -> None:
        self._is_over = True
        _open_bodies.set_unread_bytes(self, 0)
        if self._connection is not None:
            self._connection.abort()


def _split(part: bytes) -> Iterator[bytes]:
    """Pieces of limited size, made one by one. Nearly all parts are one piece."""
    if 0 < len(part) <= PIECE_BYTES:
        yield part
        return
    for start in range(0, len(part), PIECE_BYTES):
        yield part[start : start + PIECE_BYTES]


class OpenBodies:
    """The unread bytes of all bodies of this process.

    A body is counted when it sends. Daphne passes on what was sent in the next turn of the event
    loop, and what a client reads later is not noticed. So a total is at most too large, and all
    bodies are counted again before one is broken off.
    """

    def __init__(self) -> None:
        self._by_owner: defaultdict[Any, set[BoundedBody]] = defaultdict(set)
        self._owner_bytes = Counter[Any]()
        self._total_bytes = 0
        self._is_check_scheduled = False

    def add(self, body: BoundedBody) -> None:
        self._by_owner[body.owner_id].add(body)

    def remove(self, body: BoundedBody) -> None:
        self.set_unread_bytes(body, 0)
        bodies = self._by_owner[body.owner_id]
        bodies.discard(body)
        if not bodies:
            del self._by_owner[body.owner_id]
            del self._owner_bytes[body.owner_id]

    def set_unread_bytes(self, body: BoundedBody, count: int) -> None:
        change = count - body.unread_bytes
        body.unread_bytes = count
        self._owner_bytes[body.owner_id] += change
        self._total_bytes += change

    def record_unread_bytes(self, body: BoundedBody, count: int) -> None:
        if count == body.unread_bytes:
            return
        self.set_unread_bytes(body, count)
        if not self._is_check_scheduled and (
            count > MAX_UNREAD_BYTES_PER_RESPONSE
            or self._owner_bytes[body.owner_id] > engine_settings.MAX_UNREAD_BYTES_PER_USER
            or self._total_bytes > engine_settings.MAX_UNREAD_BYTES
        ):
            self._is_check_scheduled = True
            asyncio.get_running_loop().call_later(CHECK_DELAY_SECONDS, self._break_off_excess)

    def _break_off_excess(self) -> None:
        """Break off each body that is too large; the largest bodies of an owner with too many
        bytes; and then those of the owner with the most, so that a few people with many bytes cost
        nobody else a response."""
        self._is_check_scheduled = False
        for body in [body for bodies in self._by_owner.values() for body in bodies]:
            self.set_unread_bytes(body, body.count_unread_bytes())
            if body.count_server_bytes() > MAX_UNREAD_BYTES_PER_RESPONSE:
                body.break_off()
        for owner in self._by_owner:
            while self._owner_bytes[owner] > engine_settings.MAX_UNREAD_BYTES_PER_USER:
                self._break_off_largest(owner)
        while self._total_bytes > engine_settings.MAX_UNREAD_BYTES:
            self._break_off_largest(self._owner_bytes.most_common(1)[0][0])

    def _break_off_largest(self, owner: Any) -> None:
        max(self._by_owner[owner], key=lambda body: body.unread_bytes).break_off()


_open_bodies = OpenBodies()

"""Tells a socket at once that its client has left.

The message of a disconnect comes last: an application reads it after all frames that the client
sent before. These may wait for their turns, and the socket would stay in memory, and count as one
of its user's, for as long. A web server that knows earlier sets an event.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_client_left: ContextVar[asyncio.Event | None] = ContextVar("client_left", default=None)


@contextmanager
def use_leaving_event(client_left: asyncio.Event) -> Iterator[None]:
    """For a server: sockets that start within this block belong to the client that has left once
    this event is set."""
    token = _client_left.set(client_left)
    try:
        yield
    finally:
        _client_left.reset(token)


def get_leaving_event() -> asyncio.Event:
    """The event of the present socket. Without such a server it is never set."""
    return _client_left.get() or asyncio.Event()

"""A runtime under Uvicorn and other servers with ASGI's lifespan protocol."""

from __future__ import annotations

import asyncio
import signal
import threading
from types import FrameType
from typing import Any

from streaming.asgi import ASGIApp, Receive, Send
from streaming.runtime import Runtime

BYE_DELAY_SECONDS = 0.1
"""How long a server that closes the sockets itself waits until their byes are sent."""


def build_lifespan_app(runtime: Runtime) -> ASGIApp:
    """The application for the `lifespan` scope of a server."""

    async def lifespan(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await receive()
        await runtime.start()
        _send_bye_on_sigterm(runtime)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await runtime.drain()
        await send({"type": "lifespan.shutdown.complete"})

    return lifespan


def _send_bye_on_sigterm(runtime: Runtime) -> None:
    """Uvicorn closes all sockets before it shuts the lifespan down, which is too late for a bye. So
    the sockets get the signal first, and Uvicorn a moment later."""
    if threading.current_thread() is not threading.main_thread():
        return  # a server in a thread gets no signals
    loop = asyncio.get_running_loop()
    server_handler = signal.getsignal(signal.SIGTERM)
    if not callable(server_handler):
        return

    def send_bye_and_forward(number: int) -> None:
        runtime.send_bye()
        loop.call_later(BYE_DELAY_SECONDS, server_handler, number, None)

    def on_sigterm(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(send_bye_and_forward, number)

    signal.signal(signal.SIGTERM, on_sigterm)

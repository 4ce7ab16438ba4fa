"""What a process runs beside its requests: the hub, and a worker where one is embedded.

One pair, `start` and `drain`, behind every way to be hosted: Daphne, which has no lifespan
but a reactor; any server with the lifespan protocol; and `manage.py stream_worker`.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import Any

from django.conf import settings

from streaming import database, hub
from streaming.consumers import sockets
from streaming.worker import StreamWorker

logger = logging.getLogger(__name__)

RECONNECT_DELAY_MS = 500
"""When clients are told to come back after a restart."""
BYE_DELAY_SECONDS = 0.1
"""How long a server that would close the sockets itself waits until they have said good-bye."""
EXIT_TIMEOUT_SECONDS = 2.0
"""How long a drained process waits for its threads."""


class Runtime:
    """The start and the drain of one process."""

    def __init__(self, *, worker: bool) -> None:
        self._with_worker = worker
        self._worker: StreamWorker | None = None

    async def start(self) -> None:
        # Looking through all that a process has loaded would hold up every token for 50 to 100 ms:
        # once, before there are any, and not again.
        gc.collect()
        gc.freeze()
        hub.get_hub()
        if self._with_worker:
            self._worker = StreamWorker()
            await self._worker.start()

    async def drain(self) -> None:
        """Say good-bye to the sockets; finish or hand over what runs here."""
        self._send_bye()
        if self._worker is not None:
            await self._worker.drain(settings.DRAIN_SECONDS)
        await hub.close()
        database.close()

    def _send_bye(self) -> None:
        for consumer in tuple(sockets):
            consumer.send_bye(RECONNECT_DELAY_MS)

    # Hosts

    def attach_to_reactor(self) -> bool:
        """Start and drain with Twisted's reactor, if this process has one: under Daphne."""
        if "twisted.internet.reactor" not in sys.modules:
            return False
        from twisted.internet import defer

        reactor: Any = sys.modules["twisted.internet.reactor"]

        def start_runtime() -> None:
            self._start_task = asyncio.ensure_future(self.start())
            self._start_task.add_done_callback(_exit_if_failed)

        def drain_runtime() -> defer.Deferred[None]:
            return defer.Deferred.fromFuture(asyncio.ensure_future(self.drain()))

        reactor.callWhenRunning(start_runtime)
        reactor.addSystemEventTrigger("before", "shutdown", drain_runtime)
        reactor.addSystemEventTrigger("after", "shutdown", exit_soon)
        return True

    async def lifespan(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[dict[str, Any]]],
        send: Callable[[dict[str, Any]], Awaitable[None]],
    ) -> None:
        """The lifespan protocol of ASGI: under Uvicorn and others."""
        await receive()
        await self.start()
        self._send_bye_on_sigterm()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.drain()
        await send({"type": "lifespan.shutdown.complete"})

    def _send_bye_on_sigterm(self) -> None:
        """Uvicorn closes all sockets before the shutdown of the lifespan: too late for a bye. So it
        hears of the signal a moment after the sockets have."""
        if threading.current_thread() is not threading.main_thread():
            return  # a server in a thread has no signals to hear
        loop = asyncio.get_running_loop()
        servers_own = signal.getsignal(signal.SIGTERM)
        if not callable(servers_own):
            return

        def send_bye_and_forward(number: int) -> None:
            self._send_bye()
            loop.call_later(BYE_DELAY_SECONDS, servers_own, number, None)

        def on_sigterm(number: int, frame: FrameType | None) -> None:
            loop.call_soon_threadsafe(send_bye_and_forward, number)

        signal.signal(signal.SIGTERM, on_sigterm)


def exit_soon() -> None:
    """A thread that was in the middle of a request may wait for the loop that has just
    stopped, and Python would wait for that thread: the process would never go."""
    leave = threading.Timer(EXIT_TIMEOUT_SECONDS, os._exit, [0])
    leave.daemon = True
    leave.start()


def _exit_if_failed(start_task: asyncio.Future[None]) -> None:
    """A server whose worker did not start would look well and answer nothing."""
    if not start_task.cancelled() and (error := start_task.exception()) is not None:
        logger.critical("The worker could not start", exc_info=error)
        sys.modules["twisted.internet.reactor"].stop()

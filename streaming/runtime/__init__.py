"""Services that a process runs beside its requests: the hub, and a worker if one is embedded.

A host calls `start` and `drain`, and nothing else: `daphne` for Daphne, which has a reactor and no
lifespan; `lifespan` for any server with that protocol; and `manage.py stream_worker`.
"""

from __future__ import annotations

import gc
import os
import threading

from streaming import database, hub
from streaming.conf import engine_settings
from streaming.doors.sender import wait_for_ends
from streaming.doors.session_holder import send_bye_to_all
from streaming.worker import StreamWorker

RECONNECT_DELAY_MS = 500
"""When clients should reconnect after a restart."""
EXIT_TIMEOUT_SECONDS = 2.0
"""How long a drained process waits for its threads."""


class Runtime:
    """The start and the drain of one process."""

    def __init__(self, *, worker: bool) -> None:
        self._with_worker = worker
        self._worker: StreamWorker | None = None

    async def start(self) -> None:
        # A full collection over all that a process has loaded would hold up every token for 50 to
        # 100 ms: here it runs once, before there are any.
        gc.collect()
        gc.freeze()
        hub.get_hub()
        if self._with_worker:
            self._worker = StreamWorker()
            await self._worker.start()

    async def drain(self) -> None:
        """Send a bye to the clients; finish or release the streams that run here."""
        self.send_bye()
        await wait_for_ends()
        if self._worker is not None:
            await self._worker.drain(engine_settings.DRAIN_SECONDS)
        await hub.close()
        database.close()

    def send_bye(self) -> None:
        send_bye_to_all(RECONNECT_DELAY_MS)


def exit_soon() -> None:
    """End the process even if a thread hangs. A thread that serves a request may wait for the loop
    that has just stopped, and Python would wait for that thread."""
    leave = threading.Timer(EXIT_TIMEOUT_SECONDS, os._exit, [0])
    leave.daemon = True
    leave.start()

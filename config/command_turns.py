"""Commands of sockets wait for the turn of their person, like the POST requests that they stand
for: they take the same slots, and are charged as much."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from config.fair_share import Client, ServerBusy
from config.request_queue import (
    BUSY_MESSAGE,
    BUSY_RETRY_SECONDS,
    MAX_RUNNING_PER_USER,
    REPLY_SECONDS,
    ClientLimiter,
    SharesByKind,
)
from streaming.database import run_command_in_db
from streaming.doors.frames import FrameRejected


@dataclass(slots=True)
class MeasuredCall:
    """A function, and the CPU seconds that it took in its thread."""

    function: Callable[[], Any]
    seconds: float = 0.0

    def __call__(self) -> Any:
        began = time.thread_time()
        try:
            return self.function()
        finally:
            self.seconds = time.thread_time() - began


class CommandTurns:
    def __init__(self, shares: SharesByKind, limiter: ClientLimiter) -> None:
        self._shares = shares
        self._limiter = limiter

    async def run(self, user_id: Any, function: Callable[[], Any]) -> Any:
        """Run the function in a database thread. Raises FrameRejected if the person has too much
        running."""
        client = Client(f"user {user_id}", False, user_id=user_id)
        share = self._shares.forms
        name = self._shares.build_client_key(share, client.name)
        call = MeasuredCall(function)
        with ExitStack() as slots:
            try:
                await self._limiter.acquire_slot(name, MAX_RUNNING_PER_USER)
                slots.callback(self._limiter.release_slot, name)
                await share.acquire_slot(client)
            except ServerBusy:
                details = {"retry_after": BUSY_RETRY_SECONDS}
                raise FrameRejected("unavailable", str(BUSY_MESSAGE), details=details) from None
            slots.callback(lambda: share.release_slot(client, call.seconds + REPLY_SECONDS))
            return await run_command_in_db(call)

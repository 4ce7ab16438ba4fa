"""A worker in a process of its own."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand

from streaming.runtime import Runtime, exit_soon


class Command(BaseCommand):
    help = "Run streams. SIGTERM or Ctrl-C lets running ones finish, or releases them."

    def handle(self, *args: Any, **options: Any) -> None:
        with asyncio.Runner(loop_factory=_get_loop_factory()) as runner:
            runner.run(self._run_worker())

    async def _run_worker(self) -> None:
        stopping = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopping.set)
        runtime = Runtime(worker=True)
        await runtime.start()
        self.stdout.write("Worker ready")
        self.stdout.flush()
        await stopping.wait()
        await runtime.drain()
        exit_soon()


def _get_loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's if it is installed."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop

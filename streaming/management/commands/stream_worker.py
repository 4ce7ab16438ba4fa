"""A worker in a process of its own: claims streams and runs them until it is told to end."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

import uvloop
from django.core.management.base import BaseCommand

from streaming.runtime import Runtime, exit_soon


class Command(BaseCommand):
    help = "Run streams. SIGTERM or Ctrl-C lets running ones finish or hands them over."

    def handle(self, *args: Any, **options: Any) -> None:
        uvloop.run(self._run_worker())

    async def _run_worker(self) -> None:
        told = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, told.set)
        runtime = Runtime(worker=True)
        await runtime.start()
        self.stdout.write("Worker ready")
        self.stdout.flush()
        await told.wait()
        await runtime.drain()
        exit_soon()

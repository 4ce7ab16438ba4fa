"""A runtime under Daphne, which runs on Twisted's reactor and has no lifespan."""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import Any

from streaming.runtime import Runtime, exit_soon

logger = logging.getLogger(__name__)

_start_tasks: set[asyncio.Future[None]] = set()
"""The event loop alone would not keep a reference to them."""


def attach_to_reactor(runtime: Runtime) -> bool:
    """Start and drain with the reactor, if this process has one."""
    if "twisted.internet.reactor" not in sys.modules:
        return False
    from twisted.internet import defer

    reactor: Any = sys.modules["twisted.internet.reactor"]

    def start_runtime() -> None:
        task = asyncio.ensure_future(runtime.start())
        _start_tasks.add(task)
        task.add_done_callback(_exit_if_failed)

    def drain_runtime() -> defer.Deferred[None]:
        return defer.Deferred.fromFuture(asyncio.ensure_future(runtime.drain()))

    reactor.callWhenRunning(start_runtime)
    reactor.addSystemEventTrigger("before", "shutdown", drain_runtime)
    reactor.addSystemEventTrigger("after", "shutdown", exit_soon)
    return True


def _exit_if_failed(start_task: asyncio.Future[None]) -> None:
    """A server whose worker did not start would look healthy and answer nothing."""
    _start_tasks.discard(start_task)
    if not start_task.cancelled() and (error := start_task.exception()) is not None:
        logger.critical("The worker could not start", exc_info=error)
        sys.modules["twisted.internet.reactor"].stop()

"""Maintenance beside the streams of a worker: folding ended streams, periodic tasks and
follow-ups."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from contextlib import suppress

from streaming import lifecycle
from streaming.database import DatabaseThreads
from streaming.outage import outage_monitor
from streaming.sources import Task, get_follow_ups, get_periodic_tasks

logger = logging.getLogger(__name__)

MAINTENANCE_INTERVAL_SECONDS = 60.0
FOLD_BATCH_SIZE = 100
FOLLOW_UP_INTERVAL_SECONDS = 5.0
"""How often follow-ups run if nothing ends."""
FOLLOW_UP_PAUSE_SECONDS = 0.1
"""How long endings are collected before the follow-ups run once for all of them."""


async def run_maintenance(db_threads: DatabaseThreads) -> None:
    """Continue until the task is cancelled. Any number of workers may do this at the same time."""
    after = 0
    while True:
        try:
            after = await db_threads.run(lifecycle.fold_ended_streams, FOLD_BATCH_SIZE, after)
        except Exception as error:
            if not outage_monitor.is_outage(error):
                logger.exception("Old streams could not be folded; trying again")
            after = 0
        if not after:
            await _run_tasks(db_threads, get_periodic_tasks())
            await asyncio.sleep(MAINTENANCE_INTERVAL_SECONDS)


async def run_follow_ups(db_threads: DatabaseThreads, has_ended: asyncio.Event) -> None:
    """Run them when the event is set, until the task is cancelled."""
    while get_follow_ups():
        await _run_tasks(db_threads, get_follow_ups())
        with suppress(TimeoutError):
            async with asyncio.timeout(FOLLOW_UP_INTERVAL_SECONDS):
                await has_ended.wait()
        await asyncio.sleep(FOLLOW_UP_PAUSE_SECONDS)
        has_ended.clear()


async def _run_tasks(db_threads: DatabaseThreads, tasks: Iterable[Task]) -> None:
    for task in tasks:
        try:
            await db_threads.run(task)
        except Exception as error:
            if not outage_monitor.is_outage(error):
                logger.exception("%s failed; trying again", task.__qualname__)
